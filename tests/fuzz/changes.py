"""Seeded random inputs without a fuzzing engine: kept inputs, changed a little, with words of the grammar put in."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CORPUS = Path(__file__).parent / "corpus"
MAX_LENGTH = 2048


def kept(name: str) -> list[Path]:
    """Return the files of a corpus, in order."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())


def _flip(chance: Random, data: bytearray) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _replace(chance: Random, data: bytearray) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.randrange(256)


def _insert(chance: Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(chance.randrange(1, 4))


def _erase(chance: Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    del data[at : at + chance.randrange(1, 9)]


def _repeat(chance: Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    part = bytes(data[at : at + chance.randrange(1, 33)])
    data[at:at] = part * chance.choice((1, 1, 2, 8))


_CHANGES = (_flip, _replace, _insert, _erase, _repeat)


def inputs(name: str, words: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """Yield ``count`` inputs for a target, always the same ones for one ``seed``."""
    chance = Random(f"{name} {seed}")
    seeds = [path.read_bytes() for path in kept(name)]
    for _ in range(count):
        kind = chance.randrange(16)
        if kind == 0:
            yield chance.randbytes(chance.randrange(80))
            continue
        if kind < 3:
            yield b"".join(chance.choice(words) for _ in range(chance.randrange(1, 16)))
            continue
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 2, 3, 5))):
            choice = chance.randrange(8)
            if choice < len(_CHANGES):
                _CHANGES[choice](chance, data)
            elif choice < 7:
                at = chance.randrange(len(data) + 1)
                data[at : at + chance.choice((0, 0, 1, 4, 12))] = chance.choice(words)
            else:
                other = chance.choice(seeds)
                data[chance.randrange(len(data) + 1) :] = other[chance.randrange(len(other) + 1) :]
        yield bytes(data[:MAX_LENGTH])


def smallest(target: Callable[[bytes], None], data: bytes) -> bytes:
    """Return a short part of ``data`` that makes ``target`` fail in the same way."""

    def fails(tried: bytes) -> str:
        try:
            target(tried)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            return type(error).__name__
        return ""

    how, size = fails(data), max(len(data) // 2, 1)
    while how and size:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + size :]
            if fails(shorter) == how:
                data = shorter
            else:
                at += size
        size //= 2
    return data
