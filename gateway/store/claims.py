"""Claiming: whose turn it is gets some of its jobs leased, one of each peer after the other, with a few statements."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.store.database import dump, to_ms
from gateway.store.turns import shared

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from gateway.store.database import Database, type_row
    from gateway.store.turns import Turns

LEASE = timedelta(seconds=120)  # three knocks of 30 seconds fit in
NO_SHARE = 1_000_000
ROUNDS = 8  # jobs of one peer that are taken one by one; who may have more than that gets them at once


class Claims:
    """What is done to rows of ``job`` when they are claimed."""

    def __init__(self, database: Database, turns: Turns) -> None:
        self._db, self._turns = database, turns

    def take(
        self, owner: str, now: datetime, pool: int, share: int, turns: Sequence[type_row], limit: int
    ) -> tuple[list[type_row], int]:
        """Lease what each of some peers may have, and let their next turns come when that is possible.

        Return the rows, by number, and how many peers had their turn: the others are in another process's hands.
        """
        shares = {turn["peer"]: 1 if turn["troubled"] else share if turn["peer"] else NO_SHARE for turn in turns}
        free = self._turns.free_of(pool, list(shares))
        leased = self._leased(pool, free)
        room = {peer: shares[peer] - leased[peer] for peer in free}
        taken: list[type_row] = []
        while len(taken) < limit and (peers := [peer for peer, most in room.items() if most > 0]):
            found = self._take_one_each(owner, now, pool, peers[: limit - len(taken)])
            taken += found
            more = {row["peer"] for row in found}
            room = {peer: most - 1 for peer, most in room.items() if peer in more}
            wide = [peer for peer, most in room.items() if most > ROUNDS]
            taken += self._take_all(owner, now, pool, {peer: room.pop(peer) for peer in wide}, limit - len(taken))
        self._turns.passed(pool, {peer: shares[peer] for peer in free}, now)
        return sorted(taken, key=lambda row: int(row["id"])), len(free)

    def _leased(self, pool: int, peers: Collection[str]) -> dict[str, int]:
        """Return how much of each peer is leased, in all pools that share its hands with this one."""
        first, last = shared(pool)
        rows = self._db.rows(
            "SELECT value.value AS peer, (SELECT count(*) FROM job WHERE pool IN (:first, :last)"
            " AND peer = value.value AND state = 'leased' AND finished IS NULL)"
            " AS held FROM json_each(:peers) AS value",
            peers=dump(list(peers)), first=first, last=last,
        )  # fmt: skip
        return {row["peer"]: int(row["held"]) for row in rows}

    def _take_one_each(self, owner: str, now: datetime, pool: int, peers: Sequence[str]) -> list[type_row]:
        """Lease the first job of each peer that has one."""
        return self._db.rows(
            "UPDATE job SET state = 'leased', lease_owner = :owner, lease_until = :until, attempts = attempts + 1, begun = 1"
            " WHERE id IN (SELECT (SELECT id FROM job WHERE pool = :pool AND peer = value.value AND state = 'queued'"
            " AND finished IS NULL AND due <= :now ORDER BY due, id LIMIT 1) FROM json_each(:peers) AS value) RETURNING *",
            owner=owner, pool=pool, peers=dump(list(peers)), now=to_ms(now), until=to_ms(now + LEASE),
        )  # fmt: skip

    def _take_all(self, owner: str, now: datetime, pool: int, room: Mapping[str, int], limit: int) -> list[type_row]:
        """Lease so many jobs of each of some peers as there is ``room`` for."""
        ids: list[int] = []
        for peer, most in room.items():
            ids += [
                row["id"]
                for row in self._db.rows(
                    "SELECT id FROM job WHERE pool = :pool AND peer = :peer AND state = 'queued' AND finished IS NULL"
                    " AND due <= :now ORDER BY due, id LIMIT :most",
                    pool=pool, peer=peer, now=to_ms(now), most=min(most, limit - len(ids)),
                )
            ]  # fmt: skip
        if not ids:
            return []
        return self._db.rows(
            "UPDATE job SET state = 'leased', lease_owner = :owner, lease_until = :until, attempts = attempts + 1, begun = 1"
            " WHERE id IN (SELECT CAST(value.value AS BIGINT) FROM json_each(:ids) AS value) RETURNING *",
            owner=owner, ids=dump(ids), until=to_ms(now + LEASE),
        )  # fmt: skip
