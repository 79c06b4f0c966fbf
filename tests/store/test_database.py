"""The one database: engine settings, transactions, damage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import StoreError
from gateway.store import database
from gateway.store.database import PAGE_SIZE, Database, dump, from_ms, load, sqlite3, to_ms
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIMPLE = st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53)
KEYS = "SELECT key FROM meta ORDER BY key"


def put(store: Store, key: str) -> None:
    """Write one row."""
    store.database.run("INSERT INTO meta VALUES (:k, 'x')", k=key)


def succeeds(store: Store, work: Callable[[], object]) -> None:
    """Do something in a transaction."""
    with store.transaction():
        work()


def fails(store: Store, work: Callable[[], object]) -> None:
    """Do something in a transaction that then fails."""
    with store.transaction():
        work()
        raise KeyError


def keys(store: Store) -> list[str]:
    """Return the rows that are there."""
    return [row["key"] for row in store.database.rows(KEYS)]


@pytest.mark.parametrize(
    ("pragma", "value"), [("page_size", PAGE_SIZE), ("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)]
)
def test_the_engine_is_set_up_for_durability(store: Store, pragma: str, value: object) -> None:
    """Every commit reaches the disk (FULL) through a write-ahead log, in pages of eight kibibytes."""
    assert store.database.value(f"PRAGMA {pragma}") == value


def test_a_transaction_is_durable_as_a_whole(store: Store, tmp_path: Path) -> None:
    """What a block wrote is there for another connection once the block is left."""
    with store.transaction():
        put(store, "a")
        put(store, "b")
    other = Store(tmp_path / FILE)
    assert keys(other) == ["a", "b"]
    other.close()


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    """An exception takes back everything, and the next transaction works."""
    with pytest.raises(KeyError):
        fails(store, lambda: put(store, "a"))
    assert keys(store) == []
    with store.transaction():
        put(store, "b")
    assert keys(store) == ["b"]


def test_a_nested_transaction_joins_the_outer_one(store: Store) -> None:
    """An inner block ends nothing: when the outer one fails, its rows go too."""
    with pytest.raises(KeyError):
        fails(store, lambda: succeeds(store, lambda: put(store, "inner")))
    assert keys(store) == []
    with store.transaction():
        with store.transaction():
            put(store, "inner")
        put(store, "outer")
    assert keys(store) == ["inner", "outer"]


def test_an_inner_failure_takes_the_outer_transaction_along(store: Store) -> None:
    """An exception that leaves an inner block and the outer one rolls both back."""
    with pytest.raises(KeyError):
        succeeds(store, lambda: fails(store, lambda: put(store, "inner")))
    assert keys(store) == []


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
    monkeypatch.setattr(database, "BUSY_MS", 1)
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


def test_rows_values_and_nothing(store: Store) -> None:
    """A query returns rows, one row, one value, or None."""
    assert store.database.one(KEYS) is None
    assert store.database.value(KEYS) is None
    put(store, "a")
    assert store.database.one(KEYS) == {"key": "a"}
    assert store.database.value(KEYS) == "a"


def test_migrations_are_recorded(store: Store) -> None:
    """The names of what ran are kept, in order."""
    assert store.database.applied() == ["0001_first", "0002_clients", "0003_bounds", "0004_turns"]


def test_opening_again_migrates_nothing(store: Store, tmp_path: Path) -> None:
    """A second start finds its schema and leaves the rows alone."""
    put(store, "a")
    store.close()
    again = Store(tmp_path / FILE)
    assert again.database.applied() == ["0001_first", "0002_clients", "0003_bounds", "0004_turns"]
    assert keys(again) == ["a"]
    again.close()


def test_a_newer_database_is_refused(store: Store, tmp_path: Path) -> None:
    """A file that a newer version wrote is not touched by this one."""
    store.database.run(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('gateway', '9999_future', 'x')"
    )
    with pytest.raises(StoreError, match=r"newer version.*9999_future"):
        Database(tmp_path / FILE)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Something else at the place of the database is named with the file."""
    path = tmp_path / FILE
    path.write_bytes(b"this is not a database" * 1000)
    with pytest.raises(StoreError, match=FILE):
        Database(path)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A database in nowhere cannot be opened."""
    with pytest.raises(StoreError, match="No such file or directory"):
        Database(tmp_path / "nowhere" / FILE)


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
    damaged = Database(path)
    assert damaged.damage()
    damaged.close()


def test_the_engine_says_its_version() -> None:
    """The version is shown with whether it is free of the WAL bug."""
    name, safe = Database.engine()
    assert name == f"SQLite {sqlite3.sqlite_version}"
    assert safe is (tuple(map(int, sqlite3.sqlite_version.split("."))) >= database.SAFE_VERSION)


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_moments_survive_in_milliseconds(value: int) -> None:
    """A stored moment is the same moment when it is read again."""
    assert to_ms(from_ms(value)) == value  # type: ignore[arg-type]


def test_no_moment_is_none() -> None:
    """What never happened has no time."""
    assert from_ms(None) is None
    assert from_ms(0) == datetime(1970, 1, 1, tzinfo=UTC)


@given(st.recursive(SIMPLE, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5))
def test_documents_survive_as_text(value: object) -> None:
    """What is dumped is loaded again."""
    assert load(dump(value)) == value
