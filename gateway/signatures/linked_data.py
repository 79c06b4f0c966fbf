"""Linked Data Signatures (RsaSignature2017), as Mastodon and Pleroma still write them: to look at, never to decide.

The signed text is SHA-256(canonical options) + SHA-256(canonical document), in hexadecimal. Canonicalisation
comes in as text: it is done where it can be stopped.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from gateway.signatures.proof import NO_ACTOR
from gateway.signatures.verdict import Checks, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.signatures.owner import ListedKey

SCHEME = "rsa-signature-2017"
TYPE = "RsaSignature2017"
CONTEXT = "https://w3id.org/identity/v1"


def creator_of(document: Mapping[str, object]) -> str | None:
    """Return the id of the key that a document says it was signed with."""
    signature = document.get("signature")
    creator = signature.get("creator") if isinstance(signature, dict) else None
    return creator if isinstance(creator, str) else None


def options(document: Mapping[str, object]) -> dict[str, object]:
    """Return the options that are signed along, as a document."""
    signature = document.get("signature")
    given = dict(signature) if isinstance(signature, dict) else {}
    kept = {name: value for name, value in given.items() if name not in ("type", "id", "signatureValue", "@context")}
    return {"@context": CONTEXT, **kept}


def unsigned(document: Mapping[str, object]) -> dict[str, object]:
    """Return the document that is signed."""
    return {name: value for name, value in document.items() if name != "signature"}


def verify(
    document: Mapping[str, object], key: ListedKey | None, canonical_options: str | None, canonical_document: str | None
) -> Verdict:
    """Judge the signature; a canonical form is None when it could not be made within limits."""
    checks, signature = Checks(), document.get("signature")
    given = signature if isinstance(signature, dict) else {}
    creator = creator_of(document) or ""
    checks.check("type", TYPE, given.get("type"), ok=given.get("type") == TYPE)
    checks.check(
        "key", "listed by its owner at the owner's own id", "listed" if key else "not found", ok=key is not None
    )
    owner, actor = key.owner if key is not None else "", document.get("actor", document.get("attributedTo"))
    checks.check("owner", str(actor or NO_ACTOR), owner or "unknown", ok=bool(owner) and owner == actor)
    made = canonical_options is not None and canonical_document is not None
    checks.check("canonical", "RDF canonical form within limits", "made" if made else "stopped or impossible", ok=made)
    held = checks.ok and key is not None and _holds(given, key, str(canonical_options), str(canonical_document))
    checks.check("signature", "made by that key over these quads", "holds" if held else "does not hold", ok=held)
    return Verdict(ok=checks.ok, scheme=SCHEME, steps=tuple(checks.steps), key_id=creator, actor=owner)


def signing_string(canonical_options: str, canonical_document: str) -> str:
    """Return the text that is signed: two hashes in hexadecimal."""
    return "".join(hashlib.sha256(part.encode()).hexdigest() for part in (canonical_options, canonical_document))


def _holds(given: Mapping[str, object], key: ListedKey, canonical_options: str, canonical_document: str) -> bool:
    try:
        value = base64.b64decode(str(given.get("signatureValue")), validate=True)
    except (binascii.Error, ValueError):
        return False
    text = signing_string(canonical_options, canonical_document)
    return key.public.verify("rsa-v1_5-sha256", value, text.encode())
