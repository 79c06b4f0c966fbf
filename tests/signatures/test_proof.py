"""Object integrity proofs: what is judged beside the vector of the FEP."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from signatures.crafting import ACTOR, ED25519, NOW, RSA, failures

from gateway.signatures import proof
from gateway.signatures.keys import PrivateKey, base58_decode, base58_encode, generate

METHOD = f"{ACTOR}#ed25519-key"
AS2 = "https://www.w3.org/ns/activitystreams"
DOCUMENT: dict[str, Any] = {
    "@context": [AS2, "https://w3id.org/security/data-integrity/v2"],
    "id": "https://peer.example/a/1",
    "type": "Create",
    "actor": ACTOR,
    "object": {"type": "Note", "content": "日本語", "contentUsage": "train-ai=n"},
}


def _signed(document: dict[str, Any] | None = None, **options: object) -> dict[str, Any]:
    """Return a document whose proof was made with further or other options."""
    whole = DOCUMENT if document is None else document
    made = proof.attach(whole, ED25519, METHOD, NOW)
    stated: Any = made["proof"]
    chosen = {k: v for k, v in {**stated, **options}.items() if k != "proofValue" and v is not None}
    value = "z" + base58_encode(ED25519.sign(proof.hash_data(whole, chosen)))
    return {**made, "proof": {**chosen, "proofValue": value}}


def _failures(
    document: dict[str, Any], key: PrivateKey | None = ED25519, *, owner: str = ACTOR, method: str = METHOD
) -> set[str]:
    verdict = proof.verify(document, None if key is None else key.public, method, NOW, owner=owner)
    assert verdict.ok is (not failures(verdict))
    assert (verdict.scheme, verdict.key_id, verdict.actor) == ("proof", method, owner)
    return failures(verdict)


def test_a_proof_holds() -> None:
    """A fresh proof verifies, on an activity and on an object with attributedTo."""
    assert _failures(proof.attach(DOCUMENT, ED25519, METHOD, NOW)) == set()
    note = {"@context": AS2, "type": "Note", "attributedTo": ACTOR}
    assert _failures(proof.attach(note, ED25519, METHOD, "2026-11-22T00:00:00Z")) == set()


def test_a_proof_covers_what_no_context_defines() -> None:
    """A term that JSON-LD would drop is signed like any other byte."""
    document = proof.attach({**DOCUMENT, "x-undefined": 1}, ED25519, METHOD, NOW)
    assert _failures(document) == set()
    assert _failures({**document, "x-undefined": 2}) == {"signature"}
    assert _failures({k: v for k, v in document.items() if k != "x-undefined"}) == {"signature"}
    assert _failures({**document, "x-new": 1}) == {"signature"}


@pytest.mark.parametrize(
    ("options", "failed"),
    [
        ({"type": "Ed25519Signature2020"}, {"suite"}),
        ({"cryptosuite": "eddsa-rdfc-2022"}, {"suite"}),
        ({"cryptosuite": None}, {"suite"}),
        ({"proofPurpose": "authentication"}, {"purpose"}),
        ({"proofPurpose": None}, {"purpose"}),
        ({"verificationMethod": f"{ACTOR}#other"}, {"method"}),
        ({"verificationMethod": None}, {"method"}),
        ({"expires": "2026-11-22T13:38:54Z"}, {"expires"}),
        ({"expires": "2026-11-22T13:38:55Z"}, set()),
        ({"expires": "tomorrow"}, {"expires"}),
        ({"expires": 5}, {"expires"}),
        ({"domain": "gw.example"}, set()),
        ({"created": None}, set()),
    ],
    ids=range(13),
)
def test_an_option_is_judged_even_when_it_is_signed(options: dict[str, Any], failed: set[str]) -> None:
    """The wrong suite, purpose, method or a passed expiry is refused although the signature would hold."""
    found = _failures(_signed(**options))
    assert found == (failed | {"signature"} if failed else set())


def test_the_key_must_be_the_owners() -> None:
    """A proof by mallory's key on bob's activity, an unknown key and another key are refused."""
    document = _signed()
    assert _failures(document, owner="https://peer.example/users/mallory") == {"owner", "signature"}
    assert _failures(document, None) == {"signature"}
    assert _failures(document, generate("ed25519")) == {"signature"}
    assert _failures(document, RSA) == {"signature"}
    assert _failures(document, method=f"{ACTOR}#other") == {"method", "signature"}


@pytest.mark.parametrize("changes", [{"actor": None}, {"actor": [ACTOR]}, {"actor": {"id": ACTOR}}])
def test_a_document_names_its_actor_plainly(changes: dict[str, object]) -> None:
    """An actor that is missing, listed or embedded is not the owner of the key."""
    assert _failures(_signed({**DOCUMENT, **changes})) == {"owner", "signature"}


@pytest.mark.parametrize("value", [None, [], [{}], "x", 5])
def test_there_is_exactly_one_proof(value: object) -> None:
    """No proof, a list of proofs, or something else is a verdict that says so."""
    assert _failures({**DOCUMENT, "proof": value}) == {"proof"}
    assert _failures({**DOCUMENT, "proof": [_signed()["proof"]]}) == {"proof"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "",
        "z",
        "zzzz",
        "z0OIl",
        "u" + "A" * 86,
        "z" + "2" * 200,
        "z1" + _signed()["proof"]["proofValue"][1:],
        "u" + _signed()["proof"]["proofValue"][1:],
        _signed()["proof"]["proofValue"][1:],
    ],
)
def test_a_proof_value_is_one_signature_in_base58(value: object) -> None:
    """Another encoding, other characters, an empty or a padded value does not hold."""
    document = _signed()
    document["proof"]["proofValue"] = value
    assert _failures(document) == {"signature"}


def test_a_changed_signature_does_not_hold() -> None:
    """Any changed byte of the signature breaks it."""
    document = _signed()
    raw = base58_decode(document["proof"]["proofValue"][1:])
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        document["proof"]["proofValue"] = "z" + base58_encode(changed)
        assert _failures(document) == {"signature"}


@pytest.mark.parametrize(
    ("context", "failed"),
    [
        ([AS2], {"context", "signature"}),
        (["https://evil.example/ns", AS2, "https://w3id.org/security/data-integrity/v2"], {"context", "signature"}),
        ([AS2, {"content": "urn:x"}], {"context", "signature"}),
        (AS2, {"context", "signature"}),
        (None, {"context", "signature"}),
    ],
    ids=range(5),
)
def test_the_context_cannot_be_changed(context: object, failed: set[str]) -> None:
    """A context cut, put in front, replaced or removed after signing is refused."""
    assert _failures({**_signed(), "@context": context}) == failed


def test_a_context_may_be_appended() -> None:
    """The cryptosuite lets a later party append contexts: the proof's own prefix is what was signed."""
    document = _signed()
    document["@context"] = [*document["@context"], "https://w3id.org/fep/844e"]
    assert _failures(document) == set()


def test_a_proof_without_its_own_context_binds_the_documents() -> None:
    """Where the proof carries no context, the whole context of the document is signed."""
    document = _signed(**{"@context": None})
    assert "@context" not in document["proof"]
    assert _failures(document) == set()
    document["@context"] = [*document["@context"], "https://w3id.org/fep/844e"]
    assert _failures(document) == {"signature"}


def test_a_linked_data_signature_is_not_part_of_the_document() -> None:
    """A legacy signature beside the proof is left out of the hash."""
    assert _failures({**_signed(), "signature": {"type": "RsaSignature2017"}}) == set()


@pytest.mark.parametrize("value", [2**53 + 1, float("inf"), float("nan"), "\ud800"])
def test_what_has_no_canonical_form_does_not_hold(value: object) -> None:
    """Numbers and strings that JCS refuses are a failed signature, not an exception."""
    assert _failures({**_signed(), "x": value}) == {"signature"}


def test_equal_numbers_have_one_form() -> None:
    """JCS writes -0, 0 and 1e0 in one way, so another spelling of the same number still holds."""
    document = _signed({**DOCUMENT, "n": 0, "m": 1.0})
    assert _failures({**document, "n": -0.0, "m": 1}) == set()
    assert _failures({**document, "n": 1}) == {"signature"}


def test_what_is_signed_is_two_hashes() -> None:
    """The hash of the canonical options stands before that of the document without proof and signature."""
    options, bare = {"b": 1, "a": "ä"}, {"type": "Note", "id": "https://peer.example/n"}
    whole = {**bare, "proof": {"x": 1}, "signature": {"y": 2}}
    expected = [b'{"a":"\xc3\xa4","b":1}', b'{"id":"https://peer.example/n","type":"Note"}']
    assert proof.hash_data(whole, options) == b"".join(hashlib.sha256(text).digest() for text in expected)


def test_an_expiry_in_another_offset_is_the_same_moment() -> None:
    """Expiry compares moments, not text."""
    later = (NOW + timedelta(hours=9, seconds=1)).strftime("%Y-%m-%dT%H:%M:%S+09:00")
    assert _failures(_signed(expires=later)) == set()
    assert _failures(_signed(expires=later.replace("+09:00", "+10:00"))) == {"expires", "signature"}


def _used(document: dict[str, Any]) -> set[str]:
    audience = {"https://gw.example", "gw.example"}
    return failures(proof.verify(document, ED25519.public, METHOD, NOW, owner=ACTOR, audience=audience))


@pytest.mark.parametrize(
    ("options", "failed"),
    [
        ({}, set()),
        ({"domain": "gw.example"}, set()),
        ({"domain": ["other.example", "https://gw.example"]}, set()),
        ({"domain": "other.example"}, {"domain", "signature"}),
        ({"domain": ["other.example"]}, {"domain", "signature"}),
        ({"domain": []}, {"domain", "signature"}),
        ({"domain": "gw"}, {"domain", "signature"}),
        ({"challenge": "c"}, {"challenge", "signature"}),
        ({"@context": None}, set()),
    ],
    ids=range(9),
)
def test_a_proof_that_is_acted_on_is_for_us(options: dict[str, Any], failed: set[str]) -> None:
    """A proof for another domain, or that answers a challenge, holds only where nobody acts on it."""
    document = _signed(**options)
    assert _used(document) == failed
    assert _failures(document) == set()


@pytest.mark.parametrize(
    ("created", "acted_on"),
    [
        ("2025-11-22T13:38:54Z", True),
        ("2025-11-22T13:38:53Z", False),
        ("2001-01-01T00:00:00Z", False),
        (None, True),
    ],
)
def test_a_proof_that_is_acted_on_is_at_most_a_year_old(created: str | None, *, acted_on: bool) -> None:
    """What was proven more than 365 days ago still holds, but nobody acts on it any more."""
    document = _signed(created=created)
    assert _used(document) == (set() if acted_on else {"age", "signature"})
    assert _failures(document) == set()


def test_a_longer_context_is_not_acted_on() -> None:
    """Whoever acts on a document wants it as it was signed, without contexts that came later."""
    document = _signed()
    document["@context"] = [*document["@context"], "https://w3id.org/fep/844e"]
    assert _failures(document) == set()
    assert _used(document) == {"whole-context", "signature"}


@pytest.mark.parametrize(
    ("created", "fresh"),
    [
        ("2026-11-22T14:38:54Z", True),
        ("2026-11-22T14:38:55Z", False),
        ("2001-01-01T00:00:00Z", True),
        ("tomorrow", False),
        (5, False),
    ],
)
def test_a_proof_is_not_from_the_future(created: object, *, fresh: bool) -> None:
    """A proof may be old, but was made at most an hour ahead of our clock, at a time that can be read."""
    assert _failures(_signed(created=created)) == (set() if fresh else {"created", "signature"})


@pytest.mark.parametrize(
    ("document", "method"),
    [
        ({"proof": {"verificationMethod": METHOD}}, METHOD),
        ({"proof": {"verificationMethod": 5}}, ""),
        ({"proof": {}}, ""),
        ({"proof": [{"verificationMethod": METHOD}]}, ""),
        ({"proof": METHOD}, ""),
        ({"verificationMethod": METHOD}, ""),
        ({}, ""),
    ],
)
def test_a_proof_names_its_key(document: dict[str, object], method: str) -> None:
    """The key is the proof's own plain verificationMethod, anything else is none."""
    assert proof.method_of(document) == method


def test_a_proof_says_what_it_is() -> None:
    """What we attach names type, suite, purpose, key and time, and leaves the document as it was."""
    made = proof.attach(DOCUMENT, ED25519, METHOD, NOW)
    assert {name: value for name, value in made.items() if name != "proof"} == DOCUMENT
    stated: Any = made["proof"]
    assert stated.pop("proofValue").startswith("z")
    assert stated == {
        "@context": DOCUMENT["@context"], "type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": METHOD, "proofPurpose": "assertionMethod", "created": "2026-11-22T13:38:54Z",
    }  # fmt: skip
    assert "proof" not in DOCUMENT
