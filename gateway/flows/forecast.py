"""What this gateway would do with a document that came in now: its peer's decision, and an activity's effects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.activitypub import effects as fx
from gateway.activitypub.composed import is_activity
from gateway.activitypub.properties import only_id
from gateway.activitypub.understand import understand
from gateway.errors import BadUrl, GatewayError
from gateway.flows.accuse import contradictions_in, merged
from gateway.flows.know import know
from gateway.flows.moderate import decision_about
from gateway.preferences import Auth, Declarant, DeclarantKind
from gateway.urls import same_origin, try_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.flows.specimen import Specimen

SAID = {
    "Ignore": "nothing happens",
    "Fetch": "a document is fetched from its origin first",
    "KeepObject": "the object is kept, with its preferences",
    "BuryObject": "the object is deleted for good",
    "KeepActor": "the actor is fetched afresh",
    "DropActor": "the account and everything of it is deleted",
    "RecordFollow": "the follow is recorded",
    "SettleFollow": "our follow request is answered",
    "ForgetFollow": "the follow ends",
    "Answer": "an Accept or Reject is sent",
    "RecordInteraction": "the like or boost is recorded",
    "ForgetInteraction": "the like or boost is taken back",
    "RecordBlock": "the block is recorded",
    "ForgetBlock": "the block ends",
    "RecordReport": "the report is shown to the admin",
    "MoveFollowers": "our followers of the old account ask the new one",
    "RememberUndone": "it is remembered as taken back",
}


def decision(kit: Kit, document: Mapping[str, object], specimen: Specimen) -> dict[str, Any]:
    """Return ``peer``, the decision ``about`` it, what an activity ``would`` do, and whom it ``accuses``."""
    speaker = only_id(document.get("actor", document.get("attributedTo"))) or specimen.url or ""
    origin = try_origin(speaker)
    ours = origin is not None and same_origin(speaker, kit.base)
    about = decision_about(kit, origin).as_json() if origin is not None and not ours else None
    declarant = Declarant(kind=DeclarantKind.UNKNOWN, id=speaker, auth=Auth.NONE)
    return {
        "peer": str(origin) if origin is not None else None,
        "about": about,
        "would": _effects(kit, document, specimen.body) if is_activity(document) else [],
        "accuses": merged(contradictions_in(kit, document, declarant)) if not ours else [],
    }


def _effects(kit: Kit, document: Mapping[str, object], body: bytes) -> list[dict[str, Any]]:
    try:
        activity, _ = understand(document, body, kit.reader())
        found = fx.effects(activity, know(kit, activity, {}, frozenset()))
    except (GatewayError, BadUrl) as error:
        return [refused(error)]
    return [_shown(effect) for effect in found]


def refused(error: GatewayError | BadUrl) -> dict[str, Any]:
    """Return that the document would be refused, and why."""
    return {"effect": "refuse", "reason": error.reason, "says": str(error)}


def _shown(effect: fx.Effect) -> dict[str, Any]:
    name = type(effect).__name__
    row: dict[str, Any] = {"effect": name, "says": SAID[name]}
    if isinstance(effect, fx.Ignore):
        row["reason"] = effect.reason
    elif isinstance(effect, fx.Fetch):
        row["reason"] = effect.url
    elif isinstance(effect, fx.Answer):
        row["reason"] = effect.kind
    return row
