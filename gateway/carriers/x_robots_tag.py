"""``X-Robots-Tag`` and its JSON-LD twin ``xRobotsTag`` (FEP-5e53): noai, noimageai, noindex.

Not a standard; read by common data set builders since 2022. It can only say no. ``noarchive`` is
sent along because Bing documents it as a training opt-out, but is too weak to be read as one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.carriers.reading import Reading, Source, stated
from gateway.preferences import TRAINING, Category, Preference, Preferences

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "x-robots-tag"
REVISION = "deviantart-2022/fep-5e53"
INEXPRESSIBLE = frozenset(Category) - {*TRAINING, Category.SEARCH}
_WORDS = {
    "noai": TRAINING,
    "noimageai": TRAINING,
    "noindex": (Category.SEARCH,),
    "none": (Category.SEARCH,),
}
# Directives that take a value look like an addressee, and are none.
_VALUED = ("max-snippet", "max-image-preview", "max-video-preview", "unavailable_after")


def words(prefs: Preferences) -> tuple[str, ...]:
    """Return the words for a JSON-LD ``xRobotsTag``."""
    training = ("noai", "noimageai") if any(prefs.disallows(category) for category in TRAINING) else ()
    return (*training, *(("noindex",) if prefs.disallows(Category.SEARCH) else ()))


def web_words(prefs: Preferences) -> tuple[str, ...]:
    """Return the words for HTTP and HTML, where ``noarchive`` has a meaning of its own."""
    said = words(prefs)
    return (*said[:2], "noarchive", *said[2:]) if "noai" in said else said


def parse(values: Iterable[str], source: Source, *, carrier: str = NAME) -> Reading:
    """Read header lines or meta contents: lists, repeated, in any case, with ``botname:`` prefixes ignored.

    A word addressed to one bot is not said to everybody and is not read.
    """
    raw = [value for value in values if isinstance(value, str)]
    found: dict[Category, Preference] = {}
    for value in raw:
        addressee = re.match(r"\s*([A-Za-z0-9_-]+)\s*:", value)
        if addressee and addressee[1].lower() not in _VALUED:
            continue
        for word in re.split(r"[,\s]+", value.lower()):
            found |= dict.fromkeys(_WORDS.get(word, ()), Preference.DISALLOW)
    return stated(source, carrier=carrier, revision=REVISION, prefs=Preferences(found), raw=", ".join(raw))
