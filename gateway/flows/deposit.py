"""Whose inbox an arrival belongs in, and what its owner reads there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.activitypub.properties import PUBLIC_ALIASES, id_of, ids_of
from gateway.flows.recipients import lives_here
from gateway.flows.stating import current_document
from gateway.jsonld import strict
from gateway.urls import same_origin

if TYPE_CHECKING:
    from gateway.activity import Activity
    from gateway.flows.kit import Kit
    from gateway.store.inboxes import InboxItem
    from gateway.store.work import ArrivalRow


def deposit(kit: Kit, row: ArrivalRow, activity: Activity) -> None:
    """Put an arrival from elsewhere into the inboxes of everybody here whom it is for."""
    for account in _readers(kit, row, activity):
        put(kit, account, row.id, row.actor)


def put(kit: Kit, account: str, activity: str, actor: str) -> None:
    """Put an activity into one inbox, once; whoever blocks its actor does not get it."""
    if lives_here(kit, account) and not kit.store.relations.blocks(account, actor):
        kit.store.inboxes.add(account, activity, actor, kit.clock.now())


def owner_of_inbox(kit: Kit, url: str) -> str | None:
    """Return whose personal inbox an address is; None for the shared one."""
    account = url.partition("?")[0].removesuffix("/inbox")
    return account if lives_here(kit, account) else None


def _readers(kit: Kit, row: ArrivalRow, activity: Activity) -> list[str]:
    """Return the owner of the inbox, who is addressed, who follows the sender, and whose object it is about."""
    addressed = [address for address in activity.audience if same_origin(address, kit.base)]
    personal = owner_of_inbox(kit, row.inbox)
    found = [*([personal] if personal else []), *addressed]
    if any(address in PUBLIC_ALIASES or same_origin(address, activity.actor) for address in activity.audience):
        found += kit.store.relations.local_followers_of(activity.actor)
    replied = ids_of(activity.object.get("inReplyTo")) if activity.object is not None else []
    for about in (activity.object_id, *replied[:1]):
        stored = kit.store.objects.get(about) if about else None
        found += [stored.owner] if stored is not None and stored.local else []
        found += [about] if about and same_origin(about, kit.base) else []
    return list(dict.fromkeys(found))


def document_of(kit: Kit, item: InboxItem) -> Mapping[str, object] | None:
    """Return an activity of an inbox as it came, our own as it holds today; None when its bytes are gone."""
    sent = kit.store.objects.activity(item.activity)
    if sent is not None:
        return current_document(kit, sent)[0]
    row = kit.store.work.arrival(item.activity, item.actor)
    if row is None or not row.body:
        return None
    document = strict.read_object(row.body)
    embedded = document.get("object")
    # Nobody is quoted on the word of another server: what is not the sender's own is named, to be looked up.
    if isinstance(embedded, Mapping) and (named := id_of(embedded)) and not same_origin(named, item.actor):
        return {**document, "object": named}
    return document
