"""What holds for every request, key and document that is signed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from signatures.crafting import ACTOR, ED25519, KEY_ID, NOW, RSA, judged

from gateway.errors import MalformedSignature
from gateway.signatures import cavage, digest, keys, message, proof, verify, window
from gateway.signatures.request import SignedRequest

LONG = settings(deadline=None, max_examples=300)
METHOD = f"{ACTOR}#ed25519-key"
PATHS = st.text(st.sampled_from("abcXYZ019-._~%/:@!$&'()*+,;="), max_size=20)
QUERIES = st.none() | st.text(st.sampled_from("abc019=&%+?/~*"), max_size=20)
FIELD = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
TEXT = st.text(st.characters(max_codepoint=0xFF), max_size=60)
SCHEMES = st.sampled_from([cavage, message])
PRIVATE = st.sampled_from([RSA, ED25519])


@st.composite
def requests(draw: st.DrawFn) -> SignedRequest:
    """Draw a request as we send it."""
    method = draw(st.sampled_from(["GET", "POST"]))
    query = draw(QUERIES)
    target = f"https://gw.example/{draw(PATHS)}" + ("" if query is None else f"?{query}")
    body = draw(st.binary(max_size=60)) if method == "POST" else b""
    return SignedRequest(method=method, target=target, headers=(("content-usage", draw(FIELD)),), body=body)


def _signed(request: SignedRequest, scheme: Any, key: keys.PrivateKey) -> SignedRequest:
    return request.with_headers(*scheme.sign(request, key, KEY_ID, NOW, ("content-usage",)))


def _holds(request: SignedRequest, key: keys.PrivateKey) -> bool:
    try:
        return judged(request, key).ok
    except MalformedSignature:
        return False


@LONG
@given(requests(), SCHEMES, PRIVATE)
def test_what_we_sign_we_verify(request: SignedRequest, scheme: Any, key: keys.PrivateKey) -> None:
    """Every request signed with either scheme and either kind of key verifies."""
    verdict = judged(_signed(request, scheme, key), key)
    assert verdict.ok, verdict.failed


@LONG
@given(requests(), SCHEMES, PRIVATE, st.data())
def test_one_changed_byte_anywhere_fails(
    request: SignedRequest, scheme: Any, key: keys.PrivateKey, data: st.DataObject
) -> None:
    """No signed request verifies after one byte of method, target, body or covered value changed."""
    signed = _signed(request, scheme, key)
    fields = [name for name, _ in signed.headers if not name.startswith("signature")]
    if scheme is message:
        # Host and Date go along uncovered: the authority is covered instead, and created is the time.
        fields = [name for name in fields if name not in ("host", "date")]
    kind = data.draw(st.sampled_from(["method", "target", "body", *fields]))
    if kind == "method":
        changed = replace(signed, method=_changed(data, signed.method, upper=True))
    elif kind == "target":
        changed = replace(signed, target="https://gw.example/" + _changed(data, signed.target[19:]))
    elif kind == "body":
        assume(signed.method == "POST")
        at, content = data.draw(st.integers(0, len(signed.body))), data.draw(st.binary(max_size=2))
        body = signed.body[:at] + content + signed.body[at + 1 :]
        assume(body != signed.body)
        changed = replace(signed, body=body)
    else:
        value = _changed(data, signed.lines(kind)[0])
        changed = replace(signed, headers=tuple((n, value if n == kind else v) for n, v in signed.headers))
    assert not _holds(changed, key), changed


def _changed(data: st.DataObject, text: str, *, upper: bool = False) -> str:
    """Draw ``text`` with one printable character put in, taken out or exchanged."""
    at = data.draw(st.integers(0, len(text)))
    character = data.draw(st.sampled_from("ABCXYZ" if upper else "abcXYZ019-._/?&=,:"))
    found = text[:at] + data.draw(st.sampled_from(["", character])) + text[at + data.draw(st.integers(0, 1)) :]
    assume(found.strip() != text.strip())
    return found


@LONG
@given(requests(), SCHEMES, PRIVATE, st.integers(0), st.integers(1, 255))
def test_one_changed_byte_of_the_signature_fails(
    request: SignedRequest, scheme: Any, key: keys.PrivateKey, at: int, flip: int
) -> None:
    """A signature with any byte changed does not hold."""
    signed = _signed(request, scheme, key)
    parsed = scheme.parse(signed)
    where = at % len(parsed.signature)
    raw = bytearray(parsed.signature)
    assert scheme.holds(parsed, signed, key.public)
    raw[where] ^= flip
    assert not scheme.holds(replace(parsed, signature=bytes(raw)), signed, key.public)


@LONG
@given(
    st.lists(st.tuples(st.sampled_from(["signature", "signature-input", "date", "digest", "host"]), TEXT), max_size=5),
    st.sampled_from(["GET", "POST"]),
    st.binary(max_size=5),
)
def test_arbitrary_headers_end_in_a_verdict(headers: list[tuple[str, str]], method: str, body: bytes) -> None:
    """Whatever the headers hold, opening gives checks or MalformedSignature."""
    request = SignedRequest(method=method, target="https://gw.example/x", headers=tuple(headers), body=body)
    try:
        opened = verify.open_request(request, NOW)
    except MalformedSignature:
        return
    assert not verify.close(opened, None, None).ok


CAVAGE = st.lists(
    st.sampled_from(
        [
            'keyId="https://a.example/k"',
            'signature="AAAA"',
            'headers="(request-target) host date digest"',
            'headers="(created) (expires)"',
            "created=253402300799",
            'created="0"',
            "expires=1",
            'expires="x"',
            'algorithm="hs2019"',
            'algorithm="rsa-sha256"',
            "x=1",
            '"',
            ",",
            " ",
        ]
    ),
    max_size=7,
).map(",".join)
PARAMETERS = [";created=1795354734", ";created=253402300799", ";expires=0", ';keyid="https://a.example/k"', ";keyid=@1"]
PARAMETERS += [';alg="x"', ";alg=1", ";tag=?0", ";nonce=:AA==:", ";x=1.5", ';y=%"%c3%a9"', ";req", ';name="a"', ";sf"]
COMPONENTS = ['"@method"', '"@target-uri"', '"@query-param"', '"@query"', '"@status"', '"date"', '"X"', '""', "@a", "5"]
MESSAGE = st.tuples(
    st.lists(
        st.tuples(st.sampled_from(COMPONENTS), st.lists(st.sampled_from(PARAMETERS), max_size=2).map("".join)),
        max_size=4,
    ).map(lambda parts: " ".join(name + parameters for name, parameters in parts)),
    st.lists(st.sampled_from(PARAMETERS), max_size=5).map("".join),
).map(lambda parts: f"sig1=({parts[0]}){parts[1]}")


@LONG
@given(CAVAGE | TEXT, MESSAGE | st.none(), st.sampled_from(["Sun, 22 Nov 2026 13:38:54 GMT", "x"]) | TEXT)
def test_nearly_right_headers_end_in_a_verdict(old: str, new: str | None, date: str) -> None:
    """Headers made of the right pieces in the wrong way give checks or MalformedSignature, and never hold."""
    headers = [("host", "gw.example"), ("date", date), ("signature", old)]
    if new is not None:
        headers = [*headers[:2], ("signature-input", new), ("signature", "sig1=:AAAA:")]
    request = SignedRequest(method="GET", target="https://gw.example/x?a=1", headers=tuple(headers))
    assert not _holds(request, RSA)


@LONG
@given(st.binary(max_size=100), st.lists(TEXT, max_size=2))
def test_digests_hold_for_their_body_alone(body: bytes, lines: list[str]) -> None:
    """What we write fits the body and no longer one, and arbitrary lines are a reason, not an exception."""
    old, new = digest.digest_header(body), digest.content_digest_header(body)
    assert digest.check_digest([old], body) is digest.check_content_digest([new], body) is None
    assert digest.check_digest([old], body + b"x")
    assert digest.check_content_digest([new], body + b"x")
    assert digest.check_digest(lines, body)
    assert digest.check_content_digest(lines, body)


@LONG
@given(st.binary(max_size=80), TEXT)
def test_base58_is_its_own_inverse(data: bytes, text: str) -> None:
    """Bytes survive, and text is refused or has exactly one spelling."""
    assert keys.base58_decode(keys.base58_encode(data)) == data
    try:
        decoded = keys.base58_decode(text)
    except keys.WeakKey:
        return
    assert keys.base58_encode(decoded) == text


@LONG
@given(TEXT | st.binary(max_size=40).map(lambda raw: "z" + keys.base58_encode(keys.ED25519_PREFIX + raw)), TEXT)
def test_keys_are_read_or_weak(multikey: str, pem: str) -> None:
    """Arbitrary text is a key or WeakKey, and a key that is read writes itself the same way."""
    with suppress(keys.WeakKey):
        assert keys.load_multikey(multikey).multikey() == multikey
    with pytest.raises(keys.WeakKey):
        keys.load_public_pem(f"-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----")


MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@LONG
@given(MOMENTS, st.none() | MOMENTS)
def test_fresh_is_never_more_than_thirteen_hours_old(created: datetime, expires: datetime | None) -> None:
    """Whatever two times are stated, fresh means created between an hour ahead and thirteen hours back."""
    if window.problem(created, expires, NOW) is None:
        assert timedelta(hours=-1) <= NOW - created <= timedelta(hours=13)


@LONG
@given(TEXT)
def test_dates_never_raise(text: str) -> None:
    """Arbitrary text is a moment or none."""
    for moment in (window.from_http_date(text), window.from_epoch(text)):
        assert moment is None or moment.tzinfo is UTC


LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, width=32)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
DOCUMENTS = st.dictionaries(
    TEXTS.filter(lambda key: key not in ("proof", "signature", "actor", "@context", "attributedTo")),
    st.recursive(
        (LEAVES | TEXTS).filter(lambda leaf: leaf not in (float("inf"), float("-inf"))),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@LONG
@given(DOCUMENTS, TEXTS, TEXTS)
def test_a_proof_holds_for_its_document_alone(document: dict[str, Any], key: str, value: str) -> None:
    """Any document with a proof verifies, and does not once a member was put in, changed or taken out."""
    whole = {**document, "@context": ["https://www.w3.org/ns/activitystreams"], "actor": ACTOR}
    signed = proof.attach(whole, ED25519, METHOD, NOW)
    assert _proven(signed)
    assume(key not in ("proof", "signature", "@context", "actor"))
    if signed.get(key) != value or key not in signed:
        assert not _proven({**signed, key: value})
    for name, item in document.items():
        assert not _proven({other: value for other, value in signed.items() if other != name})
        assert not _proven({**signed, name: [item]})


def _proven(document: dict[str, Any]) -> bool:
    return proof.verify(document, ED25519.public, METHOD, NOW, owner=ACTOR).ok
