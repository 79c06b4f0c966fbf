"""Recipes for packed answers and for media: a few hundred kilobytes that become hundreds of megabytes, or say so."""

from __future__ import annotations

import functools
import struct
import zlib

MIB = 1024 * 1024
LARGE = 300 * MIB
# The beginning of a brotli stream: the coding is refused by its name, whatever follows.
BROTLI = bytes.fromhex("5bffffb71f")
PAGE = b"<!doctype html><title>two things</title><script>alert(1)</script>"


@functools.cache
def deflated(size: int) -> bytes:
    """Return so many zeros as a raw deflate stream, made from one block that is said again and again."""
    whole, rest = divmod(size, MIB)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    return block * whole + last.compress(bytes(rest)) + last.flush()


def _crc_of_zeros(size: int) -> int:
    whole, rest = divmod(size, MIB)
    crc, zeros = 0, bytes(MIB)
    for _ in range(whole):
        crc = zlib.crc32(zeros, crc)
    return zlib.crc32(bytes(rest), crc)


@functools.cache
def gzipped(size: int = LARGE) -> bytes:
    """Return so many zeros as gzip."""
    head = b"\x1f\x8b\x08\0\0\0\0\0\2\xff"
    return head + deflated(size) + struct.pack("<II", _crc_of_zeros(size), size & 0xFFFFFFFF)


@functools.cache
def zlibbed(size: int = LARGE) -> bytes:
    """Return so many zeros as zlib: what ``Content-Encoding: deflate`` means, and some servers do not send."""
    adler = (size % 65521) << 16 | 1
    return b"\x78\xda" + deflated(size) + struct.pack(">I", adler)


@functools.cache
def gzipped_twice(size: int = LARGE) -> bytes:
    """Return gzip in gzip."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(gzipped(size)) + packer.flush()


@functools.cache
def gzip_members(count: int) -> bytes:
    """Return many gzip files, one after the other, which are together one gzip file."""
    return gzipped(1024) * count


def gzip_with_long_name(size: int) -> bytes:
    """Return gzip whose header holds a file name of so many bytes."""
    return b"\x1f\x8b\x08\x08\0\0\0\0\2\xff" + b"a" * size + b"\0" + gzipped(10)[10:]


def _png_piece(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    """Return a black picture, one bit a pixel."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    pixels = zlibbed(height * (1 + (width + 7) // 8))
    return b"\x89PNG\r\n\x1a\n" + _png_piece(b"IHDR", head) + _png_piece(b"IDAT", pixels) + _png_piece(b"IEND", b"")


def png_with_text(size: int) -> bytes:
    """Return a picture whose text, once unpacked, has so many bytes."""
    head = struct.pack(">IIBBBBB", 1, 1, 1, 0, 0, 0, 0)
    text = b"Comment\0\0" + zlibbed(size)
    return (
        b"\x89PNG\r\n\x1a\n" + _png_piece(b"IHDR", head) + _png_piece(b"zTXt", text)
        + _png_piece(b"IDAT", zlib.compress(b"\0\0")) + _png_piece(b"IEND", b"")
    )  # fmt: skip


def gif(frames: int, width: int = 65_535, height: int = 65_535) -> bytes:
    """Return an animation with so many frames of one pixel on a large screen."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = (
        b"\x21\xf9\x04\x00\x00\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    )
    return head + frame * frames + b"\x3b"


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + kind + data


def mp4(frames: int) -> bytes:
    """Return a film whose header claims so many frames, and that has none."""
    sizes = _box(b"stsz", struct.pack(">III", 0, 1, frames))
    times = _box(b"stts", struct.pack(">IIII", 0, 1, frames, 1))
    table = _box(b"stbl", times + sizes)
    track = _box(b"trak", _box(b"mdia", _box(b"minf", table)))
    return _box(b"ftyp", b"isom\0\0\2\0isomiso2mp41") + _box(b"moov", track) + _box(b"mdat", b"")


def jpeg_page() -> bytes:
    """Return a JPEG whose comment is a page with a script."""
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(PAGE)) + PAGE
    return b"\xff\xd8" + comment + b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0" + b"\xff\xd9" + PAGE
