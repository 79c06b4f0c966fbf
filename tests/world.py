"""A small world in one process: gateways and peers behind one transport, one clock that only moves when told."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
from peers.plain import PlainPeer

from gateway.cli.account import create_account
from gateway.preferences import Preset
from gateway.runtime import Gateway, open_gateway
from gateway.settings import Settings
from gateway.web.app import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

START = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
BASE = "https://gw.example"


class ManualClock:
    """A clock that a test moves by hand."""

    def __init__(self, now: datetime = START) -> None:
        self.moment = now
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds

    def forward(self, **delta: float) -> None:
        step = timedelta(**delta)
        self.moment += step
        self.seconds += step.total_seconds()


class Switchboard(httpx.AsyncBaseTransport):
    """Connects each host to an ASGI application; unknown hosts do not resolve. Every request is written down."""

    def __init__(self) -> None:
        self.apps: dict[str, Any] = {}
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        host = request.url.host if request.url.port is None else f"{request.url.host}:{request.url.port}"
        app = self.apps.get(host)
        if app is None:
            raise httpx.ConnectError(f"{host} does not resolve")
        return await httpx.ASGITransport(app=app, raise_app_exceptions=False).handle_async_request(request)


@dataclass(slots=True, kw_only=True)
class World:
    """Everybody in it. ``home`` is the gateway under test at ``BASE``."""

    root: Path
    clock: ManualClock = field(default_factory=ManualClock)
    board: Switchboard = field(default_factory=Switchboard)
    gateways: list[Gateway] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def gateway(self, base: str = BASE, **settings: Any) -> Gateway:
        """Open a gateway at ``base`` and connect it."""
        host = base.partition("://")[2]
        known = Settings(base_url=base, data=self.root / host.replace(":", "_"), **settings)
        gateway = open_gateway(known, clock=self.clock, transport=self.board)
        self.gateways.append(gateway)
        self.board.apps[host] = build(gateway)
        return gateway

    def peer(self, host: str = "peer.example", name: str = "bob") -> PlainPeer:
        """Connect a plain peer with one actor."""
        peer = PlainPeer(f"https://{host}", name, self.clock, self.board)
        self.board.apps[host] = peer.app
        return peer

    async def drain(self) -> None:
        """Let every gateway work until nothing is due anywhere."""
        for _ in range(5):
            for gateway in self.gateways:
                await gateway.worker.drain()

    def client(self, base: str = BASE) -> httpx.AsyncClient:
        """Return an HTTP client that talks to this world."""
        return httpx.AsyncClient(transport=self.board, base_url=base)

    async def close(self) -> None:
        for gateway in self.gateways:
            await gateway.close()


@asynccontextmanager
async def world(root: Path) -> AsyncIterator[World]:
    """Make a world below ``root`` and close it again."""
    made = World(root=root)
    try:
        yield made
    finally:
        await made.close()


def all_gone(gateway: Gateway) -> None:
    """Give back what anybody has in hand, as the next process does when those who had it are gone."""
    for owner in gateway.kit.store.jobs.owners():
        gateway.kit.store.jobs.release(owner, died=gateway.kit.clock.now())


def account(gateway: Gateway, name: str = "alice", preset: Preset = Preset.NOAI, **changes: Any) -> Account:
    """Make an account; ``changes`` are fields of it."""
    made = create_account(gateway.kit, name, preset=preset)
    if changes:
        made = replace(made, **changes)
        gateway.kit.store.accounts.save(made)
    return made


def snapshot(kit: Kit) -> dict[str, list[Any]]:
    """Return every row that a stranger's request must not change (audit lines, peers and tokens' use aside)."""
    tables = (
        "account", "object", "activity", "follow", "interaction", "block", "report", "statement", "arrival", "job",
        "rule", "observation", "undone", "media",
    )  # fmt: skip
    return {name: kit.store.database.rows(f"SELECT * FROM {name}") for name in tables}  # noqa: S608
