"""What reached each of our accounts, as its owner may read it. The bytes are those of the arrival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.store.database import to_ms

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """One activity in one inbox; ``id`` grows with time."""

    id: int
    activity: str
    actor: str


class Inboxes:
    """Rows of ``inbox_item``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, account: str, activity: str, actor: str, now: datetime) -> bool:
        """Put an activity into an inbox once; tell whether it was new there."""
        return bool(
            self._db.run(
                "INSERT INTO inbox_item (account, activity, actor, received) VALUES (:account, :activity, :actor, :now)"
                " ON CONFLICT (account, activity, actor) DO NOTHING",
                account=account, activity=activity, actor=actor, now=to_ms(now),
            )
        )  # fmt: skip

    def page(self, account: str, *, before: int | None, limit: int) -> list[InboxItem]:
        """Return an inbox, newest first, from before a cursor (an item's id)."""
        rows = self._db.rows(
            "SELECT id, activity, actor FROM inbox_item WHERE account = :account AND (CAST(:before AS BIGINT) IS NULL OR id < :before)"
            " ORDER BY id DESC LIMIT :limit",
            account=account, before=before, limit=limit,
        )  # fmt: skip
        return [InboxItem(**row) for row in rows]

    def size(self, account: str) -> int:
        """Return how many activities are in an inbox."""
        return int(self._db.value("SELECT count(*) FROM inbox_item WHERE account = :account", account=account))

    def prune(self, before: datetime) -> int:
        """Remove what arrived before a moment: its bytes are gone, too."""
        return self._db.run("DELETE FROM inbox_item WHERE received < :t", t=to_ms(before))
