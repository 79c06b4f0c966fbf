"""Who is asking, and may they see it: signatures on GETs, visibility, tokens."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.properties import ids_of
from gateway.errors import Gone, NotAuthenticated, NotFound, Refused
from gateway.flows import authenticate
from gateway.signatures.verify import is_signed
from gateway.web.context import kit_of, signed_request

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Stored


async def requester(request: Request, *, is_collection: bool = False) -> str | None:
    """Return who signed this GET; None when nobody did and none is needed.

    Raises NotAuthenticated when authorized fetch is on and the request is unsigned or badly signed,
    Refused for a refused peer.
    """
    kit = kit_of(request)
    if not is_signed(signed_request(request)) and not kit.settings.authorized_fetch:
        return None
    return await authenticate.authenticate(kit, signed_request(request), is_collection=is_collection)


def is_unsigned(request: Request) -> bool:
    """Tell whether the request carries no signature at all."""
    return not is_signed(signed_request(request))


def check_visible(kit: Kit, stored: Stored | None, asker: str | None) -> Stored:
    """Return the object when ``asker`` may see it; the same NotFound for missing and for hidden ones."""
    if stored is None or not stored.local or not _may_see(kit, stored, asker):
        raise NotFound("missing or hidden")
    return stored


def _may_see(kit: Kit, stored: Stored, asker: str | None) -> bool:
    if asker is not None and kit.store.relations.blocks(stored.owner, asker):
        return False
    if stored.visibility.is_open:
        return True
    if asker is None:
        return False
    addressed = {*ids_of(stored.document.get("to")), *ids_of(stored.document.get("cc"))}
    if asker in addressed:
        return True
    known = kit.store.relations.follow(asker, stored.owner)
    return stored.visibility is Visibility.FOLLOWERS and known is not None and known.state == "accepted"


def account_of(request: Request) -> Account:
    """Return the living account that the address names; raise NotFound or Gone."""
    account = kit_of(request).store.accounts.by_name(request.path_params["name"])
    if account is None or account.kind == "Application":
        raise NotFound(request.path_params["name"])
    if account.deleted is not None:
        raise Gone(account.id)
    return account


def hash_token(secret: str) -> str:
    """Return how a token's secret is kept: SHA-256; secrets are 32 random bytes, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def bearer(request: Request, account: Account) -> None:
    """Let the owner's token through; raise NotAuthenticated or Refused."""
    kit = kit_of(request)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        raise NotAuthenticated("no bearer token", code="token-missing")
    # Looked up by hash, so that the comparison's timing says nothing about a secret.
    token = kit.store.accounts.token_by_hash(hash_token(secret.strip()), kit.clock.now())
    if token is None:
        raise NotAuthenticated("unknown or revoked token", code="token-invalid")
    if token.account != account.id:
        raise Refused("token of another account", code="token-of-another-account")
