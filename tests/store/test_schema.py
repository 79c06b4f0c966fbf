"""The one schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.store.store import Store

PORTABLE = {"TEXT", "BIGINT", "BLOB", "INTEGER"}


def test_every_column_has_a_portable_type(file_store: Store) -> None:
    """Only TEXT, BIGINT, BLOB and the integer key: the common subset of SQLite and PostgreSQL."""
    tables = [
        row["name"]
        for row in file_store.database.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"
        )
    ]
    assert {"account", "object", "statement", "arrival", "job", "peer", "observation", "audit"} <= set(tables)
    kinds = {column["type"] for table in tables for column in file_store.database.rows(f"PRAGMA table_info({table})")}
    assert kinds <= PORTABLE
