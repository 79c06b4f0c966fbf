"""Who may see what of ours: one answer for documents, collections, answers and boosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.properties import ids_of
from gateway.errors import NotFound
from gateway.urls import same_origin

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.objects import Sent, Stored


def may_see(kit: Kit, stored: Stored, asker: str | None) -> bool:
    """Tell whether ``asker`` (an actor id; None: anybody) may see one of our objects."""
    if asker == stored.owner:
        return True
    if asker is not None and kit.store.relations.blocks(stored.owner, asker):
        return False
    if stored.visibility.is_open:
        return True
    if asker is None:
        return False
    document = stored.document
    addressed = {found for name in ("to", "cc", "audience") for found in ids_of(document.get(name))}
    if asker in addressed or kit.store.objects.is_hidden_recipient(stored.id, asker):
        return True
    if f"{stored.owner}/following" in addressed and follows(kit, stored.owner, asker):
        return True
    return stored.visibility is Visibility.FOLLOWERS and follows(kit, asker, stored.owner)


def may_see_activity(kit: Kit, sent: Sent, asker: str | None) -> bool:
    """Tell whether ``asker`` may see one of our activities that is not about an object of ours."""
    if asker == sent.actor:
        return True
    if sent.type == "Block":  # told to the server of somebody elsewhere, to nobody here
        return asker == sent.object and not same_origin(asker, kit.base)
    if asker is not None and kit.store.relations.blocks(sent.actor, asker):
        return False
    if sent.visibility.is_open or asker is None:
        return sent.visibility.is_open
    if (asker == sent.object and sent.type != "Flag") or kit.store.objects.is_addressee(sent.id, asker):
        return True
    if kit.store.objects.is_hidden_recipient(sent.id, asker):
        return True
    return sent.visibility is Visibility.FOLLOWERS and follows(kit, asker, sent.actor)


def follows(kit: Kit, follower: str, followed: str) -> bool:
    """Tell whether one actor is an accepted follower of another."""
    known = kit.store.relations.follow(follower, followed)
    return known is not None and known.state == "accepted"


def visibilities_for(kit: Kit, owner: str, asker: str | None) -> tuple[Visibility, ...]:
    """Return the visibilities of ``owner``'s work that ``asker`` may see whether named or not."""
    if asker is not None and kit.store.relations.blocks(owner, asker):
        return ()
    everybody = (Visibility.PUBLIC, Visibility.UNLISTED)
    if asker is not None and follows(kit, asker, owner):
        return (*everybody, Visibility.FOLLOWERS)
    return everybody


def check_reachable(kit: Kit, target: str, actor: str) -> None:
    """Raise NotFound when ``target`` is an object of ours that ``actor`` may not see: nobody answers what is hidden."""
    stored = kit.store.objects.get(target)
    if stored is not None and stored.local and not may_see(kit, stored, actor):
        raise NotFound("missing or hidden")
