"""How often somebody may do something: a leaky bucket with one number a key (GCRA), bounded like all soft state."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from gateway.net.soft import Soft

if TYPE_CHECKING:
    from gateway.clock import Clock


class Left(NamedTuple):
    """What a key has left: whether it may go on, what of its seconds is used and free, and what one of a cost takes."""

    ok: bool
    used: float
    free: float
    step: float
    cost: float

    @property
    def remaining(self) -> int:
        """Return how many more there are."""
        return max(0, math.floor(self.free / self.step + 1e-9))

    @property
    def reset(self) -> int:
        """Return the seconds until the quota is whole."""
        return math.ceil(self.used)

    @property
    def retry_after(self) -> int:
        """Return the seconds until there is enough; 0 when there is."""
        return 0 if self.ok else max(1, math.ceil(self.cost * self.step - self.free))


class Pace:
    """``quota`` a key in ``seconds``, all at once or spread; a quota of 0 is no limit."""

    def __init__(self, clock: Clock, name: str, *, quota: int, seconds: float, cap: int) -> None:
        self.name = name
        self.quota = quota
        self.seconds = seconds
        self._clock = clock
        self._step = seconds / max(quota, 1)
        self._full: Soft[float] = Soft(clock, seconds=seconds, cap=cap)

    def look(self, key: str, cost: float = 1.0) -> Left:
        """Return what ``key`` has left, taking nothing; ``ok`` is whether ``cost`` could be taken."""
        ahead = self._ahead(key)
        return self._left(ahead, cost, ok=self.quota == 0 or ahead + cost * self._step <= self.seconds + 1e-9)

    def take(self, key: str, cost: float = 1.0) -> Left:
        """Take so much when there is so much; ``ok`` says whether there was."""
        ahead = self._ahead(key)
        if self.quota == 0:
            return self._left(ahead, cost, ok=True)
        after = ahead + cost * self._step
        if after > self.seconds + 1e-9:
            return self._left(ahead, cost, ok=False)
        self._full.put(key, self._clock.monotonic() + after)
        return self._left(after, cost, ok=True)

    def give_back(self, key: str, cost: float = 1.0) -> None:
        """Give so much back: it turned out to be well spent."""
        ahead = self._ahead(key)
        if ahead > 0:
            self._full.replace(key, self._clock.monotonic() + max(0.0, ahead - cost * self._step))

    def _ahead(self, key: str) -> float:
        """Return how many seconds of the quota are used."""
        full = self._full.get(key)
        return 0.0 if full is None else max(0.0, full - self._clock.monotonic())

    def _left(self, ahead: float, cost: float, *, ok: bool) -> Left:
        return Left(ok, ahead, self.seconds - ahead, self._step, cost)
