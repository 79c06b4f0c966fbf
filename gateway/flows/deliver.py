"""One delivery attempt: look at the decision again, sign afresh, knock at most three times, record the answer.

What is forwarded for others goes the same way; only its bytes are not ours.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from gateway.errors import RemoteUnreachable
from gateway.flows import reach
from gateway.flows.letter import Letter, signed
from gateway.flows.moderate import decision_about
from gateway.jobs.retry import Again, next_try
from gateway.net import purpose
from gateway.observe import metrics
from gateway.observe.logs import log
from gateway.observe.names import DELIVERY
from gateway.policy.rules import Action
from gateway.signatures import knock, message
from gateway.urls import origin_of

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.net.client import Answer
    from gateway.signatures.knock import Knock
    from gateway.store.jobs import Job
    from gateway.urls import Origin


# Whoever does not take others' words from us today will not tomorrow.
FINAL = {"forward": frozenset({401})}


async def deliver(kit: Kit, job: Job) -> None:
    """Work off one ``deliver`` job: it ends as done, dropped, dead, or is put back for later."""
    sent = kit.store.objects.activity(str(job.payload["activity"]))
    letter = Letter(activity=sent.id, body=sent.body, signer=sent.actor) if sent is not None else None
    await _post(kit, job, letter)


async def pass_on(kit: Kit, job: Job) -> None:
    """Work off one ``forward`` job: somebody else's activity goes on to a follower's server."""
    row = kit.store.arrivals.get(str(job.payload["arrival"]), str(job.payload["actor"]))
    kept = row is not None and bool(row.body)
    letter = Letter(activity=row.id, body=row.body, signer=str(job.payload["as"])) if row is not None and kept else None
    await _post(kit, job, letter)


async def _post(kit: Kit, job: Job, letter: Letter | None) -> None:
    inbox = str(job.payload["inbox"])
    origin = origin_of(inbox)
    decision = decision_about(kit, origin)
    limited = decision.action is Action.LIMIT and bool(job.payload.get("media"))
    if letter is None or decision.refuses or limited:
        reason = decision.reason.value if letter is not None else "activity-gone"
        kit.store.jobs.finish(job.id, kit.clock.now(), state="dropped", problem=reason)
        kit.store.peers.audit(kit.clock.now(), DELIVERY, origin.host, reason, inbox)
        return
    started = kit.clock.monotonic()
    try:
        answer, knocks = await _knock(kit, letter, inbox, origin)
    except RemoteUnreachable as error:
        with kit.store.transaction():
            result = _failed(kit, job, origin, None, None, str(error))
            reach.failed(kit, origin)
        metrics.delivered(result, kit.clock.monotonic() - started)
        return
    if answer.ok:
        now = kit.clock.now()
        with kit.store.transaction():
            kit.store.jobs.finish(job.id, now, status=answer.status)
            kit.store.peers.seen(origin, now)
            reach.answered(kit, origin)
        log().info(
            DELIVERY,
            activity=letter.activity,
            inbox=inbox,
            status=answer.status,
            knocks=len(knocks),
            scheme=knocks[-1].scheme,
        )
        result = "arrived"
    else:
        text = answer.body[:200].decode("utf-8", "replace")
        with kit.store.transaction():
            after = answer.retry_after(kit.clock.now())
            result = _failed(kit, job, origin, answer.status, after, f"status {answer.status}: {text}")
            _note(kit, origin, inbox, answer.status, says_when=after is not None)
    metrics.delivered(result, kit.clock.monotonic() - started)


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


async def _knock(kit: Kit, letter: Letter, inbox: str, origin: Origin) -> tuple[Answer, list[Knock]]:
    """Try at most three ways to sign; remember what the origin turned out to take."""
    peer = kit.store.peers.get(origin, kit.clock.now())
    usage = letter.usage
    takes = peer.takes_content_usage and bool(usage)
    tried = [knock.first(speaks_rfc9421=peer.speaks_rfc9421, takes_content_usage=takes)]
    while True:
        answer = await kit.client.send(signed(kit, letter, inbox, tried[-1]), purpose=purpose.DELIVERY)
        following = knock.after(tuple(tried), answer.status, answer.header("accept-signature"))
        if answer.ok or following is None:
            break
        tried.append(following)
    if answer.ok and len(tried) > 1:
        _learn(kit, origin, tried)
    return answer, tried


def _learn(kit: Kit, origin: Origin, tried: list[Knock]) -> None:
    now = kit.clock.now()
    worked = tried[-1]
    if worked.scheme == message.SCHEME:
        kit.store.peers.learn_rfc9421(origin, now)
    else:
        kit.store.peers.forget_rfc9421(origin)
    # Only the same scheme with and without the header shows that it was the header.
    with_header = any(one.content_usage and one.scheme == worked.scheme for one in tried)
    if with_header and not worked.content_usage:
        kit.store.peers.learn_no_content_usage(origin, now)


def _failed(kit: Kit, job: Job, origin: Origin, status: int | None, retry_after: int | None, problem: str) -> str:
    """Put a job back or end it; return ``again`` or ``ended``."""
    now = kit.clock.now()
    jitter, final = secrets.randbelow(1000) / 1000, FINAL.get(job.kind, frozenset())
    verdict = next_try(job.attempts, status=status, retry_after=retry_after, jitter=jitter, final=final)
    if isinstance(verdict, Again):
        kit.store.jobs.postpone(job.id, now + timedelta(seconds=verdict.seconds), status=status, problem=problem[:300])
        outcome = f"again in {verdict.seconds:.0f} s"
    else:
        kit.store.jobs.finish(job.id, now, state="dead", status=status, problem=f"{verdict.reason}: {problem}"[:300])
        outcome = verdict.reason
    log().info(
        DELIVERY,
        job=job.id,
        peer=str(origin),
        status=status,
        attempt=job.attempts,
        outcome=outcome,
        problem=problem[:200],
    )
    return "again" if isinstance(verdict, Again) else "ended"
