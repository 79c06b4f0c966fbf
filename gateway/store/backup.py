"""Backups: a whole copy of the database as one SQLite file, made while the gateway works, and put back from one.

A backup of either engine is the same file, so that it also carries a community from one engine to the other. It holds
everything but the secret file and the media.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.errors import BadInput, NotFound, StoreError
from gateway.store import seal
from gateway.store.sqlite import Sqlite, sqlite3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.store.database import Database

    Progress = Callable[[int, int], None]

_BATCH = 500
_CONTENT = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlite_migrations'"
)


def back_up(database: Database, target: Path, progress: Progress) -> int:
    """Write a checked copy of everything committed before now to ``target``; return its size in bytes.

    ``progress`` is told (done, all) in pages or tables. Raises BadInput when the file is there, StoreError when no sound
    copy can be made; then there is no file.
    """
    if target.exists():
        raise BadInput(f"{target} is there already")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}")
    os.close(handle)
    making = Path(name)
    try:
        if isinstance(database, Sqlite):
            database.copy_to(making, lambda left, whole: progress(whole - left, whole))
        else:
            _write_rows(database, making, progress)
        _check(making)
        with making.open("rb") as file:
            os.fsync(file.fileno())
        making.rename(target)
        _sync_directory(target.parent)
    except BaseException:
        _remove(making)
        raise
    return target.stat().st_size


def put_back(source: Path, target: Path | str, progress: Progress, open_target: Callable[[], Database]) -> None:
    """Make the database what a backup holds: a file is replaced whole, tables of PostgreSQL in one transaction.

    Raises NotFound without a backup, StoreError when that is not sound or of a newer version; then nothing changed.
    """
    if not source.is_file():
        raise NotFound(f"{source} is not there")
    with tempfile.TemporaryDirectory(
        dir=target.parent if isinstance(target, Path) else None, prefix=".restore"
    ) as folder:
        copy = Path(folder) / source.name
        with _opened(source) as old, contextlib.closing(sqlite3.connect(str(copy))) as new:
            old.backup(new)
        _check(copy)
        with contextlib.closing(Sqlite(copy)) as restored:  # migrated, when it is older
            restored.run("PRAGMA journal_mode=DELETE")
            if isinstance(target, str):
                with contextlib.closing(open_target()) as database:
                    _read_rows(restored, database, progress)
                return
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        copy.replace(target)
        _sync_directory(target.parent)
        progress(1, 1)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: {error}") from error


def _check(path: Path) -> None:
    """Raise StoreError when a copy is not a sound database of ours."""
    with _opened(path) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
        if found != ["ok"]:
            raise StoreError(f"{path.name} is damaged: {'; '.join(found)}")
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"_sqlite_migrations", "account", "job"} <= tables:
            raise StoreError(f"{path.name} is no backup of a gateway")


def _write_rows(database: Database, path: Path, progress: Progress) -> None:
    """Copy every table into a new file, as all of them are at one moment."""
    path.unlink()
    with contextlib.closing(Sqlite(path)) as copy, database.snapshot():
        _copy_tables(database, copy, progress)
        copy.run("PRAGMA wal_checkpoint(TRUNCATE)")
        copy.run("PRAGMA journal_mode=DELETE")


def _read_rows(copy: Sqlite, database: Database, progress: Progress) -> None:
    """Replace every row by those of a copy; what the others do meanwhile waits."""
    with database.transaction():
        for table in _tables(copy):
            database.run(f"DELETE FROM {table}")  # noqa: S608 - a name of our own schema
        _copy_tables(copy, database, progress)
        database.count_on()


def _copy_tables(source: Database, target: Database, progress: Progress) -> None:
    tables = _tables(target if isinstance(target, Sqlite) else source)
    with target.transaction():
        for number, table in enumerate(tables):
            for rows in source.batches(table, _BATCH):
                names = list(rows[0])
                marks = ", ".join(f":{name}" for name in names)
                sql = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - names of our own schema
                for row in rows:
                    target.run(sql, **row)
            progress(number + 1, len(tables))


def _tables(database: Database) -> list[str]:
    return [row["name"] for row in database.rows(_CONTENT)]


def damage(database: Database, progress: Progress = lambda _done, _whole: None) -> list[str]:
    """Return everything that a thorough look finds wrong; ``progress`` is told how many sealed rows were looked at."""
    found = database.damage(thorough=True)
    return found or seal.broken(database, progress)


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
