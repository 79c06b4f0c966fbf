"""Collections that their owners fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.rows import NOW, later

if TYPE_CHECKING:
    from gateway.store.store import Store

SHELF = "https://gw.example/posts/shelf"
OTHER = "https://gw.example/posts/other"


def test_an_item_is_in_a_collection_once(store: Store) -> None:
    """Adding again changes nothing, its place included."""
    assert store.collections.add(SHELF, "a", NOW)
    assert store.collections.add(SHELF, "b", later(seconds=1))
    assert not store.collections.add(SHELF, "a", later(seconds=2))
    assert store.collections.items(SHELF) == ["b", "a"]
    assert store.collections.size(SHELF) == 2


def test_items_are_taken_out(store: Store) -> None:
    """Removing tells whether there was something; other collections keep theirs."""
    for collection in (SHELF, OTHER):
        store.collections.add(collection, "a", NOW)
    assert store.collections.remove(SHELF, "a")
    assert not store.collections.remove(SHELF, "a")
    assert (store.collections.items(SHELF), store.collections.items(OTHER)) == ([], ["a"])


def test_a_deleted_object_is_nowhere(store: Store) -> None:
    """It leaves every collection; its neighbours stay."""
    for collection in (SHELF, OTHER):
        for item in ("a", "b"):
            store.collections.add(collection, item, NOW)
    store.collections.remove_everywhere("a")
    assert [store.collections.items(collection) for collection in (SHELF, OTHER)] == [["b"], ["b"]]


def test_the_newest_come_first_up_to_a_limit(store: Store) -> None:
    """Items of one moment have an order, too."""
    for number in range(5):
        store.collections.add(SHELF, f"{number}", later(seconds=number // 2))
    assert store.collections.items(SHELF) == ["4", "3", "2", "1", "0"]
    assert store.collections.items(SHELF, limit=2) == ["4", "3"]
    assert store.collections.items("nowhere") == []
    assert store.collections.size("nowhere") == 0
