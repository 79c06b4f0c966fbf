"""How much of what one document may hold: more is refused whole, because what is read in part is read wrong.

The body's size, depth and members are the JSON reader's; these are the lists whose length others pay for.
Source: Mastodon's federation limits where it has any (500 options, 256 aliases), the public corpora otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.errors import MalformedDocument

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Mapping[str, int] = {
    "to": 2_000,
    "cc": 2_000,
    "bto": 2_000,
    "bcc": 2_000,
    "audience": 2_000,
    "tag": 1_000,
    "attachment": 32,
    "oneOf": 500,
    "anyOf": 500,
    "alsoKnownAs": 256,
    "object": 500,
    "url": 100,
    "attributedTo": 100,
    "proof": 10,
    "@context": 300,
}


def check(document: Mapping[str, object]) -> None:
    """Raise MalformedDocument when a list anywhere in ``document`` is longer than what it is for."""
    waiting: list[object] = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            _check_lists(value.items())
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _check_lists(members: Iterable[tuple[str, object]]) -> None:
    for name, value in members:
        most = MOST.get(name)
        if most is not None and isinstance(value, list) and len(value) > most:
            raise MalformedDocument(f"{len(value)} entries in {name}; {most} at most")
