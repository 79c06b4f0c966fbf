"""What a stranger writes into headers, keys and captures: read to a verdict, or refused by name."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import http_sf
from fuzz.documents import document_of
from signatures.crafting import ACTOR, ED25519, EPOCH, KEY_ID, NOW, listed

from gateway.clock import parse_rfc3339, rfc3339
from gateway.errors import MalformedDocument, MalformedSignature
from gateway.signatures import capture as captures
from gateway.signatures import digest as digests
from gateway.signatures import keys, linked_data, owner, verify, window
from gateway.signatures import message as messages
from gateway.signatures import proof as proofs
from gateway.signatures.request import SignedRequest
from gateway.urls import same_origin

if TYPE_CHECKING:
    from collections.abc import Sequence

METHOD = f"{ACTOR}#ed25519-key"
LISTED = listed(ED25519)
FIELDS = ("host", "date", "digest", "content-digest", "content-usage")
ALGORITHMS = ("rsa-v1_5-sha256", "rsa-v1_5-sha512", "rsa-pss-sha512", "ed25519", "ecdsa-p256-sha256", "hs2019")


def _lines(data: bytes, count: int) -> tuple[list[str], bytes]:
    """Return the first ``count`` lines, as headers arrive, and what stands after them."""
    *lines, rest = (data + b"\n" * count).split(b"\n", count)
    return [line.decode("latin-1") for line in lines], rest.rstrip(b"\n")


def _judged(path: str, body: bytes, headers: Sequence[tuple[str, str]]) -> None:
    """Open and close a request that nobody signed: a verdict that does not hold, or MalformedSignature."""
    request = SignedRequest(
        method="POST" if body else "GET",
        target=f"https://gw.example/{path}",
        headers=(("host", "gw.example"), *headers),
        body=body,
    )
    try:
        opened = verify.open_request(request, NOW)
    except MalformedSignature:
        return
    verdict = verify.close(opened, LISTED, ACTOR)
    assert not verdict.ok
    assert verdict.actor == ""
    assert json.dumps([step.as_json() for step in verdict.steps])


def cavage(data: bytes) -> None:
    """Signature (old form), Date, Digest, path; then the body."""
    (signature, date, digest, path), body = _lines(data, 4)
    _judged(path, body, [("date", date), ("digest", digest), ("signature", signature)])


def message(data: bytes) -> None:
    """Signature-Input, Signature, Content-Digest, Date, path; then the body."""
    (described, signature, digest, date, path), body = _lines(data, 5)
    headers = [("date", date), ("content-digest", digest), ("signature-input", described), ("signature", signature)]
    _judged(path, body, headers)
    request = SignedRequest(method="GET", target="https://gw.example/", headers=tuple(headers))
    try:
        found = messages.parse_all(request)
    except MalformedSignature:
        return
    for one in found:
        # What goes into the signature base is read back as the same thing.
        text = messages._signature_params(one.covered, one.parameters)
        parsed: Any = http_sf.parse(text.encode(), tltype="list")
        ((names, parameters),) = parsed
        assert [(name, tuple(more.items())) for name, more in names] == [(c.name, c.parameters) for c in one.covered]
        assert parameters == one.parameters


def digest(data: bytes) -> None:
    """Digest, Content-Digest; then the body."""
    (old, new), body = _lines(data, 2)
    real = [hashlib.new(name, body).digest() for name in ("sha256", "sha512")]
    # The last character but one may hold spare bits, which mean nothing.
    whole = [base64.b64encode(value).decode().rstrip("=")[:-1] for value in real]
    for wrong, line in (
        (digests.check_digest([old], body), old),
        (digests.check_content_digest([new], body), new),
    ):
        assert wrong is None or wrong
        assert wrong is not None or any(text in line for text in whole)
    digests.check_digest([old, new], body)
    digests.check_content_digest([old, new], body)


def times(data: bytes) -> None:
    """One text that may be a time, in each of the three forms."""
    text = data.decode("latin-1")
    for moment in (window.from_epoch(text), window.from_http_date(text), parse_rfc3339(text)):
        if moment is None:
            continue
        assert moment.utcoffset() == timedelta(0)
        # A year below 100 is written with four digits and read as a short form of another.
        if moment.year >= 100:
            assert window.from_http_date(window.http_date(moment)) == moment.replace(microsecond=0)
        wrong = window.problem(moment, None, NOW)
        is_near = -timedelta(minutes=65) <= moment - NOW <= timedelta(minutes=60)
        assert (wrong is None) is is_near
        window.problem(moment, moment, NOW)
        window.problem(NOW, moment, NOW)
        assert len(rfc3339(moment)) <= len("2026-11-22T10:00:00Z")


def key(data: bytes) -> None:
    """A key as text, or its bytes in the armour that the first byte names."""
    form, inside = (data[0] % 6 if data else 0), data[1:]
    text = inside.decode("latin-1")
    armoured = base64.encodebytes(inside).decode()
    written = {
        2: f"-----BEGIN PUBLIC KEY-----\n{armoured}-----END PUBLIC KEY-----\n",
        3: f"-----BEGIN RSA PUBLIC KEY-----\n{armoured}-----END RSA PUBLIC KEY-----\n",
        4: "z" + keys.base58_encode(keys.ED25519_PREFIX + inside[:40]),
        5: "z" + keys.base58_encode(keys.RSA_PREFIX + inside[:600]),
    }.get(form, text)
    for load in (keys.load_multikey, keys.load_public_pem):
        try:
            loaded = load(written)
        except keys.WeakKey:
            continue
        assert keys.load_public_pem(loaded.pem()) == loaded
        if loaded.kind == "ed25519":
            assert keys.load_multikey(loaded.multikey()) == loaded
        assert not any(loaded.verify(algorithm, inside[:64], b"never signed") for algorithm in ALGORITHMS)


def capture(data: bytes) -> None:
    """A captured request in any of the three forms: requests to judge, or MalformedDocument."""
    try:
        found = captures.read(data)
    except MalformedDocument:
        return
    assert found
    for captured in found[:3]:
        seen = captured.request
        # What was read can be printed and stored: half a surrogate pair can not.
        assert "".join((seen.method, seen.target, *(part for line in seen.headers for part in line))).encode()
        try:
            opened = verify.open_request(captured.request, captured.at or NOW)
        except MalformedSignature:
            continue
        assert not verify.close(opened, LISTED, ACTOR).ok


_NAMES = (
    "@context", "id", "type", "actor", "attributedTo", "inbox", "publicKey", "assertionMethod", "owner", "controller",
    "publicKeyPem", "publicKeyMultibase", "revoked", "expires", "proof", "cryptosuite", "proofPurpose", "created",
    "verificationMethod", "proofValue", "signature", "creator", "signatureValue", "object",
)  # fmt: skip
_VALUES = (
    ACTOR, KEY_ID, METHOD, f"{ACTOR}/inbox", "https://evil.example/users/bob", "Person", "Multikey", "Application",
    "DataIntegrityProof", "eddsa-jcs-2022", "assertionMethod", "2026-11-22T10:00:00Z", "2027-01-01T00:00:00Z",
    "https://www.w3.org/ns/activitystreams", ED25519.public.pem(), ED25519.public.multikey(), "z" + "1" * 64,
    "z5" + "h" * 86, "RsaSignature2017", "AAAA", EPOCH,
)  # fmt: skip


def proof(data: bytes) -> None:
    """A document with a proof, a signature of the old kind, or keys: nobody signed it, and keys stay their owner's."""
    document = document_of(data, _NAMES, _VALUES)
    if document is None:
        return
    assert not proofs.verify(document, ED25519.public, METHOD, NOW, owner=ACTOR).ok
    assert not linked_data.verify(document, LISTED, "options", "quads").ok
    assert linked_data.options(document).keys() >= {"@context"}
    assert len(proofs.canonical_json({})) == 2
    for one in owner.listed_keys(document, NOW):
        assert one.owner == document["id"]
        assert same_origin(one.id, one.owner)
        found = owner.find(document, one.owner, one.id, NOW)
        assert found is None or found == one
    assert owner.find(document, "https://other.example/users/bob", KEY_ID, NOW) is None
    hint = owner.owner_hint(document)
    assert hint is None or isinstance(hint, str)
