"""Statements with their provenance. Nothing is overwritten: what no longer holds is marked superseded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.preferences import (
    Audience,
    Auth,
    Category,
    Condition,
    Declarant,
    DeclarantKind,
    Preferences,
    Scope,
    Statement,
    Subject,
)
from gateway.store.database import dump, from_ms, load, to_ms
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gateway.store.database import Database, type_row


class Statements:
    """Rows of ``statement``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, statements: Iterable[Statement], source: str) -> None:
        """Keep statements; ``source`` names the arrival or fetch they came with. Repeats are kept once."""
        for statement in statements:
            row = _row(statement, source)
            if self._db.value(
                "SELECT 1 FROM statement WHERE ref = :ref AND superseded IS NULL AND prefs = :prefs AND carrier = :carrier"
                " AND declared_id = :declared_id AND declared_kind = :declared_kind AND raw = :raw"
                " AND audience_value = :audience_value",
                **{
                    name: row[name]
                    for name in ("ref", "prefs", "carrier", "declared_id", "declared_kind", "raw", "audience_value")
                },
            ):
                continue
            names = ", ".join(row)
            self._db.run(f"INSERT INTO statement ({names}) VALUES ({', '.join(f':{name}' for name in row)})", **row)  # noqa: S608 - column names are ours

    def supersede(self, ref: str, now: datetime, *, declared_by: str) -> None:
        """Mark what ``declared_by`` said about ``ref`` as replaced by newer words of theirs, and what their server said."""
        self._db.run(
            "UPDATE statement SET superseded = :now WHERE ref = :ref AND superseded IS NULL AND (declared_id = :who"
            " OR (declared_kind = 'instance' AND (declared_id = :origin OR declared_id LIKE :origin || '/%')))",
            ref=ref,
            now=to_ms(now),
            who=declared_by,
            origin=str(origin_of(declared_by)),
        )

    def about(self, refs: Iterable[str], *, with_history: bool = False) -> list[Statement]:
        """Return what holds about any of ``refs``, oldest first."""
        found: list[Statement] = []
        for ref in dict.fromkeys(refs):
            rows = self._db.rows(
                "SELECT * FROM statement WHERE ref = :ref AND (:history = 1 OR superseded IS NULL) ORDER BY id",
                ref=ref,
                history=int(with_history),
            )
            found += [_statement(row) for row in rows]
        return found


def _row(statement: Statement, source: str) -> type_row:
    return {
        "scope": statement.subject.scope.value,
        "ref": statement.subject.ref,
        "prefs": dump(statement.prefs.as_json()),
        "conditions": dump([[c.category.value, c.kind, c.value] for c in statement.conditions]),
        "audience_kind": statement.audience.kind,
        "audience_value": statement.audience.value,
        "declared_kind": statement.declared_by.kind.value,
        "declared_id": statement.declared_by.id,
        "declared_auth": statement.declared_by.auth.value,
        "carrier": statement.carrier,
        "revision": statement.carrier_revision,
        "raw": statement.raw,
        "asserted": to_ms(statement.asserted_at) if statement.asserted_at else None,
        "observed": to_ms(statement.observed_at),
        "expires": to_ms(statement.expires_at) if statement.expires_at else None,
        "projection_of": statement.projection_of,
        "legacy": int(statement.legacy),
        "source": source,
    }


def _statement(row: type_row) -> Statement:
    return Statement(
        subject=Subject(scope=Scope(row["scope"]), ref=row["ref"]),
        prefs=Preferences.from_json(load(row["prefs"])),
        declared_by=Declarant(
            kind=DeclarantKind(row["declared_kind"]), id=row["declared_id"], auth=Auth(row["declared_auth"])
        ),
        carrier=row["carrier"],
        carrier_revision=row["revision"],
        raw=row["raw"],
        audience=Audience(kind=row["audience_kind"], value=row["audience_value"]),
        conditions=tuple(Condition(category=Category(c), kind=k, value=v) for c, k, v in load(row["conditions"])),
        asserted_at=from_ms(row["asserted"]),
        observed_at=from_ms(row["observed"]),  # type: ignore[arg-type]
        expires_at=from_ms(row["expires"]),
        projection_of=row["projection_of"],
        legacy=bool(row["legacy"]),
    )
