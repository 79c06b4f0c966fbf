"""The server of the Recommendation's sentences: two or three accounts, two other servers, everything over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peers.plain import AS2, PUBLIC
from world import BASE, World, account

from gateway.flows.grant import create_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import httpx
    from peers.plain import Actor, PlainPeer

LD_JSON = f'application/ld+json; profile="{AS2}"'
ALICE = f"{BASE}/users/alice"
BOB = f"{BASE}/users/bob"
CAROL = f"{BASE}/users/carol"
FOLLOWERS = f"{ALICE}/followers"
COLLECTIONS = ("Collection", "OrderedCollection")


@dataclass(slots=True, kw_only=True)
class Server:
    """Alice, Bob and Carol live here; Dora and Erin live on a server each."""

    world: World
    tokens: dict[str, str]
    dora: PlainPeer
    erin: PlainPeer

    async def get(self, url: str, name: str | None = "alice", accept: str = LD_JSON, **headers: str) -> httpx.Response:
        """GET with the token of an account; without any for None."""
        sent = {"accept": accept, **{key.replace("_", "-"): value for key, value in headers.items()}}
        if name is not None:
            sent["authorization"] = f"Bearer {self.tokens[name]}"
        async with self.world.client() as client:
            return await client.get(url, headers=sent)

    async def read(self, url: str, name: str | None = "alice") -> dict[str, Any]:
        """Return the document at ``url``."""
        answer = await self.get(url, name)
        assert answer.status_code == 200, (url, answer.status_code, answer.text[:300])
        document: dict[str, Any] = answer.json()
        return document

    async def items(self, url: str, name: str | None = "alice") -> list[Any]:
        """Return all items of a collection, from its pages when it has any."""
        document = await self.read(url, name)
        following = document.get("first")
        found = [] if following else listed(document)
        while following is not None:
            page = following if isinstance(following, dict) else await self.read(following, name)
            found += listed(page)
            following = page.get("next")
        return found

    async def ids(self, url: str, name: str | None = "alice") -> list[str]:
        """Return the ids of all items of a collection."""
        return [id_of(item) for item in await self.items(url, name)]

    async def post(self, url: str, name: str | None, content: bytes, content_type: str = LD_JSON) -> httpx.Response:
        """POST a body with the token of an account; without any for None."""
        sent = {"content-type": content_type}
        if name is not None:
            sent["authorization"] = f"Bearer {self.tokens[name]}"
        async with self.world.client() as client:
            return await client.post(url, headers=sent, content=content)

    async def submit(self, document: dict[str, Any], name: str = "alice") -> httpx.Response:
        """Post a document to the outbox of an account; nothing is worked off yet."""
        return await self.post(f"/users/{name}/outbox", name, as_bytes({"@context": AS2, **document}))

    async def does(self, document: dict[str, Any], name: str = "alice") -> str:
        """Post to the outbox and let everything be worked off; return the id of the activity."""
        answer = await self.submit(document, name)
        assert answer.status_code == 201, (document, answer.status_code, answer.text[:300])
        await self.world.drain()
        return answer.headers["location"]

    async def makes(self, document: dict[str, Any], name: str = "alice") -> str:
        """Create an object, public unless it says otherwise; return its id."""
        activity = await self.does({"to": [PUBLIC], **document}, name)
        return id_of((await self.read(activity, name))["object"])

    async def note(self, text: str = "hello", name: str = "alice", **members: Any) -> str:
        """Create a Note; return its id."""
        return await self.makes({"type": "Note", "content": f"<p>{text}</p>", **members}, name)

    async def arrives(self, document: dict[str, Any], peer: PlainPeer | None = None, inbox: str = "") -> None:
        """Let a document of a peer (Dora's) arrive and be worked off."""
        answer = await (peer or self.dora).post(inbox or f"{ALICE}/inbox", document)
        assert answer.status_code in (200, 201, 202), (document, answer.status_code, answer.text[:300])
        await self.world.drain()

    async def remote_follower(self, peer: PlainPeer, actor: Actor | None = None) -> None:
        """Let somebody elsewhere follow Alice, and forget what was received for it."""
        answer = await peer.post(f"{ALICE}/inbox", peer.activity("Follow", ALICE, actor), actor)
        assert answer.status_code == 202, answer.text[:300]
        await self.world.drain()
        self.forget()

    async def local_follower(self, name: str = "bob", whom: str = ALICE) -> None:
        """Let somebody who lives here follow somebody who does, too."""
        await self.does({"type": "Follow", "object": whom, "to": [whom]}, name)

    def forget(self) -> None:
        """Forget what Dora's and Erin's servers received and what was asked of anybody."""
        for peer in (self.dora, self.erin):
            peer.received.clear()
            peer.received_headers.clear()
            peer.gets.clear()
        self.world.board.requests.clear()

    def asked(self, method: str, peer: PlainPeer) -> list[httpx.Request]:
        """Return the requests with a method that reached a peer."""
        host = peer.base.partition("://")[2]
        return [one for one in self.world.board.requests if (one.method, one.url.host) == (method, host)]

    def inboxes(self, peer: PlainPeer) -> list[str]:
        """Return where on a peer something was posted."""
        return [str(request.url) for request in self.asked("POST", peer)]


def server_in(world: World, **settings: Any) -> Server:
    """Open the server with everybody on it."""
    kit = world.gateway(**settings).kit
    tokens = {
        name: create_token(kit, account(world.gateways[0], name), "test")[1] for name in ("alice", "bob", "carol")
    }
    return Server(
        world=world, tokens=tokens, dora=world.peer("peer.example", "dora"), erin=world.peer("other.example", "erin")
    )


def as_bytes(document: object) -> bytes:
    """Return the JSON of a document."""
    return json.dumps(document).encode()


def id_of(item: Any) -> str:
    """Return the id that an item is or has."""
    found = item["id"] if isinstance(item, dict) else item
    assert isinstance(found, str)
    return found


def many(value: Any) -> list[Any]:
    """Return what a property has: nothing, one value or a list of them."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def listed(document: dict[str, Any]) -> list[Any]:
    """Return the items that stand in a collection or a page of one."""
    return many(document.get("orderedItems", document.get("items")))


def names(document: Any) -> Iterator[str]:
    """Return the name of every member, however deep it is."""
    if isinstance(document, dict):
        yield from document
    for value in document.values() if isinstance(document, dict) else many(document):
        if isinstance(value, dict | list):
            yield from names(value)


def sent_ids(documents: Iterable[dict[str, Any]]) -> list[str]:
    """Return the ids of activities that a peer received."""
    return [document["id"] for document in documents]


async def one_of_each(server: Server) -> dict[str, str]:
    """Let Alice do one of each activity, addressed to Dora; return the ids of the activities by type."""
    to = [server.dora.me.id]
    own, doomed = await server.note("own"), await server.note("doomed")
    bobs, shelf = await server.note("of Bob", "bob"), await server.makes({"type": "Collection", "name": "shelf"})
    liked = await server.does({"type": "Like", "object": await server.note("of Bob, too", "bob")})
    server.forget()
    documents: list[dict[str, Any]] = [
        {"type": "Create", "object": {"type": "Note", "content": "hello"}},
        {"type": "Update", "object": {"id": own, "content": "changed"}},
        {"type": "Like", "object": bobs},
        {"type": "Announce", "object": bobs},
        {"type": "Add", "object": own, "target": shelf},
        {"type": "Remove", "object": own, "target": shelf},
        {"type": "Undo", "object": liked},
        {"type": "Delete", "object": doomed},
        {"type": "Follow", "object": server.dora.me.id},
        {"type": "Offer", "object": own, "target": server.dora.me.id},
    ]
    return {document["type"]: await server.does({**document, "to": to}) for document in documents}
