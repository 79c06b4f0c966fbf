"""Preferences inside an Atom feed: foreign-namespace elements per feed and per entry (RFC 4287, section 6).

``aiu:contentUsage`` is the AIPREF line, ``aiu:aiUsage`` the lossless one. ``rights`` says it in words.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.carriers import ai_usage, content_usage
from gateway.carriers.jsonld_terms import NAMESPACE
from gateway.carriers.projection import mark_projections
from gateway.carriers.reading import EMPTY, Reading
from gateway.preferences import MEANINGS, Category, labels

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.carriers.reading import Source
    from gateway.preferences import Preferences

NAME = "atom"
INEXPRESSIBLE: frozenset[Category] = frozenset()


def render(prefs: Preferences) -> list[tuple[str, str]]:
    """Return the extension elements for ``prefs``: local name in our namespace, and text."""
    said = [("contentUsage", content_usage.render(prefs)), ("aiUsage", ai_usage.render(prefs))]
    return [(name, text) for name, text in said if text]


def rights(prefs: Preferences) -> str:
    """Return one sentence for people, or an empty string when nothing is refused."""
    refused = [MEANINGS[category] for category in Category if prefs.disallows(category)]
    words = "".join(f" [{word}]" for word in labels(prefs))
    return f"Machines are asked not to use this for: {'; '.join(refused)}.{words}" if refused else ""


def parse(elements: Iterable[tuple[str, str]], source: Source) -> Reading:
    """Read extension elements given as (local name, text)."""
    reading = EMPTY
    for name, text in elements:
        if name == "aiUsage":
            reading += ai_usage.parse(text, source, carrier="atom-ai-usage")
        elif name == "contentUsage":
            reading += content_usage.parse(text, source, carrier="atom-content-usage")
    return replace(reading, statements=mark_projections(reading.statements))


__all__ = ["INEXPRESSIBLE", "NAME", "NAMESPACE", "parse", "render", "rights"]
