"""A picture made from nothing, so that no file needs to be kept for it."""

from __future__ import annotations

import struct
import zlib

SIDE = 64


def png(side: int = SIDE) -> bytes:
    """Return a valid PNG: a square that goes from blue to orange."""
    rows = b"".join(b"\0" + b"".join(_pixel(x, y, side) for x in range(side)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows, 9)), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _pixel(x: int, y: int, side: int) -> bytes:
    along = (x + y) * 255 // (2 * side)
    return bytes((along, 128, 255 - along))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
