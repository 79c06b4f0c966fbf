"""Who an activity is for: inboxes elsewhere, accounts that live here, and who has to be looked up first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.activitypub.composed import COLLECTION_TYPES
from gateway.urls import same_origin, try_origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

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
        known = kit.store.relations.followers_inboxes(account.id) if address == f"{account.id}/followers" else {}
        for actor in [address] if members is None else members:
            if actor in known:
                found.inboxes.append(known[actor][shared])
            else:
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


def follower_inboxes(kit: Kit, account: Account) -> list[str]:
    """Return one inbox a server for everybody elsewhere who follows ``account``: shared where there is one."""
    return list(dict.fromkeys(best for _, best in kit.store.relations.followers_inboxes(account.id).values()))


def inbox_of(kit: Kit, actor_id: str, *, shared: bool = False) -> list[str]:
    """Return the inbox of a known remote actor as a list; empty for ours and for strangers."""
    actor = kit.store.relations.actor(actor_id)
    if actor is None:
        return []
    return [actor.best_inbox if shared else actor.inbox]
