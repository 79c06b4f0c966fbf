"""Turns: when each peer has something to do next, and who is at it.

A row of ``turn`` stands for what one pool holds for one peer, so that a claim costs the same however much is queued, and
for whom. The row of answers to people also stands for everything that goes to the peer: a process that holds it is the
only one that changes what waits there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gateway.store.database import dump, from_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from gateway.store.database import Database, type_row

# Who waits: an arrival to be settled; somebody for one answer; many for the same post. In this order.
ARRIVALS, PEOPLE, BULK = POOLS = (0, 1, 2)
NEVER = 2**62  # ms


def shared(pool: int) -> tuple[int, int]:
    """Return the first and the last of the pools that share a peer's hands with one.

    What comes from a peer does not wait for what goes to it, all of which counts together.
    """
    return (ARRIVALS, ARRIVALS) if pool == ARRIVALS else (PEOPLE, BULK)


class Turns:
    """Rows of ``turn``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        # Grows with every turn: of those due at the same time, who waited longest is first.
        self._served = time.time_ns()
        self._changes = dict.fromkeys(POOLS, 0)  # that this connection made
        # pool -> the state in which it was nobody's turn, and until when (ms) it will be nobody's.
        self._idle: dict[int, tuple[tuple[int, ...], int]] = {}

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
        if not self._db.shares:
            return
        for pool, peer in sorted({(min(row["pool"], PEOPLE), row["peer"]) for row in rows}):
            self.hold(pool, peer)

    def free_of(self, pool: int, peers: Sequence[str]) -> list[str]:
        """Hold those of some peers that no other process holds; return them in their order."""
        if not self._db.shares:
            return list(peers)
        rows = self._db.rows(
            "SELECT peer FROM turn WHERE pool = :pool AND peer IN (SELECT value.value FROM json_each(:peers) AS value)"
            " FOR UPDATE OF turn SKIP LOCKED",
            pool=min(pool, PEOPLE), peers=dump(list(peers)),
        )  # fmt: skip
        held = {row["peer"] for row in rows}
        return [peer for peer in peers if peer in held or (pool == BULK and self._begin_for(peer))]

    def _begin_for(self, peer: str) -> bool:
        """Make the turn that stands for all that goes to a peer, where a backup from SQLite brought none; tell whether we did.

        Where it is there nothing is inserted: that would wait for whoever holds it, who may wait for us.
        """
        return bool(
            self._db.run(
                "INSERT INTO turn (pool, peer, opens, next, served) SELECT 1, peer, opens, NULL, 0 FROM turn"
                " WHERE pool = 2 AND peer = :peer AND NOT EXISTS (SELECT 1 FROM turn WHERE pool = 1 AND peer = :peer)"
                " ON CONFLICT (pool, peer) DO NOTHING",
                peer=peer,
            )
        )

    def due(self, pool: int, now: datetime, limit: int) -> list[type_row]:
        """Return whose turn it is, who waited longest first; ``troubled`` is set for who was not there lately."""
        found = self._db.rows(
            "SELECT t.peer, c.origin AS troubled FROM turn t LEFT JOIN circuit c ON c.origin = t.peer"
            " AND c.mending > 0 AND t.pool > 0 WHERE t.pool = :pool AND t.next <= :now"
            " ORDER BY t.next, t.served LIMIT :limit",
            pool=pool, now=to_ms(now), limit=limit,
        )  # fmt: skip
        if not found:
            following = self._db.value(
                "SELECT min(next) FROM turn WHERE pool = :pool AND next > :now", pool=pool, now=to_ms(now)
            )
            self._idle[pool] = self._state(pool), NEVER if following is None else int(following)
        return found

    def may_be_due(self, pool: int, now: datetime) -> bool:
        """Tell whether it may be anybody's turn, without asking the database: not when nothing changed since it said no."""
        state, until = self._idle.get(pool, ((), 0))
        return to_ms(now) >= until or state != self._state(pool)

    def news(self) -> None:
        """Ask the database again: another process has changed something."""
        self._idle.clear()

    def _state(self, pool: int) -> tuple[int, ...]:
        return *self._db.version(()), self._changes[pool]

    def _change(self, pools: Iterable[int]) -> None:
        for pool in pools:
            self._changes[pool] += 1

    def touch_all(self, rows: Iterable[type_row]) -> None:
        """Let turns come no later than something is due (``pool``, ``peer`` and ``due`` of each), unless a circuit is open."""
        first: dict[tuple[int, str], int] = {}
        for row in rows:
            key = row["pool"], row["peer"]
            first[key] = min(row["due"], first.get(key, row["due"]))
        self._change({pool for pool, _ in first})
        self._db.run_many(
            "INSERT INTO turn (pool, peer, opens, next, served) SELECT :pool, :peer, opens,"
            " CASE WHEN opens > :due THEN opens ELSE :due END, 0 FROM (SELECT coalesce(max(until), 0) AS opens"
            " FROM circuit WHERE origin = :peer AND :pool > 0) known WHERE true"
            " ON CONFLICT (pool, peer) DO UPDATE SET next = CASE WHEN turn.next <= excluded.next THEN turn.next"
            " WHEN turn.opens > excluded.next THEN turn.opens ELSE excluded.next END",
            [{"pool": pool, "peer": peer, "due": due} for (pool, peer), due in sorted(first.items())],
        )

    def touch_lanes(self, lanes: Collection[str]) -> None:
        """Let the turn come of whoever the first in each of some lanes is for: not always whom the one before was for."""
        self._change(POOLS if lanes else ())
        self._db.run_many(
            "INSERT INTO turn (pool, peer, opens, next, served) SELECT j.pool, j.peer, coalesce(c.until, 0),"
            " CASE WHEN coalesce(c.until, 0) > j.due THEN c.until ELSE j.due END, 0 FROM job j"
            " LEFT JOIN circuit c ON c.origin = j.peer AND j.pool > 0"
            " WHERE j.id = (SELECT min(id) FROM job WHERE lane = :lane AND finished IS NULL)"
            " AND j.state = 'queued'"
            " ON CONFLICT (pool, peer) DO UPDATE SET next = CASE WHEN turn.next <= excluded.next THEN turn.next"
            " WHEN turn.opens > excluded.next THEN turn.opens ELSE excluded.next END",
            [{"lane": lane} for lane in sorted(set(lanes))],
        )

    def settle_shared(self, pool: int, peer: str, now: datetime | None = None) -> None:
        """Settle the turns that share a peer's hands with a pool."""
        self.settle_all([(pool, peer)], 0 if now is None else to_ms(now))

    def settle_all(self, peers: Iterable[tuple[int, str]], least: int) -> None:
        """Let turns come when the first of what is queued is due, and after all who waited until ``least`` (ms; 0: nobody).

        Each of ``peers`` is a pool and a peer. The turns of other pools that share the peer's hands come, too, and keep
        their place: an answer to somebody is not put behind others each time that something to all has ended.
        """
        ended: dict[int, set[str]] = {}
        for pool, peer in peers:
            ended.setdefault(pool, set()).add(peer)
        for pool, names in sorted(ended.items()):
            first, last = shared(pool)
            self._change(range(first, last + 1))
            self._db.run(
                "UPDATE turn SET served = CASE WHEN :least > 0 AND pool = :pool THEN :served ELSE served END,"
                " next = (SELECT CASE WHEN turn.pool = :pool AND min(due) < :least AND turn.opens < :least THEN :least"
                " WHEN min(due) < turn.opens THEN turn.opens ELSE min(due) END FROM job"
                " WHERE pool = turn.pool AND peer = turn.peer AND state = 'queued' AND finished IS NULL)"
                " WHERE pool IN (:first, :last) AND peer IN (SELECT value.value FROM json_each(:peers) AS value)",
                pool=pool, first=first, last=last, least=least, served=self._next_served(), peers=dump(sorted(names)),
            )  # fmt: skip

    def passed(self, pool: int, peers: Mapping[str, int], now: datetime) -> None:
        """Let the next turns of peers that just had theirs come after all who waited until ``now``.

        ``peers`` says how much of each may be in hand: who has that has no turn until something of it ends.
        """
        first, last = shared(pool)
        self._change(range(first, last + 1))
        served, alike = self._next_served(), dict[int, list[str]]()
        for peer, share in peers.items():
            alike.setdefault(share, []).append(peer)
        for share, names in sorted(alike.items()):
            self._db.run(
                "UPDATE turn SET served = CASE WHEN pool = :pool THEN :served ELSE served END, next = CASE WHEN :share <="
                " (SELECT count(*) FROM job WHERE pool IN (:first, :last) AND peer = turn.peer"
                " AND state = 'leased' AND finished IS NULL) THEN NULL WHEN pool <> :pool THEN next"
                " ELSE (SELECT CASE WHEN min(due) < :least AND turn.opens < :least THEN :least"
                " WHEN min(due) < turn.opens THEN turn.opens ELSE min(due) END FROM job"
                " WHERE pool = turn.pool AND peer = turn.peer AND state = 'queued' AND finished IS NULL) END"
                " WHERE pool IN (:first, :last) AND peer IN (SELECT value.value FROM json_each(:peers) AS value)",
                pool=pool, served=served, share=share, first=first, last=last, least=to_ms(now), peers=dump(names),
            )  # fmt: skip

    def _next_served(self) -> int:
        self._served += 1
        return self._served

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
            "DELETE FROM turn WHERE next IS NULL AND NOT EXISTS (SELECT 1 FROM job j WHERE j.pool IN (0, 1, 2)"
            " AND j.peer = turn.peer AND j.finished IS NULL)"
        )
