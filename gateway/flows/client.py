"""What an author's own software asks for (ActivityPub, section 6): one handler a type of activity.

Every activity ends in the outbox and is delivered; types without a handler do nothing besides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from gateway.activitypub.composed import check_activity, is_activity, types_of
from gateway.activitypub.properties import type_of
from gateway.errors import Refused
from gateway.flows import curate, interact
from gateway.flows.asked import check_actor, said_on, target_of
from gateway.flows.compose import create, delete, update
from gateway.flows.pass_on import flag, pass_on
from gateway.flows.relate import answer, block, follow
from gateway.flows.take_back import undo

if TYPE_CHECKING:
    from gateway.flows.asked import Document
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent


async def submit(kit: Kit, account: Account, document: Document) -> Sent:
    """Do what the owner's software asks for and return the activity that tells of it.

    Raises BadInput, Refused, NotFound, Gone, TooLarge or RemoteUnreachable; then nothing was done.
    """
    types_of(document)
    if not is_activity(document):
        document = {"type": "Create", "object": document}
    check_activity(document)
    check_actor(document.get("actor"), account)
    return await _HANDLERS.get(type_of(document), pass_on)(kit, account, document)


async def _interact(kit: Kit, account: Account, document: Document) -> Sent:
    return await interact.interact(kit, account, type_of(document), target_of(document), said_on(document))


async def _curate(kit: Kit, account: Account, document: Document) -> Sent:
    return curate.curate(kit, account, type_of(document), document, said_on(document))


async def _move(_kit: Kit, _account: Account, _document: Document) -> Sent:
    raise Refused("Move through the outbox", code="command-line-only")


Handler: TypeAlias = Callable[["Kit", "Account", "Document"], Awaitable["Sent"]]
_HANDLERS: dict[str, Handler] = {
    "Create": create,
    "Update": update,
    "Delete": delete,
    "Follow": follow,
    "Accept": answer,
    "Reject": answer,
    "Add": _curate,
    "Remove": _curate,
    "Like": _interact,
    "Announce": _interact,
    "Block": block,
    "Flag": flag,
    "Undo": undo,
    "Move": _move,
}
