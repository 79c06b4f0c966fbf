"""A page as a tree, and what may be in it: what our templates write and what a post may bring, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from world import BASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web.asking import Answer


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CSP = {
    "default-src": "'none'", "style-src": "'self'", "img-src": "'self'", "form-action": "'self'",
    "frame-ancestors": "'none'", "base-uri": "'none'",
}  # fmt: skip
VOID = _words("meta link br img input")
POST_TAGS = _words(
    "a b blockquote br code del em h2 h3 h4 i li ol p pre q rb rp rt rtc ruby s span strong sub sup u ul"
)
TAGS = POST_TAGS | _words(
    "html head title meta link body header nav main footer h1 dl dt dd table thead tbody tr th td section article"
    " details summary figure figcaption img time div form input label button"
)
POST_ATTRIBUTES = {"a": {"href", "rel", "class", "lang"}, "span": {"class", "lang"}, "p": {"lang"}, "ol": {"start"}}
ATTRIBUTES = _words(
    "lang charset name content rel href type title class aria-label aria-labelledby aria-describedby id scope src alt"
    " loading width height datetime method action value for role autocomplete autocapitalize spellcheck required"
    " formnovalidate hreflang tabindex start"
)
POST_CLASSES = _words("mention hashtag u-url h-card invisible ellipsis")
CLASSES = POST_CLASSES | _words("skip name language soft panel label no yes answer forms choice quiet prose")


@dataclass(slots=True)
class Element:
    """One element with its attributes and what is in it."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None
    inside: list[Element | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.inside)

    def walk(self) -> Iterator[Element]:
        """Yield every element inside, itself first."""
        yield self
        for one in self.inside:
            if isinstance(one, Element):
                yield from one.walk()

    def all(self, tag: str) -> list[Element]:
        return [one for one in self.walk() if one.tag == tag]


class Dom(HTMLParser):
    """A page as a tree; what is not closed where it was opened is an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self._open = Element("", {}, None)
        self.feed(text)
        self.close()
        assert self._open is self.root, f"<{self._open.tag}> is never closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"<{tag}> says something twice"
        made = Element(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.inside.append(made)
        if tag not in VOID:
            self._open = made

    def handle_endtag(self, tag: str) -> None:
        assert self._open.tag == tag, f"</{tag}> closes <{self._open.tag}>"
        assert self._open.parent is not None
        self._open = self._open.parent

    def handle_data(self, data: str) -> None:
        self._open.inside.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:80]}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"a processing instruction: {data[:80]}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data[:80]}")


def check_link(value: str) -> None:
    """Fail for an address that is neither http(s), mail, a path of this site nor a place on this page."""
    assert not any(ord(character) <= 32 or character == "\\" for character in value), repr(value)
    if urlsplit(value).scheme not in ("http", "https", "mailto"):
        assert value.startswith(("/", "#")), value
        assert not value.startswith("//"), value


def check_post_html(html: str) -> Dom:
    """Fail for HTML of a post that has anything besides text, links and emphasis in it."""
    dom = Dom(html)
    for one in list(dom.root.walk())[1:]:
        _check_post_element(one)
    return dom


def _check_post_element(one: Element) -> None:
    assert one.tag in POST_TAGS, one.tag
    assert one.attributes.keys() <= POST_ATTRIBUTES.get(one.tag, set()), (one.tag, one.attributes)
    assert set(one.attributes.get("class", "").split()) <= POST_CLASSES, one.attributes
    if "href" in one.attributes:
        check_link(one.attributes["href"])
        assert one.attributes.get("rel"), one.attributes


def check_page(html: str, *, forms: bool = False) -> Dom:
    """Fail for a page with anything in it that our templates do not write and a post may not bring."""
    dom = Dom(html)
    for one in list(dom.root.walk())[1:]:
        assert one.tag in TAGS, one.tag
        assert one.attributes.keys() <= ATTRIBUTES, (one.tag, one.attributes)
        assert forms or one.tag not in ("form", "input", "button", "label"), one.tag
        assert set(one.attributes.get("class", "").split()) <= CLASSES, one.attributes
        for name in ("href", "src", "action"):
            if name in one.attributes:
                check_link(one.attributes[name])
        if one.tag == "link":
            assert one.attributes["rel"] in ("stylesheet", "alternate"), one.attributes
            assert one.attributes["href"].startswith((BASE, "/static/")), one.attributes
        if one.tag == "div" and one.parent is not None and one.parent.tag in ("article", "details"):
            for inner in list(one.walk())[1:]:
                _check_post_element(inner)
    for tag in ("html", "head", "body", "main", "footer"):
        assert len(dom.root.all(tag)) == 1, tag
    return dom


def policy_of(answer: Answer) -> dict[str, str]:
    """Return the content security policy of an answer."""
    parts = (part.strip().partition(" ") for part in answer.header("content-security-policy").split(";"))
    return {name: value for name, _, value in parts if name}
