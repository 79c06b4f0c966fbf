"""RFC 9421 on requests: each inbound rule, and the profile we send."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from signatures.crafting import (
    ACTOR,
    BODY,
    ED25519,
    EPOCH,
    INBOX,
    KEY_ID,
    NOW,
    OTHER_RSA,
    RSA,
    content_digest,
    failures,
    http_date,
    judged,
    message,
    plain,
    with_header,
)

from gateway.errors import MalformedSignature
from gateway.signatures import message as scheme
from gateway.signatures.keys import PublicKey
from gateway.signatures.message import Component
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from gateway.signatures.keys import PrivateKey

HOUR = timedelta(hours=1)
METHOD, TARGET, DIGEST = '"@method"', '"@target-uri"', '"content-digest"'
PARTS = (METHOD, '"@authority"', '"@path"', '"@query"')
KEYID = f';keyid="{KEY_ID}"'
CREATED = f";created={EPOCH}"
OUTBOX = "https://gw.example/users/alice/outbox"
EMPTY = base64.b64encode(bytes(64)).decode()


def _written(described: str, signature: str = f"sig1=:{EMPTY}:") -> SignedRequest:
    return plain().with_headers(("signature-input", described), ("signature", signature))


def _moved(request: SignedRequest, target: str) -> SignedRequest:
    return SignedRequest(method=request.method, target=target, headers=request.headers, body=request.body)


@pytest.mark.parametrize(
    "request_",
    [
        message(plain()),
        message(plain("GET")),
        message(plain(), (METHOD, TARGET, '"@authority"', '"host"', '"date"', DIGEST)),
        message(plain(), (*PARTS[:3], DIGEST)),
        message(plain("GET", f"{OUTBOX}?page=true"), PARTS),
        message(plain("GET", f"{OUTBOX}?page=true")),
        message(plain("GET", OUTBOX), PARTS[:3]),
        message(plain("GET", OUTBOX), PARTS),
        message(plain(), parameters=f'{CREATED}{KEYID};alg="rsa-v1_5-sha256"'),
        message(plain(), parameters=f'{CREATED};expires={EPOCH + 300}{KEYID};nonce="n";tag="activitypub"'),
        message(plain(), parameters=f'{CREATED}{KEYID};tag="fediverse"'),
        message(plain(content_digest=content_digest(BODY, "sha-512"))),
        message(plain("GET", content_digest=content_digest(b"")), (METHOD, TARGET, DIGEST)),
    ],
    ids=range(13),
)
def test_a_signature_in_a_form_of_the_field_is_taken(request_: SignedRequest) -> None:
    """What the servers of the fediverse send verifies."""
    verdict = judged(request_)
    assert verdict.ok, verdict.failed
    assert (verdict.scheme, verdict.key_id, verdict.actor) == ("rfc9421", KEY_ID, ACTOR)


@pytest.mark.parametrize(
    ("request_", "failed"),
    [
        (message(plain(), (TARGET, DIGEST)), {"coverage"}),
        (message(plain(), (METHOD, DIGEST)), {"coverage"}),
        (message(plain(), (METHOD, '"@path"', DIGEST)), {"coverage"}),
        (message(plain(), (METHOD, '"@path"', '"@query"', DIGEST)), {"coverage"}),
        (message(plain(), (METHOD, '"@authority"', DIGEST)), {"coverage"}),
        (message(plain(target=f"{INBOX}?x=1"), (*PARTS[:3], DIGEST)), {"coverage"}),
        (message(plain(), (METHOD, TARGET)), {"digest-covered"}),
        (message(plain(), (METHOD, TARGET, '"digest"')), {"digest-covered"}),
        (message(plain("GET"), (METHOD,)), {"coverage"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"@foo"')), {"components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"@status"')), {"components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"@signature-params"')), {"components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"x-missing"')), {"components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"date";sf')), {"components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"date";bs')), {"components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"@authority";req')), {"components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"not a name"')), {"components"}),
        (message(plain(), (METHOD, TARGET, '"Content-Digest"')), {"digest-covered", "components"}),
        (message(plain(), (METHOD, '"@target-uri";req', DIGEST)), {"coverage", "components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"@query-param";name="x"')), {"components"}),
        (message(plain(), (METHOD, TARGET, DIGEST, '"@query-param"')), {"components"}),
        (message(plain(), parameters=f"{CREATED}"), {"key-id", "key-url"}),
        (message(plain(), parameters=f'{CREATED};keyid=""'), {"key-id", "key-url"}),
        (message(plain(), parameters=f'{CREATED};keyid="acct:bob@peer.example"'), {"key-url"}),
        (message(plain(), parameters=f"{CREATED};keyid=5"), {"key-url", "parameters"}),
        (message(plain(), parameters=KEYID), {"time"}),
        (message(plain(), parameters=f'{KEYID};created="{EPOCH}"'), {"time"}),
        (message(plain(), parameters=f"{KEYID};created"), {"time"}),
        (message(plain(), parameters=f"{KEYID};created={EPOCH}.0"), {"time"}),
        (message(plain(), parameters=f"{KEYID};created=@{EPOCH}"), {"time"}),
        (message(plain(), parameters=f"{KEYID};created=-1"), {"time"}),
        (message(plain(), parameters=f"{KEYID};created=253402300799"), {"time"}),
        (message(plain(), parameters=f"{KEYID};created=999999999999999"), {"time"}),
        (message(plain(), parameters=f'{CREATED}{KEYID};expires="soon"'), {"time"}),
        (message(plain(), parameters=f"{CREATED}{KEYID};expires={EPOCH - 1}"), {"time"}),
        (message(plain(), parameters=f'{CREATED}{KEYID};tag="web-bot-auth"'), {"tag"}),
        (message(plain(), parameters=f"{CREATED}{KEYID};admin"), {"parameters"}),
        (message(plain(content_digest=content_digest(b"other"))), {"digest"}),
        (message(plain(content_digest=content_digest(BODY, "md5"))), {"digest"}),
        (message(plain("GET", content_digest=content_digest(b"x")), (METHOD, TARGET, DIGEST)), {"digest"}),
        (message(plain(content_digest="")), {"components", "digest"}),
    ],
    ids=range(41),
)
def test_a_signature_that_covers_or_says_too_little_is_refused(request_: SignedRequest, failed: set[str]) -> None:
    """Each rule of the inbound list refuses exactly its own breach, before any key is looked for."""
    verdict = judged(request_)
    assert not verdict.ok
    assert failures(verdict) == failed
    assert "key" not in {step.name for step in verdict.steps}


@pytest.mark.parametrize(
    ("parameters", "key"),
    [
        (f'{CREATED}{KEYID};alg="ed25519"', RSA),
        (f'{CREATED}{KEYID};alg="rsa-pss-sha512"', RSA),
        (f'{CREATED}{KEYID};alg="rsa-v1_5-sha512"', RSA),
        (f'{CREATED}{KEYID};alg="hmac-sha256"', RSA),
        (f'{CREATED}{KEYID};alg="none"', RSA),
        (f'{CREATED}{KEYID};alg=""', RSA),
        (f'{CREATED}{KEYID};alg="rsa-pss-sha512"', ED25519),
        (f'{CREATED}{KEYID};alg="rsa-v1_5-sha256"', ED25519),
    ],
)
def test_alg_may_only_agree_with_the_key(parameters: str, key: PrivateKey) -> None:
    """An alg that the key does not have, or that was not used, fails the signature."""
    assert failures(judged(message(plain(), key=key, parameters=parameters), key)) == {"signature"}


def test_an_ed25519_signature_is_taken() -> None:
    """An Ed25519 key verifies with and without alg, and no other key does."""
    for parameters in (f"{CREATED}{KEYID}", f'{CREATED}{KEYID};alg="ed25519"'):
        signed = message(plain(), key=ED25519, parameters=parameters)
        assert judged(signed, ED25519).ok
        assert failures(judged(signed, RSA)) == {"signature"}
    assert failures(judged(message(plain()), OTHER_RSA)) == {"signature"}


def test_a_p256_signature_is_taken() -> None:
    """A P-256 key verifies without alg and with its own, and with no other name."""
    private = ec.generate_private_key(ec.SECP256R1())

    class Signer:
        """Signs as RFC 9421 says, section 3.3.4."""

        def sign(self, base: bytes) -> bytes:
            r, s = decode_dss_signature(private.sign(base, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    signer: Any = Signer()
    for alg, holds in (("", True), (';alg="ecdsa-p256-sha256"', True), (';alg="ed25519"', False)):
        signed = message(plain(), key=signer, parameters=f"{CREATED}{KEYID}{alg}")
        assert scheme.holds(scheme.parse(signed), signed, PublicKey("p256", private.public_key())) is holds


@pytest.mark.parametrize(
    ("life", "late", "fresh"),
    [
        (None, -HOUR, True),
        (None, -HOUR - timedelta(seconds=1), False),
        (None, HOUR + timedelta(minutes=5), True),
        (None, HOUR + timedelta(minutes=5, seconds=1), False),
        (60, timedelta(minutes=61), True),
        (60, timedelta(minutes=61, seconds=1), False),
        (7200, 3 * HOUR, True),
        (7200, 3 * HOUR + timedelta(seconds=1), False),
        (100_000, 13 * HOUR, True),
        (100_000, 13 * HOUR + timedelta(seconds=1), False),
    ],
)
def test_the_window_is_exact(life: int | None, late: timedelta, *, fresh: bool) -> None:
    """Created, with expires up to twelve hours later, is fresh with an hour of skew on both sides."""
    expires = "" if life is None else f";expires={EPOCH + life}"
    verdict = judged(message(plain(), parameters=f"{CREATED}{expires}{KEYID}"), late=late)
    assert verdict.ok is fresh
    assert failures(verdict) <= {"time"}


def test_a_signed_date_is_fresh_even_beside_created() -> None:
    """A covered Date of yesterday is refused, an uncovered one says nothing."""
    yesterday = plain(date=http_date(NOW - 24 * HOUR))
    assert failures(judged(message(yesterday, (METHOD, TARGET, DIGEST, '"date"')))) == {"time"}
    assert judged(message(yesterday)).ok
    assert judged(message(plain(date=""))).ok
    assert judged(message(plain(date="x"))).ok
    assert failures(judged(message(plain(date="x"), (METHOD, TARGET, DIGEST, '"date"')))) == {"time"}


@pytest.mark.parametrize(
    ("changed", "failed"),
    [
        (SignedRequest(method="POST", target=INBOX, headers=message(plain()).headers, body=b"{}"), {"digest"}),
        (SignedRequest(method="PUT", target=INBOX, headers=message(plain()).headers, body=BODY), {"signature"}),
        (_moved(message(plain()), "https://gw.example/users/carol/inbox"), {"signature"}),
        (_moved(message(plain()), "https://other.example/users/alice/inbox"), {"signature"}),
        (_moved(message(plain()), "http://gw.example/users/alice/inbox"), {"signature"}),
        (_moved(message(plain()), f"{INBOX}?page=2"), {"signature"}),
        (_moved(message(plain(), (*PARTS[:3], DIGEST)), f"{INBOX}?page=2"), {"coverage"}),
        (_moved(message(plain(), (*PARTS, DIGEST)), f"{INBOX}?page=2"), {"signature"}),
        (_moved(message(plain(), (*PARTS, DIGEST)), INBOX.replace("gw", "other")), {"signature"}),
        (with_header(message(plain(), (METHOD, TARGET, DIGEST, '"host"')), "host", "a@gw.example"), {"signature"}),
        (with_header(message(plain()), "content-digest", content_digest(BODY, "sha-512")), {"signature"}),
    ],
    ids=range(11),
)
def test_a_request_changed_after_signing_is_refused(changed: SignedRequest, failed: set[str]) -> None:
    """Body, method, host, scheme, path, query and covered values are bound to the signature."""
    assert failures(judged(changed)) == failed


def test_a_query_is_never_forgiven() -> None:
    """The leniency of collections is draft-cavage's alone."""
    page = _moved(message(plain("GET", OUTBOX)), f"{OUTBOX}?page=true")
    assert failures(judged(page, is_collection=True)) == {"signature"}


def test_the_target_comes_from_the_configured_origin() -> None:
    """A signature over a forged Host or X-Forwarded-Host does not hold for our own target."""
    forged = message(plain("GET", "https://other.example/users/alice"))
    here = with_header(forged, "x-forwarded-host", "other.example")
    assert failures(judged(_moved(here, "https://gw.example/users/alice"))) == {"signature"}


@pytest.mark.parametrize(
    ("described", "signature"),
    [
        ("", f"sig1=:{EMPTY}:"),
        ("sig1=()", ""),
        ("garbage(", f"sig1=:{EMPTY}:"),
        ("sig1=()", "garbage:"),
        ("sig1=()", f"sig2=:{EMPTY}:"),
        ("sig1=(), sig2=()", f"sig1=:{EMPTY}:"),
        ("sig1=()", f"sig1=:{EMPTY}:, sig2=:{EMPTY}:"),
        ("sig1=(), sig2=()", f"sig1=:{EMPTY}:, sig2=:{EMPTY}:"),
        ("sig1=(), sig1=()", f"sig1=:{EMPTY}:"),
        ("sig1=()", f"sig1=:{EMPTY}:, sig1=:{EMPTY}:"),
        ('sig1=("@method" "@method")', f"sig1=:{EMPTY}:"),
        ('sig1=("@method";req "@method";req)', f"sig1=:{EMPTY}:"),
        (f"sig1=(){CREATED}{CREATED}", f"sig1=:{EMPTY}:"),
        ('sig1=("@method";req;req)', f"sig1=:{EMPTY}:"),
        ("sig1=(@method)", f"sig1=:{EMPTY}:"),
        ("sig1=(method)", f"sig1=:{EMPTY}:"),
        ("sig1=(5)", f"sig1=:{EMPTY}:"),
        ("sig1=5", f"sig1=:{EMPTY}:"),
        ("sig1", f"sig1=:{EMPTY}:"),
        ('sig1="@method"', f"sig1=:{EMPTY}:"),
        ("sig1=()", 'sig1="text"'),
        ("sig1=()", f"sig1=(:{EMPTY}:)"),
        ("sig1=()", "sig1=:!!!!:"),
        ("Sig1=()", f"Sig1=:{EMPTY}:"),
        ("sig1=();é", f"sig1=:{EMPTY}:"),
        (f"sig1=({' '.join(chr(34) + f'h{i}' + chr(34) for i in range(65))})", f"sig1=:{EMPTY}:"),
        (f'sig1=();nonce="{"n" * 8192}"', f"sig1=:{EMPTY}:"),
    ],
    ids=range(27),
)
def test_headers_that_are_not_one_signature_are_malformed(described: str, signature: str) -> None:
    """Unparsable, missing, repeated or several signatures raise MalformedSignature and nothing else."""
    with pytest.raises(MalformedSignature):
        scheme.parse(_written(described, signature))


@pytest.mark.parametrize(
    ("described", "signature", "named"),
    [
        ("", f"sig1=:{EMPTY}:", "Signature-Input is missing"),
        ("sig1=()", "", "Signature is missing"),
        ("garbage(", f"sig1=:{EMPTY}:", "Signature-Input: "),
        ("sig1=(), sig1=()", f"sig1=:{EMPTY}:", r"Signature-Input repeats \['sig1'\]"),
        ("sig1=()", f"sig1=:{EMPTY}:, sig1=:{EMPTY}:", r"Signature repeats \['sig1'\]"),
    ],
)
def test_a_malformed_header_is_named(described: str, signature: str, named: str) -> None:
    """The error says which of the two headers is at fault, and which label stands twice."""
    with pytest.raises(MalformedSignature, match=f"^{named}"):
        scheme.parse(_written(described, signature))


def test_a_header_has_at_most_8192_characters() -> None:
    """The limit itself is read, and one more character is malformed."""
    assert scheme.MAX_HEADER == 8192
    assert scheme.parse(_written(f'sig1=();nonce="{"n" * (8192 - 16)}"')).label == "sig1"
    with pytest.raises(MalformedSignature):
        scheme.parse(_written(f'sig1=();nonce="{"n" * (8192 - 15)}"'))


def test_several_signatures_are_listed_for_the_inspector() -> None:
    """parse_all reads what parse refuses: a valid signature beside an invalid one is never taken."""
    one = message(plain())
    two = with_header(
        with_header(one, "signature-input", f'{one.lines("signature-input")[0]}, sig2=("@method"){CREATED}{KEYID}'),
        "signature",
        f"{one.lines('signature')[0]}, sig2=:{EMPTY}:",
    )
    assert [found.label for found in scheme.parse_all(two)] == ["sig1", "sig2"]
    with pytest.raises(MalformedSignature):
        judged(two)


def test_sixty_four_components_and_several_lines_are_taken() -> None:
    """The limit itself passes, and a dictionary may stand on several lines."""
    names = " ".join(f'"h{index}"' for index in range(64))
    assert len(scheme.parse(_written(f"sig1=({names})")).covered) == 64
    split = _written("a=()", "a=::").with_headers(("signature-input", "b=()"), ("signature", "b=::"))
    assert [found.label for found in scheme.parse_all(split)] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("@method", "GET"),
        ("@target-uri", "https://gw.example:8443/a/b?x=1&y=%C3%A9"),
        ("@authority", "gw.example:8443"),
        ("@scheme", "https"),
        ("@request-target", "/a/b?x=1&y=%C3%A9"),
        ("@path", "/a/b"),
        ("@query", "?x=1&y=%C3%A9"),
        ("accept", "a, b"),
    ],
)
def test_a_component_has_the_value_of_the_request(name: str, value: str) -> None:
    """Derived components and fields have the values of RFC 9421, section 2."""
    request = SignedRequest(
        method="GET",
        target="https://gw.example:8443/a/b?x=1&y=%C3%A9",
        headers=(("Accept", " a"), ("accept", "b ")),
    )
    assert scheme.component_value(Component(name=name), request) == value


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("var=this%20is%20a%20big%0Amultiline%20value", "var", "this%20is%20a%20big%0Amultiline%20value"),
        ("bar=with+plus+whitespace", "bar", "with%20plus%20whitespace"),
        ("fa%C3%A7ade%22%3A%20=something", "fa%C3%A7ade%22%3A%20", "something"),
        ("a=", "a", ""),
        ("a=*-._~", "a", "*-._%7E"),
    ],
)
def test_a_query_parameter_is_decoded_and_encoded_again(query: str, name: str, value: str) -> None:
    """Names and values take the percent-encoding of RFC 9421, section 2.2.8."""
    request = SignedRequest(method="GET", target=f"https://gw.example/?{query}", headers=())
    assert scheme.component_value(Component(name="@query-param", parameters=(("name", name),)), request) == value


@pytest.mark.parametrize(
    "parameters",
    [
        (),
        (("name", "missing"),),
        (("name", "twice"),),
        (("name", "once"), ("req", True)),
        (("name", 1),),
        (("other", "once"),),
    ],
)
def test_a_query_parameter_stands_exactly_once(parameters: tuple[tuple[str, object], ...]) -> None:
    """A parameter that is missing, repeated or described otherwise has no value."""
    request = SignedRequest(method="GET", target="https://gw.example/?once=1&twice=1&twice=2", headers=())
    with pytest.raises(MalformedSignature):
        scheme.component_value(Component(name="@query-param", parameters=parameters), request)


@pytest.mark.parametrize(
    ("component", "words"),
    [
        (Component(name="not a name"), "not a field name"),
        (Component(name="Date"), "not a field name"),
        (Component(name="date", parameters=(("sf", True),)), "parameters on date"),
        (Component(name="@path", parameters=(("req", True),)), "parameters on @path"),
        (Component(name="x-missing"), "x-missing is covered but missing"),
        (Component(name="@foo"), "unknown derived component @foo"),
        (Component(name="@query-param", parameters=(("name", "x"),)), "exactly one parameter"),
    ],
)
def test_a_component_without_a_value_says_why(component: Component, words: str) -> None:
    """Each kind of component that has no value is told from the others."""
    with pytest.raises(MalformedSignature, match=words):
        scheme.component_value(component, plain())


def test_what_is_advertised() -> None:
    """The two capabilities have the identifiers of FEP-844e."""
    assert scheme.ADVERTISED == "https://datatracker.ietf.org/doc/html/rfc9421"
    assert f"{scheme.ADVERTISED}#name-eddsa-using-curve-edwards25" == scheme.ADVERTISED_ED25519


def test_an_empty_path_and_query_have_values() -> None:
    """Without a path the path is a slash, without a query the query is a question mark."""
    request = SignedRequest(method="GET", target="https://gw.example", headers=())
    assert scheme.component_value(Component(name="@path"), request) == "/"
    assert scheme.component_value(Component(name="@query"), request) == "?"


def test_what_we_send_is_the_profile_that_verifies_everywhere() -> None:
    """A signed POST covers method, target, authority and digest, and states times, key, algorithm and tag."""
    request = SignedRequest(method="POST", target=INBOX, headers=(), body=BODY)
    added = dict(scheme.sign(request, RSA, KEY_ID, NOW))
    assert list(added) == ["host", "date", "content-digest", "signature-input", "signature"]
    assert added["signature-input"] == (
        f'sig1=("@method" "@target-uri" "@authority" "content-digest");created={EPOCH};expires={EPOCH + 300}'
        f';keyid="{KEY_ID}";alg="rsa-v1_5-sha256";tag="activitypub"'
    )
    assert judged(request.with_headers(*added.items())).ok


def test_a_challenge_is_signed_with_its_label_and_nonce() -> None:
    """Label, nonce and life are those asked for."""
    request = SignedRequest(method="GET", target=OUTBOX, headers=())
    added = scheme.sign(request, ED25519, KEY_ID, NOW, nonce="b3k2-7z", label="proof", life=timedelta(seconds=30))
    assert dict(added)["signature-input"] == (
        f'proof=("@method" "@target-uri" "@authority");created={EPOCH};expires={EPOCH + 30};nonce="b3k2-7z"'
        f';keyid="{KEY_ID}";alg="ed25519";tag="activitypub"'
    )
    assert judged(request.with_headers(*added), ED25519).ok


def test_a_fragment_is_not_signed() -> None:
    """A key id is fetched without its fragment, and the signature holds for what goes on the wire."""
    target = "https://gw.example/users/alice"
    added = scheme.sign(SignedRequest(method="GET", target=f"{target}#main-key", headers=()), RSA, KEY_ID, NOW)
    assert judged(SignedRequest(method="GET", target=target, headers=tuple(added))).ok


def test_further_fields_are_covered_when_they_are_there() -> None:
    """Extra names are covered only if the request has them, and then a change breaks the signature."""
    request = SignedRequest(method="POST", target=INBOX, headers=(("content-usage", "train-ai=n"),), body=BODY)
    signed = request.with_headers(*scheme.sign(request, RSA, KEY_ID, NOW, ("content-usage", "x-missing")))
    assert "content-usage" in scheme.parse(signed).names
    assert "x-missing" not in scheme.parse(signed).names
    assert judged(signed).ok
    assert failures(judged(with_header(signed, "content-usage", "train-ai=y"))) == {"signature"}
    assert failures(judged(with_header(signed, "content-usage", ""))) == {"components"}
