"""``gateway serve``: answers and delivers, in one process or in several workers. The only uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn

from gateway import __version__
from gateway.cli.account import create_account
from gateway.cli.output import Run, command
from gateway.cli.protocol import BoundedProtocol
from gateway.cli.supervise import Handed, Supervisor
from gateway.errors import SettingsError
from gateway.flows.grant import create_token
from gateway.jobs.worker import GRACE_SECONDS
from gateway.observe import logs
from gateway.observe.names import SERVER, STARTED, STOPPED
from gateway.runtime import LOCK, Gateway, Lock, open_gateway
from gateway.settings import Settings
from gateway.web import metrics
from gateway.web.app import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.web.tap import ASGIApp

REQUEST_SECONDS = 2  # for requests in hand; with the worker's own, Ctrl-C takes less than five
PATIENT_SECONDS = 7.0  # for deliveries in hand after SIGTERM; all in all less than ten
BACKLOG = 1024
COLLECTOR = (20_000, 20, 20)
MAX_FILES = 65_536
DEFAULT_BASE = Settings.model_fields["base_url"].default


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "serve")(serve)


async def serve(
    run: Run,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve; about one a core.")] = None,
    first_account: Annotated[str, typer.Option(help="Make this account when there is none yet.")] = "",
    worker: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Answer requests and work off deliveries until Ctrl-C."""
    given = (("host", host), ("port", port), ("workers", workers))
    run.flags = {name: value for name, value in given if value is not None}
    settings = run.settings()
    logs.configure(settings.log_level)
    _take_more_files()
    if worker:
        await _work(settings, Handed.parse(worker))
        return
    listener = listen(settings)
    if settings.workers > 1:
        await _supervise(run, settings, listener, first_account)
        return
    gateway = open_gateway(settings)
    async with _serving(gateway, settings.metrics_address) as server:
        if settings.metrics_address:
            run.say(f"Metrics at http://{settings.metrics_address}/metrics")
        _greet(run, gateway, first_account)
        await server.serve(sockets=[listener])


@contextlib.asynccontextmanager
async def _serving(gateway: Gateway, metrics_address: str, *, is_worker: bool = False) -> AsyncIterator[uvicorn.Server]:
    """Start a gateway and hand out the server that is to be run; end everything afterwards."""
    settings = gateway.kit.settings
    server, told = server_of(build(gateway))
    numbers: asyncio.Server | None = None
    try:
        await gateway.start(is_worker=is_worker)
        if metrics_address:
            numbers = await _serve_metrics(gateway, metrics_address)
        collect_less_often()
        logs.log().info(STARTED, version=__version__, base=settings.base_url, peers=settings.peer_mode.value)
        yield server
    finally:
        if numbers is not None:
            numbers.close()
        # Who presses Ctrl-C waits for it; a service manager gives us time to finish what is in hand.
        await gateway.stop(grace=PATIENT_SECONDS if signal.SIGTERM in told else GRACE_SECONDS)
    logs.log().info(STOPPED)


async def _supervise(run: Run, settings: Settings, listener: socket.socket, first_account: str) -> None:
    """Make ready once, then let workers serve."""
    lock = None if settings.database_url else Lock(settings.data / LOCK)
    async with open_gateway(settings) as gateway:
        if settings.metrics_address:
            first = worker_address(settings.metrics_address, 0)
            last = worker_address(settings.metrics_address, settings.workers - 1)
            run.say(f"Metrics of each worker at http://{first}/metrics to http://{last}/metrics")
        _greet(run, gateway, first_account)
    places = (("--config", run.config), ("--data", run.data))
    flags = [part for name, value in places if value for part in (name, str(value))]
    try:
        code = await Supervisor([sys.executable, "-m", "gateway", "serve", *flags], listener, settings.workers).run()
    finally:
        if lock is not None:
            lock.close()
    if code:
        raise typer.Exit(code)


async def _work(settings: Settings, handed: Handed) -> None:
    """Serve as one of several workers, until told to stop or until nobody is there who could."""
    gateway = open_gateway(settings)
    address = settings.metrics_address and worker_address(settings.metrics_address, handed.number)
    async with _serving(gateway, address, is_worker=True) as server:
        loop = asyncio.get_running_loop()
        loop.add_reader(handed.lifeline, functools.partial(setattr, server, "should_exit", True))
        try:
            await server.serve(sockets=[socket.socket(fileno=handed.listener)])
        finally:
            loop.remove_reader(handed.lifeline)


def worker_address(address: str, number: int) -> str:
    """Return where a worker's own metrics are: each has the next port."""
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + number}"


async def _serve_metrics(gateway: Gateway, address: str) -> asyncio.Server:
    """Answer /metrics on a listener of its own: no other address is there, and it is on no other."""
    host, _, port = address.rpartition(":")
    config = _config(metrics.build(gateway))
    config.load()
    state = uvicorn.Server(config).server_state
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(lambda: BoundedProtocol(config, state, {}), host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        raise SettingsError(f"cannot listen on {address} for metrics: {error}") from error


def collect_less_often() -> None:
    """Keep the collector from going over what lives for ever, and from looking after every few requests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)


def _take_more_files() -> None:
    """Raise the number of open files as far as the system lets us: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, MAX_FILES) if most >= 0 else MAX_FILES, most))


def server_of(app: ASGIApp) -> tuple[uvicorn.Server, set[int]]:
    """Return a server that Ctrl-C and SIGTERM end, and the set into which they go: ``serve(sockets=[...])`` runs it."""
    _hear_uvicorn()
    server = uvicorn.Server(_config(app))
    return server, _stop_on_signals(server)


def _stop_on_signals(server: uvicorn.Server) -> set[int]:
    """Let Ctrl-C and SIGTERM end the server, and nothing else: uvicorn raises them again when it is done."""
    told: set[int] = set()

    def stop(number: int, _frame: object) -> None:
        told.add(number)
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return told


class _OurLog(logging.Handler):
    """Puts what uvicorn has to say into our own lines; a request cut off at the end is no fault."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; the trace of a defect is in the line of whoever met it."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, asyncio.CancelledError):
            logs.log().warning(SERVER, problem=record.getMessage(), error=repr(error) if error else "")


def _hear_uvicorn() -> None:
    logger = logging.getLogger("uvicorn.error")
    logger.setLevel(logging.WARNING)
    logger.handlers = [_OurLog()]
    logger.propagate = False


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app, http=BoundedProtocol, loop="auto", ws="none", lifespan="off", access_log=False, log_config=None,
        proxy_headers=False, server_header=False, date_header=True, timeout_graceful_shutdown=REQUEST_SECONDS,
        timeout_keep_alive=30,
    )  # fmt: skip


def listen(settings: Settings) -> socket.socket:
    """Return a listening socket; raise SettingsError when the address is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise SettingsError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from error
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def _greet(run: Run, gateway: Gateway, first_account: str) -> None:
    """Say where to look; with a first account also its token, this once."""
    kit, settings = gateway.kit, gateway.kit.settings
    if settings.is_local:
        run.say("Local base URL: plain http and loopback addresses are on, for trying things out only.")
    for account in kit.store.accounts.all():
        run.say(f"Serving {kit.base}/@{account.name}")
    if not first_account or kit.store.accounts.all():
        return
    account = create_account(kit, first_account, first_account.capitalize())
    _, secret = create_token(kit, account, "first")
    page = f"{kit.base}/@{account.name}"
    program = Path(sys.argv[0]).name
    command = f".venv/bin/{program}" if Path(".venv/bin").exists() else program
    command = command if settings.base_url == DEFAULT_BASE else f"GATEWAY_BASE_URL={settings.base_url} {command}"
    where = f" --data {settings.data}" if str(settings.data) != "data" else ""
    lines = [
        f"Your first account is @{account.name}@{settings.domain}, with the preset {account.preset}.",
        f"  page   {page}",
        f"  token  {secret}   (shown this once; more with: {command} token create {account.name}{where})",
        "Three commands to try in another terminal:",
        f'  {command} post create {account.name} "My first post asks not to be trained on. #noai"{where}',
        f"  {command} account prefs {account.name}{where}",
        f"  curl -i {page}.atom",
    ]
    run.say("\n".join(lines))
