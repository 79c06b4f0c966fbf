"""Our own authors' preferences before anything is sent: the one place where the narrower scope wins.

The result is one combined answer an object, as statements: what the author said, and, for what
the author left unstated, what the operator asks for, declared as the instance's own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.preferences.statement import Auth, Declarant, DeclarantKind, Statement
from gateway.preferences.vocabulary import Preferences

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from gateway.preferences.subject import Subject
    from gateway.preferences.vocabulary import Category, Preference

CARRIER = "home"


def narrowest(layers: Iterable[Preferences]) -> Preferences:
    """Return, per category, what the first layer that speaks about it says (narrowest layer first)."""
    result: dict[Category, Preference] = {}
    for layer in layers:
        for category, preference in layer.items():
            result.setdefault(category, preference)
    return Preferences(result)


def statements_at_home(
    *, subject: Subject, author: str, said: Preferences, instance: str, asked: Preferences, at: datetime
) -> tuple[Statement, ...]:
    """Return the author's statement and the instance's, which speaks only where the author did not."""
    filled = Preferences({category: value for category, value in asked.items() if category not in said})
    spoken = (
        (Declarant(kind=DeclarantKind.AUTHOR, id=author, auth=Auth.LOCAL), said),
        (Declarant(kind=DeclarantKind.INSTANCE, id=instance, auth=Auth.LOCAL), filled),
    )
    return tuple(
        Statement(subject=subject, prefs=prefs, declared_by=declarant, carrier=CARRIER, observed_at=at, asserted_at=at)
        for declarant, prefs in spoken
        if prefs
    )
