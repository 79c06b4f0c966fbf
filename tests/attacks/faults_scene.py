"""Where everything fails: a gateway, a follower behind a server that obeys the test, and the cases that must hold.

What a case expects stands in its ``outcome``, in parts divided by semicolons. A test says which parts it looked at,
word for word; a part that nobody looked at is a failure of the test itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.scenes import follows, home_of, published
from starlette.requests import Request

from gateway.jobs import circuit
from gateway.store.database import from_ms
from gateway.store.jobs import OPEN, Job

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from peers.plain import PlainPeer
    from starlette.types import Receive, Scope, Send
    from world import World

    from gateway.jobs.circuit import State
    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.circuits import Circuit

EVERY = (*OPEN, "done", "dead", "dropped", "superseded")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case of ``reliability.json``."""

    id: str
    description: str
    outcome: str

    @property
    def parts(self) -> set[str]:
        """Return what is expected, part by part."""
        return {part.strip() for part in self.outcome.split(";")}


def cases_of(kind: str) -> dict[str, Case]:
    """Return the cases of one class by id."""
    text = (Path(__file__).parent / "data" / "reliability.json").read_text("utf-8")
    return {
        item["id"]: Case(id=item["id"], description=item["description"], outcome=item["expect"]["outcome"])
        for item in json.loads(text)["cases"]
        if item["class"] == kind
    }


class Builders(dict[str, "Callable[[FaultScene], Awaitable[None]]"]):
    """What performs each case, by id."""

    def case(
        self, case_id: str
    ) -> Callable[[Callable[[FaultScene], Awaitable[None]]], Callable[[FaultScene], Awaitable[None]]]:
        """Register what performs a case."""

        def register(builder: Callable[[FaultScene], Awaitable[None]]) -> Callable[[FaultScene], Awaitable[None]]:
            assert case_id not in self
            self[case_id] = builder
            return builder

        return register


class Front:
    """A server in front of a peer whose inboxes answer as a test says; every try and what was taken is written down."""

    def __init__(self, peer: PlainPeer, now: Callable[[], datetime]) -> None:
        self.peer = peer
        self.status = 202
        self.headers: dict[str, str] = {}
        self.body = b""
        self.tries: list[datetime] = []
        self.schemes: list[str] = []
        self.taken: list[dict[str, Any]] = []
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self.peer.app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        self.tries.append(self._now())
        names = {name for name, _ in scope["headers"]}
        self.schemes.append("rfc9421" if b"signature-input" in names else "cavage")
        if 200 <= self.status < 300:
            self.taken.append(json.loads(body))
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})

    @property
    def types(self) -> list[str]:
        """Return the types of what was taken, in order."""
        return [document["type"] for document in self.taken]


@dataclass(slots=True)
class FaultScene:
    """A gateway whose Alice has a follower behind a server that obeys the test."""

    world: World
    home: Gateway
    alice: Account
    peer: PlainPeer
    front: Front
    first: int = 0
    proved: set[str] = field(default_factory=set)

    def again(self) -> None:
        """Let the server answer as one that is well, and forget what it was asked."""
        self.front.status, self.front.headers, self.front.body = 202, {}, b""
        self.front.tries.clear()
        self.front.taken.clear()
        self.front.schemes.clear()

    async def post(self, text: str = "hello") -> str:
        """Let Alice publish, and everybody work on what is due; return the post's id."""
        stored = await published(self.home, self.alice, text)
        await self.world.drain()
        return stored.id

    async def answered(self, *statuses: int) -> None:
        """Publish one post for each status, which the server answers with."""
        for status in statuses:
            self.front.status = status
            await self.post()

    @property
    def circuit(self) -> Circuit:
        """Return what is remembered of the server's failures."""
        return self.home.kit.store.circuits.get(self.peer.base)

    @property
    def state(self) -> State:
        """Return what may be sent to the server now."""
        return circuit.state(self.circuit, self.world.clock.now())

    def jobs(self, *states: str, peer: str | None = None) -> list[Job]:
        """Return deliveries made since the scene began."""
        found = self.home.kit.store.jobs.find(kinds=("deliver",), states=states or EVERY, peer=peer, limit=100_000)
        return [job for job in found if job.id > self.first]

    def waits(self, job: Job) -> float:
        """Return in how many seconds a delivery is due."""
        return (job.due - self.world.clock.now()).total_seconds()

    def next_moment(self) -> datetime | None:
        """Return when somebody has something to do next."""
        return from_ms(self.home.kit.store.database.value("SELECT min(next) FROM turn"))

    async def until(self, end: timedelta) -> None:
        """Let time pass from one moment at which something is due to the next, for so long."""
        clock = self.world.clock
        last = clock.now() + end
        while (moment := self.next_moment()) is not None and moment <= last:
            clock.forward(seconds=max(0.0, (moment - clock.now()).total_seconds()))
            await self.world.drain()
        clock.forward(seconds=(last - clock.now()).total_seconds())


async def fault_scene(world: World, **settings: Any) -> FaultScene:
    """Set the scene: Bob of peer.example follows Alice."""
    home, alice = home_of(world, **settings)
    peer = world.peer()
    await follows(world, peer)
    scene = FaultScene(world, home, alice, peer, Front(peer, world.clock.now))
    scene.first = max(job.id for job in scene.jobs())
    world.board.apps["peer.example"] = scene.front
    return scene


async def perform(scene: FaultScene, case: Case, builder: Callable[[FaultScene], Awaitable[None]]) -> None:
    """Perform a case and check that every part of its outcome was looked at."""
    await builder(scene)
    assert scene.proved == case.parts, "nobody looked at all of it"


def left_out(cases: Collection[str], *built: Collection[str]) -> list[str]:
    """Return the ids that are not built exactly once, or of no case at all."""
    named = [case_id for group in built for case_id in group]
    return sorted({case_id for case_id in cases if named.count(case_id) != 1} | (set(named) - set(cases)))
