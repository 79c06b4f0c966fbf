"""Who gets an activity: inboxes by server as far as each peer's decision allows, and accounts that live here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.activitypub.composed import COLLECTION_TYPES
from gateway.flows.moderate import decision_about
from gateway.policy.rules import Action
from gateway.store.work import ArrivalRow
from gateway.urls import origin_of, same_origin, try_origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

MAX_STRANGERS = 50  # recipients of one activity that have to be looked up first


@dataclass(slots=True, kw_only=True)
class Reach:
    """Where the recipients of an activity are: inboxes elsewhere, accounts here, addresses to look up first.

    ``listed`` are those who are not named themselves but stand on a list of the author's own.
    """

    inboxes: list[str] = field(default_factory=list)
    here: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)


def reach(kit: Kit, account: Account, addresses: Iterable[str], *, shared: bool) -> Reach:
    """Return where ``addresses`` are: actors, and collections that ``account`` owns (section 7.1.1).

    ``shared``: one delivery a server will do. Nobody receives what they sent themselves.
    """
    found = Reach()
    for address in dict.fromkeys(addresses):
        members = _members(kit, account, address)
        if members is not None and not address.startswith(f"{account.id}/"):
            found.listed += members
        for actor in [address] if members is None else members:
            place(kit, found, actor, shared=shared)
    found.here = [actor for actor in dict.fromkeys(found.here) if actor != account.id]
    found.strangers = list(dict.fromkeys(found.strangers))[:MAX_STRANGERS]
    return found


def _members(kit: Kit, account: Account, address: str) -> list[str] | None:
    """Return who is in a collection of the account's own; None when the address is none."""
    if address == f"{account.id}/followers":
        return kit.store.relations.followers(account.id)
    if address == f"{account.id}/following":
        return kit.store.relations.following(account.id)
    stored = kit.store.objects.get(address) if same_origin(address, kit.base) else None
    if stored is not None and stored.owner == account.id and stored.type in COLLECTION_TYPES:
        return kit.store.collections.items(address)
    return None


def place(kit: Kit, found: Reach, actor: str, *, shared: bool) -> None:
    """Note where one recipient is."""
    if same_origin(actor, kit.base):
        if lives_here(kit, actor):
            found.here.append(actor)
        return
    known = inbox_of(kit, actor, shared=shared)
    if known:
        found.inboxes += known
    elif try_origin(actor) is not None:
        found.strangers.append(actor)


def lives_here(kit: Kit, actor: str) -> bool:
    """Tell whether an actor is a living account of a person here."""
    account = kit.store.accounts.by_id(actor)
    return account is not None and account.deleted is None and account.kind != "Application"


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


def follower_inboxes(kit: Kit, account: Account) -> list[str]:
    """Return one inbox a server for everybody elsewhere who follows ``account``: shared where there is one."""
    actors = (kit.store.relations.actor(follower) for follower in kit.store.relations.followers(account.id))
    return list(dict.fromkeys(actor.best_inbox for actor in actors if actor is not None))


def inbox_of(kit: Kit, actor_id: str, *, shared: bool = False) -> list[str]:
    """Return the inbox of a known remote actor as a list; empty for ours and for strangers."""
    actor = kit.store.relations.actor(actor_id)
    if actor is None:
        return []
    return [actor.best_inbox if shared else actor.inbox]
