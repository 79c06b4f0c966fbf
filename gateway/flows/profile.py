"""An account as an actor document shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.actor import Profile
from gateway.errors import StoreError
from gateway.signatures.keys import load_multikey, load_public_pem

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account


def endpoints(base: str, *, is_person: bool = True) -> dict[str, str]:
    """Return where software finds what: ``endpoints`` of an actor (ActivityPub, section 4.1)."""
    shared = {"sharedInbox": f"{base}/inbox"}
    if not is_person:
        return shared
    return {
        **shared,
        "proxyUrl": f"{base}/api/proxy",
        "uploadMedia": f"{base}/api/media",
        "oauthAuthorizationEndpoint": f"{base}/oauth/authorize",
        "oauthTokenEndpoint": f"{base}/oauth/token",
    }


def profile_of(kit: Kit, account: Account) -> Profile:
    """Return what an actor document says about an account."""
    keys = {kind: public for kind, _, public, _ in kit.store.accounts.keys(account.id)}
    if not keys:
        raise StoreError(f"{account.id} has no keys")
    instance = account.kind == "Application"
    return Profile(
        id=account.id,
        name=account.name,
        display_name=account.display_name,
        summary=account.summary,
        page=f"{kit.base}/about" if instance else f"{kit.base}/@{account.name}",
        endpoints=endpoints(kit.base, is_person=not instance),
        instance_actor=kit.instance_actor,
        published=account.created,
        rsa=load_public_pem(keys["rsa"]),
        ed25519=load_multikey(keys["ed25519"]),
        approves_followers=account.approves or instance,
        discoverable=account.discoverable,
        kind=account.kind,
        moved_to=account.moved_to,
        also_known_as=account.aliases,
    )
