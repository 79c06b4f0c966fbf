"""Reading costs in proportion to length: no input of allowed size is made to keep a server busy or fill its memory."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from carriers.samples import SOURCE

from gateway.activitypub import sanitise
from gateway.carriers import html_meta, http_headers, jsonld_terms, robots_txt
from gateway.carriers.jsonld_terms import TermValues
from gateway.jsonld import strict

if TYPE_CHECKING:
    from collections.abc import Callable

# Four times the input may cost ten times as much: in proportion is 4, its square is 16.
FACTOR, ALLOWED = 4, 10
FLOOR = 0.008  # seconds: below, nothing can be told apart
USAGE = {"v": 2, "prefs": {"tdm": "n"}}


def _agents_then_rules(size: int) -> None:
    robots_txt.parse("User-agent: a\n" * size + "Allow: /\n" * size, SOURCE)


def _other_agents_then_rules(size: int) -> None:
    robots_txt.parse("".join(f"User-agent: {n}\n" for n in range(size)) + "Allow: /\n" * size, SOURCE)


def _rules(size: int) -> None:
    robots_txt.parse("User-agent: *\n" + "Content-Usage: /a*b$ search=n\n" * size, SOURCE, path="/" + "a" * 200)


def _stars(size: int) -> None:
    robots_txt.parse(f"User-agent: *\nContent-Usage: /{'*a' * size}$ search=n\n", SOURCE, path="/" + "a" * size)


def _lines(size: int) -> None:
    usage = [("ai-usage", f"search=n, a{n}=n") for n in range(size)]
    http_headers.parse(usage + [("content-usage", f"search=n, a{n}=n") for n in range(size)], SOURCE)


def _metas(size: int) -> None:
    usage = [f'<meta name="ai-usage" content="search=n, a{n}=n">' for n in range(size)]
    more = [f'<meta name="content-usage" content="search=n, a{n}=n">' for n in range(size)]
    html_meta.parse("".join(usage + more), SOURCE)


def _terms(size: int) -> None:
    texts = [f"search=n, a{n}=n" for n in range(size)]
    jsonld_terms.parse(TermValues(ai_usage=[USAGE] * size, content_usage=texts, indexable=[False] * size), SOURCE)


def _nested_terms(size: int) -> None:
    jsonld_terms.parse(TermValues(ai_usage=[[USAGE] * 32] * size, content_usage="search=n"), SOURCE)


def _page(text: str) -> Callable[[int], None]:
    return lambda size: void(html_meta.parse(text * size, SOURCE))


def _clean(text: str) -> Callable[[int], None]:
    return lambda size: void(sanitise.clean(text * size))


def _words(text: str) -> Callable[[int], None]:
    return lambda size: void(sanitise.to_html(text * size, {}, "https://gw.example/tags/"))


def _json(start: bytes, text: bytes, end: bytes) -> Callable[[int], None]:
    return lambda size: void(strict.read(start + text * size + end))


def void(_: object) -> None:
    """Take a value that nobody looks at."""


CASES: dict[str, tuple[Callable[[int], None], int]] = {
    "robots: one agent many times, then rules": (_agents_then_rules, 250),
    "robots: many agents, then rules": (_other_agents_then_rules, 250),
    "robots: many preference rules": (_rules, 500),
    "robots: a pattern of stars": (_stars, 2000),
    "headers: many lines of each kind": (_lines, 12),
    "page: many elements of each kind": (_metas, 25),
    "page: less-than signs": (_page("<"), 20_000),
    "page: comments that do not end": (_page("<!--"), 20_000),
    "page: declarations": (_page("<![a"), 20_000),
    "page: start tags that do not end": (_page("<a b='"), 40_000),
    "page: scripts that do not end": (_page("<script></"), 10_000),
    "page: references": (_page("&#x"), 20_000),
    "terms: many values of each": (_terms, 8),
    "terms: lists in lists": (_nested_terms, 4),
    "html: open elements": (_clean("<b><i>"), 2_000),
    "html: ruby": (_clean("<ruby><rt>"), 500),
    "html: links": (_clean("<a href=x>"), 500),
    "text: addresses that begin": (_words("https://a"), 2_000),
    "text: mentions that begin": (_words("@a@b-"), 2_000),
    "text: tags of digits": (_words("#1"), 5_000),
    "json: items": (_json(b"[0", b",0", b"]"), 4_000),
    "json: escapes": (_json(b'"', b"\\u00e9\\\\", b'"'), 20_000),
    "json: members": (_json(b'{"a":[', b'{"b":1},', b"0]}"), 1_500),
}


def _seconds(read: Callable[[int], None], *sizes: int) -> list[float]:
    """Return the processor time of a reading of each size: the best of several turns, which others disturb least."""
    found: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(4):
        for size in sizes:
            started = time.process_time()
            read(size)
            found[size].append(time.process_time() - started)
    return [min(found[size]) for size in sizes]


def _memory(read: Callable[[int], None], size: int) -> int:
    tracemalloc.start()
    try:
        read(size)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", CASES)
def test_time_grows_in_proportion(name: str) -> None:
    """Four times the input takes no more than ten times the processor time."""
    read, size = CASES[name]
    less, more = _seconds(read, size, size * FACTOR)
    assert more <= ALLOWED * max(less, FLOOR), f"{less * 1000:.1f} ms, then {more * 1000:.1f} ms"


@pytest.mark.parametrize("name", CASES)
def test_memory_grows_in_proportion(name: str) -> None:
    """Four times the input takes no more than ten times the memory."""
    read, size = CASES[name]
    less, more = _memory(read, size), _memory(read, size * FACTOR)
    assert more <= ALLOWED * max(less, 100_000), f"{less} bytes, then {more} bytes"
