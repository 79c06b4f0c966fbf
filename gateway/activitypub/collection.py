"""Ordered collections and their pages (AS2, FEP-9f9f)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE_SIZE = 20


def collection(collection_id: str, total: int | None, *, first: bool, owner: str) -> dict[str, object]:
    """Return an OrderedCollection; its items are on pages, when ``first`` says that there are any to see."""
    document: dict[str, object] = {"id": collection_id, "type": "OrderedCollection", "attributedTo": owner}
    if total is not None:
        document["totalItems"] = total
    if first:
        document["first"] = f"{collection_id}?page=1"
    else:
        document["orderedItems"] = []
    return document


def inline(collection_id: str, items: Sequence[object], *, owner: str) -> dict[str, object]:
    """Return an OrderedCollection with its items inline (``featured`` is read that way)."""
    return {
        "id": collection_id,
        "type": "OrderedCollection",
        "attributedTo": owner,
        "totalItems": len(items),
        "orderedItems": list(items),
    }


def counted(collection_id: str, total: int, items: Sequence[object], *, owner: str) -> dict[str, object]:
    """Return an OrderedCollection that says how many there are, and names only those that its reader may know."""
    return {**inline(collection_id, items, owner=owner), "totalItems": total}


def page(
    collection_id: str, items: Sequence[object], *, cursor: str, following: str | None, total: int, owner: str
) -> dict[str, object]:
    """Return the page at ``cursor``; ``following`` is the cursor of the next one."""
    document: dict[str, object] = {
        "id": f"{collection_id}?page={cursor}",
        "type": "OrderedCollectionPage",
        "attributedTo": owner,
        "partOf": collection_id,
        "totalItems": total,
        "orderedItems": list(items),
    }
    if following is not None:
        document["next"] = f"{collection_id}?page={following}"
    return document
