"""SQLite: engine settings, what fails and how it is told, damage."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from gateway.errors import StoreError
from gateway.store import sqlite
from gateway.store.sqlite import PAGE_SIZE, Sqlite, _for_sqlite, sqlite3
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(file_store: Store) -> Store:
    """Return a store in a file."""
    return file_store


def put(store: Store, key: str) -> None:
    """Write one row."""
    store.database.run("INSERT INTO meta VALUES (:k, 'x')", k=key)


def keys(store: Store) -> list[str]:
    """Return the rows that are there."""
    return [row["key"] for row in store.database.rows("SELECT key FROM meta ORDER BY key")]


@pytest.mark.parametrize(
    ("pragma", "value"), [("page_size", PAGE_SIZE), ("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_the_engine_is_set_up_for_durability(store: Store, pragma: str, value: object) -> None:
    """Every commit reaches the disk (FULL) through a write-ahead log, in pages of eight kibibytes."""
    assert store.database.value(f"PRAGMA {pragma}") == value


def test_only_what_need_not_last_is_not_synced(store: Store) -> None:
    """A transaction that need not last is committed without a sync; the next one has it again."""
    for fails in (False, True):
        with contextlib.suppress(ZeroDivisionError), store.database.transaction(lasting=False):
            assert store.database.value("PRAGMA synchronous") == 1
            put(store, f"{fails}")
            assert not fails or 1 / 0
        assert store.database.value("PRAGMA synchronous") == 2
    assert keys(store) == ["False"]


class Failing:
    """A connection of which one statement fails, once."""

    def __init__(self, connection: Any, fails: str) -> None:
        self._connection, self._fails = connection, fails

    def execute(self, sql: str, *values: object) -> Any:
        if sql == self._fails:
            self._fails = ""
            raise sqlite3.OperationalError("disk I/O error")
        return self._connection.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        """Be the connection for everything else."""
        return getattr(self._connection, name)


def test_what_lasts_is_synced_whatever_failed_before(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the engine could not be told to sync again after a transaction that need not last, the next one tells it."""
    connection = store.database._connection  # type: ignore[attr-defined]
    for last in (store.transaction, contextlib.nullcontext):
        monkeypatch.setattr(store.database, "_connection", Failing(connection, "PRAGMA synchronous=FULL"))
        with store.database.transaction(lasting=False):
            pass
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 1
        with last():
            put(store, f"{last}")
            assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    monkeypatch.setattr(store.database, "_connection", Failing(connection, "PRAGMA synchronous=NORMAL"))
    with pytest.raises(StoreError), store.database.transaction(lasting=False):
        pass
    with store.database.transaction(lasting=False):
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 1


def test_a_commit_that_fails_is_a_store_error(store: Store) -> None:
    """What cannot be committed is rolled back and reported as a passing fault."""
    store.database.run("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    store.database.run(
        "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    with pytest.raises(StoreError, match="commit"), store.transaction():
        store.database.run("INSERT INTO child VALUES (1)")
    assert store.database.rows("SELECT * FROM child") == []


def test_a_database_that_is_locked_too_long_is_a_store_error(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another writer that does not end is a passing fault, and nothing was written."""
    monkeypatch.setattr(sqlite, "BUSY_MS", 1)
    other = Store(tmp_path / FILE)
    with store.transaction():
        put(store, "a")
        with pytest.raises(StoreError, match="locked"), other.transaction():
            put(other, "b")
    other.close()
    assert keys(store) == ["a"]


def test_wrong_sql_is_a_store_error(store: Store) -> None:
    """An operational error of the engine comes out as the store's own."""
    with pytest.raises(StoreError, match="no such table"):
        store.database.rows("SELECT * FROM missing")


def test_a_defect_of_ours_is_no_store_error(store: Store) -> None:
    """A broken constraint is a bug to be seen, not a passing fault to be tried again."""
    put(store, "a")
    with pytest.raises(sqlite3.IntegrityError):
        put(store, "a")


def test_a_newer_database_is_refused(store: Store, tmp_path: Path) -> None:
    """A file that a newer version wrote is not touched by this one."""
    store.database.run(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('gateway', '9999_future', 'x')"
    )
    with pytest.raises(StoreError, match=r"newer version.*9999_future"):
        Sqlite(tmp_path / FILE)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Something else at the place of the database is named with the file."""
    path = tmp_path / FILE
    path.write_bytes(b"this is not a database" * 1000)
    with pytest.raises(StoreError, match=FILE):
        Sqlite(path)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A database in nowhere cannot be opened."""
    with pytest.raises(StoreError, match="No such file or directory"):
        Sqlite(tmp_path / "nowhere" / FILE)


def test_a_sound_file_has_no_damage(store: Store) -> None:
    """A quick check of a sound file finds nothing."""
    assert store.database.damage() == []


@pytest.mark.parametrize("junk", [b"\xff", b"\x00", b"\x05"])
def test_damage_is_found_and_told(store: Store, tmp_path: Path, junk: bytes) -> None:
    """Overwritten pages are reported in words, not as a crash."""
    for number in range(200):
        put(store, f"{number:04} {'x' * 200}")
    store.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    pages = len(content) // PAGE_SIZE
    for page in range(pages * 3 // 4, pages):
        content[page * PAGE_SIZE : page * PAGE_SIZE + 200] = junk * 200
    path.write_bytes(bytes(content))
    damaged = Sqlite(path)
    assert damaged.damage()
    damaged.close()


def test_the_engine_says_its_version(store: Store) -> None:
    """The version is shown with whether it is free of the WAL bug."""
    name, safe = store.database.engine()
    assert name == f"SQLite {sqlite3.sqlite_version}"
    assert safe is (tuple(map(int, sqlite3.sqlite_version.split("."))) >= sqlite.SAFE_VERSION)


def test_an_old_sqlite_writes_under_a_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a version that can corrupt its log every write holds a lock that all processes share, and all goes on."""
    monkeypatch.setattr(sqlite, "SAFE_VERSION", (99, 0, 0))
    held: list[str] = []
    take, give = sqlite._WriterLock.take, sqlite._WriterLock.give

    def taken(lock: sqlite._WriterLock) -> None:
        held.append("take")
        take(lock)

    def given(lock: sqlite._WriterLock) -> None:
        held.append("give")
        give(lock)

    monkeypatch.setattr(sqlite._WriterLock, "take", taken)
    monkeypatch.setattr(sqlite._WriterLock, "give", given)
    first, second = Store(tmp_path / FILE), Store(tmp_path / FILE)
    held.clear()
    with first.transaction():
        put(first, "a")
        assert held == ["take"]
    put(second, "b")
    with pytest.raises(KeyError), second.transaction():
        raise KeyError
    first.checkpoint_beside()  # none: a thread's checkpoints would meet commits
    assert first.database._checkpoints is None  # type: ignore[attr-defined]
    assert keys(first) == ["a", "b"]
    assert held.count("take") == held.count("give")
    assert first.database.engine()[1] is False
    first.close()
    second.close()


def test_checkpoints_are_made_beside(tmp_path: Path) -> None:
    """A process that serves never makes a checkpoint itself: a thread does, and the log does not grow for ever."""
    store = Store(tmp_path / FILE)
    store.checkpoint_beside()
    thread = store.database._checkpoints  # type: ignore[attr-defined]
    assert store.database.value("PRAGMA wal_autocheckpoint") == 0
    for _ in range(40):
        store.database.run("INSERT INTO meta VALUES (hex(randomblob(20)), hex(zeroblob(300000)))")
    thread.made.wait(10)
    assert thread.made.is_set()
    store.close()


def test_the_log_begins_anew_while_somebody_writes_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits that never pause do not keep the log from being emptied: it stays within a few times its bound."""
    monkeypatch.setattr(sqlite, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(sqlite, "MOST_PAGES", 100)
    store = Store(tmp_path / FILE)
    store.checkpoint_beside()
    most = 0
    for number in range(3_000):
        with store.transaction():
            put(store, f"{number:05}{'x' * 2_000}")
        most = max(most, store.database.log_bytes())
    assert 100 * PAGE_SIZE < most < 20 * 100 * PAGE_SIZE
    store.close()


def test_no_value_is_planned_by() -> None:
    """A parameter is always within an expression, so that SQLite compiles a statement once and not for each value."""
    sql = "SELECT ':no' FROM job WHERE pool = :pool LIMIT :most FOR UPDATE SKIP LOCKED"
    assert _for_sqlite(sql) == "SELECT ':no' FROM job WHERE pool = +:pool LIMIT :most + 0"
