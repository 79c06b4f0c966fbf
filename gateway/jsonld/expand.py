"""Bounded JSON-LD expansion with pinned contexts (JSON-LD 1.1 API, through pyld)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyld import jsonld

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.jsonld.contexts import Contexts

MAX_NODES = 3_000  # values in a document; expansion costs about a microsecond each, contexts more
MAX_CONTEXT_ENTRIES = 300
GRAPH_KEYS = frozenset({"@graph", "@included", "@reverse"})


def expand(document: Mapping[str, object], contexts: Contexts) -> list[dict[str, Any]] | None:
    """Return the expanded form, or None when it needs an unknown context, is too large, or is no JSON-LD."""
    if not _affordable(document):
        return None
    try:
        expanded: list[dict[str, Any]] = jsonld.expand(
            dict(document), {"documentLoader": contexts, "processingMode": "json-ld-1.1"}
        )
    except (jsonld.JsonLdError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return expanded


def _affordable(document: object) -> bool:
    count = 0
    waiting: list[tuple[object, bool]] = [(document, False)]
    entries = 0
    while waiting:
        value, in_context = waiting.pop()
        count += 1
        entries += in_context
        if count > MAX_NODES or entries > MAX_CONTEXT_ENTRIES:
            return False
        if isinstance(value, dict):
            waiting += [(item, in_context or key == "@context") for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(item, in_context) for item in value]
    return True


def restructures(document: object) -> bool:
    """Tell whether a keyword anywhere moves statements between subjects (``@graph`` and its kin)."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if GRAPH_KEYS & value.keys():
                return True
            for key, item in value.items():
                if key == "@context":
                    if _aliases_graph(item):
                        return True
                else:
                    waiting.append(item)
        elif isinstance(value, list):
            waiting += value
    return False


def _aliases_graph(context: object) -> bool:
    waiting = [context]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and value in GRAPH_KEYS:
            return True
        if isinstance(value, dict):
            if "@reverse" in value or "@included" in value:
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False
