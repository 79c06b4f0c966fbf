"""``indexable`` (FEP-5feb, Mastodon 4.2 and later): may this be found by fediverse search.

For its own readers a missing value means no; in this model it means that nothing was said.
"""

from __future__ import annotations

from gateway.carriers.reading import EMPTY, Reading, Source, stated
from gateway.preferences import Category, Preference, Preferences

NAME = "indexable"
REVISION = "fep-5feb"
INEXPRESSIBLE = frozenset(Category) - {Category.SEARCH}


def render(prefs: Preferences) -> bool | None:
    """Return the boolean, or None when ``search`` is unstated."""
    said = prefs.get(Category.SEARCH)
    return None if said is None else said is Preference.ALLOW


def parse(value: object, source: Source, *, carrier: str = NAME) -> Reading:
    """Read the boolean; anything else states nothing."""
    if not isinstance(value, bool):
        return EMPTY
    said = Preference.ALLOW if value else Preference.DISALLOW
    prefs = Preferences({Category.SEARCH: said})
    return stated(source, carrier=carrier, revision=REVISION, prefs=prefs, raw=str(value).lower())
