"""Putting an activity on its way: a job for each inbox whose peer may have it, an arrival for accounts here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.flows.moderate import decision_about
from gateway.policy.rules import Action
from gateway.store.work import ArrivalRow
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.flows.kit import Kit
    from gateway.store.objects import Sent


def deliver_to(kit: Kit, sent: Sent, inboxes: Iterable[str], *, has_media: bool = False) -> list[str]:
    """Queue one delivery an inbox, for every peer whose decision allows it; return those inboxes."""
    now = kit.clock.now()
    taken = []
    for inbox in dict.fromkeys(inboxes):
        if same_origin(inbox, kit.base):
            continue
        origin = origin_of(inbox)
        action = decision_about(kit, origin).action
        if action is Action.REFUSE or (action is Action.LIMIT and _is_limited(kit, sent, inbox, has_media=has_media)):
            kit.store.peers.audit(now, "delivery", origin.host, f"not-queued-{action.word}", sent.id)
            continue
        kit.store.work.add(
            "deliver", {"activity": sent.id, "inbox": inbox, "media": has_media},
            lane=lane_of(sent, inbox), peer=str(origin), due=now,
        )  # fmt: skip
        kit.store.peers.seen(origin, now)
        taken.append(inbox)
    return taken


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
    if wanted and kit.store.work.keep_arrival(row):
        payload = {"arrival": sent.id, "actor": sent.actor}
        kit.store.work.add("settle", payload, lane=f"in {sent.actor}", peer=kit.base, due=now)


def look_up_later(kit: Kit, sent: Sent, addresses: Iterable[str], *, has_media: bool = False, depth: int = 0) -> None:
    """Queue the search for recipients nobody here has met; each gets the activity once found."""
    for address in addresses:
        payload = {"activity": sent.id, "recipient": address, "media": has_media, "depth": depth}
        kit.store.work.add(
            "address", payload, lane=f"to {address} {sent.object}", peer=str(origin_of(address)), due=kit.clock.now()
        )


def _is_limited(kit: Kit, sent: Sent, inbox: str, *, has_media: bool) -> bool:
    """Tell whether a limited peer goes without this: it gets no media, and new work only for followers."""
    followers = kit.store.relations.followers(sent.actor)
    known = (kit.store.relations.actor(follower) for follower in followers)
    theirs = {address for actor in known if actor is not None for address in (actor.inbox, actor.shared_inbox)}
    return has_media or (sent.type in ("Create", "Update", "Announce") and inbox not in theirs)
