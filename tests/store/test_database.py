"""The one database, whichever engine: transactions, rows, migrations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.database import dump, from_ms, load, to_ms
from gateway.store.store import Store

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


def test_a_transaction_is_durable_as_a_whole(store: Store, where: Path | str) -> None:
    """What a block wrote is there for another connection once the block is left."""
    with store.transaction():
        put(store, "a")
        put(store, "b")
    other = Store(where)
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


def test_rows_values_and_nothing(store: Store) -> None:
    """A query returns rows, one row, one value, or None."""
    assert store.database.one(KEYS) is None
    assert store.database.value(KEYS) is None
    put(store, "a")
    assert store.database.one(KEYS) == {"key": "a"}
    assert store.database.value(KEYS) == "a"


def test_migrations_are_recorded(store: Store) -> None:
    """The names of what ran are kept, in order."""
    assert store.database.applied() == ["0001_first", "0002_clients", "0003_bounds", "0004_turns", "0005_seals"]


def test_opening_again_migrates_nothing(store: Store, where: Path | str) -> None:
    """A second start finds its schema and leaves the rows alone."""
    put(store, "a")
    store.close()
    again = Store(where)
    assert again.database.applied() == ["0001_first", "0002_clients", "0003_bounds", "0004_turns", "0005_seals"]
    assert keys(again) == ["a"]
    again.close()


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
