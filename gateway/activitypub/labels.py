"""Preferences on documents: read from what comes in, written on everything that goes out.

Reading happens twice (as JSON, as JSON-LD with pinned contexts); where the readings differ the
stricter counts and the difference is a problem that the audit shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.activitypub.properties import ids_of, nodes, type_of
from gateway.carriers import jsonld_terms
from gateway.carriers.jsonld_terms import CONTEXT, IRIS, TERMS, TermValues
from gateway.carriers.reading import EMPTY, Problem, Reading, Source
from gateway.jsonld.contexts import AS2
from gateway.jsonld.terms import TwoReadings, Vocabulary, read_node
from gateway.preferences import Declarant, Preferences, Scope, Statement, Subject, agreeing, combined
from gateway.urls import normalised

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.jsonld.contexts import Contexts

WORDS = Vocabulary(iris=IRIS, context=CONTEXT)
KEYS = ("https://w3id.org/security/v1", "https://w3id.org/security/multikey/v1")
PROOFS = "https://w3id.org/security/data-integrity/v2"
ACTOR_TERMS: Mapping[str, object] = {
    "assertionMethod": {"@id": "https://w3id.org/security#assertionMethod", "@type": "@id", "@container": "@set"},
    "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
    "movedTo": {"@id": "as:movedTo", "@type": "@id"},
    "alsoKnownAs": {"@id": "as:alsoKnownAs", "@type": "@id"},
    "featured": {"@id": "toot:featured", "@type": "@id"},
    "discoverable": "toot:discoverable",
    "implements": {"@id": "https://w3id.org/fep/844e#implements", "@type": "@id", "@container": "@set"},
}
OBJECT_TERMS: Mapping[str, object] = {"sensitive": "as:sensitive", "Hashtag": "as:Hashtag"}
MAX_ATTACHMENTS = 32
MAX_NODES = 20_000  # as many as the JSON reader lets through: nothing that may speak about ours is left out


def context_for(*, actor: bool = False) -> list[object]:
    """Return the ``@context`` of an outgoing document: AS2 first, our terms always inline."""
    inline = {**CONTEXT, **OBJECT_TERMS, **(ACTOR_TERMS if actor else {})}
    return [AS2, *(KEYS if actor else ()), PROOFS, inline]


def with_context(document: Mapping[str, object], *, actor: bool = False) -> dict[str, object]:
    """Return ``document`` with the outgoing context as its first member."""
    bare = {key: value for key, value in document.items() if key != "@context"}
    return {"@context": context_for(actor=actor), **bare}


def label(document: Mapping[str, object], statements: Sequence[Statement]) -> dict[str, object]:
    """Return ``document`` with the terms of ``statements`` on it and on each of its attachments."""
    terms = jsonld_terms.render(statements)
    bare = _unlabelled(document)
    attachments = bare.get("attachment")
    if isinstance(attachments, list):
        bare["attachment"] = [
            {**_unlabelled(item), **terms} if isinstance(item, Mapping) and type_of(item) != "PropertyValue" else item
            for item in attachments
        ]
    return {**bare, **terms}


def _unlabelled(document: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in document.items() if key not in TERMS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads labels with one set of pinned contexts at one moment."""

    contexts: Contexts
    observed_at: datetime

    def node(
        self, document: Mapping[str, object], path: Sequence[str | int], subject: Subject, declared_by: Declarant,
        asserted_at: datetime | None = None,
    ) -> Reading:  # fmt: skip
        """Return what the node at ``path`` says about ``subject`` in the words of ``declared_by``."""
        readings = read_node(document, path, WORDS, self.contexts)
        if readings.is_plain and not readings.plain:
            return EMPTY  # most say nothing
        source = Source(subject=subject, declared_by=declared_by, observed_at=self.observed_at, asserted_at=asserted_at)
        plain = jsonld_terms.parse(_values(readings.plain), source)
        if readings.is_plain or not (readings.plain or readings.expanded or readings.loose):
            return plain
        expanded = jsonld_terms.parse(_values(readings.expanded or {}), source)
        read = self._stricter(plain, expanded, readings, source)
        return read + self._refused(read, readings, source) if readings.loose else read

    def _refused(self, read: Reading, readings: TwoReadings, source: Source) -> Reading:
        """Return each further no that stands in a form which its term does not have; a yes there is none."""
        known = combined(read.statements, at=self.observed_at)
        found = jsonld_terms.parse(_values(readings.loose), source).statements
        kept = [
            replace(s, prefs=refused)
            for s in found
            if (refused := Preferences({c: p for c, p in s.prefs.items() if p == "n" and not known.disallows(c)}))
        ]
        if not kept:
            return EMPTY
        detail = f"{source.subject.ref}: {sorted(readings.loose)}"[:200]
        return Reading(statements=tuple(kept), problems=(Problem(carrier="json-ld", code="odd-value", detail=detail),))

    def _stricter(self, plain: Reading, expanded: Reading, readings: TwoReadings, source: Source) -> Reading:
        """Keep every no of both readings, and a yes only where both read it."""
        one, other = (combined(reading.statements, at=self.observed_at) for reading in (plain, expanded))
        allowed = agreeing(one, other)
        kept = tuple(
            replace(statement, prefs=_limited(statement.prefs, allowed))
            for statement in (*plain.statements, *expanded.statements)
        )
        problems = plain.problems + expanded.problems
        if one != other:
            seen = "no expansion" if readings.expanded is None else repr(other)
            problems += (
                Problem(
                    carrier="json-ld", code="readings-differ", detail=f"{source.subject.ref}: {one!r} and {seen}"[:200]
                ),
            )
        distinct = {statement.order: statement for statement in kept if statement.prefs}
        return Reading(statements=tuple(distinct.values()), problems=problems)

    def whole(
        self, document: Mapping[str, object], path: tuple[str | int, ...], object_id: str, author: Declarant,
        asserted_at: datetime | None = None,
    ) -> Reading:  # fmt: skip
        """Return what an object and its attachments say."""
        reading = self.node(document, path, Subject(scope=Scope.OBJECT, ref=object_id), author, asserted_at)
        for inner, media in self._attachments(document, path):
            subject = Subject(scope=Scope.MEDIA, ref=media)
            reading += self.node(document, (*path, *inner), subject, author, asserted_at)
        return reading

    def _attachments(
        self, document: Mapping[str, object], path: tuple[str | int, ...]
    ) -> list[tuple[tuple[str | int, ...], str]]:
        node: object = document
        for step in path:
            node = node.get(str(step)) if isinstance(node, Mapping) else None
        value = node.get("attachment") if isinstance(node, Mapping) else None
        listed = value[:MAX_ATTACHMENTS] if isinstance(value, list) else [value]
        return [
            (("attachment", index) if isinstance(value, list) else ("attachment",), urls[0])
            for index, item in enumerate(listed)
            if isinstance(item, Mapping) and (urls := ids_of(item.get("url")) or ids_of(item))
        ]

    def both(
        self, document: Mapping[str, object], path: Sequence[str | int], source: Source
    ) -> tuple[Preferences, Preferences | None]:
        """Return what plain JSON says at ``path``, and what JSON-LD does (None where it cannot be expanded)."""
        readings = read_node(document, path, WORDS, self.contexts)
        plain, expanded = (
            None
            if values is None
            else combined(jsonld_terms.parse(_values(values), source).statements, at=self.observed_at)
            for values in (readings.plain, readings.expanded)
        )
        return plain or Preferences(), expanded

    def explicit(
        self, document: Mapping[str, object], path: Sequence[str | int], source: Source
    ) -> tuple[Statement, ...]:
        """Return everything either reading states at ``path``: what somebody put their signature to."""
        readings = read_node(document, path, WORDS, self.contexts)
        found = [
            jsonld_terms.parse(_values(values), source).statements
            for values in (readings.plain, readings.expanded or {})
        ]
        return tuple({s.order: s for statements in found for s in statements}.values())


def _values(found: Mapping[str, object]) -> TermValues:
    return TermValues(
        content_usage=found.get("contentUsage"),
        ai_usage=found.get("aiUsage"),
        x_robots_tag=found.get("xRobotsTag"),
        indexable=found.get("indexable"),
    )


def _limited(prefs: Preferences, allowed: Preferences) -> Preferences:
    return Preferences({c: p for c, p in prefs.items() if p == "n" or allowed.allows(c)})


def mentions_of(document: Mapping[str, object], ids: Mapping[str, object]) -> list[tuple[tuple[str | int, ...], str]]:
    """Return (path, id) of every node that speaks about one of ``ids``: the node itself, or an activity on it.

    The terms on an Announce, Create or Update are, by definition, those of its object.
    """
    found = []
    for path, node in nodes(document, MAX_NODES, MAX_NODES):
        about = next((url for url in spoken_about(node) if url in ids), None)
        if about is not None:
            found.append((path, about))
    return found


def spoken_about(node: Mapping[str, object]) -> list[str]:
    """Return what a node may be about, each address in its one normal form: itself, else its object or its file."""
    own = node.get("id", node.get("@id"))
    kinds = {str(kind).removeprefix("as:").removeprefix(f"{AS2}#") for kind in _listed(node, "type", "@type")}
    targets: list[object] = [own]
    if kinds & {"Announce", "Create", "Update"}:
        objects = ids_of(node.get("object")) or [str(one) for one in _listed(node.get("object"), "@id")]
        targets += objects if len(objects) == 1 else []
    elif kinds & {"Document", "Image", "Video", "Audio"}:
        targets += [url for url in ids_of(node.get("url")) if "/media/" in url]
    return [normal for url in targets if isinstance(url, str) and (normal := normalised(url)) is not None]


def _listed(node: object, *names: str) -> list[object]:
    found = [node[name] for name in names if name in node] if isinstance(node, Mapping) else []
    return [one for value in found for one in (value if isinstance(value, list) else [value])]


__all__ = ["EMPTY", "Reader", "context_for", "label", "mentions_of", "with_context"]
