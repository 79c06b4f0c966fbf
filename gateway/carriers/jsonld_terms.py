"""The JSON-LD terms on every object: ``contentUsage``, ``aiUsage``, ``xRobotsTag``, ``indexable``.

``aiUsage`` holds the whole model and is always present. The terms are defined inline, never by a
remote context. Namespace and shape: our FEP draft "AI Usage Preferences" (slug 1e38); ``xRobotsTag``
is FEP-5e53's, ``indexable`` FEP-5feb's. Values come in already read; this file knows no JSON-LD.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.carriers import content_usage, indexable, x_robots_tag
from gateway.carriers.projection import mark_projections
from gateway.carriers.reading import EMPTY, Reading, Source, stated, unreadable
from gateway.carriers.structured import MAX_TEXT
from gateway.clock import parse_rfc3339, rfc3339
from gateway.preferences import (
    Audience,
    Auth,
    Category,
    Condition,
    Declarant,
    DeclarantKind,
    Preferences,
    Statement,
    combined,
    labels,
)

NAMESPACE = "https://w3id.org/fep/1e38#"
REVISION = "fep-1e38/1"
VERSION = 1
INEXPRESSIBLE: frozenset[Category] = frozenset()
TERMS = ("contentUsage", "aiUsage", "xRobotsTag", "indexable")
IRIS: Mapping[str, str] = {
    "contentUsage": f"{NAMESPACE}contentUsage",
    "aiUsage": f"{NAMESPACE}aiUsage",
    "xRobotsTag": "https://w3id.org/fep/5e53#xRobotsTag",
    "indexable": "http://joinmastodon.org/ns#indexable",
}
CONTEXT: Mapping[str, Any] = {
    "aiu": NAMESPACE,
    "contentUsage": "aiu:contentUsage",
    "aiUsage": {"@id": "aiu:aiUsage", "@type": "@json"},
    "xRobotsTag": IRIS["xRobotsTag"],
    "toot": "http://joinmastodon.org/ns#",
    "indexable": "toot:indexable",
}
MAX_STATEMENTS = 32
MAX_CONDITIONS = 32
MAX_RAW = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class TermValues:
    """The values of the four terms on one node, as read; None where a term is missing."""

    content_usage: object = None
    ai_usage: object = None
    x_robots_tag: object = None
    indexable: object = None


def render(statements: Sequence[Statement]) -> dict[str, object]:
    """Return the terms for one object; ``statements`` are what its one answer comes from."""
    prefs = combined_at_home(statements)
    usage: dict[str, object] = {
        "v": VERSION,
        "vocab": content_usage.VOCABULARY_URL,
        "labels": list(labels(prefs)),
        "prefs": prefs.as_json(),
        "statements": [_statement_json(statement) for statement in statements],
    }
    terms: dict[str, object] = {"aiUsage": usage}
    if text := content_usage.render(prefs):
        terms["contentUsage"] = text
    if said := x_robots_tag.words(prefs):
        terms["xRobotsTag"] = ", ".join(said)
    if (found := indexable.render(prefs)) is not None:
        terms["indexable"] = found
    return terms


def combined_at_home(statements: Sequence[Statement]) -> Preferences:
    """Return the one answer that goes out for ``statements`` made at home or carried on."""
    if not statements:
        return Preferences()
    return combined(statements, at=min(statement.observed_at for statement in statements))


def _statement_json(statement: Statement) -> dict[str, object]:
    written: dict[str, object] = {
        "prefs": statement.prefs.as_json(),
        "conditions": [{"category": c.category.value, "kind": c.kind, "value": c.value} for c in statement.conditions],
        "audience": {"kind": statement.audience.kind, "value": statement.audience.value},
        "declaredBy": {"kind": statement.declared_by.kind.value, "id": statement.declared_by.id},
    }
    if statement.asserted_at is not None:
        written["updated"] = rfc3339(statement.asserted_at)
    if statement.expires_at is not None:
        written["expires"] = rfc3339(statement.expires_at)
    return written


def parse(values: TermValues, source: Source) -> Reading:
    """Read the four terms of one node into statements."""
    reading = _parse_ai_usage(values.ai_usage, source)
    for text in _texts(values.content_usage):
        reading += content_usage.parse(text, source, carrier="contentUsage")
    words = _texts(values.x_robots_tag)
    reading += x_robots_tag.parse([text for text in words if len(text) <= MAX_TEXT], source, carrier="xRobotsTag")
    if any(len(text) > MAX_TEXT for text in words):
        reading += unreadable("xRobotsTag", "too-long", f"more than {MAX_TEXT} characters")
    for value in _each(values.indexable):
        reading += indexable.parse(value, source)
    return replace(reading, statements=mark_projections(reading.statements))


def _texts(value: object) -> list[str]:
    return [item for item in _each(value) if isinstance(item, str)]


def _each(value: object) -> list[object]:
    return value[:MAX_STATEMENTS] if isinstance(value, list) else [value]


def _parse_ai_usage(value: object, source: Source) -> Reading:
    if value is None:
        return EMPTY
    if isinstance(value, list):
        parts = [_parse_ai_usage(item, source) for item in value[:MAX_STATEMENTS]]
        return sum(parts, EMPTY)
    if not isinstance(value, Mapping):
        return unreadable("aiUsage", "not-an-object", type(value).__name__)
    if value.get("v") != VERSION:
        # A later version may mean something else by a yes; a no stays a no.
        return _only_refusals(value, source)
    listed = value.get("statements")
    reading = EMPTY
    for item in listed[:MAX_STATEMENTS] if isinstance(listed, list) else []:
        reading += _parse_statement(item, source)
    whole = Preferences.from_json(value.get("prefs"))
    told = combined(reading.statements, at=source.observed_at)
    if whole != told:
        # The combined answer and its parts disagree: what the whole refuses counts, what only the parts allow does not.
        reading = _reconciled(reading, whole)
        reading += stated(source, carrier="aiUsage", revision=REVISION, prefs=whole, raw=_raw(value))
    return reading


def _raw(value: Mapping[str, object]) -> str:
    """Return the JSON text of a value, as it is kept beside a statement."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:MAX_RAW]


def _reconciled(reading: Reading, whole: Preferences) -> Reading:
    """Drop from the parts each ``y`` that the whole does not repeat."""
    kept = (
        replace(s, prefs=Preferences({c: p for c, p in s.prefs.items() if p == "n" or whole.allows(c)}))
        for s in reading.statements
    )
    return replace(reading, statements=tuple(s for s in kept if s.prefs))


def _only_refusals(value: Mapping[str, object], source: Source) -> Reading:
    prefs = Preferences({c: p for c, p in Preferences.from_json(value.get("prefs")).items() if p == "n"})
    return stated(source, carrier="aiUsage", revision="unknown", prefs=prefs, raw=_raw(value))


def _parse_statement(item: object, source: Source) -> Reading:
    if not isinstance(item, Mapping):
        return unreadable("aiUsage", "statement-not-an-object", type(item).__name__)
    read = stated(
        source,
        carrier="aiUsage",
        revision=REVISION,
        prefs=Preferences.from_json(item.get("prefs")),
        raw=_raw(item),
        conditions=_conditions(item.get("conditions")),
    )
    return replace(read, statements=tuple(replace(s, **_details(item, source)) for s in read.statements))


def _details(item: Mapping[str, object], source: Source) -> dict[str, Any]:
    details: dict[str, Any] = {
        "asserted_at": parse_rfc3339(item.get("updated")) or source.asserted_at,
        "expires_at": parse_rfc3339(item.get("expires")),
        "declared_by": _declarant(item.get("declaredBy"), source.declared_by),
    }
    audience = item.get("audience")
    if isinstance(audience, Mapping) and isinstance(audience.get("value"), str) and audience.get("kind") != "any":
        details["audience"] = Audience(kind=str(audience.get("kind"))[:40], value=str(audience["value"])[:300])
    return details


def _declarant(value: object, default: Declarant) -> Declarant:
    """Return who is said to speak; only the document's own author keeps the proof that we hold."""
    if not isinstance(value, Mapping) or not isinstance(value.get("id"), str):
        return default
    kind = value.get("kind")
    known = DeclarantKind(kind) if kind in list(DeclarantKind) else DeclarantKind.UNKNOWN
    if value["id"] == default.id and known is default.kind:
        return default
    # An instance speaks through its member's signed document; the signature shows who passed it on.
    # Nobody's signature makes somebody else's grant: another author's words are unproven here.
    auth = default.auth if known is DeclarantKind.INSTANCE else Auth.NONE
    return Declarant(kind=known, id=str(value["id"])[:2048], auth=auth)


def _conditions(value: object) -> tuple[Condition, ...]:
    items = value[:MAX_CONDITIONS] if isinstance(value, list) else []
    names = [category.value for category in Category]
    return tuple(
        Condition(
            category=Category(item["category"]), kind=str(item.get("kind"))[:40], value=str(item.get("value"))[:300]
        )
        for item in items
        if isinstance(item, Mapping) and item.get("category") in names
    )
