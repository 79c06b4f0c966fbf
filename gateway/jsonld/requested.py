"""One request to look at a document, and what came of it: what runs where it can be stopped (``flows.bounded``).

Values in, values out, as JSON: each view is answered on its own, so that what is quick is there when
what is not has to be stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.errors import MalformedDocument
from gateway.jsonld import views
from gateway.jsonld.contexts import Contexts
from gateway.jsonld.coverage import coverage

VIEWS = ("expanded", "compact", "coverage", "nquads")


def answers(request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one answer a view: ``{"view", "value"}`` or ``{"view", "problem"}``.

    ``request``: ``document``, ``contexts`` (URL -> context document), ``unknown`` (URLs to be taken as empty),
    ``into`` (the context to compact with) and ``views`` (some of ``VIEWS``).
    """
    empty: dict[str, Any] = {url: {"@context": {}} for url in request.get("unknown", ())}
    contexts = Contexts({**request["contexts"], **empty})
    document, base = request["document"], request.get("base")
    work: dict[str, Callable[[], object]] = {
        "expanded": lambda: views.expanded(document, contexts, base=base),
        # Compacted against its base, a document would name itself by a relative reference.
        "compact": lambda: views.compacted(
            views.expanded(document, contexts, base=base), request.get("into", {}), contexts
        ),
        "coverage": lambda: [row.as_json() for row in coverage(document, contexts, base=base)],
        "nquads": lambda: views.canonical(document, contexts, base=base),
    }
    for view in request["views"]:
        try:
            yield {"view": view, "value": work[view]()}
        except MalformedDocument as error:
            yield {"view": view, "problem": str(error)}


def context_urls(document: object) -> list[str]:
    """Return every context that a document names by URL, once, in order, also in contexts inside it."""
    found: dict[str, None] = {}
    waiting: list[tuple[object, bool]] = [(document, False)]
    while waiting:
        value, in_context = waiting.pop(0)
        if isinstance(value, str) and in_context:
            found[value] = None
        elif isinstance(value, list):
            waiting += [(item, in_context) for item in value]
        elif isinstance(value, Mapping):
            for key, item in value.items():
                if key in ("@context", "@import"):
                    waiting.append((item, True))
                elif not in_context or isinstance(item, Mapping):
                    waiting.append((item, False))
    return list(found)
