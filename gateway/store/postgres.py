"""PostgreSQL through psycopg 3: any number of processes share the work, each with one connection for what it does.

A process is one loop, so one connection is all that it can use at a time; when that is lost the next statement makes a
new one. Nobody waits for ever: connecting, waiting for a lock and running a statement all have their limits.
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from gateway.errors import Contended, StoreError
from gateway.store.database import Database, check_known, with_parameters
from gateway.store.schema import STEPS, statements_for_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.store.database import type_row

CHANNEL = "gateway_work"
OPTIONS = {
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "30",
    "application_name": "noai-gateway",
    "options": "-c statement_timeout=20s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"
    " -c default_transaction_isolation=read\\ committed -c synchronous_commit=on",
}
_LISTED = re.compile(r"json_each\(:(\w+)\)")
_MIGRATING = 0x6E6F6169  # the advisory lock of whoever brings the schema up to date
_CONTENDED = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.UniqueViolation)
_BEGIN_ALONE = "BEGIN; SELECT pg_advisory_xact_lock(8245936409410630516)"  # one message: writers take turns


class _Flag(Int8Dumper):
    """Truth values are 0 and 1, as in SQLite."""

    def dump(self, obj: Any) -> Any:
        return super().dump(int(obj))


class _Line(StrDumper):
    """PostgreSQL has no NUL in a text."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


def connect(url: str) -> psycopg.Connection[dict[str, Any]]:
    """Return a connection as all of ours are; raise StoreError when there is none to be had."""
    try:
        connection = psycopg.connect(url, autocommit=True, row_factory=dict_row, **_options(url))  # type: ignore[arg-type]  # libpq's own options
    except psycopg.Error as error:
        raise StoreError(f"PostgreSQL: {_first_line(error)}") from error
    for kind, dumper in ((int, Int8Dumper), (bool, _Flag), (str, _Line)):
        connection.adapters.register_dumper(kind, dumper)
    return connection


def _options(url: str) -> dict[str, str]:
    """Return our limits, but for what the URL says itself."""
    given = psycopg.conninfo.conninfo_to_dict(url)
    return {name: value for name, value in OPTIONS.items() if name not in given}


class Postgres(Database):
    """The database behind a ``postgresql://`` URL."""

    def __init__(self, url: str) -> None:
        """Connect and bring the schema up to date; raise StoreError when that cannot be."""
        super().__init__()
        self._url = url
        self._connection = connect(url)
        try:
            self._migrate()
        except psycopg.Error as error:
            self._connection.close()
            raise StoreError(f"PostgreSQL: {_first_line(error)}") from error

    @property
    def shares(self) -> bool:
        """Tell that other processes write at the same time."""
        return True

    def _migrate(self) -> None:
        """Take each step that is missing in a transaction of its own, one process after another."""
        connection = self._connection
        connection.execute("SET lock_timeout = 0; SET statement_timeout = 0")  # a large database takes its time
        connection.execute("SELECT pg_advisory_lock(%s)", (_MIGRATING,))
        try:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_migration (name TEXT PRIMARY KEY, applied TIMESTAMPTZ NOT NULL DEFAULT now())"
            )
            applied = set(self.applied())
            check_known(applied, {name for name, _ in STEPS})
            for name, script in STEPS:
                if name not in applied:
                    with connection.transaction():
                        for statement in statements_for_postgres(script):
                            connection.execute(statement.encode())
                        connection.execute("INSERT INTO schema_migration (name) VALUES (%s)", (name,))
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_MIGRATING,))
            connection.execute("RESET lock_timeout; RESET statement_timeout")

    def _begin(self, *, alone: bool, lasting: bool) -> None:
        begin = _BEGIN_ALONE if alone else "BEGIN"
        try:
            self._run(begin if lasting else f"{begin}; SET LOCAL synchronous_commit TO off", {})
        except BaseException:
            self._rollback()  # it may have begun, and waited too long for its turn
            raise

    def _commit(self) -> None:
        try:
            # One message: who listens hears of it only when it is durable.
            self._connection.execute(f"NOTIFY {CHANNEL}; COMMIT".encode() if self._announces else b"COMMIT")
        except psycopg.Error as error:
            self._rollback()
            raise _problem(error) from error

    def _rollback(self) -> None:
        try:
            self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()  # the server takes it back by itself

    def _run(self, sql: str, values: Mapping[str, Any]) -> Any:
        if self._connection.closed and not self._depth:
            self._connection = connect(self._url)
        try:
            return self._execute(sql, values)
        except psycopg.OperationalError as error:
            # An idle connection that was lost is noticed by the next who uses it; nothing was done yet.
            if not self._connection.closed or self._depth or not sql.startswith(("BEGIN", "SELECT")):
                raise _problem(error) from error
            self._connection = connect(self._url)
            return self._execute(sql, values)
        except (psycopg.InterfaceError, *_CONTENDED) as error:
            raise _problem(error) from error

    def _execute(self, sql: str, values: Mapping[str, Any]) -> Any:
        return self._connection.execute(_with_marks(sql), values or None)

    def _run_many(self, sql: str, many: Sequence[Mapping[str, Any]]) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(_with_marks(sql), many)
        except (psycopg.OperationalError, psycopg.InterfaceError, *_CONTENDED) as error:
            raise _problem(error) from error

    def _fetch(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = self._run(sql, values).fetchall()
        return found

    def log_bytes(self) -> int:
        """Return 0: the server looks after its own log."""
        return 0

    def _changes_elsewhere(self) -> int:
        """Return the second it is: what others write is seen within one."""
        return int(time.monotonic())

    def applied(self) -> list[str]:
        """Return the names of the migrations that ran, in order."""
        return [row["name"] for row in self.rows("SELECT name FROM schema_migration ORDER BY name")]

    def damage(self, *, thorough: bool = False) -> list[str]:
        """Return what is missing of the schema, or that the server does not answer; its own checks are the server's."""
        try:
            missing = {name for name, _ in STEPS} - set(self.applied())
        except StoreError as error:
            return [str(error)]
        if thorough and not missing:
            return self._broken_indexes()
        return [f"the migration {name} did not run" for name in sorted(missing)]

    def _broken_indexes(self) -> list[str]:
        """Return indexes that the server gave up (an interrupted build)."""
        rows = self.rows(
            "SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid"
        )
        return [f"the index {row['name']} is not valid: REINDEX it" for row in rows]

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything as it is at one moment."""
        with self.transaction(alone=False):
            self._run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", {})
            self._run("SET LOCAL statement_timeout = 0", {})
            yield

    def batches(self, table: str, size: int) -> Iterator[list[type_row]]:
        """Return all rows of a table, some at a time, through a cursor of the server's."""
        with self._connection.cursor(name="batches") as cursor:
            cursor.execute(f"SELECT * FROM {table}".encode())  # noqa: S608 - a name of our own schema
            while found := cursor.fetchmany(size):
                yield [{name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items()} for row in found]

    def count_on(self) -> None:
        """Let new numbers follow those that rows were put back with."""
        for row in self.rows(
            "SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND is_identity = 'YES'"
        ):
            table = row["name"]
            self._run(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)",  # noqa: S608 - a name of our own schema
                {},
            )

    def close(self) -> None:
        """Close the connection; everything committed stays."""
        self._connection.close()

    def engine(self) -> tuple[str, bool]:
        """Return the server's version, and whether a commit waits until it is on its disk."""
        version = self.value("SELECT current_setting('server_version') AS version")
        unsafe = self.value(
            "SELECT count(*) FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes')"
            " AND setting = 'off'"
        )
        return f"PostgreSQL {version}", not unsafe


@functools.lru_cache(maxsize=1024)
def _with_marks(sql: str) -> bytes:
    listed = _LISTED.sub(r"json_array_elements_text(CAST(:\1 AS json))", sql)
    return with_parameters(listed.replace("%", "%%"), "%({})s").encode()


def _problem(error: psycopg.Error) -> StoreError:
    """Return our error: one that another try may get over when somebody else was in the way."""
    kind = Contended if isinstance(error, _CONTENDED) else StoreError
    return kind(f"PostgreSQL: {_first_line(error)}")


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
