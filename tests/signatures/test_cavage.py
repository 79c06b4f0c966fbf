"""draft-cavage-12: each inbound rule, and the one form we send."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from signatures.crafting import (
    ACTOR,
    BODY,
    ED25519,
    EPOCH,
    GET_COVERED,
    INBOX,
    KEY_ID,
    NOW,
    OTHER_RSA,
    POST_COVERED,
    RSA,
    cavage,
    digest,
    failures,
    http_date,
    judged,
    plain,
    with_header,
)

from gateway.errors import MalformedSignature
from gateway.signatures import cavage as scheme
from gateway.signatures.keys import PublicKey, load_public_pem
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = timedelta(hours=1)
HS2019: dict[str, str | int | None] = {"algorithm": "hs2019", "created": EPOCH}
CREATED_COVERED = ("(request-target)", "host", "(created)", "digest")
OUTBOX = f"{ACTOR.replace('peer', 'gw')}/outbox"


def _signature(value: str) -> SignedRequest:
    return plain().with_headers(("signature", value))


@pytest.mark.parametrize(
    "request_",
    [
        cavage(plain()),
        cavage(plain("GET")),
        cavage(plain(), parameters={"algorithm": None}),
        cavage(plain(), parameters={"algorithm": "hs2019"}),
        cavage(plain(), parameters={"algorithm": "RSA-SHA256"}),
        cavage(plain(), ("(request-target)", "Host", "Date", "Digest")),
        cavage(plain(), CREATED_COVERED, parameters=HS2019),
        cavage(plain(), CREATED_COVERED, parameters={"algorithm": None, "created": EPOCH}),
        cavage(plain(), CREATED_COVERED, parameters={"algorithm": "hs2019", "created": str(EPOCH)}),
        cavage(plain(), (*CREATED_COVERED, "(expires)"), parameters={**HS2019, "expires": EPOCH + 300}),
        cavage(plain(content_type="application/activity+json"), (*POST_COVERED, "content-type")),
        cavage(plain(digest=digest(BODY, "sha-256"))),
        cavage(plain(digest=digest(BODY, "SHA-512"))),
        cavage(plain("GET", f"{OUTBOX}?page=true&max_id=1%2B1")),
        cavage(plain("GET", digest=digest(b"")), (*GET_COVERED, "digest")),
    ],
    ids=range(15),
)
def test_a_signature_in_a_form_of_the_field_is_taken(request_: SignedRequest) -> None:
    """What the servers of the fediverse send verifies."""
    verdict = judged(request_)
    assert verdict.ok, verdict.failed
    assert (verdict.scheme, verdict.key_id, verdict.actor) == ("cavage", KEY_ID, ACTOR)


@pytest.mark.parametrize(
    ("request_", "failed"),
    [
        (cavage(plain(), ("(request-target)", "host", "date")), {"coverage"}),
        (cavage(plain(), ("(request-target)", "date", "digest")), {"coverage"}),
        (cavage(plain(), ("host", "date", "digest")), {"coverage"}),
        (cavage(plain(), ("(request-target)", "host", "digest")), {"time-covered"}),
        (cavage(plain("GET"), ("(request-target)", "date")), {"coverage"}),
        (cavage(plain("GET"), ("host", "date")), {"coverage"}),
        (cavage(plain(), (*POST_COVERED, "x-missing")), {"present"}),
        (cavage(plain(), CREATED_COVERED, parameters={"created": EPOCH}), {"pairing"}),
        (cavage(plain(), (*POST_COVERED, "(expires)"), parameters={"expires": EPOCH + 9}), {"pairing"}),
        (cavage(plain(), parameters={"algorithm": "hmac-sha256"}), {"algorithm"}),
        (cavage(plain(), parameters={"algorithm": "none", "signature": ""}), {"algorithm"}),
        (cavage(plain(), parameters={"algorithm": "rsa-sha1"}), {"algorithm"}),
        (cavage(plain(), parameters={"algorithm": "rsa-sha512"}), {"algorithm"}),
        (cavage(plain(), parameters={"algorithm": ""}), {"algorithm"}),
        (cavage(plain(date="")), {"present", "time"}),
        (cavage(plain(date="yesterday")), {"time"}),
        (cavage(plain(), CREATED_COVERED, parameters={"algorithm": "hs2019", "created": "abc"}), {"time"}),
        (cavage(plain(), CREATED_COVERED, parameters={"algorithm": "hs2019"}), {"time"}),
        (cavage(plain(), CREATED_COVERED, parameters={**HS2019, "expires": "soon"}), {"time"}),
        (cavage(plain(), CREATED_COVERED, parameters={**HS2019, "created": 253402300799}), {"time"}),
        (cavage(plain(digest=digest(b"other"))), {"digest"}),
        (cavage(plain(digest="")), {"present", "digest"}),
        (cavage(plain(digest=digest(BODY, "MD5"))), {"digest"}),
        (cavage(plain("GET", digest=digest(b"x")), (*GET_COVERED, "digest")), {"digest"}),
        (cavage(plain(), parameters={"keyId": "acct:bob@peer.example"}), {"key-url"}),
        (cavage(plain(), parameters={"keyId": "data:application/json,{}"}), {"key-url"}),
        (cavage(plain(), parameters={"keyId": "ftp://peer.example/k"}), {"key-url"}),
        (cavage(plain(), parameters={"keyId": "https://bob@peer.example/k"}), {"key-url"}),
    ],
    ids=range(28),
)
def test_a_signature_that_covers_or_says_too_little_is_refused(request_: SignedRequest, failed: set[str]) -> None:
    """Each rule of the inbound list refuses exactly its own breach, before any key is looked for."""
    verdict = judged(request_)
    assert not verdict.ok
    assert failures(verdict) == failed
    assert "key" not in {step.name for step in verdict.steps}


@pytest.mark.parametrize("name", ["digest", "date", "host"])
def test_a_covered_field_stands_exactly_once(name: str) -> None:
    """A second line of a covered field is refused, even with the same value."""
    signed = cavage(plain())
    assert "present" in failures(judged(signed.with_headers((name, signed.lines(name)[0]))))


def test_a_covered_field_that_is_missing_is_not_an_empty_one() -> None:
    """A signature over the empty value of a field that is not there is refused, an empty field is not."""
    covered = (*POST_COVERED, "x-extra")
    assert failures(judged(cavage(plain(), covered))) == {"present"}
    empty = plain().with_headers(("x-extra", ""))
    assert judged(cavage(empty, covered)).ok


@pytest.mark.parametrize(
    ("covered", "parameters", "default"),
    [(GET_COVERED, {"headers": None}, "date"), (GET_COVERED, {"headers": None, "algorithm": None}, "(created)")],
)
def test_without_headers_the_default_is_too_little(
    covered: tuple[str, ...], parameters: dict[str, None], default: str
) -> None:
    """The default of headers= is date, or (created) with hs2019, and neither covers enough."""
    signed = cavage(plain("GET"), covered, parameters=parameters)
    assert scheme.parse(signed).covered == (default,)
    assert "coverage" in failures(judged(signed))


@pytest.mark.parametrize(
    ("late", "fresh"),
    [
        (-HOUR, True),
        (-HOUR - timedelta(seconds=1), False),
        (HOUR + timedelta(minutes=5), True),
        (HOUR + timedelta(minutes=5, seconds=1), False),
        (timedelta(hours=25), False),
    ],
)
@pytest.mark.parametrize(
    "signed", [cavage(plain()), cavage(plain(), CREATED_COVERED, parameters=HS2019)], ids=["date", "created"]
)
def test_the_window_is_an_hour_around_five_minutes(signed: SignedRequest, late: timedelta, *, fresh: bool) -> None:
    """Date and (created) are fresh from 60 minutes before to 65 minutes after."""
    verdict = judged(signed, late=late)
    assert verdict.ok is fresh
    assert failures(verdict) <= {"time"}


@pytest.mark.parametrize(
    ("life", "late", "fresh"),
    [
        (60, timedelta(minutes=61), True),
        (60, timedelta(minutes=61, seconds=1), False),
        (7200, 3 * HOUR, True),
        (7200, 3 * HOUR + timedelta(seconds=1), False),
        (100_000, 13 * HOUR, True),
        (100_000, 13 * HOUR + timedelta(seconds=1), False),
        (-1, timedelta(0), False),
    ],
)
def test_a_signed_expiry_counts_up_to_twelve_hours(life: int, late: timedelta, *, fresh: bool) -> None:
    """A covered (expires) shortens or prolongs the life of a signature, with the hour of skew."""
    covered = (*CREATED_COVERED, "(expires)")
    signed = cavage(plain(), covered, parameters={**HS2019, "expires": EPOCH + life})
    assert judged(signed, late=late).ok is fresh


@pytest.mark.parametrize(
    "signed",
    [
        cavage(plain(), CREATED_COVERED, parameters={**HS2019, "expires": EPOCH + 30_000}),
        cavage(plain(), parameters={"algorithm": "hs2019", "expires": EPOCH + 30_000}),
        cavage(plain(), parameters={"algorithm": "hs2019", "created": EPOCH + 7200, "expires": EPOCH + 30_000}),
        cavage(plain(), parameters={"created": EPOCH + 7200}),
    ],
    ids=range(4),
)
def test_times_that_nobody_signed_never_prolong_a_life(signed: SignedRequest) -> None:
    """An intermediary that adds created or expires to a captured signature cannot replay it later."""
    assert failures(judged(signed, late=2 * HOUR)) == {"time"}


def test_an_unsigned_expiry_in_the_past_still_counts() -> None:
    """An expiry beside the covered names may shorten the life."""
    signed = cavage(plain(), CREATED_COVERED, parameters={**HS2019, "expires": EPOCH})
    assert judged(signed, late=HOUR).ok
    assert failures(judged(signed, late=HOUR + timedelta(seconds=1))) == {"time"}


def test_a_signed_date_is_fresh_even_beside_created() -> None:
    """A Date of yesterday is refused although (created) is now."""
    covered = (*CREATED_COVERED, "date")
    yesterday = plain(date=http_date(NOW - 24 * HOUR))
    assert failures(judged(cavage(yesterday, covered, parameters=HS2019))) == {"time"}
    assert judged(cavage(plain(), covered, parameters=HS2019)).ok


@pytest.mark.parametrize("date", ["", "yesterday", http_date(NOW - 24 * HOUR)])
def test_a_date_that_nobody_signed_says_nothing(date: str) -> None:
    """Beside a signed (created) an uncovered Date may be old, unreadable or missing."""
    assert judged(cavage(plain(date=date), CREATED_COVERED, parameters=HS2019)).ok


def test_a_signed_expiry_does_not_keep_a_signed_date_fresh() -> None:
    """A covered (expires) prolongs the life of (created), never that of a covered Date."""
    parameters = {**HS2019, "expires": EPOCH + 7200}
    without, beside = (*CREATED_COVERED, "(expires)"), (*CREATED_COVERED, "(expires)", "date")
    assert judged(cavage(plain(), without, parameters=parameters), late=2 * HOUR).ok
    assert failures(judged(cavage(plain(), beside, parameters=parameters), late=2 * HOUR)) == {"time"}


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (lambda r: SignedRequest(method=r.method, target=r.target, headers=r.headers, body=b"{}"), {"digest"}),
        (lambda r: SignedRequest(method="PUT", target=r.target, headers=r.headers, body=r.body), {"signature"}),
        (lambda r: _moved(r, "https://gw.example/users/carol/inbox"), {"signature"}),
        (lambda r: _moved(r, f"{INBOX}?x=1"), {"signature"}),
        (lambda r: _moved(r, f"{INBOX}?"), {"signature"}),
        (lambda r: with_header(r, "host", "a@gw.example"), {"signature"}),
        (lambda r: with_header(r, "host", "gw.example/users/carol/inbox?"), {"signature"}),
        (lambda r: with_header(r, "date", http_date(NOW + timedelta(seconds=1))), {"signature"}),
        (lambda r: with_header(r, "digest", digest(BODY, "sha-256")), {"signature"}),
    ],
    ids=range(9),
)
def test_a_request_changed_after_signing_is_refused(
    change: Callable[[SignedRequest], SignedRequest], failed: set[str]
) -> None:
    """Body, method, path, query and covered values are bound to the signature."""
    assert failures(judged(change(cavage(plain())))) == failed


def _moved(request: SignedRequest, target: str) -> SignedRequest:
    return SignedRequest(method=request.method, target=target, headers=request.headers, body=request.body)


def test_a_query_is_forgiven_only_on_collections() -> None:
    """A GET signed without its query holds on a collection, and nowhere else, and never as POST."""
    page = _moved(cavage(plain("GET", OUTBOX)), f"{OUTBOX}?page=true")
    assert judged(page, is_collection=True).ok
    assert failures(judged(page)) == {"signature"}
    assert failures(judged(_moved(cavage(plain()), f"{INBOX}?x=1"), is_collection=True)) == {"signature"}
    assert not scheme.holds(scheme.parse(page), page, RSA.public)
    assert judged(_moved(page, f"{OUTBOX}?page=true&next=?2"), is_collection=True).ok
    other = _moved(cavage(plain("GET", OUTBOX)), f"{OUTBOX}/x?page=true")
    assert failures(judged(other, is_collection=True)) == {"signature"}


def test_the_wrong_key_is_refused() -> None:
    """Another RSA key, another kind of key, and a kind that cavage does not know do not hold."""
    assert failures(judged(cavage(plain()), OTHER_RSA)) == {"signature"}
    assert failures(judged(cavage(plain()), ED25519)) == {"signature"}
    pem = (
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\n"
        "w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n-----END PUBLIC KEY-----\n"
    )
    p256: PublicKey = load_public_pem(pem)
    assert not scheme.holds(scheme.parse(cavage(plain())), plain(), p256)


def test_the_key_decides_the_algorithm() -> None:
    """A signature made with Ed25519 holds with that key, whatever RSA name its header bears."""
    assert judged(cavage(plain(), key=ED25519), ED25519).ok
    assert judged(cavage(plain(), key=ED25519, parameters={"algorithm": "hs2019"}), ED25519).ok


def test_a_public_key_is_no_shared_secret() -> None:
    """hmac-sha256 with the public PEM as its secret is refused by name and by key."""
    parsed = scheme.parse(cavage(plain(), parameters={"algorithm": "hmac-sha256"}))
    assert parsed.algorithm == "hmac-sha256"
    assert not RSA.public.verify("hmac-sha256", parsed.signature, b"")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "garbage",
        'keyId="https://peer.example/k"',
        'signature="AAAA"',
        'keyId="",signature="AAAA"',
        'keyId="k",signature="!!!!"',
        'keyId="k",signature="AA AA"',
        'keyId="k",signature="AAA"',
        'keyId="k",signature="é"',
        'keyId="k",keyId="l",signature="AAAA"',
        'keyId="k",signature="AAAA",headers="date",headers="host"',
        'keyId="k",signature="AAAA",headers=""',
        'keyId="k",signature="AAAA",headers="date date"',
        'keyId="k",signature="AAAA",headers="Date date"',
        'keyId="k" signature="AAAA"',
        "keyId=k,signature=AAAA",
        'keyId="a\\"b",signature="AAAA"',
        'keyId="k",signature="AAAA",created=1e99',
        'keyId="k",signature="AAAA",created=-1',
        'keyId="k",signature="AAAA",created=1234567890123456',
        "sig1=:AAAA:",
        f'keyId="k",signature="AAAA",headers="{" ".join(f"h{i}" for i in range(65))}"',
        f'keyId="{"k" * 2049}",signature="AAAA"',
        f'keyId="k",signature="{"A" * 8192}"',
    ],
)
def test_a_header_that_is_not_a_signature_is_malformed(value: str) -> None:
    """What cannot be parsed raises MalformedSignature and nothing else."""
    with pytest.raises(MalformedSignature):
        scheme.parse(_signature(value))


def test_junk_inside_the_base64_is_malformed() -> None:
    """Characters outside base64 are not dropped silently."""
    signed = cavage(plain())
    value = signed.lines("signature")[0]
    at = value.index('signature="') + len('signature="') + 4
    with pytest.raises(MalformedSignature):
        scheme.parse(_signature(f"{value[:at]}!\n {value[at:]}"))


def test_there_is_one_signature_line() -> None:
    """No line, or a second one by somebody else, is malformed."""
    with pytest.raises(MalformedSignature):
        scheme.parse(plain())
    signed = cavage(plain())
    with pytest.raises(MalformedSignature):
        scheme.parse(signed.with_headers(("signature", signed.lines("signature")[0])))


def test_sixty_four_names_and_white_space_are_taken() -> None:
    """The limit itself passes, and so does space around the commas."""
    names = [f"h{index}" for index in range(64)]
    parsed = scheme.parse(_signature(f' keyId="k" ,  signature="AAAA" , headers="{" ".join(names)}"'))
    assert parsed.covered == tuple(names)


def test_headers_and_key_ids_may_be_as_long_as_the_limit() -> None:
    """A key id of 2048 characters and a header of 8192 are read, one more character is malformed."""
    assert (scheme.MAX_KEY_ID, scheme.MAX_HEADER) == (2048, 8192)
    longest = 'keyId="' + "k" * 2048 + '",signature="AAAA"'
    assert scheme.parse(_signature(longest)).key_id == "k" * 2048
    whole = 'keyId="kkk",signature="' + "A" * 8168 + '"'
    assert len(whole) == 8192
    assert len(scheme.parse(_signature(whole)).signature) == 6126
    for line in (longest.replace("kk", "kkk", 1), whole.replace("kk", "kkk", 1)):
        with pytest.raises(MalformedSignature):
            scheme.parse(_signature(line))


def test_what_we_send_is_the_form_everyone_takes() -> None:
    """A signed POST carries Host, Date, Digest and a Signature over exactly those and the target."""
    request = SignedRequest(method="POST", target=INBOX, headers=(), body=BODY)
    added = scheme.sign(request, RSA, KEY_ID, NOW)
    assert [name for name, _ in added] == ["host", "date", "digest", "signature"]
    assert dict(added)["digest"] == digest(BODY)
    assert f'keyId="{KEY_ID}",algorithm="rsa-sha256",headers="(request-target) host date digest"' in added[-1][1]
    expected = cavage(plain()).lines("signature")[0]
    assert base64.b64encode(scheme.parse(request.with_headers(*added)).signature).decode() in expected
    assert judged(request.with_headers(*added)).ok


def test_a_signed_get_has_no_digest() -> None:
    """A signed GET covers target, host and date."""
    added = scheme.sign(SignedRequest(method="GET", target=OUTBOX, headers=()), RSA, KEY_ID, NOW)
    assert [name for name, _ in added] == ["host", "date", "signature"]
    assert 'headers="(request-target) host date"' in added[-1][1]


def test_a_fragment_is_not_signed() -> None:
    """A key id is fetched without its fragment, and the signature holds for what goes on the wire."""
    target = "https://gw.example/users/alice"
    added = scheme.sign(SignedRequest(method="GET", target=f"{target}#main-key", headers=()), RSA, KEY_ID, NOW)
    assert judged(SignedRequest(method="GET", target=target, headers=tuple(added))).ok


def test_further_fields_are_covered_when_they_are_there() -> None:
    """Extra names are covered only if the request has them, and then a change breaks the signature."""
    request = SignedRequest(method="POST", target=INBOX, headers=(("content-usage", "train-ai=n"),), body=BODY)
    signed = request.with_headers(*scheme.sign(request, RSA, KEY_ID, NOW, ("content-usage", "x-missing")))
    assert scheme.parse(signed).covered == (*POST_COVERED, "content-usage")
    assert judged(signed).ok
    assert failures(judged(with_header(signed, "content-usage", "train-ai=y"))) == {"signature"}
    assert failures(judged(with_header(signed, "content-usage", ""))) == {"present"}
