"""A start that is killed while it brings the schema up to date, before each of its statements: the next one goes on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import postgres
import psycopg
import pytest
from crash.forks import Forks, forking

from gateway.store.schema import STEPS
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST = 400  # statements; there are about a hundred
NAMES = [name for name, _ in STEPS]
COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name"
    " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
)
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Run what forks the processes that are killed."""
    with forking() as made:
        yield made


def killed_before(forks: Forks, where: str, statement: int, told: Path) -> bool:
    """Open a database in a process that ends before this statement; tell whether it came to it."""
    code = forks.wait(forks.start(["open", where, str(statement)], {}, told))
    assert code in (0, -signal.SIGKILL), told.read_text("utf-8")
    return code != 0


def on_sqlite(path: Path) -> list[Any]:
    """Open a file as a gateway does; return its schema."""
    store = Store(path)
    try:
        assert store.database.applied() == NAMES
        assert store.database.damage(thorough=True) == []
        return store.database.rows("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    finally:
        store.close()


def on_postgres(url: str) -> list[Any]:
    """Open a database as a gateway does; return its schema."""
    store = Store(url)
    try:
        assert store.database.applied() == NAMES
        assert store.database.damage(thorough=True) == []
        return [*store.database.rows(COLUMNS), *store.database.rows(INDEXES)]
    finally:
        store.close()


def test_sqlite_goes_on_after_a_kill_at_any_statement(tmp_path: Path, forks: Forks) -> None:
    """Killed before any statement of a migration, the next start ends with the schema of one that was not disturbed."""
    wanted, others = on_sqlite(tmp_path / FILE), {}
    for statement in range(MOST):
        path = tmp_path / str(statement) / FILE
        path.parent.mkdir()
        if not killed_before(forks, str(path), statement, tmp_path / "told"):
            break
        if (found := on_sqlite(path)) != wanted:
            others[statement] = [row for row in wanted if row not in found]
    assert others == {}
    assert sum(len(script.split(";\n")) for _, script in STEPS) < statement < MOST - 1


def test_sqlite_goes_on_after_a_kill_at_every_start(tmp_path: Path, forks: Forks) -> None:
    """However often starts are killed in turn, each a statement later, the one that is let be completes."""
    wanted, path = on_sqlite(tmp_path / FILE), tmp_path / "again" / FILE
    path.parent.mkdir()
    kills = [killed_before(forks, str(path), statement, tmp_path / "told") for statement in range(0, MOST, 7)]
    assert sum(kills) > len(STEPS)
    assert on_sqlite(path) == wanted


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a PostgreSQL server with every safety on, and make a database."""
    with postgres.running() as server:
        yield server.make("migrated")


def emptied(url: str) -> None:
    """Remove everything from a database."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.mark.parametrize("stride", [5, pytest.param(1, marks=pytest.mark.long)])
def test_postgres_goes_on_after_a_kill_at_any_statement(tmp_path: Path, forks: Forks, url: str, stride: int) -> None:
    """Killed before any statement of a migration, the next start ends with the schema of one that was not disturbed."""
    emptied(url)
    wanted = on_postgres(url)
    for statement in range(0, MOST, stride):
        emptied(url)
        if not killed_before(forks, url, statement, tmp_path / "told"):
            break
        assert on_postgres(url) == wanted, statement
    assert sum(len(script.split(";\n")) for _, script in STEPS) < statement < MOST - 1


def test_postgres_goes_on_after_a_kill_at_every_start(tmp_path: Path, forks: Forks, url: str) -> None:
    """However often starts are killed in turn, each some statements later, the one that is let be completes."""
    emptied(url)
    wanted = on_postgres(url)
    emptied(url)
    kills = [killed_before(forks, url, statement, tmp_path / "told") for statement in range(0, MOST, 7)]
    assert sum(kills) > len(STEPS)
    assert on_postgres(url) == wanted
