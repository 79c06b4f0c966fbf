"""SQLite: one file in WAL mode with ``synchronous=FULL``, one writer at a time.

Versions before 3.51.3 can corrupt a WAL when a commit of one connection meets a checkpoint of another (sqlite.org/wal.html,
"the WAL-reset bug"). With one of those, every write and every checkpoint holds a lock on a file beside the database, across
all processes; with a newer one a thread of its own makes checkpoints, so that no request waits for one.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import threading
from typing import TYPE_CHECKING, Any

import sqlite_utils
from sqlite_utils import utils

from gateway.errors import StoreError
from gateway.store.database import Database, check_known, with_parameters
from gateway.store.schema import MIGRATIONS, STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gateway.store.database import type_row

BUSY_MS = 5_000
MIGRATION_MS = 600_000  # while another process brings a large database up to date
PAGE_SIZE = 8192
SAFE_VERSION = (3, 51, 3)
CHECKPOINT_PAGES = 1_000  # in the WAL; then what it holds goes into the file, once few pages are written in a look
QUIET_PAGES = 50
MOST_PAGES = 6_000  # then it goes there whoever writes, and the WAL begins anew
WAL_LIMIT_BYTES = 64 * 1024 * 1024  # what a reader kept from being emptied is cut to this afterwards
LOOK_SECONDS = 0.25
PAGES = 256  # of one step of a copy
sqlite3: Any = utils.sqlite3  # type: ignore[attr-defined]  # pysqlite3 where it is installed
_LIMITS = re.compile(r"LIMIT \+:(\w+)")
_ROW_LOCKS = re.compile(r" FOR UPDATE(?: OF \w+)?(?: SKIP LOCKED)?")


class Sqlite(Database):
    """The database in a file."""

    def __init__(self, path: Path) -> None:
        """Open (or make) the file and bring its schema up to date; raise StoreError when that cannot be."""
        super().__init__()
        self.path = path
        self._writer: _WriterLock | None = None
        self._checkpoints: _Checkpoints | None = None
        self._is_lax = False  # whether the transaction that is open need not last
        try:
            # Made by us, so that the files beside it (-wal, -shm) are as closed as it is.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            if path.stat().st_uid == os.geteuid():
                path.chmod(0o600)
            self._connection = connect(path)
            if not _is_safe():
                self._writer = _WriterLock(path.with_name(f"{path.name}-writer"))
            with self._alone():
                self._migrate()
            found = path.stat()
            self._place = (found.st_dev, found.st_ino)
        except (sqlite3.DatabaseError, OSError) as error:
            raise StoreError(f"{path}: {error}") from error

    def checkpoint_beside(self) -> None:
        """Let a thread make the checkpoints from now on (a process that serves)."""
        if self._writer is None and self._checkpoints is None:
            self._connection.execute("PRAGMA wal_autocheckpoint=0")
            self._checkpoints = _Checkpoints(self.path)

    def _migrate(self) -> None:
        database = sqlite_utils.Database(self._connection)
        if "_sqlite_migrations" in database.table_names():
            applied = {row[0] for row in self._connection.execute("SELECT name FROM _sqlite_migrations")}
            check_known(applied, {name for name, _ in STEPS})
        self._connection.execute(f"PRAGMA busy_timeout={MIGRATION_MS}")
        self._connection.execute("BEGIN IMMEDIATE")
        MIGRATIONS.ensure_migrations_table(database)  # with its index, or not at all
        self._connection.execute("COMMIT")
        MIGRATIONS.apply(database)
        self._connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the writer lock where this SQLite needs one."""
        if self._writer is None or self._depth:
            yield
            return
        self._writer.take()
        try:
            yield
        finally:
            self._writer.give()

    def _begin(self, *, alone: bool, lasting: bool) -> None:
        del alone  # there is one writer anyway
        self._check_place()
        if self._checkpoints is not None and self._checkpoints.is_long:
            self._checkpoints.is_long = False
            with contextlib.suppress(sqlite3.Error):  # what is wrong will show when something is written
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if self._writer is not None:
            self._writer.take()
        try:
            self._sync(lax=not lasting)
            self._named(self._connection.execute, "BEGIN IMMEDIATE", {})
        except BaseException:
            self._end()
            raise

    def _check_place(self) -> None:
        """Raise StoreError when the file at our path is not the one that is open: nobody would find what is written."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 - asked for every transaction
        except OSError as error:
            raise StoreError(f"{self.path} is gone: {error}") from error
        if (found.st_dev, found.st_ino) != self._place:
            raise StoreError(f"{self.path} is not the file that was opened")

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._connection.rollback()
            raise StoreError(f"commit: {error}") from error
        finally:
            self._end()

    def _rollback(self) -> None:
        self._connection.rollback()
        self._end()

    def _end(self) -> None:
        try:
            with contextlib.suppress(StoreError):  # whoever writes next tries again
                self._sync(lax=False)
        finally:
            if self._writer is not None:
                self._writer.give()

    def _sync(self, *, lax: bool) -> None:
        """Let commits be synced, or, lax, only put in order."""
        if lax is not self._is_lax:
            self._named(self._connection.execute, f"PRAGMA synchronous={'NORMAL' if lax else 'FULL'}", {})
            self._is_lax = lax

    def _run(self, sql: str, values: Mapping[str, Any]) -> Any:
        return self._told(self._connection.execute, sql, values)

    def _run_many(self, sql: str, many: Sequence[Mapping[str, Any]]) -> None:
        self._told(self._connection.executemany, sql, many)

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[type_row]:
        found: list[type_row] = self._told(self._all_of, sql, values)
        return found

    def _all_of(self, sql: str, values: Mapping[str, Any]) -> list[type_row]:
        cursor = self._connection.execute(sql, values)
        return _by_name(cursor, cursor.fetchall())

    def batches(self, table: str, size: int) -> Iterator[list[type_row]]:
        """Return all rows of a table, some at a time; meant for within a transaction."""
        cursor = self._run(f"SELECT * FROM {table}", {})  # noqa: S608 - a name of our own schema
        while found := cursor.fetchmany(size):
            yield _by_name(cursor, found)

    def _told(self, work: Callable[[str, Any], Any], sql: str, values: Any) -> Any:
        """Do something with the connection, alone where that is needed, and tell what fails as ours."""
        if not self._depth:
            self._sync(lax=False)
        if self._writer is not None and not self._depth:
            with self._alone():
                return self._named(work, sql, values)
        return self._named(work, sql, values)

    def _named(self, work: Callable[[str, Any], Any], sql: str, values: Any) -> Any:
        try:
            return work(_for_sqlite(sql), values)
        except sqlite3.DatabaseError as error:
            # Disk full, locked for too long, read-only, a damaged file: nothing was written. The rest are our own defects.
            if type(error) in (sqlite3.OperationalError, sqlite3.DatabaseError):
                raise StoreError(str(error)) from error
            raise

    def log_bytes(self) -> int:
        """Return the size of the WAL."""
        wal = self.path.with_name(f"{self.path.name}-wal")
        return wal.stat().st_size if wal.exists() else 0

    def _changes_elsewhere(self) -> int:
        """Return the number that SQLite keeps of other connections' commits."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def applied(self) -> list[str]:
        """Return the names of the migrations that ran, in order."""
        return [row["name"] for row in self.rows("SELECT name FROM _sqlite_migrations ORDER BY id")]

    def damage(self, *, thorough: bool = False) -> list[str]:
        """Return what a check of the file finds; empty when it is sound."""
        try:
            rows = self.rows("PRAGMA integrity_check") if thorough else self.rows("PRAGMA quick_check")
        except (StoreError, sqlite3.DatabaseError) as error:
            return [str(error)]
        return [line for row in rows if (line := str(next(iter(row.values())))) != "ok"]

    def copy_to(self, path: Path, progress: Callable[[int, int], None]) -> None:
        """Write a copy of everything committed to a file, some pages at a time; raise StoreError when that fails.

        It is read through a connection of its own, in one snapshot: who writes meanwhile is not held up.
        """
        try:
            with (
                contextlib.closing(connect(self.path)) as source,
                contextlib.closing(sqlite3.connect(str(path))) as copy,
            ):
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()
                source.backup(copy, pages=PAGES, progress=lambda _status, left, whole: progress(left, whole))
                source.execute("COMMIT")
                copy.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}") from error

    def count_on(self) -> None:
        """Do nothing: a new number is one more than the largest that is there."""

    def close(self) -> None:
        """Close the connection; everything committed stays."""
        if self._checkpoints is not None:
            self._checkpoints.close()
        with self._alone():  # the last one out makes a checkpoint
            self._connection.close()
        if self._writer is not None:
            self._writer.close()

    def engine(self) -> tuple[str, bool]:
        """Return the engine's version and whether it is free of the WAL-reset bug."""
        return f"SQLite {sqlite3.sqlite_version}", _is_safe()


def connect(path: Path) -> Any:
    """Return a connection as all of ours are: WAL, every commit synced."""
    connection = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
    connection.create_function("sha256", 1, lambda data: hashlib.sha256(data).digest(), deterministic=True)
    for pragma in (
        f"page_size={PAGE_SIZE}",
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={BUSY_MS}",
        f"journal_size_limit={WAL_LIMIT_BYTES}",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _by_name(cursor: Any, rows: list[tuple[Any, ...]]) -> list[type_row]:
    """Return rows as dictionaries: made at once, for a third of what the driver's own kind of row costs to become one."""
    if not rows:
        return []
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _is_safe() -> bool:
    return tuple(int(part) for part in sqlite3.sqlite_version.split(".")) >= SAFE_VERSION


@functools.lru_cache(maxsize=1024)
def _for_sqlite(sql: str) -> str:
    """Return a statement as SQLite takes it: without row locks, compiled once.

    SQLite compiles a statement again whenever a value changes that it might plan by: one that a partial index could be
    about, or a LIMIT. That costs ten times what the statement does; within an expression a value is none of those.
    """
    return _LIMITS.sub(r"LIMIT :\1 + 0", with_parameters(_ROW_LOCKS.sub("", sql), "+:{}"))


class _WriterLock:
    """A lock on a file that all processes of one database take before they write or make a checkpoint."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)

    def take(self) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def give(self) -> None:
        fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._handle)


class _Checkpoints:
    """A thread that moves what the WAL holds into the file when it has grown, with a connection of its own.

    While it does the disk is busy, and who commits waits longer: so it is done when few write, if that comes in time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self.made = threading.Event()  # that there was one
        self.is_long = False  # whether the writer should move the little that came since, so that the WAL begins anew
        self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        before = 0
        with contextlib.closing(connect(self._path)) as connection:
            while not self._stop.wait(LOOK_SECONDS):
                with contextlib.suppress(sqlite3.Error):
                    _, in_log, in_file = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
                    is_quiet, before = abs(in_log - before) < QUIET_PAGES, in_log
                    if in_log > MOST_PAGES or (is_quiet and in_log - in_file > CHECKPOINT_PAGES):
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                        self.made.set()
                        self.is_long = in_log > MOST_PAGES

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
