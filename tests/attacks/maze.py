"""Whoever makes us work: a maze that costs every look all it can, a house with many inboxes, forgers, crowds."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import httpx
from peers.plain import ACTIVITY_JSON, AS2, CONTEXT, PUBLIC
from starlette.requests import Request
from starlette.responses import Response
from world import BASE, account

from gateway.flows import discover

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attacks.scene import Scene
    from peers.plain import Actor, PlainPeer
    from starlette.types import Receive, Send
    from starlette.types import Scope as Asgi
    from world import World

    from gateway.runtime import Gateway

ALICE = f"{BASE}/users/alice"
FOLLOWERS = f"{ALICE}/followers"


def out(world: World, base: str = BASE) -> list[httpx.Request]:
    """Return every request that a gateway made so far."""
    agent = f"(+{base}/about)"
    return [request for request in world.board.requests if agent in request.headers.get("user-agent", "")]


@dataclass(slots=True)
class Maze:
    """A server that makes every look cost all it can: redirects, then a wish for the other signature, then another id.

    Whatever it shows leads on to more of itself that nobody has seen.
    """

    base: str
    seen: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new(self, kind: str = "twice") -> str:
        """Return an address that nobody was ever told of."""
        return f"{self.base}/{kind}/{next(self._numbers)}"

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer(Request(scope))(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path, hop = request.url.path, int(request.query_params.get("hop", "0"))
        self.seen.append(path)
        kind = path.split("/")[1]
        if kind != "users" and hop < 2:
            return Response(status_code=302, headers={"location": f"{path}?hop={hop + 1}"})
        if "signature-input" not in request.headers:
            return Response(status_code=401)
        url = f"{self.base}{path}" + (f"?hop={hop}" if hop else "")
        return Response(json.dumps(self._document(kind, url)), media_type=ACTIVITY_JSON)

    def _document(self, kind: str, url: str) -> dict[str, Any]:
        if kind == "users":
            return {"@context": CONTEXT, "id": url, "type": "Person", "inbox": f"{url}/inbox", **self._leads()}
        if kind == "pages":
            first, following = self.new("pages"), self.new("pages")
            items = {"type": "OrderedCollectionPage", "orderedItems": [], "first": first, "next": following}
            return {"@context": AS2, "id": url, **items}
        note = self.new("notes") if kind == "twice" else url
        return {"@context": AS2, "id": note, "type": "Note", "attributedTo": self.new("users"), **self._leads()}

    def _leads(self) -> dict[str, Any]:
        attached = {"type": "Document", "url": self.new("files"), "attachment": self.new()}
        links = {name: [self.new() for _ in range(4)] for name in ("inReplyTo", "object", "target", "tag", "context")}
        pages = {name: self.new("pages") for name in ("replies", "likes", "shares", "first", "next", "outbox")}
        return {"to": [PUBLIC, FOLLOWERS], "attachment": [attached], **links, **pages}


def maze(world: World, host: str = "maze.example") -> Maze:
    """Connect a maze."""
    made = Maze(f"https://{host}")
    world.board.apps[host] = made
    return made


@dataclass(slots=True)
class Lodging:
    """A server whose people have an inbox each; it counts how many deliveries are under way at once."""

    base: str
    posts: int = 0
    now: int = 0
    most: int = 0

    def lodge(self, scene: Scene, name: str) -> None:
        """Let somebody live here and follow alice."""
        actor = f"{self.base}/users/{name}"
        document = {"id": actor, "type": "Person", "inbox": f"{actor}/inbox"}
        discover.keep_actor(scene.kit, document)
        scene.kit.store.relations.save_follow(actor, ALICE, f"{actor}/f", "accepted", scene.world.clock.now())

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Take one delivery, slowly."""
        self.posts, self.now = self.posts + 1, self.now + 1
        self.most = max(self.most, self.now)
        for _ in range(200):
            await asyncio.sleep(0)
        self.now -= 1
        await Response(status_code=202)(scope, receive, send)


class Shy:
    """A peer that looks up who asks, signed as somebody new, before it shows an actor."""

    def __init__(self, scene: Scene) -> None:
        self.peer = scene.world.peer("shy.example", "s")
        self.plain = scene.world.board.apps["shy.example"]
        self.asked = 0

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Ask back first."""
        if scope["path"].startswith("/users/s"):
            self.asked += 1
            answer = await self.peer.get(f"{BASE}/actor", self.peer.actor(f"k{self.asked}"))
            assert answer.status_code == 200
        await self.plain(scope, receive, send)


def from_address(world: World, peer: PlainPeer, address: str) -> PlainPeer:
    """Let a peer send its requests from an address, straight to our gateway."""
    peer.transport = httpx.ASGITransport(app=world.board.apps["gw.example"], client=(address, 40000))
    return peer


def home_of(world: World, **settings: Any) -> Gateway:
    """Return the gateway under test with alice on it."""
    home = world.gateway(**settings)
    account(home)
    return home


async def asks(world: World, address: str, path: str = "/about", **headers: str) -> httpx.Response:
    """Ask our gateway for something from an address, without a signature."""
    transport = httpx.ASGITransport(app=world.board.apps["gw.example"], client=(address, 40000))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def forging(near: PlainPeer, actor: str, key_id: str = "") -> Actor:
    """Return somebody who signs in another's name with a key of their own."""
    return replace(near.me, id=actor, name_of_key=key_id)


class Everywhere(dict[str, Any]):
    """Hosts: whoever is not known shows keys by themselves and names their owners, at every name and path."""

    def get(self, host: str, default: Any = None) -> Any:
        """Return what answers at a host."""
        del default
        return super().get(host) or self._answer

    async def _answer(self, scope: Asgi, receive: Receive, send: Send) -> None:
        request = Request(scope)
        url = f"https://{request.headers['host']}{request.url.path}"
        key = {"@context": CONTEXT, "id": url, "owner": url.removesuffix("/main-key"), "publicKeyPem": "none"}
        await Response(json.dumps(key), media_type=ACTIVITY_JSON)(scope, receive, send)


def everywhere(world: World) -> None:
    """Let every host in the world answer."""
    world.board.apps = Everywhere(world.board.apps)


def apart(world: World) -> None:
    """Let each gateway answer as a process of its own would: what its asker may still ask is not its business."""

    def answering(app: Any) -> Any:
        async def answer(scope: Asgi, receive: Receive, send: Send) -> None:
            await asyncio.create_task(app(scope, receive, send), context=contextvars.Context())

        return answer

    for gateway in world.gateways:
        host = gateway.kit.settings.origin.authority
        world.board.apps[host] = answering(world.board.apps[host])
