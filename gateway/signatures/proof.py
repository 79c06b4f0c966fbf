"""Object integrity proofs (FEP-8b32) with eddsa-jcs-2022 (W3C Data Integrity EdDSA Cryptosuites).

JCS (RFC 8785) covers every byte of the JSON, also terms that a context forgot to define. Every proof
option but ``proofValue`` is authenticated.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import rfc8785

from gateway.clock import parse_rfc3339, rfc3339
from gateway.signatures.keys import WeakKey, base58_decode, base58_encode
from gateway.signatures.verdict import Checks, Verdict
from gateway.signatures.window import SKEW

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from gateway.signatures.keys import PrivateKey, PublicKey

SUITE = "eddsa-jcs-2022"
OLDEST = timedelta(days=365)  # a replay of what is older could not be told from news
NO_ACTOR = "an actor that the document names"
SCHEME = "proof"


def canonical_json(value: object) -> bytes:
    """Return the JCS form (RFC 8785) of a JSON value; raise ValueError for what has none."""
    try:
        return rfc8785.dumps(value)  # type: ignore[arg-type]
    except rfc8785.CanonicalizationError as error:
        raise ValueError(str(error)) from error


def covered(document: Mapping[str, object]) -> dict[str, object]:
    """Return what a proof covers: everything but itself, and the signature of another kind beside it."""
    return {key: value for key, value in document.items() if key not in ("proof", "signature")}


def hash_data(document: Mapping[str, object], options: Mapping[str, object]) -> bytes:
    """Return SHA-256(JCS(options)) + SHA-256(JCS(document without proof and signature)): 64 bytes."""
    return b"".join(hashlib.sha256(canonical_json(part)).digest() for part in (dict(options), covered(document)))


def attach(document: Mapping[str, object], key: PrivateKey, method: str, created: datetime | str) -> dict[str, object]:
    """Return ``document`` with a proof made with ``key``; ``method`` is the Multikey's id."""
    options: dict[str, object] = {
        "@context": document["@context"],
        "type": "DataIntegrityProof",
        "cryptosuite": SUITE,
        "verificationMethod": method,
        "proofPurpose": "assertionMethod",
        "created": created if isinstance(created, str) else rfc3339(created),
    }
    value = "z" + base58_encode(key.sign(hash_data(document, options)))
    return {**document, "proof": {**options, "proofValue": value}}


def method_of(document: Mapping[str, object]) -> str:
    """Return the id of the key that a document says it was proven with, or an empty string."""
    proof = document.get("proof")
    method = proof.get("verificationMethod") if isinstance(proof, dict) else None
    return method if isinstance(method, str) else ""


def verify(
    document: Mapping[str, object],
    key: PublicKey | None,
    method: str,
    now: datetime,
    *,
    owner: str,
    audience: Collection[str] | None = None,
) -> Verdict:
    """Judge the one proof of ``document`` against ``key``, whose id is ``method`` and owner ``owner``.

    ``audience`` are the names we go by, where a proof that is for somebody else must not count.
    """
    checks = Checks()
    proof = document.get("proof")
    if checks.check("proof", "one proof", type(proof).__name__, ok=isinstance(proof, dict)) and isinstance(proof, dict):
        _judge(proof, document, method, now, checks)
        if audience is not None:
            _judge_use(proof, document, audience, now, checks)
        actor = document.get("actor", document.get("attributedTo"))
        checks.check("owner", str(actor or NO_ACTOR), owner or "unknown", ok=actor == owner)
        held = checks.ok and key is not None and _holds(proof, document, key)
        checks.check("signature", "made by the key over these bytes", "holds" if held else "does not hold", ok=held)
    return Verdict(ok=checks.ok, scheme=SCHEME, steps=tuple(checks.steps), key_id=method, actor=owner)


def _judge(
    proof: Mapping[str, object], document: Mapping[str, object], method: str, now: datetime, checks: Checks
) -> None:
    checks.check("suite", SUITE, proof.get("cryptosuite"),
                 ok=proof.get("type") == "DataIntegrityProof" and proof.get("cryptosuite") == SUITE)  # fmt: skip
    purpose = proof.get("proofPurpose")
    checks.check("purpose", "assertionMethod", purpose, ok=purpose == "assertionMethod")
    checks.check("method", method, proof.get("verificationMethod"), ok=proof.get("verificationMethod") == method)
    created = proof.get("created")
    made = parse_rfc3339(created)
    fresh = created is None or (made is not None and made <= now + SKEW)
    checks.check("created", "not in the future", created or "none", ok=fresh)
    expires = proof.get("expires")
    until = parse_rfc3339(expires)
    checks.check("expires", "not passed", expires or "none", ok=expires is None or (until is not None and until > now))
    context = proof.get("@context", document.get("@context"))
    whole = document.get("@context")
    listed, prefix = (value if isinstance(value, list) else [value] for value in (whole, context))
    checks.check("context", "the start of the document's own", "other" if listed[: len(prefix)] != prefix else "same",
                 ok=listed[: len(prefix)] == prefix)  # fmt: skip


def _judge_use(
    proof: Mapping[str, object],
    document: Mapping[str, object],
    audience: Collection[str],
    now: datetime,
    checks: Checks,
) -> None:
    """Refuse to act on a proof made for another verifier, or for less than the whole document as it stands."""
    domain = proof.get("domain")
    named = domain if isinstance(domain, list) else [domain]
    for_us = domain is None or any(name in audience for name in named)
    checks.check("domain", "none, or ours", domain or "none", ok=for_us)
    # The suite lets a verifier cut what was added to the context; whoever acts on the whole must not have to.
    made = parse_rfc3339(proof.get("created"))
    checks.check(
        "age", f"at most {OLDEST.days} days", proof.get("created", "none"), ok=made is None or now - made <= OLDEST
    )
    same = "@context" not in proof or proof["@context"] == document.get("@context")
    checks.check("whole-context", "just what was signed", "same" if same else "longer", ok=same)
    challenge = proof.get("challenge")
    checks.check("challenge", "none", challenge or "none", ok=challenge is None)


def _holds(proof: Mapping[str, object], document: Mapping[str, object], key: PublicKey) -> bool:
    value = proof.get("proofValue")
    if not isinstance(value, str) or not value.startswith("z") or len(value) > 200:  # noqa: PLR2004 - 64 bytes in base58 are 88
        return False
    options = {name: item for name, item in proof.items() if name != "proofValue"}
    signed = {**document, "@context": proof["@context"]} if "@context" in proof else document
    try:
        return key.verify("ed25519", base58_decode(value[1:]), hash_data(signed, options))
    except (WeakKey, ValueError):
        return False
