"""Ordered collections and pages."""

from __future__ import annotations

from gateway.activitypub.collection import collection, inline, page

HERE = "https://gw.example/users/alice/outbox"
ALICE = "https://gw.example/users/alice"


def test_a_collection_leads_to_its_first_page() -> None:
    """A collection with something to see names its first page."""
    assert collection(HERE, 3, first=True, owner=ALICE) == {
        "id": HERE, "type": "OrderedCollection", "attributedTo": ALICE, "totalItems": 3, "first": f"{HERE}?page=1",
    }  # fmt: skip


def test_a_closed_collection_is_empty() -> None:
    """Members that stay private leave an empty list, and a count only where it is told."""
    assert collection(HERE, None, first=False, owner=ALICE) == {
        "id": HERE, "type": "OrderedCollection", "attributedTo": ALICE, "orderedItems": [],
    }  # fmt: skip


def test_an_inline_collection_holds_its_items() -> None:
    """Small collections are read in one go."""
    assert inline(HERE, ["a", "b"], owner=ALICE)["totalItems"] == 2


def test_pages_follow_each_other() -> None:
    """A page names its collection and the next page, the last one none."""
    first = page(HERE, ["a"], cursor="1", following="abc", total=2, owner=ALICE)
    assert (first["id"], first["next"], first["partOf"]) == (f"{HERE}?page=1", f"{HERE}?page=abc", HERE)
    assert "next" not in page(HERE, ["b"], cursor="abc", following=None, total=2, owner=ALICE)
