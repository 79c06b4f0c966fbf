"""Circuits: which peers did not answer lately, and when one may be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.store.database import dump, from_ms, load, to_ms
from gateway.store.recent import Recent

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.database import Database, type_row

_TIMES = ("until", "last")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """What is remembered of one peer's failures; ``jobs.circuit`` says what follows from it. None is the empty one.

    ``recent`` are the failures that count, ``until`` is when the next probe may go, ``days`` on how many days it
    failed, the last time at ``last``; ``mending`` is how many successes are missing.
    """

    recent: tuple[datetime, ...] = ()
    until: datetime | None = None
    days: int = 0
    last: datetime | None = None
    mending: int = 0


class Circuits:
    """Rows of ``circuit``: one for each origin that failed and is not well yet."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._troubled: Recent[str, frozenset[str]] = Recent(database, "circuit")
        self._known: Recent[str, Circuit] = Recent(database, "circuit")

    def get(self, origin: str) -> Circuit:
        """Return what is remembered of an origin; nothing is the closed circuit."""
        if origin not in self._troubled.get("", self._read_troubled):
            return Circuit()  # most peers
        return self._known.get(origin, lambda: self._read(origin))

    def _read_troubled(self) -> frozenset[str]:
        return frozenset(row["origin"] for row in self._db.rows("SELECT origin FROM circuit"))

    def _read(self, origin: str) -> Circuit:
        row = self._db.one("SELECT * FROM circuit WHERE origin = :o", o=origin)
        return Circuit() if row is None else _circuit(row)

    def all(self) -> dict[str, Circuit]:
        """Return origin -> circuit of every peer that is in trouble."""
        return {row["origin"]: _circuit(row) for row in self._db.rows("SELECT * FROM circuit ORDER BY origin")}

    def put(self, origin: str, circuit: Circuit) -> None:
        """Remember a circuit; an empty one is forgotten."""
        if circuit == Circuit():
            self._db.run("DELETE FROM circuit WHERE origin = :o", o=origin)
            return
        values: dict[str, Any] = {
            name: None if (moment := getattr(circuit, name)) is None else to_ms(moment) for name in _TIMES
        }
        self._db.run(
            "INSERT INTO circuit (origin, recent, until, days, last, mending)"
            " VALUES (:origin, :recent, :until, :days, :last, :mending) ON CONFLICT (origin) DO UPDATE SET"
            " recent = excluded.recent, until = excluded.until, days = excluded.days,"
            " last = excluded.last, mending = excluded.mending",
            origin=origin, recent=dump([to_ms(moment) for moment in circuit.recent]), days=circuit.days,
            mending=circuit.mending, **values,
        )  # fmt: skip

    def prune(self, before: datetime) -> int:
        """Forget troubles that were over before a moment: a circuit is no register of old ones."""
        return self._db.run("DELETE FROM circuit WHERE last < :t OR last IS NULL", t=to_ms(before))


def _circuit(row: type_row) -> Circuit:
    times: dict[str, Any] = {name: from_ms(row[name]) for name in _TIMES}
    recent = tuple(moment for value in load(row["recent"]) if (moment := from_ms(value)) is not None)
    return Circuit(recent=recent, days=row["days"], mending=row["mending"], **times)
