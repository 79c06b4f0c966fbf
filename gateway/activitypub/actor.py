"""Actor documents: people's, the instance's, and the key-only form that anybody may read."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.clock import rfc3339
from gateway.jsonld.contexts import PUBLIC
from gateway.signatures.message import ADVERTISED, ADVERTISED_ED25519

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.signatures.keys import PublicKey

IMPLEMENTS = (
    (ADVERTISED, "RFC 9421: HTTP Message Signatures"),
    (ADVERTISED_ED25519, "RFC 9421 signatures using the Ed25519 algorithm"),
    ("https://w3id.org/fep/5e53", "FEP-5e53: Opt-out Preference Signals"),
    ("https://w3id.org/fep/1e38", "FEP-1e38: AI Usage Preferences"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What an actor document says about its owner."""

    id: str
    name: str
    display_name: str
    summary: str
    page: str
    endpoints: Mapping[str, str]
    instance_actor: str
    published: datetime
    rsa: PublicKey
    ed25519: PublicKey
    approves_followers: bool = False
    discoverable: bool = True
    kind: str = "Person"
    moved_to: str | None = None
    also_known_as: tuple[str, ...] = ()


def key_id(actor: str) -> str:
    """Return the id of an actor's RSA key."""
    return f"{actor}#main-key"


def ed25519_id(actor: str) -> str:
    """Return the id of an actor's Ed25519 key."""
    return f"{actor}#ed25519-key"


def keys_of(profile: Profile) -> dict[str, object]:
    """Return both keys: ``publicKey`` (RSA) and ``assertionMethod`` (FEP-521a Multikey)."""
    return {
        "publicKey": {"id": key_id(profile.id), "owner": profile.id, "publicKeyPem": profile.rsa.pem()},
        "assertionMethod": [
            {
                "id": ed25519_id(profile.id),
                "type": "Multikey",
                "controller": profile.id,
                "publicKeyMultibase": profile.ed25519.multikey(),
            }
        ],
    }


def key_only(profile: Profile) -> dict[str, object]:
    """Return the form that is readable without a signature: enough to verify, and nothing about the person."""
    return {
        "id": profile.id,
        "type": profile.kind,
        "preferredUsername": profile.name,
        "inbox": f"{profile.id}/inbox",
        "outbox": f"{profile.id}/outbox",
        "endpoints": dict(profile.endpoints),
        **keys_of(profile),
    }


def actor(profile: Profile) -> dict[str, object]:
    """Return the whole actor (no context, no labels yet)."""
    document: dict[str, object] = {
        **key_only(profile),
        "name": profile.display_name,
        "summary": html.escape(profile.summary, quote=False),
        "url": profile.page,
        "published": rfc3339(profile.published),
        "followers": f"{profile.id}/followers",
        "following": f"{profile.id}/following",
        "liked": f"{profile.id}/liked",
        "featured": f"{profile.id}/featured",
        "manuallyApprovesFollowers": profile.approves_followers,
        "discoverable": profile.discoverable,
        "generator": {
            "id": profile.instance_actor,
            "type": "Application",
            "implements": [{"href": href, "name": name} for href, name in IMPLEMENTS],
        },
    }
    if profile.also_known_as:
        document["alsoKnownAs"] = list(profile.also_known_as)
    if profile.moved_to:
        document["movedTo"] = profile.moved_to
    return document


def instance_actor(profile: Profile) -> dict[str, object]:
    """Return the Application that signs fetches and speaks for the whole instance (FEP-2677, FEP-844e)."""
    whole = actor(profile)
    capabilities = [{"href": href, "name": name} for href, name in IMPLEMENTS]
    return {**whole, "implements": capabilities, "to": [PUBLIC]}


def advertises_rfc9421(document: object) -> bool:
    """Tell whether a remote actor (or its generator) says that its server takes RFC 9421 (FEP-844e)."""
    if not isinstance(document, dict):
        return False
    for holder in (document, document.get("generator")):
        listed = holder.get("implements") if isinstance(holder, dict) else None
        items = listed[:50] if isinstance(listed, list) else [listed]
        hrefs = [item.get("href", item.get("id")) if isinstance(item, dict) else item for item in items]
        if any(isinstance(href, str) and href.startswith(ADVERTISED) for href in hrefs):
            return True
    return False
