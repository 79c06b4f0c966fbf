"""Soft state with a cap and a time to live: what strangers can make us remember is bounded."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from gateway.clock import Clock

Value = TypeVar("Value")


class Soft(Generic[Value]):
    """A map that forgets: the oldest first when full, everything after ``seconds``."""

    def __init__(self, clock: Clock, *, seconds: float, cap: int) -> None:
        self._clock = clock
        self._seconds = seconds
        self._cap = cap
        self._items: OrderedDict[str, tuple[float, Value]] = OrderedDict()

    def get(self, key: str) -> Value | None:
        """Return what is remembered under ``key``, or None."""
        found = self._items.get(key)
        if found is None:
            return None
        if found[0] <= self._clock.monotonic():
            del self._items[key]
            return None
        return found[1]

    def put(self, key: str, value: Value) -> None:
        """Remember ``value`` for a while."""
        self._items.pop(key, None)
        self._items[key] = (self._clock.monotonic() + self._seconds, value)
        if len(self._items) > self._cap:
            self._items.popitem(last=False)

    def replace(self, key: str, value: Value) -> None:
        """Change what is remembered under ``key`` without remembering it for longer."""
        found = self._items.get(key)
        if found is not None:
            self._items[key] = (found[0], value)

    def __len__(self) -> int:
        """Return how much is held, including what has not been found stale yet."""
        return len(self._items)
