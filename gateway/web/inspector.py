"""The inspector's JSON for people who are signed in: a URL to fetch, or a document to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from gateway.clock import parse_rfc3339
from gateway.errors import BadInput, TooManyRequests
from gateway.flows import specimen
from gateway.flows.inspect import Wish, inspect
from gateway.flows.offline import Keys
from gateway.flows.replay import replay
from gateway.jsonld.strict import MAX_BODY
from gateway.preferences import Category
from gateway.signatures import capture
from gateway.web.access import signed_in
from gateway.web.context import kit_of, read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.store.accounts import Account

TRUE = frozenset({"1", "true", "yes"})
AT_ONCE = 4  # each look costs a process
_busy = 0


async def inspect_json(request: Request) -> Response:
    """Inspect the document at ``?url=`` (GET), or the one sent (POST); captured requests with ``?as=capture``."""
    global _busy  # noqa: PLW0603 - a count of what this process does just now
    account, posted = signed_in(request), b""
    if request.method == "POST":
        posted = await read_body(request, MAX_BODY)
    if request.query_params.get("as") == "capture":
        return _json(_replayed(request, posted))
    if _busy >= AT_ONCE:
        raise TooManyRequests("looks at once", retry_after=2)
    _busy += 1
    try:
        return _json(await _inspected(request, account, posted))
    finally:
        _busy -= 1


def _json(report: object) -> Response:
    return Response(orjson.dumps(report), 200, {"cache-control": "private, no-store"}, "application/json")


def _replayed(request: Request, posted: bytes) -> dict[str, Any]:
    """Judge captured requests as ``gateway verify`` does: raw HTTP, HAR or JSON, at ``?at=`` or their own time."""
    kit, at = kit_of(request), request.query_params.get("at")
    when = parse_rfc3339(at)
    if at is not None and when is None:
        raise BadInput(f"at: {at[:40]!r} is no RFC 3339 time")
    rows = [replay(kit, one, Keys(kit), when).as_json() for one in capture.read(posted)]
    return rows[0] if len(rows) == 1 else {"requests": rows, "ok": all(row["ok"] for row in rows)}


async def _inspected(request: Request, account: Account, posted: bytes) -> dict[str, Any]:
    kit = kit_of(request)
    asked = request.query_params
    use = asked.get("use")
    if use is not None and use not in list(Category):
        raise BadInput(f"use: one of {', '.join(Category)}")
    wish = Wish(
        use=Category(use) if use is not None else None, consumer=asked.get("consumer"),
        fetch_contexts=asked.get("contexts") == "fetch", fetch_keys=asked.get("keys") == "fetch",
    )  # fmt: skip
    if request.method == "POST":
        found = specimen.Specimen(body=posted)
    else:
        url = asked.get("url", "")
        if not url:
            raise BadInput("no url")
        scheme = asked.get("scheme") or ("cavage" if asked.get("signed") in TRUE else None)
        found = await specimen.fetched(kit, url, scheme=scheme, as_actor=account.id, asker=account.id)
    return await inspect(kit, found, wish)
