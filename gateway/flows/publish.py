"""What an author publishes: from a draft, or as their own software composed it. One transaction with its deliveries."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Addressed
from gateway.activitypub.composed import Where, composed
from gateway.activitypub.labels import label
from gateway.activitypub.note import note
from gateway.activitypub.properties import hashtags_of, id_of, ids_of, type_of
from gateway.activitypub.sanitise import clean_document
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.flows import attach, outbound, stating
from gateway.flows.limits import check, check_length
from gateway.flows.mention import mentioned_in
from gateway.flows.outbound import NOTHING_MORE, Said
from gateway.preferences import NOTHING, Preferences, narrowest
from gateway.store.objects import Stored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gateway.activitypub.addressing import Visibility
    from gateway.activitypub.note import Draft
    from gateway.flows.attach import Upload
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

ONE_SECOND = timedelta(seconds=1)  # times go out in whole seconds, and readers drop an edit that is not later


def object_url(kit: Kit, tid: str) -> str:
    """Return the id of one of our objects."""
    return f"{kit.base}/posts/{tid}"


def page_url(kit: Kit, account: Account, tid: str) -> str:
    """Return the address of a post for people."""
    return f"{kit.base}/@{account.name}/{tid}"


def where(kit: Kit, account: Account, object_id: str) -> Where:
    """Return where one of an account's objects stands."""
    page = page_url(kit, account, object_id.rpartition("/")[2])
    return Where(object_id=object_id, author=account.id, page=page, tag_base=kit.tag_base)


async def create(
    kit: Kit, account: Account, draft: Draft, *, own: Preferences = NOTHING, uploads: Sequence[Upload] = ()
) -> tuple[Stored, Sent]:
    """Publish a post; ``own`` is what its author says about this post alone."""
    check(draft, uploads)
    tid = kit.tids.next()
    draft = replace(draft, mentioned=await mentioned_in(kit, account, draft.text, draft.reply_to, draft.mentioned))
    blobs = [await asyncio.to_thread(attach.store, kit, BytesIO(upload.content)) for upload in uploads]
    with kit.store.transaction():
        media = [
            attach.keep(kit, account, blob, upload.name, upload.alt, object_url(kit, tid))
            for blob, upload in zip(blobs, uploads, strict=True)
        ]
        draft = replace(draft, attached=(*draft.attached, *media))
        stored = save(kit, account, noted(kit, account, draft, tid), draft.visibility, narrowest([own, account.prefs]))
        sent = announce(kit, account, "Create", stored)
    return stored, sent


def create_composed(
    kit: Kit, account: Account, given: Mapping[str, object], own: Preferences, said: Said
) -> tuple[Stored, Sent]:
    """Publish an object as the author's own software composed it, for whom ``said`` addresses."""
    tid = kit.tids.next()
    bare = composed(
        clean_document(given), said.addressed, where(kit, account, object_url(kit, tid)), published=kit.clock.now()
    )
    check_length(bare)
    visibility = said.addressed.visibility(f"{account.id}/followers")
    with kit.store.transaction():
        attach.link(kit, account, bare, str(bare["id"]))
        stored = save(kit, account, bare, visibility, narrowest([own, account.prefs]))
        sent = announce(kit, account, "Create", stored, said)
    return stored, sent


def noted(kit: Kit, account: Account, draft: Draft, tid: str, before: Stored | None = None) -> dict[str, object]:
    """Return the Note of a draft; ``before`` is what it replaces."""
    return note(
        draft, object_id=object_url(kit, tid), author=account.id, page=page_url(kit, account, tid),
        published=before.published if before is not None else kit.clock.now(), tag_base=kit.tag_base,
        updated=edited_at(kit, before) if before is not None else None,
    )  # fmt: skip


def edited_at(kit: Kit, before: Stored) -> datetime:
    """Return the time of an edit: now, and later than the version before for readers that count seconds."""
    return max(kit.clock.now(), (before.updated or before.published) + ONE_SECOND)


def save(
    kit: Kit, account: Account, bare: Mapping[str, object], visibility: Visibility, own: Preferences,
    before: Stored | None = None,
) -> Stored:  # fmt: skip
    """Label an object and keep it; ``own`` are its author's words, ``before`` what it replaces."""
    stored = Stored(
        id=str(bare["id"]),
        local=True,
        type=type_of(bare),
        owner=account.id,
        visibility=visibility,
        document=bare,
        prefs=NOTHING,
        own_prefs=own,
        published=before.published if before is not None else kit.clock.now(),
        in_reply_to=id_of(bare.get("inReplyTo")),
        updated=edited_at(kit, before) if before is not None else None,
    )
    statements = stating.local_statements(kit, account, stored)
    stored = replace(stored, document=label(bare, statements), prefs=combined_at_home(statements))
    kit.store.objects.save(stored, hashtags_of(bare))
    return stored


def announce(kit: Kit, account: Account, kind: str, stored: Stored, said: Said = NOTHING_MORE) -> Sent:
    """Send Create or Update of a stored object to everybody it concerns, past and hidden recipients included."""
    document = stored.document
    hidden = tuple(kit.store.objects.hidden_recipients(stored.id)) if kind != "Create" else ()
    more = Addressed(audience=tuple(ids_of(document.get("audience"))), hidden=hidden)
    also = kit.store.objects.recipients(stored.id) if kind != "Create" else []
    return outbound.send(
        kit, account, kind, document, about=stored.id, statements=stating.local_statements(kit, account, stored),
        also=also, to=ids_of(document.get("to")), cc=ids_of(document.get("cc")), visibility=stored.visibility,
        said=replace(said, addressed=said.addressed + more),
    )  # fmt: skip
