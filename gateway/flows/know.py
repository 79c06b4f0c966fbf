"""Everything the effects of one activity may depend on, gathered from the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gateway.activitypub import effects as fx
from gateway.activitypub.properties import id_of, ids_of, only_id
from gateway.urls import same_origin

if TYPE_CHECKING:
    from gateway.activity import Activity
    from gateway.flows.kit import Kit
    from gateway.store.objects import Stored


def know(
    kit: Kit, activity: Activity, fetched: Mapping[str, Mapping[str, object]], unavailable: frozenset[str]
) -> fx.Known:
    """Gather everything the effects of one activity may depend on."""
    relations, objects = kit.store.relations, kit.store.objects
    stored = objects.get(activity.object_id) if activity.object_id else None
    account = kit.store.accounts.by_id(activity.object_id) if same_origin(activity.object_id, kit.base) else None
    local = account is not None and account.deleted is None and account.kind != "Application"
    sender = relations.actor(activity.actor)
    addressed = {a for a in activity.audience if same_origin(a, kit.base)}
    undone = relations.undone_of(activity.actor, activity.id, activity.object_id)
    replied = next(iter(ids_of(activity.object.get("inReplyTo"))), None) if activity.object is not None else None
    return fx.Known(
        now=kit.clock.now(),
        base=kit.base,
        stored=stored.known if stored is not None else None,
        object_actor_is_local=local,
        approves=account is not None and account.approves,
        moved=account is not None and account.moved_to is not None,
        blocks_sender=_blocks_sender(kit, activity, replied, stored),
        follow=_follow(kit, activity),
        undone=activity.id in undone,
        object_undone=activity.object_id in undone,
        undone_activity=relations.done_by_activity(activity.object_id) if activity.type == "Undo" else None,
        fetched=fetched,
        unavailable=unavailable,
        gone=frozenset(_gone(kit, fetched)),
        sender_document=sender.document if sender is not None else None,
        moved_lately=sender is not None and sender.moved is not None and kit.clock.now() - sender.moved < fx.MOVE_PAUSE,
        follows_sender=relations.is_followed_here(activity.actor),
        addresses_local=bool(addressed) or (replied is not None and same_origin(replied, kit.base)),
    )


def _gone(kit: Kit, fetched: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Yield the ids of fetched documents that were deleted by their authors, before or after they were known here."""
    for document in fetched.values():
        found, author = id_of(document.get("id")), only_id(document.get("attributedTo"))
        if found is None:
            continue
        stored = kit.store.objects.get(found)
        is_deleted = stored is not None and stored.deleted is not None
        if is_deleted or (author is not None and kit.store.relations.is_undone(found, author)):
            yield found


def _blocks_sender(kit: Kit, activity: Activity, replied: str | None, stored: Stored | None) -> bool:
    """Tell whether the account that an activity speaks to, or whose work it is about, blocks its actor."""
    works = (stored, kit.store.objects.get(replied) if replied and same_origin(replied, kit.base) else None)
    owners = {work.owner for work in works if work is not None and work.local}
    spoken_to = {activity.object_id} if same_origin(activity.object_id, kit.base) else set()
    return any(kit.store.relations.blocks(owner, activity.actor) for owner in owners | spoken_to)


def _follow(kit: Kit, activity: Activity) -> fx.KnownFollow | None:
    """Return the follow that a Follow repeats, or that an Accept, Reject or Undo speaks about."""
    relations = kit.store.relations
    if activity.type == "Follow":
        return relations.follow(activity.actor, activity.object_id)
    if activity.type not in ("Accept", "Reject", "Undo"):
        return None
    found = relations.follow_by_activity(activity.object_id)
    if found is not None or activity.object is None:
        return found
    embedded = activity.object
    named = relations.follow_by_activity(id_of(embedded.get("object")) or "") if activity.type == "Undo" else None
    if named is not None:
        return named
    if activity.type == "Undo" and isinstance(inner := embedded.get("object"), Mapping):
        embedded = inner
    follower, followed = id_of(embedded.get("actor")), (ids_of(embedded.get("object")) or [""])[0]
    return relations.follow(follower, followed) if follower is not None else None
