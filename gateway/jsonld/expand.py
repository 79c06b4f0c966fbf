"""Bounded JSON-LD expansion with pinned contexts (JSON-LD 1.1 API, through pyld)."""

from __future__ import annotations

import re
import warnings
from enum import Enum
from typing import TYPE_CHECKING, Any

from pyld import jsonld

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.jsonld.contexts import Contexts

MAX_NODES = 1_000  # values in what is expanded; each costs about twenty microseconds, contexts more
MAX_CONTEXT_ENTRIES = 300
MAX_BASE = 2_048
MAX_SCOPED = 32  # nodes of types that bring a context of their own
MAX_CONTEXT_URLS = 8  # the bundled contexts that pyld can hold ready at once; one more, and each takes a millisecond
GRAPH_KEYS = frozenset({"@graph", "@included", "@reverse"})
_KEYWORD = re.compile(r"@[a-zA-Z]+$")


class _Place(Enum):
    """Where a value stands in a document."""

    NODE = "node"
    CONTEXT = "context"
    DEFINITION = "definition"


def expand(document: Mapping[str, object], contexts: Contexts) -> list[dict[str, Any]] | None:
    """Return the expanded form, or None when it needs an unknown context, is too large, or is no JSON-LD."""
    if not _expandable(document) or _brings_contexts(document, contexts) > MAX_SCOPED:
        return None
    try:
        with warnings.catch_warnings():
            # pyld warns about odd terms of strangers; that is neither our defect nor news.
            warnings.simplefilter("ignore", SyntaxWarning)
            expanded: list[dict[str, Any]] = jsonld.expand(
                dict(document), {"documentLoader": contexts, "processingMode": "json-ld-1.1"}
            )
    except (jsonld.JsonLdError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return expanded


def _expandable(document: object) -> bool:
    """Tell whether ``document`` is within bounds and its contexts are fit for pyld."""
    count = entries = urls = 0
    waiting: list[tuple[object, _Place]] = [(document, _Place.NODE)]
    while waiting:
        value, place = waiting.pop()
        count += 1
        entries += place is not _Place.NODE
        urls += place is _Place.CONTEXT and isinstance(value, str)
        if count > MAX_NODES or entries > MAX_CONTEXT_ENTRIES or urls > MAX_CONTEXT_URLS:
            return False
        if place is not _Place.NODE and _is_reserved(value):
            return False
        if isinstance(value, dict):
            if place is not _Place.NODE and _is_unfit(value, place):
                return False
            waiting += [(item, _place(key, place)) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(item, place) for item in value]
    return True


def _brings_contexts(document: object, contexts: Contexts) -> int:
    """Return how many types and members of a document make pyld process a pinned context again."""
    count = 0
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            count += len(contexts.scoped & value.keys())
            waiting += [item for key, item in value.items() if key != "@context"]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            count += value in contexts.scoped  # under whatever name: a context may give @type another one
    return count


def _place(key: str, parent: _Place) -> _Place:
    if key == "@context":
        return _Place.CONTEXT
    return _Place.DEFINITION if parent is _Place.CONTEXT else parent


def _is_unfit(value: dict[str, object], place: _Place) -> bool:
    # pyld carries @import out on the imported document itself: one stranger's context would change the
    # pinned one for everybody after it.
    # A context inside a definition is applied again at every use of the term.
    base = value.get("@base")
    if isinstance(base, str) and len(base) > MAX_BASE:
        return True
    if "@import" in value or (place is _Place.DEFINITION and "@context" in value):
        return True
    if place is _Place.CONTEXT:
        return any(map(_is_reserved, value))
    reverse = value.get("@reverse")
    return isinstance(reverse, str) and _KEYWORD.match(reverse) is not None


def _is_reserved(word: object) -> bool:
    # pyld writes a warning about each of them to stderr, and what they mean is not decided yet.
    return isinstance(word, str) and _KEYWORD.match(word) is not None and word not in jsonld.KEYWORDS


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
