"""However deliveries fail, what a peer takes of one object comes as Create, Update, Delete, and nothing after its end.

Faults are drawn with a seed: errors, wishes to come later, silence before and after the peer took it, answers that take
for ever, several claims at a time, restarts with deliveries in hand. Time moves only by hand, and nothing is signed,
because signing takes longer than all the rest.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest
from flows import crowd
from world import Switchboard, account

from gateway.activitypub.note import Draft
from gateway.flows import publish, revise
from gateway.jobs.worker import SHARE
from gateway.store.jobs import BULK, OPEN, PEOPLE

if TYPE_CHECKING:
    from world import World

    from gateway.store.jobs import Job

pytestmark = pytest.mark.anyio
RANK = {"Create": 0, "Update": 1, "Delete": 2}
HEALTHY = 0.7  # share of requests without a fault
RESTART = 0.04  # share of steps at which the process dies
AT_ONCE = 60  # deliveries that one of two claims takes
MOVES = (0, 0, 1, 5, 20, 60, 300)  # seconds


@pytest.fixture(autouse=True)
def _quick_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd.without_signatures(monkeypatch)


class Taken(NamedTuple):
    """What a peer took: the type of the activity, and the version of its object."""

    type: str
    updated: str


class Faulty(Switchboard):
    """All peers at once: draws what becomes of each delivery, and writes down what was taken."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.is_well = False
        self.drawn: Counter[str] = Counter()
        self.taken: dict[tuple[str, str], list[Taken]] = defaultdict(list)
        self.bodies: dict[str, set[bytes]] = defaultdict(set)
        self.hanging: list[asyncio.Future[int]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fault = "none" if self.is_well or self.chance.random() < HEALTHY else self._draw()
        self.drawn[fault] += 1
        await asyncio.sleep(0)
        match fault:
            case "error":
                return crowd.answer(self.chance.choice((500, 502, 503, 504, 408)))
            case "busy":
                return crowd.answer(429, retry_after=str(self.chance.randrange(600)))
            case "unreachable":
                raise httpx.ConnectTimeout("nobody there")
            case "lost answer":
                self._take(request)
                raise httpx.ReadTimeout("taken, and not said")
            case "hangs":
                self._take(request)
                answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self.hanging.append(answer)
                status = await answer
                if not status:
                    raise httpx.ReadTimeout("taken, and not said in time")
                return crowd.answer(status)
        self._take(request)
        return crowd.answer(202)

    def _draw(self) -> str:
        return self.chance.choice(("error", "error", "busy", "unreachable", "lost answer", "hangs"))

    def _take(self, request: httpx.Request) -> None:
        document = json.loads(request.content)
        about = document["object"]
        self.taken[request.url.host, about["id"]].append(Taken(document["type"], str(about.get("updated", ""))))
        self.bodies[document["id"]].add(hashlib.sha256(request.content).digest())

    def release(self) -> None:
        """Let one that hangs answer at last, or be given up."""
        waiting = [answer for answer in self.hanging if not answer.done()]
        if waiting:
            self.chance.choice(waiting).set_result(self.chance.choice((0, 202, 500)))
        self.hanging = waiting


class Life:
    """A gateway that publishes, edits and deletes while everything fails."""

    def __init__(self, world: World, board: Faulty, chance: random.Random) -> None:
        self.world, self.board, self.chance = world, board, chance
        self.running: set[asyncio.Task[None]] = set()
        self.restarts = 0
        self.world.board = self.board
        self.home = self.world.gateway()
        self.kit = self.home.kit
        self.alice = account(self.home)
        self.kit.store.database.run("PRAGMA synchronous=OFF")  # no power cut is part of this

    async def write(self, objects: int) -> list[str]:
        """Create, edit and delete so many posts, the deeds about all of them mixed, working in between."""
        deeds = [(self.chance.random(), number) for number in range(objects) for _ in RANK]
        deeds.sort()
        posts: dict[int, str] = {}
        done: Counter[int] = Counter()
        for _, number in deeds:
            match done[number]:
                case 0:
                    posts[number] = (await publish.create(self.kit, self.alice, Draft(text=f"post {number}")))[0].id
                case 1:
                    await revise.edit(self.kit, self.alice, posts[number], text=f"edited {number}")
                case _:
                    revise.delete(self.kit, self.alice, posts[number])
            done[number] += 1
            await self.step()
        return list(posts.values())

    async def step(self) -> None:
        """Claim twice, work on both in any order, let time pass; now and then the process dies with what it holds."""
        now = self.world.clock.now()
        jobs: list[Job] = []
        for owner in ("one", "other"):
            jobs += self.kit.store.jobs.claim(owner, now, AT_ONCE, SHARE, (PEOPLE, BULK))
        self.chance.shuffle(jobs)
        begun = {asyncio.create_task(self.home.worker._one(job)) for job in jobs}
        self.running |= begun
        if self.chance.random() < RESTART and not self.board.is_well:
            for _ in range(self.chance.randrange(20)):
                await asyncio.sleep(0)
            await self._restart()
        else:
            await self._until_quiet()
        self.board.release()
        self.world.clock.forward(seconds=self.chance.choice(MOVES))

    async def _until_quiet(self) -> None:
        """Let everything go on that does not wait for an answer that does not come."""
        while True:
            self.running = {task for task in self.running if not task.done()}
            if len(self.running) <= sum(not answer.done() for answer in self.board.hanging):
                return
            await asyncio.sleep(0)

    async def _restart(self) -> None:
        """Die and start again: whatever was under way is forgotten, its leases are given back."""
        self.restarts += 1
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        self.running.clear()
        self.board.hanging.clear()
        for owner in self.kit.store.jobs.owners():
            self.kit.store.jobs.release(owner)

    async def end(self) -> None:
        """Let everybody be well, and time pass, until nothing is left to do."""
        self.board.is_well = True
        await self._restart()
        while self.kit.store.jobs.count(*OPEN):
            due = crowd.next_moment(self.kit)
            assert due is not None, "something is open, and nobody's turn comes"
            self.world.clock.forward(seconds=max(0.0, (due - self.world.clock.now()).total_seconds()))
            await self.home.worker.drain()

    def violations(self) -> list[tuple[tuple[str, str], list[str]]]:
        """Return the sequences of one peer and object that are not in order."""
        found = []
        for key, documents in self.board.taken.items():
            # A tombstone has a time of its own; of the edits the version counts.
            ranks = [(RANK[one.type], one.updated if one.type == "Update" else "") for one in documents]
            if ranks != sorted(ranks):
                found.append((key, [one.type for one in documents]))
        return found


@pytest.mark.parametrize(
    ("peers", "objects", "seed"),
    [(20, 100, 9421), pytest.param(50, 1_000, 1, marks=pytest.mark.long)],
    ids=["short", "long"],
)
async def test_no_peer_gets_anything_out_of_order(world: World, peers: int, objects: int, seed: int) -> None:
    """Over faults of every kind no peer takes a Create or Update late, nor anything of a post after its Delete."""
    chance = random.Random(seed)
    life = Life(world, Faulty(chance), chance)
    crowd.gathered(life.kit, life.alice, [f"p{number}.example" for number in range(peers)])
    posts = await life.write(objects)
    faulty = +life.board.drawn
    await life.end()
    taken = life.board.taken
    print(f"{sum(len(one) for one in taken.values())} taken, {life.restarts} restarts, {dict(faulty)}")
    assert life.violations() == []
    # Nothing is lost: who got anything of a post was told of its end, and hardly anybody got nothing.
    assert [key for key, documents in taken.items() if documents[-1].type != "Delete"] == []
    assert len(taken) > peers * len(posts) / 4
    assert {len(forms) for forms in life.board.bodies.values()} == {1}, "the same id with other words"
    assert life.restarts
    assert set(faulty) == {"none", "error", "busy", "unreachable", "lost answer", "hangs"}
    assert Counter(one.type for documents in taken.values() for one in documents)["Update"] > peers
