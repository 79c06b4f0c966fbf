"""What an arrival does once it is understood: effects, applied in one transaction with what they cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub import effects as fx
from gateway.activitypub.understand import understand
from gateway.errors import GatewayError, MalformedDocument, Refused
from gateway.flows import discover
from gateway.flows.apply import apply
from gateway.flows.cause import CAUSE, set_to
from gateway.flows.deposit import deposit
from gateway.flows.find_out import find_out
from gateway.flows.forward import audience_of_ours, forward
from gateway.flows.moderate import decision_about
from gateway.flows.said import said_in
from gateway.jsonld import strict
from gateway.net.allowance import AN_ACTIVITY, at_most
from gateway.observe import metrics
from gateway.observe.logs import log
from gateway.observe.names import SETTLED
from gateway.preferences import Auth
from gateway.signatures import proof
from gateway.urls import origin_of

if TYPE_CHECKING:
    from gateway.activity import Activity
    from gateway.flows.kit import Kit
    from gateway.preferences import Statement
    from gateway.store.arrivals import ArrivalRow
    from gateway.store.jobs import Job

PASSED_ON = frozenset({"already-known", "unknown-type", "nobody-here-asked", "no-object"})  # nothing against them


async def settle(kit: Kit, job: Job) -> None:
    """Settle one arrival and finish its job; safe to run again at any point."""
    row = kit.store.arrivals.get(str(job.payload["arrival"]), str(job.payload["actor"]))
    if row is None or row.settled is not None:
        kit.store.jobs.finish(job.id, kit.clock.now())
        return
    ours = row.origin == kit.base
    if not ours and decision_about(kit, origin_of(row.actor)).refuses:
        _finish(kit, job, row, "refused", [])
        return
    try:
        auth = Auth.OBJECT_PROOF if row.verdict.get("scheme") == proof.SCHEME else Auth.HTTP_SIGNATURE
        activity, problems = understand(strict.read_object(row.body), row.body, kit.reader(), auth)
    except (MalformedDocument, Refused) as error:
        _finish(kit, job, row, f"ignored: {error.reason}", [str(error)])
        return
    heard = list(_from_headers(kit, row, activity))
    try:
        await _carry_out(kit, job, row, activity, heard, [f"{p.code}: {p.detail}" for p in problems])
    except MalformedDocument as error:  # what it led to cannot be read: that is nobody's fault here, and stays so
        _finish(kit, job, row, f"ignored: {error.reason}", [str(error)])
    kit.wake()


async def _carry_out(
    kit: Kit, job: Job, row: ArrivalRow, activity: Activity, heard: list[Statement], problems: list[str]
) -> None:
    """Find out what an activity does, and make that true in one transaction."""
    ours = row.origin == kit.base
    with at_most(AN_ACTIVITY), set_to(CAUSE, None if ours else origin_of(row.actor)):
        known, done = await find_out(kit, activity, heard)
        # What our own activities state comes from what is known here: an echo adds nothing.
        audience = await audience_of_ours(kit, row, activity)
        for changed in (e for e in done if isinstance(e, fx.KeepActor) and known.sender_document is not None):
            await _refresh(kit, changed.id)
    statements = () if ours else (*activity.statements, *heard)
    with kit.store.transaction():
        if not kit.store.arrivals.hold(row.id, row.actor):
            kit.store.jobs.finish(job.id, kit.clock.now())
            return  # somebody else was faster
        for effect in done:
            if isinstance(effect, fx.MoveFollowers):
                discover.keep_actor(kit, known.fetched[effect.new])  # whoever follows it needs its inbox
            apply(kit, effect, row.id, statements)
        ignored = [effect.reason for effect in done if isinstance(effect, fx.Ignore)]
        if not ours:
            deposit(kit, row, activity, ignored)
        # What others bring is not carried on: whoever has it may have it from us already.
        if ours or (set(ignored) <= PASSED_ON and row.verdict.get("scheme") != proof.SCHEME):
            forward(kit, row, audience, activity)
        _finish(kit, job, row, _outcome(done), problems)


async def _refresh(kit: Kit, actor: str) -> None:
    try:
        await discover.actor_at(kit, actor, supersede=True)
    except GatewayError as error:
        kit.store.peers.audit(kit.clock.now(), SETTLED, origin_of(actor).host, "actor-not-refreshed", str(error))


def _from_headers(kit: Kit, row: ArrivalRow, activity: Activity) -> tuple[Statement, ...]:
    """Return what the request's own headers say: the sending server's words about the object."""
    if not activity.object_id:
        return ()
    signed = frozenset(row.verdict.get("spoken", ()))
    by_hand = [(name, value) for name, value in row.headers if name in signed]
    beside = [(name, value) for name, value in row.headers if name not in signed]
    # What no signature covers is the server's word all the same, and nobody's proven one.
    unsigned = said_in(kit, beside, activity.object_id, row.origin, Auth.NONE)
    return (*said_in(kit, by_hand, activity.object_id, row.origin, Auth.HTTP_SIGNATURE), *unsigned)


def _outcome(done: list[fx.Effect]) -> str:
    ignored = [effect.reason for effect in done if isinstance(effect, fx.Ignore)]
    return f"ignored: {ignored[0]}" if ignored else ", ".join(type(effect).__name__ for effect in done)


def _finish(kit: Kit, job: Job, row: ArrivalRow, outcome: str, problems: list[str]) -> None:
    now, host = kit.clock.now(), origin_of(row.actor).host
    with kit.store.transaction():
        kit.store.arrivals.settle(row.id, row.actor, outcome, now)
        kit.store.jobs.finish(job.id, now)
        if row.origin != kit.base and (outcome.startswith(("ignored", "refused")) or problems):
            kit.store.peers.audit(now, SETTLED, host, outcome, "; ".join([row.id, *problems]))
    metrics.settled(outcome)
    log().info(SETTLED, activity=row.id, peer=row.origin, outcome=outcome, problems=problems)
