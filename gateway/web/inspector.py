"""The inspector's JSON for people who are signed in: a URL to fetch, or a document to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from gateway.errors import BadInput, TooManyRequests
from gateway.flows import specimen
from gateway.flows.inspect import Wish, inspect
from gateway.jsonld.strict import MAX_BODY
from gateway.preferences import Category
from gateway.web.access import signed_in
from gateway.web.context import kit_of, read_body

if TYPE_CHECKING:
    from starlette.requests import Request

TRUE = frozenset({"1", "true", "yes"})
AT_ONCE = 4  # each look costs a process
_busy = 0


async def inspect_json(request: Request) -> Response:
    """Inspect the document at ``?url=`` (GET), or the one sent (POST); ``/inspect.json``."""
    global _busy  # noqa: PLW0603 - a count of what this process does just now
    if _busy >= AT_ONCE:
        raise TooManyRequests("looks at once", retry_after=2)
    _busy += 1
    try:
        return await _inspected(request)
    finally:
        _busy -= 1


async def _inspected(request: Request) -> Response:
    kit, account = kit_of(request), signed_in(request)
    asked = request.query_params
    use = asked.get("use")
    if use is not None and use not in list(Category):
        raise BadInput(f"use: one of {', '.join(Category)}")
    wish = Wish(
        use=Category(use) if use is not None else None, consumer=asked.get("consumer"),
        fetch_contexts=asked.get("contexts") == "fetch", fetch_keys=asked.get("keys") == "fetch",
    )  # fmt: skip
    if request.method == "POST":
        found = specimen.Specimen(body=await read_body(request, MAX_BODY))
    else:
        url = asked.get("url", "")
        if not url:
            raise BadInput("no url")
        scheme = asked.get("scheme") or ("cavage" if asked.get("signed") in TRUE else None)
        found = await specimen.fetched(kit, url, scheme=scheme, as_actor=account.id, asker=account.id)
    report = await inspect(kit, found, wish)
    return Response(orjson.dumps(report), 200, {"cache-control": "private, no-store"}, "application/json")
