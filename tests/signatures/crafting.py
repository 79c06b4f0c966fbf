"""Requests signed by hand, so that the tests do not lean on the code they test."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from vectors.reading import rfc9421_private_key

from gateway.signatures import verify
from gateway.signatures.keys import PrivateKey
from gateway.signatures.owner import ListedKey
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from gateway.signatures.verdict import Verdict

NOW = datetime(2026, 11, 22, 13, 38, 54, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
ACTOR = "https://peer.example/users/bob"
KEY_ID = f"{ACTOR}#main-key"
INBOX = "https://gw.example/users/alice/inbox"
BODY = b'{"type":"Create"}'
RSA = rfc9421_private_key("test-key-rsa")
OTHER_RSA = rfc9421_private_key("test-key-rsa-pss")
ED25519 = PrivateKey("ed25519", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
POST_COVERED = ("(request-target)", "host", "date", "digest")
GET_COVERED = ("(request-target)", "host", "date")


def http_date(moment: datetime) -> str:
    """Return an HTTP date."""
    return format_datetime(moment, usegmt=True)


def digest(body: bytes, name: str = "SHA-256") -> str:
    """Return a Digest of ``body`` under any spelling of the algorithm."""
    return f"{name}={base64.b64encode(hashlib.new(name.replace('-', ''), body).digest()).decode()}"


def content_digest(body: bytes, name: str = "sha-256") -> str:
    """Return a Content-Digest of ``body``."""
    return f"{name}=:{base64.b64encode(hashlib.new(name.replace('-', ''), body).digest()).decode()}:"


def plain(method: str = "POST", target: str = INBOX, body: bytes | None = None, **headers: str) -> SignedRequest:
    """Return a request with Host, Date and, on POST, both digests; ``headers`` replace or (empty) remove them."""
    content = (BODY if method == "POST" else b"") if body is None else body
    lines = {"host": urlsplit(target).netloc, "date": http_date(NOW)}
    if method == "POST":
        lines |= {"digest": digest(content), "content-digest": content_digest(content)}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    kept = tuple((name, value) for name, value in lines.items() if value)
    return SignedRequest(method=method, target=target, headers=kept, body=content)


def cavage(
    request: SignedRequest,
    covered: Sequence[str] | None = None,
    key: PrivateKey = RSA,
    parameters: Mapping[str, str | int | None] | None = None,
) -> SignedRequest:
    """Return ``request`` signed with draft-cavage; ``parameters`` replace or (None) remove its parameters."""
    names = covered or (POST_COVERED if request.method == "POST" else GET_COVERED)
    given: dict[str, str | int | None] = {"keyId": KEY_ID, "algorithm": "rsa-sha256", "headers": " ".join(names)}
    given |= parameters or {}
    path = request.target.removeprefix("https://gw.example")
    values = {
        "(request-target)": f"{request.method.lower()} {path}",
        "(created)": given.get("created"),
        "(expires)": given.get("expires"),
    }
    fields = dict(request.headers)
    text = "\n".join(f"{n.lower()}: {values[n] if n in values else fields.get(n.lower(), '')}" for n in names)
    given = {"signature": base64.b64encode(key.sign(text.encode())).decode(), **given}
    written = ",".join(
        f"{name}={value}" if isinstance(value, int) else f'{name}="{value}"'
        for name, value in given.items()
        if value is not None
    )
    return request.with_headers(("signature", written))


def message(
    request: SignedRequest,
    covered: Sequence[str] | None = None,
    key: PrivateKey = RSA,
    parameters: str = f';created={EPOCH};keyid="{KEY_ID}"',
) -> SignedRequest:
    """Return ``request`` signed with RFC 9421; ``covered`` and ``parameters`` are written out."""
    names = covered or ('"@method"', '"@target-uri"', *(['"content-digest"'] if request.method == "POST" else []))
    parts = urlsplit(request.target)
    values = {
        '"@method"': request.method,
        '"@target-uri"': request.target,
        '"@authority"': parts.netloc,
        '"@path"': parts.path,
        '"@query"': f"?{parts.query}",
        **{f'"{name}"': value for name, value in request.headers},
    }
    described = f"({' '.join(names)}){parameters}"
    lines = [f"{name}: {values.get(name, '')}" for name in names]
    base = "\n".join([*lines, f'"@signature-params": {described}'])
    signature = base64.b64encode(key.sign(base.encode())).decode()
    return request.with_headers(("signature-input", f"sig1={described}"), ("signature", f"sig1=:{signature}:"))


def with_header(request: SignedRequest, name: str, value: str) -> SignedRequest:
    """Return ``request`` with every line of a field replaced by one, or (empty) by none."""
    kept = tuple((key, old) for key, old in request.headers if key != name)
    return replace(request, headers=(*kept, (name, value)) if value else kept)


def listed(key: PrivateKey = RSA, key_id: str = KEY_ID, owner: str = ACTOR) -> ListedKey:
    """Return the public half as the owner lists it."""
    return ListedKey(id=key_id, owner=owner, public=key.public)


def judged(
    request: SignedRequest, key: PrivateKey = RSA, *, late: timedelta | None = None, is_collection: bool = False
) -> Verdict:
    """Return the verdict on ``request`` of ACTOR, ``late`` after NOW."""
    opened = verify.open_request(request, NOW + late if late is not None else NOW)
    return verify.close(opened, listed(key), ACTOR, is_collection=is_collection)


def failures(verdict: Verdict) -> set[str]:
    """Return the names of the steps that do not hold."""
    return {step.name for step in verdict.steps if not step.ok}
