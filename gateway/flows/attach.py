"""Files of posts: kept by the hash of their content, and linked to the post that shows them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.note import Attached
from gateway.errors import Refused
from gateway.store.objects import MediaFile
from gateway.urls import same_origin

if TYPE_CHECKING:
    from typing import BinaryIO

    from gateway.flows.kit import Kit
    from gateway.media.files import Blob
    from gateway.store.accounts import Account

MAX_LISTED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to attach: its bytes, a name for its address, its alternative text."""

    content: bytes
    name: str
    alt: str = ""


def store(kit: Kit, content: BinaryIO) -> Blob:
    """Keep the content of an uploaded file; raise TooLarge or UnsupportedMediaType. May block."""
    return kit.files.put(content)


def keep(
    kit: Kit, account: Account, blob: Blob, name: str, alt: str, object_id: str | None = None
) -> Attached:  # fmt: skip
    """Describe a stored file of an account; ``object_id`` is the post that it belongs to, when there is one already."""
    # Followers' pictures are as private as their address is hard to guess.
    media_id = f"{kit.tids.next()}{secrets.token_hex(8)}"
    name = safe_name(name)
    kit.store.objects.save_media(
        MediaFile(
            id=media_id, owner=account.id, name=name, media_type=blob.media_type, size=blob.size, sha256=blob.sha256,
            alt=alt, created=kit.clock.now(),
        )
    )  # fmt: skip
    if object_id is not None:
        kit.store.objects.link_media(media_id, object_id)
    return Attached(
        url=f"{kit.base}/media/{media_id}/{name}", media_type=blob.media_type, alt=alt,
        width=blob.width, height=blob.height,
    )  # fmt: skip


def link(kit: Kit, account: Account, document: Mapping[str, object], object_id: str) -> None:
    """Make the uploaded files that a document names files of that object; raise Refused for somebody else's."""
    for media in _named(kit, document):
        if media.owner != account.id:
            raise Refused(f"{media.id} was uploaded by {media.owner}", code="not-the-owner")
        kit.store.objects.link_media(media.id, object_id)


def _named(kit: Kit, document: object) -> list[MediaFile]:
    """Return the uploaded files whose addresses stand anywhere in a document, in whatever spelling."""
    found: dict[str, MediaFile] = {}
    waiting: list[object] = [document]
    while waiting and len(found) < MAX_LISTED:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and "/media/" in value and same_origin(value, kit.base):
            media = kit.store.objects.media(value.partition("/media/")[2].partition("/")[0])
            if media is not None:
                found[media.id] = media
    return list(found.values())


def safe_name(name: str) -> str:
    """Return a file name fit for a URL."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name.rpartition("/")[2])
    return kept.strip(".-")[-80:] or "file"
