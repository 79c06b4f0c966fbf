"""Statements to combine: one short call makes one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.preferences import (
    ANYBODY,
    Audience,
    Auth,
    Declarant,
    DeclarantKind,
    Preference,
    Preferences,
    Scope,
    Statement,
    Subject,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
ALICE = Declarant(kind=DeclarantKind.AUTHOR, id="https://a.example/users/alice", auth=Auth.HTTP_SIGNATURE)
BOB = Declarant(kind=DeclarantKind.AUTHOR, id="https://b.example/users/bob", auth=Auth.HTTP_SIGNATURE)
SERVER = Declarant(kind=DeclarantKind.INSTANCE, id="https://a.example", auth=Auth.TLS)
NOTE = Subject(scope=Scope.OBJECT, ref="https://a.example/posts/1")
CRAWLER = Audience(kind="domain", value="crawler.example")


def says(
    declared_by: Declarant = ALICE,
    *,
    subject: Subject = NOTE,
    carrier: str = "aiUsage",
    audience: Audience = ANYBODY,
    expires_at: datetime | None = None,
    projection_of: str | None = None,
    **stated: str,
) -> Statement:
    """Return the statement in which ``declared_by`` says e.g. ``train_gen="n"``."""
    return Statement(
        subject=subject,
        prefs=Preferences.of(**stated),
        declared_by=declared_by,
        carrier=carrier,
        observed_at=AT,
        audience=audience,
        expires_at=expires_at,
        projection_of=projection_of,
    )


def strictest_word(words: Sequence[str]) -> Preference | None:
    """Return the oracle's answer: n if any says n, else y if any says y, else unstated ("")."""
    return Preference(max(words, key=" yn".find)) if any(words) else None
