"""Much, for long, and from people who leave: every case of the classes ``load`` and ``ops``.

What takes an hour or ten minutes elsewhere takes place under a clock of the test; what must stay flat is counted, not
timed: blocks of memory, open files, tasks, steps of the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import socket
import struct
import sys
import time
from asyncio import events
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from attacks.faults_scene import cases_of, fault_scene, left_out
from flows import crowd
from flows.keypool import pooled
from flows.scenes import ALICE, arrives, home_of, published
from world import BASE

from gateway.cli.protocol import BoundedProtocol
from gateway.cli.serve import _config
from gateway.errors import StoreError
from gateway.store.sqlite import Sqlite
from gateway.web.app import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway

pytestmark = pytest.mark.anyio
CASES = cases_of("load") | cases_of("ops")
HERE = ("REL-059", "REL-060", "REL-061", "REL-063", "REL-066")
MIB = 1024 * 1024
BLOCK = 64  # bytes: about what a block of memory has
STALL = 0.1  # seconds of work in one piece


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


def open_files() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


# REL-059


@dataclass(slots=True)
class Flat:
    """What was counted after each ten minutes."""

    blocks: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)


@pytest.mark.parametrize("rounds", [6, pytest.param(60, marks=pytest.mark.long)], ids=["short", "long"])
async def test_nothing_grows(world: World, rounds: int) -> None:
    """REL-059: hour after hour, with some faulty peers, memory, files, tasks and the cost of an arrival stay flat."""
    [expected] = CASES["REL-059"].parts
    assert expected.startswith("RSS slope <= 1 MiB/10 min, fds flat, p99 flat (<= 1.2x first 10 min), DB growth")
    home, alice = home_of(world)
    home.kit.store.database.run("PRAGMA synchronous=OFF")
    peers = [world.peer(f"p{number}.example", "p") for number in range(20)]
    crowd.gathered(home.kit, alice, [f"p{number}.example" for number in range(20)])
    flat = Flat()
    for number in range(rounds):
        peers[0].inbox_status = 202 if number % 3 else 503  # one of twenty
        await _ten_minutes(world, home, peers)
        world.board.requests.clear()
        for peer in peers:
            peer.received.clear()
            peer.received_headers.clear()
            peer.gets.clear()
        gc.collect()
        flat.blocks.append(sys.getallocatedblocks())
        flat.files.append(open_files())
        flat.tasks.append(len(asyncio.all_tasks()))
        flat.steps.append(await _steps_of_an_arrival(world, home, peers[1]))
        flat.pages.append(int(home.kit.store.database.value("PRAGMA page_count")))
    warm = rounds // 4
    grown = (flat.blocks[-1] - flat.blocks[warm]) * BLOCK
    assert grown <= MIB * (rounds - warm), flat.blocks
    assert len(set(flat.files[warm:])) == 1, flat.files
    assert len(set(flat.tasks[warm:])) == 1, flat.tasks
    assert max(flat.steps[warm:]) <= 1.2 * flat.steps[warm], flat.steps
    halves = flat.pages[rounds // 2] - flat.pages[warm], flat.pages[-1] - flat.pages[-1 - (rounds // 2 - warm)]
    assert halves[1] <= 1.5 * halves[0] + 20, flat.pages


async def _ten_minutes(world: World, home: Gateway, peers: list[PlainPeer]) -> None:
    [alice] = [one for one in home.kit.store.accounts.all() if one.name == "alice"]
    for minute in range(0, 10, 2):
        stored = await published(home, alice, f"minute {minute}")
        await home.worker.drain()
        for peer in peers[1:4]:
            await arrives(world, peer, peer.activity("Like", stored.id))
        note = peers[4].note("hello", to=[ALICE], contentUsage="train-ai=n")
        await arrives(world, peers[4], peers[4].activity("Create", note, to=[ALICE]))
        async with world.client() as reader:
            await reader.get("/@alice")
        world.clock.forward(minutes=2)
        await home.worker.drain()


async def _steps_of_an_arrival(world: World, home: Gateway, peer: PlainPeer) -> int:
    """Return how many instructions the database runs to take one more activity and settle it."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    note = peer.note("counted", to=[ALICE])
    assert isinstance(home.kit.store.database, Sqlite)
    connection = home.kit.store.database._connection
    connection.set_progress_handler(count, 1)
    try:
        await arrives(world, peer, peer.activity("Create", note, to=[ALICE]))
    finally:
        connection.set_progress_handler(None, 1)
    return counted


# REL-060


async def test_overload_is_refused_cheaply_and_ends(world: World) -> None:
    """REL-060: three times what a peer may send is refused with 429, which costs little, and soon it is as before."""
    assert CASES["REL-060"].parts == {
        "sheds with 429/503 (>= 95 % of the refusals < 50 ms), no crash, recovers to rated p99 within 60 s"
    }
    scene = await fault_scene(world, limit_peer=60)  # in five minutes: one in five seconds
    post = await scene.post()

    async def sent() -> tuple[int, float]:
        body = json.dumps(scene.peer.activity("Like", post)).encode()
        request = scene.peer.signed(f"{BASE}/inbox", body)
        began = time.thread_time()
        answer = await scene.peer.send(request)
        assert answer.status_code == 202 or int(answer.headers["retry-after"]) > 0
        return answer.status_code, time.thread_time() - began

    rated = [await sent() for _ in range(20)]
    assert {status for status, _ in rated} == {202}
    overload: list[tuple[int, float]] = []
    for _turn in range(120):  # ten minutes
        overload += [await sent() for _ in range(3)]
        world.clock.forward(seconds=5)
    refused = [took for status, took in overload if status != 202]
    assert {status for status, _ in overload} == {202, 429}
    assert len(refused) >= len(overload) / 3
    assert quantiles(refused, n=20)[-1] <= max(0.05, 2 * median(took for _, took in rated))
    await world.drain()
    world.clock.forward(seconds=60)
    after = []
    for _ in range(20):
        after.append(await sent())
        world.clock.forward(seconds=5)
    assert {status for status, _ in after} == {202}
    assert median(took for _, took in after) <= 2 * median(took for _, took in rated)


# REL-061


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[list[tuple[float, str]]]:
    """Note every callback of the loop that works for longer than it may; waiting for the processor does not count."""
    limit = STALL if sys.gettrace() is None else 3 * STALL  # counting lines takes longer than running them
    stalls: list[tuple[float, str]] = []
    original = events.Handle._run

    def run(self: events.Handle) -> None:
        began = time.thread_time()
        original(self)
        took = time.thread_time() - began
        if took > limit:
            stalls.append((took, repr(self)))

    events.Handle._run = run  # type: ignore[method-assign]
    gc.collect()
    gc.freeze()  # as a gateway that serves: what other tests left is not gone over
    try:
        await asyncio.sleep(0)  # what runs now began before
        yield stalls
        await asyncio.sleep(0)
    finally:
        gc.unfreeze()
        events.Handle._run = original  # type: ignore[method-assign]


async def test_the_loop_never_stalls(world: World) -> None:
    """REL-061: no callback works for a tenth of a second, whatever large thing arrives or goes out."""
    assert CASES["REL-061"].parts == {"0 stalls"}
    home, alice = home_of(world)
    peer = world.peer()
    crowd.gathered(home.kit, alice, [f"p{number}.example" for number in range(20)])
    await arrives(world, peer, peer.activity("Follow", ALICE))
    large = peer.note("x" * 500_000, to=[ALICE], tag=[{"type": "Mention", "href": ALICE, "name": "@a"}] * 500)
    foreign = peer.activity("Create", peer.note("hello", to=[ALICE], extra={"a": [{"b": n} for n in range(2_000)]}))
    foreign["@context"] = ["https://www.w3.org/ns/activitystreams", {"x": "https://x.example/ns#"}]
    async with watched() as stalls:
        await arrives(world, peer, peer.activity("Create", large, to=[ALICE]))
        await arrives(world, peer, foreign)
        stored = await published(home, alice, "hello " * 500)
        await world.drain()
        await asyncio.gather(*(peer.post(f"{BASE}/inbox", peer.activity("Like", stored.id)) for _ in range(50)))
        await world.drain()
        async with world.client() as reader:
            for path in ("/@alice", "/@alice.atom", "/about", "/robots.txt", "/inspect"):
                await reader.get(path)
        home.prune()
    assert stalls == []


async def test_the_loop_does_not_stall_for_a_crowd(world: World) -> None:
    """REL-061: a post to hundreds of servers is queued quickly enough that others are answered meanwhile."""
    home, alice = home_of(world)
    crowd.gathered(home.kit, alice, [f"p{number}.example" for number in range(300)])
    async with watched() as stalls:
        await published(home, alice)
    assert stalls == []


# REL-063


@pytest.mark.parametrize("many", [400, pytest.param(10_000, marks=pytest.mark.long)])
async def test_who_leaves_leaves_nothing(world: World, many: int) -> None:
    """REL-063: connections that are cut off at any stage leave no task, no connection and no open file behind."""
    assert CASES["REL-063"].parts == {"tasks back to base"}
    home, _ = home_of(world)
    config = _config(build(home))
    config.load()
    state = uvicorn.Server(config).server_state
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: BoundedProtocol(config, state, {}), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    head = b"POST /inbox HTTP/1.1\r\nhost: gw.example\r\ncontent-type: application/activity+json\r\n"
    stages = (
        b"", b"GET /@al", b"GET /@alice HTTP/1.1\r\nhost: gw.example\r\n\r\n", head,
        head + b"content-length: 1000\r\n\r\n{", head + b"content-length: 2\r\n\r\n{}",
    )  # fmt: skip
    base, files = len(asyncio.all_tasks()), open_files()
    for begin in range(0, many, 100):
        await asyncio.gather(
            *(_leaves(port, stages[number % len(stages)], number) for number in range(begin, begin + 100))
        )
    async with asyncio.timeout(30):
        while state.connections or len(asyncio.all_tasks()) > base or state.tasks:
            await asyncio.sleep(0.01)
    assert open_files() <= files
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"ok\n")
    writer.close()
    server.close()


async def _leaves(port: int, said: bytes, number: int) -> None:
    """Connect, say something, and go: politely, at once, or with a reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    with contextlib.suppress(OSError):
        await writer.drain()
    if number % 3 == 0:
        await asyncio.sleep(0)
    if number % 3 == 1:
        connection: Any = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    writer.close()
    del reader


# REL-066


async def test_ready_and_live(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """REL-066: ready while the worker works and the database answers, alive as long as the process answers."""
    assert CASES["REL-066"].parts == {"as documented"}
    home, _ = home_of(world)

    async def asked() -> tuple[int, int]:
        async with world.client() as client:
            return (await client.get("/readyz")).status_code, (await client.get("/livez")).status_code

    assert await asked() == (503, 200)
    await home.start()
    assert await asked() == (200, 200)
    with monkeypatch.context() as patch:

        def fail(_sql: str, **_values: object) -> None:
            raise StoreError("disk I/O error")

        patch.setattr(home.kit.store.database, "value", fail)
        patch.setattr(home.kit.store.database, "run", fail)
        assert await asked() == (503, 200)
    await home.worker.stop()
    assert await asked() == (503, 200)
    home.worker.start()  # workers are restarted
    assert await asked() == (200, 200)
    await home.worker.stop()
    assert home._pruner is not None
    home._pruner.cancel()


async def test_not_ready_when_nothing_can_be_written(world: World) -> None:
    """REL-066: a gateway whose database takes nothing any more is not ready, although it can be read."""
    home, _ = home_of(world)
    await home.start()
    try:
        home.kit.store.database.run("PRAGMA query_only=ON")
        async with world.client() as client:
            assert (await client.get("/readyz")).status_code == 503
    finally:
        home.kit.store.database.run("PRAGMA query_only=OFF")
        await home.worker.stop()
        assert home._pruner is not None
        home._pruner.cancel()


def test_no_case_is_left_out() -> None:
    """Every case of both classes is run."""
    assert left_out(CASES, HERE) == []
