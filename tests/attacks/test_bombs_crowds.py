"""Many slow peers at once, and bombs one after the other: everybody else is served as if they were not there."""

from __future__ import annotations

import asyncio
import json
import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest
import yardstick
from attacks.bombs import LISTED, Aim, Recipe, packed
from attacks.bombs_beyond import BEYOND
from peers.plain import ACTIVITY_JSON, PUBLIC
from processes import eventually, listening, served
from web.asking import ask
from world import BASE, account

from gateway.activitypub.note import Draft
from gateway.flows import discover, publish

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from peers.plain import PlainPeer
    from processes import Listening, Served
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account

SLOW, FAST = 100, 10
GENEROUS = 10.0
P99_MS = 500
SPIN_SECONDS = 0.002
RSS_MIB = 128
# What others may come to wait at most, besides twice what they wait otherwise: one look of the worker for new work.
ROOM_SECONDS = 1.0


async def silent(_scope: Any, _receive: Any, _send: Any) -> None:
    """Take a request and say nothing."""
    await asyncio.Event().wait()


class Crowd:
    """A gateway whose alice is followed from many hosts; the slow ones are silent from ``fall_silent`` on."""

    def __init__(self, world: World, gateway: Gateway, alice: Account) -> None:
        self.world, self.gateway, self.alice = world, gateway, alice
        self.slow = [self._follower(f"slow{number}.example") for number in range(SLOW)]
        self.fast = [self._follower(f"fast{number}.example") for number in range(FAST)]

    def _follower(self, host: str) -> PlainPeer:
        peer = self.world.peer(host)
        kit = self.gateway.kit
        discover.keep_actor(kit, peer.me.document())
        kit.store.relations.save_follow(peer.me.id, self.alice.id, peer.id(), "accepted", kit.clock.now())
        return peer

    def fall_silent(self) -> None:
        """Let every slow host take requests and answer none."""
        for peer in self.slow:
            self.world.board.apps[peer.base.removeprefix("https://")] = silent

    async def published(self) -> float:
        """Publish a post; return after how many seconds the last of the fast followers has it."""
        before = [len(peer.received) for peer in self.fast]
        began = time.monotonic()
        await publish.create(self.gateway.kit, self.alice, Draft(text="for everybody"))
        await self._until(lambda: all(len(peer.received) > n for peer, n in zip(self.fast, before, strict=True)))
        return time.monotonic() - began

    @staticmethod
    async def _until(condition: Any) -> None:
        async with asyncio.timeout(GENEROUS):
            while not condition():
                await asyncio.sleep(0.005)

    async def settled(self, peer: PlainPeer) -> float:
        """Let a fast peer deliver a note; return after how many seconds it is kept."""
        note = peer.note(to=[self.alice.id], cc=[])
        began = time.monotonic()
        answer = await peer.post(f"{BASE}/inbox", peer.activity("Create", note, to=[self.alice.id]))
        assert answer.status_code == 202, answer.text
        await self._until(lambda: self.gateway.kit.store.objects.get(note["id"]) is not None)
        return time.monotonic() - began


@pytest.fixture
async def crowd(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crowd]:
    """Return a gateway at work with a crowd of followers."""
    from flows.keypool import pooled  # noqa: PLC0415 - only here

    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
    monkeypatch.setattr("peers.plain.generate", pooled)
    gateway = world.gateway()
    made = Crowd(world, gateway, account(gateway))
    gateway.worker.start()
    yield made
    await gateway.worker.stop()


@pytest.mark.anyio
async def test_slow_peers_do_not_keep_fast_ones_waiting(crowd: Crowd) -> None:
    """BOMB-S-006: deliveries to ten fast peers take no longer while a hundred others hang."""
    alone = max([await crowd.published() for _ in range(3)])
    crowd.fall_silent()
    with_others = max([await crowd.published() for _ in range(3)])
    assert with_others <= 2 * alone + ROOM_SECONDS


@pytest.mark.anyio
async def test_slow_peers_do_not_keep_arrivals_waiting(crowd: Crowd) -> None:
    """BOMB-S-006, the other way: what comes in is settled while a hundred deliveries hang."""
    alone = max([await crowd.settled(peer) for peer in crowd.fast])
    crowd.fall_silent()
    await publish.create(crowd.gateway.kit, crowd.alice, Draft(text="for everybody"))
    with_others = max([await crowd.settled(peer) for peer in crowd.fast])
    assert with_others <= 2 * alone + ROOM_SECONDS


@pytest.mark.anyio
async def test_one_slow_domain_does_not_keep_others_waiting(crowd: Crowd) -> None:
    """BOMB-S-006, by one party: a hundred accounts of one host, each with an inbox of its own, hold up nobody else."""
    kit, host = crowd.gateway.kit, crowd.world.peer("many.example")
    for number in range(SLOW):
        actor = host.actor(f"a{number}")
        discover.keep_actor(kit, actor.document(endpoints={}))
        kit.store.relations.save_follow(actor.id, crowd.alice.id, host.id(), "accepted", kit.clock.now())
    alone = await crowd.published()
    crowd.world.board.apps["many.example"] = silent
    assert max([await crowd.published() for _ in range(3)]) <= 2 * alone + ROOM_SECONDS


@pytest.mark.anyio
async def test_silent_key_hosts_do_not_keep_inboxes_waiting(crowd: Crowd) -> None:
    """A hundred requests whose keys are on silent hosts wait by themselves, or come again; known peers are answered."""
    strangers = [crowd.world.peer(f"stranger{number}.example") for number in range(SLOW)]
    for peer in strangers:
        crowd.world.board.apps[peer.base.removeprefix("https://")] = silent
    hanging = [
        asyncio.create_task(peer.post(f"{BASE}/inbox", peer.activity("Follow", crowd.alice.id))) for peer in strangers
    ]
    await asyncio.sleep(0)
    try:
        assert max([await crowd.settled(peer) for peer in crowd.fast]) <= ROOM_SECONDS
        assert any(not task.done() for task in hanging)
        shed = [task.result() for task in hanging if task.done()]
        assert all(answer.status_code == 503 and "retry-after" in answer.headers for answer in shed)
    finally:
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


@pytest.mark.anyio
async def test_one_network_does_not_shut_the_door_to_newcomers(crowd: Crowd) -> None:
    """One network whose requests lead to silent key hosts is told to come again; a newcomer from elsewhere is met."""
    app = crowd.world.board.apps["gw.example"]

    def sent(peer: PlainPeer, address: str) -> Any:
        body = packed(peer.activity("Follow", crowd.alice.id))
        lines = [line for line in peer.signed(f"{BASE}/inbox", body).headers if line[0].lower() != "host"]
        return ask(app, "POST", "/inbox", lines, body, client=address)

    hanging = []
    for number in range(SLOW):
        peer = crowd.world.peer(f"stranger{number}.example")
        crowd.world.board.apps[peer.base.removeprefix("https://")] = silent
        hanging.append(asyncio.create_task(sent(peer, f"198.51.100.{number}")))
    try:
        for _ in range(100):
            await asyncio.sleep(0)  # until each of them waits or is told to come again
        answer = await sent(crowd.world.peer("newcomer.example"), "192.0.2.1")
        assert answer.status == 202, answer.text
    finally:
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


def resident(gateway: Served) -> float:
    """Return how much memory a gateway's process has, in MiB."""
    assert gateway.process is not None
    text = Path(f"/proc/{gateway.process.pid}/status").read_text("ascii", "replace")
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


class Probe:
    """Asks a gateway ten times a second how it is, and writes down how long each answer took."""

    def __init__(self, gateway: Served) -> None:
        self._url = f"http://127.0.0.1:{gateway.port}/livez"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._delays: list[float] = []
        self.took: list[float] = []
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        """Begin to ask."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking."""
        self._over.set()
        self._thread.join(30)

    def _run(self) -> None:
        with httpx.Client(trust_env=False, timeout=20) as client:
            while not self._over.wait(0.1):
                began = time.monotonic()
                try:
                    answer = client.get(self._url)
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                else:
                    if not answer.is_success:
                        self.failed.append(str(answer.status_code))
                self.took.append(1000 * (time.monotonic() - began))
                self._delays.append(_delay())

    @property
    def p99(self) -> float:
        """Return what 99 of 100 waited at most, in milliseconds of a machine that has nothing else to do."""
        return statistics.quantiles(self.took, n=100)[98] / max(1.0, statistics.fmean(self._delays))


def _delay() -> float:
    """Return how many times longer than its processor time a little work takes: others want the machine, too."""
    began, spent = time.monotonic(), time.thread_time()
    while time.thread_time() - spent < SPIN_SECONDS:
        pass
    return (time.monotonic() - began) / SPIN_SECONDS


def everything() -> Iterator[tuple[str, Recipe]]:
    """Yield every document bomb with its name."""
    for case, recipes in LISTED.items():
        yield from ((f"{case} {name}", recipe) for name, recipe in recipes.items())
    yield from BEYOND.items()


def _throw(peer: Listening, aim: Aim, recipe: Recipe) -> int | str:
    body = recipe(aim)
    unsigned = peer.client.post(aim.inbox, content=body, headers={"content-type": ACTIVITY_JSON})
    assert unsigned.status_code < 500, unsigned.text
    try:
        return peer.send(peer.plain.signed(aim.inbox, body)).status_code
    except httpx.HTTPError as error:
        return repr(error)


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.long)])
def test_others_are_answered_while_bombs_go_off(tmp_path: Path, rounds: int) -> None:
    """A real gateway under every document bomb, unsigned and signed: 99 of 100 others wait less than half a second."""
    limits = {f"GATEWAY_LIMIT_{name}": "0" for name in ("NETWORK", "PEER", "PEER_MEBIBYTES")}
    with served(tmp_path, **limits) as gateway, listening("m") as peer:
        gateway.cli("account", "create", "alice")
        post = gateway.cli("post", "create", "alice", "mine")["id"]
        aim = Aim(peer=peer.plain, base=gateway.base, post=post)
        assert peer.send(peer.plain.signed(aim.inbox, packed(aim.create()))).status_code == 202
        gateway.drained()
        before, answers = resident(gateway), {}
        with Probe(gateway) as probe:
            for _ in range(rounds):
                for name, recipe in everything():
                    answers[name] = _throw(peer, aim, recipe)
            gateway.drained(seconds=60)
            eventually(lambda: len(probe.took) >= 100, "a hundred answers", seconds=60)
        bad = {name: answer for name, answer in answers.items() if answer not in (202, 400, 401, 403, 413)}
        assert bad == {}
        assert probe.failed == []
        assert probe.p99 < P99_MS * yardstick.slowness(), sorted(probe.took)[-20:]
        assert resident(gateway) - before <= RSS_MIB
        note = peer.plain.note("and after that", to=[aim.alice, PUBLIC], cc=[])
        honest = peer.plain.activity("Create", note, to=[aim.alice])
        assert peer.send(peer.plain.signed(aim.inbox, json.dumps(honest).encode())).status_code in (202, 403)
