"""The process dies at any point: every case of the class ``crash`` that is not somewhere else.

Every statement of the database is a point to die at, before it and after it: that covers the named ones (before and
after the commit, between sending and noting it, while a delay is written). Dying is simulated: from that moment on
nothing reaches the database or the network, and the next gateway opens the same files.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from attacks.faults_scene import Front, cases_of, left_out
from flows.keypool import pooled
from flows.scenes import ALICE, follows
from peers.plain import ACTIVITY_JSON
from world import BASE, Switchboard, World, account, all_gone

from gateway.flows.grant import create_token
from gateway.jobs.worker import SHARE
from gateway.store.sqlite import Sqlite

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from peers.plain import PlainPeer

    from gateway.runtime import Gateway

pytestmark = pytest.mark.anyio
CASES = cases_of("crash")
ELSEWHERE = {
    "REL-001": "kill -9 at random times: tests/crash/test_kill_*.py",
    "REL-004": "kill -9 during a migration: with the tests of upgrades",
    "REL-006": "two on one directory: tests/crash/test_one_directory.py",
    "REL-007": "the kernel's kill is kill -9: tests/crash/test_kill_*.py; bounded memory: test_million.py",
    "REL-010": "a power cut: with the tests of durability",
}
POSTS = 3
SPARSE = 11  # in the short run one point in so many; no divisor of anything


class Killed(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class Mortal:
    """A database connection whose process dies at a point: before or after a statement."""

    real: Any
    dies_at: int
    points: int = 0
    dead: asyncio.Event = field(default_factory=asyncio.Event)

    def execute(self, *arguments: Any) -> Any:
        self._pass()
        done = self.real.execute(*arguments)
        self._pass()
        return done

    def rollback(self) -> None:
        if self.dead.is_set():
            raise Killed
        self.real.rollback()

    def close(self) -> None:
        self.real.close()

    def _pass(self) -> None:
        if self.dead.is_set():
            raise Killed
        self.points += 1
        if self.points == self.dies_at:
            self.dead.set()
            raise Killed


class Cut(Switchboard):
    """Lets nothing of a dead process out."""

    mortal: Mortal | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        ours = request.headers.get("user-agent", "").startswith("noai-gateway/")
        if ours and self.mortal is not None and self.mortal.dead.is_set():
            raise Killed
        return await super().handle_async_request(request)


@dataclass(slots=True)
class Life:
    """One life of a gateway: what a peer sends and an author writes, and which of it was answered."""

    world: World
    peer: PlainPeer
    front: Front
    token: str
    home: Gateway
    arriving: list[dict[str, Any]]
    accepted: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)

    async def arrive(self) -> None:
        """Let the peer send what has no answer yet."""
        for activity in self.arriving:
            if activity["id"] in self.accepted:
                continue
            answer = await self.peer.post(f"{BASE}/inbox", activity)
            if answer.status_code == 202:
                self.accepted.append(activity["id"])

    async def write(self) -> None:
        """Let the author publish, and everybody work."""
        async with self.world.client() as client:
            for number in range(POSTS):
                headers = {"authorization": f"Bearer {self.token}", "content-type": ACTIVITY_JSON}
                note = {"type": "Note", "content": f"post {number}"}
                answer = await client.post("/users/alice/outbox", json=note, headers=headers)
                if answer.status_code == 201:
                    self.created.append(f"post {number}")
                # One of them fails first: its delay is written, and waited for.
                self.front.status = 503 if number == 1 else 202
                await self.home.worker.drain()
        self.front.status = 202

    async def whole(self) -> None:
        await self.arrive()
        await self.home.worker.drain()
        await self.write()
        self.world.clock.forward(minutes=1)
        await self.home.worker.drain()


async def _prepared(root: Path) -> str:
    """Make a gateway's directory with Alice, whom Bob follows; return her token."""
    world = World(root=root)
    home = world.gateway()
    alice = account(home)
    await follows(world, world.peer())
    _, token = create_token(home.kit, alice, "test")
    await world.close()
    return token


async def _dies_at(root: Path, token: str, point: int) -> tuple[Life, Mortal]:
    """Live until a point, then as the next gateway on the same files; return what became of it."""
    world = World(root=root, board=Cut())
    peer = world.peer()
    home = world.gateway()
    database = home.kit.store.database
    assert isinstance(database, Sqlite)
    database.run("PRAGMA synchronous=OFF")  # the machine does not die
    mortal = Mortal(database._connection, point)
    database._connection = mortal
    world.board.mortal = mortal  # type: ignore[attr-defined]  # it is a Cut
    post = peer.note("hello", to=[ALICE], contentUsage="train-ai=n")
    fan = peer.actor("fan")
    arriving = [peer.activity("Create", post, to=[ALICE]), peer.activity("Follow", ALICE, fan)]
    arriving[1]["actor"] = peer.me.id  # the same follower again, under another id
    front = Front(peer, world.clock.now)
    world.board.apps["peer.example"] = front
    life = Life(world, peer, front, token, home, arriving)
    before = asyncio.all_tasks()
    living, dead = asyncio.create_task(life.whole()), asyncio.create_task(mortal.dead.wait())
    await asyncio.wait({living, dead}, return_when=asyncio.FIRST_COMPLETED)
    rest = asyncio.all_tasks() - before
    for task in rest:
        task.cancel()  # of who lived to the end, only who waits for a death
    ends = await asyncio.gather(living, *rest, return_exceptions=True)
    mortal.real.close()
    assert mortal.dead.is_set() or ends[0] is None, ends[0]
    world.gateways.clear()
    # The next one.
    life.home = world.gateway()
    world.board.mortal = None  # type: ignore[attr-defined]
    life.front.status = 202
    all_gone(life.home)  # as every start does
    await life.home.worker.drain()
    await life.arrive()
    for _ in range(4):
        world.clock.forward(minutes=10)
        await life.home.worker.drain()
    return life, mortal


def _check(life: Life) -> None:
    """Check that what was answered is there once, and that nobody saw anything twice under another name."""
    store = life.home.kit.store
    assert set(life.accepted) == {activity["id"] for activity in life.arriving}
    outcomes = {row["id"]: row["outcome"] for row in store.database.rows("SELECT id, outcome FROM arrival")}
    assert all(outcomes[activity] for activity in life.accepted)
    note = life.arriving[0]["object"]["id"]
    assert store.objects.get(note) is not None
    stated = [
        (row["carrier"], row["raw"]) for row in store.database.rows("SELECT * FROM statement WHERE ref = :r", r=note)
    ]
    assert len(stated) == len(set(stated)) > 0
    assert len(store.relations.followers(ALICE)) == 1
    assert store.database.rows("SELECT 1 FROM job WHERE state IN ('waiting', 'queued', 'leased', 'dead')") == []
    ids: dict[str, set[str]] = defaultdict(set)
    forms: dict[str, set[str]] = defaultdict(set)
    times: Counter[str] = Counter()
    for document in life.front.taken:
        forms[document["id"]].add(json.dumps(document))
        times[document["id"]] += 1
        if document["type"] == "Create":
            ids[document["object"]["content"]].add(document["id"])
    assert {len(one) for one in forms.values()} <= {1}
    assert {len(one) for one in ids.values()} <= {1}
    assert set(life.created) <= set(ids)
    repeated = sum(count - 1 for count in times.values())
    assert repeated <= SHARE + 1  # what was in hand; one was answered 503 besides


@pytest.mark.parametrize("step", [SPARSE, pytest.param(1, marks=pytest.mark.long)], ids=["short", "long"])
async def test_the_process_dies_at_every_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """REL-002: wherever the process dies, what was answered 202 or 201 is there once, and repeats have one id."""
    assert CASES["REL-002"].parts == {"as above", "202 implies durable"}
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
    token = await _prepared(tmp_path / "made")

    async def at(point: int) -> Mortal:
        root = tmp_path / f"{point}"
        shutil.copytree(tmp_path / "made", root)
        life, mortal = await _dies_at(root, token, point)
        try:
            _check(life)
        except AssertionError as error:
            raise AssertionError(f"died at {point} of {mortal.points}") from error
        finally:
            await life.world.close()
            shutil.rmtree(root)
        return mortal

    whole = await at(0)
    assert not whole.dead.is_set()
    assert whole.points > 200
    for point in range(1, whole.points, step):
        assert (await at(point)).dead.is_set()


def test_no_case_is_left_out() -> None:
    """Every case of the class is run, or said where it is."""
    assert left_out(CASES, {"REL-002"}, ELSEWHERE) == []
