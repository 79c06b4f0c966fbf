"""What an activity does: (Activity, what is known) -> effects. Pure; one function a type.

Semantics: W3C ActivityPub section 7, and what Mastodon, GoToSocial and Misskey agree on. Ownership
follows FEP-fe34: an activity may change only what its own actor owns, checked by exact id.
Effects are values; ``flows.settle`` applies them in one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from gateway.activitypub.addressing import Visibility, visibility_of
from gateway.activitypub.properties import id_of, ids_of, only_id, text_of, type_of
from gateway.clock import parse_rfc3339
from gateway.signatures.owner import ACTOR_TYPES, is_actor
from gateway.urls import same_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.activity import Activity

OBJECT_TYPES = frozenset({"Note", "Article", "Page", "Question", "Image", "Video", "Audio", "Event", "Document"})
MAX_ALIASES = 256
MAX_REPORT = 5_000
MOVE_PAUSE = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownObject:
    """A stored object: who owns it, how far it travels, whether it is gone."""

    id: str
    owner: str
    visibility: Visibility
    local: bool
    deleted: bool = False
    updated: datetime | None = None
    type: str = "Note"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFollow:
    """A stored follow relation; ``activity`` is the id of the Follow."""

    follower: str
    followed: str
    activity: str
    state: Literal["pending", "accepted", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Everything the effects of one activity may depend on."""

    now: datetime
    base: str
    stored: KnownObject | None = None
    object_actor_is_local: bool = False
    approves: bool = False
    moved: bool = False
    blocks_sender: bool = False
    follow: KnownFollow | None = None
    undone: bool = False
    object_undone: bool = False
    undone_activity: Mapping[str, str] | None = None
    fetched: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    unavailable: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()  # ids of fetched documents that their authors deleted
    sender_document: Mapping[str, object] | None = None
    moved_lately: bool = False
    follows_sender: bool = False
    addresses_local: bool = False


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing happens; ``reason`` goes into the audit line."""

    reason: str


@dataclass(frozen=True, slots=True)
class Fetch:
    """This document is needed first; settle again with it in ``Known.fetched``."""

    url: str


@dataclass(frozen=True, slots=True)
class KeepObject:
    """Store a remote object, or a newer version of one."""

    document: Mapping[str, object]
    owner: str
    visibility: Visibility
    by_author: bool
    is_update: bool = False
    embedded: bool = False


@dataclass(frozen=True, slots=True)
class BuryObject:
    """An object is gone; its id never comes back."""

    id: str
    owner: str


@dataclass(frozen=True, slots=True)
class KeepActor:
    """A remote actor has a new document, which must be fetched from its own id."""

    id: str


@dataclass(frozen=True, slots=True)
class DropActor:
    """A remote account was deleted: its follows, interactions and objects go.

    Its own signature is enough: whether its document still answers is not asked. Who comes back is met afresh.
    """

    id: str


@dataclass(frozen=True, slots=True)
class RecordFollow:
    """Somebody follows one of ours."""

    follower: str
    followed: str
    activity: str
    state: Literal["pending", "accepted"]


@dataclass(frozen=True, slots=True)
class SettleFollow:
    """One of our follow requests was answered."""

    follower: str
    followed: str
    state: Literal["accepted", "rejected"]


@dataclass(frozen=True, slots=True)
class ForgetFollow:
    """A follow relation ends."""

    follower: str
    followed: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Send Accept or Reject for a Follow, as the local actor that was followed."""

    kind: Literal["Accept", "Reject"]
    actor: str
    follow: Mapping[str, object]
    to: str


@dataclass(frozen=True, slots=True)
class RecordInteraction:
    """A like or a boost of an object."""

    kind: Literal["Like", "Announce"]
    actor: str
    object: str
    activity: str


@dataclass(frozen=True, slots=True)
class ForgetInteraction:
    """A like or a boost is taken back."""

    kind: Literal["Like", "Announce"]
    actor: str
    object: str


@dataclass(frozen=True, slots=True)
class RecordBlock:
    """A remote actor blocks one of ours: nothing more goes there."""

    blocker: str
    blocked: str
    activity: str


@dataclass(frozen=True, slots=True)
class ForgetBlock:
    """A block is taken back."""

    blocker: str
    blocked: str


@dataclass(frozen=True, slots=True)
class RecordReport:
    """Somebody reports one of ours or a post."""

    reporter: str
    objects: tuple[str, ...]
    content: str


@dataclass(frozen=True, slots=True)
class MoveFollowers:
    """A followed account moved; our followers of the old one follow the new one."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RememberUndone:
    """An activity was taken back before it arrived, or must not be replayed."""

    activity: str
    actor: str


Effect = (
    Ignore | Fetch | KeepObject | BuryObject | KeepActor | DropActor | RecordFollow | SettleFollow | ForgetFollow
    | Answer | RecordInteraction | ForgetInteraction | RecordBlock | ForgetBlock | RecordReport | MoveFollowers
    | RememberUndone
)  # fmt: skip


def effects(activity: Activity, known: Known) -> list[Effect]:
    """Return what ``activity`` does, in order. Something to fetch comes alone."""
    if known.undone:
        return [Ignore("already-undone")]
    handler = _HANDLERS.get(activity.type)
    if handler is None:
        return [Ignore("unknown-type")]
    if not activity.object_id and activity.type not in ("Flag", "Accept", "Reject"):
        return [Ignore("no-object")]
    if known.blocks_sender and activity.type in _KEPT_AWAY:
        return [Ignore("blocked-here")]
    return handler(activity, known)


def _follow(activity: Activity, known: Known) -> list[Effect]:
    followed = activity.object_id
    if not known.object_actor_is_local:
        return [Ignore("follows-nobody-here")]
    if known.blocks_sender or known.moved:
        return [Answer("Reject", followed, _as_object(activity), activity.actor)]
    state = known.follow.state if known.follow is not None else None
    if state == "accepted" or not known.approves:
        return [
            RecordFollow(activity.actor, followed, activity.id, "accepted"),
            Answer("Accept", followed, _as_object(activity), activity.actor),
        ]
    return [RecordFollow(activity.actor, followed, activity.id, "pending")]


def _as_object(activity: Activity) -> Mapping[str, object]:
    return {"id": activity.id, "type": "Follow", "actor": activity.actor, "object": activity.object_id}


def _answered(activity: Activity, known: Known) -> list[Effect]:
    follow = known.follow
    if follow is None or follow.followed != activity.actor:
        return [Ignore("answers-no-follow-of-ours")]
    if activity.type == "Accept":
        return [SettleFollow(follow.follower, follow.followed, "accepted")]
    return [SettleFollow(follow.follower, follow.followed, "rejected")]


def _create(activity: Activity, known: Known) -> list[Effect]:
    stored = known.stored
    if stored is None:
        return _keep(activity, known, is_update=False)
    if stored.deleted or stored.local or stored.owner == activity.actor:
        return [Ignore("gone" if stored.deleted else "already-known")]
    # Two of one origin claim the same id: what stands at it says whose it is.
    if not same_origin(stored.id, activity.actor) or stored.id in known.unavailable:
        return [Ignore("already-known")]
    if stored.id not in known.fetched:
        return [Fetch(stored.id)]
    if not is_owned(known.fetched[stored.id], activity.actor):
        return [Ignore("already-known")]
    return _keep(activity, known, is_update=False)


def _keep(activity: Activity, known: Known, *, is_update: bool) -> list[Effect]:
    """Keep the object of a Create or Update: embedded when it is plainly the actor's, else from its origin."""
    object_id = activity.object_id
    if not same_origin(object_id, activity.actor) or object_id == activity.actor:
        return [Ignore("foreign-object")]
    if known.object_undone:
        return [Ignore("gone")]
    document = activity.object
    if document is None or not is_whole(document):
        if object_id in known.unavailable:
            return [Ignore("object-unavailable")]
        if object_id not in known.fetched:
            return [Fetch(object_id)]
        document = known.fetched[object_id]
    if document.get("id") != object_id or not is_owned(document, activity.actor):
        return [Ignore("not-the-author")]
    if type_of(document) not in OBJECT_TYPES:
        return [Ignore("unknown-object-type")]
    if not (known.follows_sender or known.addresses_local or is_update):
        return [Ignore("nobody-here-asked")]
    visibility = visibility_of(document)
    embedded = document is activity.object
    return [KeepObject(document, activity.actor, visibility, by_author=True, is_update=is_update, embedded=embedded)]


def is_whole(document: Mapping[str, object]) -> bool:
    """Tell whether an embedded object is complete enough to be kept without asking its origin."""
    return bool(type_of(document)) and "attributedTo" in document


def is_owned(document: Mapping[str, object], actor: str) -> bool:
    """Tell whether ``actor``, and nobody else, is the author: exact id, one author, no second owner field."""
    if only_id(document.get("attributedTo")) != actor:
        return False
    return "actor" not in document or only_id(document.get("actor")) == actor


def _update(activity: Activity, known: Known) -> list[Effect]:
    if activity.object_id == activity.actor:
        return [KeepActor(activity.actor)]
    if activity.object is not None and type_of(activity.object) in ACTOR_TYPES:
        return [Ignore("not-the-author")]
    stored = known.stored
    if stored is None:
        return _keep(activity, known, is_update=False)
    if stored.deleted:
        return [Ignore("gone")]
    if stored.local or stored.owner != activity.actor:
        return [Ignore("not-the-author")]
    kept = _keep(activity, known, is_update=True)
    if isinstance(kept[0], KeepObject) and not _is_newer(kept[0].document, stored):
        return [Ignore("older-than-known")]
    return kept


def _is_newer(document: Mapping[str, object], stored: KnownObject) -> bool:
    """Tell whether a version is not older than the stored one; an undated one never is newer.

    The same second counts as newer, because many servers count whole seconds.
    """
    updated = parse_rfc3339(document.get("updated"))
    return stored.updated is None or (updated is not None and updated >= stored.updated)


def _delete(activity: Activity, known: Known) -> list[Effect]:
    target = activity.object_id
    if target == activity.actor:
        return [DropActor(activity.actor)]
    stored = known.stored
    if stored is not None:
        owned = stored.owner == activity.actor and not stored.local
        if owned and stored.deleted:
            return [Ignore("gone")]
        return [BuryObject(target, activity.actor)] if owned else [Ignore("not-the-author")]
    if not same_origin(target, activity.actor):
        return [Ignore("foreign-object")]
    # Nothing is buried under an id that nobody here has seen: a neighbour on the same host could be its author.
    return [RememberUndone(target, activity.actor)]


def _announce(activity: Activity, known: Known) -> list[Effect]:
    return _interaction(activity, known, "Announce")


def _like(activity: Activity, known: Known) -> list[Effect]:
    return _interaction(activity, known, "Like")


def _interaction(activity: Activity, known: Known, kind: Literal["Like", "Announce"]) -> list[Effect]:
    target = activity.object_id
    record = RecordInteraction(kind, activity.actor, target, activity.id)
    stored = known.stored
    if stored is not None:
        may = stored.visibility.is_open or stored.owner == activity.actor or kind == "Like"
        return [record] if may and not stored.deleted else [Ignore("not-announceable")]
    if kind == "Like":
        return [Ignore("likes-nothing-here")]
    if same_origin(target, known.base):
        return [Ignore("nothing-here")]
    if not known.follows_sender:
        return [Ignore("nobody-here-asked")]
    return _announced(activity, known, record)


def _announced(activity: Activity, known: Known, record: RecordInteraction) -> list[Effect]:
    """Keep an announced stranger's post: always from its origin, only when it is open to all."""
    target = activity.object_id
    if target in known.unavailable:
        return [Ignore("object-unavailable")]
    document = known.fetched.get(target)
    if document is None:
        return [Fetch(target)]
    # The fetch established that the document stands at its own id; after a redirect that id is not ``target``.
    found, author = id_of(document.get("id")), only_id(document.get("attributedTo"))
    if found is None or author is None or not same_origin(author, found) or not is_owned(document, author):
        return [Ignore("not-the-author")]
    if found in known.gone:
        return [Ignore("gone")]
    visibility = visibility_of(document)
    if type_of(document) not in OBJECT_TYPES or not visibility.is_open:
        return [Ignore("not-announceable")]
    return [KeepObject(document, author, visibility, by_author=False), replace(record, object=found)]


def _undo(activity: Activity, known: Known) -> list[Effect]:
    """Take back what the same actor did; what has not arrived yet is remembered as undone."""
    embedded = activity.object
    if embedded is not None and only_id(embedded.get("actor")) not in (None, activity.actor):
        return [Ignore("not-the-author")]
    if not same_origin(activity.object_id, activity.actor):
        return [Ignore("foreign-object")]
    done = known.undone_activity or {}
    kind = done.get("type") or (type_of(embedded) if embedded is not None else "")
    actor = done.get("actor", activity.actor)
    target = done.get("object") or (id_of(embedded.get("object")) if embedded is not None else None)
    if actor != activity.actor:
        return [Ignore("not-the-author")]
    remember = RememberUndone(activity.object_id, activity.actor)
    if target is None:
        return [remember]
    forget: dict[str, Effect] = {
        "Follow": ForgetFollow(activity.actor, target),
        "Like": ForgetInteraction("Like", activity.actor, target),
        "Announce": ForgetInteraction("Announce", activity.actor, target),
        "Block": ForgetBlock(activity.actor, target),
    }
    if kind == "Accept" and known.follow is not None and known.follow.followed == activity.actor:
        return [SettleFollow(known.follow.follower, known.follow.followed, "rejected"), remember]
    return [forget[kind], remember] if kind in forget else [remember]


def _block(activity: Activity, known: Known) -> list[Effect]:
    if not known.object_actor_is_local:
        return [Ignore("blocks-nobody-here")]
    return [
        RecordBlock(activity.actor, activity.object_id, activity.id),
        ForgetFollow(activity.actor, activity.object_id),
        ForgetFollow(activity.object_id, activity.actor),
    ]


def _flag(activity: Activity, known: Known) -> list[Effect]:
    listed = ids_of(activity.document.get("object"))
    ours = tuple(item for item in listed if same_origin(item, known.base))
    if not ours:
        return [Ignore("reports-nothing-here")]
    return [RecordReport(activity.actor, ours, text_of(activity.document, "content")[:MAX_REPORT])]


def _move(activity: Activity, known: Known) -> list[Effect]:
    """Follow a move only when the old account says so and the new one, fetched at its own id, confirms it."""
    new = activity.target
    if activity.object_id != activity.actor or new is None or new == activity.actor:
        return [Ignore("not-the-author")]
    if known.moved_lately:
        return [Ignore("moved-lately")]
    if new in known.unavailable:
        return [Ignore("object-unavailable")]
    document = known.fetched.get(new)
    if document is None:
        return [Fetch(new)]
    aliases = document.get("alsoKnownAs")
    listed = aliases if isinstance(aliases, list) else [aliases]
    if document.get("id") != new or not is_actor(document) or len(listed) > MAX_ALIASES:
        return [Ignore("move-not-confirmed")]
    if activity.actor not in listed:
        return [Ignore("move-not-confirmed")]
    return [MoveFollowers(activity.actor, new)]


# What a blocked actor can still do is be rejected, go away, and take things back (section 6.9).
_KEPT_AWAY = frozenset({"Create", "Update", "Announce", "Like"})
_HANDLERS: dict[str, Callable[[Activity, Known], list[Effect]]] = {
    "Follow": _follow,
    "Accept": _answered,
    "Reject": _answered,
    "Create": _create,
    "Update": _update,
    "Delete": _delete,
    "Announce": _announce,
    "Like": _like,
    "Undo": _undo,
    "Block": _block,
    "Flag": _flag,
    "Move": _move,
}
