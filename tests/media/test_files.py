"""Uploaded files on disk."""

from __future__ import annotations

import hashlib
import os
from io import BytesIO
from typing import TYPE_CHECKING

import pytest

from gateway.errors import StoreError, TooLarge, UnsupportedMediaType
from gateway.media import files
from gateway.media.files import Files, dimensions, sniff

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x04\x08\x06"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"), (b"\0\0\0\x20ftypavif", "image/avif"),
        (b"\0\0\0\x20ftypmp42", "video/mp4"), (b"\0\0\0\x20ftypisom", "video/mp4"), (b"\x1aE\xdf\xa3", "video/webm"),
        (b"OggS", "audio/ogg"), (b"ID3\x04", "audio/mpeg"),
    ],
)  # fmt: skip
def test_media_is_known_by_its_first_bytes(content: bytes, kind: str) -> None:
    """The type is what the content shows, never what somebody claims."""
    assert sniff(content) == kind


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", b"<?xml version='1.0'?><svg/>",
        b"<!doctype html><script>alert(1)</script>", b"<html>", b"%PDF-1.7", b"PK\x03\x04", b"MZ", b"#!/bin/sh", b"",
        b"RIFF\0\0\0\0WAVE", b" " + PNG, b"GIF", b"text", b"\xef\xbb\xbf<svg/>",
    ],
)  # fmt: skip
def test_scripts_and_documents_are_no_media(content: bytes, tmp_path: Path) -> None:
    """SVG, HTML, archives and programs are refused, whatever they are called."""
    with pytest.raises(UnsupportedMediaType):
        Files(tmp_path).put(BytesIO(content))
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_stored_by_its_hash(tmp_path: Path) -> None:
    """The bytes lie under their own hash, two levels deep, with what is known about them."""
    store = Files(tmp_path)
    blob = store.put(BytesIO(PNG))
    digest = hashlib.sha256(PNG).hexdigest()
    assert (blob.sha256, blob.media_type, blob.size, blob.width, blob.height) == (digest, "image/png", len(PNG), 3, 4)
    assert store.path(digest) == tmp_path / digest[:2] / digest[2:4] / digest
    assert store.path(digest).read_bytes() == PNG


def test_the_same_file_is_stored_once(tmp_path: Path) -> None:
    """A second upload of the same bytes leaves the stored file alone."""
    store = Files(tmp_path)
    path = store.path(store.put(BytesIO(PNG)).sha256)
    os.utime(path, (1, 1))
    assert store.put(BytesIO(PNG)).sha256 == path.name
    assert path.stat().st_mtime == 1
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_a_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte more than the limit is too large; nothing is written."""
    monkeypatch.setattr(files, "MAX_FILE", len(PNG))
    store = Files(tmp_path)
    store.put(BytesIO(PNG))
    with pytest.raises(TooLarge):
        store.put(BytesIO(PNG + b"x"))


def test_a_half_written_file_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the machine stops between writing and naming, nothing lies under the hash."""
    store = Files(tmp_path)

    def stopped(*_names: object) -> None:
        raise OSError("stopped")

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(StoreError, match="stopped"):
        store.put(BytesIO(PNG))
    assert not store.path(hashlib.sha256(PNG).hexdigest()).exists()
    monkeypatch.undo()
    assert store.path(store.put(BytesIO(PNG)).sha256).read_bytes() == PNG


def test_dimensions_of_png_only() -> None:
    """Other formats are not decoded; a short PNG has no size."""
    assert dimensions(PNG, "image/png") == (3, 4)
    assert dimensions(PNG[:20], "image/png") == (None, None)
    assert dimensions(b"GIF89a" + b"\0" * 30, "image/gif") == (None, None)
