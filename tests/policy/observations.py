"""Rules, observations and standings: one short call makes one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gateway.policy.rules import Rule
from gateway.policy.standing import Observation, Standing, Violation, standing

if TYPE_CHECKING:
    from gateway.policy.rules import Action

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def rule(host: str, action: Action, note: str = "") -> Rule:
    """Return a rule whose id names what it says."""
    return Rule(id=f"{action.word} {host}", host=host, action=action, note=note)


def looks(word: str, *, days_ago: float = 0) -> list[Observation]:
    """Return one observation a letter, oldest first.

    ``.`` in order, ``1`` V1, ``2`` V2, ``3`` a proven V3, ``u`` an unproven one.
    """
    kinds = {".": None, "1": Violation.DROP, "2": Violation.CONTRADICT, "3": Violation.ALTER, "u": Violation.ALTER}
    last = NOW - timedelta(days=days_ago)
    return [
        Observation(
            id=f"o{index}",
            at=last - timedelta(minutes=len(word) - index),
            violation=kinds[letter],
            evidence=f"e{index}",
            proven=letter == "3",
        )
        for index, letter in enumerate(word)
    ]


def stands(word: str) -> Standing:
    """Return the standing that follows from ``looks(word)``."""
    return standing(looks(word), NOW)
