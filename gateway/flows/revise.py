"""Changing what was published: edits and deletions reach everybody who ever got it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import FIELDS, Addressed, Visibility, addressed_in, addresses
from gateway.activitypub.composed import composed, merged
from gateway.activitypub.labels import label
from gateway.activitypub.note import tombstone
from gateway.activitypub.sanitise import clean_document, to_html
from gateway.errors import Gone, NotFound, Refused
from gateway.flows import attach, outbound, recipients, stating
from gateway.flows.limits import check, check_length
from gateway.flows.mention import mentioned_in
from gateway.flows.outbound import NOTHING_MORE, Said
from gateway.flows.publish import announce, edited_at, noted, save, where
from gateway.flows.redraft import is_drafted, redraft
from gateway.preferences import narrowest

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Change a post's text, warning or preferences; everybody who ever got it gets the change.

    A change of preferences alone leaves everything else as it is, whoever composed it.
    """
    before = owned(kit, account, object_id)
    prefs = before.own_prefs if own is None else narrowest([own, account.prefs])
    draft = redraft(before)
    if (text is None and warning is None) or not is_drafted(before, draft):
        patch: dict[str, object] = {} if text is None else {"content": to_html(text, {}, kit.tag_base)}
        patch |= {} if warning is None else {"summary": warning or None, "sensitive": bool(warning)}
        return patched(kit, account, before, patch, prefs)
    if text is not None:
        draft = replace(draft, text=text, mentioned=())
    if warning is not None:
        draft = replace(draft, warning=warning)
    check(draft, [])
    draft = replace(draft, mentioned=await mentioned_in(kit, account, draft.text, draft.reply_to, draft.mentioned))
    with kit.store.transaction():
        bare = noted(kit, account, draft, object_id.rpartition("/")[2], before)
        stored = save(kit, account, bare, draft.visibility, prefs, before)
        sent = announce(kit, account, "Update", stored)
    return stored, sent


def patched(
    kit: Kit, account: Account, before: Stored, patch: Mapping[str, object], prefs: Preferences,
    said: Said = NOTHING_MORE,
) -> tuple[Stored, Sent]:  # fmt: skip
    """Replace the members that ``patch`` names (ActivityPub, section 6.3.1); ``prefs`` are the author's words."""
    whole = merged(before.document, clean_document(patch))
    addressed = addressed_in(whole)
    readdressed = bool(patch.keys() & set(FIELDS))
    bare = composed(
        whole, addressed, where(kit, account, before.id), published=before.published, updated=edited_at(kit, before)
    )
    check_length(bare)
    visibility = addressed.visibility(f"{account.id}/followers") if readdressed else before.visibility
    hidden = Said(members=said.members, addressed=said.addressed + Addressed(hidden=addressed.hidden))
    with kit.store.transaction():
        attach.link(kit, account, bare, before.id)
        stored = save(kit, account, bare, visibility, prefs, before)
        if readdressed:
            _withdraw(kit, account, stored, addressed)
        sent = announce(kit, account, "Update", stored, hidden)
    return stored, sent


def _withdraw(kit: Kit, account: Account, stored: Stored, addressed: Addressed) -> None:
    """Take a post back from whom it is no longer for: they must not get its new version, and lose the old one."""
    before = kit.store.objects.recipients(stored.id)
    shared = recipients.reach(kit, account, addressed.everyone, shared=True).inboxes
    direct = recipients.reach(kit, account, addressed.everyone, shared=False).inboxes
    # One inbox a person, the one that it goes to from now on; whoever has it by another inbox keeps it.
    narrow = direct if stored.visibility is Visibility.DIRECT else shared
    kit.store.objects.readdress(
        stored.id, stored.visibility, addressed.named, before if stored.visibility.is_open else narrow
    )
    dropped = [inbox for inbox in before if inbox not in {*shared, *direct}] if not stored.visibility.is_open else []
    if dropped:
        grave = tombstone(stored.id, stored.type, kit.clock.now())
        statements = stating.local_statements(kit, account, stored)
        outbound.send(
            kit, account, "Delete", grave, about=stored.id, statements=statements, also=dropped,
            visibility=Visibility.DIRECT,
        )  # fmt: skip


def delete(kit: Kit, account: Account, object_id: str, said: Said = NOTHING_MORE) -> Sent:
    """Delete a post; a Tombstone with its last preferences stays, everybody who got it is told."""
    before = owned(kit, account, object_id)
    now = kit.clock.now()
    statements = stating.local_statements(kit, account, replace(before, deleted=now))
    grave = label(tombstone(object_id, before.type, now), statements)
    to, cc = addresses(before.visibility, f"{account.id}/followers", [])
    people = addressed_in(before.document).everyone
    hidden = Addressed(hidden=(*kit.store.objects.hidden_recipients(object_id), *people))
    with kit.store.transaction():
        kit.store.collections.remove_everywhere(object_id)
        kit.store.objects.save(
            replace(before, type="Tombstone", document=grave, deleted=now, updated=now, in_reply_to=before.in_reply_to)
        )
        return outbound.send(
            kit, account, "Delete", grave, about=object_id, statements=statements,
            also=kit.store.objects.recipients(object_id), to=to, cc=cc, visibility=before.visibility,
            said=replace(said, addressed=said.addressed + hidden),
        )  # fmt: skip
