"""What the steps of a verdict say: what was wanted and what was found, word for word, as developers read them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from signatures.crafting import (
    ACTOR,
    ED25519,
    EPOCH,
    KEY_ID,
    NOW,
    cavage,
    content_digest,
    digest,
    judged,
    listed,
    message,
    plain,
)

from gateway.signatures import linked_data, proof, verify

if TYPE_CHECKING:
    from gateway.signatures.verdict import Verdict

Row = tuple[str, str, str, bool]
LATE = timedelta(hours=3)
METHOD = f"{ACTOR}#ed25519-key"
AS2 = "https://www.w3.org/ns/activitystreams"
DOCUMENT: dict[str, Any] = {"@context": [AS2], "type": "Create", "actor": ACTOR}
OURS = frozenset({"https://gw.example", "gw.example"})
LISTED = "listed by its owner at the owner's own id"
COVERED = '"@method" "@target-uri" "content-digest"'


def _rows(verdict: Verdict) -> list[Row]:
    return [(step.name, step.expected, step.found, step.ok) for step in verdict.steps]


def test_a_good_cavage_request_step_by_step() -> None:
    """Each step of a good draft-cavage request says what was wanted and what was there."""
    covered = "(request-target) host date digest"
    assert _rows(judged(cavage(plain()))) == [
        ("signed", "a signature", "one", True),
        ("algorithm", "rsa-sha256 or hs2019", "rsa-sha256", True),
        ("coverage", "(request-target) digest host", covered, True),
        ("time-covered", "date or (created)", covered, True),
        ("pairing", "(created) and (expires) only with hs2019", "rsa-sha256", True),
        ("present", "each covered field once", "all", True),
        ("time", "within the window", "fresh", True),
        ("digest", "the digest of the body", "matches", True),
        ("key-url", "an http(s) URL", KEY_ID, True),
        ("key", LISTED, "listed", True),
        ("actor", ACTOR, ACTOR, True),
        ("signature", "made by that key over this request", "holds", True),
    ]


def test_a_bad_cavage_request_step_by_step() -> None:
    """Every step of a bad draft-cavage request is made, and says what is wrong."""
    wrong = {"algorithm": "rsa-sha1", "keyId": "acct:bob@peer.example"}
    signed = cavage(plain(digest=digest(b"x")), ("date", "x-a", "x-b"), parameters=wrong)
    assert _rows(judged(signed, late=LATE)) == [
        ("signed", "a signature", "one", True),
        ("algorithm", "rsa-sha256 or hs2019", "rsa-sha1", False),
        ("coverage", "(request-target) digest host", "date x-a x-b", False),
        ("time-covered", "date or (created)", "date x-a x-b", True),
        ("pairing", "(created) and (expires) only with hs2019", "rsa-sha1", True),
        ("present", "each covered field once", "x-a x-b", False),
        ("time", "within the window", "expired", False),
        ("digest", "the digest of the body", "a sha-256 digest of another body", False),
        ("key-url", "an http(s) URL", "acct:bob@peer.example", False),
    ]


def test_a_good_rfc9421_request_step_by_step() -> None:
    """Each step of a good RFC 9421 request says what was wanted and what was there."""
    assert _rows(judged(message(plain()))) == [
        ("signed", "a signature", "one", True),
        ("coverage", "@method and @target-uri", COVERED, True),
        ("digest-covered", "content-digest", COVERED, True),
        ("tag", "activitypub or none", "activitypub", True),
        ("parameters", "those of RFC 9421", "known", True),
        ("key-id", "a keyid", KEY_ID, True),
        ("components", "each component has one value", "all", True),
        ("time", "within the window", "fresh", True),
        ("digest", "the digest of the body", "matches", True),
        ("key-url", "an http(s) URL", KEY_ID, True),
        ("key", LISTED, "listed", True),
        ("actor", ACTOR, ACTOR, True),
        ("signature", "made by that key over this request", "holds", True),
    ]


def test_a_bad_rfc9421_request_step_by_step() -> None:
    """Every step of a bad RFC 9421 request is made, and says what is wrong."""
    parameters = f';created={EPOCH};tag="web-bot-auth";zz;aa=1'
    signed = message(plain(content_digest=content_digest(b"x")), ('"@path"', '"x-a"'), parameters=parameters)
    assert _rows(judged(signed, late=LATE)) == [
        ("signed", "a signature", "one", True),
        ("coverage", "@method and @target-uri", '"@path" "x-a"', False),
        ("digest-covered", "content-digest", '"@path" "x-a"', False),
        ("tag", "activitypub or none", "web-bot-auth", False),
        ("parameters", "those of RFC 9421", "aa zz", False),
        ("key-id", "a keyid", "none", False),
        ("components", "each component has one value", "x-a is covered but missing", False),
        ("time", "within the window", "expired", False),
        ("digest", "the digest of the body", "a sha-256 digest of another body", False),
        ("key-url", "an http(s) URL", "", False),
    ]


def test_times_that_are_none_step_by_step() -> None:
    """A time that cannot be read, and one that is missing, are told from one that has passed."""
    unread = message(plain(), parameters=f';created="x";keyid="{KEY_ID}"')
    for signed in (unread, cavage(plain(date="yesterday"))):
        assert ("time", "within the window", "not a time", False) in _rows(judged(signed))


def test_an_unsigned_request_step_by_step() -> None:
    """Without a signature there is one step, which says so."""
    assert _rows(judged(plain())) == [("signed", "a signature", "none", False)]


def test_a_key_that_is_not_there_step_by_step() -> None:
    """Without a key nobody is named; with somebody else's key its owner is."""
    opened = verify.open_request(message(plain()), NOW)
    assert _rows(verify.close(opened, None, ACTOR))[-3:] == [
        ("key", LISTED, "not found", False),
        ("actor", ACTOR, "unknown", False),
        ("signature", "made by that key over this request", "does not hold", False),
    ]
    assert _rows(verify.close(opened, listed(), "https://peer.example/users/eve"))[-3:] == [
        ("key", LISTED, "listed", True),
        ("actor", "https://peer.example/users/eve", ACTOR, False),
        ("signature", "made by that key over this request", "holds", True),
    ]


def test_a_good_proof_step_by_step() -> None:
    """Each step of a good proof says what was wanted and what was there."""
    document = proof.attach(DOCUMENT, ED25519, METHOD, NOW)
    assert _rows(proof.verify(document, ED25519.public, METHOD, NOW, owner=ACTOR, audience=OURS)) == [
        ("proof", "one proof", "dict", True),
        ("suite", "eddsa-jcs-2022", "eddsa-jcs-2022", True),
        ("purpose", "assertionMethod", "assertionMethod", True),
        ("method", METHOD, METHOD, True),
        ("created", "not in the future", "2026-11-22T13:38:54Z", True),
        ("expires", "not passed", "none", True),
        ("context", "the start of the document's own", "same", True),
        ("domain", "none, or ours", "none", True),
        ("age", "at most 365 days", "2026-11-22T13:38:54Z", True),
        ("whole-context", "just what was signed", "same", True),
        ("challenge", "none", "none", True),
        ("owner", ACTOR, ACTOR, True),
        ("signature", "made by the key over these bytes", "holds", True),
    ]


def test_a_bad_proof_step_by_step() -> None:
    """Every step of a bad proof is made, and says what is wrong."""
    stated = {
        "@context": "y", "type": "DataIntegrityProof", "cryptosuite": "s", "proofPurpose": "p",
        "verificationMethod": "m", "created": "2030-01-01T00:00:00Z", "expires": "2020-01-01T00:00:00Z",
        "domain": "other.example", "challenge": "c",
    }  # fmt: skip
    document = {"@context": [AS2], "proof": stated}
    assert _rows(proof.verify(document, None, METHOD, NOW, owner="", audience=OURS)) == [
        ("proof", "one proof", "dict", True),
        ("suite", "eddsa-jcs-2022", "s", False),
        ("purpose", "assertionMethod", "p", False),
        ("method", METHOD, "m", False),
        ("created", "not in the future", "2030-01-01T00:00:00Z", False),
        ("expires", "not passed", "2020-01-01T00:00:00Z", False),
        ("context", "the start of the document's own", "other", False),
        ("domain", "none, or ours", "other.example", False),
        ("age", "at most 365 days", "2030-01-01T00:00:00Z", True),
        ("whole-context", "just what was signed", "longer", False),
        ("challenge", "none", "c", False),
        ("owner", "an actor that the document names", "unknown", False),
        ("signature", "made by the key over these bytes", "does not hold", False),
    ]
    assert _rows(proof.verify({"actor": ACTOR}, None, METHOD, NOW, owner="")) == [
        ("proof", "one proof", "NoneType", False)
    ]


def test_a_proof_that_states_no_time_step_by_step() -> None:
    """A proof without a time says so, and one with an unreadable time shows it."""
    for stated, shown in (({}, ("none", True)), ({"created": "soon"}, ("soon", False))):
        verdict = proof.verify({"proof": stated}, None, METHOD, NOW, owner="", audience=OURS)
        assert ("created", "not in the future", *shown) in _rows(verdict)
        assert ("age", "at most 365 days", shown[0], True) in _rows(verdict)


def test_a_linked_data_signature_step_by_step() -> None:
    """Each step of a Linked Data Signature says what was wanted and what was there."""
    given = {"actor": ACTOR, "signature": {"type": "RsaSignature2018"}}
    assert _rows(linked_data.verify(given, None, None, None)) == [
        ("type", "RsaSignature2017", "RsaSignature2018", False),
        ("key", LISTED, "not found", False),
        ("owner", ACTOR, "unknown", False),
        ("canonical", "RDF canonical form within limits", "stopped or impossible", False),
        ("signature", "made by that key over these quads", "does not hold", False),
    ]
    nameless = {"signature": {"type": "RsaSignature2017", "signatureValue": "AAAA"}}
    assert _rows(linked_data.verify(nameless, listed(), "o", "d")) == [
        ("type", "RsaSignature2017", "RsaSignature2017", True),
        ("key", LISTED, "listed", True),
        ("owner", "an actor that the document names", ACTOR, False),
        ("canonical", "RDF canonical form within limits", "made", True),
        ("signature", "made by that key over these quads", "does not hold", False),
    ]
