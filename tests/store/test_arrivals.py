"""Which arrivals are still to be settled: known without asking again, and never wrong about it."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest
from store.rows import BOB, NOW, arrival, later

from gateway.errors import StoreError
from gateway.store import arrivals as module
from gateway.store.schema import STEPS, statements, statements_for_postgres
from gateway.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio
ID = arrival().id


def held(store: Store) -> bool:
    """Tell whether the arrival is ours to settle, as one who settles asks."""
    with store.transaction():
        return store.arrivals.hold(ID, BOB)


async def kept(store: Store) -> None:
    """Keep the arrival and read it, as one who begins to settle it does."""
    store.arrivals.keep(arrival())
    assert store.arrivals.get(ID, BOB) is not None


async def test_what_was_read_is_not_asked_for_again(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite whoever read an arrival knows that it is not settled until somebody writes that it is."""
    await kept(file_store)
    with monkeypatch.context() as patch:
        patch.setattr(file_store.arrivals, "_hold", lambda *_: pytest.fail("asked"))
        assert held(file_store)


async def test_what_is_settled_is_nobodys(store: Store) -> None:
    """Once it is settled nobody holds it; when that is taken back it can be held again."""
    await kept(store)
    with suppress(ZeroDivisionError), store.transaction():
        store.arrivals.settle(ID, BOB, "done", NOW)
        assert not store.arrivals.hold(ID, BOB)
        raise ZeroDivisionError
    assert held(store)
    store.arrivals.settle(ID, BOB, "done", NOW)
    assert not held(store)


async def test_what_another_process_settled_is_nobodys(store: Store, where: Path | str) -> None:
    """What another process settled after it was read here is not held here."""
    await kept(store)
    with closing(Store(where)) as other:
        other.arrivals.settle(ID, BOB, "done", NOW)
    await asyncio.sleep(0)
    assert not held(store)


async def test_a_settlement_while_it_is_read_is_seen(
    store: Store, where: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When another process settles it just after its row was read, it is not taken for open afterwards."""
    store.arrivals.keep(arrival())
    load: Callable[[str], object] = vars(module)["load"]

    def late(text: str) -> object:
        monkeypatch.setattr(module, "load", load)
        with closing(Store(where)) as other:
            other.arrivals.settle(ID, BOB, "done", NOW)
        return load(text)

    monkeypatch.setattr(module, "load", late)
    store.arrivals.get(ID, BOB)
    await asyncio.sleep(0)
    assert not held(store)


async def test_an_id_that_was_forgotten_can_be_settled_again(store: Store) -> None:
    """What comes again after its id's retention is settled like anything else, whatever is known of the one before."""
    await kept(store)
    store.arrivals.settle(ID, BOB, "done", NOW)
    assert not held(store)
    store.arrivals.prune(bytes_before=later(days=1), ids_before=later(days=1))
    await kept(store)
    assert held(store)


async def test_an_upgrade_finds_arrivals_by_the_same_key(store: Store) -> None:
    """Arrivals of an older database are given the key by which they are looked for, whatever their ids are."""
    for name in ("1", "\u00e9\u4e2d\U0001f600", "%25", "it's"):
        store.arrivals.keep(arrival(id=f"https://peer.example/{name}"))
    keys = "SELECT key, id FROM arrival ORDER BY id"
    before = [(bytes(row["key"]), row["id"]) for row in store.database.rows(keys)]
    script = dict(STEPS)["0008_hashed_arrivals"]
    with store.transaction():
        for statement in statements_for_postgres(script) if store.database.shares else statements(script):
            store.database.run(statement)
    assert [(bytes(row["key"]), row["id"]) for row in store.database.rows(keys)] == before
    assert len(before) == 4


@pytest.mark.parametrize("where", ["postgres"], indirect=True)
def test_who_writes_while_arrivals_are_moved_waits(where: str) -> None:
    """On PostgreSQL nothing is written to a table between the moment it is copied and the moment it is replaced."""
    steps = statements_for_postgres(dict(STEPS)["0008_hashed_arrivals"])
    moving, writing = Store(where), Store(f"{where}?options=-c%20lock_timeout%3D50ms")
    with suppress(ZeroDivisionError), moving.transaction():
        for statement in steps[:-2]:
            moving.database.run(statement)
        with pytest.raises(StoreError):
            writing.arrivals.keep(arrival())
        raise ZeroDivisionError
    assert writing.arrivals.keep(arrival())
    moving.close()
    writing.close()
