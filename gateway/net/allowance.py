"""How many requests one cause may lead to: whoever makes us fetch must not multiply themselves through us.

The count travels with the task (a context variable), so that it holds through every flow in between,
redirects and second knocks included.
"""

from __future__ import annotations

from contextvars import ContextVar

from gateway.errors import RemoteAnswer
from gateway.within import Within

BEFORE_A_POST_IS_JUDGED = 1  # the actor that the body names
BEFORE_A_GET_IS_JUDGED = 2  # a key's own document, then the actor at its own id
AN_ACTIVITY = 20  # everything that settling one activity may ask for
EXHAUSTED = 311  # no server answers it


class _Left:
    """What is left, and what that is a part of."""

    __slots__ = ("outer", "requests")

    def __init__(self, requests: int, outer: _Left | None) -> None:
        self.requests = requests
        self.outer = outer


_CURRENT: ContextVar[_Left | None] = ContextVar("allowance", default=None)


def at_most(requests: int) -> Within:
    """Let what happens inside make so many requests together, and no more than what is around it may."""
    return Within(_CURRENT, _Left(requests, _CURRENT.get()))


def afresh() -> Within:
    """Begin a cause of its own: what a request leads to here is not what its sender's request led to."""
    return Within(_CURRENT, None)


def is_left() -> bool:
    """Tell whether one more request may be made."""
    left = _CURRENT.get()
    while left is not None:
        if left.requests <= 0:
            return False
        left = left.outer
    return True


def spend(url: str) -> None:
    """Count one request; raise RemoteAnswer when there is none left."""
    if not is_left():
        raise RemoteAnswer(f"{url}: one request more than its cause may lead to", remote_status=EXHAUSTED)
    left = _CURRENT.get()
    while left is not None:
        left.requests -= 1
        left = left.outer
