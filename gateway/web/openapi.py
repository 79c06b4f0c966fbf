"""This server's API as OpenAPI 3.1, made from the route table: paths, methods and summaries cannot drift from it.

What a route table cannot say (who may ask, what goes in, what comes out) stands in ``ABOUT``; a route
without a row there is an error, and so is a row without a route.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from gateway import __version__
from gateway.activitypub.properties import ACTIVITY_JSON, PROFILED
from gateway.flows.grant import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.routing import BaseRoute

JSON, HTML, FORM, TEXT = "application/json", "text/html", "application/x-www-form-urlencoded", "text/plain"
LD, SCHEMA, ATOM, MULTIPART = (
    "application/ld+json",
    "application/schema+json",
    "application/atom+xml",
    "multipart/form-data",
)
PROBLEM = "application/problem+json"
READ, WRITE, SIGNED, ANYBODY = "read", "write", "signed", "anybody"
_PARAMETER = re.compile(r"\{([a-z_]+)(?::[a-z]+)?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """One operation: who may ask, what goes in, which status comes out with which media types.

    ``may`` is ``read`` or ``write`` (a bearer token's scope), ``signed`` (an HTTP signature or a token that
    reads) or ``anybody``. ``query`` are the parameters with a sentence each, ``shapes`` names of output.json.
    """

    may: str = ANYBODY
    takes: tuple[str, ...] = ()
    status: int = 200
    gives: tuple[str, ...] = (JSON,)
    query: tuple[tuple[str, str], ...] = ()
    shapes: tuple[str, ...] = ()


_ACTIVITY = (ACTIVITY_JSON, PROFILED)
_PAGE = (("page", "1, or the cursor that next names; the collection itself without it"),)
_COLLECTION = About(may=SIGNED, gives=_ACTIVITY, query=_PAGE)
_DOCUMENT = About(may=SIGNED, gives=_ACTIVITY)
_HTML = About(gives=(HTML,))
_INBOX = About(may=SIGNED, takes=_ACTIVITY, status=202, gives=())
_AUTHORIZE = (
    ("client_id", "the app"), ("redirect_uri", "where the answer goes"), ("response_type", "code"),
    ("scope", "some of the app's scopes"), ("state", "comes back as it was"), ("code_challenge", "PKCE"),
    ("code_challenge_method", "S256"),
)  # fmt: skip
_SIGN = (("signed", "1: as you"), ("scheme", "cavage or rfc9421, when signed"))
_CAPTURE = (
    ("as", "capture: judge captured requests (raw HTTP, HAR or JSON) as gateway verify does"),
    ("at", "when they came (RFC 3339); the capture's own time, or now"),
)
_INSPECT = (
    ("use", "one category, all when left out"), ("consumer", "for whom: a domain or DID"),
    ("contexts", "fetch: fetch unknown contexts"), ("keys", "fetch: fetch unknown keys of proofs"),
)  # fmt: skip

PAGED = frozenset({"/actor", "/users/{name}", "/posts/{tid}"})
OAUTH_ERRORS = frozenset({"/oauth/register", "/oauth/token", "/oauth/revoke"})
OAUTH_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
}

ABOUT: Mapping[tuple[str, str], About] = {
    ("GET", "/.well-known/webfinger"): About(gives=("application/jrd+json",), query=(("resource", "acct: or URL"),)),
    ("GET", "/.well-known/host-meta"): About(gives=("application/xrd+xml",)),
    ("GET", "/.well-known/nodeinfo"): About(),
    ("GET", "/.well-known/tdmrep.json"): About(),
    ("GET", "/.well-known/oauth-authorization-server"): About(),
    ("GET", "/nodeinfo/2.1"): About(),
    ("GET", "/robots.txt"): About(gives=(TEXT,)),
    ("GET", "/.well-known/security.txt"): About(gives=(TEXT,)),
    ("GET", "/policies/tdm.json"): About(gives=(LD,)),
    ("GET", "/livez"): About(gives=(TEXT,)),
    ("GET", "/readyz"): About(gives=(TEXT,)),
    ("POST", "/inbox"): _INBOX,
    ("GET", "/actor"): About(gives=_ACTIVITY),
    ("POST", "/actor/inbox"): _INBOX,
    **{("GET", f"/actor/{name}"): About(gives=_ACTIVITY) for name in ("outbox", "followers", "following", "featured")},
    ("GET", "/users/{name}"): About(gives=(*_ACTIVITY, HTML)),
    ("POST", "/users/{name}/inbox"): _INBOX,
    ("GET", "/users/{name}/inbox"): About(may=READ, gives=_ACTIVITY, query=_PAGE),
    ("GET", "/users/{name}/outbox"): _COLLECTION,
    ("POST", "/users/{name}/outbox"): About(may=WRITE, takes=(*_ACTIVITY, JSON), status=201, gives=()),
    ("GET", "/users/{name}/followers"): _COLLECTION,
    ("GET", "/users/{name}/following"): _COLLECTION,
    ("GET", "/users/{name}/liked"): _COLLECTION,
    ("GET", "/users/{name}/featured"): _DOCUMENT,
    ("POST", "/oauth/register"): About(takes=(JSON,), status=201),
    ("GET", "/oauth/authorize"): About(gives=(HTML,), query=_AUTHORIZE),
    ("POST", "/oauth/authorize"): About(takes=(FORM,), status=303, gives=()),
    ("POST", "/oauth/token"): About(takes=(FORM,)),
    ("POST", "/oauth/revoke"): About(takes=(FORM,), gives=()),
    ("GET", "/sign-in"): About(gives=(HTML,), query=(("code", "the one-time code"),)),
    ("POST", "/sign-in"): About(takes=(FORM,), status=303, gives=()),
    ("POST", "/sign-out"): About(takes=(FORM,), status=303, gives=()),
    ("POST", "/api/proxy"): About(may=READ, takes=(FORM,), gives=(ACTIVITY_JSON,)),
    ("POST", "/api/media"): About(may=WRITE, takes=(MULTIPART,), status=201, gives=(ACTIVITY_JSON,)),
    ("GET", "/inspect.json"): About(
        may=READ, query=(("url", "what to look at"), *_SIGN, *_INSPECT), shapes=("inspect",)
    ),
    ("POST", "/inspect.json"): About(
        may=READ,
        takes=(ACTIVITY_JSON, JSON, "message/http"),
        query=(*_CAPTURE, *_INSPECT),
        shapes=("inspect", "verify"),
    ),
    ("GET", "/posts/{tid}"): About(may=SIGNED, gives=(*_ACTIVITY, HTML)),
    ("GET", "/posts/{tid}/replies"): _DOCUMENT,
    ("GET", "/posts/{tid}/likes"): _DOCUMENT,
    ("GET", "/posts/{tid}/shares"): _DOCUMENT,
    ("GET", "/activities/{tid}"): _DOCUMENT,
    ("GET", "/media/{media_id}/{file_name}"): About(gives=("*/*",)),
    ("GET", "/ns/ai-usage"): About(gives=(LD, HTML)),
    ("GET", "/ns/ai-usage.md"): About(gives=("text/markdown",)),
    ("GET", "/schemas/{file}"): About(gives=(SCHEMA,)),
    ("GET", "/openapi.json"): About(),
    ("GET", "/"): _HTML,
    ("GET", "/about"): _HTML,
    ("GET", "/about/policy"): _HTML,
    ("GET", "/about/federation"): _HTML,
    ("GET", "/about/security"): _HTML,
    ("GET", "/about/software"): _HTML,
    ("GET", "/about/sizing"): _HTML,
    ("GET", "/about/developers"): _HTML,
    ("GET", "/problems/{code}"): _HTML,
    ("GET", "/tags/{tag}"): _HTML,
    ("GET", "/@{name}.atom"): About(gives=(ATOM,)),
    ("GET", "/@{name}"): About(gives=(HTML, ATOM)),
    ("GET", "/@{name}/{tid}"): _HTML,
}


def operations(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str, Route]]:
    """Yield (method, path, route) of every operation in the route table, in its order."""
    for route in routes:
        if isinstance(route, Route):
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, route.path, route


def document(routes: Sequence[BaseRoute], base: str) -> dict[str, Any]:
    """Return the OpenAPI document; raise KeyError for a route that ``ABOUT`` does not describe."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, route in operations(routes):
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, route, ABOUT[method, path])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "noai-gateway",
            "version": __version__,
            "summary": "Publishes to the fediverse with AI usage preferences on everything.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": {"$ref": "/schemas/problem.json"}},
            "securitySchemes": {
                "token": {
                    "type": "oauth2",
                    "description": "A bearer token, from the command line or by OAuth 2.1 with PKCE.",
                    "flows": {
                        "authorizationCode": {
                            "authorizationUrl": f"{base}/oauth/authorize",
                            "tokenUrl": f"{base}/oauth/token",
                            "scopes": dict(SCOPES),
                        }
                    },
                },
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Signature",
                    "description": "An HTTP signature of an actor: draft-cavage-http-signatures-12 or RFC 9421.",
                },
            },
        },
    }


def _operation(method: str, path: str, route: Route, about: About) -> dict[str, Any]:
    endpoint = route.endpoint
    room = endpoint.__module__.rpartition(".")[2]
    text = inspect.getdoc(endpoint) or ""
    success: dict[str, Any] = {"description": "It is done." if not about.gives else "What was asked for."}
    if about.gives:
        success["content"] = {media: _shaped(about.shapes) for media in about.gives}
    operation: dict[str, Any] = {
        "operationId": f"{room}.{endpoint.__name__}.{method.lower()}.{_slug(path)}",
        "tags": [room],
        "summary": text.partition("\n")[0].rstrip("."),
        "responses": {str(about.status): success, **_others(method, path, about)},
    }
    parameters = [_parameter(name, "path", "") for name in _PARAMETER.findall(path)]
    parameters += [_parameter(name, "query", sentence) for name, sentence in about.query]
    if parameters:
        operation["parameters"] = parameters
    if about.takes:
        operation["requestBody"] = {"required": True, "content": {media: {} for media in about.takes}}
    if about.may != ANYBODY:
        operation["security"] = _security(about.may)
    return operation


def _others(method: str, path: str, about: About) -> dict[str, Any]:
    """Return what else may come: a page instead of a document, a problem in the form that was asked for."""
    found: dict[str, Any] = {}
    if method == "GET" and ACTIVITY_JSON in about.gives and path in PAGED:
        found["303"] = {"description": "There is a page about it: for browsers."}
    if path == "/readyz":
        found["503"] = {"description": "Not ready, and why.", "content": {TEXT: {}}}
    problem = _problem()
    if method == "GET":
        problem["content"][HTML] = {}
    if path in OAUTH_ERRORS:
        problem["content"][JSON] = {"schema": OAUTH_ERROR}
    return {**found, "default": problem}


def _shaped(shapes: Sequence[str]) -> dict[str, Any]:
    choices = [{"$ref": f"/schemas/output.json#/$defs/{name}"} for name in shapes]
    return {"schema": choices[0] if len(choices) == 1 else {"anyOf": choices}} if choices else {}


def _slug(path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", path.lower()).strip("_") or "home"


def _parameter(name: str, place: str, sentence: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
    return {**row, "description": sentence} if sentence else row


def _security(may: str) -> list[dict[str, list[str]]]:
    if may == SIGNED:
        return [{"signature": []}, {"token": [READ]}]
    return [{"token": [may]}]


def _problem() -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": "What is wrong (RFC 9457).", "content": {PROBLEM: {"schema": schema}}}
