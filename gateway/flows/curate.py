"""Adding to and removing from collections of one's own: pinned posts, and collections made through the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.composed import COLLECTION_TYPES
from gateway.activitypub.properties import only_id
from gateway.errors import BadInput, NotFound, Refused, Text
from gateway.flows import outbound, stating
from gateway.flows.see import check_reachable
from gateway.jsonld import strict
from gateway.jsonld.contexts import PUBLIC
from gateway.urls import same_origin, try_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.flows.outbound import Said
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

MAX_ITEMS = 1_000
MAX_PINNED = 20
NO_TARGET = Text("Add and Remove need an object and a target.", "AddとRemoveにはobjectとtargetが必要です。")
FULL = Text("This collection is full.", "このコレクションはいっぱいです。")


def curate(kit: Kit, account: Account, kind: str, document: Mapping[str, object], said: Said) -> Sent:
    """Add to or remove from a collection (sections 6.6, 6.7) and tell those it concerns.

    Raises BadInput, NotFound, or Refused for a target or object that is not allowed.
    """
    item, target = only_id(document.get("object")), only_id(document.get("target"))
    if item is None or target is None or try_origin(item) is None:
        raise BadInput(f"{kind} without object or target", detail=NO_TARGET)
    pinned = f"{account.id}/featured"
    _check_target(kit, account, target)
    if kind == "Add":
        _check_item(kit, account, item, pinned=target == pinned)
        _check_room(kit, account, target)
    elif item not in kit.store.collections.items(target):
        raise NotFound(f"{item} is not in {target}")
    to = [PUBLIC] if target == pinned and not said.addressed.everyone else []
    with kit.store.transaction():
        _apply(kit, kind, target, item)
        statements = stating.statements_about(kit, item) or stating.actor_statements(kit, account)
        return outbound.send(
            kit, account, kind, item, about=item, statements=statements, said=said,
            to=to, cc=[f"{account.id}/followers"] if to else [],
        )  # fmt: skip


def revert(kit: Kit, account: Account, done: Sent) -> None:
    """Take back what an Add or Remove of one's own did."""
    target = only_id(strict.read_object(done.body).get("target"))
    if target is None:
        return
    _check_target(kit, account, target)
    if done.type == "Remove":
        _check_item(kit, account, done.object, pinned=target == f"{account.id}/featured")
        _check_room(kit, account, target)
    _apply(kit, "Remove" if done.type == "Add" else "Add", target, done.object)


def _check_room(kit: Kit, account: Account, target: str) -> None:
    most = MAX_PINNED if target == f"{account.id}/featured" else MAX_ITEMS
    if kit.store.collections.size(target) >= most:
        raise BadInput(target, detail=FULL)


def _apply(kit: Kit, kind: str, target: str, item: str) -> None:
    if kind == "Add":
        kit.store.collections.add(target, item, kit.clock.now())
    else:
        kit.store.collections.remove(target, item)


def _check_target(kit: Kit, account: Account, target: str) -> None:
    if target == f"{account.id}/featured":
        return
    stored = kit.store.objects.get(target)
    own = stored is not None and stored.local and stored.owner == account.id and stored.deleted is None
    if stored is None or not own or stored.type not in COLLECTION_TYPES:
        raise Refused(f"{target} is no collection of {account.id} to be filled", code="not-the-owner")


def _check_item(kit: Kit, account: Account, item: str, *, pinned: bool) -> None:
    stored = kit.store.objects.get(item)
    if stored is None and same_origin(item, kit.base) and kit.store.accounts.by_id(item) is None:
        raise NotFound(item)
    check_reachable(kit, item, account.id)
    if pinned and (stored is None or stored.owner != account.id or not stored.visibility.is_open or stored.deleted):
        raise Refused(f"{item} cannot be pinned", code="not-pinnable")
