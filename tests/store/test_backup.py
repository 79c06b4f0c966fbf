"""Backups: what is in one, when it is refused, what putting one back does."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import postgres
import pytest
from store.rows import NOW, account, later

from gateway.errors import BadInput, NotFound, StoreError
from gateway.store import backup
from gateway.store.postgres import Postgres
from gateway.store.sqlite import PAGE_SIZE, sqlite3
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path


def told(done: int, whole: int) -> None:
    """Take what a progress bar would."""
    assert 0 <= done <= whole


def put(store: Store, number: int) -> None:
    """Write one row."""
    store.database.run("INSERT INTO meta VALUES (:k, 'x')", k=f"k{number:06}")


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Return every row of a few tables that have all kinds of columns, in an order that both engines have."""
    return {
        table: sorted(
            (
                {name: bytes(value) if isinstance(value, (bytes, memoryview)) else value for name, value in row.items()}
                for row in store.database.rows(f"SELECT * FROM {table}")  # noqa: S608 - a name of ours
            ),
            key=repr,
        )
        for table in ("meta", "account", "job", "turn", "private_key")
    }


def filled(store: Store) -> None:
    """Write an account, its keys, and jobs."""
    store.accounts.save(account())
    store.accounts.save_key(account().id, "rsa", b"\x00wrapped\xff", "PEM", NOW)
    for number in range(30):
        store.jobs.add("deliver", {"n": number}, lane=f"l{number % 3}", peer="https://peer.example", due=NOW)
        put(store, number)


def restored(path: Path, where: Path | str) -> Store:
    """Put a backup back and open what it became."""
    backup.put_back(path, where, told, lambda: Postgres(str(where)))
    return Store(where)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_backup_of_either_engine_is_put_back_into_either(store: Store, tmp_path: Path, engine: str) -> None:
    """Every row comes back as it was, also in the other engine, and new rows get new numbers."""
    filled(store)
    expected = content(store)
    backup.back_up(store.database, tmp_path / "copy", told)
    store.close()
    target: Path | str = tmp_path / "new" / FILE
    if engine == "postgres":
        target = postgres.shared_url()
    else:
        (tmp_path / "new").mkdir()
    with closing(restored(tmp_path / "copy", target)) as again:
        assert content(again) == expected
        again.jobs.add("deliver", {}, lane="new", peer="https://peer.example", due=later(hours=1))
        assert max(row["id"] for row in again.database.rows("SELECT id FROM job")) == 31
        assert backup.damage(again.database) == []


def test_a_file_that_is_there_is_not_written_over(store: Store, tmp_path: Path) -> None:
    """A backup goes to a new file only."""
    (tmp_path / "copy").write_bytes(b"precious")
    with pytest.raises(BadInput):
        backup.back_up(store.database, tmp_path / "copy", told)
    assert (tmp_path / "copy").read_bytes() == b"precious"


def test_what_cannot_be_made_leaves_nothing(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that is not sound is removed and told."""

    def broken(_path: Path) -> None:
        raise StoreError("page 7 is torn")

    monkeypatch.setattr(backup, "_check", broken)
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(StoreError, match="torn"):
        backup.back_up(store.database, folder / "copy", told)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content_", [b"", b"this is no database" * 100])
def test_what_is_no_backup_is_refused(tmp_path: Path, file_store: Store, content_: bytes) -> None:
    """Neither an empty nor a foreign file replaces the database that is there."""
    put(file_store, 1)
    file_store.close()
    (tmp_path / "copy").write_bytes(content_)
    with pytest.raises(StoreError):
        restored(tmp_path / "copy", tmp_path / FILE)
    with closing(Store(tmp_path / FILE)) as again:
        assert again.meta.get("k000001") == "x"


def test_a_backup_that_is_not_there(tmp_path: Path) -> None:
    """A wrong name is told."""
    with pytest.raises(NotFound):
        restored(tmp_path / "copy", tmp_path / FILE)


def test_a_damaged_backup_is_refused(tmp_path: Path, file_store: Store) -> None:
    """A backup whose pages are broken is not put back."""
    for number in range(3_000):
        put(file_store, number)
    backup.back_up(file_store.database, tmp_path / "copy", told)
    raw = bytearray((tmp_path / "copy").read_bytes())
    for page in range(len(raw) // PAGE_SIZE // 2, len(raw) // PAGE_SIZE):
        raw[page * PAGE_SIZE : page * PAGE_SIZE + 100] = b"\xff" * 100  # where a page says what it is
    (tmp_path / "copy").write_bytes(bytes(raw))
    (tmp_path / "other").mkdir()
    with pytest.raises(StoreError):
        restored(tmp_path / "copy", tmp_path / "other" / FILE)


def test_a_newer_backup_is_refused(tmp_path: Path, file_store: Store) -> None:
    """A backup of a version that knows more is not put back into this one."""
    backup.back_up(file_store.database, tmp_path / "copy", told)
    with closing(sqlite3.connect(str(tmp_path / "copy"))) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('gateway', '9999_future', 'x')"
        )
        connection.commit()
    with pytest.raises(StoreError, match="newer"):
        restored(tmp_path / "copy", tmp_path / FILE)


def keep_writing(where: Path, stop: threading.Event, acknowledged: list[int]) -> None:
    """Write one row after another, each durable before it is noted."""
    with closing(Store(where)) as store:
        number = 0
        while not stop.is_set():
            with store.transaction():
                put(store, 2 * number)
                put(store, 2 * number + 1)
            acknowledged.append(number)
            number += 1


@pytest.mark.parametrize("backups", [20, pytest.param(100, marks=pytest.mark.long)])
def test_backups_under_load_are_whole(tmp_path: Path, file_store: Store, backups: int) -> None:
    """Each backup made while somebody writes has everything acknowledged before it began, and no half of anything."""
    acknowledged: list[int] = []
    stop = threading.Event()
    writer = threading.Thread(target=keep_writing, args=(tmp_path / FILE, stop, acknowledged))
    writer.start()
    try:
        known = []
        for number in range(backups):
            known.append(len(acknowledged))
            backup.back_up(file_store.database, tmp_path / f"copy{number}", told)
    finally:
        stop.set()
        writer.join()
    for number, least in enumerate(known):
        folder = tmp_path / f"back{number}"
        folder.mkdir()
        with closing(restored(tmp_path / f"copy{number}", folder / FILE)) as again:
            found = [row["key"] for row in again.database.rows("SELECT key FROM meta ORDER BY key")]
        assert found == [f"k{n:06}" for n in range(len(found))]
        assert len(found) % 2 == 0
        assert 2 * least <= len(found) <= 2 * len(acknowledged)
