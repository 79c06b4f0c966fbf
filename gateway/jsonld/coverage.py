"""Which parts of a document mean something as JSON-LD, and which no RDF-canonical signature covers.

Every value is replaced by a mark of its own; the marked document is expanded and turned into RDF once. A
value whose mark is gone was dropped; one under a predicate ``_:...`` (the ActivityStreams context maps
undefined terms there) stands in the expanded form and in no signed quad. JCS covers every byte of the JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from gateway.jsonld import strict, views

if TYPE_CHECKING:
    from gateway.jsonld.contexts import Contexts

MARK = "urn:gateway:mark:"
_MARK = re.compile(rf"{MARK}(\d+):")
_KEYWORDS = frozenset({"id", "type"})
KEPT, BLANK, DROPPED, KEYWORD = "kept", "blank", "dropped", "keyword"


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What becomes of one value.

    ``meaning`` is the IRI of its term, None without one; ``state`` is ``kept``, ``blank`` (a term ``_:...``),
    ``dropped`` or ``keyword``; ``in_rdf`` tells whether an RDF-canonical signature covers the value. Below a
    blank term a value may be covered (its node has an id of its own) while nothing says whose it is.
    """

    pointer: str
    term: str
    meaning: str | None
    state: str
    in_rdf: bool

    def as_json(self) -> dict[str, object]:
        """Return the row as it is printed."""
        return {
            "pointer": self.pointer, "term": self.term, "meaning": self.meaning, "state": self.state,
            "inRdf": self.in_rdf,
        }  # fmt: skip


def coverage(document: Mapping[str, object], contexts: Contexts, *, base: str | None = None) -> tuple[Covered, ...]:
    """Return what becomes of each value of ``document``; raise MalformedDocument when it is no JSON-LD."""
    leaves = list(_leaves(document, ""))
    marked = _marked(document, {pointer: number for number, (pointer, _, _) in enumerate(leaves)}, "")
    expanded = views.expanded(marked, contexts, base=base)
    places = {number: (path, literal) for number, path, literal in _places(expanded, ())}
    quads = views.quads(marked, contexts, base=base)
    signed = {int(number) for number in _MARK.findall(quads)}
    rows = [
        _row(pointer, term, value, *places.get(number, (None, False)), is_signed=number in signed)
        for number, (pointer, term, value) in enumerate(leaves)
    ]
    whole = [rows[number].pointer for number, (_, is_literal) in places.items() if is_literal and number in signed]
    ids = {pointer: _absolute(base, value) for pointer, term, value in leaves if _is_keyword(term)}
    return tuple(_with_keywords(rows, ids, quads, frozenset(whole)))


def _absolute(base: str | None, value: object) -> str:
    try:
        return urljoin(base or "", str(value))
    except ValueError:
        return str(value)


def _with_keywords(
    rows: Sequence[Covered], ids: Mapping[str, str], quads: str, literals: frozenset[str]
) -> Iterator[Covered]:
    """Yield the rows, ids and types as far as their node is in the RDF at all: under a lost term nothing is.

    ``literals`` are the pointers inside JSON literals, which are there to the last letter, ids and types too.
    """
    nodes: dict[str, list[Covered]] = {}
    for row in rows:
        nodes.setdefault(_parent(row), []).append(row)
    for row in rows:
        if row.state != KEYWORD:
            yield row
            continue
        beside = nodes[_parent(row)]
        literal = next((other for other in beside if other.pointer in literals), None)
        if literal is not None:
            yield replace(literal, pointer=row.pointer, term=row.term)
            continue
        named = [f"<{ids[other.pointer]}>" in quads for other in beside if other.meaning == "@id"]
        others = [other.in_rdf for other in beside if other.state != KEYWORD]
        found = any(named) if named else any(others) or not _parent(row)
        # An id is also what links a node to the one above: under a term without meaning that link is lost.
        is_link = row.meaning == "@id" and _parent(row) != ""
        yield replace(row, in_rdf=found and (not is_link or f" <{ids[row.pointer]}> ." in quads))


def _parent(row: Covered) -> str:
    """Return the pointer of the node that an id or type belongs to; a list of types is one member."""
    steps = row.pointer.split("/")
    return "/".join(steps[: -2 if steps[-1].isdigit() else -1])


def _row(
    pointer: str, term: str, value: object, place: tuple[str, ...] | None, is_literal: bool, *, is_signed: bool  # noqa: FBT001 - comes with place
) -> Covered:  # fmt: skip
    # Nothing is nothing as RDF; inside a JSON literal it is there like everything else.
    if place is None or ((value is None or value == []) and not is_literal):
        kept = _is_keyword(term) and isinstance(value, str)
        meaning = f"@{term.lstrip('@')}" if kept else None
        return Covered(pointer=pointer, term=term, meaning=meaning, state=KEYWORD if kept else DROPPED, in_rdf=kept)
    state = BLANK if any(step.startswith("_:") for step in place) else KEPT
    names = [step for step in place if not step.startswith("@")]
    return Covered(
        pointer=pointer, term=term, meaning=names[-1] if names else None, state=state, in_rdf=is_signed,
    )  # fmt: skip


def _is_keyword(term: str) -> bool:
    return term.startswith("@") or term in _KEYWORDS


def _leaves(value: object, pointer: str, term: str = "") -> Iterator[tuple[str, str, object]]:
    """Yield (JSON pointer, term, value) of every scalar and empty list, contexts left out."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key != "@context":
                # A language map's keys are languages: the term is the map's.
                name = term if term.endswith("Map") else key
                yield from _leaves(item, f"{pointer}/{strict.escaped(key)}", name)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{pointer}/{index}", term)
    elif pointer:
        yield pointer, term, value


def _marked(value: object, numbers: Mapping[str, int], pointer: str, term: str = "") -> object:
    if isinstance(value, Mapping):
        return {
            key: item if key == "@context" else _marked(item, numbers, f"{pointer}/{strict.escaped(key)}", key)
            for key, item in value.items()
        }
    if isinstance(value, list) and value:
        return [_marked(item, numbers, f"{pointer}/{index}", term) for index, item in enumerate(value)]
    if _is_keyword(term) and value is not None:
        return value
    return f"{MARK}{numbers[pointer]}:"


def _places(value: Any, path: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, ...], bool]]:
    """Yield (mark, predicates on the way, whether inside a JSON literal) of every mark in an expanded document."""
    if isinstance(value, dict):
        if value.get("@type") == "@json" or isinstance(value.get("@value"), dict | list):
            yield from ((int(number), path, True) for number in _MARK.findall(json.dumps(value.get("@value"))))
            return
        for key, item in value.items():
            yield from _places(item, path if key in ("@value", "@list", "@set", "@id") else (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from _places(item, path)
    elif isinstance(value, str):
        yield from ((int(number), path, False) for number in _MARK.findall(value))
