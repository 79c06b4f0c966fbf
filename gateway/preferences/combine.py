"""Many statements, one answer: ``n`` beats ``y`` beats unstated, with the reasons.

The rule is AIPREF's (draft-ietf-aipref-vocab, section on combining) across declarants, and across
scopes for everything that came in. The narrower scope wins only at home (see ``home``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.preferences.statement import DeclarantKind
from gateway.preferences.vocabulary import Category, Preference, Preferences

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from gateway.preferences.statement import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """What one statement did to an answer: ``effect`` is a stable word, see ``EFFECTS``."""

    statement: Statement
    effect: str


EFFECTS = {
    "disallows": "says no",
    "allows": "says yes",
    "grants": "the author allows this consumer",
    "lifted": "its author lifted this no for this consumer",
    "outweighed": "says yes, but a no outweighs it",
    "expired": "has expired",
    "projection": "repeats a fuller statement of the same declarant",
    "other-audience": "speaks about somebody else",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The answer for one category: ``answer`` is None when nothing is stated."""

    category: Category
    answer: Preference | None
    because: tuple[Because, ...]


def combine(
    statements: Iterable[Statement], category: Category, *, at: datetime, consumer: str | None = None
) -> Effective:
    """Return the effective preference for ``category`` and ``consumer`` (a domain or DID) at a time."""
    return _combine(_in_order(statements), category, at, consumer)


def _in_order(statements: Iterable[Statement]) -> list[Statement]:
    """Return every statement once, in the order that does not depend on how they came in."""
    return sorted(set(statements), key=lambda s: s.order)


def _combine(ordered: Iterable[Statement], category: Category, at: datetime, consumer: str | None) -> Effective:
    said = [(s, _set_aside(s, at, consumer)) for s in ordered if category in s.prefs]
    counted = [s for s, aside in said if aside is None]
    permissions = [s for s in counted if s.prefs.allows(category)]
    grants = {s.declared_by.id for s in permissions if s.is_grant}
    refused = any(s.prefs.disallows(category) and not _is_lifted(s, grants) for s in counted)
    answer = Preference.DISALLOW if refused else Preference.ALLOW if permissions else None
    effects = ((s, aside or _effect(s, category, grants, refused=refused)) for s, aside in said)
    return Effective(
        category=category,
        answer=answer,
        because=tuple(Because(statement=s, effect=effect) for s, effect in effects),
    )


def _is_lifted(refusal: Statement, authors: Collection[str]) -> bool:
    """Tell whether one of ``authors`` said this no as the author: nobody lifts what another role refuses."""
    declarant = refusal.declared_by
    return not refusal.is_grant and declarant.kind is DeclarantKind.AUTHOR and declarant.id in authors


def _effect(statement: Statement, category: Category, grants: Collection[str], *, refused: bool) -> str:
    if statement.prefs.disallows(category):
        return "lifted" if _is_lifted(statement, grants) else "disallows"
    if refused:
        return "outweighed"
    return "grants" if statement.is_grant else "allows"


def _set_aside(statement: Statement, at: datetime, consumer: str | None) -> str | None:
    if statement.projection_of is not None:
        return "projection"
    if statement.expires_at is not None and statement.expires_at <= at:
        return "expired"
    if not statement.audience.includes(consumer):
        return "other-audience"
    return None


def combined(statements: Iterable[Statement], *, at: datetime, consumer: str | None = None) -> Preferences:
    """Return the effective preferences of all categories at once."""
    ordered = _in_order(statements)
    answers = ((category, _combine(ordered, category, at, consumer).answer) for category in Category)
    return Preferences({category: answer for category, answer in answers if answer is not None})


def strictest(*readings: Preferences) -> Preferences:
    """Return the most restrictive of several preferences: ``n`` if any says so, else ``y`` if any does."""
    result: dict[Category, Preference] = {}
    for category in Category:
        if any(reading.disallows(category) for reading in readings):
            result[category] = Preference.DISALLOW
        elif any(reading.allows(category) for reading in readings):
            result[category] = Preference.ALLOW
    return Preferences(result)


def agreeing(first: Preferences, second: Preferences) -> Preferences:
    """Return what two readings of one text allow together: a ``y`` counts only where both read it."""
    result: dict[Category, Preference] = {}
    for category in Category:
        if first.disallows(category) or second.disallows(category):
            result[category] = Preference.DISALLOW
        elif first.allows(category) and second.allows(category):
            result[category] = Preference.ALLOW
    return Preferences(result)
