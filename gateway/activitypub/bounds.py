"""How much of what one document may hold: more is refused whole, because what is read in part is read wrong.

The body's size, depth and members are the JSON reader's; these are the lists whose length others pay for.
Source: Mastodon's federation limits where it has any (500 options, 256 aliases), the public corpora otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.carriers.structured import MAX_TEXT
from gateway.errors import MalformedDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST: Mapping[str, int] = {
    "to": 2_000,
    "cc": 2_000,
    "bto": 2_000,
    "bcc": 2_000,
    "audience": 2_000,
    "tag": 1_000,
    "attachment": 32,
    "oneOf": 500,
    "anyOf": 500,
    "alsoKnownAs": 256,
    "object": 500,
    "url": 100,
    "attributedTo": 100,
    "proof": 10,
    "@context": 300,
    "aiUsage": 8,
    "statements": 32,
    "contentUsage": 32,
    "xRobotsTag": 32,
    "indexable": 32,
}
MAPS = frozenset({"contentMap", "nameMap", "summaryMap"})
MOST_LANGUAGES = 500  # of one text; every one is cleaned by itself
LONGEST: Mapping[str, int] = {"contentUsage": MAX_TEXT, "xRobotsTag": MAX_TEXT}
LABELS = frozenset({"aiUsage", "statements", "contentUsage", "xRobotsTag", "indexable"})
MOST_LABELS = 400  # statements and words about use in one document: each is compared with the others
MOST_DEFINITIONS = 1_000  # terms that contexts define: Mastodon's has thirty


_HOLDERS = (dict, list)  # what the JSON reader makes
_TEXTS = frozenset({*LONGEST, *MAPS})
_BOUNDED = frozenset({*MOST, *_TEXTS, *LABELS})


def check(document: Mapping[str, object]) -> None:
    """Raise MalformedDocument when a list anywhere in ``document`` is longer than what it is for."""
    labels = definitions = 0
    waiting: list[tuple[object, bool]] = [(document, False)]
    while waiting:
        value, in_context = waiting.pop()
        if isinstance(value, dict):
            definitions += len(value) if in_context else 0
            for name, item in value.items():
                if name in _BOUNDED:
                    if isinstance(item, list) and (most := MOST.get(name)) is not None and len(item) > most:
                        raise MalformedDocument(f"{len(item)} entries in {name}; {most} at most")
                    if name in _TEXTS:
                        _check_texts(name, item)
                    labels += _size(item) if name in LABELS else 0
                if isinstance(item, _HOLDERS):
                    waiting.append((item, in_context or name == "@context"))
        elif isinstance(value, list):
            definitions += len(value) if in_context else 0
            waiting += [(item, in_context) for item in value if isinstance(item, _HOLDERS)]
    if labels > MOST_LABELS or definitions > MOST_DEFINITIONS:
        raise MalformedDocument(f"{labels} words about use, {definitions} definitions in contexts")


def _check_texts(name: str, value: object) -> None:
    if name in MAPS and isinstance(value, dict) and len(value) > MOST_LANGUAGES:
        raise MalformedDocument(f"{len(value)} languages in {name}; {MOST_LANGUAGES} at most")
    longest = LONGEST.get(name)
    if longest is not None and any(isinstance(item, str) and len(item) > longest for item in _each(value)):
        raise MalformedDocument(f"{name} of more than {longest} characters")


def _each(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _size(value: object) -> int:
    """Return how many values there are, lists in lists counted by what is in them."""
    return sum(_size(item) for item in value) if isinstance(value, list) else 1
