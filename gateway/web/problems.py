"""One error tree, rendered for the web: problem+json (RFC 9457) for software, a page for people."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route

from gateway import errors
from gateway.errors import GatewayError, RemoteUnreachable, StoreError
from gateway.observe.logs import log
from gateway.observe.names import FAULT
from gateway.web.context import kit_of, language_of, prefers_html, signed_request
from gateway.web.templates import render

if TYPE_CHECKING:
    from starlette.requests import Request

PROBLEM_JSON = "application/problem+json"
STORE_RETRY_SECONDS = 30
_BY_STATUS: dict[int, type[GatewayError]] = {
    400: errors.BadInput,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    406: errors.NotAcceptable,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
}
CHALLENGE = 'sig1=("@method" "@target-uri" "@authority");created;keyid'


def problem_document(request: Request, error: GatewayError) -> dict[str, object]:
    """Return the members of the problem document."""
    language = language_of(request)
    document: dict[str, object] = {
        "type": f"{kit_of(request).base}/problems/{error.reason}",
        "title": error.title.in_language(language),
        "status": error.status,
        "detail": error.detail.in_language(language),
        "code": error.reason,
        "error": error.detail.in_language("en"),
        **dict(error.extra),
    }
    if error.status == 401 and request.method in ("GET", "HEAD"):  # noqa: PLR2004 - RFC 9110
        # Quoted, because the reader pastes it and the path is whatever somebody linked to.
        asked = signed_request(request).target.partition("?")[0]
        document["hint"] = f"gateway lookup --signed {shlex.quote(asked)}"
    return document


def render_error(request: Request, error: GatewayError) -> Response:
    """Return the answer for an error of the tree."""
    headers = {"vary": "Accept, Accept-Language, Signature", "cache-control": "no-store"}
    retry_after = error.retry_after or (STORE_RETRY_SECONDS if isinstance(error, StoreError) else None)
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    if error.status == 401:  # noqa: PLR2004 - RFC 9110
        headers["www-authenticate"] = "Signature, Bearer"
        headers["accept-signature"] = CHALLENGE
    limit = dict(error.extra).get("limit")
    if isinstance(limit, dict):
        headers["ratelimit-policy"] = f'"{limit["name"]}";q={limit["quota"]};w={limit["window"]}'
        headers["ratelimit"] = f'"{limit["name"]}";r=0;t={limit["reset"]}'
    if error.reason == "insufficient-scope":
        headers["www-authenticate"] = 'Bearer error="insufficient_scope"'
    document = problem_document(request, error)
    if prefers_html(request) and request.method in ("GET", "HEAD"):
        page = render(request, "problem.html", {"problem": document, "status": error.status})
        return Response(page, error.status, headers, "text/html")
    return Response(orjson.dumps(document), error.status, headers, PROBLEM_JSON)


def on_gateway_error(request: Request, error: Exception) -> Response:
    """Answer an error of the tree."""
    known = error if isinstance(error, GatewayError) else GatewayError(repr(error))
    if known.status >= 500:  # noqa: PLR2004 - RFC 9110
        # What somebody else's server does wrong is no fault of this one.
        tell = log().warning if isinstance(known, RemoteUnreachable) else log().error
        tell(FAULT, where=request.scope["path"], problem=str(known), code=known.reason)
    return render_error(request, known)


def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    response = render_error(request, _BY_STATUS.get(status, GatewayError)(str(error)))
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    if status == 405 and (methods := _methods_at(request)):  # noqa: PLR2004 - RFC 9110
        response.headers["allow"] = ", ".join(methods)
    return response


def _methods_at(request: Request) -> list[str]:
    """Return every method that some route takes at this address: the framework names those of the first one only."""
    routes = [r for r in request.app.routes if isinstance(r, Route) and r.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in route.methods or ()})


def on_hang_up(request: Request, error: Exception) -> Response:
    """Answer nobody: whoever asked is gone before the request was whole."""
    del error
    return render_error(request, errors.BadInput("hung up"))


def on_crash(request: Request, error: Exception) -> Response:
    """Answer a defect: the log has the trace, the stranger has not."""
    log().error(FAULT, where=request.scope["path"], problem=repr(error), exc_info=error)
    return render_error(request, GatewayError("internal"))
