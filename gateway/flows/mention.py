"""Whom a text speaks to: handles in it, and the author of what it answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from gateway.activitypub.properties import id_of
from gateway.activitypub.sanitise import mentions_in
from gateway.errors import GatewayError, NotFound
from gateway.flows import discover, handles
from gateway.flows.see import check_reachable
from gateway.observe.logs import log
from gateway.urls import same_origin

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

MAX_MENTIONS = 20
MAX_NAME = 64
SECONDS = 10.0  # for all of them: an author waits


async def mentioned_in(
    kit: Kit, account: Account, text: str, reply_to: str | None, known: tuple[tuple[str, str], ...] = ()
) -> tuple[tuple[str, str], ...]:
    """Return (handle, actor id) of everybody named in a text and of the author who is replied to.

    Raises NotFound when what is answered is hidden from ``account``.
    """
    found = dict(known)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            for handle in mentions_in(text)[:MAX_MENTIONS]:
                if handle not in found and (actor := await _person(kit, handle)) is not None:
                    found[handle] = actor
    if reply_to is not None:
        check_reachable(kit, reply_to, account.id)
        handle, actor = await author_of(kit, reply_to)
        if actor != account.id and actor not in found.values():
            found[handle] = actor
    return tuple(found.items())


async def _person(kit: Kit, handle: str) -> str | None:
    try:
        return await handles.find(kit, handle)
    except GatewayError as error:
        log().info("mention", handle=handle, problem=str(error))
        return None


async def author_of(kit: Kit, object_id: str) -> tuple[str, str]:
    """Return handle and id of the author of an object, here or elsewhere."""
    stored = kit.store.objects.get(object_id)
    if stored is None and same_origin(object_id, kit.base):
        raise NotFound(object_id)
    if stored is not None and stored.local:
        account = kit.store.accounts.by_id(stored.owner)
        return (f"@{account.name}@{kit.settings.domain}" if account is not None else "", stored.owner)
    if stored is not None:
        author = stored.owner
    else:
        document, _ = await discover.document_at(kit, object_id)
        author = id_of(document.get("attributedTo")) or ""
    actor = await discover.known_actor(kit, author)
    # The name is the other server's to choose, and stands in a document of ours.
    name = "".join(character for character in actor.name if character.isprintable() and character not in "@ ")
    return f"@{name[:MAX_NAME]}@{actor.origin.partition('://')[2]}", actor.id
