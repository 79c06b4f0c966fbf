"""Settling one arrival: read it, understand it, have it carried out; or end it by the name of what is wrong."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.activitypub.understand import understand
from gateway.errors import MalformedDocument, Refused
from gateway.flows.carry_out import CarryingOut
from gateway.flows.find_out import Finding
from gateway.flows.moderate import decision_about
from gateway.flows.said import said_in
from gateway.jsonld import strict
from gateway.observe import metrics
from gateway.observe.logs import log
from gateway.observe.names import SETTLED
from gateway.preferences import Auth
from gateway.signatures import proof
from gateway.store.together import HEAVY
from gateway.urls import origin_of

if TYPE_CHECKING:
    from gateway.activity import Activity
    from gateway.flows.kit import Kit
    from gateway.preferences import Statement
    from gateway.store.arrivals import ArrivalRow
    from gateway.store.jobs import Job


async def settle(kit: Kit, job: Job) -> None:
    """Settle one arrival and finish its job; safe to run again at any point."""
    row = kit.store.arrivals.get(str(job.payload["arrival"]), str(job.payload["actor"]))
    if row is None or row.settled is not None:
        _leave(kit, job)
        return
    if row.origin != kit.base and decision_about(kit, origin_of(row.actor)).refuses:
        await _end(kit, job, row, "refused", [])
        return
    try:
        auth = Auth.OBJECT_PROOF if row.verdict.get("scheme") == proof.SCHEME else Auth.HTTP_SIGNATURE
        activity, found = understand(strict.read_object(row.body), row.body, kit.reader(), auth)
    except (MalformedDocument, Refused) as error:
        await _end(kit, job, row, f"ignored: {error.reason}", [str(error)])
        return
    problems = [f"{problem.code}: {problem.detail}" for problem in found]
    finding = Finding(kit, activity, list(_from_headers(kit, row, activity)))
    finish, leave = partial(_finish, kit, job, row, problems), partial(_leave, kit, job)
    try:
        if outcome := await CarryingOut(kit, row, activity, finding, finish, leave).whole():
            _told(row, outcome, problems)
    except MalformedDocument as error:  # what it led to cannot be read: that is nobody's fault here, and stays so
        await _end(kit, job, row, f"ignored: {error.reason}", [str(error)])
    kit.wake()


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


async def _end(kit: Kit, job: Job, row: ArrivalRow, outcome: str, problems: list[str]) -> None:
    """End an arrival of which nothing comes."""
    await kit.store.together(partial(_finish, kit, job, row, problems, outcome), patient=HEAVY)
    _told(row, outcome, problems)


def _finish(kit: Kit, job: Job, row: ArrivalRow, problems: list[str], outcome: str) -> None:
    now, host = kit.clock.now(), origin_of(row.actor).host
    kit.store.jobs.finish(job.id, now)
    kit.store.arrivals.settle(row.id, row.actor, outcome, now)
    if row.origin != kit.base and (outcome.startswith(("ignored", "refused")) or problems):
        kit.store.peers.audit(now, SETTLED, host, outcome, "; ".join([row.id, *problems]))


def _leave(kit: Kit, job: Job) -> None:
    kit.store.jobs.finish(job.id, kit.clock.now())


def _told(row: ArrivalRow, outcome: str, problems: list[str]) -> None:
    metrics.settled(outcome)
    log().info(SETTLED, activity=row.id, peer=row.origin, outcome=outcome, problems=problems)
