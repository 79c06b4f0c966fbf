"""The one database as the shelves see it: transactions and rows, whichever engine is behind.

Statements use named parameters, TEXT, BIGINT and BLOB only, ``ON CONFLICT``, ``RETURNING`` and ``FOR UPDATE``: what
PostgreSQL takes as it stands and SQLite without the row locks, because it has one writer. Many values are one parameter,
a JSON list: ``FROM json_each(:name) AS value`` has ``value.value``. Times are milliseconds since 1970, documents are JSON text.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from abc import ABC, abstractmethod
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from gateway.errors import StoreError
from gateway.store.schema import STEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
type_row = dict[str, Any]
_PARAMETER = re.compile(r"('(?:[^']|'')*')|(?<![:\w]):([a-z]\w*)")
_NAMES = re.compile(r"(?:FROM|JOIN|INTO|UPDATE) (\w+)")
_WITHIN = contextlib.nullcontext()  # a transaction that is begun already
_WRITES = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")


class Database(ABC):
    """One connection with explicit transactions; nesting joins the outer one."""

    def __init__(self) -> None:
        self._depth = 0
        self._announces = False
        self._written: Counter[str] = Counter()
        self._undone = 0
        self._elsewhere: int | None = None
        self._last_elsewhere = 0
        self._moment = 0
        self._late: dict[Callable[[list[Any]], None], list[Any]] = {}
        self._late_tables: frozenset[str] = frozenset()

    @property
    def shares(self) -> bool:
        """Tell whether other writers can be in the middle of something: then rows are locked before they are judged."""
        return False

    def transaction(self, *, alone: bool = True, lasting: bool = True) -> AbstractContextManager[None]:
        """Run the block in one transaction, durable when it returns; roll back when it raises.

        Writers take turns, across all processes, so that none of two can wait for what the other one holds. Not
        ``alone`` are those that wait for nobody: what others hold they leave out. What is not ``lasting`` may be gone
        after a power cut, as if it had never been: then it costs no sync.
        """
        return _WITHIN if self._depth else self._transaction(alone=alone, lasting=lasting)

    @contextlib.contextmanager
    def _transaction(self, *, alone: bool, lasting: bool) -> Iterator[None]:
        self._begin(alone=alone, lasting=lasting)
        self._ask_again()  # it may have waited for somebody who wrote
        self._depth = 1
        try:
            yield
            self._catch_up()
        except BaseException:
            self._late.clear()
            self._depth, self._announces = 0, False
            self._rollback()
            self._taken_back()
            raise
        self._depth = 0
        try:
            self._commit()
        except BaseException:
            self._taken_back()
            raise
        finally:
            self._announces = False

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Run the block inside of a transaction so that only it is taken back when it raises."""
        self._catch_up()
        self._run("SAVEPOINT piece", {})
        try:
            yield
            self._catch_up()
        except BaseException:
            self._late.clear()
            self._run("ROLLBACK TO SAVEPOINT piece", {})
            self._run("RELEASE SAVEPOINT piece", {})
            self._taken_back()
            raise
        self._run("RELEASE SAVEPOINT piece", {})

    def later(self, work: Callable[[list[Any]], None], item: Any, *tables: str) -> None:
        """Let ``work`` write this, and what else is left for it, before the transaction ends or one of ``tables`` is asked.

        What is taken back with the transaction was never written.
        """
        if (items := self._late.get(work)) is None:
            items = self._late[work] = []
            self._late_tables |= frozenset(tables)
        items.append(item)

    def _catch_up(self) -> None:
        """Write what was left for later."""
        while self._late:
            late, self._late = self._late, {}
            for work, items in late.items():
                work(items)

    def moment(self) -> int:
        """Return a number that is another one as soon as somebody may have written to any table."""
        self.elsewhere()
        return self._moment

    def version(self, tables: tuple[str, ...]) -> tuple[int, ...]:
        """Return a value that is another one as soon as somebody may have written to one of the tables."""
        return (self.elsewhere(), self._undone, *(self._written[table] for table in tables))

    def elsewhere(self) -> int:
        """Return a number that changes when another process has written; asked once in a turn of the loop."""
        if self._elsewhere is None:
            found = self._changes_elsewhere()
            if found != self._last_elsewhere:
                self._last_elsewhere = found
                self._moment += 1
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().call_soon(self._ask_again)
                self._elsewhere = found
            return found
        return self._elsewhere

    def _taken_back(self) -> None:
        """Forget what was read while something was written that did not stay."""
        self._undone += 1
        self._moment += 1

    def _ask_again(self) -> None:
        self._elsewhere = None

    def _note(self, sql: str) -> None:
        """Note which table a statement writes to; what was left for later comes before it where they concern the same."""
        if self._late and not self._late_tables.isdisjoint(_named_in(sql)):
            self._catch_up()
        if (table := _written_by(sql)) is not None:
            self._written[table] += 1
            self._moment += 1

    def announce(self) -> None:
        """Let the other processes know, when the transaction is durable, that there is something to do."""
        self._announces = True

    def run(self, sql: str, **values: Any) -> int:
        """Execute a statement and return how many rows it changed."""
        self._note(sql)
        return int(self._run(sql, values).rowcount)

    def run_many(self, sql: str, many: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement for each of many values."""
        self._note(sql)
        if many:
            self._run_many(sql, many)

    def rows(self, sql: str, **values: Any) -> list[type_row]:
        """Return all rows of a query (or of RETURNING)."""
        self._note(sql)
        return self._fetch(sql, values)

    def one(self, sql: str, **values: Any) -> type_row | None:
        """Return the first row, or None."""
        found = self.rows(sql, **values)
        return found[0] if found else None

    def value(self, sql: str, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        row = self.one(sql, **values)
        return next(iter(row.values())) if row else None

    @abstractmethod
    def _begin(self, *, alone: bool, lasting: bool) -> None:
        """Begin a transaction that may write; raise StoreError when that cannot be."""

    @abstractmethod
    def _commit(self) -> None:
        """Make the transaction durable; raise StoreError (and roll back) when that cannot be."""

    @abstractmethod
    def _rollback(self) -> None:
        """Take the transaction back; never raises."""

    @abstractmethod
    def _run(self, sql: str, values: Mapping[str, Any]) -> Any:
        """Execute a statement and return its cursor; raise StoreError for what is nobody's defect."""

    @abstractmethod
    def _run_many(self, sql: str, many: Sequence[Mapping[str, Any]]) -> None:
        """Execute a statement for each of many values; raise StoreError as ``_run`` does."""

    @abstractmethod
    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[type_row]:
        """Execute a statement and return all its rows; raise StoreError as ``_run`` does, also while they come."""

    @abstractmethod
    def log_bytes(self) -> int:
        """Return how large the log of what is not in the tables yet is; 0 where the server keeps it."""

    @abstractmethod
    def _changes_elsewhere(self) -> int:
        """Return a number that is another one when another process may have written."""

    @abstractmethod
    def applied(self) -> list[str]:
        """Return the names of the migrations that ran, in order."""

    def is_outgrown(self) -> bool:
        """Tell whether a newer version has changed the database: what it did to the tables is not known here."""
        return not {name for name, _ in STEPS}.issuperset(self.applied())

    @abstractmethod
    def damage(self, *, thorough: bool = False) -> list[str]:
        """Return what a check finds; empty when all is sound. ``thorough`` compares indexes with tables, too."""

    @abstractmethod
    def batches(self, table: str, size: int) -> Iterator[list[type_row]]:
        """Return all rows of a table, some at a time; meant for within a transaction."""

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything as it is at one moment."""
        with self.transaction():
            yield

    @abstractmethod
    def count_on(self) -> None:
        """Let new numbers follow those that rows were put back with."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection; everything committed stays."""

    @abstractmethod
    def engine(self) -> tuple[str, bool]:
        """Return the engine's name and version, and whether it is free of known ways to lose what was written."""


@functools.lru_cache(maxsize=1024)
def _written_by(sql: str) -> str | None:
    found = _WRITES.match(sql)
    return found[1] if found is not None else None


def with_parameters(sql: str, mark: str) -> str:
    """Return a statement whose ``:name`` parameters, but for those in texts, are written as ``mark`` says (``{}``)."""
    return _PARAMETER.sub(lambda found: found[1] or mark.format(found[2]), sql)


@functools.lru_cache(maxsize=1024)
def _named_in(sql: str) -> frozenset[str]:
    return frozenset(_NAMES.findall(sql))


def check_known(applied: set[str], known: set[str]) -> None:
    """Raise StoreError for a database that has seen migrations which this version does not know."""
    if applied - known:
        raise StoreError(f"the database was written by a newer version: {sorted(applied - known)}")


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970."""
    return (moment - EPOCH) // _MILLISECOND


def from_ms(value: int | None) -> datetime | None:
    """Return the moment, or None."""
    return None if value is None else at(value)


def at(value: int) -> datetime:
    """Return the moment."""
    return datetime.fromtimestamp(value / 1000, UTC)


def dump(value: object) -> str:
    """Return compact JSON text in the order given."""
    return orjson.dumps(value).decode("utf-8")


def load(text: str) -> Any:
    """Return the value of JSON text that this store wrote."""
    return orjson.loads(text)
