"""Signing a browser in with a one-time link from the command line, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, Response

from gateway.errors import NotAuthenticated
from gateway.flows import grant
from gateway.web.access import COOKIE, check_same_site, session_of
from gateway.web.context import kit_of, read_form
from gateway.web.pace import may_try, wrong
from gateway.web.pages import page

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

SEE_OTHER = 303


async def show(request: Request) -> Response:
    """Ask before the link is used up: previews and prefetchers follow links, too."""
    kit, code = kit_of(request), request.query_params.get("code", "")
    may_try(request)
    who = kit.store.apps.sign_in(grant.hash_secret(code), kit.clock.now()) if code else None
    account = kit.store.accounts.by_id(who) if who is not None else None
    account = None if account is None or account.deleted is not None else account
    if code and account is None:
        wrong(request)
    values: dict[str, object] = {"account": account, "code": code, "signed_in": session_of(request)}
    response = page(request, "sign_in.html", values, status=200 if account is not None or not code else 401)
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    return response


async def enter(request: Request) -> Response:
    """Use the link up and remember the browser."""
    check_same_site(request)
    kit = kit_of(request)
    signed_in = used(request, (await read_form(request)).get("code", ""))
    if signed_in is None:
        raise NotAuthenticated("sign-in code", code="sign-in-invalid")
    account, session = signed_in
    answer = RedirectResponse(f"{kit.base}/@{account.name}", SEE_OTHER, {"cache-control": "no-store"})
    remember(kit, answer, session)
    return answer


def used(request: Request, code: str) -> tuple[Account, str] | None:
    """Use a sign-in code up; None, and counted, when it is wrong. Raises TooManyRequests after too many."""
    may_try(request)
    found = grant.sign_in(kit_of(request), code)
    if found is None:
        wrong(request)
    return found


async def leave(request: Request) -> Response:
    """Forget the browser."""
    check_same_site(request)
    kit = kit_of(request)
    token = grant.token_behind(kit, request.cookies.get(COOKIE, ""))
    if token is not None and grant.SESSION in token.scopes:
        kit.store.accounts.revoke_token(token.id, kit.clock.now())
    answer = RedirectResponse(f"{kit.base}/", SEE_OTHER, {"cache-control": "no-store"})
    answer.delete_cookie(COOKIE, path="/")
    return answer


def remember(kit: Kit, response: Response, secret: str) -> None:
    """Set the session cookie: for this site alone, out of reach of scripts."""
    response.set_cookie(
        COOKIE, secret, max_age=int(grant.SESSION_LIFE.total_seconds()), path="/", httponly=True, samesite="lax",
        secure=kit.settings.origin.scheme == "https",
    )  # fmt: skip
