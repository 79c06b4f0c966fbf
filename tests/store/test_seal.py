"""Seals: a flipped bit in what goes out is found by whoever reads it, and never served."""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from store.rows import ALICE, account, sent, stored

from gateway.errors import StoreError
from gateway.store import backup, seal
from gateway.store.sqlite import PAGE_SIZE
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARK = "a text that stands in the file once"


def fill(store: Store) -> None:
    """Write one of each."""
    store.accounts.save(replace(account(), summary=MARK))
    store.objects.save(stored())
    store.objects.save_activity(sent())


READERS: list[Callable[[Store], object]] = [
    lambda store: store.accounts.by_id(ALICE),
    lambda store: store.objects.get(stored().id),
    lambda store: store.objects.activity(sent().id),
]


def test_what_was_written_is_sound(store: Store) -> None:
    """Everything is read as it was written, and a thorough look finds nothing."""
    fill(store)
    assert all(read(store) is not None for read in READERS)
    assert backup.damage(store.database) == []


@pytest.mark.parametrize("table", ["object", "activity", "account"])
def test_another_value_is_found(store: Store, table: str) -> None:
    """A row that something else than the gateway changed is not served, and named by a thorough look."""
    fill(store)
    column = {"object": "prefs", "activity": "actor", "account": "prefs"}[table]
    store.database.run(f"UPDATE {table} SET {column} = '{{}}'")  # noqa: S608 - names of ours
    reader = READERS[["account", "object", "activity"].index(table)]
    with pytest.raises(StoreError, match="damaged"):
        reader(store)
    assert [line for line in backup.damage(store.database) if table in line]


def test_rows_from_before_are_sealed(store: Store) -> None:
    """What was written before there were seals gets one when the store is opened."""
    fill(store)
    for table in seal.SEALED:
        store.database.run(f"UPDATE {table} SET seal = NULL")  # noqa: S608 - names of ours
    seal.seal_all(store.database)
    assert all(read(store) is not None for read in READERS)


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_is_never_served(tmp_path: Path, seed: int) -> None:
    """Whichever bit of the file flips: what is read is what was written, or it is refused."""
    path = tmp_path / FILE
    with closing(Store(path)) as store:
        fill(store)
        store.database.run("PRAGMA wal_checkpoint(TRUNCATE)")
        good = [read(store) for read in READERS]
    raw = bytearray(path.read_bytes())
    chance = random.Random(seed)
    # Half of them where our rows are, half anywhere.
    where = raw.find(MARK.encode()) // PAGE_SIZE * PAGE_SIZE if seed % 2 else 0
    at = where + chance.randrange(PAGE_SIZE if seed % 2 else len(raw))
    raw[at] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(raw))
    try:
        store = Store(path)
    except StoreError:
        return
    with closing(store):
        for reader, expected in zip(READERS, good, strict=True):
            try:
                found = reader(store)
            except StoreError:
                continue
            assert found in (expected, None) or backup.damage(store.database)
