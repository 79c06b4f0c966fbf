"""Blobs in an S3-compatible store, by the same hashes; the directory holds copies of those that are asked for.

Files go out through the gateway and not by a link into the store: only here do they carry their preferences. What comes
back from the store is hashed before it is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from gateway.errors import MediaStoreError, Text
from gateway.media.files import MARK, MAX_FILE, Files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.media.files import Blob

COPIES_BYTES = 1024 * 1024 * 1024  # what the copies may take together
SPARED = 0.8  # of that is left when some are removed
FOREIGN = Text(
    "The bucket belongs to another community. Give every community a bucket of its own.",
    "このバケットは別のコミュニティのものです。コミュニティごとに専用のバケットを使ってください。",
)


class Bucket(Files):
    """One bucket and, below ``root``, copies of what it holds; the oldest unused ones make room for others."""

    def __init__(
        self, root: Path, *, bucket: str, endpoint: str, region: str, access_key: str, secret_key: str,
        copies: int = COPIES_BYTES,
    ) -> None:  # fmt: skip
        """Take where the bucket is; nothing is asked of it yet. An empty ``endpoint`` means Amazon's own."""
        super().__init__(root)
        self._name = f"{endpoint.rstrip('/') or 's3:/'}/{bucket}"
        self._most, self._copied = copies, -1
        self._mark = ""
        self._is_ours = False
        self._bucket = S3Store(
            bucket, endpoint=endpoint.rstrip("/") or None, region=region,
            access_key_id=access_key, secret_access_key=secret_key,
            client_options={"allow_http": endpoint.startswith("http:"), "connect_timeout": "5s", "timeout": "30s"},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
        )  # fmt: skip

    @property
    def name(self) -> str:
        """Return where the blobs are, for people."""
        return self._name

    def put(self, content: BinaryIO) -> Blob:
        """Store a file in the bucket, and a copy here; raise MediaStoreError when the store does not take it."""
        blob = super().put(content)
        try:
            self._check_ours()
            with _told(), self.path(blob.sha256).open("rb") as file:
                obstore.put(self._bucket, _key(blob.sha256), file)
        except BaseException:
            super().forget(blob.sha256)
            raise
        self._count(blob.size)
        return blob

    async def find(self, sha256: str) -> Path | None:
        """Return the copy of a blob, fetched when there is none; None when the store has it neither."""
        path = self.path(sha256)
        if not path.exists() and not await asyncio.to_thread(self._fetch, sha256):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # asked for: others make room before it
        return path

    def forget(self, sha256: str) -> None:
        """Remove a blob from the bucket, and its copy."""
        super().forget(sha256)
        with _told():
            obstore.delete(self._bucket, _key(sha256))

    def mark(self, mark: str) -> None:
        """Remember our community's mark; it is left in the bucket with the first file or check."""
        self._mark = mark

    def is_marked(self, mark: str) -> bool:
        """Tell whether this is our community's bucket, which it becomes when it is nobody's."""
        with _told():
            found = self._read(MARK)
            if found is None:
                obstore.put(self._bucket, MARK, mark.encode())
            return found is None or found == mark.encode()

    def _check_ours(self) -> None:
        if not self._is_ours and not self.is_marked(self._mark):
            raise MediaStoreError(f"{self._name} carries another mark", detail=FOREIGN)
        self._is_ours = True

    def _read(self, key: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._bucket, key).bytes())
        except FileNotFoundError:
            return None

    def _fetch(self, sha256: str) -> bool:
        """Copy a blob from the store; raise MediaStoreError when what comes is not what was put there."""
        with _told():
            content = self._read(_key(sha256))
        if content is None:
            return False
        if len(content) > MAX_FILE or hashlib.sha256(content).hexdigest() != sha256:
            raise MediaStoreError(f"{self._name}: {sha256} is damaged")
        path = self.path(sha256)
        try:
            self._make(path.parent)
            handle, name = tempfile.mkstemp(dir=self._root)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError as error:
            raise MediaStoreError(f"a copy of {sha256}: {error}") from error
        self._count(len(content))
        return True

    def _count(self, size: int) -> None:
        """Count a new copy; remove the least recently used ones when all of them take more than they may."""
        if self._copied >= 0 and self._copied + size <= self._most:
            self._copied += size
            return
        copies = []
        for path in self._copies():
            with contextlib.suppress(FileNotFoundError):  # another process made room
                found = path.stat()
                copies.append((found.st_mtime, found.st_size, path))
        self._copied = sum(copy[1] for copy in copies)
        if self._copied <= self._most:
            return
        for _, freed, path in sorted(copies)[:-1]:  # never the newest: somebody is about to read it
            if self._copied <= SPARED * self._most:
                break
            path.unlink(missing_ok=True)
            self._copied -= freed

    def _copies(self) -> Iterator[Path]:
        return self._root.glob("??/??/*")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what the store's client raises into our own error, without the credentials that were sent."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise MediaStoreError(f"media store: {str(error).splitlines()[0][:200]}") from error


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
