"""The words we add, for software and for people: context, schemas, the FEP draft, and the API's own description."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import orjson
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.responses import PlainTextResponse, Response

from gateway.activitypub.negotiation import wants_html
from gateway.errors import NotFound
from gateway.web import openapi
from gateway.web.context import kit_of
from gateway.web.pages import page

if TYPE_CHECKING:
    from starlette.requests import Request

HOUR = {"cache-control": "max-age=3600", "access-control-allow-origin": "*"}
SCHEMAS = ("ai-usage.json", "output.json", "problem.json", "settings.json")
DRAFT = "fep-1e38.md"


async def usage(request: Request) -> Response:
    """Answer with the JSON-LD context, or with its documentation for people (``/ns/ai-usage``)."""
    headers = {**HOUR, "vary": "Accept, Accept-Language"}
    if wants_html(request.headers.get("accept", "")):
        values: dict[str, object] = {"draft": _as_html(kit_of(request).schemas[DRAFT].decode("utf-8"))}
        return page(request, "ai_usage.html", values)
    return Response(kit_of(request).schemas["ai-usage.jsonld"], 200, headers, "application/ld+json")


@lru_cache(maxsize=1)
def _as_html(text: str) -> Markup:
    """Return the draft for people, without its front matter and title; each heading can be linked to."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text.split("---\n", 2)[2].partition("\n## ")[2].join(("## ", "")))
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", re.sub(r"[^a-z0-9]+", "-", inline.content.lower()).strip("-"))
        elif inline.type == "fence":
            inline.attrSet("tabindex", "0")
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704 - a file of ours, HTML off


async def draft(request: Request) -> Response:
    """Answer with the FEP draft as it is kept."""
    return PlainTextResponse(kit_of(request).schemas[DRAFT], headers=HOUR, media_type="text/markdown")


async def schema(request: Request) -> Response:
    """Answer with one of the JSON Schemas."""
    name = request.path_params["file"]
    if name not in SCHEMAS:
        raise NotFound(name[:100])
    return Response(kit_of(request).schemas[name], 200, HOUR, "application/schema+json")


async def api(request: Request) -> Response:
    """Describe this API (OpenAPI 3.1)."""
    document = openapi.document(request.app.routes, kit_of(request).base)
    return Response(orjson.dumps(document), 200, HOUR, "application/json")
