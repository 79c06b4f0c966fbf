"""Who gets an activity: inboxes, grouped by server, as far as each peer's decision allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.flows.moderate import decision_about
from gateway.policy.rules import Action
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
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
            lane=f"out {inbox} {sent.object}", peer=str(origin), due=now,
        )  # fmt: skip
        kit.store.peers.seen(origin, now)
        taken.append(inbox)
    return taken


def _is_limited(kit: Kit, sent: Sent, inbox: str, *, has_media: bool) -> bool:
    """Tell whether a limited peer goes without this: it gets no media, and new work only for followers."""
    followers = kit.store.relations.followers(sent.actor)
    known = (kit.store.relations.actor(follower) for follower in followers)
    theirs = {address for actor in known if actor is not None for address in (actor.inbox, actor.shared_inbox)}
    return has_media or (sent.type in ("Create", "Update", "Announce") and inbox not in theirs)


def follower_inboxes(kit: Kit, account: Account) -> list[str]:
    """Return one inbox a server for everybody who follows ``account``: shared where there is one."""
    actors = (kit.store.relations.actor(follower) for follower in kit.store.relations.followers(account.id))
    return list(dict.fromkeys(actor.best_inbox for actor in actors if actor is not None))


def inbox_of(kit: Kit, actor_id: str, *, shared: bool = False) -> list[str]:
    """Return the inbox of a known remote actor as a list; empty for ours and for strangers."""
    actor = kit.store.relations.actor(actor_id)
    if actor is None:
        return []
    return [actor.best_inbox if shared else actor.inbox]
