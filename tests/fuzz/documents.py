"""Bytes into JSON documents: every byte string is one, so that mutations reach what comes after the JSON reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gateway.errors import MalformedDocument
from gateway.jsonld import strict

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DEPTH = 12
OBJECTS, LISTS, TEXTS = 48, 64, 72  # opcodes below these open an object, open a list, spell out a text
_CONSTANTS: tuple[object, ...] = (None, True, False, 0, 1, 2, -1, 1.5, 2**63 - 1, "", "n", "y")


class _Builder:
    """Reads opcodes: what comes next, which word, how many members."""

    def __init__(self, data: bytes, names: Sequence[str], values: Sequence[object]) -> None:
        self._data = data
        self._at = 0
        self._names = names
        self._values = values

    def _next(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 255

    def value(self, depth: int = 0) -> Any:
        """Return the next value."""
        code = self._next()
        if code < OBJECTS and depth < MAX_DEPTH:
            return self.object(code % 8, depth + 1)
        if code < LISTS and depth < MAX_DEPTH:
            return [self.value(depth + 1) for _ in range(code % 4)]
        if code < TEXTS:
            return self._text(code % 8)
        if code % 4 == 0:
            return _CONSTANTS[code // 4 % len(_CONSTANTS)]
        return self._values[code % len(self._values)]

    def object(self, members: int, depth: int = 0) -> dict[str, Any]:
        """Return an object of at most ``members`` members."""
        found: dict[str, Any] = {}
        for _ in range(members):
            name = self._next()
            key = self._text(name % 8) if name >= 248 else self._names[name % len(self._names)]
            found[key] = self.value(depth)
        return found

    def _text(self, length: int) -> str:
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken.decode("latin-1").replace("\x00", "0")


def document_of(data: bytes, names: Sequence[str], values: Sequence[object]) -> dict[str, Any] | None:
    """Return a document: read as strict JSON when it begins like an object (None when it is none), else built."""
    if data.startswith(b"{"):
        try:
            return strict.read_object(data)
        except MalformedDocument:
            return None
    return _Builder(data[1:], names, values).object(data[0] % 16 if data else 0)


def same(one: object, other: object) -> bool:
    """Tell whether two JSON values are the same, kinds of numbers included."""
    return type(one) is type(other) and json.dumps(one) == json.dumps(other)
