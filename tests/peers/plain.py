"""A plain ActivityPub peer: actors with keys, an inbox that writes everything down, documents on request.

It runs as an ASGI application, in the test's process or under uvicorn. ``serve`` makes it answer
anything at any path, so that it can lie.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from gateway.signatures import cavage, message
from gateway.signatures.keys import PrivateKey, generate
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from gateway.clock import Clock

AS2 = "https://www.w3.org/ns/activitystreams"
PUBLIC = f"{AS2}#Public"
ACTIVITY_JSON = "application/activity+json"
CONTEXT: list[Any] = [AS2, "https://w3id.org/security/v1", "https://w3id.org/security/data-integrity/v1"]
_KEYS: dict[str, tuple[PrivateKey, PrivateKey]] = {}


def keys_for(actor: str) -> tuple[PrivateKey, PrivateKey]:
    """Return an actor's RSA and Ed25519 keys; made once a run, because making them is slow."""
    if actor not in _KEYS:
        _KEYS[actor] = (generate("rsa"), generate("ed25519"))
    return _KEYS[actor]


@dataclass(slots=True)
class Actor:
    """Somebody on a peer."""

    id: str
    name: str
    rsa: PrivateKey
    ed25519: PrivateKey
    name_of_key: str = ""

    @property
    def key_id(self) -> str:
        """Return the id under which the actor signs: its own, unless a test makes it claim another."""
        return self.name_of_key or f"{self.id}#main-key"

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return the actor document; ``changes`` replace members, None removes one."""
        base = self.id.partition("/users/")[0]
        document: dict[str, Any] = {
            "@context": CONTEXT,
            "id": self.id,
            "type": "Person",
            "preferredUsername": self.name,
            "inbox": f"{self.id}/inbox",
            "outbox": f"{self.id}/outbox",
            "followers": f"{self.id}/followers",
            "following": f"{self.id}/following",
            "url": f"{base}/@{self.name}",
            "endpoints": {"sharedInbox": f"{base}/inbox"},
            "publicKey": {"id": self.key_id, "owner": self.id, "publicKeyPem": self.rsa.public.pem()},
            "assertionMethod": [
                {
                    "id": f"{self.id}#ed25519-key",
                    "type": "Multikey",
                    "controller": self.id,
                    "publicKeyMultibase": self.ed25519.public.multikey(),
                }
            ],
            **changes,
        }
        return {name: value for name, value in document.items() if value is not None}


@dataclass(slots=True)
class Served:
    """A canned answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class PlainPeer:
    """One server with actors below ``base``. ``transport`` is how it reaches others (None: the network)."""

    base: str
    first: str
    clock: Clock
    transport: httpx.AsyncBaseTransport | None = None
    actors: dict[str, Actor] = field(default_factory=dict)
    pages: dict[str, Served] = field(default_factory=dict)
    received: list[dict[str, Any]] = field(default_factory=list)
    received_headers: list[dict[str, str]] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)
    inbox_status: int = 202
    app: Starlette = field(init=False)
    _made: int = 0

    def __post_init__(self) -> None:
        """Make the application and the first actor."""
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])
        self.actor(self.first)

    @property
    def me(self) -> Actor:
        """Return the first actor."""
        return self.actors[self.first]

    def actor(self, name: str) -> Actor:
        """Return an actor of this peer, made when missing."""
        if name not in self.actors:
            actor_id = f"{self.base}/users/{name}"
            rsa, ed25519 = keys_for(actor_id)
            self.actors[name] = Actor(actor_id, name, rsa, ed25519)
            self.serve_document(actor_id, self.actors[name].document())
        return self.actors[name]

    def serve(
        self, url: str, body: bytes | str, status: int = 200, content_type: str = "text/html", **headers: str
    ) -> None:
        """Answer GETs of ``url`` (path or whole URL) with this."""
        path = url.removeprefix(self.base)
        sent = body.encode() if isinstance(body, str) else body
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = Served(status, {"content-type": content_type, **more} if content_type else more, sent)

    def serve_document(self, url: str, document: Mapping[str, Any], content_type: str = ACTIVITY_JSON) -> None:
        """Serve an ActivityStreams document."""
        self.serve(url, json.dumps(document), content_type=content_type)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        if request.method == "POST":
            self.received.append(json.loads(await request.body()))
            self.received_headers.append(dict(request.headers))
            return Response(status_code=self.inbox_status)
        self.gets.append(path)
        served = self.pages.get(path)
        if served is None:
            return Response(status_code=404)
        return Response(served.body, served.status, served.headers)

    def id(self, kind: str = "activities") -> str:
        """Return a new id on this peer."""
        self._made += 1
        return f"{self.base}/{kind}/{self._made}"

    def activity(self, kind: str, target: Any, actor: Actor | None = None, **changes: Any) -> dict[str, Any]:
        """Return an activity by an actor of this peer; None in ``changes`` removes a member."""
        document = {
            "@context": AS2,
            "id": self.id(),
            "type": kind,
            "actor": (actor or self.me).id,
            "object": target,
            "to": [PUBLIC],
            **changes,
        }
        return {name: value for name, value in document.items() if value is not None}

    def note(self, text: str = "hello", actor: Actor | None = None, **changes: Any) -> dict[str, Any]:
        """Return a public Note by an actor of this peer."""
        author = (actor or self.me).id
        return {
            "id": self.id("notes"),
            "type": "Note",
            "attributedTo": author,
            "content": f"<p>{text}</p>",
            "published": self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            "to": [PUBLIC],
            "cc": [f"{author}/followers"],
            **changes,
        }

    def signed(
        self, url: str, body: bytes, actor: Actor | None = None, *, scheme: str = "cavage", method: str = "POST",
        headers: tuple[tuple[str, str], ...] = (), extra: tuple[str, ...] = (),
    ) -> SignedRequest:  # fmt: skip
        """Return a signed request by an actor of this peer."""
        who = actor or self.me
        given = (
            (("content-type", ACTIVITY_JSON), *headers) if method == "POST" else (("accept", ACTIVITY_JSON), *headers)
        )
        request = SignedRequest(method=method, target=url, headers=given, body=body)
        if scheme == "rfc9421-ed25519":
            return request.with_headers(
                *message.sign(request, who.ed25519, f"{who.id}#ed25519-key", self.clock.now(), extra)
            )
        sign = message.sign if scheme == "rfc9421" else cavage.sign
        return request.with_headers(*sign(request, who.rsa, who.key_id, self.clock.now(), extra))

    async def send(self, request: SignedRequest) -> httpx.Response:
        """Send a request as it is."""
        async with httpx.AsyncClient(transport=self.transport, trust_env=False) as client:
            return await client.request(
                request.method, request.target, headers=list(request.headers), content=request.body or None
            )

    async def post(
        self, inbox: str, document: Mapping[str, Any], actor: Actor | None = None, *, scheme: str = "cavage"
    ) -> httpx.Response:
        """Sign and deliver a document."""
        return await self.send(self.signed(inbox, json.dumps(document).encode(), actor, scheme=scheme))

    async def get(self, url: str, actor: Actor | None = None, *, scheme: str = "cavage") -> httpx.Response:
        """Fetch with a signature."""
        return await self.send(self.signed(url, b"", actor, scheme=scheme, method="GET"))
