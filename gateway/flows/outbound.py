"""The way out: compose -> label -> address -> decide per peer -> keep with its deliveries, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.activitypub.actor import actor
from gateway.activitypub.addressing import Visibility
from gateway.activitypub.labels import label, with_context
from gateway.activitypub.properties import ids_of
from gateway.carriers import jsonld_terms
from gateway.carriers.reading import Source
from gateway.clock import rfc3339
from gateway.flows.profile import profile_of
from gateway.flows.recipients import deliver_to, follower_inboxes, inbox_of
from gateway.flows.said import counted
from gateway.jsonld import strict
from gateway.jsonld.contexts import PUBLIC
from gateway.preferences import Auth, Declarant, DeclarantKind, Scope, Subject
from gateway.store.objects import Sent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.flows.kit import Kit
    from gateway.preferences import Statement
    from gateway.store.accounts import Account
    from gateway.store.objects import Stored


def send(  # noqa: PLR0913 - one keyword a member of the activity
    kit: Kit,
    account: Account,
    kind: str,
    target: str | Mapping[str, object],
    *,
    about: str,
    statements: Sequence[Statement],
    inboxes: Iterable[str] = (),
    to: Sequence[str] = (),
    cc: Sequence[str] = (),
    visibility: Visibility = Visibility.DIRECT,
) -> Sent:
    """Compose one labelled activity, keep it, and queue a delivery to each inbox that may have it.

    ``about`` is the id of what it is about; call inside a transaction with whatever it announces.
    """
    now = kit.clock.now()
    activity_id = f"{kit.base}/activities/{kit.tids.next()}"
    document: dict[str, object] = {
        "id": activity_id,
        "type": kind,
        "actor": account.id,
        "published": rfc3339(now),
        "to": list(to),
        "cc": list(cc),
        "object": target if isinstance(target, str) else dict(target),
    }
    embedded = document["object"]
    if isinstance(embedded, dict):
        document["object"] = label(embedded, statements)
    with_keys = isinstance(embedded, dict) and "publicKey" in embedded
    body = orjson.dumps(with_context(label(document, statements), actor=with_keys))
    sent = Sent(
        id=activity_id, actor=account.id, type=kind, object=about, visibility=visibility, body=body, created=now
    )
    with kit.store.transaction():
        kit.store.objects.save_activity(sent)
        taken = deliver_to(kit, sent, inboxes, has_media=_has_media(target))
        if kind in ("Create", "Update"):
            kit.store.objects.remember_recipients(about, taken)
    kit.wake()
    return sent


def _has_media(target: str | Mapping[str, object]) -> bool:
    return not isinstance(target, str) and bool(target.get("attachment"))


def statements_about(kit: Kit, target: str) -> tuple[Statement, ...]:
    """Return what is known about an object that somebody else's activity is about: ours or theirs."""
    stored = kit.store.objects.get(target)
    if stored is None:
        return ()
    if stored.local:
        account = kit.store.accounts.by_id(stored.owner)
        return local_statements(kit, account, stored) if account else ()
    return tuple(counted(kit, stored.document, target, stored.owner))


def statements_in(sent: Sent) -> tuple[Statement, ...]:
    """Return what one of our own activities states, as it was sent."""
    body = strict.read_object(sent.body)
    speaker = Declarant(kind=DeclarantKind.AUTHOR, id=sent.actor, auth=Auth.LOCAL)
    subject = Subject(scope=Scope.OBJECT, ref=sent.object)
    source = Source(subject=subject, declared_by=speaker, observed_at=sent.created)
    return jsonld_terms.parse(jsonld_terms.TermValues(ai_usage=body.get("aiUsage")), source).statements


def current_document(kit: Kit, sent: Sent) -> tuple[dict[str, object], tuple[Statement, ...]]:
    """Return one of our activities as it holds today (no context): what was edited since is never shown looser."""
    document = {name: value for name, value in strict.read_object(sent.body).items() if name != "@context"}
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


def announce_actor(kit: Kit, account: Account) -> Sent:
    """Tell followers' servers that an actor changed; they read the new document at its id."""
    return send(
        kit, account, "Update", actor(profile_of(kit, account)), about=account.id,
        statements=actor_statements(kit, account), inboxes=follower_inboxes(kit, account),
        to=[PUBLIC], cc=[f"{account.id}/followers"], visibility=Visibility.UNLISTED,
    )  # fmt: skip


def announce_deleted_actor(kit: Kit, account: Account) -> Sent:
    """Tell followers' servers that an account is gone."""
    return send(
        kit, account, "Delete", account.id, about=account.id, statements=actor_statements(kit, account),
        inboxes=follower_inboxes(kit, account), to=[PUBLIC], visibility=Visibility.UNLISTED,
    )  # fmt: skip


def undo(kit: Kit, account: Account, done: Sent) -> Sent:
    """Send Undo of one of our activities to everybody whom it was addressed to."""
    kit.store.objects.undo_activity(done.id, kit.clock.now())
    statements = statements_about(kit, done.object) or statements_in(done)
    body = strict.read_object(done.body)
    to, cc = ids_of(body.get("to")), ids_of(body.get("cc"))
    inboxes = [inbox for person in (*to, *cc) for inbox in inbox_of(kit, person)]
    if f"{account.id}/followers" in cc:
        inboxes += follower_inboxes(kit, account)
    document = {"id": done.id, "type": done.type, "actor": account.id, "object": done.object}
    return send(kit, account, "Undo", document, about=done.object, statements=statements, inboxes=inboxes, to=to, cc=cc)
