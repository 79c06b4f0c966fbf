"""Judging a captured request again, offline, with the same steps as the live 401."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.activitypub import bounds
from gateway.activitypub.understand import actor_of, id_checked
from gateway.clock import rfc3339
from gateway.errors import GatewayError, MalformedDocument, MalformedSignature
from gateway.flows import relayed
from gateway.flows.inbound import is_about_a_stranger
from gateway.flows.moderate import decision_about
from gateway.jsonld import strict
from gateway.signatures import cavage, message, owner, verify
from gateway.signatures.verdict import Checks, Step
from gateway.urls import same_origin, try_origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.flows.kit import Kit
    from gateway.flows.offline import Keys
    from gateway.signatures.capture import Captured
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Verdict
    from gateway.signatures.verify import Opened

IGNORED = "nobody here knows the actor, who deletes or changes itself"
COLLECTIONS = (
    "/outbox", "/inbox", "/followers", "/following", "/liked", "/featured", "/replies", "/likes", "/shares",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the gateway would have answered: a status, a code, each check, and the text that was signed."""

    request: SignedRequest
    at: datetime
    status: int
    code: str
    detail: str
    scheme: str
    key_id: str
    actor: str
    key_from: str | None
    steps: tuple[Step, ...]
    signing_string: str | None

    @property
    def ok(self) -> bool:
        """Tell whether the signature holds, and the request would have been taken."""
        return self.status < 400  # noqa: PLR2004 - RFC 9110

    def as_json(self) -> dict[str, Any]:
        """Return it as it is printed."""
        failed = next((step.name for step in self.steps if not step.ok), None)
        return {
            "request": {"method": self.request.method, "target": self.request.target, "bytes": len(self.request.body)},
            "at": rfc3339(self.at),
            "ok": self.ok,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "scheme": self.scheme,
            "keyId": self.key_id,
            "keyFrom": self.key_from,
            "actor": self.actor,
            "failed": failed,
            "steps": [step.as_json() for step in self.steps],
            "signingString": self.signing_string,
        }


def replay(kit: Kit, captured: Captured, keys: Keys, at: datetime | None = None) -> Replayed:
    """Judge one captured request at a time: the one given, the capture's own, or now."""
    request, now = captured.request, at or captured.at or kit.clock.now()
    try:
        document = strict.read_object(request.body) if request.method == "POST" else None
        bounds.check(document or {})
        opened = verify.open_request(request, now)
        actor = actor_of(document) if document is not None else None
    except (MalformedDocument, MalformedSignature) as error:
        return _unreadable(request, now, error)
    is_for_us = same_origin(request.target, kit.base)
    known = keys.find(opened.key_id, actor, captured.keys, now, is_for_us=is_for_us) if opened.ok else (None, None)
    key, source = known
    foreign = actor is not None and not owner.may_speak(opened.key_id, actor)
    is_collection = request.path_and_query.partition("?")[0].endswith(COLLECTIONS)
    verdict = verify.close(opened, None if foreign else key, actor, is_collection=is_collection)
    if actor is not None and document is not None and "proof" in document and opened.ok and not verdict.ok:
        find = functools.partial(keys.find, captured=captured.keys, now=now)
        verdict = relayed.judge_offline(kit, opened, document, actor, verdict, find, now)
    refusal = _refusal(kit, {actor or verdict.actor, opened.key_id}) if opened.ok else None
    is_ignored = document is not None and verify.is_signed(request) and is_about_a_stranger(kit, document, actor or "")
    status, code, detail = refusal or _answer(document, actor, verdict)
    detail += f"; the live answer is 202 without looking: {IGNORED}" if is_ignored else ""
    return Replayed(
        request=request, at=now, status=status, code=code, detail=detail, scheme=verdict.scheme,
        key_id=verdict.key_id, actor=actor or verdict.actor, key_from=source, steps=verdict.steps,
        signing_string=signing_string(opened),
    )  # fmt: skip


def _refusal(kit: Kit, speakers: set[str]) -> tuple[int, str, str] | None:
    """Return the 403 that comes before the signature is judged: the actor's server, and the key's."""
    for speaker in sorted(speakers):
        origin = try_origin(speaker)
        if origin is None or same_origin(speaker, kit.base):
            continue
        decision = decision_about(kit, origin)
        if decision.refuses:
            return 403, decision.reason.value, "this gateway refuses the peer"
    return None


def _answer(document: Mapping[str, object] | None, actor: str | None, verdict: Verdict) -> tuple[int, str, str]:
    """Return status, code and reason of the live answer after the signature was judged."""
    if not verdict.ok:
        return 401, "not-authenticated", "a check does not hold"
    if document is None:
        return 200, "ok", "every check holds"
    try:
        id_checked(document, actor or verdict.actor)
    except GatewayError as error:
        return error.status, error.reason, str(error)
    return 202, "ok", "every check holds"


def _unreadable(request: SignedRequest, now: datetime, error: GatewayError) -> Replayed:
    """Return the 400: what could not be parsed, as the one step that failed."""
    checks = Checks()
    name = "headers" if isinstance(error, MalformedSignature) else "body"
    checks.check(name, "can be parsed", str(error), ok=False)
    return Replayed(
        request=request, at=now, status=error.status, code=error.reason, detail=str(error), scheme="none", key_id="",
        actor="", key_from=None, steps=tuple(checks.steps), signing_string=None,
    )  # fmt: skip


def signing_string(opened: Opened) -> str | None:
    """Return the text that the signature is over, as it follows from the request; None when it has none."""
    try:
        if isinstance(opened.signature, message.MessageSignature):
            signature = opened.signature
            return message.signature_base(signature.covered, signature.parameters, opened.request)
        return cavage.signing_string(opened.signature, opened.request) if opened.signature is not None else None
    except MalformedSignature:
        return None
