"""Arrivals: what was answered 202 is here, byte for byte, until it is settled and its time is over."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.store.database import dump, from_ms, load, to_ms
from gateway.store.recent import Recent

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalRow:
    """A verified request that was answered 202."""

    id: str
    actor: str
    origin: str
    inbox: str
    body: bytes
    headers: list[tuple[str, str]]
    verdict: dict[str, Any]
    received: datetime
    settled: datetime | None = None
    outcome: str | None = None


def key_of(arrival_id: str, actor: str) -> bytes:
    """Return the 16 bytes by which an arrival is found: ids are deduplicated among one actor's own."""
    return hashlib.sha256(f"{arrival_id} {actor}".encode("utf-8", "surrogatepass")).digest()[:16]


class Arrivals:
    """Rows of ``arrival``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        # Those that were read as not settled and are not settled since.
        self._open: Recent[tuple[str, str], bool | None] = Recent(database, exact=True, found=True)

    def keep(self, arrival: ArrivalRow) -> bool:
        """Keep an arrival; False when its actor sent this id already."""
        return bool(
            self._db.run(
                "INSERT INTO arrival VALUES (:key, :id, :actor, :origin, :inbox, :body, :headers, :verdict, :received,"
                " NULL, NULL) ON CONFLICT (key) DO NOTHING",
                key=key_of(arrival.id, arrival.actor), id=arrival.id, actor=arrival.actor, origin=arrival.origin,
                inbox=arrival.inbox, body=arrival.body,
                headers=dump(arrival.headers), verdict=dump(arrival.verdict), received=to_ms(arrival.received),
            )
        )  # fmt: skip

    def get(self, arrival_id: str, actor: str) -> ArrivalRow | None:
        """Return an arrival by activity id and actor: ids are deduplicated among one actor's own."""
        as_of = self._db.moment()
        row = self._db.one("SELECT * FROM arrival WHERE key = :key", key=key_of(arrival_id, actor))
        if row is None:
            return None
        del row["key"]
        times: dict[str, Any] = {name: from_ms(row[name]) for name in ("received", "settled")}
        headers = [(name, value) for name, value in load(row["headers"])]
        if row["settled"] is None:
            self._open.put((arrival_id, actor), value=True, as_of=as_of)
        return ArrivalRow(
            **{**row, **times, "body": bytes(row["body"]), "headers": headers, "verdict": load(row["verdict"])}
        )

    def hold(self, arrival_id: str, actor: str) -> bool:
        """Let nobody else settle an arrival until the transaction ends; tell whether nobody has."""
        return bool(self._open.get((arrival_id, actor), lambda: self._hold(arrival_id, actor)))

    def _hold(self, arrival_id: str, actor: str) -> bool | None:
        row = self._db.one("SELECT settled FROM arrival WHERE key = :key FOR UPDATE", key=key_of(arrival_id, actor))
        return True if row is not None and row["settled"] is None else None

    def settle(self, arrival_id: str, actor: str, outcome: str, now: datetime) -> None:
        """Note what an arrival did."""
        self._open.drop((arrival_id, actor))
        row = {"key": key_of(arrival_id, actor), "outcome": outcome, "now": to_ms(now)}
        with self._db.transaction():
            self._db.later(self._settle_all, row, "arrival")

    def _settle_all(self, rows: list[dict[str, Any]]) -> None:
        self._db.run_many("UPDATE arrival SET settled = :now, outcome = :outcome WHERE key = :key", rows)

    def prune(self, *, bytes_before: datetime, ids_before: datetime) -> int:
        """Remove the bytes of settled arrivals older than their retention, and ids older still."""
        gone = self._db.run("DELETE FROM arrival WHERE settled IS NOT NULL AND settled < :t", t=to_ms(ids_before))
        return gone + self._db.run(
            "UPDATE arrival SET body = :empty, headers = '[]' WHERE settled IS NOT NULL AND settled < :t AND body <> :empty",
            t=to_ms(bytes_before), empty=b"",
        )  # fmt: skip
