"""``AI-Usage``: the whole model in one line, the lossless companion of every response.

Our own form (FEP draft "AI Usage Preferences"): a Structured Fields dictionary from each category
or reuse axis to the token ``y`` or ``n``. It stands in the HTTP header ``AI-Usage``, in the HTML
meta element ``ai-usage``, in feeds, and is what the command line takes as ``--prefs``.
"""

from __future__ import annotations

from gateway.carriers.reading import Reading, Source, stated, unreadable
from gateway.carriers.structured import parse_tokens, preference
from gateway.preferences import Category, Preferences

NAME = "ai-usage"
REVISION = "fep-1e38/1"
INEXPRESSIBLE: frozenset[Category] = frozenset()


def render(prefs: Preferences) -> str:
    """Return ``train-gen=n, search=y`` in the order of the vocabulary; empty when nothing is stated."""
    return ", ".join(f"{category}={value}" for category, value in prefs.items())


def parse(text: str, source: Source, *, carrier: str = NAME) -> Reading:
    """Read the line; anything but a known category with y or n states nothing."""
    prefs = parse_prefs(text)
    if prefs is None:
        return unreadable(carrier, "not-a-dictionary", text)
    return stated(source, carrier=carrier, revision=REVISION, prefs=prefs, raw=text)


def parse_prefs(text: str) -> Preferences | None:
    """Return the preferences alone, or None when ``text`` is no dictionary."""
    members = parse_tokens(text)
    if members is None:
        return None
    said = ((category, preference(members.get(category.value, (None, {}))[0])) for category in Category)
    return Preferences({category: value for category, value in said if value is not None})


def unknown_words(text: str) -> tuple[str, ...]:
    """Return what in ``text`` would be passed over, so that a person can be told."""
    members = parse_tokens(text)
    if members is None:
        return (text,)
    names = {category.value for category in Category}
    return tuple(key for key, (value, _) in members.items() if key not in names or preference(value) is None)
