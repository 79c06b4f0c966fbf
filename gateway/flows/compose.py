"""An author's own software publishes, changes and deletes objects (ActivityPub, sections 6.2 to 6.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import FIELDS, NOBODY, Addressed, addressed_in
from gateway.activitypub.properties import ids_of
from gateway.activitypub.sanitise import plain
from gateway.carriers.jsonld_terms import TERMS
from gateway.errors import BadInput, Refused, Text
from gateway.flows import introduce, mention, publish, revise
from gateway.flows.asked import check_actor, said_on, target_of
from gateway.flows.see import check_reachable
from gateway.flows.wishes import wished
from gateway.jsonld.contexts import PUBLIC
from gateway.preferences import Preferences, narrowest

if TYPE_CHECKING:
    from gateway.flows.asked import Document
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

NOT_A_DOCUMENT = Text(
    "Create and Update need the object itself, not only its id.",
    "CreateとUpdateには、IDだけでなくオブジェクト本体が必要です。",
)


async def create(kit: Kit, account: Account, document: Document) -> Sent:
    """Publish the object; activity and object are for the same people (section 6.2)."""
    given = document.get("object")
    if not isinstance(given, Mapping):
        raise BadInput("Create of an id", detail=NOT_A_DOCUMENT)
    check_actor(given.get("attributedTo"), account)
    check_actor(given.get("actor"), account)
    reply_to = next(iter(ids_of(given.get("inReplyTo"))), None)
    addressed = addressed_in(document) + addressed_in(given)
    if addressed == NOBODY and not any(name in source for name in FIELDS for source in (document, given)):
        # Nobody was named, openly or not: it is for everybody, and for those whom it speaks to.
        text = plain(str(given.get("content") or ""))
        people = await mention.mentioned_in(kit, account, text, reply_to)
        followers = f"{account.id}/followers"
        addressed = Addressed(to=(PUBLIC,), cc=(followers, *(actor for _, actor in people)))
        given = {**given, "tag": [*_listed(given.get("tag")), *_mentions(people, given.get("tag"))]}
    elif reply_to is not None:
        check_reachable(kit, reply_to, account.id)
    said = said_on(document, addressed)
    return publish.create_composed(kit, account, given, wished(kit, given, document) or Preferences(), said)[1]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _mentions(people: tuple[tuple[str, str], ...], tags: object) -> list[dict[str, str]]:
    known = set(ids_of(tags))
    return [{"type": "Mention", "href": href, "name": name} for name, href in people if href not in known]


async def update(kit: Kit, account: Account, document: Document) -> Sent:
    """Replace the members that the client names, of an object or of the account itself (section 6.3)."""
    given = document.get("object")
    target = target_of(document)
    if not isinstance(given, Mapping):
        raise BadInput("Update of an id", detail=NOT_A_DOCUMENT)
    if target == account.id:
        return introduce.change(kit, account, given, said_on(document))
    before = revise.owned(kit, account, target)
    check_actor(given.get("attributedTo"), account)
    patch = {name: value for name, value in given.items() if name not in ("id", *TERMS)}
    own = wished(kit, given, document)
    prefs = before.own_prefs if own is None else narrowest([own, account.prefs])
    return revise.patched(kit, account, before, patch, prefs, said_on(document))[1]


async def delete(kit: Kit, account: Account, document: Document) -> Sent:
    """Leave a Tombstone where the object was (section 6.4)."""
    target = target_of(document)
    if target == account.id:
        raise Refused("an account is deleted with: gateway account delete", code="command-line-only")
    return revise.delete(kit, account, target, said_on(document))
