"""An author's own software takes back what it did (ActivityPub, section 6.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.activitypub.properties import id_of, only_id, type_of
from gateway.errors import BadInput, NotFound, Refused, Text
from gateway.flows import curate, interact, outbound, subscribe
from gateway.flows.asked import NO_OBJECT, said_on

if TYPE_CHECKING:
    from gateway.flows.asked import Document
    from gateway.flows.kit import Kit
    from gateway.flows.outbound import Said
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent


async def undo(kit: Kit, account: Account, document: Document) -> Sent:
    """Take back one of the account's own activities, named by id or by what it did."""
    value, said = document.get("object"), said_on(document)
    named = id_of(value)
    done = kit.store.objects.activity(named) if named is not None else None
    if done is None and isinstance(value, Mapping) and "id" not in value:
        done = kit.store.objects.latest_activity(account.id, type_of(value), only_id(value.get("object")) or "")
    if done is None:
        raise NotFound(f"no activity {named}") if named else BadInput("Undo of nothing", detail=NO_OBJECT)
    if done.actor != account.id:
        raise Refused(f"{done.id} is not {account.id}'s", code="not-the-owner")
    if done.undone:
        raise NotFound(f"{done.id} was taken back already")
    return undone(kit, account, done, said)


def undone(kit: Kit, account: Account, done: Sent, said: Said) -> Sent:
    """Undo one of the account's activities with what it did; raise BadInput for what is deleted instead."""
    if done.type in ("Create", "Update", "Delete", "Undo"):
        raise BadInput(f"Undo of {done.type}", detail=Text("Use Delete or Update.", "DeleteかUpdateを使ってください。"))
    sent: Sent | None = None
    with kit.store.transaction():
        if done.type == "Follow":
            sent = subscribe.unfollow(kit, account, done.object, said)
        elif done.type == "Block":
            sent = interact.unblock(kit, account, done.object, said)
        elif done.type in ("Like", "Announce"):
            sent = interact.undo_interaction(kit, account, done.type, done.object, said)
        elif done.type in ("Add", "Remove"):
            curate.revert(kit, account, done)
        # What the activity did may be over already; that it is taken back is said all the same.
        return sent if sent is not None else outbound.undo(kit, account, done, said)
