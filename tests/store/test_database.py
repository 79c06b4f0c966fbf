"""The one database, whichever engine: transactions, rows, migrations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store.rows import APPLIED

from gateway.errors import StoreError
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


def piece_fails(store: Store, work: Callable[[], object]) -> None:
    """Do something in a piece of a transaction that then fails."""
    with store.database.savepoint():
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
    assert store.database.applied() == APPLIED


def test_opening_again_migrates_nothing(store: Store, where: Path | str) -> None:
    """A second start finds its schema and leaves the rows alone."""
    put(store, "a")
    store.close()
    again = Store(where)
    assert again.database.applied() == APPLIED
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


class Left:
    """Writes names into ``meta``, all that were left for later in one go."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.written: list[list[str]] = []

    def later(self, name: str) -> None:
        """Leave one name."""
        self.store.database.later(self._write, name, "meta")

    def _write(self, names: list[str]) -> None:
        self.written.append(names)
        for name in names:
            self.store.database.run("INSERT INTO meta VALUES (:name, '1')", name=name)


def test_what_is_left_for_later_is_written_at_the_end(store: Store) -> None:
    """All that was left in a transaction is written in one go, and stays."""
    left = Left(store)
    with store.transaction():
        left.later("a")
        store.database.run("DELETE FROM peer WHERE origin = 'x'")
        left.later("b")
        assert left.written == []
    assert left.written == [["a", "b"]]
    assert [store.meta.get(name) for name in "ab"] == ["1", "1"]


def test_what_is_left_for_later_comes_before_a_question_about_it(store: Store) -> None:
    """Whoever asks a table sees what was left to be written there; who asks another table does not hurry it."""
    left = Left(store)
    with store.transaction():
        left.later("a")
        assert store.database.value("SELECT count(*) AS n FROM meta WHERE key = 'a'") == 1
        left.later("b")
    assert left.written == [["a"], ["b"]]


def test_what_was_left_in_a_transaction_that_failed_is_forgotten(store: Store) -> None:
    """Nothing of it is written then or in the next transaction."""
    left = Left(store)
    with pytest.raises(KeyError):
        fails(store, lambda: left.later("a"))
    with store.transaction():
        left.later("b")
    assert left.written == [["b"]]
    assert (store.meta.get("a"), store.meta.get("b")) == (None, "1")


def test_what_was_left_in_a_piece_that_failed_is_forgotten_alone(store: Store) -> None:
    """Of several pieces of a transaction only the failed one's is not written."""
    left = Left(store)
    with store.transaction():
        left.later("a")
        with pytest.raises(KeyError):
            piece_fails(store, lambda: left.later("b"))
        with store.database.savepoint():
            left.later("c")
        left.later("d")
    assert [store.meta.get(name) for name in "abcd"] == ["1", None, "1", "1"]


def test_what_looks_like_a_parameter_in_a_text_is_text(store: Store) -> None:
    """Colons in the texts of a statement stay, quotes within them, too; its parameters are taken."""
    [row] = store.database.rows(
        "SELECT '{\"a\":false, \"it''s\":b}' AS text, CAST(:what AS TEXT) AS what", what=":false"
    )
    assert row == {"text": '{"a":false, "it\'s":b}', "what": ":false"}


@pytest.mark.parametrize("where", ["postgres"], indirect=True)
def test_whoever_waits_too_long_for_a_turn_can_write_later(where: str) -> None:
    """A transaction that could not begin, because another process held its turn, leaves the connection as it was."""
    holder, waiter = Store(where), Store(f"{where}?options=-c%20lock_timeout%3D50ms")
    with holder.transaction():
        put(holder, "a")
        for _ in range(2):
            with pytest.raises(StoreError):
                succeeds(waiter, lambda: put(waiter, "b"))
    succeeds(waiter, lambda: put(waiter, "c"))
    assert keys(waiter) == ["a", "c"]
    holder.close()
    waiter.close()
