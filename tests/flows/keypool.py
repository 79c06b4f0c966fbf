"""Keys made once and handed out in turn, because making RSA keys is slow."""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING

from gateway.signatures.keys import generate

if TYPE_CHECKING:
    from gateway.signatures.keys import PrivateKey

SIZE = 4
_turn = itertools.count()


@cache
def _made(kind: str) -> tuple[PrivateKey, ...]:
    return tuple(generate(kind) for _ in range(SIZE))


def pooled(kind: str) -> PrivateKey:
    """Return one of a few keys; two actors made after each other never share one."""
    return _made(kind)[next(_turn) // 2 % SIZE]
