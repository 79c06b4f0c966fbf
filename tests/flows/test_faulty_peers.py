"""Half of the peers are slow, dead or lying: the others get what is for them as soon as without them.

Two gateways run as real processes. Both have the same kind of healthy followers; the second one has as many faulty ones
besides, each behind a fault proxy of its own. Posts go to one and the other in turn, and what is compared is how long
the healthy servers wait for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from faults import HOST, Faults, Proxy
from peers.plain import ACTIVITY_JSON, Actor, keys_for
from processes import Served, free_port
from world import account

from gateway.clock import SystemClock
from gateway.flows import discover
from gateway.flows.grant import create_token
from gateway.runtime import open_gateway
from gateway.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
HEALTHY = 10
AT_ONCE = 5  # posts of one round
MOST = 2.0  # times as long
WAIT_SECONDS = 60.0
NUMBER = re.compile(rb"post number (\d+)")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
TOXICS = {
    "latency": Faults(latency=0.2, jitter=0.05),
    "drop": Faults(drop=0.1),
    "reset": Faults(reset=0.05),
    "slicer": Faults(slicer=100),
    "bandwidth": Faults(bandwidth=1_000),
    "limit_data": Faults(limit_data=9),
    "slow_close": Faults(slow_close=5.0),
    "timeout": Faults(timeout=3.0),
}
TAKEN = b"HTTP/1.1 202 Accepted\r\ncontent-length: 600\r\n\r\n" + b"x" * 600
LIE = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b"4000\r\n" + b"<!-->" + b"x" * (0x4000 - 5) + b"\r\n"


@dataclass(slots=True)
class Peer:
    """A server with an inbox: writes down when it got which post. A lying one answers without end."""

    is_lying: bool = False
    closes: bool = False
    port: int = 0
    got: dict[int, float] = field(default_factory=dict)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Peer]:
        """Listen until the block ends."""
        open_now: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            open_now.add(task)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
            open_now.discard(task)
            writer.close()

        server = await asyncio.start_server(serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in open_now:
                task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            found = NUMBER.search(body)
            if found:
                self.got.setdefault(int(found[1]), time.monotonic())
            writer.write(LIE if self.is_lying else TAKEN)
            await writer.drain()
            while self.is_lying:
                writer.write(CHUNK)
                await writer.drain()
            if self.closes:
                return


@dataclass(slots=True)
class Side:
    """One gateway, its healthy followers, its token, and when each post was written."""

    gateway: Served
    healthy: list[Peer]
    faulty: dict[str, Peer]
    token: str = ""
    written: dict[int, float] = field(default_factory=dict)

    def prepare(self, ports: dict[str, int]) -> None:
        """Make Alice, whom somebody on each server follows, before the gateway starts."""
        settings: dict[str, Any] = {"base_url": self.gateway.base, "data": self.gateway.data}
        opened = open_gateway(Settings(**settings))
        kit, now = opened.kit, SystemClock().now()
        alice = account(opened)
        for number, port in enumerate([*(peer.port for peer in self.healthy), *ports.values()]):
            someone = Actor(f"http://{HOST}:{port}/users/f{number}", "f", *keys_for("somebody"))
            discover.keep_actor(kit, someone.document())
            kit.store.relations.save_follow(someone.id, alice.id, f"{someone.id}/follow", "accepted", now)
        _, self.token = create_token(kit, alice, "test")
        kit.store.close()

    async def post(self, client: httpx.AsyncClient, number: int) -> None:
        """Publish a post through the gateway's door."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": ACTIVITY_JSON}
        self.written[number] = time.monotonic()
        note = {"type": "Note", "content": f"post number {number} "}
        answer = await client.post(f"{self.gateway.base}/users/alice/outbox", json=note, headers=headers)
        assert answer.status_code == 201, answer.text

    async def round(self, client: httpx.AsyncClient, numbers: range) -> float:
        """Publish some posts at once; return the 95th percentile of how long the healthy servers waited for them."""
        async with asyncio.timeout(WAIT_SECONDS), asyncio.TaskGroup() as group:
            for number in numbers:
                group.create_task(self.post(client, number))
        async with asyncio.timeout(WAIT_SECONDS):
            while any(number not in peer.got for number in numbers for peer in self.healthy):
                await asyncio.sleep(0.005)
        waited = [peer.got[number] - self.written[number] for number in numbers for peer in self.healthy]
        return quantiles(waited, n=20)[-1]


async def _faulty(stack: AsyncExitStack) -> tuple[dict[str, Peer], dict[str, int], dict[str, Proxy]]:
    """Start a server behind each toxic, one that lies; where nobody listens is the last."""
    peers: dict[str, Peer] = {}
    ports: dict[str, int] = {}
    proxies: dict[str, Proxy] = {}
    for seed, (name, faults) in enumerate(TOXICS.items()):
        peers[name] = await stack.enter_async_context(Peer(closes=True).listening())
        proxies[name] = await stack.enter_async_context(Proxy(peers[name].port, faults, seed=seed))
        ports[name] = proxies[name].port
    peers["lying"] = await stack.enter_async_context(Peer(is_lying=True).listening())
    return peers, {**ports, "lying": peers["lying"].port, "dead": free_port()}, proxies


@pytest.mark.parametrize("rounds", [6, pytest.param(30, marks=pytest.mark.long)], ids=["short", "long"])
async def test_healthy_peers_do_not_wait_for_faulty_ones(tmp_path: Path, rounds: int) -> None:
    """REL-023: beside ten faulty peers the healthy ones' 95th percentile is at most doubled, and nothing is lost."""
    async with AsyncExitStack() as stack:
        healthy = [
            [await stack.enter_async_context(Peer().listening()) for _ in range(HEALTHY)] for _ in ("alone", "beside")
        ]
        peers, ports, proxies = await _faulty(stack)
        assert len(ports) == HEALTHY
        alone = Side(Served(data=tmp_path / "alone", port=free_port()), healthy[0], {})
        beside = Side(Served(data=tmp_path / "beside", port=free_port()), healthy[1], peers)
        for side, more in ((alone, {}), (beside, ports)):
            side.prepare(more)
            stack.callback(side.gateway.kill)
            side.gateway.start()
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=WAIT_SECONDS))
        for warm, side in enumerate((alone, beside)):
            await side.round(client, range(warm, warm + 1))
        ratios = []
        for number in range(rounds):
            posts = range(10 + number * AT_ONCE, 10 + (number + 1) * AT_ONCE)
            sides = (alone, beside) if number % 2 else (beside, alone)
            took = {id(side): await side.round(client, posts) for side in sides}
            ratios.append(took[id(beside)] / took[id(alone)])
        written = rounds * AT_ONCE + 1
        async with asyncio.timeout(WAIT_SECONDS):
            while any(len(peers[name].got) < written for name in ("latency", "slicer", "lying")):
                await asyncio.sleep(0.005)  # slow is not lost
        _check_faults(beside, proxies, posts=written)
        print([round(ratio, 2) for ratio in ratios])
        assert median(ratios) <= MOST, ratios


def _check_faults(beside: Side, proxies: dict[str, Proxy], *, posts: int) -> None:
    """Check that every fault was met, and that each delivery is done or will be tried again."""
    happened = {name: proxy.counted for name, proxy in proxies.items()}
    assert happened["drop"]["dropped"]
    assert happened["reset"]["reset"]
    assert happened["slicer"]["pieces"] > 2 * happened["slicer"]["passed"] > 0
    assert happened["limit_data"]["limited"]
    assert happened["slow_close"]["closed slowly"]
    assert happened["timeout"]["timed out"]
    assert happened["latency"]["pieces"]
    assert happened["bandwidth"]["pieces"]
    rows = beside.gateway.rows("SELECT state, count(*) AS n FROM job WHERE kind = 'deliver' GROUP BY state")
    states = Counter({row["state"]: int(row["n"]) for row in rows})
    assert set(states) <= {"done", "queued", "leased", "waiting"}, "a fault is no reason to give up"
    assert sum(states.values()) == posts * 2 * HEALTHY
    failing = beside.gateway.rows("SELECT peer, count(*) AS n FROM job WHERE problem IS NOT NULL GROUP BY peer")
    assert len(failing) >= 3, "drop, timeout, dead and those that are cut off are tried again"
