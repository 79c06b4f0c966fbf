"""Our own posts as AS2 objects, and what is left of them when they are deleted."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility, addresses
from gateway.activitypub.sanitise import hashtags_in, to_html
from gateway.carriers.jsonld_terms import TERMS
from gateway.clock import rfc3339

_MARKUP = re.compile(r"[<>]|&#?[0-9A-Za-z]{1,32};")

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_TEXT = 20_000
MAX_ALT = 10_000


# The members of a Note that its draft makes; one with more was composed by other software.
DRAFTED = frozenset(
    {"id", "type", "attributedTo", "content", "source", "published", "url", "to", "cc", "replies", "likes", "shares",
     "tag", "attachment", "sensitive", "contentMap", "summary", "inReplyTo", "updated", *TERMS}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A media file of a post."""

    url: str
    media_type: str
    alt: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an author wrote. ``mentioned`` maps handle (``@user@host``) to actor id."""

    text: str
    visibility: Visibility = Visibility.PUBLIC
    warning: str = ""
    language: str = ""
    reply_to: str | None = None
    attached: tuple[Attached, ...] = ()
    mentioned: tuple[tuple[str, str], ...] = ()


def note(
    draft: Draft, *, object_id: str, author: str, page: str, published: datetime, tag_base: str,
    updated: datetime | None = None,
) -> dict[str, object]:  # fmt: skip
    """Return the Note (no context, no labels yet); ``page`` is its address for people."""
    mentioned = dict(draft.mentioned)
    to, cc = addresses(draft.visibility, f"{author}/followers", list(mentioned.values()))
    content = to_html(draft.text, mentioned, tag_base)
    document: dict[str, object] = {
        "id": object_id,
        "type": "Note",
        "attributedTo": author,
        "content": content,
        "source": {"content": draft.text, "mediaType": "text/plain"},
        "published": rfc3339(published),
        "url": page,
        "to": to,
        "cc": cc,
        "replies": f"{object_id}/replies",
        "likes": f"{object_id}/likes",
        "shares": f"{object_id}/shares",
        "tag": _tags(draft, mentioned, tag_base),
        "attachment": [attachment(item) for item in draft.attached],
        "sensitive": bool(draft.warning),
    }
    optional = {
        "contentMap": {draft.language: content} if draft.language else None,
        "summary": _inert(draft.warning) or None,
        "inReplyTo": draft.reply_to,
        "updated": rfc3339(updated) if updated else None,
    }
    return {**document, **{name: value for name, value in optional.items() if value is not None}}


def _tags(draft: Draft, mentioned: Mapping[str, str], tag_base: str) -> list[dict[str, str]]:
    people = [{"type": "Mention", "href": href, "name": handle} for handle, href in mentioned.items()]
    words = [
        {"type": "Hashtag", "href": f"{tag_base}{word.lower()}", "name": f"#{word}"} for word in hashtags_in(draft.text)
    ]
    return [*people, *words]


def attachment(item: Attached) -> dict[str, object]:
    """Return a file as AS2 attaches it (no labels yet)."""
    kind = {"image": "Image", "video": "Video", "audio": "Audio"}.get(item.media_type.partition("/")[0], "Document")
    document: dict[str, object] = {
        "type": kind,
        "mediaType": item.media_type,
        "url": item.url,
        "name": item.alt or None,
    }
    if item.width and item.height:
        document |= {"width": item.width, "height": item.height}
    return {name: value for name, value in document.items() if value is not None}


def tombstone(object_id: str, former_type: str, deleted: datetime) -> dict[str, object]:
    """Return what stands where an object was."""
    # AS2 types formerType as an IRI: at a bare "Note" JSON-LD libraries write the document afresh, without our terms.
    return {"id": object_id, "type": "Tombstone", "formerType": f"as:{former_type}", "deleted": rfc3339(deleted)}


def _inert(text: str) -> str:
    """Return text that readers who take it for HTML find no tag in, and those who take it for text the text.

    Mastodon shows a summary as it is, so that only what could be markup is escaped.
    """
    return html.escape(text, quote=False) if _MARKUP.search(text) else text
