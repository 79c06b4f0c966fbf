"""The values that one node has under some IRIs as JSON-LD, without expanding anything else.

A node in which every value is replaced by a mark shows under which IRI each member stands. Only the members that
are looked for are then expanded with their values, so that neither the children of a node nor what else is on it
costs anything, however much there is. JSON-LD 1.1 API, 5.1 (expansion).
"""

from __future__ import annotations

import json
import re
import secrets
from typing import TYPE_CHECKING, Any

from gateway.errors import MalformedDocument
from gateway.jsonld.expand import expand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from gateway.jsonld.contexts import Contexts

MAX_MEMBERS = 250  # of one node; the public corpora have 70 at most
MAX_READ = 200  # values under the members that are looked for, JSON literals apart
NO_NODE = frozenset({"@set", "@list", "@value"})  # what has one of them is no node
# With a number that nobody can guess: a context may put text of its own into values.
_MARK = "urn:gateway:member:"
_MARKED = re.compile("gateway:member:([0-9a-f]{16}):")  # a prefix may stand for the rest


def members(
    node: Mapping[str, object], iris: Collection[str], contexts: Contexts
) -> dict[str, list[dict[str, Any]]] | None:
    """Return IRI -> expanded values, for each of ``iris`` that ``node`` has; contexts stand in its ``@context``.

    None when that cannot be known: an unknown context, no JSON-LD. Raises MalformedDocument when there is more than
    anybody needs: what is read in part is read wrong.
    """
    names = [name for name in node if name != "@context"]
    if not NO_NODE.isdisjoint(names):
        return None
    if len(names) > MAX_MEMBERS:
        raise MalformedDocument(f"{len(names)} members on one node, with contexts that nobody knows")
    context = node.get("@context")
    if _nests(node):  # members of a member are the node's own then
        return _under(iris, expand(node, contexts))
    marks = {secrets.token_hex(8): name for name in names}
    sketch = {name: _sketched(name, node[name], f"{_MARK}{mark}:") for mark, name in marks.items()}
    found = _under(iris, expand({**sketch, "@context": context}, contexts))
    if found is None or not found:
        return found
    literal: dict[str, list[dict[str, Any]]] = {}
    read: dict[str, object] = {}
    for iri, values in found.items():
        for value in values:
            marked = [marks[mark] for mark in _MARKED.findall(json.dumps(value)) if mark in marks]
            if value.get("@type") == "@json":
                literal.setdefault(iri, []).extend(_json_literal(node[name]) for name in marked)
            else:
                read.update({name: node[name] for name in marked})
    if sum(1 for _ in _walk(read)) > MAX_READ:
        raise MalformedDocument(f"more than {MAX_READ} values in words about use")
    expanded = _under(iris, expand({**read, "@context": context}, contexts)) if read else {}
    if expanded is None:
        return None
    both = {iri: literal.get(iri, []) + expanded.get(iri, []) for iri in found}
    return {iri: values for iri, values in both.items() if values}


def _sketched(name: str, value: object, mark: str) -> object:
    """Return a mark for a value; a keyword keeps a value that is text, because not every text is one it may have."""
    return value if name.startswith("@") and isinstance(value, str) else mark


def _json_literal(value: object) -> dict[str, Any]:
    return {"@type": "@json", "@value": value}


def _under(iris: Collection[str], expanded: list[dict[str, Any]] | None) -> dict[str, list[dict[str, Any]]] | None:
    if expanded is None:
        return None
    node = next(iter(expanded), {})
    return {iri: node[iri] for iri in iris if node.get(iri)}


def _nests(node: Mapping[str, object]) -> bool:
    """Tell whether members of a member may be the node's own: ``@nest``, as a key or by another name."""
    if "@nest" in node:
        return True
    return any(value == "@nest" for value in _walk(node.get("@context")))


def _walk(value: object) -> Iterator[object]:
    """Yield every value in ``value``, itself included, and the names of members."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, dict):
            yield from one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
