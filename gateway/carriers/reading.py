"""What every ``parse`` returns: statements and problems, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.preferences import Condition, Declarant, Preferences, Statement, Subject

if TYPE_CHECKING:
    from datetime import datetime

MAX_TEXT = 500 * 1024  # RFC 9309: parse at least 500 KiB of robots.txt; nothing else comes near


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a text was found: about what, said by whom, seen when."""

    subject: Subject
    declared_by: Declarant
    observed_at: datetime
    asserted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that could not be read: ``code`` is stable, ``detail`` is for the developer."""

    carrier: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one text says."""

    statements: tuple[Statement, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __add__(self, other: Reading) -> Reading:
        """Return both readings as one."""
        return Reading(statements=self.statements + other.statements, problems=self.problems + other.problems)

    @property
    def prefs(self) -> tuple[Preferences, ...]:
        """Return only the preferences, in order."""
        return tuple(statement.prefs for statement in self.statements)


EMPTY = Reading()


def unreadable(carrier: str, code: str, detail: str) -> Reading:
    """Return a reading that states nothing and says why."""
    return Reading(problems=(Problem(carrier=carrier, code=code, detail=detail[:200]),))


def stated(
    source: Source,
    *,
    carrier: str,
    revision: str,
    prefs: Preferences,
    raw: str,
    legacy: bool = False,
    conditions: tuple[Condition, ...] = (),
) -> Reading:
    """Return a reading with one statement, or an empty one when nothing is stated."""
    if not prefs:
        return EMPTY
    statement = Statement(
        subject=source.subject,
        prefs=prefs,
        declared_by=source.declared_by,
        carrier=carrier,
        carrier_revision=revision,
        raw=raw[:MAX_TEXT],
        observed_at=source.observed_at,
        asserted_at=source.asserted_at,
        legacy=legacy,
        conditions=conditions,
    )
    return Reading(statements=(statement,))
