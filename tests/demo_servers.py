"""The servers of the demo: gateway processes with the commands beside them, and the faithless peer's listener."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shlex
import socket
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import httpx
import uvicorn
from demo_teller import Failed

from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from peers.faithless import FaithlessPeer

    from gateway.store.objects import Stored

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
# Below the ports that the kernel gives to outgoing connections.
PORTS = range(20_000, 32_000)
COMMAND_SECONDS = 30.0
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05
STOP_SECONDS = 10.0


class Ran(NamedTuple):
    """What a command did: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Return stdout as JSON; raise Failed when the command did not succeed."""
        if self.code != 0:
            raise Failed(f"the command ended with {self.code}: {self.err.strip()}")
        return json.loads(self.out)


@dataclass(slots=True)
class Node:
    """One gateway process with its data directory, and the commands run beside it."""

    name: str
    port: int
    data: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.data.with_suffix(".log")

    def environment(self) -> dict[str, str]:
        """Return this process's environment with this gateway's settings and nobody else's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        ours = {
            "GATEWAY_BASE_URL": self.base, "GATEWAY_PORT": str(self.port), "GATEWAY_DATA": str(self.data),
            "GATEWAY_CONFIG": str(self.data.with_suffix(".toml")), "NO_COLOR": "1",
        }  # fmt: skip
        return kept | ours

    async def start(self) -> None:
        """Start to serve and wait until it is ready."""
        with self.log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "serve", cwd=ROOT, env=self.environment(), stdout=log, stderr=log
            )
        await eventually(self._ready, f"{self.name} is ready at {self.base}")

    def _ready(self) -> bool:
        if self.process is not None and self.process.returncode is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode} before it was ready")
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False).status_code == httpx.codes.OK
        return False

    async def run(self, *args: str, as_json: bool = True) -> Ran:
        """Run a command against this gateway's data directory."""
        options = ("--json", "--data", str(self.data)) if as_json else ("--data", str(self.data))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *args, *options, cwd=ROOT, env=self.environment(),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                out, err = await process.communicate()
        except TimeoutError as error:
            raise Failed(f"gateway {shlex.join(args)} took longer than {COMMAND_SECONDS:g} s") from error
        finally:
            await stop(process)
        return Ran(process.returncode or 0, out.decode(), err.decode())

    def stored(self, object_id: str) -> Stored | None:
        """Return what this gateway keeps under an id: nothing, an object, or the tombstone of one."""
        store = Store(self.data / FILE)
        try:
            return store.objects.get(object_id)
        finally:
            store.close()

    def is_idle(self) -> bool:
        """Tell whether no delivery waits or is being made."""
        store = Store(self.data / FILE)
        try:
            return not store.jobs.find(kinds=("deliver",), states=("queued", "leased"))
        finally:
            store.close()

    def text_of(self, object_id: str) -> str:
        """Return the content of an object as this gateway keeps it."""
        found = self.stored(object_id)
        return str(found.document.get("content", "")) if found is not None else ""

    def tail(self, lines: int = 20) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:]) if self.log.exists() else ""

    async def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            await stop(self.process)


async def eventually(ask: Callable[[], T], what: str) -> T:
    """Return the first true answer, asked again and again until the deadline."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        if found := ask():
            return found
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {WAIT_SECONDS:g} s")
        await asyncio.sleep(POLL_SECONDS)


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a process that may have ended already: politely first, within a bound."""
    for end in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()


class Listener(uvicorn.Server):
    """A server that leaves Ctrl-C to the demo."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


@asynccontextmanager
async def listening(listener: socket.socket, peer: FaithlessPeer) -> AsyncIterator[None]:
    """Serve the faithless peer on a socket that is bound already."""
    config = uvicorn.Config(
        peer.app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = Listener(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=STOP_SECONDS)
        task.cancel()


def free_port(taken: set[int]) -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in taken:
                taken.add(port)
                return port
    raise Failed("no free port on 127.0.0.1")
