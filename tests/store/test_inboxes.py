"""What reached each account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.rows import ALICE, BOB, NOW, later

if TYPE_CHECKING:
    from gateway.store.store import Store

CAROL = "https://gw.example/users/carol"


def test_an_activity_is_in_an_inbox_once(store: Store) -> None:
    """The same id of the same actor counts once an account; another actor's does not stand for it."""
    assert store.inboxes.add(ALICE, "1", BOB, NOW)
    assert not store.inboxes.add(ALICE, "1", BOB, later(days=1))
    assert store.inboxes.add(CAROL, "1", BOB, NOW)
    assert store.inboxes.add(ALICE, "1", "https://other.example/users/eve", NOW)
    assert (store.inboxes.size(ALICE), store.inboxes.size(CAROL), store.inboxes.size("nobody")) == (2, 1, 0)


def test_an_inbox_is_read_in_pages(store: Store) -> None:
    """Newest first, from before an item; what comes meanwhile moves no page."""
    for number in range(5):
        store.inboxes.add(ALICE, f"{number}", BOB, later(seconds=number))
        store.inboxes.add(CAROL, f"{number}", BOB, later(seconds=number))
    first = store.inboxes.page(ALICE, before=None, limit=2)
    store.inboxes.add(ALICE, "new", BOB, later(seconds=9))
    second = store.inboxes.page(ALICE, before=first[-1].id, limit=2)
    third = store.inboxes.page(ALICE, before=second[-1].id, limit=2)
    assert [[item.activity for item in page] for page in (first, second, third)] == [["4", "3"], ["2", "1"], ["0"]]
    assert {item.actor for item in first} == {BOB}
    assert store.inboxes.page(ALICE, before=third[-1].id, limit=2) == []


def test_old_items_are_removed_with_their_bytes(store: Store) -> None:
    """Pruning removes what arrived before a moment."""
    store.inboxes.add(ALICE, "old", BOB, NOW)
    store.inboxes.add(ALICE, "new", BOB, later(days=1))
    assert store.inboxes.prune(later(days=1)) == 1
    assert [item.activity for item in store.inboxes.page(ALICE, before=None, limit=9)] == ["new"]
