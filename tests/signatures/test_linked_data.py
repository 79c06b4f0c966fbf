"""RsaSignature2017: what is signed, and each check."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from signatures.crafting import ACTOR, ED25519, KEY_ID, OTHER_RSA, RSA, failures, listed

from gateway.signatures import linked_data

if TYPE_CHECKING:
    from gateway.signatures.keys import PrivateKey
    from gateway.signatures.owner import ListedKey

OPTIONS, DOCUMENT = '_:c14n0 <urn:o> "1" .\n', '<urn:a> <urn:b> "2" .\n'  # any canonical text will do
WHOLE: dict[str, Any] = {"@context": "https://www.w3.org/ns/activitystreams", "type": "Like", "actor": ACTOR}


def _signed(key: PrivateKey = RSA, **changes: Any) -> dict[str, Any]:
    text = "".join(hashlib.sha256(part.encode()).hexdigest() for part in (OPTIONS, DOCUMENT))
    signature = {
        "type": "RsaSignature2017", "creator": KEY_ID, "created": "2026-11-22T13:38:54Z",
        "signatureValue": base64.b64encode(key.sign(text.encode())).decode(), **changes,
    }  # fmt: skip
    return {**WHOLE, "signature": signature}


def _failed(
    document: dict[str, Any], key: ListedKey | None, options: str | None = OPTIONS, canonical: str | None = DOCUMENT
) -> set[str]:
    verdict = linked_data.verify(document, key, options, canonical)
    assert verdict.ok is (not failures(verdict))
    assert verdict.scheme == "rsa-signature-2017"
    assert [step.name for step in verdict.steps] == ["type", "key", "owner", "canonical", "signature"]
    return failures(verdict)


def test_a_signature_holds() -> None:
    """Both hashes in hexadecimal are what is signed; attributedTo speaks for an object."""
    assert _failed(_signed(), listed()) == set()
    verdict = linked_data.verify(_signed(), listed(), OPTIONS, DOCUMENT)
    assert (verdict.key_id, verdict.actor) == (KEY_ID, ACTOR)
    assert (verdict.steps[-1].found, verdict.steps[-1].ok) == ("holds", True)
    note = {**_signed(), "attributedTo": ACTOR}
    del note["actor"]
    assert _failed(note, listed()) == set()


@pytest.mark.parametrize(
    ("document", "key", "options", "canonical", "expected"),
    [
        (_signed(type="RsaSignature2018"), listed(), OPTIONS, DOCUMENT, {"type", "signature"}),
        (_signed(), None, OPTIONS, DOCUMENT, {"key", "owner", "signature"}),
        (_signed(), listed(owner="https://peer.example/users/eve"), OPTIONS, DOCUMENT, {"owner", "signature"}),
        ({**_signed(), "actor": [ACTOR]}, listed(), OPTIONS, DOCUMENT, {"owner", "signature"}),
        ({**_signed(), "actor": None}, listed(), OPTIONS, DOCUMENT, {"owner", "signature"}),
        (_signed(), listed(), None, DOCUMENT, {"canonical", "signature"}),
        (_signed(), listed(), OPTIONS, None, {"canonical", "signature"}),
        (_signed(), listed(), OPTIONS + " ", DOCUMENT, {"signature"}),
        (_signed(), listed(), OPTIONS, DOCUMENT + " ", {"signature"}),
        (_signed(), listed(), DOCUMENT, OPTIONS, {"signature"}),
        (_signed(OTHER_RSA), listed(), OPTIONS, DOCUMENT, {"signature"}),
        (_signed(ED25519), listed(ED25519), OPTIONS, DOCUMENT, {"signature"}),
        (_signed(signatureValue="?"), listed(), OPTIONS, DOCUMENT, {"signature"}),
        (_signed(signatureValue=f"{_signed()['signature']['signatureValue']}\n"), listed(), OPTIONS, DOCUMENT,
         {"signature"}),
        (_signed(signatureValue=None), listed(), OPTIONS, DOCUMENT, {"signature"}),
        (_signed(signatureValue=7), listed(), OPTIONS, DOCUMENT, {"signature"}),
        ({**WHOLE, "signature": "text"}, listed(), OPTIONS, DOCUMENT, {"type", "signature"}),
        (WHOLE, listed(), OPTIONS, DOCUMENT, {"type", "signature"}),
    ],
)  # fmt: skip
def test_each_check_fails_on_its_own(
    document: dict[str, Any], key: ListedKey | None, options: str | None, canonical: str | None, expected: set[str]
) -> None:
    """Type, key, owner, canonical form and signature are told apart, and nothing holds unless all do."""
    assert _failed(document, key, options, canonical) == expected


def test_what_is_signed_along() -> None:
    """Of the options everything but type, id, value and context, under the identity context."""
    more: dict[str, Any] = {"@context": "urn:evil"}
    document = _signed(id="urn:x", nonce="n", **more)
    assert linked_data.options(document) == {
        "@context": "https://w3id.org/identity/v1", "creator": KEY_ID, "created": "2026-11-22T13:38:54Z", "nonce": "n",
    }  # fmt: skip
    assert linked_data.options({"signature": 7}) == {"@context": "https://w3id.org/identity/v1"}
    assert linked_data.unsigned(document) == WHOLE


@pytest.mark.parametrize("signature", [None, 7, [], {}, {"creator": 7}, {"creator": [KEY_ID]}])
def test_who_signed_may_be_unsaid(signature: object) -> None:
    """Anything but a text names nobody."""
    assert linked_data.creator_of({"signature": signature}) is None
    assert linked_data.verify({"signature": signature}, None, None, None).key_id == ""
    assert linked_data.creator_of(_signed()) == KEY_ID


def test_the_signed_text_is_two_hashes() -> None:
    """Options first, document second, in lower case hexadecimal."""
    assert linked_data.signing_string("a", "b") == (
        "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
        "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
    )
