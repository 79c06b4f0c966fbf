"""Changing what was published: edits and deletions reach everybody who ever got it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility, addresses
from gateway.activitypub.labels import label
from gateway.activitypub.note import Attached, Draft, tombstone
from gateway.errors import Gone, NotFound, Refused
from gateway.flows import outbound, recipients
from gateway.flows.publish import announce, check, mentioned_in, save
from gateway.preferences import narrowest

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.preferences import Preferences
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent, Stored


def owned(kit: Kit, account: Account, object_id: str) -> Stored:
    """Return a living object of ``account``; raise NotFound, Gone or Refused."""
    stored = kit.store.objects.get(object_id)
    if stored is None:
        raise NotFound(object_id)
    if stored.owner != account.id:
        raise Refused(f"{account.id} does not own {object_id}", code="not-the-owner")
    if stored.deleted is not None:
        raise Gone(object_id)
    return stored


async def edit(
    kit: Kit, account: Account, object_id: str, *, text: str | None = None, own: Preferences | None = None,
    warning: str | None = None,
) -> tuple[Stored, Sent]:  # fmt: skip
    """Change a post's text, warning or preferences; everybody who ever got it gets the change."""
    before = owned(kit, account, object_id)
    draft = redraft(before)
    if text is not None:
        draft = replace(draft, text=text, mentioned=())
    if warning is not None:
        draft = replace(draft, warning=warning)
    check(draft, [])
    draft = replace(draft, mentioned=await mentioned_in(kit, draft))
    with kit.store.transaction():
        prefs = before.own_prefs if own is None else narrowest([own, account.prefs])
        stored = save(kit, account, draft, object_id.rpartition("/")[2], prefs, before)
        sent = announce(kit, account, "Update", stored)
    return stored, sent


def redraft(stored: Stored) -> Draft:
    """Return the draft that a stored post was made from."""
    document = stored.document
    source, tags, attached = document.get("source"), document.get("tag"), document.get("attachment")
    mentions = [t for t in tags if isinstance(t, dict) and t.get("type") == "Mention"] if isinstance(tags, list) else []
    languages = document.get("contentMap")
    return Draft(
        text=str(source.get("content", "")) if isinstance(source, dict) else "",
        visibility=stored.visibility,
        warning=str(document.get("summary") or ""),
        language=next(iter(languages), "") if isinstance(languages, dict) else "",
        reply_to=stored.in_reply_to,
        mentioned=tuple((str(t["name"]), str(t["href"])) for t in mentions),
        attached=tuple(
            Attached(
                url=str(a["url"]), media_type=str(a["mediaType"]), alt=str(a.get("name", "")),
                width=a.get("width"), height=a.get("height"),
            )
            for a in (attached if isinstance(attached, list) else [])
        ),
    )  # fmt: skip


def delete(kit: Kit, account: Account, object_id: str) -> Sent:
    """Delete a post; a Tombstone with its last preferences stays, everybody who got it is told."""
    before = owned(kit, account, object_id)
    now = kit.clock.now()
    statements = outbound.local_statements(kit, account, replace(before, deleted=now))
    grave = label(tombstone(object_id, before.type, now), statements)
    to, cc = addresses(before.visibility, f"{account.id}/followers", [])
    inboxes = [*kit.store.objects.recipients(object_id)]
    if before.visibility is not Visibility.DIRECT:
        inboxes += recipients.follower_inboxes(kit, account)
    with kit.store.transaction():
        kit.store.objects.save(
            replace(before, type="Tombstone", document=grave, deleted=now, updated=now, in_reply_to=before.in_reply_to)
        )
        return outbound.send(
            kit, account, "Delete", grave, about=object_id, statements=statements, inboxes=inboxes, to=to, cc=cc,
            visibility=before.visibility,
        )  # fmt: skip
