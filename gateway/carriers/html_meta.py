"""HTML ``<meta>`` elements: robots, tdm-reservation, tdm-policy, ai-usage, content-usage.

The last two are our own names, so that a page alone loses nothing.
"""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from gateway.carriers import ai_usage, content_usage, tdm, x_robots_tag
from gateway.carriers.projection import mark_projections
from gateway.carriers.reading import MAX_TEXT, Reading

if TYPE_CHECKING:
    from gateway.carriers.reading import Source
    from gateway.preferences import Category, Preferences

NAME = "html-meta"
INEXPRESSIBLE: frozenset[Category] = frozenset()
MAX_ELEMENTS = 200


def render(prefs: Preferences, policy_url: str) -> list[tuple[str, str]]:
    """Return the meta elements for ``prefs``: name and content, unescaped."""
    reservation = tdm.reservation(prefs)
    said = [
        ("robots", ", ".join(x_robots_tag.web_words(prefs))),
        ("tdm-reservation", reservation or ""),
        ("tdm-policy", policy_url if reservation == "1" else ""),
        ("content-usage", content_usage.render(prefs)),
        ("ai-usage", ai_usage.render(prefs)),
    ]
    return [(name, value) for name, value in said if value]


class _Metas(HTMLParser):
    """Collects the meta elements of a page's head, also when the page is broken."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep name and content of each meta element."""
        given = {name: value or "" for name, value in reversed(attrs)}  # of two with one name the first counts
        if tag == "meta" and "name" in given and len(self.found) < MAX_ELEMENTS:
            self.found.append((given["name"].strip().lower(), given.get("content", "")))


def parse(html: str, source: Source) -> Reading:
    """Read the preferences a page states about itself."""
    parser = _Metas()
    # Browsers take "<![" for a comment; the standard library's parser raises on it.
    parser.feed(html[:MAX_TEXT].replace("<![", "<! ["))
    robots = [content for name, content in parser.found if name == "robots"]
    reading = x_robots_tag.parse(robots, source, carrier="meta-robots")
    for name, content in parser.found:
        if name == "tdm-reservation":
            reading += tdm.parse(content, source, carrier="meta-tdm-reservation")
        elif name == "ai-usage":
            reading += ai_usage.parse(content, source, carrier="meta-ai-usage")
        elif name == "content-usage":
            reading += content_usage.parse(content, source, carrier="meta-content-usage")
    return replace(reading, statements=mark_projections(reading.statements))
