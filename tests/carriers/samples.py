"""Where texts are found, and short ways to say what was read in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.carriers.reading import Source
from gateway.preferences import Auth, Declarant, DeclarantKind, Scope, Subject, combined

if TYPE_CHECKING:
    from gateway.carriers.reading import Reading

AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
ALICE = Declarant(kind=DeclarantKind.AUTHOR, id="https://a.example/users/alice", auth=Auth.HTTP_SIGNATURE)
NOTE = Subject(scope=Scope.OBJECT, ref="https://a.example/posts/1")
SOURCE = Source(subject=NOTE, declared_by=ALICE, observed_at=AT)
POLICY = "https://a.example/policies/tdm.json"


def said(reading: Reading) -> list[dict[str, str]]:
    """Return what each statement of ``reading`` says, in order."""
    return [prefs.as_json() for prefs in reading.prefs]


def answer(reading: Reading, consumer: str | None = None) -> dict[str, str]:
    """Return what the statements of ``reading`` say together."""
    return combined(reading.statements, at=AT, consumer=consumer).as_json()


def problems(reading: Reading) -> list[tuple[str, str]]:
    """Return carrier and code of each problem."""
    return [(problem.carrier, problem.code) for problem in reading.problems]
