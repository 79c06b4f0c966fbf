"""Blobs in an S3-compatible store, by the same hashes; the directory holds copies of those that are asked for.

Files go out through the gateway and not by a link into the store: only here do they carry their preferences. What comes
back from the store is hashed before it is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from gateway.errors import MediaStoreError, Text
from gateway.media.files import MARK, MAX_FILE, Files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.media.files import Blob

COPIES = "copies"
THREADS = 4
COPIES_BYTES = 1024 * 1024 * 1024  # what the copies may take together
SPARED = 0.8  # of that is left when some are removed
FOREIGN = Text(
    "The bucket belongs to another community. Give every community a bucket of its own.",
    "このバケットは別のコミュニティのものです。コミュニティごとに専用のバケットを使ってください。",
)


class Bucket(Files):
    """One bucket and, in ``root/copies``, copies of what it holds; those used the longest ago make room for others.

    What lies in ``root`` from before there was a bucket goes on being served, and into the bucket when it is asked for.
    """

    def __init__(
        self, root: Path, *, bucket: str, endpoint: str, region: str, access_key: str, secret_key: str,
        copies: int = COPIES_BYTES,
    ) -> None:  # fmt: skip
        """Take where the bucket is; nothing is asked of it yet. An empty ``endpoint`` means Amazon's own."""
        super().__init__(root / COPIES)
        self._before = Files(root)
        self._name = f"{endpoint.rstrip('/') or 's3:/'}/{bucket}"
        self._most, self._copied = copies, -1
        self._mark = ""
        self._is_ours = False
        # Its own threads: nothing else waits for a store that does not answer, and one hash is fetched once.
        self._threads = ThreadPoolExecutor(THREADS, "bucket")
        self._fetching: dict[str, asyncio.Future[Path | None]] = {}
        elsewhere: dict[str, Any] = {"endpoint": endpoint.rstrip("/")} if endpoint else {}
        self._bucket = S3Store(
            bucket, **elsewhere, region=region, access_key_id=access_key, secret_access_key=secret_key,
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
            self._bring(self.path(blob.sha256), blob.sha256)
        except BaseException:
            super().forget(blob.sha256)
            raise
        self._count(blob.size)
        return blob

    def _place(self, name: str, path: Path) -> None:
        """Replace a copy that is there: it may be damaged, and goes into the bucket next."""
        Path(name).replace(path)

    async def find(self, sha256: str) -> Path | None:
        """Return the copy of a blob, fetched when there is none; None when the store has it neither."""
        path = self.path(sha256)
        if not path.exists():
            return await asyncio.shield(self._joined(sha256))
        with contextlib.suppress(OSError):
            os.utime(path)  # asked for: others make room before it
        return path

    def _joined(self, sha256: str) -> asyncio.Future[Path | None]:
        """Return the fetch of a blob, begun by whoever asks first."""
        known = self._fetching.get(sha256)
        if known is None:
            known = asyncio.get_running_loop().run_in_executor(self._threads, self._fetch, sha256)
            self._fetching[sha256] = known
            known.add_done_callback(lambda _: self._fetching.pop(sha256, None))
        return known

    def forget(self, sha256: str) -> None:
        """Remove a blob from the bucket, and its copy."""
        self._check_ours()
        super().forget(sha256)
        self._before.forget(sha256)
        with _told():
            obstore.delete(self._bucket, _key(sha256))

    def mark(self, mark: str) -> None:
        """Remember our community's mark; it is left in the bucket with the first file or check."""
        self._mark = mark

    def is_marked(self, mark: str) -> bool:
        """Tell whether this is our community's bucket, which it becomes when it is nobody's."""
        with _told():
            if self._read(MARK) is None:
                obstore.put(self._bucket, MARK, mark.encode())
            return self._read(MARK) == mark.encode()

    def _check_ours(self) -> None:
        if not self._is_ours and not self.is_marked(self._mark):
            raise MediaStoreError(f"{self._name} carries another mark", detail=FOREIGN)
        self._is_ours = True

    def _read(self, key: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._bucket, key).bytes())
        except FileNotFoundError:
            return None

    def _bring(self, path: Path, sha256: str) -> None:
        with _told(), path.open("rb") as file:
            obstore.put(self._bucket, _key(sha256), file)

    def _fetch(self, sha256: str) -> Path | None:
        """Copy a blob from the store; raise MediaStoreError when what comes is not what was put there."""
        with _told():
            content = self._read(_key(sha256))
        if content is None:
            return self._from_before(sha256)
        if len(content) > MAX_FILE or hashlib.sha256(content).hexdigest() != sha256:
            raise MediaStoreError(f"{self._name}: {sha256} is damaged")
        try:
            self._write(content[:0], BytesIO(content))
        except OSError as error:
            raise MediaStoreError(f"a copy of {sha256}: {error}") from error
        self._count(len(content))
        return self.path(sha256)

    def _from_before(self, sha256: str) -> Path | None:
        """Return a file that was there before the bucket, and bring it there."""
        path = self._before.path(sha256)
        if not path.exists():
            return None
        self._check_ours()
        self._bring(path, sha256)
        return path

    def _count(self, size: int) -> None:
        """Count a new copy; remove the least recently used ones when all of them take more than they may."""
        if self._copied >= 0 and self._copied + size <= self._most:
            self._copied += size
            return
        copies = []
        for path in self._root.glob("??/??/*"):
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


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what the store's client raises into our own error, without the credentials that were sent."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise MediaStoreError(f"media store: {str(error).splitlines()[0][:200]}") from error


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
