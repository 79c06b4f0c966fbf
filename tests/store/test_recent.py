"""What was read a moment ago: kept until somebody may have written, this process or another."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING

from store.rows import NOW, PEER

from gateway.policy.rules import Action, Rule
from gateway.store.recent import Recent
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
