"""Blobs in an S3-compatible store, at a store that checks every signature."""

from __future__ import annotations

import asyncio
import hashlib
import os
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from bucket import ACCESS, REGION, S3, SECRET, s3

from gateway.errors import MediaStoreError, UnsupportedMediaType
from gateway.media.bucket import Bucket
from gateway.media.files import Files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x04\x08\x06"


@pytest.fixture
def store() -> Iterator[S3]:
    """Return an empty store."""
    with s3() as made:
        yield made


def bucket(store: S3, root: Path, *, secret: str = SECRET, mark: str = "ours", copies: int = 1 << 30) -> Bucket:
    """Return a bucket of that store with its copies below ``root``."""
    made = Bucket(
        root, bucket="media", endpoint=store.endpoint, region=REGION, access_key=ACCESS, secret_key=secret,
        copies=copies,
    )  # fmt: skip
    made.mark(mark)
    return made


async def test_what_one_process_takes_another_serves(store: S3, tmp_path: Path) -> None:
    """A file put at one machine is read at another, by its hash, and fetched there once."""
    blob = bucket(store, tmp_path / "one").put(BytesIO(PNG))
    assert (blob.sha256, blob.media_type, blob.size) == (hashlib.sha256(PNG).hexdigest(), "image/png", len(PNG))
    other = bucket(store, tmp_path / "two")
    for _ in range(3):
        path = await other.find(blob.sha256)
        assert path is not None
        assert path.read_bytes() == PNG
    key = f"{blob.sha256[:2]}/{blob.sha256[2:4]}/{blob.sha256}"
    assert [asked for asked in store.asked if asked[0] == "GET" and asked[1].endswith(key)] == [
        ("GET", f"/media/{key}")
    ]


async def test_what_nobody_put_there_is_not_found(store: S3, tmp_path: Path) -> None:
    """An unknown hash is no file, and no error."""
    assert await bucket(store, tmp_path).find("0" * 64) is None


async def test_a_forgotten_file_is_gone_everywhere(store: S3, tmp_path: Path) -> None:
    """It is removed from the store and here; forgetting it again changes nothing."""
    made = bucket(store, tmp_path)
    blob = made.put(BytesIO(PNG))
    made.forget(blob.sha256)
    made.forget(blob.sha256)
    assert await made.find(blob.sha256) is None
    assert list(store.objects) == [".community"]


@pytest.mark.parametrize("content", [b"", PNG[:-1], PNG + b"x", b"<script>"])
async def test_what_was_changed_in_the_store_is_never_served(store: S3, tmp_path: Path, content: bytes) -> None:
    """Bytes with another hash than what was put there are an error, and leave no copy."""
    blob = bucket(store, tmp_path / "one").put(BytesIO(PNG))
    key = next(key for key in store.objects if key.endswith(blob.sha256))
    store.objects[key] = content
    other = bucket(store, tmp_path / "two")
    with pytest.raises(MediaStoreError, match="damaged"):
        await other.find(blob.sha256)
    assert not other.path(blob.sha256).exists()
    store.objects[key] = PNG
    assert await other.find(blob.sha256) is not None


@pytest.mark.parametrize("broken", [500, 403])
async def test_a_store_that_fails_takes_nothing(store: S3, tmp_path: Path, broken: int) -> None:
    """An upload that the store refused is refused here, without a copy or a credential in the message."""
    made = bucket(store, tmp_path)
    store.broken = broken
    with pytest.raises(MediaStoreError) as raised:
        made.put(BytesIO(PNG))
    assert SECRET not in str(raised.value)
    assert not made.path(hashlib.sha256(PNG).hexdigest()).exists()
    store.broken = 0
    assert made.put(BytesIO(PNG)).size == len(PNG)


async def test_a_store_that_is_away_is_an_error_with_its_reason(tmp_path: Path) -> None:
    """A connection that nobody takes is a MediaStoreError, for reading and for writing."""
    made = bucket(S3(port=1), tmp_path)
    with pytest.raises(MediaStoreError, match="media store"):
        await made.find("0" * 64)
    with pytest.raises(MediaStoreError, match="media store"):
        made.put(BytesIO(PNG))


async def test_wrong_credentials_are_refused(store: S3, tmp_path: Path) -> None:
    """A request signed with another secret is not taken: the store of these tests does look."""
    with pytest.raises(MediaStoreError):
        bucket(store, tmp_path, secret="other").put(BytesIO(PNG))
    assert store.objects == {}


async def test_another_communitys_bucket_is_left_alone(store: S3, tmp_path: Path) -> None:
    """The first file leaves the mark of its community; another community's files are refused there."""
    bucket(store, tmp_path / "one").put(BytesIO(PNG))
    assert store.objects[".community"] == b"ours"
    other = bucket(store, tmp_path / "two", mark="theirs")
    with pytest.raises(MediaStoreError, match="another mark"):
        other.put(BytesIO(PNG + b"x"))
    assert other.is_marked("ours")
    assert not other.is_marked("theirs")
    assert len(store.objects) == 2


async def test_scripts_never_reach_the_store(store: S3, tmp_path: Path) -> None:
    """What is no media format is refused before anything is sent."""
    with pytest.raises(UnsupportedMediaType):
        bucket(store, tmp_path).put(BytesIO(b"<svg/>"))
    assert store.asked == []


async def test_amazons_own_needs_no_address(tmp_path: Path) -> None:
    """Without an endpoint the bucket is Amazon's, and nothing is asked of it before somebody needs it."""
    made = Bucket(tmp_path, bucket="media", endpoint="", region=REGION, access_key=ACCESS, secret_key=SECRET)
    assert made.name == "s3://media"


async def test_what_was_there_before_the_bucket_is_still_served(store: S3, tmp_path: Path) -> None:
    """A file of the data directory goes on being found, and into the bucket; copies never push it out."""
    blob = Files(tmp_path / "one").put(BytesIO(PNG))
    made = bucket(store, tmp_path / "one", copies=1)
    made.put(BytesIO(PNG + b"new"))
    path = await made.find(blob.sha256)
    assert path == Files(tmp_path / "one").path(blob.sha256)
    other = await bucket(store, tmp_path / "two").find(blob.sha256)
    assert other is not None
    assert other.read_bytes() == PNG


async def test_a_broken_copy_does_not_reach_the_store(store: S3, tmp_path: Path) -> None:
    """Whoever uploads again what a power cut left half of here repairs it, here and there."""
    made = bucket(store, tmp_path)
    blob = made.put(BytesIO(PNG))
    made.path(blob.sha256).write_bytes(b"")
    made.put(BytesIO(PNG))
    assert made.path(blob.sha256).read_bytes() == PNG
    assert store.objects[f"{blob.sha256[:2]}/{blob.sha256[2:4]}/{blob.sha256}"] == PNG


async def test_nothing_is_forgotten_in_anothers_bucket(store: S3, tmp_path: Path) -> None:
    """Who points at another community's bucket removes nothing there."""
    blob = bucket(store, tmp_path / "one").put(BytesIO(PNG))
    with pytest.raises(MediaStoreError, match="another mark"):
        bucket(store, tmp_path / "two", mark="theirs").forget(blob.sha256)
    assert len(store.objects) == 2


async def test_many_who_ask_at_once_cost_one_fetch(store: S3, tmp_path: Path) -> None:
    """A copy that many wait for is fetched once."""
    blob = bucket(store, tmp_path / "one").put(BytesIO(PNG))
    other = bucket(store, tmp_path / "two")
    found = await asyncio.gather(*(other.find(blob.sha256) for _ in range(20)))
    assert {path.read_bytes() for path in found if path is not None} == {PNG}
    assert sum(asked[0] == "GET" and asked[1].endswith(blob.sha256) for asked in store.asked) == 1


async def test_copies_take_no_more_than_their_share(store: S3, tmp_path: Path) -> None:
    """The copies that were not asked for the longest time make room; all files stay in the store."""
    made = bucket(store, tmp_path, copies=10 * len(PNG) + 20)
    blobs = []
    for number in range(10):
        blobs.append(made.put(BytesIO(PNG + bytes([number]))))
        os.utime(made.path(blobs[-1].sha256), (number, number))
    path = await made.find(blobs[0].sha256)  # used again: younger than all others
    assert path is not None
    made.put(BytesIO(PNG + b"more"))
    kept = [blob for blob in blobs if made.path(blob.sha256).exists()]
    assert blobs[0] in kept
    assert blobs[1] not in kept
    assert sum(found.stat().st_size for found in tmp_path.glob("copies/??/??/*")) <= 10 * len(PNG) + 20
    assert await made.find(blobs[1].sha256) is not None
    assert len(store.objects) == 12
