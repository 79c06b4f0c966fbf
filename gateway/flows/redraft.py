"""The draft that a stored post was made from, and whether it makes that post again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.addressing import FIELDS, addresses
from gateway.activitypub.note import DRAFTED, Attached, Draft
from gateway.activitypub.properties import ids_of
from gateway.activitypub.sanitise import plain

if TYPE_CHECKING:
    from gateway.store.objects import Stored


def redraft(stored: Stored) -> Draft:
    """Return the draft that a stored post was made from."""
    document = stored.document
    source, tags, attached = document.get("source"), document.get("tag"), document.get("attachment")
    mentions = [t for t in tags if isinstance(t, dict) and t.get("type") == "Mention"] if isinstance(tags, list) else []
    languages = document.get("contentMap")
    written = source.get("content") if isinstance(source, dict) else None
    return Draft(
        text=written if isinstance(written, str) else plain(str(document.get("content") or "")),
        visibility=stored.visibility,
        warning=str(document.get("summary") or ""),
        language=next(iter(languages), "") if isinstance(languages, dict) else "",
        reply_to=stored.in_reply_to,
        mentioned=tuple((str(t.get("name")), str(t.get("href"))) for t in mentions),
        attached=tuple(
            Attached(
                url=ids_of(a["url"])[0], media_type=str(a.get("mediaType", "")), alt=str(a.get("name", "")),
                width=a.get("width"), height=a.get("height"),
            )
            for a in (attached if isinstance(attached, list) else [attached])
            if isinstance(a, dict) and ids_of(a.get("url"))
        ),
    )  # fmt: skip


def is_drafted(before: Stored, draft: Draft) -> bool:
    """Tell whether a post is a Note that its draft makes again: not so what other software composed."""
    people = [actor for _, actor in draft.mentioned]
    to, cc = addresses(draft.visibility, f"{before.owner}/followers", people)
    named = {found for name in FIELDS for found in ids_of(before.document.get(name))}
    source = before.document.get("source")
    plain_source = isinstance(source, dict) and source.get("mediaType") == "text/plain"
    return before.type == "Note" and plain_source and named == {*to, *cc} and before.document.keys() <= DRAFTED
