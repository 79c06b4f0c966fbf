"""The PyPI package http-message-signatures as a second opinion on RFC 9421, both ways."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
    algorithms,
)
from vectors.reading import rfc9421_private_key

from gateway.signatures import message, verify
from gateway.signatures.keys import PrivateKey
from gateway.signatures.owner import ListedKey
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 22, 13, 38, 54, tzinfo=UTC)
ACTOR = "https://peer.example/users/bob"
KEY_ID = f"{ACTOR}#main-key"
KEYS = {
    "rsa": rfc9421_private_key("test-key-rsa"),
    "ed25519": PrivateKey("ed25519", Ed25519PrivateKey.from_private_bytes(bytes(range(32)))),
}
ALGORITHMS = {"rsa": algorithms.RSA_V1_5_SHA256, "ed25519": algorithms.ED25519}
USAGE = ("content-usage", "train-ai=n, search=y")
REQUESTS = {
    "post": SignedRequest(
        method="POST", target="https://gw.example/users/alice/inbox", headers=(), body=b'{"type":"Create"}'
    ),
    "post with usage": SignedRequest(
        method="POST",
        target="https://gw.example/inbox",
        headers=(USAGE, ("content-type", "application/activity+json")),
        body='{"content":"日本語"}'.encode(),
    ),
    "post with query": SignedRequest(
        method="POST", target="https://gw.example/inbox?shared=1&x=%20y", headers=(USAGE,), body=b"{}"
    ),
    "post of nothing": SignedRequest(method="POST", target="https://gw.example/inbox", headers=(), body=b""),
    "get": SignedRequest(method="GET", target="https://gw.example/users/alice", headers=()),
    "get with query": SignedRequest(
        method="GET", target="https://gw.example/users/alice/outbox?page=true&max_id=1%2B1", headers=(USAGE,)
    ),
    "get with empty query": SignedRequest(method="GET", target="https://gw.example/users/alice?", headers=()),
    "get on a port": SignedRequest(method="GET", target="http://gw.example:8080/u", headers=()),
    "get on the default port": SignedRequest(method="GET", target="https://GW.example:443/u", headers=()),
    "get the root": SignedRequest(method="GET", target="https://gw.example/", headers=()),
    "two lines of one field": SignedRequest(
        method="GET", target="https://gw.example/u", headers=(USAGE, ("content-usage", "ai-use=n"))
    ),
}
EXTRA = ("content-usage", "content-type")


class Fields:
    """Header lines in the shape that the package reads and writes."""

    def __init__(self, lines: tuple[tuple[str, str], ...]) -> None:
        self.lines = list(lines)

    def items(self) -> list[tuple[str, str]]:
        return self.lines

    def __iter__(self) -> Iterator[str]:
        """Give the names."""
        return iter([name for name, _ in self.lines])

    def __contains__(self, name: object) -> bool:
        """Tell whether a field is there."""
        return any(key.lower() == str(name).lower() for key, _ in self.lines)

    def __delitem__(self, name: str) -> None:
        """Remove every line of a field."""
        self.lines = [(key, value) for key, value in self.lines if key.lower() != name.lower()]

    def __setitem__(self, name: str, value: str) -> None:
        """Add a line."""
        self.lines.append((name, value))


@dataclass
class Foreign:
    """A request in the shape that the package takes."""

    method: str
    url: str
    headers: Fields
    body: bytes = field(default=b"")


class OneKey(HTTPSignatureKeyResolver):
    """Knows one key."""

    def __init__(self, key: PrivateKey) -> None:
        self.key = key

    def resolve_public_key(self, key_id: str) -> Any:
        return self.key.public.key if key_id == KEY_ID else None

    def resolve_private_key(self, key_id: str) -> Any:
        assert key_id == KEY_ID
        return self.key.key


class Timeless(HTTPMessageVerifier):
    """Leaves time alone: the clock of these tests stands still."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        assert sig_input.params["created"] == int(NOW.timestamp())
        assert max_age is None


def _foreign(request: SignedRequest) -> Foreign:
    return Foreign(request.method, request.target, Fields(request.headers), request.body)


def _theirs_accepts(request: SignedRequest, kind: str) -> bool:
    verifier = Timeless(signature_algorithm=ALGORITHMS[kind], key_resolver=OneKey(KEYS[kind]))
    body = request.body if request.method == "POST" else None
    try:
        results = verifier.verify(_foreign(request), max_age=None, body=body)
    except InvalidSignature:
        return False
    return len(results) == 1


def _ours_accepts(request: SignedRequest, kind: str) -> bool:
    key = ListedKey(id=KEY_ID, owner=ACTOR, public=KEYS[kind].public)
    return verify.close(verify.open_request(request, NOW), key, ACTOR).ok


def _changed(request: SignedRequest) -> SignedRequest:
    return SignedRequest(method=request.method, target=f"{request.target}x", headers=request.headers, body=request.body)


def _signed_by_them(request: SignedRequest, kind: str, *covered: str, include_alg: bool = True) -> SignedRequest:
    foreign = _foreign(request)
    HTTPMessageSigner(signature_algorithm=ALGORITHMS[kind], key_resolver=OneKey(KEYS[kind])).sign(
        foreign,
        key_id=KEY_ID,
        created=NOW,
        expires=NOW + timedelta(minutes=5),
        covered_component_ids=covered,
        body=request.body if request.method == "POST" else None,
        include_alg=include_alg,
    )
    return SignedRequest(
        method=request.method, target=request.target, headers=tuple(foreign.headers.lines), body=request.body
    )


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("name", REQUESTS)
def test_what_we_sign_verifies_there(name: str, kind: str) -> None:
    """The package accepts our signature, and refuses it on another target."""
    request = REQUESTS[name]
    signed = request.with_headers(*message.sign(request, KEYS[kind], KEY_ID, NOW, EXTRA))
    assert _theirs_accepts(signed, kind)
    assert not _theirs_accepts(_changed(signed), kind)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("name", REQUESTS)
def test_what_it_signs_verifies_here(name: str, kind: str) -> None:
    """We accept the package's signature, and refuse it on another target."""
    request = REQUESTS[name]
    extra = [header for header in EXTRA if request.lines(header)]
    signed = _signed_by_them(request, kind, "@method", "@target-uri", "@authority", *extra)
    assert _ours_accepts(signed, kind)
    assert not _ours_accepts(_changed(signed), kind)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("name", REQUESTS)
def test_every_derived_component_has_the_same_value_here_and_there(name: str, kind: str) -> None:
    """A signature over every derived component of a request, without alg, verifies here."""
    components = ("@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query")
    assert _ours_accepts(_signed_by_them(REQUESTS[name], kind, *components, include_alg=False), kind)


@pytest.mark.parametrize(
    ("parameter", "query"),
    [
        ("var", "?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace"),
        ("bar", "?var=x&bar=with+plus+whitespace"),
        ("fa%C3%A7ade%22%3A%20", "?fa%C3%A7ade%22%3A%20=something"),
        ("empty", "?empty="),
        ("marks", "?marks=*-._"),
    ],
)
def test_a_query_parameter_has_the_same_value_here_and_there(parameter: str, query: str) -> None:
    """The examples of RFC 9421, section 2.2.8 give one value here and in the package."""
    request = SignedRequest(method="GET", target=f"https://gw.example/parameters{query}", headers=())
    signed = _signed_by_them(request, "ed25519", "@method", "@target-uri", f'"@query-param";name="{parameter}"')
    assert _ours_accepts(signed, "ed25519")
