"""A document in every form a developer may want: as it came, JCS, and what JSON-LD makes of it, with its contexts.

Bundled contexts come first; a context that nobody here knows is taken as empty, and said so. It is fetched
only when the developer asks, and what that changes is told.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.activitypub.labels import context_for
from gateway.errors import BadUrl, GatewayError, MalformedDocument
from gateway.flows import bounded
from gateway.flows.fetch import elsewhere
from gateway.jsonld import strict
from gateway.jsonld.requested import VIEWS, context_urls
from gateway.net.purpose import CONTEXT
from gateway.signatures.proof import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.flows.kit import Kit

ACCEPT = "application/ld+json, application/json;q=0.9"
MAX_FETCHED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """View -> ``{"value"}`` or ``{"problem"}``, and the contexts: bundled, unknown, fetched, failed (URL -> why)."""

    views: Mapping[str, dict[str, Any]]
    bundled: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    fetched: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[dict[str, Any], ...] = ()

    def value(self, view: str) -> Any:
        """Return a view; raise MalformedDocument with the reason when there is none."""
        found = self.views[view]
        if "problem" in found:
            raise MalformedDocument(f"{view}: {found['problem']}")
        return found["value"]


async def forms(
    kit: Kit, document: Mapping[str, object], *, url: str | None = None, views: Sequence[str] = VIEWS,
    fetch_contexts: bool = False,
) -> Forms:  # fmt: skip
    """Return the JSON-LD views of a document."""
    named = context_urls(document)
    known = {name: kit.contexts.documents[name] for name in named if kit.contexts.knows(name)}
    strange = [name for name in named if name not in known]
    request: dict[str, Any] = {"document": document, "into": context_for(), "views": list(views), "base": url}
    ours = {name: kit.contexts.documents[name] for name in context_urls({"@context": request["into"]})}
    first = await bounded.look({**request, "contexts": {**ours, **known}, "unknown": strange})
    if not (fetch_contexts and strange):
        return Forms(views=first, bundled=tuple(known), unknown=tuple(strange))
    got, failed = await _fetched(kit, strange)
    more = {name: kit.contexts.documents[name] for name in context_urls(list(_inner(got))) if kit.contexts.knows(name)}
    second = await bounded.look({**request, "contexts": {**ours, **known, **more, **got}, "unknown": list(failed)})
    return Forms(
        views=second, bundled=tuple(known), unknown=tuple(strange), fetched=tuple(got), failed=failed,
        changed=tuple(_changed(first.get("coverage", {}), second.get("coverage", {}))),
    )  # fmt: skip


def _inner(contexts: Mapping[str, Any]) -> list[object]:
    return [{"@context": document.get("@context")} for document in contexts.values()]


async def _fetched(kit: Kit, urls: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the contexts found at ``urls`` and behind them, and why the others were not."""
    got: dict[str, Any] = {}
    failed: dict[str, str] = {}
    waiting = list(urls)
    while waiting:
        url = waiting.pop(0)
        if len(got) + len(failed) >= MAX_FETCHED:
            failed[url] = f"not tried: {MAX_FETCHED} contexts are enough"
            continue
        try:
            got[url] = await _context_at(kit, url)
        except (GatewayError, BadUrl) as error:
            failed[url] = str(error)[:300]
            continue
        waiting += [
            name
            for name in context_urls({"@context": got[url].get("@context")})
            if name not in {*got, *failed, *waiting} and not kit.contexts.knows(name)
        ]
    return got, failed


async def _context_at(kit: Kit, url: str) -> dict[str, object]:
    answer = await kit.client.get(url, accept=ACCEPT, purpose=CONTEXT, hop=functools.partial(elsewhere, kit, None))
    media = (answer.header("content-type") or "none").partition(";")[0].strip().lower()
    if not answer.ok:
        raise MalformedDocument(f"status {answer.status} at {answer.url}")
    if media not in ("application/json", "application/ld+json") and not media.endswith("+json"):
        raise MalformedDocument(f"content type {media} at {answer.url}")
    document = strict.read_object(answer.body)
    if "@context" not in document:
        raise MalformedDocument(f"{answer.url} holds no @context")
    return document


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each value whose meaning is another one once the unknown contexts are known."""
    was = {row["pointer"]: row for row in before.get("value", [])}
    rows = ((was.get(row["pointer"], {}), row) for row in after.get("value", []))
    return [
        {"pointer": row["pointer"], "term": row["term"], "before": old.get("meaning"), "after": row["meaning"]}
        for old, row in rows
        if (old.get("meaning"), old.get("state")) != (row["meaning"], row["state"])
    ]


def jcs(document: object) -> bytes:
    """Return the JCS form; raise MalformedDocument for a document that has none."""
    try:
        return canonical_json(document)
    except ValueError as error:
        raise MalformedDocument(f"JCS: {error}") from error
