"""HTML that is safe to show: ours made from text, others' cut down to what a post needs (nh3)."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import nh3

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HTML = 100_000
MAX_TAGS = 4_000  # of one text, ends included: an end looks through all that is open
MAX_TAGS_IN_ALL = 16_000  # of one document
MAX_STYLED = 40  # formatting tags with attributes in one text; with more of them the attributes go first
_TAG_START = re.compile(r"</?[A-Za-z]")
_TAG = re.compile(r"<[^<>]{0,1000}>")
# Formatting elements are opened anew in every paragraph that follows while they are open (HTML, 13.2.4.3): three of a
# kind at most when they are alike, each of them when their attributes differ, and of <a> the last.
_FORMATTING = "b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u"
_STYLED = re.compile(rf"<({_FORMATTING})[\t\n\f\r /][^>]*", re.ASCII | re.IGNORECASE)
_PLAIN = re.compile(rf"<({_FORMATTING})>", re.ASCII | re.IGNORECASE)
_LINK = re.compile(r"<a[\t\n\f\r />][^>]*", re.ASCII | re.IGNORECASE)
ALIKE = 3
MAX_OPENED = 300_000  # elements that may come of the HTML of one document: a hundred milliseconds
MAX_OPENED_LENGTH = 4_000_000  # characters of them
MOST_GROWTH, GROWTH_FREE = 3, 10_000  # times the length, and characters: what links are given besides
TAGS = {
    "a", "b", "blockquote", "br", "code", "del", "em", "h2", "h3", "h4", "i", "li", "ol", "p", "pre", "q", "rb",
    "rp", "rt", "rtc", "ruby", "s", "span", "strong", "sub", "sup", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "class", "lang"}, "span": {"class", "lang"}, "p": {"lang"}, "ol": {"start"}}
_HTML = {
    f"{prefix}{name}"
    for prefix in ("", "as:", "https://www.w3.org/ns/activitystreams#")
    for name in ("content", "contentMap", "summary", "summaryMap")
}
_CLASSES = {"a": {"mention", "hashtag", "u-url"}, "span": {"h-card", "invisible", "ellipsis"}}
_CLEANER = nh3.Cleaner(
    tags=TAGS,
    attributes={tag: set(names) - {"class"} for tag, names in _ATTRIBUTES.items()},
    allowed_classes={tag: set(names) for tag, names in _CLASSES.items()},
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",  # it would lead somewhere on our own site
    link_rel="nofollow noopener noreferrer ugc",
    strip_comments=True,
)
_BREAK = re.compile(r"<(?:br|/p|/li|/h\d)[^<>]*>")
_TEXT_ONLY = nh3.Cleaner(tags=set())
_WORD = re.compile(
    r"(?P<url>https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]])"
    r"|(?<![\w/@])(?P<mention>@[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+(?::\d+)?[A-Za-z0-9])"
    r"|(?<![\w/&#])#(?P<tag>\w*[^\W\d_]\w*)"
)


def clean(remote: str) -> str:
    """Return remote HTML without scripts, styles, forms, images or trackers; as plain text when it is all tags."""
    return _Budget().clean(remote)


def _without_tags(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _opened(text: str) -> tuple[int, int]:
    """Return how many elements a parser can open anew for the tags of ``text``, and their length, at most."""
    styled = [len(match[0]) for match in _STYLED.finditer(text)]
    kinds = {match[1].lower() for match in _PLAIN.finditer(text)}
    link = max((len(match[0]) for match in _LINK.finditer(text)), default=0)
    tags = _tags_in(text)
    elements = len(styled) + ALIKE * len(kinds) + (link > 0)
    return tags * elements, tags * (sum(styled) + ALIKE * len(kinds) * len("<strong></strong>") + 2 * link)


def _unstyled(text: str) -> str:
    """Return ``text`` so that parsing it cannot make many elements of few: with few attributes on formatting tags."""
    many = next(islice(_STYLED.finditer(text), MAX_STYLED, None), None)
    return text if many is None else _STYLED.sub(r"<\1", text)


def _tags_in(text: str) -> int:
    return sum(1 for _ in _TAG_START.finditer(text))


@dataclass(slots=True)
class _Budget:
    """How much the HTML of one document may still make a parser do."""

    tags: int = MAX_TAGS_IN_ALL
    opened: int = MAX_OPENED
    length: int = MAX_OPENED_LENGTH

    def takes(self, text: str) -> bool:
        """Tell whether a parser may have ``text``, and count it."""
        tags, (opened, length) = _tags_in(text), _opened(text)
        if tags > min(self.tags, MAX_TAGS) or opened > self.opened or length > self.length:
            return False
        self.tags, self.opened, self.length = self.tags - tags, self.opened - opened, self.length - length
        return True

    def clean(self, remote: str) -> str:
        """Clean one piece within what is left."""
        text = _unstyled(remote[:MAX_HTML])
        if self.takes(text):
            cleaned = _CLEANER.clean(text)
            if len(cleaned) <= MOST_GROWTH * len(text) + GROWTH_FREE:
                return cleaned
        return html.escape(_without_tags(text))


def clean_document(document: Mapping[str, object]) -> dict[str, object]:
    """Return a document whose HTML members (content and summary, in every language) are safe to show.

    Also inside of other objects, and in shapes that ActivityStreams does not know. A ``source`` is no HTML.
    """
    return _clean_members(document, _Budget())


def _clean_members(document: Mapping[str, object], budget: _Budget) -> dict[str, object]:
    return {
        name: _clean_html(value, budget)
        if name in _HTML
        else value
        if name == "source"
        else _clean_inside(value, budget)
        for name, value in document.items()
    }


def _clean_html(value: object, budget: _Budget) -> object:
    if isinstance(value, str):
        return budget.clean(value)
    if isinstance(value, dict):
        return {key: _clean_html(item, budget) for key, item in value.items() if isinstance(item, (str, list, dict))}
    return [_clean_html(item, budget) for item in value] if isinstance(value, list) else value


def _clean_inside(value: object, budget: _Budget) -> object:
    if isinstance(value, dict):
        return _clean_members(value, budget)
    return [_clean_inside(item, budget) for item in value] if isinstance(value, list) else value


def plain(remote: str) -> str:
    """Return the text of HTML without any markup, whitespace folded."""
    text = _unstyled(_BREAK.sub(" ", remote[:MAX_HTML]))
    if not _Budget().takes(text):
        return _without_tags(text)
    return " ".join(html.unescape(_TEXT_ONLY.clean(text)).split())


def mentions_in(text: str) -> list[str]:
    """Return each ``@user@host`` in ``text`` once, in order."""
    return list(dict.fromkeys(match["mention"] for match in _WORD.finditer(text) if match["mention"]))


def hashtags_in(text: str) -> list[str]:
    """Return each hashtag in ``text`` once, without its ``#``, in order."""
    return list(dict.fromkeys(match["tag"] for match in _WORD.finditer(text) if match["tag"]))


def to_html(text: str, mentioned: Mapping[str, str], tag_base: str) -> str:
    """Return plain text as HTML: paragraphs, links, mentions (handle -> actor) and hashtags."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return "".join(f"<p>{_linked(paragraph, mentioned, tag_base)}</p>" for paragraph in paragraphs)


def _linked(text: str, mentioned: Mapping[str, str], tag_base: str) -> str:
    parts: list[str] = []
    position = 0
    for match in _WORD.finditer(text):
        parts.append(html.escape(text[position : match.start()]))
        parts.append(_link(match, mentioned, tag_base))
        position = match.end()
    parts.append(html.escape(text[position:]))
    return "".join(parts).replace("\n", "<br>")


def _link(match: re.Match[str], mentioned: Mapping[str, str], tag_base: str) -> str:
    shown = html.escape(match[0])
    if match["url"]:
        return f'<a href="{shown}" rel="nofollow noopener noreferrer">{shown}</a>'
    if match["tag"]:
        target = html.escape(tag_base + match["tag"].lower())
        return f'<a href="{target}" class="mention hashtag" rel="tag">{shown}</a>'
    actor = mentioned.get(match[0])
    if actor is None:
        return shown
    return f'<span class="h-card"><a href="{html.escape(actor)}" class="u-url mention">{shown}</a></span>'
