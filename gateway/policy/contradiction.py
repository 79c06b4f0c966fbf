"""Does somebody state the opposite of what an author asked? Only an explicit opposite counts.

What one carrier says is judged as a whole: a part that the whole does not repeat, an expired or a
conditional yes allow nothing. What an intermediary between us and the peer may have injected (a CDN's
header) proves nothing, and ``indexable`` speaks about an actor's own posts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.preferences import Category, DeclarantKind, Preferences, combined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.preferences import Statement

NOT_ABOUT_USE = frozenset({"indexable"})


def contradictions(asked: Preferences, shown: Iterable[Statement]) -> tuple[tuple[Category, Statement], ...]:
    """Return (category, statement) wherever a carrier, for everybody, says ``y`` to what was asked ``n``."""
    carriers: dict[str, list[Statement]] = {}
    for statement in sorted(shown, key=lambda s: s.order):
        if statement.declared_by.kind is not DeclarantKind.INTERMEDIARY and statement.carrier not in NOT_ABOUT_USE:
            carriers.setdefault(statement.carrier, []).append(statement)
    return tuple(
        (category, statement)
        for said in carriers.values()
        for category, statement in _allowed(said)
        if asked.disallows(category)
    )


def _allowed(said: list[Statement]) -> list[tuple[Category, Statement]]:
    """Return what one carrier allows to everybody without conditions, with the statement that says so."""
    whole = combined(said, at=max(statement.observed_at for statement in said))
    return [
        (category, statement)
        for statement in said
        for category in statement.prefs
        if whole.allows(category)
        and statement.prefs.allows(category)
        and statement.audience.kind == "any"
        and category not in {condition.category for condition in statement.conditions}
    ]
