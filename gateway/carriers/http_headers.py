"""The headers of one response or request, together: what they say and how to say it.

``AI-Usage`` is lossless; the others are what the world reads today. ``Content-Signal`` is only read:
as a header it comes from intermediaries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.carriers import ai_usage, content_signal, content_usage, tdm, x_robots_tag
from gateway.carriers.projection import mark_projections
from gateway.carriers.reading import EMPTY, Reading
from gateway.preferences import DeclarantKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.carriers.reading import Source
    from gateway.preferences import Preferences

NAMES = ("content-usage", "ai-usage", "tdm-reservation", "tdm-policy", "x-robots-tag", "content-signal")


def render(prefs: Preferences, policy_url: str) -> list[tuple[str, str]]:
    """Return the response headers for ``prefs``: name (lower case) and value."""
    reservation = tdm.reservation(prefs)
    said = [
        ("content-usage", content_usage.render(prefs)),
        ("ai-usage", ai_usage.render(prefs)),
        ("tdm-reservation", reservation or ""),
        ("tdm-policy", policy_url if reservation == "1" else ""),
        ("x-robots-tag", ", ".join(x_robots_tag.web_words(prefs))),
    ]
    return [(name, value) for name, value in said if value]


def parse(headers: Iterable[tuple[str, str]], source: Source) -> Reading:
    """Read every preference in ``headers`` (name, value).

    Each line is read by itself, so that one appended on the way cannot turn a no into a yes.
    """
    lines: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower() in NAMES:
            lines.setdefault(name.lower(), []).append(value)
    if not lines:
        return EMPTY
    reading = EMPTY
    for value in lines.get("ai-usage", []):
        reading += ai_usage.parse(value, source, carrier="http-ai-usage")
    for value in lines.get("content-usage", []):
        reading += content_usage.parse(value, source, carrier="http-content-usage")
    for value in lines.get("tdm-reservation", []):
        reading += tdm.parse(value, source, carrier="http-tdm-reservation")
    reading += x_robots_tag.parse(lines.get("x-robots-tag", []), source, carrier="http-x-robots-tag")
    between = replace(source, declared_by=replace(source.declared_by, kind=DeclarantKind.INTERMEDIARY))
    reading = replace(reading, statements=mark_projections(reading.statements))
    for value in lines.get("content-signal", []):
        reading += content_signal.parse(value, between, carrier="http-content-signal")
    return reading
