"""Identifiers: monotonic TIDs (atproto's timestamp identifiers), one form for everything we name.

A TID is 13 characters of sortable base 32: 53 bits of microseconds since 1970, then 10 bits
that tell processes apart. Source: https://atproto.com/specs/tid
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.clock import Clock

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
LENGTH = 13
_PROCESS_BITS = 10


class Tids:
    """Makes TIDs that only ever grow, also when the wall clock steps back."""

    def __init__(self, clock: Clock, process: int | None = None) -> None:
        """Take the clock; ``process`` is 0..1023, random when not given."""
        self._clock = clock
        self._process = secrets.randbelow(1 << _PROCESS_BITS) if process is None else process
        self._last = 0

    def next(self) -> str:
        """Return a new TID, greater than every one made before here."""
        now = int(self._clock.now().timestamp() * 1_000_000)
        self._last = max(now, self._last + 1)
        return encode(self._last << _PROCESS_BITS | self._process)


def encode(value: int) -> str:
    """Return a 63-bit number as 13 sortable characters."""
    return "".join(ALPHABET[value >> shift & 31] for shift in range(60, -1, -5))


def is_tid(text: str) -> bool:
    """Tell whether ``text`` has the shape of a TID."""
    return len(text) == LENGTH and text[0] in ALPHABET[:16] and set(text) <= set(ALPHABET)
