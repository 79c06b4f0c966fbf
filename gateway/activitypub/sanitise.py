"""HTML that is safe to show: ours made from text, others' cut down to what a post needs (nh3)."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import nh3

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_HTML = 100_000
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
_WORD = re.compile(
    r"(?P<url>https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]])"
    r"|(?<![\w/@])(?P<mention>@[A-Za-z0-9_.-]+@[A-Za-z0-9.-]+(?::\d+)?[A-Za-z0-9])"
    r"|(?<![\w/&#])#(?P<tag>\w*[^\W\d_]\w*)"
)


def clean(remote: str) -> str:
    """Return remote HTML without scripts, styles, forms, images or trackers."""
    return nh3.clean(
        remote[:MAX_HTML],
        tags=TAGS,
        attributes={tag: set(names) - {"class"} for tag, names in _ATTRIBUTES.items()},
        allowed_classes={tag: set(names) for tag, names in _CLASSES.items()},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer ugc",
        strip_comments=True,
    )


def clean_document(document: Mapping[str, object]) -> dict[str, object]:
    """Return a document whose HTML members (content and summary, in every language) are safe to show.

    Also inside of other objects, and in shapes that ActivityStreams does not know. A ``source`` is no HTML.
    """
    return {
        name: _clean_html(value) if name in _HTML else value if name == "source" else _clean_inside(value)
        for name, value in document.items()
    }


def _clean_html(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _clean_html(item) for key, item in value.items() if isinstance(item, (str, list, dict))}
    return [_clean_html(item) for item in value] if isinstance(value, list) else value


def _clean_inside(value: object) -> object:
    if isinstance(value, dict):
        return clean_document(value)
    return [_clean_inside(item) for item in value] if isinstance(value, list) else value


def plain(remote: str) -> str:
    """Return the text of HTML without any markup, whitespace folded."""
    text = re.sub(r"<(?:br|/p|/li|/h\d)[^<>]*>", " ", remote[:MAX_HTML])
    return " ".join(html.unescape(nh3.clean(text, tags=set())).split())


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
