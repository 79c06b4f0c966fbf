"""What an author does: post, edit, delete, boost, like, block. Each in one transaction with its deliveries."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.labels import label
from gateway.activitypub.note import MAX_ALT, MAX_TEXT, Attached, Draft, note
from gateway.activitypub.properties import id_of, ids_of
from gateway.activitypub.sanitise import hashtags_in, mentions_in
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.errors import BadInput, GatewayError, Text
from gateway.flows import discover, handles, outbound, recipients
from gateway.jsonld.contexts import PUBLIC
from gateway.observe.logs import log
from gateway.preferences import NOTHING, Preferences, narrowest
from gateway.store.objects import MediaFile, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

MAX_WARNING = 1_000
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")  # the shape of BCP 47
MAX_MENTIONS = 50
MAX_ATTACHED = 16
ONE_SECOND = timedelta(seconds=1)  # times go out in whole seconds, and readers drop an edit that is not later


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to attach: its bytes, a name for its address, its alternative text."""

    content: bytes
    name: str
    alt: str = ""


def object_url(kit: Kit, tid: str) -> str:
    """Return the id of one of our objects."""
    return f"{kit.base}/posts/{tid}"


def page_url(kit: Kit, account: Account, tid: str) -> str:
    """Return the address of a post for people."""
    return f"{kit.base}/@{account.name}/{tid}"


async def create(
    kit: Kit, account: Account, draft: Draft, *, own: Preferences = NOTHING, uploads: Sequence[Upload] = ()
) -> tuple[Stored, Sent]:
    """Publish a post; ``own`` is what its author says about this post alone."""
    check(draft, uploads)
    tid = kit.tids.next()
    draft = replace(draft, mentioned=await mentioned_in(kit, draft))
    with kit.store.transaction():
        media = [_store_media(kit, account, upload, object_url(kit, tid)) for upload in uploads]
        draft = replace(draft, attached=(*draft.attached, *media))
        stored = save(kit, account, draft, tid, narrowest([own, account.prefs]))
        sent = announce(kit, account, "Create", stored)
    return stored, sent


def check(draft: Draft, uploads: Sequence[Upload]) -> None:
    """Raise BadInput for a draft that is empty or too long."""
    if not draft.text.strip() and not uploads:
        raise BadInput(detail=Text("A post needs text or a file.", "本文またはファイルが必要です。"))
    too_long = len(draft.text) > MAX_TEXT or any(len(upload.alt) > MAX_ALT for upload in uploads)
    too_long = too_long or len(draft.warning) > MAX_WARNING
    if draft.language and not _LANGUAGE.fullmatch(draft.language):
        raise BadInput(draft.language[:40], detail=Text("This is not a language tag.", "言語タグではありません。"))
    if too_long or len(uploads) > MAX_ATTACHED:
        raise BadInput(detail=Text("The post is too long.", "投稿が長すぎます。"))


def save(kit: Kit, account: Account, draft: Draft, tid: str, own: Preferences, before: Stored | None = None) -> Stored:
    """Make the labelled Note of a draft and keep it; ``own`` are its author's words, ``before`` what it replaces."""
    now = kit.clock.now()
    published = before.published if before is not None else now
    edited = None if before is None else max(now, (before.updated or published) + ONE_SECOND)
    bare = note(
        draft, object_id=object_url(kit, tid), author=account.id, page=page_url(kit, account, tid),
        published=published, tag_base=kit.tag_base, updated=edited,
    )  # fmt: skip
    stored = Stored(
        id=object_url(kit, tid),
        local=True,
        type="Note",
        owner=account.id,
        visibility=draft.visibility,
        document=bare,
        prefs=NOTHING,
        own_prefs=own,
        published=published,
        in_reply_to=draft.reply_to,
        updated=edited,
    )
    statements = outbound.local_statements(kit, account, stored)
    stored = replace(stored, document=label(bare, statements), prefs=combined_at_home(statements))
    kit.store.objects.save(stored, hashtags_in(draft.text))
    return stored


def announce(kit: Kit, account: Account, kind: str, stored: Stored) -> Sent:
    """Send Create or Update of a stored object to everybody it concerns, past recipients included."""
    document = stored.document
    people = [address for address in ids_of(document.get("to")) + ids_of(document.get("cc")) if address != PUBLIC]
    direct = stored.visibility is Visibility.DIRECT
    inboxes = [] if direct else recipients.follower_inboxes(kit, account)
    for person in people:
        inboxes += recipients.inbox_of(kit, person, shared=not direct)
    if kind != "Create":
        inboxes += kit.store.objects.recipients(stored.id)
    return outbound.send(
        kit, account, kind, document, about=stored.id,
        statements=outbound.local_statements(kit, account, stored),
        inboxes=inboxes, to=ids_of(document.get("to")), cc=ids_of(document.get("cc")), visibility=stored.visibility,
    )  # fmt: skip


async def mentioned_in(kit: Kit, draft: Draft) -> tuple[tuple[str, str], ...]:
    """Resolve the handles in the text, and the author who is replied to."""
    found = dict(draft.mentioned)
    for handle in mentions_in(draft.text)[:MAX_MENTIONS]:
        if handle not in found and (actor := await _person(kit, handle)) is not None:
            found[handle] = actor
    if draft.reply_to is not None and (replied := await _author_of(kit, draft.reply_to)) is not None:
        handle, actor = replied
        if actor not in found.values():
            found[handle] = actor
    return tuple(found.items())


async def _person(kit: Kit, handle: str) -> str | None:
    name, _, host = handle.removeprefix("@").partition("@")
    if host.lower() == kit.settings.domain:
        account = kit.store.accounts.by_name(name)
        return account.id if account is not None and account.deleted is None else None
    try:
        return (await handles.resolve(kit, handle)).id
    except GatewayError as error:
        log().info("mention", handle=handle, problem=str(error))
        return None


async def _author_of(kit: Kit, object_id: str) -> tuple[str, str] | None:
    stored = kit.store.objects.get(object_id)
    if stored is not None:
        if stored.local:
            return None
        author = stored.owner
    else:
        document, _ = await discover.document_at(kit, object_id)
        author = id_of(document.get("attributedTo")) or ""
    actor = await discover.known_actor(kit, author)
    return f"@{actor.name}@{actor.origin.partition('://')[2]}", actor.id


def _store_media(kit: Kit, account: Account, upload: Upload, object_id: str) -> Attached:
    blob = kit.files.put(upload.content)
    # Followers' pictures are as private as their address is hard to guess.
    media_id = f"{kit.tids.next()}{secrets.token_hex(8)}"
    name = safe_name(upload.name)
    kit.store.objects.save_media(
        MediaFile(
            id=media_id, owner=account.id, name=name, media_type=blob.media_type, size=blob.size, sha256=blob.sha256,
            alt=upload.alt, created=kit.clock.now(), object=object_id,
        )
    )  # fmt: skip
    return Attached(
        url=f"{kit.base}/media/{media_id}/{name}", media_type=blob.media_type, alt=upload.alt,
        width=blob.width, height=blob.height,
    )  # fmt: skip


def safe_name(name: str) -> str:
    """Return a file name fit for a URL."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in name.rpartition("/")[2])
    return kept.strip(".-")[-80:] or "file"
