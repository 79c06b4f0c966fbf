"""Turns: when each peer has something to do next, and who is at it.

A row of ``turn`` stands for what one pool holds for one peer, so that a claim costs the same however much is queued, and
for whom. The row of answers to people also stands for everything that goes to the peer: a process that holds it is the
only one that changes what waits there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gateway.store.database import from_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gateway.store.database import Database, type_row

# Who waits: an arrival to be settled; somebody for one answer; many for the same post. In this order.
ARRIVALS, PEOPLE, BULK = POOLS = (0, 1, 2)
_TOUCH = (
    "INSERT INTO turn (pool, peer, opens, next, served) SELECT :pool, :peer, opens,"
    " CASE WHEN opens > :due THEN opens ELSE :due END, 0 FROM (SELECT coalesce(max(until), 0) AS opens"
    " FROM circuit WHERE origin = :peer AND :pool > 0) known WHERE true"
    " ON CONFLICT (pool, peer) DO UPDATE SET next = CASE WHEN turn.next <= excluded.next THEN turn.next"
    " WHEN turn.opens > excluded.next THEN turn.opens ELSE excluded.next END"
)


class Turns:
    """Rows of ``turn``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        # Grows with every turn: of those due at the same time, who waited longest is first.
        self._served = time.time_ns()

    def hold(self, pool: int, peer: str) -> None:
        """Let no other process change what waits for a peer until the transaction ends: its lanes and turns go together."""
        if self._db.shares:
            self._db.run(
                "INSERT INTO turn (pool, peer, opens, next, served) VALUES (:pool, :peer, 0, NULL, 0)"
                " ON CONFLICT (pool, peer) DO UPDATE SET served = turn.served",
                pool=min(pool, PEOPLE), peer=peer,
            )  # fmt: skip

    def hold_all(self, rows: Sequence[type_row]) -> None:
        """Hold the peers of several rows, always in the same order: nobody waits for somebody who waits for them."""
        for pool, peer in sorted({(min(row["pool"], PEOPLE), row["peer"]) for row in rows}):
            self.hold(pool, peer)

    def is_free(self, pool: int, peer: str) -> bool:
        """Hold a peer unless another process does; tell whether we do."""
        return not self._db.shares or bool(
            self._db.rows(
                "SELECT 1 AS held FROM turn WHERE pool = :pool AND peer = :peer FOR UPDATE SKIP LOCKED",
                pool=min(pool, PEOPLE), peer=peer,
            )
        )  # fmt: skip

    def due(self, pool: int, now: datetime, limit: int) -> list[type_row]:
        """Return whose turn it is, who waited longest first; ``troubled`` is set for who was not there lately."""
        return self._db.rows(
            "SELECT t.peer, c.origin AS troubled FROM turn t LEFT JOIN circuit c ON c.origin = t.peer"
            " AND c.mending > 0 AND t.pool > 0 WHERE t.pool = :pool AND t.next <= :now"
            " ORDER BY t.next, t.served LIMIT :limit",
            pool=pool, now=to_ms(now), limit=limit,
        )  # fmt: skip

    def touch(self, pool: int, peer: str, due: int) -> None:
        """Let a peer's turn come no later than something is due, unless its circuit is open until then."""
        if pool == ARRIVALS:  # which no circuit holds back
            self._db.run(
                "INSERT INTO turn (pool, peer, opens, next, served) VALUES (0, :peer, 0, :due, 0)"
                " ON CONFLICT (pool, peer) DO UPDATE SET next = excluded.next"
                " WHERE turn.next IS NULL OR turn.next > excluded.next",
                peer=peer, due=due,
            )  # fmt: skip
            return
        self.touch_all(pool, {peer: due})

    def touch_all(self, pool: int, due: Mapping[str, int]) -> None:
        """Let the turns of many peers come no later than something is due for each."""
        self._db.run_many(_TOUCH, [{"pool": pool, "peer": peer, "due": when} for peer, when in due.items()])

    def settle(self, pool: int, peer: str, now: datetime | None = None) -> None:
        """Let a peer's turn come when the first of what is queued is due, and after all who waited until ``now``."""
        self._settle(pool, pool, peer, now)

    def settle_shared(self, pool: int, peer: str, now: datetime | None = None) -> None:
        """Settle the turns that share a peer's hands with a pool."""
        self._settle(*(ARRIVALS, ARRIVALS) if pool == ARRIVALS else (PEOPLE, BULK), peer, now)

    def _settle(self, first: int, last: int, peer: str, now: datetime | None) -> None:
        self._served += now is not None
        self._db.run(
            "UPDATE turn SET served = CASE WHEN :least > 0 THEN :served ELSE served END, next = (SELECT CASE"
            " WHEN min(due) < :least AND turn.opens < :least THEN :least"
            " WHEN min(due) < turn.opens THEN turn.opens ELSE min(due) END FROM job"
            " WHERE pool = turn.pool AND peer = turn.peer AND state = 'queued')"
            " WHERE pool IN (:first, :last) AND peer = :peer",
            first=first, last=last, peer=peer, least=0 if now is None else to_ms(now), served=self._served,
        )  # fmt: skip

    def rest(self, pool: int, peer: str) -> None:
        """Give a peer no turn until one of what it has in hand ends."""
        self._db.run(
            "UPDATE turn SET next = NULL WHERE peer = :peer AND (pool = 0) = (:pool = 0)", pool=pool, peer=peer
        )

    def open_at(self, peer: str, moment: datetime | None) -> None:
        """Let nothing go out to a peer before a moment, or let it have its turn again."""
        self._db.run(
            "UPDATE turn SET opens = :opens WHERE peer = :peer AND pool > 0",
            peer=peer, opens=0 if moment is None else to_ms(moment),
        )  # fmt: skip
        self.settle_shared(PEOPLE, peer)

    def next(self, peer: str) -> datetime | None:
        """Return when something is tried next that goes to a peer."""
        return from_ms(self._db.value("SELECT min(next) FROM turn WHERE peer = :peer AND pool > 0", peer=peer))

    def prune(self) -> None:
        """Remove turns in which nobody has anything to do."""
        self._db.run(
            "DELETE FROM turn WHERE next IS NULL AND NOT EXISTS (SELECT 1 FROM job j WHERE j.peer = turn.peer"
            " AND j.state IN ('waiting', 'queued', 'leased'))"
        )
