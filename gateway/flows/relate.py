"""An author's own software follows, blocks, and answers those who ask to follow (ActivityPub, sections 6.5 to 6.9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.activitypub.properties import only_id, type_of
from gateway.errors import BadInput, NotFound, Refused, Text
from gateway.flows import discover, handles, interact, subscribe
from gateway.flows.asked import said_on, target_of
from gateway.flows.pass_on import pass_on
from gateway.urls import same_origin

if TYPE_CHECKING:
    from gateway.flows.asked import Document
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

YOURSELF = Text("An account cannot do this to itself.", "自分自身に対しては行えません。")


async def _person(kit: Kit, account: Account, target: str) -> str:
    """Return the id of somebody here or elsewhere; raise NotFound when there is nobody."""
    if target == account.id:
        raise BadInput(target, detail=YOURSELF)
    if same_origin(target, kit.base):
        return handles.here(kit, target)
    return (await discover.known_actor(kit, target)).id


async def follow(kit: Kit, account: Account, document: Document) -> Sent:
    """Ask to follow somebody; who is followed decides (section 6.5)."""
    return subscribe.follow(kit, account, await _person(kit, account, target_of(document)), said_on(document))


async def block(kit: Kit, account: Account, document: Document) -> Sent:
    """Block somebody, who is not told (section 6.9)."""
    return interact.block(kit, account, await _person(kit, account, target_of(document)), said_on(document))


async def answer(kit: Kit, account: Account, document: Document) -> Sent:
    """Accept or reject a Follow of this account; any other offer is only answered."""
    value, target = document.get("object"), target_of(document)
    known = kit.store.relations.follow_by_activity(target)
    if known is None and isinstance(value, Mapping) and type_of(value) == "Follow":
        known = kit.store.relations.follow(only_id(value.get("actor")) or "", account.id)
        if known is None:
            raise NotFound(f"nobody asked with {target}")
    if known is None:
        return await pass_on(kit, account, document)
    if known.followed != account.id:
        raise Refused(f"{target} does not ask {account.id}", code="not-the-owner")
    sent = subscribe.answer_request(kit, account, known.follower, type_of(document), said_on(document))
    if sent is None:
        raise NotFound(f"{target} was answered")
    return sent
