"""The one database: connection, transactions, rows. SQLite in WAL mode with ``synchronous=FULL``.

Statements use named parameters, TEXT, BIGINT and BLOB only, ``ON CONFLICT`` and ``RETURNING``: the
common subset of SQLite and PostgreSQL. Times are milliseconds since 1970, documents are JSON text.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import sqlite_utils
from sqlite_utils import utils

from gateway.errors import StoreError
from gateway.store.schema import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_MS = 5_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAGE_SIZE = 8192
SAFE_VERSION = (3, 51, 3)  # older ones can corrupt a WAL when a commit meets a checkpoint
sqlite3: Any = utils.sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed
type_row = dict[str, Any]


class Database:
    """One connection with explicit transactions; nesting joins the outer one."""

    def __init__(self, path: Path) -> None:
        """Open (or make) the file and bring its schema up to date; raise StoreError when that cannot be."""
        try:
            # Made by us, so that the files beside it (-wal, -shm) are as closed as it is.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            if path.stat().st_uid == os.geteuid():
                path.chmod(0o600)
            self._connection = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
            self._connection.row_factory = sqlite3.Row
            for pragma in (
                f"page_size={PAGE_SIZE}",
                "journal_mode=WAL",
                "synchronous=FULL",
                f"busy_timeout={BUSY_MS}",
                "foreign_keys=ON",
            ):
                self._connection.execute(f"PRAGMA {pragma}")
            self._migrate()
        except (sqlite3.DatabaseError, OSError) as error:
            raise StoreError(f"{path}: {error}") from error
        self._depth = 0

    def _migrate(self) -> None:
        database = sqlite_utils.Database(self._connection)
        with contextlib.closing(sqlite_utils.Database(memory=True)) as empty:
            known = {step.name for step in MIGRATIONS.pending(empty)}
        if "_sqlite_migrations" in database.table_names():
            applied = {row[0] for row in self._connection.execute("SELECT name FROM _sqlite_migrations")}
            if applied - known:
                raise StoreError(f"the database was written by a newer version: {sorted(applied - known)}")
        MIGRATIONS.apply(database)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in one transaction, durable when it returns; roll back when it raises."""
        if self._depth:
            yield
            return
        self._run("BEGIN IMMEDIATE", {})
        self._depth = 1
        try:
            yield
        except BaseException:
            self._depth = 0
            self._connection.rollback()
            raise
        self._depth = 0
        try:
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._connection.rollback()
            raise StoreError(f"commit: {error}") from error

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Run the block inside of a transaction so that only it is taken back when it raises."""
        self._run("SAVEPOINT piece", {})
        try:
            yield
        except BaseException:
            self._run("ROLLBACK TO piece", {})
            self._run("RELEASE piece", {})
            raise
        self._run("RELEASE piece", {})

    def _run(self, sql: str, values: dict[str, Any]) -> Any:
        try:
            return self._connection.execute(sql, values)
        except sqlite3.DatabaseError as error:
            # Disk full, locked for too long, read-only, a damaged file: nothing was written. The rest are our own defects.
            if type(error) in (sqlite3.OperationalError, sqlite3.DatabaseError):
                raise StoreError(str(error)) from error
            raise

    def run(self, sql: str, **values: Any) -> int:
        """Execute a statement and return how many rows it changed."""
        return int(self._run(sql, values).rowcount)

    def rows(self, sql: str, **values: Any) -> list[type_row]:
        """Return all rows of a query (or of RETURNING)."""
        return [dict(row) for row in self._run(sql, values).fetchall()]

    def one(self, sql: str, **values: Any) -> type_row | None:
        """Return the first row, or None."""
        found = self.rows(sql, **values)
        return found[0] if found else None

    def value(self, sql: str, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.one(sql, **values)
        return next(iter(row.values())) if row else None

    def applied(self) -> list[str]:
        """Return the names of the migrations that ran, in order."""
        return [row["name"] for row in self.rows("SELECT name FROM _sqlite_migrations ORDER BY id")]

    def damage(self) -> list[str]:
        """Return what a quick check of the file finds; empty when it is sound."""
        try:
            found = [str(next(iter(row.values()))) for row in self.rows("PRAGMA quick_check")]
        except (StoreError, sqlite3.DatabaseError) as error:
            return [str(error)]
        return [line for line in found if line != "ok"]

    def close(self) -> None:
        """Close the connection; everything committed stays."""
        self._connection.close()

    @staticmethod
    def engine() -> tuple[str, bool]:
        """Return the engine's version and whether it is free of the WAL-reset bug."""
        version = tuple(int(part) for part in sqlite3.sqlite_version.split("."))
        return f"SQLite {sqlite3.sqlite_version}", version >= SAFE_VERSION


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(value: int | None) -> datetime | None:
    """Return the moment, or None."""
    return None if value is None else datetime.fromtimestamp(value / 1000, UTC)


def dump(value: object) -> str:
    """Return compact JSON text in the order given."""
    return orjson.dumps(value).decode("utf-8")


def load(text: str) -> Any:
    """Return the value of JSON text that this store wrote."""
    return json.loads(text)
