"""Uploaded files on disk by the hash of their content, types by their first bytes, never by what is claimed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import StoreError, TooLarge, UnsupportedMediaType

if TYPE_CHECKING:
    from typing import BinaryIO

MARK = ".community"
MAX_FILE = 20 * 1024 * 1024
_HEAD = 64
_PIECE = 64 * 1024
# Formats that browsers show and that carry no script: SVG and HTML are left out on purpose.
_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypmp4", "video/mp4"),
    (4, b"ftypisom", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"ID3", "audio/mpeg"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A stored file: its hash, type, size, and for PNG images its dimensions."""

    sha256: str
    media_type: str
    size: int
    width: int | None = None
    height: int | None = None


class Files:
    """Blobs below one directory, two levels deep; ``bucket`` keeps them elsewhere, behind the same methods."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def name(self) -> str:
        """Return where the blobs are, for people."""
        return str(self._root)

    def put(self, content: BinaryIO) -> Blob:
        """Store a file durably, read in pieces; raise TooLarge, UnsupportedMediaType or StoreError (disk full)."""
        head = content.read(_HEAD)
        media_type = sniff(head)
        if media_type is None:
            raise UnsupportedMediaType("not a media format that is taken")
        try:
            digest, size = self._write(head, content)
        except OSError as error:
            raise StoreError(f"media: {error}") from error
        width, height = dimensions(head, media_type)
        return Blob(sha256=digest, media_type=media_type, size=size, width=width, height=height)

    def mark(self, mark: str) -> None:
        """Leave the mark of our community in an unmarked directory: all its processes must see the same one."""
        path = self._root / MARK
        with contextlib.suppress(OSError):  # a directory that cannot be written to is told by who needs to
            if not path.exists():
                self._make(self._root)
                with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
                    file.write(mark)

    def is_marked(self, mark: str) -> bool:
        """Tell whether this is the directory that the others of our community use."""
        path = self._root / MARK
        return path.exists() and path.read_text("ascii", "replace") == mark

    def _make(self, directory: Path) -> None:
        """Make a directory below ours, each level closed to others."""
        for level in (self._root, *reversed(directory.relative_to(self._root).parents[:-1]), directory):
            (self._root / level).mkdir(parents=True, exist_ok=True, mode=0o700)

    def _write(self, head: bytes, content: BinaryIO) -> tuple[str, int]:
        """Copy a file to where its hash says; return hash and size."""
        self._make(self._root)
        handle, name = tempfile.mkstemp(dir=self._root)
        try:
            digest, size = hashlib.sha256(), 0
            with os.fdopen(handle, "wb") as file:
                piece = head or content.read(_PIECE)
                while piece:
                    size += len(piece)
                    if size > MAX_FILE:
                        raise TooLarge(f"more than {MAX_FILE} bytes of media")
                    digest.update(piece)
                    file.write(piece)
                    piece = content.read(_PIECE)
                file.flush()
                os.fsync(file.fileno())
            path = self.path(digest.hexdigest())
            self._make(path.parent)
            self._place(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return digest.hexdigest(), size

    def _place(self, name: str, path: Path) -> None:
        """Give a written file its name; what has it already holds the same."""
        if path.exists():
            Path(name).unlink()
        else:
            os.replace(name, path)  # noqa: PTH105 - atomic on one file system

    async def find(self, sha256: str) -> Path | None:
        """Return the file of a hash for reading, or None when there is none."""
        path = self.path(sha256)
        return path if path.exists() else None

    def forget(self, sha256: str) -> None:
        """Remove the file of a hash."""
        self.path(sha256).unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Return where the file of a hash lies."""
        return self._root / sha256[:2] / sha256[2:4] / sha256


def sniff(content: bytes) -> str | None:
    """Return the media type that the first bytes show, or None."""
    head = content[:_HEAD]
    found = next((kind for offset, mark, kind in _SIGNATURES if head[offset : offset + len(mark)] == mark), None)
    # Where the mark does not come first, what comes first must be of the format, too: not a document around it.
    first = {"image/webp": b"RIFF", "image/avif": b"\0\0", "video/mp4": b"\0\0"}.get(found or "", b"")
    return found if head.startswith(first) else None


def dimensions(content: bytes, media_type: str) -> tuple[int | None, int | None]:
    """Return width and height of a PNG from its header; other formats are not decoded here."""
    if media_type == "image/png" and len(content) >= 24:  # noqa: PLR2004 - signature and IHDR
        width, height = struct.unpack(">II", content[16:24])
        return int(width), int(height)
    return None, None
