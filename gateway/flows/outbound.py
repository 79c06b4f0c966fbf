"""The way out: compose -> label -> address -> decide per peer -> keep with its deliveries, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gateway.activitypub.actor import actor
from gateway.activitypub.addressing import Visibility
from gateway.activitypub.labels import label, with_context
from gateway.clock import rfc3339
from gateway.flows.moderate import decision_about
from gateway.flows.profile import profile_of
from gateway.flows.said import counted
from gateway.jsonld.contexts import PUBLIC
from gateway.policy.rules import Action
from gateway.preferences import Scope
from gateway.store.objects import Sent
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.flows.kit import Kit
    from gateway.preferences import Preferences, Statement
    from gateway.store.accounts import Account


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


def deliver_to(kit: Kit, sent: Sent, inboxes: Iterable[str], *, has_media: bool = False) -> list[str]:
    """Queue one delivery an inbox, for every peer whose decision allows it; return those inboxes."""
    now = kit.clock.now()
    taken = []
    for inbox in dict.fromkeys(inboxes):
        if same_origin(inbox, kit.base):
            continue
        origin = origin_of(inbox)
        action = decision_about(kit, origin).action
        if action is Action.REFUSE or (action is Action.LIMIT and _is_limited(kit, sent, inbox, has_media=has_media)):
            kit.store.peers.audit(now, "delivery", origin.host, f"not-queued-{action.word}", sent.id)
            continue
        kit.store.work.add(
            "deliver", {"activity": sent.id, "inbox": inbox, "media": has_media},
            lane=f"out {inbox} {sent.object}", peer=str(origin), due=now,
        )  # fmt: skip
        kit.store.peers.seen(origin, now)
        taken.append(inbox)
    return taken


def _is_limited(kit: Kit, sent: Sent, inbox: str, *, has_media: bool) -> bool:
    """Tell whether a limited peer goes without this: it gets no media, and new work only for followers."""
    followers = kit.store.relations.followers(sent.actor)
    known = (kit.store.relations.actor(follower) for follower in followers)
    theirs = {address for actor in known if actor is not None for address in (actor.inbox, actor.shared_inbox)}
    return has_media or (sent.type in ("Create", "Update", "Announce") and inbox not in theirs)


def follower_inboxes(kit: Kit, account: Account) -> list[str]:
    """Return one inbox a server for everybody who follows ``account``: shared where there is one."""
    actors = (kit.store.relations.actor(follower) for follower in kit.store.relations.followers(account.id))
    return list(dict.fromkeys(actor.best_inbox for actor in actors if actor is not None))


def inbox_of(kit: Kit, actor_id: str, *, shared: bool = False) -> list[str]:
    """Return the inbox of a known remote actor as a list; empty for ours and for strangers."""
    actor = kit.store.relations.actor(actor_id)
    if actor is None:
        return []
    return [actor.best_inbox if shared else actor.inbox]


def statements_about(kit: Kit, target: str) -> tuple[Statement, ...]:
    """Return what is known about an object that somebody else's activity is about: ours or theirs."""
    stored = kit.store.objects.get(target)
    if stored is None:
        return ()
    if stored.local:
        account = kit.store.accounts.by_id(stored.owner)
        return local_statements(kit, account, target, stored.own_prefs) if account else ()
    return tuple(counted(kit, stored.document, target, stored.owner))


def local_statements(kit: Kit, account: Account, object_id: str, own: Preferences) -> tuple[Statement, ...]:
    """Return the statements of one of our own objects: its author's words for it, and the instance's."""
    return kit.statements_for(account, Scope.OBJECT, object_id, own)


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


def undo(kit: Kit, account: Account, done: Mapping[str, object], owner: str) -> Sent:
    """Send Undo of one of our activities to whoever it concerned."""
    target = str(done["object"])
    kit.store.objects.undo_activity(str(done["id"]), kit.clock.now())
    statements = statements_about(kit, target) or actor_statements(kit, account)
    inboxes = inbox_of(kit, owner)
    return send(kit, account, "Undo", done, about=target, statements=statements, inboxes=inboxes, to=[owner])
