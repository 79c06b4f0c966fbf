"""Seals: a short hash beside what goes out to others, so that a flipped bit is found before anybody is told something else.

The database's own checks see broken pages; a wrong letter in a right place they do not.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.store.database import Database

SIZE = 16
# What of each table goes out, or decides about what does.
SEALED: Mapping[str, tuple[str, ...]] = {
    "object": ("id", "type", "visibility", "document", "prefs", "own_prefs"),
    "activity": ("id", "actor", "body"),
    "account": ("id", "name", "display_name", "summary", "preset", "prefs"),
}
_BATCH = 1_000


def seal_of(table: str, row: Mapping[str, object]) -> bytes:
    """Return the seal of a row."""
    digest = hashlib.blake2b(digest_size=SIZE, person=table.encode())
    for name in SEALED[table]:
        value = row[name]
        raw = (
            bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else str(value).encode("utf-8", "replace")
        )
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.digest()


def is_sound(table: str, row: Mapping[str, object]) -> bool:
    """Tell whether a row is what was written."""
    seal = row["seal"]
    return isinstance(seal, (bytes, memoryview)) and bytes(seal) == seal_of(table, row)


def check(table: str, row: Mapping[str, object]) -> None:
    """Raise StoreError for a row that is not what was written: it is not served."""
    if not is_sound(table, row):
        raise StoreError(f"the {table} {row['id']} is damaged: restore a backup (gateway db check lists all that is)")


def broken(database: Database, progress: Callable[[int, int], None], most: int = 100) -> list[str]:
    """Return the rows that are not what was written, as text."""
    found: list[str] = []
    whole, done = sum(database.value(_COUNT[table]) for table in SEALED), 0
    for table in SEALED:
        last = ""
        while rows := database.rows(_NEXT[table], last=last, batch=_BATCH):
            last = rows[-1]["id"]
            done += len(rows)
            progress(done, whole)
            found += [f"the {table} {row['id']} is damaged" for row in rows if not is_sound(table, row)]
            if len(found) >= most:
                return found
    return found


def seal_all(database: Database) -> None:
    """Seal what was written before there were seals."""
    for table in SEALED:
        while rows := database.rows(_UNSEALED[table], batch=_BATCH):
            with database.transaction():
                for row in rows:
                    database.run(_SEAL[table], id=row["id"], seal=seal_of(table, row))


_COUNT = {
    "object": "SELECT count(*) AS n FROM object",
    "activity": "SELECT count(*) AS n FROM activity",
    "account": "SELECT count(*) AS n FROM account",
}
_NEXT = {
    "object": "SELECT * FROM object WHERE id > :last ORDER BY id LIMIT :batch",
    "activity": "SELECT * FROM activity WHERE id > :last ORDER BY id LIMIT :batch",
    "account": "SELECT * FROM account WHERE id > :last ORDER BY id LIMIT :batch",
}
_UNSEALED = {
    "object": "SELECT * FROM object WHERE seal IS NULL LIMIT :batch",
    "activity": "SELECT * FROM activity WHERE seal IS NULL LIMIT :batch",
    "account": "SELECT * FROM account WHERE seal IS NULL LIMIT :batch",
}
_SEAL = {
    "object": "UPDATE object SET seal = :seal WHERE id = :id",
    "activity": "UPDATE activity SET seal = :seal WHERE id = :id",
    "account": "UPDATE account SET seal = :seal WHERE id = :id",
}
