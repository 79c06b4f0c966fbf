"""Whose inbox an arrival belongs in, and what its owner reads there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from gateway.activitypub.properties import PUBLIC_ALIASES, id_of, ids_of, only_id
from gateway.flows.recipients import lives_here
from gateway.flows.see import may_see
from gateway.flows.stating import current_document
from gateway.jsonld import strict
from gateway.urls import same_origin

if TYPE_CHECKING:
    from gateway.activity import Activity
    from gateway.flows.kit import Kit
    from gateway.store.arrivals import ArrivalRow
    from gateway.store.inboxes import InboxItem


# What is shown in nobody's inbox: reports are for the admin, blocks are told nobody.
PRIVATE = frozenset({"Flag", "Block"})
# Words that were refused, because they are not their sender's to say.
REFUSED = frozenset({"not-the-author", "foreign-object", "blocked-here", "refused-by-rule"})


def deposit(kit: Kit, row: ArrivalRow, activity: Activity, ignored: Collection[str]) -> None:
    """Put an arrival from elsewhere into the inboxes of everybody here whom it is for.

    ``ignored`` are the reasons why nothing came of it: what was refused is not shown either.
    """
    if activity.type in PRIVATE or REFUSED & set(ignored):
        return
    for account in _readers(kit, row, activity):
        put(kit, account, row.id, row.actor)


def put(kit: Kit, account: str, activity: str, actor: str) -> None:
    """Put an activity into one inbox, once; whoever blocks its actor does not get it."""
    if lives_here(kit, account) and not kit.store.relations.blocks(account, actor):
        kit.store.inboxes.add(account, activity, actor, kit.clock.now())


def owner_of_inbox(kit: Kit, url: str) -> str | None:
    """Return whose personal inbox an address is; None for the shared one."""
    account = url.partition("?")[0].removesuffix("/inbox")
    return account if account != kit.base and lives_here(kit, account) else None


def _readers(kit: Kit, row: ArrivalRow, activity: Activity) -> list[str]:
    """Return the owner of the inbox, who is addressed, who follows the sender, and whose object it is about."""
    addressed = [address for address in activity.audience if same_origin(address, kit.base)]
    personal = owner_of_inbox(kit, row.inbox)
    found = [*([personal] if personal else []), *addressed]
    if activity.audience & {*PUBLIC_ALIASES, _followers_of(kit, activity.actor)}:
        found += kit.store.relations.local_followers_of(activity.actor)
    replied = ids_of(activity.object.get("inReplyTo")) if activity.object is not None else []
    for about in (activity.object_id, *replied[:1]):
        if about and same_origin(about, kit.base):
            stored = kit.store.objects.get(about)
            found += [stored.owner, about] if stored is not None and stored.local else [about]
    return list(dict.fromkeys(found))


def _followers_of(kit: Kit, actor: str) -> str:
    """Return the followers collection that a remote actor names as its own."""
    known = kit.store.relations.actor(actor)
    named = id_of(known.document.get("followers")) if known is not None else None
    return named if named is not None and same_origin(named, actor) else f"{actor}/followers"


def document_of(kit: Kit, account: str, item: InboxItem) -> Mapping[str, object] | None:
    """Return an activity of an inbox as it came, our own as it holds today; None when it is not to be had any more."""
    sent = kit.store.objects.activity(item.activity)
    if sent is not None:
        about = kit.store.objects.get(sent.object) if sent.type in ("Create", "Update") else None
        hidden = about is not None and about.local and not may_see(kit, about, account)
        document = current_document(kit, sent)[0]
        # Whoever lost sight of it still has it in the inbox, by name: nothing newer is shown there.
        return _named_only(document) if hidden or kit.store.relations.blocks(sent.actor, account) else document
    row = kit.store.arrivals.get(item.activity, item.actor)
    if row is None or not row.body:
        return None
    document = strict.read_object(row.body)
    value = document.get("object")
    if isinstance(value, list):
        return {**document, "object": [_named(one, item.actor) for one in value]}
    return {**document, "object": _named(value, item.actor)} if isinstance(value, Mapping) else document


def _named_only(document: Mapping[str, object]) -> dict[str, object]:
    """Return an activity without its object's content."""
    kept = {name: document[name] for name in ("@context", "id", "type", "actor", "published") if name in document}
    about = id_of(document.get("object"))
    return {**kept, "object": about} if about is not None else kept


def _named(value: object, actor: str) -> object:
    """Return a document, or its id alone when it is not the sender's own: nobody is quoted on another's word."""
    if not isinstance(value, Mapping):
        return value
    named, author = id_of(value), only_id(value.get("attributedTo", value.get("actor")))
    if named is not None and (not same_origin(named, actor) or author not in (None, actor)):
        return named
    return value
