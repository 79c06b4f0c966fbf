"""What an activity from an author's own software says, member by member, before anything is done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from gateway.activitypub.addressing import FIELDS, Addressed, addressed_in
from gateway.activitypub.composed import ACTOR_MEMBERS, fit
from gateway.activitypub.properties import only_id, type_of
from gateway.activitypub.sanitise import clean_document
from gateway.carriers.jsonld_terms import TERMS
from gateway.errors import BadInput, Refused, Text
from gateway.flows.outbound import Said
from gateway.urls import try_origin

if TYPE_CHECKING:
    from gateway.store.accounts import Account

Document: TypeAlias = Mapping[str, object]
_OURS = frozenset({"@context", "@id", "@type", "id", "type", "actor", "object", "published", "proof", "signature",
                   *TERMS, *FIELDS, *ACTOR_MEMBERS})  # fmt: skip

NO_OBJECT = Text("This activity needs an object.", "このアクティビティにはobjectが必要です。")


def check_actor(value: object, account: Account) -> None:
    """Raise Refused when somebody else is named as the one who acts."""
    if value is not None and only_id(value) != account.id:
        raise Refused(f"{account.id} does not speak for {value!r}"[:200], code="not-the-owner")


def said_on(document: Document, addressed: Addressed | None = None) -> Said:
    """Return what the client wrote on the activity itself, cleaned."""
    given = fit({name: value for name, value in document.items() if name not in _OURS and value is not None})
    members = clean_document(given) if isinstance(given, Mapping) else {}
    return Said(members=members, addressed=addressed_in(document) if addressed is None else addressed)


def target_of(document: Document) -> str:
    """Return the one object's id; raise BadInput when there is none."""
    found = only_id(document.get("object"))
    if found is None or try_origin(found) is None:
        raise BadInput(f"{type_of(document)} without object", detail=NO_OBJECT)
    return found
