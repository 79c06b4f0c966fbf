"""How much waits, known well enough without counting it for every request.

What was counted last and everything that was asked for since is at least what waits, unless other processes add, too; so
it is counted anew when that reaches a bound, and now and then.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT_AFTER = 250  # requests
CAP = 10_000


@dataclass(slots=True)
class _Known:
    counted: int
    since: int = 0


class Backlog:
    """What waits for each of many, counted by ``count(key, most)``, which stops at ``most``."""

    def __init__(self, count: Callable[[str, int], int], cap: int = CAP) -> None:
        self._count, self._cap = count, cap
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def is_full(self, key: str, most: int) -> bool:
        """Tell whether as much as ``most`` waits; a no is taken as one more that will."""
        known = self._known.get(key)
        if known is None or known.since >= COUNT_AFTER or known.counted + known.since >= most:
            known = self._known[key] = _Known(self._count(key, most))
            if len(self._known) > self._cap:
                self._known.popitem(last=False)
        known.since += 1
        return known.counted >= most
