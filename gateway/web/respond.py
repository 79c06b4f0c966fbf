"""Answers with ActivityStreams documents: context, labels and headers in one place, for every type."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from gateway.activitypub.labels import label, with_context
from gateway.activitypub.negotiation import wants_profiled
from gateway.activitypub.properties import ACTIVITY_JSON, PROFILED
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.errors import MalformedDocument
from gateway.flows.vouch import vouched
from gateway.web.context import kit_of, state_preferences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from gateway.preferences import Statement

VARY = "Accept, Signature"


def document_response(
    request: Request, document: Mapping[str, object], statements: Sequence[Statement], *, status: int = 200,
    actor: bool = False,
) -> Response:  # fmt: skip
    """Return one labelled document; nothing that needed a signature may be shared by a cache."""
    state_preferences(request, combined_at_home(statements))
    whole = with_context(label(document, statements), actor=actor)
    try:
        proven = vouched(kit_of(request), whole)
    except MalformedDocument:
        proven = whole  # somebody else's number in it has no canonical form
    body = orjson.dumps(proven)
    return bytes_response(request, body, _media_type(request), status=status)


def _media_type(request: Request) -> str:
    return PROFILED if wants_profiled(request.headers.get("accept", "")) else ACTIVITY_JSON


def bytes_response(request: Request, body: bytes, media_type: str, *, status: int = 200) -> Response:
    """Return bytes with a strong ETag, or 304 when the client has them."""
    headers = {"vary": VARY, "cache-control": "private, no-cache"}
    if status == 200:  # noqa: PLR2004 - RFC 9110
        return with_etag(request, body, media_type, headers)
    return Response(body, status, headers, media_type)


def with_etag(request: Request, body: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """Return ``body`` with a strong ETag; 304 without content when If-None-Match names it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {**headers, "etag": tag}
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    if tag in known or known == ["*"]:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)
