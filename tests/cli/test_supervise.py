"""Workers behind one socket: what is handed to them, what happens when one ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.cli import supervise
from gateway.cli.serve import worker_address
from gateway.cli.supervise import Handed, Supervisor
from gateway.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio
LIVES = """
import os, sys
number, _, lifeline = sys.argv[-1].split(",")
open(f"{number}.{os.getpid()}", "w").close()
os.read(int(lifeline), 1)
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Return a listening socket."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()
        yield made


def test_what_is_handed_is_read_again() -> None:
    """Number, socket and lifeline survive the command line."""
    handed = Handed(number=3, listener=7, lifeline=9)
    assert Handed.parse(str(handed)) == handed


@pytest.mark.parametrize("text", ["", "1,2", "a,b,c", "1,2,3,4"])
def test_anything_else_is_refused(text: str) -> None:
    """Who types the hidden option by hand is told what it is for."""
    with pytest.raises(SettingsError, match="workers"):
        Handed.parse(text)


def test_each_worker_has_its_own_numbers() -> None:
    """Metrics of worker N are N ports further."""
    assert [worker_address("127.0.0.1:9090", number) for number in range(2)] == ["127.0.0.1:9090", "127.0.0.1:9091"]


async def until(condition: object) -> None:
    """Wait for something that another process does."""
    assert callable(condition)
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.get_running_loop().run_in_executor(None, os.sched_yield)


async def test_workers_are_started_replaced_and_stopped(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker runs; one that is killed is started again; a signal ends all of them, with exit code 0."""
    monkeypatch.chdir(tmp_path)
    running = asyncio.create_task(Supervisor([sys.executable, "-c", LIVES], listener, 2).run())
    await until(lambda: len(list(tmp_path.iterdir())) == 2)
    first = next(tmp_path.glob("0.*"))
    os.kill(int(first.suffix[1:]), signal.SIGKILL)
    await until(lambda: len(list(tmp_path.glob("0.*"))) == 2)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert not [path for path in tmp_path.iterdir() if Path(f"/proc/{path.suffix[1:]}").exists()]


async def test_settings_that_cannot_be_used_end_it(listener: socket.socket) -> None:
    """A worker that says that its settings are unusable is not started again and again."""
    command = [sys.executable, "-c", "import sys; sys.exit(2)"]
    assert await Supervisor(command, listener, 2).run() == supervise.UNUSABLE


async def test_who_does_not_stop_is_killed(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that ignores SIGTERM is killed when its time is over."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervise, "STOP_SECONDS", 0.1)
    deaf = f"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LIVES}"
    running = asyncio.create_task(Supervisor([sys.executable, "-c", deaf], listener, 1).run())
    await until(lambda: list(tmp_path.iterdir()))
    os.kill(os.getpid(), signal.SIGINT)
    assert await running == 0
