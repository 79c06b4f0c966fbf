"""What an author's own software says that does nothing here besides being kept and delivered; and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.activitypub.composed import fit
from gateway.activitypub.effects import MAX_REPORT
from gateway.activitypub.properties import id_of, ids_of, type_of
from gateway.activitypub.sanitise import clean_document, plain
from gateway.errors import BadInput
from gateway.flows import outbound, stating
from gateway.flows.asked import NO_OBJECT, said_on
from gateway.flows.see import check_reachable
from gateway.store.relations import Report
from gateway.urls import same_origin, try_origin

if TYPE_CHECKING:
    from gateway.flows.asked import Document
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent


async def pass_on(kit: Kit, account: Account, document: Document) -> Sent:
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
            kit, account, type_of(document), target, about=named, statements=statements, said=said_on(document)
        )


async def flag(kit: Kit, account: Account, document: Document) -> Sent:
    """Report somebody: what is about people or posts here goes to the admin, whoever is addressed."""
    listed = ids_of(document.get("object"))
    ours = tuple(item for item in listed if same_origin(item, kit.base))
    if not listed:
        raise BadInput("Flag without object", detail=NO_OBJECT)
    with kit.store.transaction():
        sent = await pass_on(kit, account, document)
        if ours:
            words = plain(str(document.get("content") or ""))[:MAX_REPORT]
            kit.store.relations.save_report(
                Report(id=kit.tids.next(), reporter=account.id, objects=ours, content=words, created=kit.clock.now(),
                       closed=None)
            )  # fmt: skip
    return sent
