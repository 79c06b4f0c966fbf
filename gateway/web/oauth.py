"""OAuth 2.1 for apps: metadata, registration, consent, tokens, revocation.

Sources: RFC 8414 (metadata), RFC 7591 (registration), draft-ietf-oauth-v2-1 (authorization code with
PKCE, S256 alone), RFC 9207 (issuer in the answer), RFC 7009 (revocation), RFC 8252 (native apps).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import orjson
from starlette.responses import RedirectResponse, Response

from gateway.errors import BadInput, MalformedDocument, Text, UnsupportedMediaType
from gateway.flows import grant
from gateway.jsonld.strict import read_object
from gateway.urls import to_uri, try_origin
from gateway.web.access import check_same_site, session_of
from gateway.web.context import kit_of, language_of, prefers_html, read_body, read_form
from gateway.web.middleware import CSP
from gateway.web.pace import may_register, may_try, wrong
from gateway.web.pages import page
from gateway.web.sign_in import remember, used

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.apps import App

SEE_OTHER = 303
NO_STORE = {"cache-control": "no-store", "access-control-allow-origin": "*"}
MAX_NAME = 100
MAX_URIS = 10
MAX_URI = 500
MAX_STATE = 1_000
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# A scheme of an app's own: reverse domain names, as RFC 8252 asks, or at least nothing a browser runs.
# No blank, comma, semicolon or quote: the address stands in a header of the consent page.
_URI = re.compile(r"[!#-&(-+\--:=?-\[\]_a-z~]+", re.ASCII)
_OWN_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+", re.ASCII)
UNKNOWN_APP = Text("This app is not registered here.", "このアプリは登録されていません。")
WRONG_REQUEST = Text(
    "This app asks in a way that is not taken here: response_type code, PKCE with S256, and its registered scopes.",
    "アプリの要求が正しくありません。response_typeはcode、PKCEはS256、スコープは登録済みのものが必要です。",
)
WRONG_ADDRESS = Text(
    "This app asks to be answered at an address that it did not register.",
    "アプリが登録していないリダイレクト先が指定されています。",
)


async def metadata(request: Request) -> Response:
    """Say where everything is (RFC 8414)."""
    base = kit_of(request).base
    document = {
        "issuer": base,
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "registration_endpoint": f"{base}/oauth/register",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "scopes_supported": list(grant.SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "service_documentation": f"{base}/about/software",
    }
    headers = {"cache-control": "max-age=3600", "access-control-allow-origin": "*"}
    return Response(orjson.dumps(document), 200, headers, "application/json")


def _error(status: int, code: str, description: str) -> Response:
    headers = {**NO_STORE, **({"www-authenticate": "Basic"} if status == 401 else {})}  # noqa: PLR2004 - RFC 9110
    return Response(
        orjson.dumps({"error": code, "error_description": description}), status, headers, "application/json"
    )


async def register(request: Request) -> Response:
    """Register an app (RFC 7591); anybody may, nobody gets in by it alone."""
    try:
        asked = read_object(await read_body(request, 64 * 1024))
    except MalformedDocument as error:
        return _error(400, "invalid_client_metadata", str(error)[:200])
    uris = asked.get("redirect_uris")
    if not isinstance(uris, list) or not 0 < len(uris) <= MAX_URIS or not all(map(_is_usable, uris)):
        text = "redirect_uris: https, http on loopback, or a scheme of your own with a dot in it; no fragment"
        return _error(400, "invalid_redirect_uri", text)
    method = asked.get("token_endpoint_auth_method", "none")
    if method not in ("none", "client_secret_basic", "client_secret_post"):
        return _error(400, "invalid_client_metadata", "token_endpoint_auth_method is not supported")
    for name, needed in (("grant_types", "authorization_code"), ("response_types", "code")):
        listed = asked.get(name)
        if listed is not None and not (isinstance(listed, list) and needed in listed):
            return _error(400, "invalid_client_metadata", f"{name}: {needed} is the only one")
    scopes = _scopes(str(asked.get("scope") or " ".join(grant.SCOPES)))
    if scopes is None:
        return _error(400, "invalid_client_metadata", f"scope: some of {' '.join(grant.SCOPES)}")
    name = " ".join(str(asked.get("client_name") or "").split())[:MAX_NAME]
    website = asked.get("client_uri")
    website = to_uri(website) if isinstance(website, str) and len(website) <= MAX_URI and try_origin(website) else ""
    may_register(request)
    app, secret = grant.register(kit_of(request), name, website, uris, scopes, confidential=method != "none")
    document: dict[str, object] = {
        "client_id": app.id,
        "client_id_issued_at": int(app.created.timestamp()),
        "client_name": app.name,
        "redirect_uris": list(app.redirect_uris),
        "scope": " ".join(app.scopes),
        "token_endpoint_auth_method": method,
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        **({"client_uri": app.website} if app.website else {}),
        **({"client_secret": secret, "client_secret_expires_at": 0} if secret is not None else {}),
    }
    return Response(orjson.dumps(document), 201, NO_STORE, "application/json")


def _is_usable(uri: object) -> bool:
    """Tell whether an app may be answered at an address."""
    if not isinstance(uri, str) or len(uri) > MAX_URI or "#" in uri or not _URI.fullmatch(uri):
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    if parts.scheme in ("http", "https"):
        origin = try_origin(uri)
        return origin is not None and (parts.scheme == "https" or origin.host in LOOPBACK)
    return _OWN_SCHEME.fullmatch(parts.scheme) is not None


def _scopes(text: str) -> tuple[str, ...] | None:
    """Return the scopes asked for; None when one of them is unknown."""
    words = text.split()
    return tuple(word for word in grant.SCOPES if word in words) if words and set(words) <= set(grant.SCOPES) else None


def _registered(app: App, uri: str) -> bool:
    """Tell whether an address is one of the app's: exactly, but for the port on loopback (RFC 8252, section 7.3)."""
    if uri in app.redirect_uris:
        return True
    return _is_usable(uri) and any(_without_port(uri) == _without_port(known) for known in app.redirect_uris)


def _without_port(uri: str) -> str:
    parts = urlsplit(uri)
    is_loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")
    return urlunsplit(parts._replace(netloc=parts.hostname or "")) if is_loopback else uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A checked authorization request."""

    app: App
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    challenge: str

    @property
    def place(self) -> str:
        """Return where the app is answered, as people may read it."""
        return urlsplit(self.redirect_uri).netloc or self.redirect_uri.partition(":")[0]

    def back(self, kit: Kit, **answer: str) -> Response:
        """Return to the app with an answer."""
        return RedirectResponse(self.address(kit, **answer), SEE_OTHER, {"cache-control": "no-store"})

    def address(self, kit: Kit, **answer: str) -> str:
        """Return the app's own address with an answer."""
        parts = urlsplit(self.redirect_uri)
        pairs = [*parse_qsl(parts.query, keep_blank_values=True), *answer.items()]
        pairs += [("state", self.state)] if self.state else []
        return urlunsplit(parts._replace(query=urlencode([*pairs, ("iss", kit.base)])))


def _wrong(error: str) -> BadInput:
    """Return the problem for an error of RFC 6749, section 4.1.2.1."""
    return BadInput(error, code=error.replace("_", "-"), detail=WRONG_REQUEST)


def _asked(kit: Kit, given: Mapping[str, str]) -> tuple[Asked, str | None]:
    """Return a request and what is wrong with it (RFC 6749, section 4.1.2.1); raise BadInput for the person to read.

    Nobody is sent on to an address that anybody could have registered before they said so (RFC 9700, section 4.11.2).
    """
    app = kit.store.apps.get(given.get("client_id", ""))
    if app is None:
        raise BadInput("unknown client_id", detail=UNKNOWN_APP)
    uri = given.get("redirect_uri") or (app.redirect_uris[0] if len(app.redirect_uris) == 1 else "")
    if not _registered(app, uri):
        raise BadInput(uri[:200], detail=WRONG_ADDRESS)
    scopes = _scopes(given.get("scope") or " ".join(app.scopes))
    asked = Asked(
        app=app, redirect_uri=uri, scopes=scopes or (), state=given.get("state", ""),
        challenge=given.get("code_challenge", ""),
    )  # fmt: skip
    if len(asked.state) > MAX_STATE:
        raise BadInput(f"{len(asked.state)} characters of state", detail=WRONG_REQUEST)
    if given.get("response_type") != "code":
        return asked, "unsupported_response_type"
    if given.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(asked.challenge):
        return asked, "invalid_request"
    if scopes is None or not set(scopes) <= set(app.scopes):
        return asked, "invalid_scope"
    return asked, None


async def ask(request: Request) -> Response:
    """Ask the person whether the app may act for them."""
    kit = kit_of(request)
    asked, error = _asked(kit, dict(request.query_params))
    if error is None:
        return _consent(request, asked, session_of(request))
    if not prefers_html(request):
        raise _wrong(error)
    return _told(request, asked, error)


def _told(request: Request, asked: Asked, error: str) -> Response:
    """Tell the person, who may take the error to the app: nobody is sent there without having said so."""
    values: dict[str, object] = {
        "app": asked.app,
        "detail": WRONG_REQUEST.in_language(language_of(request)),
        "code": error,
        "back": asked.address(kit_of(request), error=error),
        "back_to": asked.place,
    }
    response = page(request, "app_wrong.html", values, status=400)
    response.headers["cache-control"] = "no-store"
    return response


def _consent(request: Request, asked: Asked, account: Account | None, *, wrong: bool = False) -> Response:
    values: dict[str, object] = {
        "app": asked.app,
        "account": account,
        "scopes": asked.scopes,
        "back_to": asked.place,
        "wrong": wrong,
        "fields": {
            "client_id": asked.app.id,
            "redirect_uri": asked.redirect_uri,
            "response_type": "code",
            "scope": " ".join(asked.scopes),
            "state": asked.state,
            "code_challenge": asked.challenge,
            "code_challenge_method": "S256",
        },
    }
    response = page(request, "authorize.html", values, status=401 if wrong else 200)
    # Browsers hold the answer to a form, a redirect to the app, against form-action.
    origin = try_origin(asked.redirect_uri)
    target = str(origin) if origin is not None else f"{urlsplit(asked.redirect_uri).scheme}:"
    response.headers["content-security-policy"] = CSP.replace("form-action 'self'", f"form-action 'self' {target}")
    response.headers["cache-control"] = "no-store"
    return response


async def decide(request: Request) -> Response:
    """Take the person's answer; a sign-in code stands in for a session."""
    check_same_site(request)
    kit, given = kit_of(request), await read_form(request)
    asked, error = _asked(kit, given)
    if error is not None:
        raise _wrong(error)
    if given.get("decision") != "allow":
        return asked.back(kit, error="access_denied")
    account, session = session_of(request), None
    if given.get("code"):
        signed_in = used(request, given["code"].strip().rpartition("code=")[2])
        if signed_in is None:
            return _consent(request, asked, None, wrong=True)
        account, session = signed_in
    if account is None:
        return _consent(request, asked, None, wrong=True)
    code = grant.give_code(
        kit, asked.app, account, redirect_uri=asked.redirect_uri, scopes=asked.scopes, challenge=asked.challenge
    )
    answer = asked.back(kit, code=code)
    if session is not None:
        remember(kit, answer, session)
    return answer


async def token(request: Request) -> Response:
    """Exchange a code for a token."""
    kit, asked = kit_of(request), await _authenticated(request)
    if isinstance(asked, Response):
        return asked
    given, app = asked
    if given.get("grant_type") != "authorization_code":
        return _error(400, "unsupported_grant_type", "authorization_code is the only one")
    verifier = given.get("code_verifier", "")
    if not _VERIFIER.fullmatch(verifier):
        return _error(400, "invalid_request", "code_verifier is missing or malformed")
    uri = given.get("redirect_uri") or (app.redirect_uris[0] if len(app.redirect_uris) == 1 else "")
    made = grant.exchange(kit, app, given.get("code", ""), redirect_uri=uri, verifier=verifier)
    if made is None:
        wrong(request)
        return _error(400, "invalid_grant", "the code is unknown, used, too old, or was given for something else")
    given_token, secret = made
    document = {
        "access_token": secret,
        "token_type": "Bearer",
        "scope": " ".join(given_token.scopes),
        "me": given_token.account,
        "created_at": int(given_token.created.timestamp()),
    }
    return Response(orjson.dumps(document), 200, NO_STORE, "application/json")


async def _authenticated(request: Request) -> tuple[Mapping[str, str], App] | Response:
    """Return the fields of a form and the app that sent it, or the error (RFC 6749, section 5.2)."""
    may_try(request)
    try:
        given = await read_form(request)
    except (UnsupportedMediaType, BadInput):
        return _error(400, "invalid_request", "the body is a form (application/x-www-form-urlencoded)")
    app = _client(request, given)
    if app is None:
        wrong(request)
        return _error(401, "invalid_client", "unknown client, or wrong secret")
    return given, app


def _client(request: Request, given: Mapping[str, str]) -> App | None:
    """Return the app that asks, when it proves what it has to."""
    client, secret = given.get("client_id", ""), given.get("client_secret", "")
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, word = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            return None
        client, secret = unquote(name), unquote(word)
    app = kit_of(request).store.apps.get(client)
    if app is None or app.secret_hash is None:
        return app if not secret else None
    return app if hmac.compare_digest(app.secret_hash, grant.hash_secret(secret)) else None


async def revoke(request: Request) -> Response:
    """Revoke a token of the asking app (RFC 7009): 200 whether there was one or not."""
    kit, asked = kit_of(request), await _authenticated(request)
    if isinstance(asked, Response):
        return asked
    given, app = asked
    found = grant.token_behind(kit, given.get("token", ""))
    if found is not None and found.client == app.id:
        kit.store.accounts.revoke_token(found.id, kit.clock.now())
    return Response(status_code=200, headers=NO_STORE)
