"""What an author's own software asks for (ActivityPub, section 6): one handler a type of activity.

Every activity ends in the outbox and is delivered; types without a handler do nothing besides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from gateway.activitypub.addressing import FIELDS, NOBODY, Addressed, addressed_in
from gateway.activitypub.composed import ACTOR_MEMBERS, check_activity, fit, is_activity, types_of
from gateway.activitypub.effects import MAX_REPORT
from gateway.activitypub.properties import id_of, ids_of, only_id, type_of
from gateway.activitypub.sanitise import clean_document, plain
from gateway.carriers.jsonld_terms import TERMS
from gateway.errors import BadInput, NotFound, Refused, Text
from gateway.flows import (
    curate,
    discover,
    handles,
    interact,
    introduce,
    mention,
    outbound,
    publish,
    revise,
    stating,
    subscribe,
)
from gateway.flows.outbound import Said
from gateway.flows.see import check_reachable
from gateway.flows.wishes import wished
from gateway.jsonld.contexts import PUBLIC
from gateway.preferences import Preferences, narrowest
from gateway.store.relations import Report
from gateway.urls import same_origin, try_origin

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

Document: TypeAlias = Mapping[str, object]
_OURS = frozenset({"@context", "@id", "@type", "id", "type", "actor", "object", "published", "proof", "signature",
                   *TERMS, *FIELDS, *ACTOR_MEMBERS})  # fmt: skip

NO_OBJECT = Text("This activity needs an object.", "このアクティビティにはobjectが必要です。")
NOT_A_DOCUMENT = Text(
    "Create and Update need the object itself, not only its id.",
    "CreateとUpdateには、IDだけでなくオブジェクト本体が必要です。",
)
YOURSELF = Text("An account cannot do this to itself.", "自分自身に対しては行えません。")


async def submit(kit: Kit, account: Account, document: Document) -> Sent:
    """Do what the owner's software asks for and return the activity that tells of it.

    Raises BadInput, Refused, NotFound, Gone, TooLarge or RemoteUnreachable; then nothing was done.
    """
    types_of(document)
    if not is_activity(document):
        document = {"type": "Create", "object": document}
    check_activity(document)
    _check_actor(document.get("actor"), account)
    return await _HANDLERS.get(type_of(document), _pass_on)(kit, account, document)


def _check_actor(value: object, account: Account) -> None:
    if value is not None and only_id(value) != account.id:
        raise Refused(f"{account.id} does not speak for {value!r}"[:200], code="not-the-owner")


def _said(document: Document, addressed: Addressed | None = None) -> Said:
    """Return what the client wrote on the activity itself, cleaned."""
    given = fit({name: value for name, value in document.items() if name not in _OURS and value is not None})
    members = clean_document(given) if isinstance(given, Mapping) else {}
    return Said(members=members, addressed=addressed_in(document) if addressed is None else addressed)


def _target(document: Document) -> str:
    """Return the one object's id; raise BadInput when there is none."""
    found = only_id(document.get("object"))
    if found is None or try_origin(found) is None:
        raise BadInput(f"{type_of(document)} without object", detail=NO_OBJECT)
    return found


async def _create(kit: Kit, account: Account, document: Document) -> Sent:
    """Publish the object; activity and object are for the same people (section 6.2)."""
    given = document.get("object")
    if not isinstance(given, Mapping):
        raise BadInput("Create of an id", detail=NOT_A_DOCUMENT)
    _check_actor(given.get("attributedTo"), account)
    _check_actor(given.get("actor"), account)
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
    said = _said(document, addressed)
    return publish.create_composed(kit, account, given, wished(kit, given) or Preferences(), said)[1]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _mentions(people: tuple[tuple[str, str], ...], tags: object) -> list[dict[str, str]]:
    known = set(ids_of(tags))
    return [{"type": "Mention", "href": href, "name": name} for name, href in people if href not in known]


async def _update(kit: Kit, account: Account, document: Document) -> Sent:
    given = document.get("object")
    target = _target(document)
    if not isinstance(given, Mapping):
        raise BadInput("Update of an id", detail=NOT_A_DOCUMENT)
    if target == account.id:
        return introduce.change(kit, account, given, _said(document))
    before = revise.owned(kit, account, target)
    _check_actor(given.get("attributedTo"), account)
    patch = {name: value for name, value in given.items() if name not in ("id", *TERMS)}
    own = wished(kit, given)
    prefs = before.own_prefs if own is None else narrowest([own, account.prefs])
    return revise.patched(kit, account, before, patch, prefs, _said(document))[1]


async def _delete(kit: Kit, account: Account, document: Document) -> Sent:
    target = _target(document)
    if target == account.id:
        raise Refused("an account is deleted with: gateway account delete", code="command-line-only")
    return revise.delete(kit, account, target, _said(document))


async def _interact(kit: Kit, account: Account, document: Document) -> Sent:
    return await interact.interact(kit, account, type_of(document), _target(document), _said(document))


async def _person(kit: Kit, account: Account, target: str) -> str:
    """Return the id of somebody here or elsewhere; raise NotFound when there is nobody."""
    if target == account.id:
        raise BadInput(target, detail=YOURSELF)
    if same_origin(target, kit.base):
        return handles.here(kit, target)
    return (await discover.known_actor(kit, target)).id


async def _follow(kit: Kit, account: Account, document: Document) -> Sent:
    return subscribe.follow(kit, account, await _person(kit, account, _target(document)), _said(document))


async def _block(kit: Kit, account: Account, document: Document) -> Sent:
    return interact.block(kit, account, await _person(kit, account, _target(document)), _said(document))


async def _answer(kit: Kit, account: Account, document: Document) -> Sent:
    """Accept or reject a Follow of this account; any other offer is only answered."""
    value, target = document.get("object"), _target(document)
    known = kit.store.relations.follow_by_activity(target)
    if known is None and isinstance(value, Mapping) and type_of(value) == "Follow":
        known = kit.store.relations.follow(only_id(value.get("actor")) or "", account.id)
        if known is None:
            raise NotFound(f"nobody asked with {target}")
    if known is None:
        return await _pass_on(kit, account, document)
    if known.followed != account.id:
        raise Refused(f"{target} does not ask {account.id}", code="not-the-owner")
    sent = subscribe.answer_request(kit, account, known.follower, type_of(document), _said(document))
    if sent is None:
        raise NotFound(f"{target} was answered")
    return sent


async def _undo(kit: Kit, account: Account, document: Document) -> Sent:
    """Take back one of the account's own activities, named by id or by what it did."""
    value, said = document.get("object"), _said(document)
    named = id_of(value)
    done = kit.store.objects.activity(named) if named is not None else None
    if done is None and isinstance(value, Mapping) and "id" not in value:
        done = kit.store.objects.latest_activity(account.id, type_of(value), only_id(value.get("object")) or "")
    if done is None:
        raise NotFound(f"no activity {named}") if named else BadInput("Undo of nothing", detail=NO_OBJECT)
    if done.actor != account.id:
        raise Refused(f"{done.id} is not {account.id}'s", code="not-the-owner")
    if done.undone:
        raise NotFound(f"{done.id} was taken back already")
    return undone(kit, account, done, said)


def undone(kit: Kit, account: Account, done: Sent, said: Said) -> Sent:
    """Undo one of the account's activities with what it did; raise BadInput for what is deleted instead."""
    if done.type in ("Create", "Update", "Delete", "Undo"):
        raise BadInput(f"Undo of {done.type}", detail=Text("Use Delete or Update.", "DeleteかUpdateを使ってください。"))
    sent: Sent | None = None
    with kit.store.transaction():
        if done.type == "Follow":
            sent = subscribe.unfollow(kit, account, done.object, said)
        elif done.type == "Block":
            sent = interact.unblock(kit, account, done.object, said)
        elif done.type in ("Like", "Announce"):
            sent = interact.undo_interaction(kit, account, done.type, done.object, said)
        elif done.type in ("Add", "Remove"):
            curate.revert(kit, account, done)
        # What the activity did may be over already; that it is taken back is said all the same.
        return sent if sent is not None else outbound.undo(kit, account, done, said)


async def _curate(kit: Kit, account: Account, document: Document) -> Sent:
    return curate.curate(kit, account, type_of(document), document, _said(document))


async def _move(_kit: Kit, _account: Account, _document: Document) -> Sent:
    raise Refused("Move through the outbox", code="command-line-only")


async def _flag(kit: Kit, account: Account, document: Document) -> Sent:
    """Report somebody: what is about people or posts here goes to the admin, whoever is addressed."""
    listed = ids_of(document.get("object"))
    ours = tuple(item for item in listed if same_origin(item, kit.base))
    if not listed:
        raise BadInput("Flag without object", detail=NO_OBJECT)
    with kit.store.transaction():
        sent = await _pass_on(kit, account, document)
        if ours:
            words = plain(str(document.get("content") or ""))[:MAX_REPORT]
            kit.store.relations.save_report(
                Report(id=kit.tids.next(), reporter=account.id, objects=ours, content=words, created=kit.clock.now(),
                       closed=None)
            )  # fmt: skip
    return sent


async def _pass_on(kit: Kit, account: Account, document: Document) -> Sent:
    """Keep and deliver an activity that does nothing here (section 6.11)."""
    value = document.get("object")
    target: object = ids_of(value) if isinstance(value, list) else value
    named = id_of(value) or next(iter(ids_of(value)), "")
    if isinstance(value, Mapping):
        # Somebody else's object is named, never repeated: its labels are not ours to write.
        target = named if try_origin(named) is not None else fit(clean_document(value))
    if named and same_origin(named, kit.base):
        check_reachable(kit, named, account.id)
    statements = stating.statements_about(kit, named) or stating.actor_statements(kit, account)
    with kit.store.transaction():
        return outbound.send(
            kit, account, type_of(document), target, about=named, statements=statements, said=_said(document)
        )


Handler: TypeAlias = Callable[["Kit", "Account", Document], Awaitable["Sent"]]
_HANDLERS: dict[str, Handler] = {
    "Create": _create,
    "Update": _update,
    "Delete": _delete,
    "Follow": _follow,
    "Accept": _answer,
    "Reject": _answer,
    "Add": _curate,
    "Remove": _curate,
    "Like": _interact,
    "Announce": _interact,
    "Block": _block,
    "Flag": _flag,
    "Undo": _undo,
    "Move": _move,
}
