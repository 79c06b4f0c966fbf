"""Atom: valid for an independent reader, the same bytes each time, preferences per feed and entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
from web.asking import problem_of
from world import BASE

from gateway.flows import revise
from gateway.preferences import Category, Preference, Preferences

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

ATOM = "{http://www.w3.org/2005/Atom}"
AIU = "{https://w3id.org/fep/1e38#}"


async def _feed(site: Site) -> Any:
    answer = await site.get("/@alice.atom")
    assert answer.status == 200
    return feedparser.parse(answer.body, response_headers=dict(answer.lines))


async def test_another_reader_finds_no_fault(site: Site) -> None:
    """Feedparser reads title, author, links and dates without complaint."""
    feed = await _feed(site)
    assert not feed.bozo
    assert feed.version == "atom10"
    assert (feed.feed.id, feed.feed.title, feed.feed.author) == (f"{BASE}/users/alice", "Alice", "Alice")
    links = {link.rel: link.href for link in feed.feed.links}
    assert links["self"] == f"{BASE}/@alice.atom"
    assert links["alternate"] == f"{BASE}/@alice"
    assert links["usage-policy"] == f"{BASE}/policies/tdm.json"
    assert feed.feed.updated == max(entry.updated for entry in feed.entries)


async def test_only_public_posts_are_in_the_feed(site: Site) -> None:
    """Unlisted, restricted and deleted posts stay out; the newest stands first."""
    feed = await _feed(site)
    assert [entry.id for entry in feed.entries] == [site.posts[name].id for name in ("media", "warned", "public")]
    assert "regretted" not in str(feed)


async def test_an_entry_is_whole(site: Site) -> None:
    """Content, page, warning, language, hashtags and files are in the entry."""
    entries = {entry.id: entry for entry in (await _feed(site)).entries}
    public, warned = entries[site.posts["public"].id], entries[site.posts["warned"].id]
    assert public.content[0].type == "text/html"
    assert "Hello, world" in public.content[0].value
    assert public.link == f"{BASE}{site.page('public')}"
    assert [tag.term for tag in public.tags] == ["greeting"]
    assert (warned.title, warned.summary) == ("食べ物", "食べ物")
    assert warned.content[0].language == "ja"
    assert warned.content[0].value == "<p>こんにちは &lt;b&gt;&amp;</p>"
    file = entries[site.posts["media"].id].enclosures[0]
    assert (file.type, file.length) == ("image/png", "33")
    assert file.href.startswith(f"{BASE}/media/")
    assert entries[site.posts["media"].id].media_content[0]["url"] == file.href


async def test_preferences_stand_on_the_feed_and_on_each_entry(own_site: Site) -> None:
    """Both carriers and one sentence say what is asked; an entry that asks for more says more."""
    stricter = Preferences({Category.SEARCH: Preference.DISALLOW})
    await revise.edit(own_site.kit, own_site.alice, own_site.posts["public"].id, own=stricter)
    root = ET.fromstring((await own_site.get("/@alice.atom")).body)  # noqa: S314 - our own output
    assert root.findtext(f"{AIU}contentUsage") == "train-ai=n, ai-use=n, search=y"
    assert "[noai] [notrain]" in (root.findtext(f"{ATOM}rights") or "")
    said = {
        entry.findtext(f"{ATOM}id"): (entry.findtext(f"{AIU}contentUsage"), entry.findtext(f"{AIU}aiUsage"))
        for entry in root.findall(f"{ATOM}entry")
    }
    assert len(said) == 3
    assert all(usage and "train-gen=n" in str(whole) for usage, whole in said.values())
    assert said[own_site.posts["public"].id][0] == "train-ai=n, ai-use=n, search=n"


async def test_the_same_content_gives_the_same_bytes(own_site: Site) -> None:
    """Time passing changes nothing; an edit changes bytes and ETag; a reader that has the bytes gets 304."""
    first = await own_site.get("/@alice.atom")
    own_site.world.clock.forward(days=3)
    again = await own_site.get("/@alice.atom")
    assert (again.body, again.header("etag")) == (first.body, first.header("etag"))
    known = await own_site.get("/@alice.atom", if_none_match=f'W/{first.header("etag")}, "other"')
    assert (known.status, known.body) == (304, b"")
    assert known.header("content-usage") == "train-ai=n, ai-use=n, search=y"
    assert known.header("cache-control") == first.header("cache-control") == "max-age=300"
    await revise.edit(own_site.kit, own_site.alice, own_site.posts["public"].id, text="Hello again")
    changed = await own_site.get("/@alice.atom", if_none_match=first.header("etag"))
    assert changed.status == 200
    assert changed.header("etag") != first.header("etag")


async def test_an_account_without_posts_has_a_valid_feed(own_site: Site) -> None:
    """An empty feed is still a feed."""
    for name in ("public", "warned", "media"):
        revise.delete(own_site.kit, own_site.alice, own_site.posts[name].id)
    feed = await _feed(own_site)
    assert not feed.bozo
    assert feed.entries == []


async def test_who_asks_for_nothing_still_carries_what_the_instance_asks(site: Site) -> None:
    """An author who chose ``open`` is published with the operator's own request."""
    root = ET.fromstring((await site.get("/@carol.atom")).body)  # noqa: S314 - our own output
    assert root.findtext(f"{AIU}contentUsage") == "train-ai=n, ai-use=n"


async def test_there_is_no_feed_of_nobody(site: Site) -> None:
    """Unknown and deleted accounts have no feed."""
    problem_of(await site.get("/@nobody.atom"), [404])
    problem_of(await site.get("/@gone.atom"), [410])
