"""``Content-Signal``: search, ai-input and ai-train with yes or no (Cloudflare Content Signals Policy).

Stands inside a robots.txt group. An omitted signal neither grants nor restricts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.carriers.content_usage import joint
from gateway.carriers.reading import Reading, Source, stated
from gateway.preferences import TRAINING, Category, Preference, Preferences

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "content-signal"
REVISION = "content-signals-2025"
SIGNALS: Mapping[str, tuple[Category, ...]] = {
    "search": (Category.SEARCH,),
    "ai-input": (Category.AI_INPUT, Category.AI_GENERATE),
    "ai-train": TRAINING,
}
INEXPRESSIBLE = frozenset(Category) - {category for signal in SIGNALS.values() for category in signal}
_WORDS = {Preference.DISALLOW: "no", Preference.ALLOW: "yes"}


def render(prefs: Preferences) -> str:
    """Return ``search=yes, ai-input=no, ai-train=no``; empty when nothing can be said."""
    said = ((signal, joint(prefs, categories)) for signal, categories in SIGNALS.items())
    return ", ".join(f"{signal}={_WORDS[value]}" for signal, value in said if value is not None)


def parse(text: str, source: Source, *, carrier: str = NAME) -> Reading:
    """Read a signal line; unknown keys and values state nothing."""
    prefs: dict[Category, Preference] = {}
    for part in text.split(","):
        key, _, value = part.partition("=")
        said = {"yes": Preference.ALLOW, "no": Preference.DISALLOW}.get(value.strip().lower())
        if said is not None:
            prefs |= dict.fromkeys(SIGNALS.get(key.strip().lower(), ()), said)
    return stated(source, carrier=carrier, revision=REVISION, prefs=Preferences(prefs), raw=text)
