"""RFC 9421, Appendix B: the printed keys, signature bases and signatures."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from vectors.reading import rfc9421_cases, rfc9421_public_pems, rfc9421_request

from gateway.errors import MalformedSignature
from gateway.signatures import message, verify
from gateway.signatures.keys import load_public_pem
from gateway.signatures.owner import ListedKey

REQUEST_CASES = {
    "sig-b21": ("test-key-rsa-pss", "rsa-pss-sha512"),
    "sig-b22": ("test-key-rsa-pss", "rsa-pss-sha512"),
    "sig-b23": ("test-key-rsa-pss", "rsa-pss-sha512"),
    "sig-b26": ("test-key-ed25519", "ed25519"),
}
CREATED = datetime.fromtimestamp(1618884473, UTC)


def _parsed(label: str) -> message.MessageSignature:
    case = rfc9421_cases()[label]
    return message.parse(
        rfc9421_request().with_headers(("signature-input", case.signature_input), ("signature", case.signature))
    )


def _base(label: str) -> str:
    parsed = _parsed(label)
    return message.signature_base(parsed.covered, parsed.parameters, rfc9421_request())


def test_the_appendix_is_read_whole() -> None:
    """The markdown holds six cases and four public keys."""
    assert list(rfc9421_cases()) == ["sig-b21", "sig-b22", "sig-b23", "sig-b24", "sig-b25", "sig-b26"]
    assert list(rfc9421_public_pems()) == [
        "test-key-rsa",
        "test-key-rsa-pss",
        "test-key-ecc-p256",
        "test-key-ed25519",
    ]


def test_every_printed_public_key_passes_the_rules_for_weak_keys() -> None:
    """No key of the appendix is refused as weak."""
    kinds = {name: load_public_pem(pem).kind for name, pem in rfc9421_public_pems().items()}
    assert kinds == {
        "test-key-rsa": "rsa",
        "test-key-rsa-pss": "rsa",
        "test-key-ecc-p256": "p256",
        "test-key-ed25519": "ed25519",
    }


@pytest.mark.parametrize("label", [*REQUEST_CASES, "sig-b25"])
def test_the_signature_base_is_the_printed_one(label: str) -> None:
    """The signature base of a request is, byte for byte, the one that the RFC prints."""
    assert _base(label) == rfc9421_cases()[label].base


@pytest.mark.parametrize("label", REQUEST_CASES)
def test_a_printed_signature_holds(label: str) -> None:
    """The printed signature holds with the listed key and algorithm over our signature base."""
    name, algorithm = REQUEST_CASES[label]
    key = load_public_pem(rfc9421_public_pems()[name])
    base = _base(label).encode()
    assert key.verify(algorithm, _parsed(label).signature, base)
    assert not key.verify(algorithm, _parsed(label).signature, base + b" ")


def test_the_printed_ecdsa_signature_holds() -> None:
    """The key and signature of the response case work together, although no response is taken."""
    key = load_public_pem(rfc9421_public_pems()["test-key-ecc-p256"])
    case = rfc9421_cases()["sig-b24"]
    parsed = message.parse_all(
        rfc9421_request().with_headers(("signature-input", case.signature_input), ("signature", case.signature))
    )[0]
    assert key.verify("ecdsa-p256-sha256", parsed.signature, case.base.encode())
    assert not key.verify("ecdsa-p256-sha256", parsed.signature + b"\0\0", case.base.encode())


def test_the_key_decides_the_algorithm_where_none_is_named() -> None:
    """Without alg an Ed25519 key checks as Ed25519 and an RSA key as v1.5, so the unnamed PSS ones fail."""
    held = {
        label: message.holds(_parsed(label), rfc9421_request(), load_public_pem(rfc9421_public_pems()[name]))
        for label, (name, _) in REQUEST_CASES.items()
    }
    assert held == {"sig-b21": False, "sig-b22": False, "sig-b23": False, "sig-b26": True}


def test_a_response_component_is_refused() -> None:
    """@status has no value in a request."""
    with pytest.raises(MalformedSignature, match="@status"):
        _base("sig-b24")


@pytest.mark.parametrize("name", ["test-key-rsa", "test-key-rsa-pss", "test-key-ecc-p256", "test-key-ed25519"])
def test_a_shared_secret_never_verifies(name: str) -> None:
    """HMAC is refused with every kind of key, even when the public key itself is the secret."""
    pem = rfc9421_public_pems()[name]
    base = _base("sig-b25").encode()
    key = load_public_pem(pem)
    assert not key.verify("hmac-sha256", hmac.digest(pem.encode(), base, hashlib.sha256), base)
    assert not key.verify("hmac-sha256", _parsed("sig-b25").signature, base)


@pytest.mark.parametrize(
    ("label", "missing"),
    [
        ("sig-b21", {"coverage", "digest-covered", "key-url"}),
        ("sig-b22", {"coverage", "key-url"}),
        ("sig-b23", {"key-url"}),
        ("sig-b24", {"coverage", "components", "key-url"}),
        ("sig-b25", {"coverage", "digest-covered", "key-url"}),
        ("sig-b26", {"coverage", "digest-covered", "key-url"}),
    ],
)
def test_no_printed_signature_meets_the_rules_for_federation(label: str, missing: set[str]) -> None:
    """Each case falls short of what a POST must cover or name, and is refused for exactly that."""
    case = rfc9421_cases()[label]
    request = rfc9421_request().with_headers(("signature-input", case.signature_input), ("signature", case.signature))
    opened = verify.open_request(request, CREATED)
    key = load_public_pem(rfc9421_public_pems()["test-key-ed25519"])
    verdict = verify.close(opened, ListedKey(id=opened.key_id, owner="https://a.example/", public=key), None)
    assert not verdict.ok
    assert {step.name for step in verdict.steps if not step.ok} == missing
