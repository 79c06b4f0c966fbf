"""What a power cut leaves of files: all that was synced, and by chance some of the sectors written after that.

Reads the trace that ``unsynced.c`` wrote. Names of files are taken as durable at once; their contents are not. The
order in which unsynced sectors reach the disk is free, as it is for a real one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

SECTOR = 512
_HEAD = struct.Struct("=cIIq")


@dataclass(frozen=True, slots=True)
class Step:
    """One call on a file: W write, T truncate, S sync, U unlink, R rename."""

    kind: str
    path: str
    offset: int
    data: bytes


def steps(trace: bytes) -> Iterator[Step]:
    """Return the records of a trace, in their order."""
    at = 0
    while at < len(trace):
        kind, path_size, data_size, offset = _HEAD.unpack_from(trace, at)
        at += _HEAD.size
        path = trace[at : at + path_size].decode()
        at += path_size
        yield Step(kind.decode(), path, offset, trace[at : at + data_size])
        at += data_size


@dataclass(slots=True)
class Content:
    """A file: what of it is on the disk for certain, and what was done to it since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)

    def sync(self) -> None:
        """Make everything durable."""
        for step in self.pending:
            _apply(self.durable, step)
        self.pending.clear()

    def after_cut(self, chance: random.Random, share: float) -> bytes:
        """Return what may be left: of each unsynced step all, nothing, or some sectors."""
        left = bytearray(self.durable)
        for step in self.pending:
            fate = chance.random()
            if fate >= share:
                continue
            if step.kind == "T" or fate < share / 2:
                _apply(left, step)
                continue
            for start, part in _sectors(step):
                if chance.random() < share:
                    _apply(left, Step("W", step.path, start, part))
        return bytes(left)


def _sectors(step: Step) -> Iterator[tuple[int, bytes]]:
    """Return the parts of a write, cut where sectors of the disk end."""
    at, end = step.offset, step.offset + len(step.data)
    while at < end:
        following = min(end, (at // SECTOR + 1) * SECTOR)
        yield at, step.data[at - step.offset : following - step.offset]
        at = following


def _apply(content: bytearray, step: Step) -> None:
    if step.kind == "T":
        del content[step.offset :]
        content.extend(bytes(step.offset - len(content)))
        return
    content.extend(bytes(max(0, step.offset - len(content))))
    content[step.offset : step.offset + len(step.data)] = step.data


class Disk:
    """The files of a directory while a trace is played."""

    def __init__(self) -> None:
        self.files: dict[str, Content] = {}

    def play(self, step: Step) -> None:
        """Take one step."""
        match step.kind:
            case "S":
                self.files.setdefault(step.path, Content()).sync()
            case "U":
                self.files.pop(step.path, None)
            case "R":
                self.files[step.data.decode()] = self.files.pop(step.path, Content())
            case _:
                self.files.setdefault(step.path, Content()).pending.append(step)

    def cut(self, into: Path, chance: random.Random) -> None:
        """Write into a directory what is left when the power goes now; shared memory (-shm) is gone."""
        share = chance.choice((0.0, 0.5, 0.9, 1.0))
        for path, content in self.files.items():
            if not path.endswith("-shm"):
                (into / Path(path).name).write_bytes(content.after_cut(chance, share))
