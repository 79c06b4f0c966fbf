"""Time as a value that can be injected: no other module asks the system for it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the gateway needs to know about time."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        return time.monotonic()


def rfc3339(moment: datetime) -> str:
    """Return ``moment`` as ``2026-11-22T10:00:00Z``: whole seconds, UTC (RFC 3339)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: object) -> datetime | None:
    """Return the moment ``text`` names, or None when it is not an RFC 3339 date-time."""
    if not isinstance(text, str) or not 10 < len(text) <= 40:  # noqa: PLR2004 - "2026-11-22T10:00:00Z" and offsets
        return None
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
