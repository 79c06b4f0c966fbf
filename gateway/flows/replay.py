"""Judging a captured request again, offline, with the same steps as the live 401."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.activitypub.actor import keys_of
from gateway.activitypub.understand import actor_of, id_checked
from gateway.clock import rfc3339
from gateway.errors import GatewayError, MalformedDocument, MalformedSignature
from gateway.flows.moderate import decision_about
from gateway.flows.profile import profile_of
from gateway.jsonld import strict
from gateway.signatures import cavage, message, owner, verify
from gateway.signatures.keys import WeakKey, load_multikey, load_public_pem
from gateway.signatures.owner import ListedKey
from gateway.signatures.verdict import Checks, Step
from gateway.urls import origin_of, same_origin, without_fragment

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.flows.kit import Kit
    from gateway.signatures.capture import Captured
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verify import Opened

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


class Keys:
    """Where keys come from offline: what the developer gave, what was captured, what this gateway knows."""

    def __init__(self, kit: Kit, given: object = None) -> None:
        """Take key documents (see ``find``) that go before everything else."""
        self._kit = kit
        self._given = given

    def find(
        self, key_id: str, actor: str | None, captured: object, now: datetime
    ) -> tuple[ListedKey | None, str | None]:
        """Return a key and where it came from.

        Key documents are actors, a list of actors, or an object from key id to PEM or Multikey.
        """
        for source, documents in (("given", self._given), ("capture", captured)):
            key = _among(documents, key_id, actor, now)
            if key is not None:
                return key, source
        if same_origin(key_id, self._kit.base):
            account = self._kit.store.accounts.by_id(without_fragment(key_id))
            listed = _own(self._kit, account) if account is not None else ()
            return next(((key, "own") for key in listed if key.id == key_id), (None, None))
        known = self._kit.store.relations.actor(actor) if actor is not None else None
        known = known or self._kit.store.relations.actor_of_key(key_id)
        key = owner.find(known.document, known.id, key_id, now) if known is not None else None
        return key, "known" if key is not None else None


def _own(kit: Kit, account: Any) -> tuple[ListedKey, ...]:
    return owner.listed_keys({**keys_of(profile_of(kit, account)), "id": account.id})


def _among(documents: object, key_id: str, actor: str | None, now: datetime) -> ListedKey | None:
    for document in documents if isinstance(documents, list) else [documents]:
        if not isinstance(document, Mapping):
            continue
        if "id" in document and owner.is_actor(document):
            found = owner.find(document, str(document["id"]), key_id, now)
        else:
            found = _bare(document.get(key_id), key_id, actor)
        if found is not None:
            return found
    return None


def _bare(text: object, key_id: str, actor: str | None) -> ListedKey | None:
    """Return a key given without its owner's document: it is taken for the actor's, when it can be."""
    if text is None:
        return None
    speaks_for = actor if actor is not None and owner.may_speak(key_id, actor) else without_fragment(key_id)
    try:
        public = load_public_pem(text) if "-----" in str(text) else load_multikey(text)
    except WeakKey as error:
        raise MalformedDocument(f"key {key_id}: {error}") from error
    return ListedKey(id=key_id, owner=speaks_for, public=public)


def replay(kit: Kit, captured: Captured, keys: Keys, at: datetime | None = None) -> Replayed:
    """Judge one captured request at a time: the one given, the capture's own, or now."""
    request, now = captured.request, at or captured.at or kit.clock.now()
    try:
        document = strict.read_object(request.body) if request.method == "POST" else None
        opened = verify.open_request(request, now)
        actor = actor_of(document) if document is not None else None
    except (MalformedDocument, MalformedSignature) as error:
        return _unreadable(request, now, error)
    key, source = keys.find(opened.key_id, actor, captured.keys, now) if opened.ok else (None, None)
    foreign = actor is not None and not owner.may_speak(opened.key_id, actor)
    path = request.path_and_query.partition("?")[0]
    verdict = verify.close(opened, None if foreign else key, actor, is_collection=path.endswith(COLLECTIONS))
    status, code, detail = _answer(kit, document, verdict.ok, verdict.actor)
    return Replayed(
        request=request, at=now, status=status, code=code, detail=detail, scheme=verdict.scheme,
        key_id=verdict.key_id, actor=actor or verdict.actor, key_from=source, steps=verdict.steps,
        signing_string=signing_string(opened),
    )  # fmt: skip


def _answer(kit: Kit, document: Mapping[str, object] | None, holds: bool, actor: str) -> tuple[int, str, str]:  # noqa: FBT001 - a verdict
    """Return status, code and reason of the live answer after the signature was judged."""
    if not holds:
        return 401, "not-authenticated", "a check does not hold"
    decision = decision_about(kit, origin_of(actor))
    if decision.refuses and not same_origin(actor, kit.base):
        return 403, decision.reason.value, "this gateway refuses the peer"
    if document is None:
        return 200, "ok", "every check holds"
    try:
        id_checked(document, actor)
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
