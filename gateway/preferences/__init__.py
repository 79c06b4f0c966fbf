"""The concept: who asks for what about whose work. Standard library only, no input or output.

Vocabulary, subjects, statements, how they combine, how they may change, and how an author's own
choices become one answer at home.
"""

from gateway.preferences.change import Change, change
from gateway.preferences.combine import Because, Effective, agreeing, combine, combined, strictest
from gateway.preferences.home import narrowest, statements_at_home
from gateway.preferences.presets import PRESETS, Preset
from gateway.preferences.statement import (
    ANYBODY,
    Audience,
    Auth,
    Condition,
    Declarant,
    DeclarantKind,
    Statement,
)
from gateway.preferences.subject import Scope, Subject
from gateway.preferences.vocabulary import (
    AI_USES,
    AXES,
    CATEGORIES,
    MEANINGS,
    NOTHING,
    TRAINING,
    Category,
    Preference,
    Preferences,
    labels,
)

__all__ = [
    "AI_USES", "ANYBODY", "AXES", "CATEGORIES", "MEANINGS", "NOTHING", "PRESETS", "TRAINING",
    "Audience", "Auth", "Because", "Category", "Change", "Condition", "Declarant", "DeclarantKind",
    "Effective", "Preference", "Preferences", "Preset", "Scope", "Statement", "Subject",
    "agreeing", "change", "combine", "combined", "labels", "narrowest", "statements_at_home", "strictest",
]  # fmt: skip
