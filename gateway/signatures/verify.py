"""From headers to verdict, in two halves around the search for the key.

``open_request`` does everything that needs no key (so a request that cannot be accepted never causes
a fetch); ``close`` adds the checks that do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import MalformedSignature
from gateway.signatures import cavage, message
from gateway.signatures.verdict import Checks, Verdict
from gateway.urls import try_origin

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.signatures.cavage import Cavage
    from gateway.signatures.message import MessageSignature
    from gateway.signatures.owner import ListedKey
    from gateway.signatures.request import SignedRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A parsed signature with the checks made so far."""

    scheme: str
    request: SignedRequest
    signature: Cavage | MessageSignature | None
    checks: Checks

    @property
    def key_id(self) -> str:
        """Return the key id as the sender wrote it."""
        return self.signature.key_id if self.signature is not None else ""

    @property
    def ok(self) -> bool:
        """Tell whether it is worth looking for the key."""
        return self.checks.ok


def covered(opened: Opened) -> frozenset[str]:
    """Return the names of the fields that a signature covers whole, in lower case."""
    if isinstance(opened.signature, message.MessageSignature):
        return opened.signature.names
    return frozenset(opened.signature.covered) if opened.signature is not None else frozenset()


def is_signed(request: SignedRequest) -> bool:
    """Tell whether any signature header is present."""
    return bool(request.lines("signature") or request.lines("signature-input"))


def open_request(request: SignedRequest, now: datetime) -> Opened:
    """Parse and judge without a key; raise MalformedSignature when the headers cannot be parsed."""
    checks = Checks()
    if not checks.check("signed", "a signature", "one" if is_signed(request) else "none", ok=is_signed(request)):
        return Opened(scheme="none", request=request, signature=None, checks=checks)
    if request.lines("signature-input"):
        parsed = message.parse(request)
        message.judge(parsed, request, now, checks)
        opened = Opened(scheme=message.SCHEME, request=request, signature=parsed, checks=checks)
    else:
        old = cavage.parse(request)
        cavage.judge(old, request, now, checks)
        opened = Opened(scheme=cavage.SCHEME, request=request, signature=old, checks=checks)
    origin = try_origin(opened.key_id)
    checks.check("key-url", "an http(s) URL", opened.key_id, ok=origin is not None)
    return opened


def close(opened: Opened, key: ListedKey | None, actor: str | None, *, is_collection: bool = False) -> Verdict:
    """Add the checks that need the key; ``actor`` is who the document says acts (None: nobody is named)."""
    steps = Checks(list(opened.checks.steps), ok=opened.checks.ok)
    if opened.signature is not None and opened.ok:
        owner = key.owner if key is not None else ""
        found = "listed" if key is not None else "not found"
        steps.check("key", "listed by its owner at the owner's own id", found, ok=key is not None)
        if actor is not None:
            steps.check("actor", actor, owner or "unknown", ok=owner == actor)
        held = key is not None and _holds(opened, key, is_collection=is_collection)
        steps.check("signature", "made by that key over this request", "holds" if held else "does not hold", ok=held)
    return Verdict(
        ok=steps.ok,
        scheme=opened.scheme,
        steps=tuple(steps.steps),
        key_id=opened.key_id,
        actor=key.owner if key is not None and steps.ok else "",
    )


def _holds(opened: Opened, key: ListedKey, *, is_collection: bool) -> bool:
    request = opened.request
    if isinstance(opened.signature, message.MessageSignature):
        try:
            return message.holds(opened.signature, request, key.public)
        except MalformedSignature:
            return False
    if opened.signature is None:
        return False
    # Several servers sign collection pages without the query; nothing else is forgiven that.
    bare = is_collection and request.method == "GET"
    return cavage.holds(opened.signature, request, key.public, without_query=bare)
