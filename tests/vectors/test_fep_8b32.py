"""FEP-8b32: its vector is reproduced byte for byte, and every option of the proof is authenticated."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from vectors.reading import fep_8b32

from gateway.signatures import proof
from gateway.signatures.keys import PrivateKey, base58_decode
from gateway.signatures.owner import listed_keys

OWNER = "https://server.example/users/alice"
METHOD = f"{OWNER}#ed25519-key"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
OPTIONS = [name for name in fep_8b32()["signed"]["proof"] if name != "proofValue"]


def _holds(document: dict[str, Any]) -> bool:
    (key,) = listed_keys(fep_8b32()["actor"])
    return proof.verify(document, key.public, key.id, NOW, owner=key.owner).ok


def _signed() -> dict[str, Any]:
    return copy.deepcopy(fep_8b32()["signed"])


def test_signing_reproduces_the_vector() -> None:
    """Signing the unsigned document with the printed key gives the printed document, byte for byte."""
    secret = base58_decode(fep_8b32()["secretKeyMultibase"][1:]).removeprefix(b"\x80\x26")
    key = PrivateKey("ed25519", Ed25519PrivateKey.from_private_bytes(secret))
    made = proof.attach(fep_8b32()["unsigned"], key, METHOD, "2023-02-24T23:36:38Z")
    assert json.dumps(made, sort_keys=True) == json.dumps(fep_8b32()["signed"], sort_keys=True)


def test_the_vector_verifies() -> None:
    """The printed proof holds with the Multikey that the actor lists."""
    assert _holds(_signed())


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_cannot_be_removed(name: str) -> None:
    """A proof without one of its options does not hold."""
    document = _signed()
    del document["proof"][name]
    assert not _holds(document)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("@context", ["https://www.w3.org/ns/activitystreams"]),
        ("type", "Ed25519Signature2020"),
        ("cryptosuite", "eddsa-rdfc-2022"),
        ("verificationMethod", f"{OWNER}#other-key"),
        ("proofPurpose", "authentication"),
        ("created", "2023-02-24T23:36:39Z"),
    ],
)
def test_an_option_cannot_be_changed(name: str, value: object) -> None:
    """A proof with another value of one of its options does not hold."""
    document = _signed()
    assert document["proof"][name] != value
    document["proof"][name] = value
    assert not _holds(document)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expires", "2030-01-01T00:00:00Z"),
        ("domain", "server.example"),
        ("challenge", "x"),
        ("nonce", "x"),
        ("previousProof", "urn:x"),
        ("id", "urn:x"),
        ("", ""),
    ],
)
def test_an_option_cannot_be_added(name: str, value: object) -> None:
    """A proof with an option that was not signed does not hold."""
    document = _signed()
    document["proof"][name] = value
    assert not _holds(document)


def test_every_option_of_the_vector_is_tried() -> None:
    """The vector carries the six options that the tests above remove and change."""
    assert sorted(OPTIONS) == ["@context", "created", "cryptosuite", "proofPurpose", "type", "verificationMethod"]
