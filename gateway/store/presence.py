"""Presence: which processes of this gateway live, and which of them leads in what only one may do.

A process that dies lets go of what it holds at once, whatever kills it: locks on files beside a SQLite database, locks of a
session of its own on PostgreSQL. So the others know what it had in hand is free without waiting for a lease to run out.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from typing import TYPE_CHECKING, Any, Protocol

import psycopg

from gateway.errors import StoreError
from gateway.store import postgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LIVES, _LEADS = 0x6E6F6C69, 0x6E6F6C65  # the classes of advisory locks


class Presence(Protocol):
    """What a process says of itself, and asks about the others."""

    def enter(self, owner: str) -> None:
        """Say that we live under a name, until ``close`` or our end."""

    def is_gone(self, owner: str) -> bool:
        """Tell whether nobody lives under a name."""

    def is_anybody_there(self) -> bool:
        """Tell whether any process lives, under whatever name."""

    def leads(self, task: str) -> bool:
        """Tell whether this process is the one that does a task; it is from the first yes until its end."""

    def listen(self, heard: Callable[[], None]) -> None:
        """Call ``heard`` whenever another process has made something to do; needs the running loop."""

    def close(self) -> None:
        """Leave."""


class FilePresence:
    """Locks on files in a directory beside the database."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[str, int] = {}

    def enter(self, owner: str) -> None:
        """Hold the file of this name."""
        if not self._takes(f"{owner}.lives"):
            raise StoreError(f"somebody else lives as {owner}")

    def is_gone(self, owner: str) -> bool:
        """Tell whether nobody holds the file of a name; then it is removed."""
        name = f"{owner}.lives"
        if name in self._held or not self._takes(name):
            return False
        (self._directory / name).unlink(missing_ok=True)
        os.close(self._held.pop(name))
        return True

    def is_anybody_there(self) -> bool:
        """Tell whether anybody holds a file of a name."""
        names = [path.stem for path in self._directory.glob("*.lives")]
        return any(not self.is_gone(name) for name in names)

    def leads(self, task: str) -> bool:
        """Tell whether we hold the file of a task."""
        return f"{task}.leads" in self._held or self._takes(f"{task}.leads")

    def listen(self, heard: Callable[[], None]) -> None:
        """Say nothing: a file tells nobody, the worker looks by itself."""

    def close(self) -> None:
        """Let go of everything; what says that we lived is removed."""
        for name, handle in self._held.items():
            if name.endswith(".lives"):
                (self._directory / name).unlink(missing_ok=True)
            os.close(handle)
        self._held.clear()

    def _takes(self, name: str) -> bool:
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            handle = os.open(self._directory / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self._directory / name}: {error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._held[name] = handle
        return True


class PostgresPresence:
    """Advisory locks of one session, which also hears what the others announce. A lost session is made anew."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._lives: set[str] = set()
        self._leads: set[str] = set()
        self._heard: Callable[[], None] | None = None
        self._watched: int | None = None

    def enter(self, owner: str) -> None:
        """Hold the lock of this name."""
        self._ask(_LIVES, owner)
        self._lives.add(owner)

    def is_gone(self, owner: str) -> bool:
        """Tell whether nobody holds the lock of a name."""
        if owner in self._lives or not self._ask(_LIVES, owner):
            return False
        self._execute("SELECT pg_advisory_unlock(%s)", (_key(_LIVES, owner),))
        return True

    def is_anybody_there(self) -> bool:
        """Tell whether anybody holds a lock of a name: its class is the upper half of the key."""
        row = self._execute(
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            (_LIVES,),
        )
        return bool(row["n"])

    def leads(self, task: str) -> bool:
        """Tell whether we hold the lock of a task."""
        self._session()  # what was held is not, when it was lost
        if task not in self._leads and self._ask(_LEADS, task):
            self._leads.add(task)
        return task in self._leads

    def listen(self, heard: Callable[[], None]) -> None:
        """Let the loop call ``heard`` when something comes in."""
        self._heard = heard
        self._session()
        self._watch()

    def close(self) -> None:
        """End the session, and with it all that it held."""
        self._unwatch()
        if self._connection is not None:
            self._connection.close()

    def _ask(self, kind: int, name: str) -> bool:
        row = self._execute("SELECT pg_try_advisory_lock(%s) AS got", (_key(kind, name),))
        return bool(row["got"])

    def _execute(self, sql: str, values: tuple[int]) -> dict[str, Any]:
        connection = self._session()
        try:
            row = connection.execute(sql.encode(), values).fetchone()
        except psycopg.Error as error:
            self._unwatch()
            connection.close()
            raise StoreError(f"PostgreSQL: {error}") from error
        return row or {}

    def _session(self) -> psycopg.Connection[dict[str, Any]]:
        """Return the session; a new one says again that we live, and leads in nothing."""
        if self._connection is None or self._connection.closed:
            self._unwatch()
            self._leads.clear()
            self._connection = connection = postgres.connect(self._url)
            connection.execute(f"LISTEN {postgres.CHANNEL}".encode())
            for owner in self._lives:
                connection.execute("SELECT pg_try_advisory_lock(%s)", (_key(_LIVES, owner),))
            self._watch()
        return self._connection

    def _watch(self) -> None:
        if self._heard is not None and self._watched is None and self._connection is not None:
            self._watched = self._connection.fileno()
            asyncio.get_running_loop().add_reader(self._watched, self._read)

    def _unwatch(self) -> None:
        if self._watched is not None:
            asyncio.get_running_loop().remove_reader(self._watched)
            self._watched = None

    def _read(self) -> None:
        """Take what came in; a session that ended is made anew by the next who needs it."""
        connection, heard = self._connection, self._heard
        if connection is None or heard is None:
            return
        try:
            came = list(connection.notifies(timeout=0))
        except psycopg.Error:
            self._unwatch()
            connection.close()
            return
        if came:
            heard()


def _key(kind: int, name: str) -> int:
    """Return the number that stands for a name among advisory locks."""
    return int.from_bytes(kind.to_bytes(4, "big") + hashlib.sha256(name.encode()).digest()[:4], "big")
