"""When to try a delivery again, as one pure function.

Sixteen attempts over about 72 hours with 20 % jitter; Retry-After counts up to a day. Permanent:
every 4xx but 401, 408, 421, 425 and 429, and 501.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_ATTEMPTS = 16
BASE = 15.0
GROWTH = 1.45  # the fifteen waits add up to 72 hours
JITTER = 0.2
LONGEST_RETRY_AFTER = 24 * 3600
PASSING = frozenset({401, 408, 421, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Try again after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Never try again: ``reason`` is a stable word."""

    reason: str


def is_permanent(status: int) -> bool:
    """Tell whether a status says that trying again is of no use."""
    return status == 501 or (400 <= status < 500 and status not in PASSING)  # noqa: PLR2004 - RFC 9110


def next_try(
    attempt: int, *, status: int | None, retry_after: int | None, jitter: float, final: frozenset[int] = frozenset()
) -> Again | GiveUp:
    """Return what follows the failed ``attempt`` (from 1); ``status`` is None when nobody answered.

    ``jitter`` is a random number from 0 to 1; ``final`` are statuses that end this kind of work besides.
    """
    if status is not None and (is_permanent(status) or status in final):
        return GiveUp(reason="permanent-answer")
    if attempt >= MAX_ATTEMPTS:
        return GiveUp(reason="too-many-attempts")
    wait = (BASE + GROWTH * attempt**4) * (1 - JITTER + 2 * JITTER * jitter)
    return Again(seconds=max(wait, min(retry_after or 0, LONGEST_RETRY_AFTER)))
