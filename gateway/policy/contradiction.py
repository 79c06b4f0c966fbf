"""Does somebody state the opposite of what an author asked? Only an explicit opposite counts.

What an intermediary between us and the peer may have injected (a CDN's header) proves nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.preferences import Category, DeclarantKind, Preferences

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.preferences import Statement


def contradictions(asked: Preferences, shown: Iterable[Statement]) -> tuple[tuple[Category, Statement], ...]:
    """Return (category, statement) wherever a statement for everybody says ``y`` to what was asked ``n``."""
    return tuple(
        (category, statement)
        for statement in sorted(shown, key=lambda s: s.order)
        if statement.audience.kind == "any" and statement.declared_by.kind is not DeclarantKind.INTERMEDIARY
        for category in Category
        if asked.disallows(category) and statement.prefs.allows(category)
    )
