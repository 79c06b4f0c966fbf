"""HTML that is safe to show."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.activitypub.sanitise import (
    MAX_HTML,
    TAGS,
    clean,
    clean_document,
    hashtags_in,
    mentions_in,
    plain,
    to_html,
)

TAG_BASE = "https://gw.example/tags/"
BOB = "https://peer.example/users/bob"

VECTORS = (
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//x.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)><animate onbegin=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='JaVaScRiPt:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href='data:text/html;base64,PHNjcmlwdD4='>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='https://x.example' onclick='alert(1)' style='position:fixed'>x</a>",
    "<p style='background:url(//x.example/t.gif)'>x</p>",
    "<style>@import '//x.example'</style>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='x'></object><embed src='x'>",
    "<form action='//x.example'><input name=p><button>go</button></form>",
    "<base href='//x.example/'>",
    "<meta http-equiv=refresh content='0;url=//x.example'>",
    "<link rel=stylesheet href='//x.example'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<template><script>alert(1)</script></template>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!-- x --!><script>alert(1)</script>",
    "<p><a title='-->' onmouseover=alert(1)>x",
    "<<script>script>alert(1)</script>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<span class='invisible fixed admin-button' id=login>x</span>",
    "<a class='button mention' href='https://x.example'>x</a>",
)
ATTRIBUTES = {"href", "class", "lang", "rel", "start", "title"}


class _Seen(HTMLParser):
    """Collects what a browser would find."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def inert(markup: str) -> bool:
    """Tell whether nothing in ``markup`` can run, load, or pass for our own page."""
    seen = _Seen()
    seen.feed(markup)
    seen.close()
    for tag, attributes in seen.tags:
        href = attributes.get("href") or "https:"
        classes = set((attributes.get("class") or "").split())
        known = {"mention", "hashtag", "u-url", "h-card", "invisible", "ellipsis"}
        if tag not in TAGS or set(attributes) - ATTRIBUTES or classes - known:
            return False
        if re.match(r"(https?:|mailto:|/|#)", href, re.IGNORECASE) is None:
            return False
    return True


@pytest.mark.parametrize("vector", VECTORS)
def test_scripts_styles_and_forms_are_inert(vector: str) -> None:
    """Known ways to run or load something leave nothing but text."""
    assert inert(clean(vector))
    assert inert(clean(f"<p>before {vector} after</p>"))


@given(st.text(alphabet="<>/='\" !-abceghimnoprstx:;&#0()", max_size=80))
def test_any_text_becomes_inert(text: str) -> None:
    """Whatever is written, what comes out holds only known tags and attributes, and cleaning again changes nothing."""
    once = clean(text)
    assert inert(once)
    assert clean(once) == once


def test_what_a_post_needs_stays() -> None:
    """Paragraphs, links, lists, ruby and mentions survive; links say whom not to follow."""
    post = (
        '<p lang="ja"><ruby>漢<rt>kan</rt></ruby> <a href="https://x.example" class="mention u-url">x</a><br></p>'
        '<ol start="3"><li>a</li></ol>'
    )
    found = clean(post)
    for part in (
        '<p lang="ja">',
        "<ruby>",
        'class="mention u-url"',
        'rel="nofollow noopener noreferrer ugc"',
        '<ol start="3">',
    ):
        assert part in found


def test_remote_html_is_bounded() -> None:
    """No more than the first hundred thousand characters are looked at."""
    assert len(clean("x" * (MAX_HTML + 5))) == MAX_HTML


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>a</p><p>b &amp; c</p>", "a b & c"),
        ("a<br>b<br />c", "a b c"),
        ("<ul><li>a</li><li>b</li></ul>", "a b"),
        ("<h2>t</h2>x", "t x"),
        ("<script>alert(1)</script>x", "x"),
        ("&lt;b&gt;", "<b>"),
        ("", ""),
    ],
)
def test_plain_text(markup: str, text: str) -> None:
    """Text without markup keeps its word boundaries."""
    assert plain(markup) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hi @bob@peer.example!", ["@bob@peer.example"]),
        ("@a@x.example, @b@y.example and @a@x.example", ["@a@x.example", "@b@y.example"]),
        ("@a@localhost:8000 x", ["@a@localhost:8000"]),
        ("mail bob@peer.example", []),
        ("@bob alone", []),
        ("https://x.example/@bob@peer.example", []),
        ("me@a@x.example", []),
    ],
)
def test_mentions(text: str, found: list[str]) -> None:
    """A mention is @user@host in running text, not a mail address or part of a URL."""
    assert mentions_in(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#noai and #AI2026.", ["noai", "AI2026"]),
        ("#日本語 #絵", ["日本語", "絵"]),
        ("#2026 #1", []),
        ("a#b /#c &#39;", []),
        ("https://x.example/#frag", []),
        ("#noai #noai", ["noai"]),
    ],
)
def test_hashtags(text: str, found: list[str]) -> None:
    """A hashtag holds a letter, and is no fragment or entity."""
    assert hashtags_in(text) == found


def test_text_becomes_paragraphs_links_mentions_and_hashtags() -> None:
    """Plain text is turned into the HTML that the fediverse shows."""
    found = to_html(
        "a\nb\r\n\r\nhttps://x.example/?a=1&b=2. @bob@peer.example #NoAI", {"@bob@peer.example": BOB}, TAG_BASE
    )
    assert found == (
        '<p>a<br>b</p><p><a href="https://x.example/?a=1&amp;b=2" rel="nofollow noopener noreferrer">'
        'https://x.example/?a=1&amp;b=2</a>. <span class="h-card"><a href="https://peer.example/users/bob"'
        ' class="u-url mention">@bob@peer.example</a></span>'
        ' <a href="https://gw.example/tags/noai" class="mention hashtag" rel="tag">#NoAI</a></p>'
    )


def test_an_unresolved_mention_stays_text() -> None:
    """A handle that nobody answers to is shown as written."""
    assert to_html("@x@y.example", {}, TAG_BASE) == "<p>@x@y.example</p>"


@pytest.mark.parametrize("text", VECTORS)
def test_markup_in_our_own_text_is_text(text: str) -> None:
    """An author who writes tags sees tags; nothing is interpreted."""
    assert inert(to_html(text, {}, TAG_BASE))
    assert plain(to_html(text, {}, TAG_BASE)) == " ".join(text.split())


def test_html_is_cleaned_wherever_it_stands() -> None:
    """Odd shapes, other names of the same term and objects inside others hide no script; a source stays as it is."""
    bad, good = "<script>x</script><b>hi</b>", "<b>hi</b>"
    document = {
        "contentMap": bad,
        "summary": [bad, 7],
        "as:content": {"en": bad, "x": 7},
        "attachment": [{"content": bad, "source": {"content": bad}}],
        "object": {"https://www.w3.org/ns/activitystreams#summary": bad},
    }
    assert clean_document(document) == {
        "contentMap": good,
        "summary": [good, 7],
        "as:content": {"en": good},
        "attachment": [{"content": good, "source": {"content": bad}}],
        "object": {"https://www.w3.org/ns/activitystreams#summary": good},
    }
