"""Pages for people: two languages, preferences in the head, and nothing of a stranger's that could run."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from web.asking import ask
from web.conftest import PNG
from world import BASE

from gateway.activitypub.note import Draft
from gateway.errors import SPECIAL_CODES
from gateway.flows import attach, publish
from gateway.policy.reasons import Reason

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

HTML = "text/html; charset=utf-8"
PAGES = ("/", "/about", "/about/policy", "/about/federation", "/problems/gone", "/tags/greeting", "/@alice", "/@carol")
ACTIVE = {"script", "iframe", "object", "embed", "form", "style", "base", "svg", "math", "video", "audio", "input"}


class Parsed(HTMLParser):
    """What a page consists of: elements with attributes, and the text of the title."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def metas(self) -> dict[str, str]:
        return {meta["name"]: meta["content"] for meta in self.all("meta") if "name" in meta}

    def check_inert(self) -> None:
        """Find no element that acts, no handler, and no link that is more than a link."""
        assert not {tag for tag, _ in self.elements} & ACTIVE
        for tag, attributes in self.elements:
            assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
            for name in ("href", "src"):
                assert attributes.get(name, "/").startswith(("/", "#", "https://", "http://", "mailto:")), (
                    tag,
                    attributes,
                )


async def _page(site: Site, path: str, **headers: str) -> Parsed:
    answer = await site.get(path, **headers)
    assert (answer.status, answer.media_type) == (200, HTML)
    return Parsed(answer.text)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "", "en"), ("", "ja", "ja"), ("", "ja-JP,en;q=0.5", "ja"), ("", "de, ja;q=0.5", "ja"),
        ("", "fr, de", "en"),
        ("?lang=ja", "en", "ja"), ("?lang=en", "ja", "en"), ("?lang=xx", "ja", "ja"),
    ],
)  # fmt: skip
async def test_a_page_speaks_the_readers_language(
    site: Site, path: str, query: str, accepted: str, language: str
) -> None:
    """``?lang=`` wins over Accept-Language, unknown ones mean English; the page says which it is."""
    answer = await site.get(path + query, accept_language=accepted)
    page = Parsed(answer.text)
    assert page.all("html") == [{"lang": language}]
    assert answer.header("vary") == "Accept, Accept-Language"
    assert ("本文へ" in answer.text) == (language == "ja")
    other = next(link for link in page.all("a") if link.get("class") == "language")
    assert other["lang"] != language
    assert other["href"] == f"{path}?lang={other['lang']}"


@pytest.mark.parametrize("path", [*PAGES, "post"])
async def test_the_head_of_a_page_says_what_its_headers_say(site: Site, path: str) -> None:
    """Robots, TDM and both usage lines stand in meta elements, the same as in the headers."""
    answer = await site.get(site.page("public") if path == "post" else path)
    metas = Parsed(answer.text).metas()
    assert metas["robots"] == answer.header("x-robots-tag")
    for name in ("content-usage", "ai-usage", "tdm-reservation", "tdm-policy"):
        assert metas[name] == answer.header(name), name
    assert "noai" in metas["robots"]


@pytest.mark.parametrize("path", [*PAGES, "post", "missing"])
async def test_a_page_is_made_of_links_and_text(site: Site, path: str) -> None:
    """No script, no inline style, one stylesheet, one main heading, a way past the navigation."""
    target = {"post": site.page("media"), "missing": "/nothing"}.get(path, path)
    answer = await site.get(target, accept="text/html")
    page = Parsed(answer.text)
    page.check_inert()
    assert [link["href"] for link in page.all("link") if link["rel"] == "stylesheet"] == ["/static/gateway.css"]
    assert len(page.all("h1")) == 1
    assert page.all("main") == [{"id": "content"}]
    assert page.all("a")[0]["href"] == "#content"
    assert all("alt" in image for image in page.all("img"))
    assert answer.header("content-security-policy").startswith("default-src 'none'")


async def test_a_profile_shows_open_posts_and_what_is_asked(site: Site) -> None:
    """Public and unlisted posts are on it, restricted and deleted ones are not; the preferences are in words."""
    text = (await site.get("/@alice")).text
    assert "Hello, world" in text
    assert "a quiet word" in text
    for secret in ("only for friends", "only for bob", "regretted"):
        assert secret not in text
    assert '<span class="label">noai</span>' in text
    page = Parsed(text)
    alternates = {link["type"]: link["href"] for link in page.all("link") if link["rel"] == "alternate"}
    assert alternates == {
        "application/activity+json": f"{BASE}/users/alice",
        "application/atom+xml": f"{BASE}/@alice.atom",
    }


async def test_a_post_page_shows_the_post_and_leads_to_its_document(site: Site) -> None:
    """Text is escaped, the warning hides it, the file is described, the document is linked."""
    warned = (await site.get(site.page("warned"))).text
    assert "こんにちは &lt;b&gt;&amp;" in warned
    assert "<summary>Content warning: 食べ物</summary>" in warned
    media = Parsed((await site.get(site.page("media"))).text)
    assert media.all("img")[0]["alt"] == "a cat"
    plain = attach.Upload(content=PNG, name="no words.png")
    described = await publish.create(site.kit, site.carol, Draft(text="look"), uploads=[plain])
    silent = Parsed((await site.get(described[0].id.replace(f"{BASE}/posts", "/@carol"))).text)
    assert silent.all("img")[0]["alt"] == ""
    links = [link["href"] for link in media.all("link") if link.get("type") == "application/activity+json"]
    assert links == [site.posts["media"].id]


@pytest.mark.parametrize(("name", "status"), [("followers", 404), ("direct", 404), ("deleted", 410), ("missing", 404)])
async def test_what_is_not_open_has_no_page(site: Site, name: str, status: int) -> None:
    """Restricted posts look like missing ones to a browser; a deleted one is gone."""
    tid = "2222222222222" if name == "missing" else site.tid(name)
    answer = await site.get(f"/@alice/{tid}", accept="text/html")
    assert (answer.status, answer.media_type) == (status, HTML)
    missing = await site.get("/@alice/2222222222223", accept="text/html")
    if status == 404:
        assert answer.text.replace(tid, "") == missing.text.replace("2222222222223", "")
    by_id = await site.get(f"/posts/{tid}", accept="text/html")
    assert by_id.status == (303 if name == "deleted" else 404)


async def test_a_post_has_no_page_under_another_name(site: Site) -> None:
    """Nobody's post is shown as somebody else's."""
    assert (await site.get(f"/@carol/{site.tid('public')}")).status == 404
    assert (await site.get(f"/@alice/{site.tid('public')}")).status == 200


async def test_the_strictest_post_decides_about_a_page_of_many(own_site: Site) -> None:
    """A tag page with posts of several authors states what the strictest of them asks."""
    await publish.create(own_site.kit, own_site.carol, Draft(text="free for all #greeting"))
    answer = await own_site.get("/tags/Greeting")
    assert "free for all" in answer.text
    assert "Hello, world" in answer.text
    assert answer.header("content-usage") == "train-ai=n, ai-use=n, search=y"
    assert (await own_site.get("/tags/nothing")).status == 404


async def test_a_hidden_account_is_not_on_the_front_page(own_site: Site) -> None:
    """Who does not want to be found is not listed."""
    assert "/@carol" in (await own_site.get("/")).text
    own_site.kit.store.accounts.save(replace(own_site.carol, discoverable=False))
    assert "/@carol" not in (await own_site.get("/")).text


EVIL: dict[str, dict[str, Any]] = {
    "script": {"content": "<p>x</p><script>alert(1)</script>"},
    "handler": {"content": '<img src=x onerror=alert(1)><p onclick="x()">x</p>'},
    "javascript link": {"content": '<a href="javascript:alert(1)">x</a><a href=" java\nscript:alert(1)">x</a>'},
    "data link": {"content": '<a href="data:text/html,<script>alert(1)</script>">x</a>'},
    "iframe": {"content": '<iframe src="https://evil.example"></iframe><object data="x"></object><embed src="x">'},
    "svg": {"content": "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg><math><mtext></math>"},
    "form": {"content": '<form action="https://evil.example"><input name=password></form>'},
    "style": {"content": '<style>*{display:none}</style><p style="position:fixed">x</p>'},
    "unclosed": {"content": "</div></article></main><p>x<!-- <a href='"},
    "base": {"content": '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=//evil.example"'},
    "summary": {"summary": "<script>alert(1)</script>"},
    "summary breaks out": {"summary": '"></summary></details><script>alert(1)</script>'},
    "javascript url": {"url": "javascript:alert(1)"},
    "data url": {"url": "data:text/html,x"},
    "url of another site": {"url": "https://evil.example/phishing"},
    "url is a list": {"url": [{"type": "Link", "href": "javascript:alert(1)"}]},
    "url is a number": {"url": 5},
    "javascript attachment": {"attachment": [{"type": "Image", "mediaType": "image/png", "url": "javascript:x()"}]},
    "attachment of numbers": {"attachment": [{"type": 1, "mediaType": 5, "url": 7, "name": 9}]},
    "attachment of objects": {"attachment": [{"type": "Image", "mediaType": {}, "url": {"a": 1}, "name": []}, 5, None]},
    "attachment without anything": {"attachment": [{}]},
    "attachment name": {"attachment": [{"type": "Image", "mediaType": "image/png", "url": "https://peer.example/1.png",
                                        "name": '"><script>alert(1)</script>', "width": '"x'}]},
    "content is a number": {"content": 5},
    "content is a list": {"content": ["<script>alert(1)</script>"]},
    "content map": {"content": None, "contentMap": {"en": "<script>alert(1)</script>"}},
    "summary is an object": {"summary": {"en": "<script>alert(1)</script>"}},
}  # fmt: skip


@pytest.mark.parametrize("name", EVIL)
async def test_what_a_stranger_wrote_is_inert(site: Site, name: str) -> None:
    """A reply from elsewhere is shown below the post without anything in it that acts, whatever its members are."""
    note = site.follower.note(
        "a reply", inReplyTo=site.posts["public"].id, cc=[site.alice.id], **{"marker": name, **EVIL[name]}
    )
    note = {key: value for key, value in note.items() if value is not None}
    answer = await site.follower.post(f"{BASE}/inbox", site.follower.activity("Create", note, cc=[site.alice.id]))
    assert answer.status_code == 202
    await site.world.drain()
    assert site.kit.store.objects.get(note["id"]) is not None
    page = await site.get(site.page("public"))
    assert page.status == 200
    parsed = Parsed(page.text)
    parsed.check_inert()
    assert "evil.example" not in page.text
    assert len(parsed.all("main")) == 1
    assert page.text.count("</main>") == 1
    document = await site.signed(f"{site.path('public')}/replies")
    assert note["id"] in json.dumps(document.json)


async def test_every_code_that_is_answered_has_a_page(site: Site) -> None:
    """The ``type`` of a problem leads somewhere, for each special code and each reason."""
    for code in [*SPECIAL_CODES, *(reason.value for reason in Reason)]:
        for language in ("en", "ja"):
            answer = await site.get(f"/problems/{code}?lang={language}")
            assert (answer.status, code in answer.text) == (200, True)
    assert (await site.get("/problems/nothing-of-ours")).status == 404


async def test_pages_are_for_everybody_also_signed(site: Site) -> None:
    """A signature on a page request changes nothing, not even a bad one."""
    plain = await site.get("/@alice")
    signed = await site.signed("/@alice")
    garbled = await ask(site.app, "GET", "/@alice", [("signature", "garbage")])
    assert plain.body == signed.body == garbled.body
