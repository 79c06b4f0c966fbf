"""Presence: who lives, who leads, on both engines."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from processes import eventually

from gateway.errors import StoreError
from gateway.store.presence import FilePresence
from gateway.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def test_who_lives_is_not_gone(store: Store, where: Path | str) -> None:
    """A process is there as long as it says so, for others and for itself; a name that nobody has is gone."""
    store.presence.enter("me")
    with closing(Store(where)) as other:
        assert not other.presence.is_gone("me")
        assert other.presence.is_gone("nobody")
    assert not store.presence.is_gone("me")


def test_who_leaves_is_gone(store: Store, where: Path | str) -> None:
    """What a process held is free as soon as it has closed."""
    other = Store(where)
    other.presence.enter("other")
    assert other.presence.leads("prune")
    assert not store.presence.leads("prune")
    other.close()
    eventually(lambda: store.presence.is_gone("other"), "the server has noticed")
    assert store.presence.leads("prune")
    assert store.presence.leads("prune")


def test_whether_anybody_is_there(store: Store, where: Path | str) -> None:
    """Whoever lives under any name is there, until it leaves."""
    assert not store.presence.is_anybody_there()
    with closing(Store(where)) as other:
        other.presence.enter("other")
        assert store.presence.is_anybody_there()
    eventually(lambda: not store.presence.is_anybody_there(), "the server has noticed")


def test_two_cannot_live_under_one_name(tmp_path: Path) -> None:
    """A name that somebody has cannot be taken."""
    first, second = FilePresence(tmp_path / "p"), FilePresence(tmp_path / "p")
    first.enter("x")
    with pytest.raises(StoreError, match="x"):
        second.enter("x")
    first.close()
    assert list((tmp_path / "p").iterdir()) == []


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in the place of the directory is a store error, not a crash."""
    (tmp_path / "p").write_text("x")
    with pytest.raises(StoreError):
        FilePresence(tmp_path / "p").leads("prune")
