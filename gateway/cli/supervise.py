"""Several worker processes behind one listening socket: started, started again when they die, stopped together.

A worker is ``gateway serve`` with the socket and a pipe handed down. It ends by itself when the pipe does: whatever
kills this process leaves no worker behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import SettingsError
from gateway.observe.logs import log
from gateway.observe.names import WORKER

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

STOP_SECONDS = 10.0
STEADY_SECONDS = 10.0  # a worker that lived for so long is started again at once
LONGEST_PAUSE = 30.0
UNUSABLE = 2  # the exit code of settings that cannot be used


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a worker is handed: which one it is, the listening socket, and the pipe that ends with the supervisor."""

    number: int
    listener: int
    lifeline: int

    @classmethod
    def parse(cls, text: str) -> Handed:
        """Read ``NUMBER,LISTENER,LIFELINE``; raise SettingsError for anything else."""
        try:
            number, listener, lifeline = (int(part) for part in text.split(","))
        except ValueError as error:
            raise SettingsError("--worker is for workers that gateway serve --workers starts") from error
        return cls(number=number, listener=listener, lifeline=lifeline)

    def __str__(self) -> str:
        """Return what ``parse`` reads."""
        return f"{self.number},{self.listener},{self.lifeline}"


class Supervisor:
    """Keeps a number of workers running until it is told to stop."""

    def __init__(self, command: Sequence[str], listener: socket.socket, workers: int) -> None:
        """Take the command line of a worker (``--worker`` is added), the socket, and how many."""
        self._command, self._listener, self._workers = command, listener, workers
        self._stopping = asyncio.Event()
        self._code = 0

    async def run(self) -> int:
        """Run until SIGINT or SIGTERM, or until a worker cannot be started; return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        ours, theirs = os.pipe()  # nobody writes: what is read is its end
        try:
            async with asyncio.TaskGroup() as group:
                for which in range(self._workers):
                    handed = Handed(number=which, listener=self._listener.fileno(), lifeline=ours)
                    group.create_task(self._keep(handed))
        finally:
            os.close(theirs)
            os.close(ours)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
        return self._code

    async def _keep(self, handed: Handed) -> None:
        loop, pause = asyncio.get_running_loop(), 0.5
        while not self._stopping.is_set():
            began = loop.time()
            worker = await asyncio.create_subprocess_exec(
                *self._command, "--worker", str(handed), pass_fds=(handed.listener, handed.lifeline),
                stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            log().info(WORKER, number=handed.number, pid=worker.pid, state="started")
            code = await self._until_it_ends(worker)
            if self._stopping.is_set():
                return
            log().error(WORKER, number=handed.number, pid=worker.pid, state="ended", code=code)
            if code == UNUSABLE:
                self._code = code
                self._stopping.set()
                return
            pause = 0.5 if loop.time() - began > STEADY_SECONDS else min(pause * 2, LONGEST_PAUSE)
            await self._rest(pause)

    async def _until_it_ends(self, worker: asyncio.subprocess.Process) -> int:
        """Wait for a worker's end, or bring it about when we are to stop."""
        ended, told = asyncio.create_task(worker.wait()), asyncio.create_task(self._stopping.wait())
        await asyncio.wait((ended, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not ended.done():
            worker.terminate()
            await asyncio.wait((ended,), timeout=STOP_SECONDS)
        if not ended.done():
            worker.kill()
        return await ended

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
