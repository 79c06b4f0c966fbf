"""Requests that live servers sent: they verify as captured, and never after a change."""

from __future__ import annotations

import base64
import random
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
from vectors.reading import captured, captured_keys

from gateway.errors import MalformedSignature
from gateway.signatures import cavage, verify
from gateway.signatures.owner import ListedKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from vectors.reading import Captured

    from gateway.signatures.keys import PublicKey
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Verdict

    Mutation = Callable[[random.Random, SignedRequest], SignedRequest | None]

SIGNED = [row for row in captured() if verify.is_signed(row.request)]
MUTATIONS = 10_000
PRINTABLE = [chr(code) for code in range(0x21, 0x7F) if chr(code) != "#"]
_SIGNATURE = re.compile(r'(?<=signature=")[^"]*')


def _owner(key_id: str) -> str:
    return key_id.removesuffix("#main-key").removesuffix("/main-key")


def _verdict(request: SignedRequest, at: datetime, key: PublicKey | None = None) -> Verdict | None:
    """Return the verdict, or None when the signature cannot be parsed."""
    try:
        opened = verify.open_request(request, at)
    except MalformedSignature:
        return None
    public = key or captured_keys().get(opened.key_id)
    owner = _owner(opened.key_id)
    listed = None if public is None else ListedKey(id=opened.key_id, owner=owner, public=public)
    return verify.close(opened, listed, owner)


def _covered(request: SignedRequest) -> list[str]:
    return [name for name in cavage.parse(request).covered if not name.startswith("(")]


def _edited(rng: random.Random, text: str) -> str:
    """Return ``text`` with one character changed, added or taken away; never the same text."""
    while True:
        at = rng.randrange(len(text) + 1)
        kind = rng.choice(("change", "add", "remove"))
        rest = text[at + 1 :] if kind != "add" else text[at:]
        found = text[:at] + ("" if kind == "remove" else rng.choice(PRINTABLE)) + rest
        if found.strip() != text.strip():
            return found


def _method(rng: random.Random, request: SignedRequest) -> SignedRequest:
    others = [m for m in ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS") if m != request.method]
    return replace(request, method=rng.choice(others))


def _path(rng: random.Random, request: SignedRequest) -> SignedRequest:
    origin, path = request.target[: len("https://gw.test")], request.target[len("https://gw.test") :]
    found = rng.choice((_edited(rng, path[1:]), path[1:] + rng.choice(("?", "?page=1", "&x=1", "/", "%20"))))
    return replace(request, target=f"{origin}/{found}")


def _body(rng: random.Random, request: SignedRequest) -> SignedRequest | None:
    if "digest" not in _covered(request):
        return None
    at = rng.randrange(len(request.body) + 1)
    flipped = bytes(b ^ (1 << rng.randrange(8)) for b in request.body[at : at + 1])
    changed = (
        request.body[:at] + flipped + request.body[at + 1 :],
        request.body[:at] + rng.randbytes(1) + request.body[at:],
        request.body[:at],
    )
    found = rng.choice([body for body in changed if body != request.body])
    return replace(request, body=found)


def _header(rng: random.Random, request: SignedRequest) -> SignedRequest:
    name = rng.choice(_covered(request))
    at = next(i for i, (key, _) in enumerate(request.headers) if key.lower() == name)
    lines = list(request.headers)
    kind = rng.choice(("edit", "edit", "edit", "drop", "double"))
    if kind == "edit":
        lines[at] = (name, _edited(rng, lines[at][1]))
    elif kind == "drop":
        del lines[at]
    else:
        lines.insert(at, lines[at])
    return replace(request, headers=tuple(lines))


def _signature(rng: random.Random, request: SignedRequest) -> SignedRequest:
    raw = cavage.parse(request).signature
    at, bit = rng.randrange(len(raw)), 1 << rng.randrange(8)
    changed = rng.choice(
        (
            raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :],
            raw[:at],
            raw + rng.randbytes(1),
            b"\0" + raw,
            rng.randbytes(len(raw)),
        )
    )
    encoded = base64.b64encode(changed).decode()
    lines = tuple((k, _SIGNATURE.sub(encoded, v) if k.lower() == "signature" else v) for k, v in request.headers)
    return replace(request, headers=lines)


REQUEST_MUTATIONS: dict[str, Mutation] = {
    "method": _method,
    "path": _path,
    "body": _body,
    "header": _header,
    "signature": _signature,
}


def _outside(rng: random.Random, request: SignedRequest) -> datetime:
    date = parsedate_to_datetime(request.lines("date")[0]).astimezone(UTC)
    late = timedelta(minutes=65, seconds=rng.randint(1, 10**8))
    early = timedelta(hours=1, seconds=rng.randint(1, 10**8))
    return rng.choice((date + late, date - early))


def test_the_corpus_holds_the_requests_it_claims() -> None:
    """Of 40 captured requests 37 are signed, by the three keys that were captured with them."""
    assert (len(captured()), len(SIGNED)) == (40, 37)
    assert {cavage.parse(row.request).key_id for row in SIGNED} == set(captured_keys())


@pytest.mark.parametrize("row", SIGNED, ids=lambda row: f"{row.request.method}-{row.at.timestamp():.3f}")
def test_a_captured_request_verifies(row: Captured) -> None:
    """A request of a live server verifies with the clock at the moment it came in."""
    verdict = _verdict(row.request, row.at)
    assert verdict is not None
    assert verdict.ok, verdict.failed
    assert verdict.actor == _owner(verdict.key_id)


def test_an_unsigned_captured_request_is_not_taken_for_signed() -> None:
    """The three requests without a signature end in a verdict that says so."""
    unsigned = [row for row in captured() if row not in SIGNED]
    verdicts = [verify.close(verify.open_request(row.request, row.at), None, None) for row in unsigned]
    assert [(v.ok, v.scheme, v.failed and v.failed.name) for v in verdicts] == [(False, "none", "signed")] * 3


def test_a_captured_request_never_verifies_after_a_change() -> None:
    """None of 10,000 seeded changes of method, path, body, signed header, signature, key or clock verifies."""
    rng = random.Random(9421)
    done: Counter[str] = Counter()
    while done.total() < MUTATIONS:
        row = rng.choice(SIGNED)
        kind = rng.choice((*REQUEST_MUTATIONS, "key", "clock"))
        request, at, key = row.request, row.at, None
        if kind == "key":
            right = captured_keys()[cavage.parse(request).key_id]
            key = rng.choice([other for other in captured_keys().values() if other is not right])
        elif kind == "clock":
            at = _outside(rng, request)
        else:
            changed = REQUEST_MUTATIONS[kind](rng, request)
            if changed is None:
                continue
            request = changed
        done[kind] += 1
        verdict = _verdict(request, at, key)
        assert verdict is None or not verdict.ok, (kind, request)
    assert set(done) == {*REQUEST_MUTATIONS, "key", "clock"}
    assert min(done.values()) > MUTATIONS // 20
