"""The store as others see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from store.rows import NOW, PEER, account

if TYPE_CHECKING:
    from gateway.store.store import Store


def _write_everywhere(store: Store) -> None:
    with store.transaction():
        store.accounts.save(account())
        store.peers.seen(PEER, NOW)
        store.jobs.add("deliver", {}, lane="a", peer=str(PEER), due=NOW)
        raise KeyError


def test_one_transaction_spans_all_shelves(store: Store) -> None:
    """An account, a peer and a job are durable together, or not at all."""
    with pytest.raises(KeyError):
        _write_everywhere(store)
    assert (store.accounts.all(), store.peers.all(NOW), store.jobs.find()) == ([], [], [])
