"""Jobs: what must be done, each exactly once in the end, in turns of the peers it is for.

A job that stands behind another one of its lane is ``waiting``; ``queued`` ones may be claimed when they are due, with
a lease, and end as ``done``, ``dead``, ``dropped`` or ``superseded``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.store.backlog import Backlog
from gateway.store.claims import LEASE, NO_SHARE, Claims
from gateway.store.database import at, dump, from_ms, load, to_ms
from gateway.store.turns import POOLS, Turns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gateway.store.database import Database, type_row

OPEN = ("waiting", "queued", "leased")
OUTGOING = ("deliver", "spread")  # one delivery; many that are still to be queued, some at a time
NEVER = datetime.min.replace(tzinfo=UTC)
MAX_DEATHS = 3  # of processes that had nothing but this in hand
ARRIVALS, PEOPLE, BULK = POOLS


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work; ``lane`` keeps its order, ``peer`` is the origin it concerns, ``verb`` its activity's type."""

    id: int
    kind: str
    pool: int
    lane: str
    peer: str
    verb: str
    payload: dict[str, Any]
    due: datetime
    attempts: int
    state: str
    status: int | None
    problem: str | None
    created: datetime
    finished: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How many jobs a peer has to wait for, when the next is due (None: none is, or one is in hand), its last answer."""

    held: int
    next: datetime | None
    status: int | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """One of many jobs that are queued at once."""

    payload: dict[str, Any]
    lane: str
    peer: str
    due: datetime


class Jobs:
    """Rows of ``job``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.backlog_of = Backlog(self.waiting_for)
        self.backlog = Backlog(lambda _, most: self.arrivals_waiting(most))
        self._turns = Turns(database)
        self._claims = Claims(database, self._turns)
        self._freed = NEVER, NEVER  # from when until when no lease runs out
        self._in_hand: dict[int, type_row] = {}  # what this process claimed

    def add(
        self, kind: str, payload: dict[str, Any], *, lane: str, peer: str, due: datetime, pool: int = PEOPLE,
        verb: str = "",
    ) -> None:  # fmt: skip
        """Queue a job behind what its lane still holds."""
        row = {
            "kind": kind, "pool": pool, "lane": lane, "peer": peer, "verb": verb, "payload": dump(payload),
            "due": to_ms(due),
        }  # fmt: skip
        with self._db.transaction():
            self._db.later(self._add_all, row, "job", "turn")
            self._db.announce()

    def _add_all(self, rows: list[dict[str, Any]]) -> None:
        """Queue several jobs, each behind what its lane still holds."""
        self._turns.hold_all(rows)
        self._db.run_many(
            "INSERT INTO job (kind, pool, lane, peer, verb, payload, due, attempts, state, created)"
            " VALUES (:kind, :pool, :lane, :peer, :verb, :payload, :due, 0,"
            " CASE WHEN EXISTS (SELECT 1 FROM job WHERE lane = :lane AND finished IS NULL)"
            " THEN 'waiting' ELSE 'queued' END, :due)",
            rows,
        )
        self._turns.touch_all(rows)

    def add_to_new_lanes(self, kind: str, verb: str, pool: int, items: Sequence[NewJob], created: datetime) -> None:
        """Queue many jobs at once, each the first that its lane ever had."""
        rows: list[dict[str, Any]] = [
            {
                "kind": kind, "pool": pool, "lane": item.lane, "peer": item.peer, "verb": verb,
                "payload": dump(item.payload), "due": to_ms(item.due), "created": to_ms(created),
            }
            for item in items
        ]  # fmt: skip
        with self._db.transaction():
            self._turns.hold_all(rows)
            self._db.run_many(
                "INSERT INTO job (kind, pool, lane, peer, verb, payload, due, attempts, state, created)"
                " VALUES (:kind, :pool, :lane, :peer, :verb, :payload, :due, 0, 'queued', :created)",
                rows,
            )
            self._turns.touch_all(rows)
            self._db.announce()

    def _hold_of(self, job: int) -> None:
        """Hold the peer that a job is for."""
        if self._db.shares:
            self._turns.hold_all(self._db.rows("SELECT pool, peer FROM job WHERE id = :id", id=job))

    def _count_death(self, rows: Sequence[type_row], now: datetime) -> list[type_row]:
        """Note who was alone in hand when a process died; set aside what was so too often, and return the others."""
        if len(rows) != 1:
            return list(rows)  # nobody knows which of them it was
        dead = self._db.rows(
            "UPDATE job SET deaths = deaths + 1, state = CASE WHEN deaths + 1 >= :most THEN 'dead' ELSE state END,"
            " finished = CASE WHEN deaths + 1 >= :most THEN CAST(:now AS BIGINT) ELSE NULL END,"
            " problem = CASE WHEN deaths + 1 >= :most THEN 'poison: the process died with it in hand' ELSE problem END"
            " WHERE id = :id RETURNING state, lane, pool, peer",
            most=MAX_DEATHS, now=to_ms(now), id=rows[0]["id"],
        )  # fmt: skip
        if dead[0]["state"] != "dead":
            return list(rows)
        self._promote(dead[0]["lane"])
        self._turns.settle_shared(dead[0]["pool"], dead[0]["peer"])
        return []

    def is_sent(self, activity: str, lane: str) -> bool:
        """Tell whether an activity was queued in a lane, whatever became of it."""
        rows = self._db.rows("SELECT payload FROM job WHERE lane = :lane AND pool > 0 AND kind = 'deliver'", lane=lane)
        return any(load(row["payload"]).get("activity") == activity for row in rows)

    def claim(
        self, owner: str, now: datetime, limit: int, share: int = NO_SHARE, pools: Sequence[int] = POOLS
    ) -> list[Job]:
        """Lease due jobs, peers in turn, the pools in their order.

        At most ``share`` of what goes to a peer are leased at a time, and as many of what came from it; of one that
        was not there lately, one. What is for nobody (no peer) is not shared.
        """
        taken: list[Job] = []
        if not self._freed[0] <= now < self._freed[1]:
            with self._db.transaction():
                self._free(now)
            self._freed = now, min(self._leases_end() or now + LEASE, now + LEASE)
        pools = [pool for pool in pools if self._turns.may_be_due(pool, now)]
        if not pools:
            return []
        # What arrived and is claimed and forgotten is claimed again; that something may have left is never forgotten.
        with self._db.transaction(alone=False, lasting=any(pool != ARRIVALS for pool in pools)):
            for pool in pools:
                while len(taken) < limit:
                    turns = self._turns.due(pool, now, limit - len(taken))
                    if not turns:
                        break
                    found, passed = self._claims.take(owner, now, pool, share, turns, limit - len(taken))
                    self._in_hand |= {row["id"]: row for row in found}
                    taken += [_job(row) for row in found]
                    if not passed:
                        break  # others are at it
        return taken

    def news(self) -> None:
        """Look again whether there is something to claim: another process says so."""
        self._turns.news()

    def _free(self, now: datetime) -> None:
        """Queue what a process held that is gone: its lease ran out."""
        if self._db.shares:
            self._turns.hold_all(
                self._db.rows(
                    "SELECT pool, peer FROM job WHERE state = 'leased' AND lease_until <= :now", now=to_ms(now)
                )
            )
        rows = self._db.rows(
            "UPDATE job SET state = 'queued', lease_owner = NULL WHERE state = 'leased' AND lease_until <= :now"
            " RETURNING id, pool, peer, lane",
            now=to_ms(now),
        )
        self._put_back(self._count_death(rows, now), now)

    def _leases_end(self) -> datetime | None:
        """Return when the first lease runs out that there is; each that comes later takes its whole time from then."""
        return from_ms(self._db.value("SELECT min(lease_until) FROM job WHERE state = 'leased'"))

    def _put_back(self, rows: Sequence[type_row], now: datetime | None = None) -> None:
        """Let what was in hand have its turn again; what a Delete behind it overtakes does not go out again."""
        for row in rows:
            overtaken = self._db.rows(
                "UPDATE job SET state = 'superseded', finished = due, problem = 'superseded' WHERE id = :id AND EXISTS ("
                "SELECT 1 FROM job l WHERE l.lane = :lane AND l.id > :id AND l.verb = 'Delete'"
                " AND l.finished IS NULL) RETURNING id",
                id=row["id"], lane=row["lane"],
            )  # fmt: skip
            if overtaken:
                self._promote(row["lane"])
        for pool, peer in {(row["pool"], row["peer"]) for row in rows}:
            self._turns.settle_shared(pool, peer, now)

    def waiting_for(self, peer: str, most: int) -> int:
        """Return how many jobs of a peer have not ended, counted up to ``most``."""
        return int(
            self._db.value(
                "SELECT count(*) FROM (SELECT 1 FROM job WHERE pool IN (0, 1, 2) AND peer = :peer AND finished IS NULL"
                " LIMIT :most) held",
                peer=peer, most=most,
            )
        )  # fmt: skip

    def finish(
        self, job: int, now: datetime, *, state: str = "done", status: int | None = None, problem: str | None = None
    ) -> None:
        """End a job; the next one of its lane may be claimed."""
        end = {"id": job, "state": state, "now": to_ms(now), "status": status, "problem": problem}
        with self._db.transaction():
            self._db.later(self._end_all, end, "job", "turn")

    def _end_all(self, ends: list[dict[str, Any]]) -> None:
        """End several jobs: the first of what waits in their lanes is queued, and their peers have their turns again."""
        places = [row for end in ends if (row := self._place_of(end["id"])) is not None]
        self._turns.hold_all(places)
        now = max(end["now"] for end in ends)
        alike: dict[tuple[str, int | None, str | None], list[int]] = {}
        for end in {end["id"]: end for end in reversed(ends)}.values():  # of several ends the first one counts
            alike.setdefault((end["state"], end["status"], end["problem"]), []).append(end["id"])
        for (state, status, problem), ids in alike.items():
            self._db.run(
                "UPDATE job SET state = :state, finished = :now, status = :status, problem = :problem, lease_owner = NULL"
                " WHERE id IN (SELECT CAST(value.value AS BIGINT) FROM json_each(:ids) AS value) AND finished IS NULL",
                state=state, now=now, status=status, problem=problem, ids=dump(ids),
            )  # fmt: skip
        # Most stood alone: then there is nothing to queue, and nobody whose turn comes again.
        lanes = self.lanes_held({row["lane"] for row in places})
        if lanes:
            self._db.run(
                "UPDATE job SET state = 'queued' WHERE state = 'waiting' AND id IN (SELECT (SELECT min(id) FROM job"
                " WHERE lane = value.value AND finished IS NULL) FROM json_each(:lanes) AS value)",
                lanes=dump(lanes),
            )
        peers = self._peers_held({row["peer"] for row in places})
        turns = {(row["pool"], row["peer"]) for row in places if row["peer"] in peers}
        self._turns.settle_all(turns, now)
        self._turns.touch_lanes(lanes)

    def lanes_held(self, lanes: Collection[str]) -> list[str]:
        """Return those of some lanes that still hold something."""
        rows = self._db.rows(
            "SELECT value.value AS lane FROM json_each(:lanes) AS value WHERE EXISTS (SELECT 1 FROM job"
            " WHERE lane = value.value AND finished IS NULL)",
            lanes=dump(sorted(lanes)),
        )
        return sorted(row["lane"] for row in rows)

    def _peers_held(self, peers: Collection[str]) -> set[str]:
        """Return those of some peers for whom there still is something."""
        rows = self._db.rows(
            "SELECT value.value AS peer FROM json_each(:peers) AS value WHERE EXISTS (SELECT 1 FROM job"
            " WHERE pool IN (0, 1, 2) AND peer = value.value AND finished IS NULL)",
            peers=dump(sorted(peers)),
        )
        return {row["peer"] for row in rows}

    def _place_of(self, job: int) -> type_row | None:
        """Return the pool, peer and lane of a job."""
        known = self._in_hand.pop(job, None)
        return known or self._db.one("SELECT pool, peer, lane FROM job WHERE id = :id", id=job)

    def _promote(self, lane: str) -> None:
        """Queue the first that waits in a lane which holds nothing else."""
        for row in self._db.rows(
            "UPDATE job SET state = 'queued' WHERE id = (SELECT min(id) FROM job WHERE lane = :lane"
            " AND finished IS NULL) AND state = 'waiting' RETURNING pool, peer, due",
            lane=lane,
        ):
            self._turns.touch_all([row])

    def postpone(self, job: int, due: datetime, *, status: int | None = None, problem: str | None = None) -> None:
        """Put a job back for later."""
        self._in_hand.pop(job, None)
        with self._db.transaction():
            self._hold_of(job)
            rows = self._db.rows(
                "UPDATE job SET state = 'queued', due = :due, lease_owner = NULL, status = :status, problem = :problem"
                " WHERE id = :id AND state IN ('queued', 'leased') RETURNING id, pool, peer, lane",
                id=job, due=to_ms(due), status=status, problem=problem,
            )  # fmt: skip
            self._put_back(rows)

    def supersede(self, lane: str, now: datetime, verb: str | None = None) -> tuple[set[str], bool]:
        """End what a lane holds that is not in hand, or its jobs of one verb.

        Return the verbs of what ended, and whether anything of the lane may have reached its peer.
        """
        with self._db.transaction():
            if self._db.shares:
                self._turns.hold_all(self._db.rows("SELECT pool, peer FROM job WHERE lane = :lane", lane=lane))
            begun = self._db.value("SELECT 1 FROM job WHERE lane = :lane AND pool > 0 AND begun = 1 LIMIT 1", lane=lane)
            rows = self._db.rows(
                "UPDATE job SET state = 'superseded', finished = :now, problem = 'superseded' WHERE lane = :lane"
                " AND finished IS NULL AND state <> 'leased' AND (:verb = '' OR verb = :verb) RETURNING pool, peer, verb",
                lane=lane, now=to_ms(now), verb=verb or "",
            )  # fmt: skip
            if rows:
                self._promote(lane)
            for pool, peer in {(row["pool"], row["peer"]) for row in rows}:
                self._turns.settle_shared(pool, peer)
        return {row["verb"] for row in rows}, begun is not None

    def revive(self, job: int, now: datetime) -> bool:
        """Queue a job that waits, failed or was dropped for now, with its attempts counted afresh."""
        with self._db.transaction():
            self._hold_of(job)
            rows = self._db.rows(
                "UPDATE job SET state = 'waiting', due = :now, attempts = 0, finished = NULL, problem = NULL,"
                " lease_owner = NULL"
                " WHERE id = :id AND (state = 'dead' OR (kind IN ('deliver', 'spread') AND state IN ('waiting', 'queued', 'dropped')))"
                " AND NOT EXISTS (SELECT 1 FROM job l WHERE l.lane = job.lane AND l.id > job.id"
                " AND (l.state = 'leased' OR l.verb = 'Delete'))"
                " RETURNING lane, pool, peer",
                id=job, now=to_ms(now),
            )  # fmt: skip
            for row in rows:
                # What is behind it in its lane waits again.
                self._db.run(
                    "UPDATE job SET state = 'waiting' WHERE lane = :lane AND id > :id AND state = 'queued'",
                    lane=row["lane"], id=job,
                )  # fmt: skip
                self._promote(row["lane"])
                self._turns.settle_shared(row["pool"], row["peer"])
        return bool(rows)

    def drop(self, job: int, now: datetime) -> bool:
        """Give a waiting delivery up."""
        found = self.get(job)
        if found is None or found.kind not in OUTGOING or found.state not in ("waiting", "queued"):
            return False
        self.finish(job, now, state="dropped", problem="dropped-by-admin")
        return True

    def renew(self, owner: str, jobs: Iterable[int], now: datetime) -> None:
        """Let a process that lives keep what it has in hand; the lease of what it lost runs out."""
        until = to_ms(now + LEASE)
        with self._db.transaction():
            self._db.run_many(
                "UPDATE job SET lease_until = :until WHERE id = :id AND state = 'leased' AND lease_owner = :owner",
                [{"id": job, "owner": owner, "until": until} for job in sorted(jobs)],
            )

    def not_begun(self, jobs: Iterable[int]) -> None:
        """Note that claimed jobs were not begun with: that was no try, and nothing left."""
        self._db.run_many(
            "UPDATE job SET begun = CASE WHEN attempts > 1 THEN 1 ELSE 0 END, attempts = attempts - 1"
            " WHERE id = :id AND state = 'leased'",
            [{"id": job} for job in sorted(jobs)],
        )

    def owners(self) -> set[str]:
        """Return who has something in hand."""
        rows = self._db.rows("SELECT DISTINCT lease_owner FROM job WHERE state = 'leased'")
        return {row["lease_owner"] for row in rows}

    def release(self, owner: str, died: datetime | None = None, keep: Iterable[int] = ()) -> int:
        """Give back what somebody had in hand who ends, or who died before a moment; return how much that was.

        Who goes on will ``keep`` what is really being done.
        """
        self._in_hand.clear()
        kept = dump(sorted(keep))
        with self._db.transaction():
            if self._db.shares:
                self._turns.hold_all(
                    self._db.rows(
                        "SELECT pool, peer FROM job WHERE state = 'leased' AND lease_owner = :owner", owner=owner
                    )
                )
            rows = self._db.rows(
                "UPDATE job SET state = 'queued', lease_owner = NULL WHERE state = 'leased' AND lease_owner = :owner"
                " AND id NOT IN (SELECT CAST(value.value AS BIGINT) FROM json_each(:kept) AS value)"
                " RETURNING id, pool, peer, lane",
                owner=owner, kept=kept,
            )  # fmt: skip
            self._put_back(rows if died is None else self._count_death(rows, died))
            self._db.announce()
        return len(rows)

    def count(self, *states: str) -> int:
        """Return how many jobs are in one of the states; without any, how many are not in hand yet."""
        wanted = states or ("waiting", "queued")
        if {*OPEN, "dead"}.issuperset(wanted):
            return sum(number for _, state, number in self.sizes() if state in wanted)
        return sum(int(self._db.value("SELECT count(*) FROM job WHERE state = :s", s=state) or 0) for state in wanted)

    def get(self, job: int) -> Job | None:
        """Return a job."""
        row = self._db.one("SELECT * FROM job WHERE id = :id", id=job)
        return None if row is None else _job(row)

    def sizes(self) -> list[tuple[int, str, int]]:
        """Return (pool, state, how many) of what has not ended, and of what was given up."""
        rows = self._db.rows("SELECT pool, state, count(*) AS n FROM job WHERE finished IS NULL GROUP BY pool, state")
        rows += self._db.rows("SELECT pool, state, count(*) AS n FROM job WHERE state = 'dead' GROUP BY pool, state")
        return [(row["pool"], row["state"], int(row["n"])) for row in rows]

    def oldest(self) -> dict[int, datetime]:
        """Return pool -> since when its oldest job could be claimed."""
        rows = self._db.rows(
            "SELECT pool, min(due) AS due FROM job WHERE finished IS NULL AND state = 'queued' GROUP BY pool"
        )
        return {row["pool"]: due for row in rows if (due := from_ms(row["due"])) is not None}

    def outlook(self, peer: str) -> Outlook:
        """Return how things stand between us and a peer: what waits for it, when it is tried next, what it said last."""
        held = self._db.value(
            "SELECT count(*) FROM job WHERE pool IN (1, 2) AND peer = :peer AND finished IS NULL",
            peer=peer,
        )
        last = self._db.one(
            "SELECT status, problem FROM job WHERE peer = :peer AND pool > 0 AND (status IS NOT NULL OR problem IS NOT NULL)"
            " ORDER BY id DESC LIMIT 1",
            peer=peer,
        )
        known = last or {"status": None, "problem": None}
        return Outlook(held=int(held), next=self._turns.next(peer), status=known["status"], problem=known["problem"])

    def find(
        self, *, kinds: Sequence[str] = (), states: tuple[str, ...] = OPEN, peer: str | None = None, limit: int = 500
    ) -> list[Job]:
        """Return jobs in some states, oldest first; of all kinds when none is named."""
        marks = ", ".join(f":s{index}" for index in range(len(states)))
        rows = self._db.rows(
            f"SELECT * FROM job WHERE state IN ({marks}) AND (:kinds = '[]' OR kind IN (SELECT value.value FROM json_each(:kinds) AS value))"  # noqa: S608 - only parameter names are put in
            " AND (CAST(:peer AS TEXT) IS NULL OR peer = :peer) ORDER BY id LIMIT :limit",
            kinds=dump(list(kinds)), peer=peer, limit=limit, **{f"s{index}": state for index, state in enumerate(states)},
        )  # fmt: skip
        return [_job(row) for row in rows]

    def arrivals_waiting(self, most: int) -> int:
        """Return how many arrivals wait to be settled, counted up to ``most``."""
        return int(
            self._db.value(
                "SELECT count(*) FROM (SELECT 1 FROM job WHERE pool = 0 AND finished IS NULL AND state <> 'leased'"
                " LIMIT :most) held",
                most=most,
            )
        )  # fmt: skip

    def drop_for_peer(self, peer: str, now: datetime, problem: str, state: str = "dropped") -> int:
        """End every open delivery to an origin."""
        with self._db.transaction():
            self._turns.hold(PEOPLE, peer)
            rows = self._db.rows(
                "UPDATE job SET state = :state, finished = :now, problem = :problem, lease_owner = NULL"
                " WHERE pool IN (1, 2) AND peer = :peer AND finished IS NULL RETURNING lane",
                peer=peer, now=to_ms(now), problem=problem, state=state,
            )  # fmt: skip
            for lane in {row["lane"] for row in rows}:
                self._promote(lane)
            self._turns.settle_shared(PEOPLE, peer)
        return len(rows)

    def hold(self, peer: str, until: datetime | None) -> None:
        """Let nothing go out to a peer before a moment, or let it have its turn again."""
        with self._db.transaction():
            self._turns.hold(PEOPLE, peer)
            self._turns.open_at(peer, until)

    def prune(self, before: datetime) -> int:
        """Remove jobs that ended before a moment, and turns in which nobody has anything to do."""
        gone = self._db.run("DELETE FROM job WHERE finished < :t", t=to_ms(before))
        self._turns.prune()
        return gone


def _job(row: type_row) -> Job:
    return Job(
        id=row["id"], kind=row["kind"], pool=row["pool"], lane=row["lane"], peer=row["peer"], verb=row["verb"],
        payload=load(row["payload"]), due=at(row["due"]), attempts=row["attempts"], state=row["state"], status=row["status"],
        problem=row["problem"], created=at(row["created"]), finished=from_ms(row["finished"]),
    )  # fmt: skip
