"""Who is asking, and may they see it: signatures on GETs, bearer tokens, a browser's session, visibility."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import Gone, NotAuthenticated, NotFound, Refused
from gateway.flows import authenticate, grant
from gateway.flows.see import may_see
from gateway.signatures.verify import is_signed
from gateway.web.context import kit_of, signed_request
from gateway.web.pace import verified, wrong

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account, Token
    from gateway.store.objects import Stored

COOKIE = "gateway_session"


async def requester(request: Request, *, is_collection: bool = False) -> str | None:
    """Return who asks: whose token it is, or who signed this GET; None when nobody did and none is needed.

    Raises NotAuthenticated when authorized fetch is on and the request is unsigned or badly signed,
    Refused for a refused peer.
    """
    kit = kit_of(request)
    token = token_of(request)
    if token is not None:
        return check_scope(token, grant.READ).account
    if is_unsigned(request) and not kit.settings.authorized_fetch:
        return None
    actor = await authenticate.authenticate(kit, signed_request(request), is_collection=is_collection)
    verified(request, actor)
    return actor


def is_unsigned(request: Request) -> bool:
    """Tell whether the request carries neither a signature nor a token."""
    return not is_signed(signed_request(request)) and "authorization" not in request.headers


def check_visible(kit: Kit, stored: Stored | None, asker: str | None) -> Stored:
    """Return the object when ``asker`` may see it; the same NotFound for missing and for hidden ones."""
    if stored is None or not stored.local or not may_see(kit, stored, asker):
        raise NotFound("missing or hidden")
    return stored


def account_of(request: Request) -> Account:
    """Return the living account that the address names; raise NotFound or Gone."""
    account = kit_of(request).store.accounts.by_name(request.path_params["name"])
    if account is None or account.kind == "Application":
        raise NotFound(request.path_params["name"])
    if account.deleted is not None:
        raise Gone(account.id)
    return account


def token_of(request: Request) -> Token | None:
    """Return the token in the Authorization header, None without one; raise NotAuthenticated for a bad one."""
    header = request.headers.get("authorization")
    scheme, _, secret = (header or "").partition(" ")
    if header is None or scheme.lower() == "signature":
        return None
    if scheme.lower() != "bearer" or not secret.strip():
        raise NotAuthenticated("no bearer token", code="token-missing")
    token = grant.token_behind(kit_of(request), secret.strip())
    if token is None or grant.SESSION in token.scopes:
        wrong(request)
        raise NotAuthenticated("unknown or revoked token", code="token-invalid")
    verified(request)
    return token


def check_scope(token: Token, scope: str) -> Token:
    """Return the token when it was given for ``scope``; raise Refused otherwise."""
    if scope not in token.scopes:
        raise Refused(f"token {token.id} is for {' '.join(token.scopes)}", code="insufficient-scope")
    return token


def bearer(request: Request, scope: str) -> Account:
    """Return the account whose token this is; raise NotAuthenticated or Refused."""
    token = token_of(request)
    if token is None:
        raise NotAuthenticated("no bearer token", code="token-missing")
    account = kit_of(request).store.accounts.by_id(check_scope(token, scope).account)
    if account is None:
        raise NotAuthenticated("the account is gone", code="token-invalid")
    return account


def owner(request: Request, account: Account, scope: str) -> Account:
    """Let only the owner's token through; raise NotAuthenticated or Refused."""
    if bearer(request, scope).id != account.id:
        raise Refused("token of another account", code="token-of-another-account")
    return account


def session_of(request: Request) -> Account | None:
    """Return who is signed in with this browser, or None."""
    secret = request.cookies.get(COOKIE)
    token = grant.token_behind(kit_of(request), secret) if secret else None
    if token is None or grant.SESSION not in token.scopes:
        return None
    return kit_of(request).store.accounts.by_id(token.account)


def signed_in(request: Request) -> Account:
    """Return who asks with a token or a session; raise NotAuthenticated when nobody does.

    A session goes along with every request of the browser: one that another site began does not count.
    """
    if "authorization" in request.headers:
        return bearer(request, grant.READ)
    if COOKIE in request.cookies:
        check_same_site(request) if request.method == "POST" else _check_not_sent_from_elsewhere(request)
    account = session_of(request)
    if account is None:
        if COOKIE in request.cookies:
            wrong(request)
        raise NotAuthenticated("not signed in", code="token-missing")
    return account


def _check_not_sent_from_elsewhere(request: Request) -> None:
    site, origin = request.headers.get("sec-fetch-site", "none"), request.headers.get("origin")
    if site not in ("same-origin", "none") or origin not in (None, kit_of(request).base):
        raise Refused(f"sent from {origin}", code="cross-site")


def check_same_site(request: Request) -> None:
    """Raise Refused when a form was sent from another site (Sec-Fetch-Site and Origin)."""
    sites, origins = request.headers.getlist("sec-fetch-site"), request.headers.getlist("origin")
    # Whatever is said must be said once and be right; a browser says at least one of them.
    same = sites in ([], ["same-origin"], ["none"]) and (
        origins in ([], [kit_of(request).base]) or (origins == ["null"] and sites == ["same-origin"])
    )
    if not same or not (sites or origins):
        raise Refused(
            f"form from {origins}",
            code="cross-site",
        )
