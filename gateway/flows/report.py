"""What is printed of statements and answers: the same words in commands and in their JSON twins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.carriers.forms import could_not_say
from gateway.clock import rfc3339
from gateway.preferences.combine import EFFECTS

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.preferences import Because, Effective, Statement


def _when(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment is not None else None


def _source(statement: Statement) -> dict[str, Any]:
    declarant = statement.declared_by
    return {
        "declaredBy": {"kind": declarant.kind.value, "id": declarant.id, "auth": declarant.auth.value},
        "subject": {"scope": statement.subject.scope.value, "ref": statement.subject.ref},
        "carrier": statement.carrier,
        "raw": statement.raw,
        "asserted": _when(statement.asserted_at),
        "observed": _when(statement.observed_at),
    }


def statement_json(statement: Statement) -> dict[str, Any]:
    """Return a statement with what its carrier could not have said."""
    return {
        **_source(statement),
        "revision": statement.carrier_revision,
        "prefs": statement.prefs.as_json(),
        "couldNotSay": [category.value for category in could_not_say(statement)],
        "projectionOf": statement.projection_of,
        "legacy": statement.legacy,
        "audience": {"kind": statement.audience.kind, "value": statement.audience.value},
        "conditions": [{"category": c.category.value, "kind": c.kind, "value": c.value} for c in statement.conditions],
        "expires": _when(statement.expires_at),
    }


def because_json(because: Because) -> dict[str, Any]:
    """Return what one statement did to an answer."""
    return {"effect": because.effect, "says": EFFECTS[because.effect], **_source(because.statement)}


def answer_json(effective: Effective) -> dict[str, Any]:
    """Return the answer for one category with everything behind it."""
    return {
        "category": effective.category.value,
        "answer": effective.answer.value if effective.answer else None,
        "because": [because_json(because) for because in effective.because],
    }
