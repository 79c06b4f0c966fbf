"""What is delivered: the bytes of one activity, as whom it is signed, and the signed request that brings it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.actor import key_id
from gateway.activitypub.properties import ACTIVITY_JSON, PROFILED
from gateway.carriers import content_usage
from gateway.jsonld import strict
from gateway.signatures import cavage, message
from gateway.signatures.request import SignedRequest
from gateway.urls import to_uri

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.signatures.knock import Knock


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is sent: the bytes of one activity, and as whom the request is signed."""

    activity: str
    body: bytes
    signer: str

    @property
    def usage(self) -> str:
        """Return the Content-Usage line that the activity itself carries."""
        return _usage_in(self.body)


@functools.lru_cache(maxsize=256)  # one body goes to many inboxes
def _usage_in(body: bytes) -> str:
    value = strict.read_object(body).get("contentUsage")
    return value if isinstance(value, str) and value.isascii() and value.isprintable() else ""


def signed(kit: Kit, letter: Letter, inbox: str, how: Knock) -> SignedRequest:
    """Return the request that brings a letter, signed afresh in one of the ways to knock."""
    headers = [("content-type", PROFILED), ("accept", ACTIVITY_JSON)]
    if how.content_usage:
        headers.append((content_usage.NAME, letter.usage))
    request = SignedRequest(method="POST", target=to_uri(inbox), headers=tuple(headers), body=letter.body)
    key, name, now = kit.keyring.get(letter.signer), key_id(letter.signer), kit.clock.now()
    extra = (content_usage.NAME,) if how.content_usage else ()
    if how.scheme == message.SCHEME:
        added = message.sign(request, key, name, now, extra, nonce=how.nonce, label=how.label)
    else:
        added = cavage.sign(request, key, name, now, extra)
    return request.with_headers(*added)
