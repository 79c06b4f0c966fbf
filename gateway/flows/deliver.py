"""One delivery attempt: look at the decision again, sign afresh, knock at most three times, record the answer.

What is forwarded for others goes the same way; only its bytes are not ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import RemoteUnreachable
from gateway.flows import attempt
from gateway.flows.letter import Letter, signed
from gateway.flows.moderate import decision_about
from gateway.net import purpose
from gateway.observe import metrics
from gateway.observe.logs import log
from gateway.observe.names import DELIVERY
from gateway.policy.rules import Action
from gateway.signatures import knock, message
from gateway.store.together import LIGHT
from gateway.urls import origin_of

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.net.client import Answer
    from gateway.signatures.knock import Knock
    from gateway.store.jobs import Job
    from gateway.urls import Origin


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
        problem = str(error)
        failure = await kit.store.together(lambda: attempt.unanswered(kit, job, origin, problem), patient=LIGHT)
    else:
        if answer.ok:
            await kit.store.together(lambda: attempt.arrived(kit, job, origin, answer.status), patient=LIGHT)
            metrics.delivered("arrived", kit.clock.monotonic() - started)
            facts = {"status": answer.status, "knocks": len(knocks), "scheme": knocks[-1].scheme}
            log().info(DELIVERY, activity=letter.activity, inbox=inbox, **facts)
            return
        text = answer.body[:200].decode("utf-8", "replace")
        failure = await kit.store.together(lambda: attempt.refused(kit, job, inbox, answer, text), patient=LIGHT)
    metrics.delivered(failure.result, kit.clock.monotonic() - started)
    facts = {"status": failure.status, "outcome": failure.outcome, "problem": failure.problem}
    log().info(DELIVERY, job=job.id, peer=str(origin), attempt=job.attempts, **facts)


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
