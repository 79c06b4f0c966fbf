"""Preference terms on the nodes of a document, read twice: as plain JSON and as JSON-LD.

Known contexts take the fast path: there the plain reading is the JSON-LD reading. Everything else is
expanded with pinned contexts, and both readings are handed on: where they differ, the stricter
counts (see ``activitypub.labels``). Keys are also known by prefix and by full IRI, because an
intermediary may compact with a context of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gateway.errors import MalformedDocument
from gateway.jsonld.expand import restructures
from gateway.jsonld.members import NO_NODE, members

if TYPE_CHECKING:
    from gateway.jsonld.contexts import Contexts

MAX_VALUES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoReadings:
    """The values of the wanted terms on one node; ``expanded`` is None where no expansion was possible.

    ``loose`` are texts under them in a form that the terms are not defined to have (lists, languages, datatypes): they
    are no values, and yet a no among them is one.
    """

    plain: Mapping[str, object]
    expanded: Mapping[str, object] | None
    is_plain: bool
    loose: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vocabulary:
    """The terms we look for: name -> IRI, and the inline context that defines them.

    ``keys`` are those under which each may stand (name, full IRI, usual prefixed form), ``every_key`` all of them;
    ``reserved`` are the names that no other context may define; ``literal`` terms hold text or booleans, so that an
    object there is a value object.
    """

    iris: Mapping[str, str]
    context: Mapping[str, Any]
    keys: Mapping[str, tuple[str, ...]] = field(init=False)
    every_key: frozenset[str] = field(init=False)
    reserved: frozenset[str] = field(init=False)
    literal: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find out once what every document is asked for."""
        keys = {term: self._keys_of(term) for term in self.iris}
        every_key = frozenset(key for names in keys.values() for key in names)
        literal = tuple(term for term in self.iris if isinstance(self.context.get(term), str))
        known = {"keys": keys, "every_key": every_key, "reserved": every_key | self.context.keys(), "literal": literal}
        for name, value in known.items():
            object.__setattr__(self, name, value)

    def _keys_of(self, term: str) -> tuple[str, ...]:
        iri = self.iris[term]
        prefixed = [
            f"{prefix}:{iri.removeprefix(base)}"
            for prefix, base in self.context.items()
            if isinstance(base, str) and base.endswith("#") and iri.startswith(base)
        ]
        return (term, iri, *prefixed)


def read_node(
    document: Mapping[str, object], path: Sequence[str | int], words: Vocabulary, contexts: Contexts
) -> TwoReadings:
    """Read the terms on the node at ``path`` (keys and indices from the root; empty: the root itself)."""
    node = _at(document, path)
    plain = _plain(node, words) if isinstance(node, Mapping) else {}
    # A node is expanded on its own under the contexts above it, so that another subject's labels stay its own.
    alone = _with_contexts(document, path)
    is_plain = alone is not None and _is_harmless(alone, words, contexts) and plain.keys() <= _defined(document, words)
    if is_plain and not any(_is_node(plain.get(term)) for term in words.literal):
        return TwoReadings(plain=plain, expanded=plain, is_plain=True)
    # @graph puts another subject's node where this one stood.
    found = None if alone is None or restructures(alone) else members(alone, words.iris.values(), contexts)
    expanded = None if found is None else _literals(found, words)
    return TwoReadings(plain=plain, expanded=expanded, is_plain=False, loose=_loose(plain, found or {}, words))


def _loose(plain: Mapping[str, object], found: Mapping[str, list[Any]], words: Vocabulary) -> dict[str, list[str]]:
    """Return the texts inside of objects under a term that holds text: in the document, and in its expanded form."""
    texts: dict[str, list[str]] = {}
    for term in words.literal:
        inside = [*_objects(plain.get(term)), *_objects(found.get(words.iris[term]))]
        said = list(dict.fromkeys(text for one in inside for text in _texts(one)))
        if len(said) > MAX_VALUES:
            raise MalformedDocument(f"more than {MAX_VALUES} texts inside of {term}")
        if said:
            texts[term] = said
    return texts


def _objects(value: object) -> list[Mapping[str, object]]:
    if isinstance(value, list):
        return [one for item in value for one in _objects(item)]
    return [value] if isinstance(value, Mapping) else []


def _texts(value: object) -> list[str]:
    """Return the texts of a value object, a list or a set; what a node says is about the node."""
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, Mapping):
        return [text for name in ("@value", "@list", "@set") if name in value for text in _texts(value[name])]
    return [value] if isinstance(value, str) else []


def _at(document: object, path: Sequence[str | int]) -> object:
    for step in path:
        if isinstance(document, Mapping) and isinstance(step, str):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def _with_contexts(document: Mapping[str, object], path: Sequence[str | int]) -> dict[str, object] | None:
    inherited: list[object] = []
    current: object = document
    for index in range(len(path) + 1):
        if isinstance(current, Mapping) and "@context" in current:
            own = current["@context"]
            # What does not propagate holds for its own node alone; in a list the word has no effect.
            if index == len(path) or not (isinstance(own, Mapping) and own.get("@propagate") is False):
                inherited += own if isinstance(own, list) else [own]
        if index < len(path):
            current = _at(current, path[index : index + 1])
    if not isinstance(current, Mapping):
        return None
    return {**{key: value for key, value in current.items() if key != "@context"}, "@context": inherited}


def _plain(node: Mapping[str, object], words: Vocabulary) -> dict[str, object]:
    found: dict[str, object] = {}
    if words.every_key.isdisjoint(node):
        return found
    for term, names in words.keys.items():
        values = [node[name] for name in names if name in node]
        if values:
            found[term] = values[0] if len(values) == 1 else values
    return found


def _literals(node: Mapping[str, list[Any]], words: Vocabulary) -> dict[str, object]:
    found: dict[str, object] = {}
    for term, iri in words.iris.items():
        if len(node.get(iri, [])) > MAX_VALUES:
            raise MalformedDocument(f"more than {MAX_VALUES} values of {term}")
        values = [item["@value"] for item in node.get(iri, []) if isinstance(item, dict) and _is_literal(item)]
        if values:
            found[term] = values[0] if len(values) == 1 else values
    return found


def _is_literal(item: Mapping[str, object]) -> bool:
    # A language tag or a foreign datatype is not what the term is defined to hold.
    return "@value" in item and item.get("@type") in (None, "@json") and "@language" not in item


def _is_node(value: object) -> bool:
    return any(map(_is_node, value)) if isinstance(value, list) else isinstance(value, Mapping)


def _is_harmless(node: Mapping[str, Any], words: Vocabulary, contexts: Contexts) -> bool:
    """Tell whether nothing on a node, which has the contexts above it in a list, gives our terms another meaning.

    What stands below it, contexts too, is about other nodes: only ``@nest`` makes members of a member its own.
    """
    if "@nest" in node or not NO_NODE.isdisjoint(node):
        return False
    return all(_harmless_context(context, words, contexts) for context in node["@context"])


def _harmless_context(context: object, words: Vocabulary, contexts: Contexts) -> bool:
    """Tell whether ``context`` can neither rename one of our terms nor give it a second name."""
    if isinstance(context, str):
        return contexts.knows(context) and _is_harmless_known(context, words, contexts)
    if not isinstance(context, Mapping):
        return False
    return all(
        definition == words.context.get(key) if key in words.reserved else not _reaches(key, definition, words)
        for key, definition in context.items()
    )


@functools.lru_cache(maxsize=64)
def _is_harmless_known(context: str, words: Vocabulary, contexts: Contexts) -> bool:
    return all(
        words.context.get(prefix) == base or not any(iri.startswith(base) for iri in words.iris.values())
        for prefix, base in contexts.prefixes[context]
    )


def _reaches(key: str, definition: object, words: Vocabulary) -> bool:
    """Tell whether a foreign term could stand for one of ours, or changes the rules for what is below it."""
    if key.startswith("@"):
        return True
    identifier = definition
    if isinstance(definition, Mapping):
        if definition.keys() & {"@context", "@import", "@propagate", "@nest", "@reverse"}:
            return True
        identifier = definition.get("@id", "")
    if not isinstance(identifier, str):
        return True
    head, _, tail = identifier.partition(":")
    base = words.context.get(head)
    full = f"{base}{tail}" if isinstance(base, str) else identifier
    if identifier.startswith("@"):
        return identifier not in ("@id", "@type")
    return identifier in words.iris or (bool(full) and any(iri.startswith(full) for iri in words.iris.values()))


def _defined(document: Mapping[str, object], words: Vocabulary) -> set[str]:
    """Return the terms that the root context defines inline: others are dropped by JSON-LD readers."""
    context = document.get("@context")
    listed = context if isinstance(context, list) else [context]
    return {key for item in listed if isinstance(item, Mapping) for key in item if key in words.iris}
