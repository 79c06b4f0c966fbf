"""Collections that their owners fill by Add and Remove: pinned posts, and collections of their own making."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store.database import to_ms

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.database import Database


class Collections:
    """Rows of ``collection_item``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, collection: str, item: str, now: datetime) -> bool:
        """Put an item into a collection once; tell whether it was new there."""
        return bool(
            self._db.run(
                "INSERT INTO collection_item VALUES (:c, :item, :now) ON CONFLICT DO NOTHING",
                c=collection, item=item, now=to_ms(now),
            )
        )  # fmt: skip

    def remove(self, collection: str, item: str) -> bool:
        """Take an item out; tell whether it was there."""
        return bool(
            self._db.run("DELETE FROM collection_item WHERE collection = :c AND item = :item", c=collection, item=item)
        )

    def remove_everywhere(self, item: str) -> None:
        """Take a deleted object out of every collection."""
        self._db.run("DELETE FROM collection_item WHERE item = :item", item=item)

    def items(self, collection: str, limit: int = 1_000) -> list[str]:
        """Return the items, newest first."""
        rows = self._db.rows(
            "SELECT item FROM collection_item WHERE collection = :c ORDER BY added DESC, item DESC LIMIT :limit",
            c=collection, limit=limit,
        )  # fmt: skip
        return [row["item"] for row in rows]

    def size(self, collection: str) -> int:
        """Return how many items there are."""
        return int(self._db.value("SELECT count(*) FROM collection_item WHERE collection = :c", c=collection))
