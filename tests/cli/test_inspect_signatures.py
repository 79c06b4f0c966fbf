"""``gateway inspect``: proofs and signatures in a document, step by step."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cli.inspecting import DEFINED, UNDEFINED, report_on, told_about
from jsonld.loading import pinned
from peers.plain import AS2, CONTEXT

from gateway.carriers.jsonld_terms import CONTEXT as TERMS
from gateway.jsonld import views
from gateway.signatures import proof

if TYPE_CHECKING:
    from cli.conftest import Shell
    from peers.plain import PlainPeer


# Proofs and signatures.


def _signed(peer: PlainPeer, **changes: Any) -> dict[str, Any]:
    note = {**DEFINED, "@context": [*CONTEXT, dict(TERMS)], "attributedTo": peer.me.id, **changes}
    return proof.attach(note, peer.me.ed25519, f"{peer.me.id}#ed25519-key", datetime.now(UTC))


def test_a_proof_holds(shell: Shell) -> None:
    """eddsa-jcs-2022 is checked with the key that the actor lists; only --fetch-keys looks for an unknown one."""
    peer = shell.peer()
    document = _signed(peer)
    (unknown,) = report_on(shell, document)["signatures"]
    assert (unknown["ok"], next(s["name"] for s in unknown["steps"] if not s["ok"])) == (False, "owner")
    assert {"name": "key", "expected": "listed by its owner at the owner's own id", "found": "not found",
            "ok": False} in unknown["steps"]  # fmt: skip
    assert shell.board.requests == []
    report = report_on(shell, document, "--fetch-keys")
    (found,) = report["signatures"]
    assert (found["pointer"], found["scheme"], found["ok"]) == ("/proof", "proof", True)
    assert found["keyId"] == f"{peer.me.id}#ed25519-key"
    assert all(step["ok"] for step in found["steps"])
    assert [step["name"] for step in found["steps"]][-2:] == ["key", "signature"]
    assert set(peer.gets) == {"/users/bob"}
    assert "Its JCS proof covers it" not in report["coverage"]["optOuts"][0]["sentence"]
    assert report["coverage"]["jcs"]["notCovered"] == ["/proof"]
    jcs = hashlib.sha256(proof.canonical_json({k: v for k, v in document.items() if k != "proof"})).hexdigest()
    assert report["coverage"]["jcs"]["sha256"] == jcs
    assert found["signingString"].endswith(jcs)
    assert "Signature at /proof: proof, holds" in told_about(shell, document, "--fetch-keys")


def test_a_proof_covers_an_undefined_term(shell: Shell) -> None:
    """Where a JCS proof stands, it is said to cover the term that RDF would lose."""
    document = _signed(shell.peer(), **{"@context": CONTEXT})
    (optout,) = report_on(shell, document, "--fetch-keys")["coverage"]["optOuts"]
    assert optout["sentence"].endswith("Its JCS proof covers it.")


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"content": "<p>other</p>"}, ["signature"]),
        ({"contentUsage": "train-ai=y"}, ["signature"]),
        ({"attributedTo": "https://peer.example/users/eve"}, ["owner", "signature"]),
        ({"proof": {"proofPurpose": "authentication"}}, ["purpose", "signature"]),
        ({"proof": {"cryptosuite": "eddsa-rdfc-2022"}}, ["suite", "signature"]),
        ({"proof": {"expires": "2020-01-01T00:00:00Z"}}, ["expires", "signature"]),
        ({"proof": {"created": "2020-01-01T00:00:00Z"}}, ["signature"]),
        ({"proof": {"verificationMethod": "https://peer.example/users/bob#lost"}}, ["owner", "key", "signature"]),
    ],
)  # fmt: skip
def test_a_tampered_proof_names_the_step(shell: Shell, changes: dict[str, Any], failed: list[str]) -> None:
    """Whatever was changed after signing, the steps that do not hold are marked."""
    document = _signed(shell.peer())
    changed = {**document, **changes, "proof": {**document["proof"], **changes.get("proof", {})}}
    (found,) = report_on(shell, changed, "--fetch-keys")["signatures"]
    assert not found["ok"]
    assert [step["name"] for step in found["steps"] if not step["ok"]] == failed
    told = told_about(shell, changed, "--fetch-keys")
    assert "Signature at /proof: proof, does not hold" in told
    assert all(f"  NO  {name}: " in told for name in failed)


def test_a_proof_of_another_actor_does_not_hold(shell: Shell) -> None:
    """A good proof by somebody else on the same server says nothing about the author."""
    peer = shell.peer()
    eve = peer.actor("eve")
    note = {**DEFINED, "attributedTo": peer.me.id}
    document = proof.attach(note, eve.ed25519, f"{eve.id}#ed25519-key", datetime.now(UTC))
    (found,) = report_on(shell, document, "--fetch-keys")["signatures"]
    assert "owner" in [step["name"] for step in found["steps"] if not step["ok"]]


def test_proofs_on_the_object_inside_are_judged(shell: Shell) -> None:
    """Several proofs and those of an embedded object are each judged where they stand."""
    peer = shell.peer()
    note = _signed(peer)
    activity = {**peer.activity("Create", note), "@context": [*CONTEXT, dict(TERMS)]}
    whole = proof.attach(activity, peer.me.ed25519, f"{peer.me.id}#ed25519-key", datetime.now(UTC))
    made: Any = whole["proof"]
    twice = {**whole, "proof": [made, {**made, "proofPurpose": "authentication"}]}
    found = report_on(shell, twice, "--fetch-keys")["signatures"]
    assert [(one["pointer"], one["ok"]) for one in found] == [
        ("/proof/0", True), ("/proof/1", False), ("/object/proof", True),
    ]  # fmt: skip


def _linked(peer: PlainPeer, document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with an RsaSignature2017, made step by step as the specification of old says."""
    options = {"creator": peer.me.key_id, "created": "2026-11-25T09:00:00Z"}
    quads = [
        views.canonical({"@context": "https://w3id.org/identity/v1", **options}, pinned()),
        views.canonical(document, pinned()),
    ]
    text = "".join(hashlib.sha256(part.encode()).hexdigest() for part in quads)
    value = base64.b64encode(peer.me.rsa.sign(text.encode())).decode()
    return {**document, "signature": {"type": "RsaSignature2017", **options, "signatureValue": value}}


def _announced(peer: PlainPeer) -> dict[str, Any]:
    note = {name: value for name, value in UNDEFINED.items() if name != "@context"}
    return {**peer.activity("Create", note), "@context": [AS2, "https://w3id.org/security/v1"]}


def test_an_rsa_signature_of_2017_holds(shell: Shell) -> None:
    """A Linked Data Signature is checked over canonical quads; it holds whatever happens to terms without meaning."""
    peer = shell.peer()
    document = _linked(peer, _announced(peer))
    (found,) = report_on(shell, document, "--fetch-keys")["signatures"]
    assert (found["pointer"], found["scheme"], found["ok"]) == ("/signature", "rsa-signature-2017", True), found
    assert found["keyId"] == peer.me.key_id
    assert len(found["signingString"]) == 128
    loosened = {**document, "object": {**document["object"], "contentUsage": "train-ai=y"}}
    report = report_on(shell, loosened, "--fetch-keys")
    assert report["signatures"][0]["ok"]
    assert "This document carries such a signature." in report["coverage"]["optOuts"][0]["sentence"]
    assert "Signature at /signature: rsa-signature-2017, holds" in told_about(shell, document, "--fetch-keys")


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (lambda d: {**d, "type": "Update"}, ["signature"]),
        (lambda d: {**d, "object": {**d["object"], "content": "x"}}, ["signature"]),
        (lambda d: {**d, "signature": {**d["signature"], "created": "2026-11-25T09:00:01Z"}}, ["signature"]),
        (lambda d: {**d, "signature": {**d["signature"], "signatureValue": "?"}}, ["signature"]),
        (lambda d: {**d, "signature": {**d["signature"], "type": "RsaSignature2018"}}, ["type", "signature"]),
        (lambda d: {**d, "actor": "https://peer.example/users/eve"}, ["owner", "signature"]),
        (lambda d: {**d, "signature": {**d["signature"], "creator": "https://peer.example/users/bob#lost"}},
         ["key", "owner", "signature"]),
        (lambda d: {**d, "signature": "none"}, ["type", "key", "owner", "signature"]),
    ],
)  # fmt: skip
def test_a_tampered_rsa_signature_of_2017_does_not_hold(shell: Shell, change: Any, failed: list[str]) -> None:
    """What the quads hold is protected, and so are the options."""
    peer = shell.peer()
    (found,) = report_on(shell, change(_linked(peer, _announced(peer))), "--fetch-keys")["signatures"]
    assert [step["name"] for step in found["steps"] if not step["ok"]] == failed
