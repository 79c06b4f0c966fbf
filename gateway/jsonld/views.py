"""The forms in which a developer looks at a document: expanded, compacted, as RDF, canonical (JSON-LD 1.1 API).

Nothing here decides anything, so nothing here is bounded: callers run it where it can be stopped (see
``flows.bounded``). Contexts come in as values; an unknown one is an error.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from pyld import jsonld

from gateway.errors import MalformedDocument

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.jsonld.contexts import Contexts

Result = TypeVar("Result")
N_QUADS = "application/n-quads"
# pyld writes IRIs and language tags as they come; what is none of either must not pass for RDF.
_IRI = r'<[^\x00-\x20<>"{}|^`\\]*>'
_NODE = rf"(?:{_IRI}|_:[^\s<>\"]+)"
_LITERAL = rf'"(?:[^"\\\n\r]|\\.)*"(?:\^\^{_IRI}|@[A-Za-z]+(?:-[A-Za-z0-9]+)*)?'
_QUAD = re.compile(rf"{_NODE} {_IRI} (?:{_NODE}|{_LITERAL})(?: {_NODE})? \.")
# Whatever a stranger's document makes pyld stumble over is that document's fault.
_STUMBLES = (jsonld.JsonLdError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)


def expanded(
    document: object, contexts: Contexts, *, base: str | None = None, expand_context: object = None
) -> list[Any]:
    """Return the expanded form; raise MalformedDocument for JSON-LD errors and unknown contexts."""
    options = _options(contexts, base)
    if expand_context is not None:
        options["expandContext"] = expand_context
    return _run(lambda: list(jsonld.expand(document, options)))


def compacted(document: object, context: object, contexts: Contexts, *, base: str | None = None) -> dict[str, Any]:
    """Return the form that ``context`` gives; raise MalformedDocument for JSON-LD errors and unknown contexts."""
    return _run(lambda: dict(jsonld.compact(document, context, _options(contexts, base))))


def quads(document: object, contexts: Contexts, *, base: str | None = None) -> str:
    """Return the document as N-Quads, not in canonical form; raise MalformedDocument as ``expanded`` does."""
    return _checked(_run(lambda: str(jsonld.to_rdf(document, {**_options(contexts, base), "format": N_QUADS}))))


def canonical(document: object, contexts: Contexts, *, base: str | None = None) -> str:
    """Return the document as canonical N-Quads (RDFC-1.0, once URDNA2015).

    Takes time that grows without reason for documents made to that end.
    """
    options = {**_options(contexts, base), "algorithm": "URDNA2015", "format": N_QUADS}
    return _checked(_run(lambda: str(jsonld.normalize(document, options))))


def _options(contexts: Contexts, base: str | None) -> dict[str, Any]:
    # Without a base pyld would make one up.
    return {"documentLoader": contexts, "processingMode": "json-ld-1.1", "base": base or ""}


def _run(work: Callable[[], Result]) -> Result:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd terms of strangers are neither our defect nor news
            return work()
    except _STUMBLES as error:
        raise MalformedDocument(_told(error)) from error


def _told(error: Exception) -> str:
    """Return the innermost reason that JSON-LD processing names, with its code."""
    innermost: BaseException = error
    while innermost.__cause__ is not None:
        innermost = innermost.__cause__
    code = getattr(innermost, "code", None) or type(innermost).__name__
    words = str(innermost.args[0]) if innermost.args else ""
    return f"JSON-LD: {code}: {words}"[:300]


def _checked(text: str) -> str:
    for line in text.split("\n"):
        if line and not _QUAD.fullmatch(line):
            raise MalformedDocument(f"JSON-LD: not RDF: {line[:200]}")
    return text
