"""What was read a moment ago: kept until somebody may have written, this process or another."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest
from store.rows import ALICE, BOB, NOW, PEER, remote

from gateway.errors import StoreError
from gateway.policy.rules import Action, Rule
from gateway.store.recent import Recent
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path

REFUSE = Rule(id="r1", host="peer.example", action=Action.REFUSE)


def counted(store: Store, *tables: str, cap: int = 10) -> tuple[Recent[str, int], list[str]]:
    """Return a memory, and a list of what was really read."""
    return Recent(store.database, *tables, cap=cap), []


def get(memory: Recent[str, int], read: list[str], key: str) -> int:
    """Ask for a value."""

    def reading() -> int:
        read.append(key)
        return len(read)

    return memory.get(key, reading)


def test_it_is_read_once(store: Store) -> None:
    """The same is not read twice while nobody writes; another key is."""
    memory, read = counted(store, "rule")
    assert [get(memory, read, key) for key in ("a", "a", "b", "a")] == [1, 1, 2, 1]


def test_our_own_writes_are_seen(store: Store) -> None:
    """A write to its table makes it read again, one to another table does not."""
    memory, read = counted(store, "rule")
    get(memory, read, "a")
    store.peers.seen(PEER, NOW)
    get(memory, read, "a")
    assert read == ["a"]
    store.peers.save_rule(REFUSE, NOW)
    get(memory, read, "a")
    assert read == ["a", "a"]


def test_what_was_taken_back_is_forgotten(store: Store) -> None:
    """What was read inside of a transaction that failed is not kept."""
    with suppress(KeyError), store.transaction():
        store.peers.save_rule(REFUSE, NOW)
        assert len(store.peers.rules()) == 1
        raise KeyError
    assert store.peers.rules() == []


def test_others_writes_are_seen(file_store: Store, tmp_path: Path) -> None:
    """What another process wrote is read at once from a file."""
    assert file_store.peers.rules() == []
    with closing(Store(tmp_path / FILE)) as other:
        other.peers.save_rule(REFUSE, NOW)
    assert file_store.peers.rules() == [REFUSE]


def test_others_writes_are_seen_within_a_second(
    store: Store, where: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever engine: a second later it is read again."""
    assert store.peers.rules() == []
    with closing(Store(where)) as other:
        other.peers.save_rule(REFUSE, NOW)
    before = store.database.elsewhere()
    monkeypatch.setattr(store.database, "_changes_elsewhere", lambda: before + 1)
    assert store.peers.rules() == [REFUSE]


def test_it_is_bounded(store: Store) -> None:
    """No more is kept than its cap."""
    memory, read = counted(store, cap=3)
    for number in range(10):
        get(memory, read, str(number))
    assert len(memory._known) == 3


def test_what_failed_to_become_durable_is_forgotten(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read inside of a transaction whose commit failed is not kept, whether it names tables or not."""
    connection = file_store.database._connection  # type: ignore[attr-defined]
    full = Full(connection)
    with monkeypatch.context() as patch:
        patch.setattr(file_store.database, "_connection", full)
        with pytest.raises(StoreError):
            written(file_store)
    assert not file_store.relations.blocks(ALICE, BOB)
    assert file_store.relations.actor(BOB) is None


def written(store: Store) -> None:
    """Write a block and an actor, and read both, in one transaction."""
    with store.transaction():
        store.relations.save_block(ALICE, BOB, "b", NOW)
        store.relations.save_actor(remote(), [])
        assert store.relations.blocks(ALICE, BOB)
        assert store.relations.actor(BOB) is not None


class Full:
    """A connection to a full disk: nothing is committed."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, sql: str, *values: Any) -> Any:
        if sql == "COMMIT":
            raise OSError("disk full")
        return self._connection.execute(sql, *values)

    def __getattr__(self, name: str) -> Any:
        """Return whatever else a connection has."""
        return getattr(self._connection, name)


@pytest.mark.anyio
async def test_a_transaction_sees_what_was_committed_before_it(store: Store, where: Path | str) -> None:
    """What another process committed in this turn of the loop, after we asked, counts in a transaction that follows."""
    assert not store.relations.blocks(ALICE, BOB)
    with closing(Store(where)) as other:
        other.relations.save_block(ALICE, BOB, "b", NOW)
    with store.transaction():
        assert store.relations.blocks(ALICE, BOB)


def test_one_value_is_read_again(store: Store) -> None:
    """Who writes without a table being named says which value changed; the others are kept."""
    memory, read = counted(store)
    for key in ("a", "b"):
        get(memory, read, key)
    memory.drop("a")
    assert [get(memory, read, key) for key in ("a", "b")] == [3, 2]


def test_what_is_not_there_is_not_kept(store: Store) -> None:
    """A memory of what was found does not fill with what anybody may ask for."""
    memory: Recent[str, int | None] = Recent(store.database, found=True)
    asked: list[str] = []

    def reading() -> int | None:
        asked.append("a")
        return None if len(asked) < 3 else 7

    assert [memory.get("a", reading) for _ in range(4)] == [None, None, 7, 7]
    assert len(asked) == 3


def test_nothing_exact_is_kept_where_others_are_seen_late(store: Store) -> None:
    """Where another process's write is seen up to a second later, an exact value is read every time."""
    memory: Recent[str, int] = Recent(store.database, exact=True)
    read: list[str] = []
    assert [get(memory, read, "a") for _ in range(2)] == ([1, 2] if store.database.shares else [1, 1])
