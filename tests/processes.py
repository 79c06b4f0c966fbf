"""Gateways as real processes and plain peers as real servers, on loopback. Nothing outlives the test that started it.

``served()`` runs ``gateway serve`` on a free port with a data directory of its own; commands run against the same
directory, as an admin would run them beside it. ``listening()`` runs a ``PlainPeer`` under uvicorn in a thread.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import httpx
import uvicorn
from peers.plain import PlainPeer
from starlette.requests import ClientDisconnect
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.clock import SystemClock
from gateway.store.postgres import Postgres
from gateway.store.sqlite import Sqlite
from gateway.store.store import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from peers.plain import Actor
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.signatures.request import SignedRequest

Found = TypeVar("Found")

START_SECONDS = 30.0
STOP_SECONDS = 15.0
WAIT_SECONDS = 20.0
POLL_SECONDS = 0.02
# Below the ports that the kernel gives to outgoing connections: a restarted gateway finds its own one free again.
PORTS = range(20_000, 32_000)
CHECKOUT = Path(__file__).resolve().parent.parent
# Linux ends the child when its parent dies; a child of a shell's "&" gets Ctrl-C back.
LAUNCH = """
import ctypes, os, runpy, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv.pop(1)):
    sys.exit("the test is gone")
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("gateway", run_name="__main__", alter_sys=True)
"""


def eventually(
    condition: Callable[[], Found | Literal[False] | None], what: str = "", *, seconds: float = WAIT_SECONDS
) -> Found:
    """Return the first true value of ``condition``, asked again and again; fail with ``what`` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or condition}; last: {found!r}")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses."""
    for port in random.SystemRandom().sample(PORTS, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


@dataclass(frozen=True, slots=True)
class Told:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@dataclass(slots=True, kw_only=True)
class Served:
    """A gateway with its data directory, running or not."""

    data: Path
    port: int
    host: str = "localhost"
    settings: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    launch: str = LAUNCH

    @property
    def base(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def stderr_path(self) -> Path:
        return self.data.with_name(f"{self.data.name}.stderr.txt")

    @property
    def stderr(self) -> str:
        """Return what all runs wrote to standard error."""
        return self.stderr_path.read_text("utf-8") if self.stderr_path.exists() else ""

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the settings of this gateway as environment variables."""
        return {
            "GATEWAY_BASE_URL": self.base,
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "GATEWAY_DATA": str(self.data),
            **self.settings,
            **changes,
        }

    def spawn(self, *arguments: str, **changes: str) -> subprocess.Popen[bytes]:
        """Start a command as a process of its own, its standard error appended to the file."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self.stderr_path.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-c", self.launch, str(os.getpid()), *arguments],
                env={**kept, "PYTHONPATH": str(CHECKOUT), **self.environment(**changes)},
                cwd=self.data.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )

    def start(self) -> None:
        """Start ``gateway serve`` and wait until it is ready."""
        self.process = self.spawn("serve")
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until the started gateway answers."""
        with httpx.Client(trust_env=False) as client:
            eventually(lambda: self._is_ready(client), f"{self.base} is ready", seconds=START_SECONDS)

    def _is_ready(self, client: httpx.Client) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"serve ended with {self.process.returncode}:\n{self.stderr[-4000:]}"
        try:
            return client.get(f"http://127.0.0.1:{self.port}/readyz").is_success
        except httpx.TransportError:
            return False

    def interrupt(self) -> tuple[int, float]:
        """Press Ctrl-C; return the exit code and how many seconds it took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(STOP_SECONDS)
        self.process = None
        return code, time.monotonic() - started

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def run(self, *arguments: str, **changes: str) -> Told:
        """Run a command in this process, on this gateway's settings."""
        done = CliRunner().invoke(app, arguments, env=self.environment(**changes))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Told(done.exit_code, done.stdout, done.stderr)

    def cli(self, *arguments: str) -> Any:
        """Run a command that must succeed and return the document it prints."""
        told = self.run(*arguments, "--json")
        assert told.code == 0, (arguments, told)
        return json.loads(told.out)

    def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Return rows of the gateway's database."""
        url = self.settings.get("GATEWAY_DATABASE_URL")
        database = Postgres(url) if url else Sqlite(self.data / FILE)
        try:
            return database.rows(sql, **values)
        finally:
            database.close()

    def open_jobs(self) -> list[dict[str, Any]]:
        """Return what waits to be done or is being done."""
        return self.rows("SELECT kind, lane, attempts, status, problem FROM job WHERE state IN ('queued', 'leased')")

    def drained(self, *, seconds: float = WAIT_SECONDS) -> None:
        """Wait until nothing is left to do."""
        left: list[dict[str, Any]] = []

        def is_idle() -> bool:
            left[:] = self.open_jobs()
            return not left

        try:
            eventually(is_idle, seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"still to do: {left[:5]}") from error

    def check(self) -> None:
        """Fail when a run showed a traceback, a fault or a warning."""
        told = self.stderr
        bad = [line for line in told.splitlines() if '"level": "error"' in line or "Warning" in line]
        assert "Traceback" not in told, told[-6000:]
        assert not bad, bad


@contextmanager
def served(root: Path, name: str = "gw", *, host: str = "localhost", **settings: str) -> Iterator[Served]:
    """Run a gateway below ``root``; afterwards it is gone and must not have complained."""
    gateway = Served(data=root / name, port=free_port(), host=host, settings=settings)
    try:
        gateway.start()
        yield gateway
        if gateway.process is not None:
            assert gateway.interrupt()[0] == 0
    finally:
        gateway.kill()
    gateway.check()


class Recorder:
    """Keeps the bytes of every POST that goes through; while ``answering`` is not set, takes them and says nothing."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self.bodies: list[bytes] = []
        self.answering = threading.Event()
        self.answering.set()
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        if is_post and not self.answering.is_set():
            await self._hang(send)
            return
        body = bytearray()

        async def recording() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        try:
            await self._inner(scope, recording, send)
        except ClientDisconnect:
            return
        if is_post:
            self.bodies.append(bytes(body))

    async def _hang(self, send: Send) -> None:
        self.held += 1
        while not self.answering.is_set():
            await asyncio.sleep(POLL_SECONDS)
        await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@dataclass(frozen=True, slots=True)
class Listening:
    """A plain peer on a real port; requests are sent from the caller's thread."""

    plain: PlainPeer
    recorder: Recorder
    client: httpx.Client

    @property
    def received(self) -> list[dict[str, Any]]:
        """Return what its inboxes got, oldest first."""
        return self.plain.received

    def wait_for(self, kind: str, condition: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Return the first activity of a type that came and meets the condition."""

        def first() -> dict[str, Any] | None:
            return next((a for a in list(self.received) if a["type"] == kind and condition(a)), None)

        return eventually(first, f"{kind} at {self.plain.base}")

    def send(self, request: SignedRequest) -> httpx.Response:
        """Send a request as it is."""
        return self.client.request(
            request.method, request.target, headers=list(request.headers), content=request.body or None
        )

    def post(self, inbox: str, document: Mapping[str, Any], actor: Actor | None = None) -> httpx.Response:
        """Sign and deliver a document."""
        return self.send(self.plain.signed(inbox, json.dumps(document).encode(), actor))

    def get(self, url: str, actor: Actor | None = None) -> httpx.Response:
        """Fetch with a signature."""
        return self.send(self.plain.signed(url, b"", actor, method="GET"))


@contextmanager
def listening(name: str = "bob") -> Iterator[Listening]:
    """Run a plain peer with the actor ``name`` on a free port."""
    port = free_port()
    plain = PlainPeer(f"http://127.0.0.1:{port}", name, SystemClock())
    recorder = Recorder(plain.app)
    config = uvicorn.Config(recorder, host="127.0.0.1", port=port, log_config=None, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name=f"peer-{port}", daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, f"{plain.base} listens")
        with httpx.Client(trust_env=False, timeout=30.0) as client:
            yield Listening(plain, recorder, client)
    finally:
        recorder.answering.set()
        server.should_exit = True
        thread.join(STOP_SECONDS)
