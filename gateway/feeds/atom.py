"""Atom feeds (RFC 4287): full content, preferences per feed and entry, the same bytes for the same content.

Nothing in the output depends on when it is made: ``updated`` is the newest entry's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from gateway.carriers import atom_terms
from gateway.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from gateway.preferences import Preferences

ATOM = "http://www.w3.org/2005/Atom"
MEDIA = "http://search.yahoo.com/mrss/"
CONTENT_TYPE = "application/atom+xml; charset=utf-8"
register_namespace("", ATOM)
register_namespace("media", MEDIA)
register_namespace("aiu", atom_terms.NAMESPACE)
_FORBIDDEN = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF))


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A file of an entry."""

    url: str
    media_type: str
    alt: str
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One post."""

    id: str
    page: str
    title: str
    html: str
    warning: str
    published: datetime
    updated: datetime
    prefs: Preferences
    media: tuple[Media, ...] = ()
    tags: tuple[str, ...] = ()
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One account's feed."""

    id: str
    self_url: str
    page: str
    title: str
    author: str
    updated: datetime
    prefs: Preferences
    policy_url: str
    entries: Sequence[Entry] = ()


def render(feed: Feed) -> bytes:
    """Return the feed as UTF-8 XML."""
    root = Element(f"{{{ATOM}}}feed")
    _text(root, "id", feed.id)
    _text(root, "title", feed.title)
    _text(root, "updated", rfc3339(feed.updated))
    _link(root, "self", feed.self_url, "application/atom+xml")
    _link(root, "alternate", feed.page, "text/html")
    _link(root, "usage-policy", feed.policy_url, "application/json")
    author = SubElement(root, f"{{{ATOM}}}author")
    _text(author, "name", feed.author)
    _text(author, "uri", feed.page)
    _preferences(root, feed.prefs)
    for entry in feed.entries:
        _entry(root, entry)
    body: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + body + b"\n"


def _entry(root: Element, entry: Entry) -> None:
    element = SubElement(root, f"{{{ATOM}}}entry")
    if entry.language:
        element.set("xml:lang", entry.language)
    _text(element, "id", entry.id)
    _text(element, "title", entry.title)
    _text(element, "published", rfc3339(entry.published))
    _text(element, "updated", rfc3339(entry.updated))
    _link(element, "alternate", entry.page, "text/html")
    if entry.warning:
        _text(element, "summary", entry.warning)
    _text(element, "content", entry.html).set("type", "html")
    for tag in entry.tags:
        SubElement(element, f"{{{ATOM}}}category", {"term": tag})
    for item in entry.media:
        attributes = {"rel": "enclosure", "href": item.url, "type": item.media_type, "length": str(item.size)}
        SubElement(element, f"{{{ATOM}}}link", attributes)
        content = SubElement(element, f"{{{MEDIA}}}content", {"url": item.url, "type": item.media_type})
        if item.alt:
            SubElement(content, f"{{{MEDIA}}}description", {"type": "plain"}).text = item.alt.translate(_FORBIDDEN)
    _preferences(element, entry.prefs)


def _preferences(element: Element, prefs: Preferences) -> None:
    if words := atom_terms.rights(prefs):
        _text(element, "rights", words)
    for name, text in atom_terms.render(prefs):
        SubElement(element, f"{{{atom_terms.NAMESPACE}}}{name}").text = text


def _text(parent: Element, name: str, text: str) -> Element:
    element = SubElement(parent, f"{{{ATOM}}}{name}")
    element.text = text.translate(_FORBIDDEN)
    return element


def _link(parent: Element, relation: str, href: str, media_type: str) -> None:
    SubElement(parent, f"{{{ATOM}}}link", {"rel": relation, "href": href, "type": media_type})
