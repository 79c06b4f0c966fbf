"""What goes out about ours: the statements behind each object, activity and actor, as they hold today."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from gateway.activitypub.composed import COLLECTION_TYPES
from gateway.activitypub.labels import label
from gateway.carriers import jsonld_terms
from gateway.carriers.reading import Source
from gateway.flows.said import counted
from gateway.jsonld import strict
from gateway.preferences import Auth, Declarant, DeclarantKind, Scope, Subject

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.preferences import Statement
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent, Stored


def statements_about(kit: Kit, target: str) -> tuple[Statement, ...]:
    """Return what is known about an object that somebody else's activity is about: ours or theirs."""
    stored = kit.store.objects.get(target)
    if stored is None:
        return ()
    if stored.local:
        account = kit.store.accounts.by_id(stored.owner)
        return local_statements(kit, account, stored) if account else ()
    return tuple(counted(kit, stored.document, target, stored.owner))


def media_statements(kit: Kit, url: str) -> tuple[Statement, ...] | None:
    """Return what holds for one of our own files: what each living post that shows it states, or its owner.

    None when the address is no file of ours.
    """
    media_id, _, name = url.removeprefix(f"{kit.base}/media/").partition("/")
    media = kit.store.objects.media(media_id) if url.startswith(f"{kit.base}/media/") else None
    owner = kit.store.accounts.by_id(media.owner) if media is not None else None
    if media is None or owner is None or name not in (media.name, quote(media.name)):
        return None
    uses = kit.store.objects.uses_of_media(media.id)
    if not uses:
        return kit.statements_for(owner, Scope.MEDIA, url)
    return tuple(s for stored in uses if stored.deleted is None for s in statements_about(kit, stored.id)) or None


def statements_in(sent: Sent) -> tuple[Statement, ...]:
    """Return what one of our own activities states, as it was sent."""
    body = strict.read_object(sent.body)
    speaker = Declarant(kind=DeclarantKind.AUTHOR, id=sent.actor, auth=Auth.LOCAL)
    subject = Subject(scope=Scope.OBJECT, ref=sent.object)
    source = Source(subject=subject, declared_by=speaker, observed_at=sent.created)
    return jsonld_terms.parse(jsonld_terms.TermValues(ai_usage=body.get("aiUsage")), source).statements


def whole_document(kit: Kit, stored: Stored) -> dict[str, object]:
    """Return one of our objects as it is served: a collection with what is in it."""
    if stored.type not in COLLECTION_TYPES:
        return dict(stored.document)
    items = kit.store.collections.items(stored.id)
    name = "orderedItems" if stored.type == "OrderedCollection" else "items"
    return {**stored.document, "totalItems": len(items), name: items}


def current_document(kit: Kit, sent: Sent) -> tuple[dict[str, object], tuple[Statement, ...]]:
    """Return one of our activities as it holds today (no context): what was edited since is never shown looser."""
    body = strict.read_object(sent.body)
    document = {name: value for name, value in body.items() if name not in ("@context", "proof")}
    if isinstance(embedded := document.get("object"), dict):
        document["object"] = {name: value for name, value in embedded.items() if name != "proof"}
    stored = kit.store.objects.get(sent.object)
    if stored is None or not stored.local or sent.type not in ("Create", "Update"):
        return document, statements_in(sent)
    statements = statements_about(kit, sent.object)
    return label({**document, "object": dict(stored.document)}, statements), statements


def local_statements(kit: Kit, account: Account, stored: Stored) -> tuple[Statement, ...]:
    """Return the statements of one of our own objects: its author's words as published, and the instance's."""
    at = stored.deleted or stored.updated or stored.published
    return kit.statements_for(account, Scope.OBJECT, stored.id, stored.own_prefs, at)


def actor_statements(kit: Kit, account: Account) -> tuple[Statement, ...]:
    """Return the statements of an actor about itself."""
    return kit.statements_for(account, Scope.ACTOR, account.id)
