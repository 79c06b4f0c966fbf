"""What an author's own software composed, made fit to be published (ActivityPub, sections 6 to 6.4).

The server names things, says who made them and when, and keeps its own members to itself; everything
else stays as it was written, with its HTML cut down to what a post needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import FIELDS
from gateway.activitypub.properties import type_of
from gateway.activitypub.sanitise import hashtags_in, plain, to_html
from gateway.carriers.jsonld_terms import TERMS
from gateway.clock import parse_rfc3339, rfc3339
from gateway.errors import BadInput, Refused, Text
from gateway.jsonld.contexts import AS2
from gateway.signatures.owner import ACTOR_TYPES
from gateway.urls import try_origin

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.activitypub.addressing import Addressed

ACTIVITY_TYPES = frozenset(
    {
        "Accept", "Activity", "Add", "Announce", "Arrive", "Block", "Create", "Delete", "Dislike", "EmojiReact", "Flag",
        "Follow", "Ignore", "IntransitiveActivity", "Invite", "Join", "Leave", "Like", "Listen", "Move", "Offer",
        "Read", "Reject", "Remove", "TentativeAccept", "TentativeReject", "Travel", "Undo", "Update", "View",
    }
)  # fmt: skip
COLLECTION_TYPES = frozenset({"Collection", "OrderedCollection"})
OBJECT_TYPES = frozenset(
    {"Article", "Audio", "Document", "Event", "Image", "Note", "Object", "Page", "Place", "Profile", "Relationship",
     "Video"}
)  # fmt: skip
PAGE_TYPES = frozenset({"CollectionPage", "OrderedCollectionPage"})
# What only an actor has: nothing that a client writes may pass for one.
ACTOR_MEMBERS = frozenset(
    {"inbox", "outbox", "followers", "following", "liked", "featured", "streams", "endpoints", "publicKey",
     "assertionMethod", "authentication", "verificationMethod", "preferredUsername", "generator", "implements"}
)  # fmt: skip
_OURS = frozenset(
    {"@context", "@id", "@type", "id", "attributedTo", "actor", "url", "replies", "likes", "shares", "updated",
     "proof", "signature", *TERMS, *FIELDS}
)  # fmt: skip
# Members that no value inside may have.
_NEVER = frozenset({*TERMS, "bto", "bcc", "proof", "signature", "publicKey", "assertionMethod", "publicKeyPem",
                    "publicKeyMultibase"})  # fmt: skip
_ITEMS = frozenset({"items", "orderedItems", "totalItems", "first", "last", "current"})
_CONTENT = ("content", "contentMap", "source", "name", "nameMap", "summary", "summaryMap", "attachment")

NO_TYPE = Text(
    "An activity or object needs a type of its own, written as a plain word.",
    "typeには、ActivityStreamsの型を1語で指定してください。",
)
NO_LINKS = Text(
    "A Link, a page of a collection or a Tombstone is no object of its own.",
    "Link・コレクションのページ・Tombstoneは単独では公開できません。",
)
EMPTY_POST = Text("A post needs text or a file.", "本文またはファイルが必要です。")


def fit(value: object) -> object:
    """Return a client's value without what it must not say, however deep: labels, hidden recipients, keys, proofs.

    Keywords, full IRIs and prefixed names go, too: as JSON-LD they would say by another name what is left out here.
    """
    if isinstance(value, Mapping):
        return {name: fit(item) for name, item in value.items() if name not in _NEVER and not _is_alias(name)}
    return [fit(item) for item in value] if isinstance(value, list) else value


def _is_alias(name: str) -> bool:
    return ":" in name or name.startswith("@")


def is_activity(document: Mapping[str, object]) -> bool:
    """Tell whether a client sent an activity rather than a bare object.

    A Question stands for a poll, as everywhere in the fediverse; unknown types with an actor and an object
    are somebody's own activities.
    """
    kind = type_of(document)
    return kind in ACTIVITY_TYPES or (kind != "Question" and "actor" in document and "object" in document)


def types_of(document: Mapping[str, object]) -> frozenset[str]:
    """Return the types of what a client sent; raise BadInput when there is none, or one that is no plain word."""
    value = document.get("type")
    listed = value if isinstance(value, list) else [value]
    if not listed or "@type" in document or not all(map(_is_type, listed)):
        raise BadInput("no type, or an odd one", detail=NO_TYPE)
    return frozenset(listed)


def _is_type(kind: object) -> bool:
    """Tell whether a type is a plain word, or the full IRI of an extension: no other name of one of AS2's own."""
    if not isinstance(kind, str) or kind.isalnum():
        return isinstance(kind, str)
    return try_origin(kind) is not None and not kind.startswith((AS2, AS2.replace("https:", "http:")))


def check_activity(document: Mapping[str, object]) -> None:
    """Raise BadInput for an activity that passes for something else as well: an actor, a collection, an object."""
    others = types_of(document) & {*ACTOR_TYPES, *COLLECTION_TYPES, *PAGE_TYPES, *OBJECT_TYPES, "Tombstone", "Link"}
    if others:
        raise BadInput(f"an activity that is a {'/'.join(sorted(others))}", detail=NO_TYPE)


def check_type(document: Mapping[str, object]) -> str:
    """Return the type of an object that a client may publish; raise BadInput or Refused otherwise."""
    kind, listed = type_of(document), types_of(document)
    if listed & ACTOR_TYPES:
        raise Refused(f"{kind} is an actor", code="no-actors-here")
    if listed & {"Link", "Mention", "Hashtag", "Tombstone", *PAGE_TYPES} or listed & ACTIVITY_TYPES:
        raise BadInput(f"{kind} is not published on its own", detail=NO_LINKS)
    if kind == "Note" and not any(document.get(name) for name in _CONTENT):
        raise BadInput("an empty Note", detail=EMPTY_POST)
    return kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where an object stands: its id, its author, its page for people; hashtags link below ``tag_base``."""

    object_id: str
    author: str
    page: str
    tag_base: str


def composed(
    given: Mapping[str, object], addressed: Addressed, where: Where, *, published: datetime,
    updated: datetime | None = None,
) -> dict[str, object]:  # fmt: skip
    """Return the object to publish (no context, no labels yet).

    ``given`` has been cleaned already. A ``published`` of the client's own counts unless it lies ahead.
    Raises BadInput or Refused.
    """
    kind = check_type(given)
    dated = parse_rfc3339(given.get("published"))
    left_out = _OURS | ACTOR_MEMBERS | (_ITEMS if kind in COLLECTION_TYPES else frozenset())
    kept = {n: fit(v) for n, v in given.items() if n not in left_out and not _is_alias(n) and v is not None}
    if isinstance(kept.get("attachment"), Mapping):
        kept["attachment"] = [kept["attachment"]]  # labels stand on each file of a list
    document: dict[str, object] = {
        "id": where.object_id,
        "type": given["type"],
        "attributedTo": where.author,
        **_rendered(kept, where.tag_base),
        "published": rfc3339(dated if dated is not None and dated < published else published),
        "url": where.page,
        "to": list(addressed.to),
        "cc": list(addressed.cc),
        "replies": f"{where.object_id}/replies",
        "likes": f"{where.object_id}/likes",
        "shares": f"{where.object_id}/shares",
    }
    if addressed.audience:
        document["audience"] = list(addressed.audience)
    if updated is not None:
        document["updated"] = rfc3339(updated)
    if tags := _tags(document, where.tag_base):
        document["tag"] = tags
    return document


def _tags(document: Mapping[str, object], tag_base: str) -> list[object]:
    """Return the client's tags, and those that stand in the text besides."""
    value = document.get("tag")
    given = list(value) if isinstance(value, list) else [value] if value is not None else []
    names = {str(tag.get("name")).lower() for tag in given if isinstance(tag, Mapping)}
    found = hashtags(plain(str(document.get("content", ""))), tag_base)
    return [*given, *(tag for tag in found if tag["name"].lower() not in names)]


def hashtags(text: str, tag_base: str) -> list[dict[str, str]]:
    """Return the Hashtag tags for a text."""
    return [{"type": "Hashtag", "href": f"{tag_base}{w.lower()}", "name": f"#{w}"} for w in hashtags_in(text)]


def _rendered(kept: Mapping[str, object], tag_base: str) -> dict[str, object]:
    """Make the content from plain source where the client gave no content of its own."""
    source = kept.get("source")
    text = source.get("content") if isinstance(source, Mapping) else None
    if "content" in kept or "contentMap" in kept or not isinstance(text, str):
        return dict(kept)
    if isinstance(source, Mapping) and source.get("mediaType", "text/plain") != "text/plain":
        return dict(kept)
    return {**kept, "content": to_html(text, {}, tag_base)}


def merged(before: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """Return ``before`` with the members that ``patch`` names replaced; null removes one (section 6.3.1).

    What was derived from a replaced text goes with it: its source, its translations, the hashtags found in it.
    """
    document = {name: value for name, value in before.items() if name not in patch}
    if patch.keys() & {"content", "contentMap", "source"}:
        tags, languages = document.pop("tag", None), document.pop("contentMap", None)
        document = {name: value for name, value in document.items() if name not in ("content", "source")}
        kept = [t for t in tags if not _is_hashtag(t)] if isinstance(tags, list) else []
        if kept:
            document["tag"] = kept
        if isinstance(languages, Mapping) and len(languages) == 1 and isinstance(patch.get("content"), str):
            document["contentMap"] = dict.fromkeys(languages, patch["content"])
    return {**document, **{name: value for name, value in patch.items() if value is not None}}


def _is_hashtag(tag: object) -> bool:
    return isinstance(tag, Mapping) and tag.get("type") == "Hashtag"
