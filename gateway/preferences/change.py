"""What may change in a known preference, and what may not: tightening is easy, loosening is earned.

A loosening (``n`` to anything else, ``y`` that was not there, or silence where there was a no) counts
only in the author's own, verified and newer statement. A refetch never loosens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.preferences.vocabulary import Category, Preference, Preferences

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The preferences to keep and which categories moved: ``held`` are loosenings that were not earned."""

    result: Preferences
    tightened: tuple[Category, ...] = ()
    loosened: tuple[Category, ...] = ()
    held: tuple[Category, ...] = ()


def change(
    before: Preferences,
    after: Preferences,
    *,
    by_author: bool,
    asserted_before: datetime | None = None,
    asserted_after: datetime | None = None,
) -> Change:
    """Return what becomes of ``before`` when ``after`` is read.

    ``by_author``: the author's own verified Update says so (not a refetch, not somebody else).
    The two moments are the object's ``updated`` times; an older or undated one never loosens a dated one.
    """
    newer = asserted_before is None or (asserted_after is not None and asserted_after > asserted_before)
    earned = by_author and newer
    result: dict[Category, Preference] = {}
    moved: dict[str, list[Category]] = {"tightened": [], "loosened": [], "held": []}
    for category in Category:
        old, new = before.get(category), after.get(category)
        kept = new
        if _rank(new) < _rank(old):
            moved["loosened" if earned else "held"].append(category)
            kept = new if earned else old
        elif _rank(new) > _rank(old):
            moved["tightened"].append(category)
        if kept is not None:
            result[category] = kept
    return Change(result=Preferences(result), **{name: tuple(categories) for name, categories in moved.items()})


def _rank(preference: Preference | None) -> int:
    """Return how strict a state is: y, then unstated, then n."""
    return {Preference.ALLOW: 0, None: 1, Preference.DISALLOW: 2}[preference]
