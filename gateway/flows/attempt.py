"""What one attempt at a delivery makes of its job and of the peer: done, again later, ended; there, silent, gone."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from gateway.flows import reach
from gateway.jobs.retry import Again, next_try
from gateway.urls import origin_of

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.net.client import Answer
    from gateway.store.jobs import Job
    from gateway.urls import Origin

# Whoever does not take others' words from us today will not tomorrow.
# What others had us pass on is theirs: how it is taken says nothing about the peer, or they could make it look dead.
THEIRS = frozenset({"forward"})
FINAL = {"forward": frozenset({401})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What became of a delivery that failed: ``result`` is ``again`` or ``ended``, ``outcome`` says when or why."""

    result: str
    outcome: str
    status: int | None
    problem: str


def unanswered(kit: Kit, job: Job, origin: Origin, problem: str) -> Failure:
    """Note that nobody answered."""
    failure = _failed(kit, job, None, None, problem)
    if job.kind not in THEIRS:
        reach.failed(kit, origin)
    return failure


def arrived(kit: Kit, job: Job, origin: Origin, status: int) -> None:
    """Note that a delivery was taken."""
    now = kit.clock.now()
    kit.store.jobs.finish(job.id, now, status=status)
    kit.store.peers.seen(origin, now)
    reach.answered(kit, origin)


def refused(kit: Kit, job: Job, inbox: str, answer: Answer, text: str) -> Failure:
    """Note that an answer was no yes."""
    origin, after = origin_of(inbox), answer.retry_after(kit.clock.now())
    failure = _failed(kit, job, answer.status, after, f"status {answer.status}: {text}")
    if job.kind not in THEIRS:
        _note(kit, origin, inbox, answer.status, says_when=after is not None)
    return failure


def _note(kit: Kit, origin: Origin, inbox: str, status: int, *, says_when: bool) -> None:
    """Remember what a failure says about the peer: one that refuses is there, one that is busy is no failure."""
    if status == HTTPStatus.GONE and kit.store.relations.is_shared_inbox(inbox):
        reach.is_gone(kit, origin)
    elif says_when and status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return  # it is there, and said when to come again
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        reach.failed(kit, origin)
    elif status != HTTPStatus.TOO_MANY_REQUESTS:
        reach.answered(kit, origin)


def _failed(kit: Kit, job: Job, status: int | None, retry_after: int | None, problem: str) -> Failure:
    """Put a job back or end it."""
    now = kit.clock.now()
    jitter, final = secrets.randbelow(1000) / 1000, FINAL.get(job.kind, frozenset())
    verdict = next_try(job.attempts, status=status, retry_after=retry_after, jitter=jitter, final=final)
    if isinstance(verdict, Again):
        kit.store.jobs.postpone(job.id, now + timedelta(seconds=verdict.seconds), status=status, problem=problem[:300])
        return Failure(
            result="again", outcome=f"again in {verdict.seconds:.0f} s", status=status, problem=problem[:200]
        )
    kit.store.jobs.finish(job.id, now, state="dead", status=status, problem=f"{verdict.reason}: {problem}"[:300])
    return Failure(result="ended", outcome=verdict.reason, status=status, problem=problem[:200])
