"""Named points at which a process ends itself as ``kill -9`` would, the first time that it comes there."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BEFORE, AFTER = "before", "after"
MODULES = ("gateway.cli.main", "gateway.cli.serve", "gateway.web.app", "gateway.runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Before or after a function (of a module, or of a class in one) runs."""

    where: str
    name: str
    moment: str


# In the order in which an activity meets them on its way in, and a post on its way out.
POINTS = {
    "arrival kept, not committed": Point(where="gateway.store.arrivals:Arrivals", name="keep", moment=AFTER),
    "arrival committed, not answered": Point(where="gateway.flows.inbound", name="receive", moment=AFTER),
    "arrival claimed, not settled": Point(where="gateway.runtime", name="settle", moment=BEFORE),
    "effects applied, not committed": Point(where="gateway.store.arrivals:Arrivals", name="settle", moment=AFTER),
    "settled and committed": Point(where="gateway.runtime", name="settle", moment=AFTER),
    "post kept, not committed": Point(where="gateway.store.objects:Objects", name="save_activity", moment=AFTER),
    "post committed, not answered": Point(where="gateway.flows.client", name="submit", moment=AFTER),
    "delivery claimed, not sent": Point(where="gateway.runtime", name="deliver", moment=BEFORE),
    "delivery sent, not noted": Point(where="gateway.flows.attempt", name="arrived", moment=BEFORE),
    "delivery noted, not committed": Point(where="gateway.flows.attempt", name="arrived", moment=AFTER),
    "delivery noted and committed": Point(where="gateway.runtime", name="deliver", moment=AFTER),
}


def prepare() -> None:
    """Import what a gateway needs."""
    for module in MODULES:
        importlib.import_module(module)


def run(point: str, arguments: list[str]) -> None:
    """Run a command, up to a point when one is given."""
    if arguments[0] == "open":
        _open(arguments[1], int(arguments[2]))
        return
    if point:
        _set(POINTS[point])
    sys.argv = ["gateway", *arguments]
    importlib.import_module("gateway.cli.main").run()


def end() -> None:
    """End this process at once."""
    os.kill(os.getpid(), signal.SIGKILL)


def _set(point: Point) -> None:
    module, _, owner = point.where.partition(":")
    home = importlib.import_module(module)
    home = getattr(home, owner) if owner else home
    setattr(home, point.name, _ending(getattr(home, point.name), point.moment))


def _ending(inner: Callable[..., Any], moment: str) -> Callable[..., Any]:
    """Return a function that ends the process before or after ``inner`` does what it does."""
    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def waiting(*given: Any, **named: Any) -> Any:
            if moment == BEFORE:
                end()
            result = await inner(*given, **named)
            end()
            return result

        return waiting

    @functools.wraps(inner)
    def ending(*given: Any, **named: Any) -> Any:
        if moment == BEFORE:
            end()
        result = inner(*given, **named)
        end()
        return result

    return ending


def _open(where: str, statements: int) -> None:
    """Open a database, which brings its schema up to date, and end before its statement of this number (from 0)."""
    left = statements

    def count(sql: object) -> None:
        nonlocal left
        del sql
        if not left:
            end()
        left -= 1

    if where.startswith("postgresql://"):
        _count_on_postgres(count)
    else:
        _count_on_sqlite(count)
    importlib.import_module("gateway.store.store").Store(where if "://" in where else Path(where)).close()


def _count_on_sqlite(count: Callable[[object], None]) -> None:
    """Let SQLite itself tell of each statement, those of a transaction too."""
    sqlite: Any = importlib.import_module("gateway.store.sqlite")
    connect = sqlite.connect

    def counted(path: Path) -> Any:
        connection = connect(path)
        connection.set_trace_callback(count)
        return connection

    sqlite.connect = counted


def _count_on_postgres(count: Callable[[object], None]) -> None:
    connection = importlib.import_module("psycopg").Connection
    execute, commit = connection.execute, connection._exec_command

    def counted(self: Any, query: Any, *given: Any, **named: Any) -> Any:
        count(query)
        return execute(self, query, *given, **named)

    def commanded(self: Any, command: Any, *given: Any, **named: Any) -> Any:
        count(command)  # BEGIN and COMMIT of a block
        return commit(self, command, *given, **named)

    connection.execute, connection._exec_command = counted, commanded
