"""Putting an activity on its way: a job for each inbox whose peer may have it, an arrival for accounts here."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.flows.moderate import decision_about
from gateway.flows.reach import is_dead
from gateway.policy.rules import Action
from gateway.store.arrivals import ArrivalRow
from gateway.store.jobs import ARRIVALS, BULK, PEOPLE, NewJob
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.flows.kit import Kit
    from gateway.store.objects import Sent

SLICE = 200  # inboxes that are queued in one go
FEW = 20  # inboxes: a post to more of them waits until answers to somebody are out
# Of more than so many inboxes each waits a little: their servers fetch pictures and actors when it arrives.
MANY, PAUSE_EACH, MOST_PAUSE = 500, 0.01, 30.0


def deliver_to(kit: Kit, sent: Sent, inboxes: Iterable[str], *, has_media: bool = False) -> list[str]:
    """Queue one delivery an inbox, for every peer whose decision allows it; return those inboxes.

    Of many a slice is queued at a time, later, so that nobody waits until all are; then all of them are returned, to be
    remembered as recipients of what is created or changed: who is none any more by then gets nothing. What is about
    something of which slices are left stands behind those.
    """
    wanted = [inbox for inbox in dict.fromkeys(inboxes) if not same_origin(inbox, kit.base)]
    lane = f"spread {sent.object}"
    if len(wanted) <= SLICE and not kit.store.jobs.lanes_held([lane]):
        return deliver_slice(kit, sent, wanted, len(wanted), has_media=has_media)
    for first in range(0, len(wanted), SLICE):
        payload = {
            "activity": sent.id, "inboxes": wanted[first : first + SLICE], "of": len(wanted), "media": has_media,
        }  # fmt: skip
        kit.store.jobs.add("spread", payload, lane=lane, peer="", due=kit.clock.now(), pool=BULK, verb=sent.type)
    return wanted


def deliver_slice(kit: Kit, sent: Sent, inboxes: Sequence[str], many: int, *, has_media: bool) -> list[str]:
    """Queue one delivery an inbox, of ``many`` in all, for every peer that may have it; return those inboxes."""
    now = kit.clock.now()
    is_bulk = many > FEW
    # Of something new no lane holds anything: all of it can be queued at once.
    is_new = sent.type == "Create" and is_bulk
    taken: list[str] = []
    new: list[NewJob] = []
    held = frozenset() if is_new else frozenset(kit.store.jobs.lanes_held([lane_of(sent, inbox) for inbox in inboxes]))
    for inbox in inboxes:
        if not _may_have(kit, sent, inbox, has_media=has_media):
            continue
        taken.append(inbox)
        payload = {"activity": sent.id, "inbox": inbox, "media": has_media}
        lane, peer, due = lane_of(sent, inbox), str(origin_of(inbox)), now + _pause(many)
        if is_new:
            new.append(NewJob(payload=payload, lane=lane, peer=peer, due=due))
        elif lane not in held or not _is_settled_by_silence(kit, sent, lane):
            pool = BULK if is_bulk else PEOPLE
            kit.store.jobs.add("deliver", payload, lane=lane, peer=peer, due=due, pool=pool, verb=sent.type)
            kit.store.peers.seen(origin_of(inbox), now)
    if new:
        kit.store.jobs.add_to_new_lanes("deliver", sent.type, BULK, new, now)
        kit.store.peers.seen_all((origin_of(inbox) for inbox in taken), now)
    return taken


def _may_have(kit: Kit, sent: Sent, inbox: str, *, has_media: bool) -> bool:
    """Tell whether something goes to an inbox: its peer is neither refused, nor limited in this, nor dead."""
    now, origin = kit.clock.now(), origin_of(inbox)
    action = decision_about(kit, origin).action
    if action is Action.REFUSE or (action is Action.LIMIT and _is_limited(kit, sent, inbox, has_media=has_media)):
        kit.store.peers.audit(now, "delivery", origin.host, f"not-queued-{action.word}", sent.id)
        return False
    if is_dead(kit, origin):
        kit.store.peers.audit(now, "delivery", origin.host, "not-queued-peer-dead", sent.id)
        return False
    return True


def _is_settled_by_silence(kit: Kit, sent: Sent, lane: str) -> bool:
    """End what is overtaken in a lane; tell whether nothing needs to be said, because nothing of it ever left."""
    if sent.type == "Update":
        kit.store.jobs.supersede(lane, kit.clock.now(), "Update")
    if sent.type != "Delete":
        return False
    overtaken, may_have_left = kit.store.jobs.supersede(lane, kit.clock.now())
    # Only who is known to have had nothing needs no word: what ended long ago is not in the lane any more.
    return "Create" in overtaken and not may_have_left


def _pause(inboxes: int) -> timedelta:
    """Return how long one delivery of a large fan-out waits: who gets it fetches what it mentions at once."""
    most = min(MOST_PAUSE, PAUSE_EACH * inboxes) if inboxes > MANY else 0.0
    return timedelta(seconds=most * secrets.randbelow(1000) / 1000)


def lane_of(sent: Sent, inbox: str) -> str:
    """Return the lane in which an activity goes to an inbox: what is about one object keeps its order."""
    return f"out {inbox} {sent.object}"


def deliver_here(kit: Kit, sent: Sent, accounts: Iterable[str]) -> None:
    """Put an activity into inboxes here; what it does is settled like anything that arrives.

    Whoever blocks the sender gets nothing; a block is told nobody (section 6.9), a report only the admin.
    """
    now = kit.clock.now()
    wanted = [] if sent.type in ("Block", "Flag") else list(accounts)
    for account in wanted:
        if not kit.store.relations.blocks(account, sent.actor):
            kit.store.inboxes.add(account, sent.id, sent.actor, now)
    row = ArrivalRow(
        id=sent.id, actor=sent.actor, origin=kit.base, inbox=f"{kit.base}/inbox", body=sent.body, headers=[],
        verdict={"scheme": "local"}, received=now,
    )  # fmt: skip
    if wanted and kit.store.arrivals.keep(row):
        payload = {"arrival": sent.id, "actor": sent.actor}
        kit.store.jobs.add("settle", payload, lane=f"in {sent.actor}", peer=kit.base, due=now, pool=ARRIVALS)


def look_up_later(kit: Kit, sent: Sent, addresses: Iterable[str], *, has_media: bool = False, depth: int = 0) -> None:
    """Queue the search for recipients nobody here has met; each gets the activity once found."""
    for address in addresses:
        payload = {"activity": sent.id, "recipient": address, "media": has_media, "depth": depth}
        kit.store.jobs.add(
            "address", payload, lane=f"to {address} {sent.object}", peer=str(origin_of(address)), due=kit.clock.now()
        )


def _is_limited(kit: Kit, sent: Sent, inbox: str, *, has_media: bool) -> bool:
    """Tell whether a limited peer goes without this: it gets no media, and new work only for followers."""
    followers = kit.store.relations.followers(sent.actor)
    known = (kit.store.relations.actor(follower) for follower in followers)
    theirs = {address for actor in known if actor is not None for address in (actor.inbox, actor.shared_inbox)}
    return has_media or (sent.type in ("Create", "Update", "Announce") and inbox not in theirs)
