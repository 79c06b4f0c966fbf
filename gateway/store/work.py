"""Arrivals and jobs: what must not be lost. A job is claimed with a lease and ends exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gateway.store.database import dump, from_ms, load, to_ms

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.database import Database, type_row

LEASE = timedelta(seconds=120)  # three knocks of 30 seconds fit in
OPEN = ("queued", "leased")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of work; ``lane`` keeps its order, ``peer`` is the origin it concerns."""

    id: int
    kind: str
    lane: str
    peer: str
    payload: dict[str, Any]
    due: datetime
    attempts: int
    state: str
    status: int | None
    problem: str | None
    created: datetime
    finished: datetime | None


class Work:
    """Rows of ``arrival`` and ``job``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep_arrival(self, arrival: ArrivalRow) -> bool:
        """Keep an arrival; False when its actor sent this id already."""
        return bool(
            self._db.run(
                "INSERT INTO arrival VALUES (:id, :actor, :origin, :inbox, :body, :headers, :verdict, :received, NULL, NULL)"
                " ON CONFLICT (id, actor) DO NOTHING",
                id=arrival.id, actor=arrival.actor, origin=arrival.origin, inbox=arrival.inbox, body=arrival.body,
                headers=dump(arrival.headers), verdict=dump(arrival.verdict), received=to_ms(arrival.received),
            )
        )  # fmt: skip

    def arrival(self, arrival_id: str, actor: str) -> ArrivalRow | None:
        """Return an arrival by activity id and actor: ids are deduplicated among one actor's own."""
        row = self._db.one("SELECT * FROM arrival WHERE id = :id AND actor = :actor", id=arrival_id, actor=actor)
        if row is None:
            return None
        times: dict[str, Any] = {name: from_ms(row[name]) for name in ("received", "settled")}
        headers = [(name, value) for name, value in load(row["headers"])]
        return ArrivalRow(
            **{**row, **times, "body": bytes(row["body"]), "headers": headers, "verdict": load(row["verdict"])}
        )

    def settle_arrival(self, arrival_id: str, actor: str, outcome: str, now: datetime) -> None:
        """Note what an arrival did."""
        self._db.run(
            "UPDATE arrival SET settled = :now, outcome = :outcome WHERE id = :id AND actor = :actor",
            id=arrival_id, actor=actor, outcome=outcome, now=to_ms(now),
        )  # fmt: skip

    def add(self, kind: str, payload: dict[str, Any], *, lane: str, peer: str, due: datetime) -> None:
        """Queue a job."""
        self._db.run(
            "INSERT INTO job (kind, lane, peer, payload, due, attempts, state, created)"
            " VALUES (:kind, :lane, :peer, :payload, :due, 0, 'queued', :due)",
            kind=kind, lane=lane, peer=peer, payload=dump(payload), due=to_ms(due),
        )  # fmt: skip

    def is_sent(self, activity: str, lane: str) -> bool:
        """Tell whether an activity was queued in a lane, whatever became of it."""
        rows = self._db.rows("SELECT payload FROM job WHERE lane = :lane AND kind = 'deliver'", lane=lane)
        return any(load(row["payload"]).get("activity") == activity for row in rows)

    def claim(
        self, owner: str, now: datetime, limit: int, share: int | None = None, *, only: str = "", without: str = ""
    ) -> list[Job]:
        """Lease due jobs, oldest first; a job waits for the unfinished ones before it in its lane.

        Of one peer at most ``share`` are leased at a time, so that nobody holds everybody up. ``only`` one kind of
        job, or any ``without`` one.
        """
        with self._db.transaction():
            rows = self._db.rows(
                "UPDATE job SET state = 'leased', lease_owner = :owner, lease_until = :until, attempts = attempts + 1"
                " WHERE id IN (SELECT id FROM (SELECT j.id, j.due, j.peer, row_number() OVER (PARTITION BY j.peer ORDER BY j.due, j.id)"
                " + (SELECT count(*) FROM job l WHERE l.peer = j.peer AND l.state = 'leased' AND l.lease_until > :now) AS place"
                " FROM job j WHERE ((j.state = 'queued' AND j.due <= :now)"
                " OR (j.state = 'leased' AND j.lease_until <= :now))"
                " AND (:only = '' OR j.kind = :only) AND j.kind <> :without AND NOT EXISTS (SELECT 1 FROM job e"
                " WHERE e.lane = j.lane AND e.id < j.id AND e.state IN ('queued', 'leased')))"
                " WHERE place <= :share OR peer = '' ORDER BY due, id LIMIT :limit) RETURNING *",
                owner=owner, now=to_ms(now), until=to_ms(now + LEASE), limit=limit, share=limit if share is None else share,
                only=only, without=without,
            )  # fmt: skip
        return sorted((_job(row) for row in rows), key=lambda job: job.id)

    def arrivals_waiting(self, most: int) -> int:
        """Return how many arrivals wait to be settled, counted up to ``most``."""
        return int(
            self._db.value(
                "SELECT count(*) FROM (SELECT 1 FROM job WHERE kind = 'settle' AND state = 'queued' LIMIT :most) waiting",
                most=most,
            )
        )  # fmt: skip

    def finish(
        self, job: int, now: datetime, *, state: str = "done", status: int | None = None, problem: str | None = None
    ) -> None:
        """End a job as done, dead or dropped."""
        self._db.run(
            "UPDATE job SET state = :state, finished = :now, status = :status, problem = :problem, lease_owner = NULL"
            " WHERE id = :id",
            id=job, state=state, now=to_ms(now), status=status, problem=problem,
        )  # fmt: skip

    def postpone(self, job: int, due: datetime, *, status: int | None = None, problem: str | None = None) -> None:
        """Put a job back for later."""
        self._db.run(
            "UPDATE job SET state = 'queued', due = :due, lease_owner = NULL, status = :status, problem = :problem WHERE id = :id",
            id=job, due=to_ms(due), status=status, problem=problem,
        )  # fmt: skip

    def revive(self, job: int, now: datetime) -> bool:
        """Queue a job that waits, failed or was dropped for now, with its attempts counted afresh."""
        return bool(
            self._db.run(
                "UPDATE job SET state = 'queued', due = :now, attempts = 0, finished = NULL, problem = NULL"
                " WHERE id = :id AND kind = 'deliver' AND state IN ('queued', 'dead', 'dropped')",
                id=job, now=to_ms(now),
            )
        )  # fmt: skip

    def drop(self, job: int, now: datetime) -> bool:
        """Give a waiting delivery up."""
        return bool(
            self._db.run(
                "UPDATE job SET state = 'dropped', finished = :now, problem = 'dropped-by-admin'"
                " WHERE id = :id AND kind = 'deliver' AND state = 'queued'",
                id=job, now=to_ms(now),
            )
        )  # fmt: skip

    def release_all(self) -> int:
        """Give back every lease: called at start, when no other process can hold one."""
        return self._db.run("UPDATE job SET state = 'queued', lease_owner = NULL WHERE state = 'leased'")

    def count(self, state: str = "queued") -> int:
        """Return how many jobs are in a state."""
        return int(self._db.value("SELECT count(*) FROM job WHERE state = :s", s=state) or 0)

    def jobs(
        self, *, kind: str | None = None, states: tuple[str, ...] = OPEN, peer: str | None = None, limit: int = 500
    ) -> list[Job]:
        """Return jobs in some states, oldest first."""
        marks = ", ".join(f":s{index}" for index in range(len(states)))
        rows = self._db.rows(
            f"SELECT * FROM job WHERE state IN ({marks}) AND (:kind IS NULL OR kind = :kind)"  # noqa: S608 - only parameter names are put in
            " AND (:peer IS NULL OR peer = :peer) ORDER BY id LIMIT :limit",
            kind=kind, peer=peer, limit=limit, **{f"s{index}": state for index, state in enumerate(states)},
        )  # fmt: skip
        return [_job(row) for row in rows]

    def drop_for_peer(self, peer: str, now: datetime, problem: str) -> int:
        """Drop every open delivery to an origin."""
        return self._db.run(
            "UPDATE job SET state = 'dropped', finished = :now, problem = :problem, lease_owner = NULL"
            " WHERE peer = :peer AND kind = 'deliver' AND state IN ('queued', 'leased')",
            peer=peer, now=to_ms(now), problem=problem,
        )  # fmt: skip

    def prune(self, *, jobs_before: datetime, arrivals_before: datetime, ids_before: datetime | None = None) -> int:
        """Remove finished jobs and the bytes of settled arrivals older than their retention, and ids older still."""
        gone = self._db.run("DELETE FROM job WHERE finished IS NOT NULL AND finished < :t", t=to_ms(jobs_before))
        if ids_before is not None:
            gone += self._db.run("DELETE FROM arrival WHERE settled IS NOT NULL AND settled < :t", t=to_ms(ids_before))
        return gone + self._db.run(
            "UPDATE arrival SET body = :empty, headers = '[]' WHERE settled IS NOT NULL AND settled < :t AND body <> :empty",
            t=to_ms(arrivals_before), empty=b"",
        )  # fmt: skip


def _job(row: type_row) -> Job:
    times: dict[str, Any] = {name: from_ms(row[name]) for name in ("due", "created", "finished")}
    kept = {name: row[name] for name in ("id", "kind", "lane", "peer", "attempts", "state", "status", "problem")}
    return Job(**kept, **times, payload=load(row["payload"]))
