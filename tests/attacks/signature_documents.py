"""Documents that are signed: with proofs and Linked Data Signatures that hold, and changed so that they do not."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import rfc8785
from attacks.signature_draft import b64
from peers.plain import AS2, Actor
from pyld import jsonld

from gateway.signatures.keys import base58_encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from attacks.signature_draft import Draft, Request, Scene


# Bodies


def linked_data_signed(scene: Scene, document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document`` with an RsaSignature2017 that holds."""
    document = {**document, "@context": [AS2, "https://w3id.org/security/v1"]}
    options = {"creator": scene.peer.me.key_id, "created": scene.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
    parts = [{"@context": "https://w3id.org/identity/v1", **options}, document]
    how = {
        "algorithm": "URDNA2015",
        "format": "application/n-quads",
        "documentLoader": scene.gateway.kit.contexts,
    }
    hashed = "".join(hashlib.sha256(str(jsonld.normalize(part, how)).encode()).hexdigest() for part in parts)
    value = b64(scene.peer.me.rsa.sign(hashed.encode()))
    return {**document, "signature": {"type": "RsaSignature2017", **options, "signatureValue": value}}


def proven(document: dict[str, Any], actor: Actor, **changes: Any) -> dict[str, Any]:
    """Return ``document`` with an eddsa-jcs-2022 proof by ``actor``; ``changes`` are signed options."""
    options = {
        "@context": document["@context"],
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "verificationMethod": f"{actor.id}#ed25519-key",
        "proofPurpose": "assertionMethod",
        "created": "2026-11-23T09:00:00Z",
        **changes,
    }
    bare = {name: value for name, value in document.items() if name != "proof"}
    hashed = b"".join(hashlib.sha256(rfc8785.dumps(part)).digest() for part in (options, bare))
    return {**bare, "proof": {**options, "proofValue": "z" + base58_encode(actor.ed25519.sign(hashed))}}


def _wrap_in_graph(_scene: Scene, draft: Draft) -> None:
    document = draft.document
    kept = {name: document.pop(name) for name in ("@context", "signature", "id", "type", "actor")}
    draft.document = {**kept, "@graph": [document]}


def _two_nodes(scene: Scene, draft: Draft) -> None:
    draft.document |= {"@graph": [draft.document["object"], scene.valid()["object"]]}


def _clique(_scene: Scene, draft: Draft) -> None:
    nodes = [f"_:b{index}" for index in range(8)]
    graph = [{"id": node, "to": [other for other in nodes if other != node]} for node in nodes]
    draft.document["object"] = {**draft.document["object"], "tag": graph}


def _foreign_method(scene: Scene, draft: Draft) -> None:
    draft.document = proven(draft.document, scene.evil.me)


def _two_proofs(scene: Scene, draft: Draft) -> None:
    broken = {**draft.document["proof"], "proofValue": "z" + base58_encode(b"\x01" * 64)}
    draft.document["proof"] = [proven(draft.document, scene.evil.me)["proof"], broken]


def _other_purpose(scene: Scene, draft: Draft) -> None:
    draft.document = proven(draft.document, scene.peer.me, proofPurpose="authentication")


def _big_number(_scene: Scene, draft: Draft) -> None:
    numbers = b', "large": 1e400, "zero": -0, "odd": 9007199254740993}'
    draft.raw = json.dumps(draft.document).encode().removesuffix(b"}") + numbers


def _expires_added(scene: Scene, draft: Draft) -> None:
    draft.document["proof"] |= {"expires": (scene.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _context_changed(_scene: Scene, draft: Draft) -> None:
    draft.document["@context"] = [*draft.document["@context"], {"content": "as:summary"}]


def _delete_self(scene: Scene, draft: Draft) -> None:
    draft.document = scene.peer.activity("Delete", scene.peer.me.id)


def _content_changed(_scene: Scene, draft: Draft) -> None:
    _body_after(draft, object={**draft.document["object"], "content": "<p>something else</p>"})


def _new_id(scene: Scene, draft: Draft) -> None:
    _body_after(draft, id=scene.peer.id())


def _body_after(draft: Draft, **changes: Any) -> None:
    def change(_scene: Scene, request: Request) -> None:
        request.body = json.dumps({**draft.document, **changes}).encode()

    draft.after.append(change)


BODY: dict[str, Callable[[Scene, Draft], None]] = {
    "wrap in @graph": _wrap_in_graph,
    "two nodes": _two_nodes,
    "K8 clique": _clique,
    "verificationMethod of mallory": _foreign_method,
    "proof: [..]": _two_proofs,
    "proofPurpose": _other_purpose,
    "big number": _big_number,
    "proof.expires": _expires_added,
    "@context": _context_changed,
    "Delete self": _delete_self,
    "same JSON with object.content changed": _content_changed,
    "new id": _new_id,
}
