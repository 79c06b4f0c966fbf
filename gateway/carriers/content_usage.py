"""``Content-Usage``: the AIPREF header, robots.txt rule and JSON-LD string.

Sources: draft-ietf-aipref-vocab-08 (tokens), draft-ietf-aipref-attach-05 (where it stands).
Labels are flat; unknown labels and values other than the tokens y and n state nothing. Labels of
earlier drafts count as a no, never as a yes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.carriers.reading import EMPTY, Reading, Source, stated, unreadable
from gateway.carriers.structured import parse_tokens, preference
from gateway.preferences import CATEGORIES, Category, Condition, Preference, Preferences

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "content-usage"
REVISION = "attach-05/vocab-08"
VOCABULARY_URL = "https://datatracker.ietf.org/doc/html/draft-ietf-aipref-vocab-08"

TOKENS: Mapping[str, tuple[Category, ...]] = {
    "train-ai": (Category.TRAIN_GEN,),
    "ai-use": (Category.AI_INPUT, Category.AI_GENERATE),
    "search": (Category.SEARCH,),
}
_LEGACY: Mapping[str, tuple[Category, ...]] = {
    "train-genai": (Category.TRAIN_GEN,),
    "genai": (Category.TRAIN_GEN,),
    "ai": (Category.TRAIN_GEN, Category.TRAIN_OTHER),
    "inference": (Category.AI_INPUT, Category.AI_GENERATE),
    "ai-output": (Category.AI_INPUT, Category.AI_GENERATE),
    "tdm": CATEGORIES,
    "all": CATEGORIES,
    "bots": CATEGORIES,
}
INEXPRESSIBLE = frozenset(Category) - {category for token in TOKENS.values() for category in token}


def render(prefs: Preferences) -> str:
    """Return the header value, e.g. ``train-ai=n, ai-use=n, search=y``; empty when nothing can be said."""
    said = ((label, joint(prefs, categories)) for label, categories in TOKENS.items())
    return ", ".join(f"{label}={value}" for label, value in said if value is not None)


def joint(prefs: Preferences, categories: tuple[Category, ...]) -> Preference | None:
    """Return what one token may say for several categories: n if any is n, y only if all are y."""
    if any(prefs.disallows(category) for category in categories):
        return Preference.DISALLOW
    return Preference.ALLOW if all(prefs.allows(category) for category in categories) else None


def parse(text: str, source: Source, *, carrier: str = NAME) -> Reading:
    """Read a header value, a robots.txt value or a JSON-LD string."""
    members = parse_tokens(text)
    if members is None:
        return unreadable(carrier, "not-a-dictionary", text)
    if not members:
        return EMPTY
    prefs: dict[Category, Preference] = {}
    conditions: list[Condition] = []
    for label, categories in TOKENS.items():
        value, parameters = members.get(label, (None, {}))
        if (said := preference(value)) is not None:
            prefs |= dict.fromkeys(categories, said)
            conditions += [
                Condition(category=category, kind=name, value=str(argument))
                for category in categories
                for name, argument in parameters.items()
            ]
    current = stated(
        source, carrier=carrier, revision=REVISION, prefs=Preferences(prefs), raw=text, conditions=tuple(conditions)
    )
    return current + stated(source, carrier=carrier, revision="legacy", prefs=_legacy(members), raw=text, legacy=True)


def _legacy(members: Mapping[str, tuple[object, object]]) -> Preferences:
    refused = [
        category
        for label, categories in _LEGACY.items()
        if preference(members.get(label, (None, None))[0]) is Preference.DISALLOW
        for category in categories
    ]
    return Preferences(dict.fromkeys(refused, Preference.DISALLOW))
