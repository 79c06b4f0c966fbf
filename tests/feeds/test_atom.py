"""Atom feeds as readers see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
from preferences.samples import says

from gateway.carriers import atom_terms
from gateway.feeds.atom import ATOM, Entry, Feed, Media, render
from gateway.preferences import NOTHING, PRESETS, Preferences, Preset

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
PREFS = PRESETS[Preset.NOAI]
SPACE = {"a": ATOM, "aiu": atom_terms.NAMESPACE, "media": "http://search.yahoo.com/mrss/"}


def entry(number: int = 1, **changes: Any) -> Entry:
    """Return a post."""
    fields: dict[str, Any] = {
        "id": f"https://gw.example/posts/{number}", "page": f"https://gw.example/@alice/{number}",
        "title": "Hello & you",
        "html": '<p>x <a href="https://x.example/?a=1&amp;b=2">y</a></p>', "warning": "", "published": NOW,
        "updated": NOW + timedelta(hours=number), "prefs": PREFS, **changes,
    }  # fmt: skip
    return Entry(**fields)


def feed(*entries: Entry, **changes: Any) -> Feed:
    """Return Alice's feed."""
    fields: dict[str, Any] = {
        "id": "https://gw.example/users/alice", "self_url": "https://gw.example/@alice.atom",
        "page": "https://gw.example/@alice", "title": "Alice", "author": "Alice", "updated": NOW, "prefs": PREFS,
        "policy_url": "https://gw.example/policies/tdm.json", "entries": entries, **changes,
    }  # fmt: skip
    return Feed(**fields)


def test_a_reader_finds_everything() -> None:
    """A feed reader sees title, author, entries, content, media, tags and language."""
    picture = Media(url="https://gw.example/media/1/a.png", media_type="image/png", alt="a cat", size=7)
    film = Media(url="https://gw.example/media/2/b.mp4", media_type="video/mp4", alt="")
    whole = entry(warning="loud", media=(picture, film), tags=("noai", "art"), language="ja")
    found = feedparser.parse(render(feed(whole)))
    assert not found.bozo
    assert (found.feed.title, found.feed.author) == ("Alice", "Alice")
    (post,) = found.entries
    assert (post.title, post.id, post.link) == (
        "Hello & you",
        "https://gw.example/posts/1",
        "https://gw.example/@alice/1",
    )
    assert 'href="https://x.example/?a=1&amp;b=2"' in post.content[0].value
    assert post.summary == "loud"
    assert [tag.term for tag in post.tags] == ["noai", "art"]
    assert next((e.href, e.type, e.length) for e in post.enclosures) == (picture.url, "image/png", "7")


def test_preferences_stand_on_the_feed_and_on_each_entry() -> None:
    """The terms and a sentence about rights are on both, and read back as they were."""
    open_post = entry(2, prefs=Preferences.of(train_gen="y"))
    root = ET.fromstring(render(feed(entry(), open_post)))  # noqa: S314 - our own bytes
    nodes = [root, *root.findall("a:entry", SPACE)]
    read = [
        [(str(c.tag).rpartition("}")[2], c.text) for c in node if str(c.tag).startswith(f"{{{SPACE['aiu']}}}")]
        for node in nodes
    ]
    assert read == [list(atom_terms.render(prefs)) for prefs in (PREFS, PREFS, open_post.prefs)]
    assert all(node.find("a:rights", SPACE) is not None for node in nodes[:2])
    assert says(train_gen="y").prefs == open_post.prefs


def test_nothing_stated_leaves_no_rights() -> None:
    """Without preferences there is no sentence about them."""
    root = ET.fromstring(render(feed(entry(prefs=NOTHING), prefs=NOTHING)))  # noqa: S314 - our own bytes
    assert root.findall(".//a:rights", SPACE) == []


def test_the_same_content_gives_the_same_bytes() -> None:
    """Nothing in a feed depends on when it is made."""
    assert render(feed(entry(), entry(2))) == render(feed(entry(), entry(2)))
    assert render(feed()).startswith(b'<?xml version="1.0" encoding="utf-8"?>\n<feed')


def test_links_lead_to_page_self_and_policy() -> None:
    """A feed names itself, its page and the usage policy."""
    root = ET.fromstring(render(feed()))  # noqa: S314 - our own bytes
    links = {link.get("rel"): link.get("href") for link in root.findall("a:link", SPACE)}
    assert links == {
        "self": "https://gw.example/@alice.atom", "alternate": "https://gw.example/@alice",
        "usage-policy": "https://gw.example/policies/tdm.json",
    }  # fmt: skip


def test_characters_that_xml_forbids_are_dropped() -> None:
    """A control character in a post does not break the feed for everybody."""
    bad = "a\x00\x08\x0b\x1f\ufffe\uffffb"
    whole = entry(title=bad, html=bad, media=(Media(url="https://x.example/a", media_type="image/png", alt=bad),))
    root = ET.fromstring(render(feed(whole, title=bad)))  # noqa: S314 - our own bytes
    assert root.findtext("a:title", namespaces=SPACE) == "ab"
    assert root.findtext(".//media:description", namespaces=SPACE) == "ab"
