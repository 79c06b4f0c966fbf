"""A gateway whose Alice has a follower behind a server that obeys the test: for what becomes of its circuit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from flows.scenes import follows, home_of, published
from starlette.requests import Request

from gateway.jobs import circuit
from gateway.jobs.worker import SHARE
from gateway.store.jobs import BULK, OPEN, PEOPLE, Job
from gateway.urls import origin_of

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from starlette.types import Receive, Scope, Send
    from world import World

    from gateway.jobs.circuit import State
    from gateway.runtime import Gateway
    from gateway.store.accounts import Account

PEER = origin_of("https://peer.example")
EVERY = (*OPEN, "done", "dead", "dropped", "superseded")
DAY = 24 * 3600


class Front:
    """A server in front of a peer whose inboxes answer as a test says; what they took is written down."""

    def __init__(self, peer: PlainPeer) -> None:
        self.peer = peer
        self.status = 202
        self.headers: dict[str, str] = {}
        self.body = b""
        self.asked = 0
        self.taken: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self.peer.app(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        self.asked += 1
        if self.status < 300:
            self.taken.append(json.loads(body)["type"])
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Scene:
    """A gateway whose Alice has a follower behind a server that obeys the test."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home: Gateway
        self.alice: Account
        self.home, self.alice = home_of(world)
        self.peer = world.peer()
        self.front = Front(self.peer)
        self.first = 0

    async def begin(self) -> Scene:
        await follows(self.world, self.peer)
        self.first = max(job.id for job in self.jobs())  # the answer to the Follow
        self.world.board.apps["peer.example"] = self.front
        return self

    def state(self) -> State:
        """Return the state of the peer's circuit."""
        return circuit.state(self.home.kit.store.circuits.get(str(PEER)), self.world.clock.now())

    async def answers(self, *statuses: int) -> None:
        """Publish one post for each status, which the peer answers with."""
        for status in statuses:
            self.front.status = status
            await published(self.home, self.alice)
            await self.world.drain()

    async def queued(self, posts: int) -> None:
        for _ in range(posts):
            await published(self.home, self.alice)

    def claim(self) -> list[Job]:
        """Claim whatever may go out now, as the worker does."""
        now = self.world.clock.now()
        return self.home.kit.store.jobs.claim("me", now, 400, SHARE, (PEOPLE, BULK))

    def jobs(self, *states: str, kind: str = "deliver") -> list[Job]:
        """Return deliveries (or others) made since the scene began."""
        found = self.home.kit.store.jobs.find(kinds=(kind,), states=states or EVERY)
        return [job for job in found if job.id > self.first]

    def audited(self) -> list[str]:
        return [line["reason"] for line in self.home.kit.store.peers.audit_lines("peer.example")]
