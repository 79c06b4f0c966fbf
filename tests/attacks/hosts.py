"""A refused host under every spelling, and every place in a request or an answer where a host can stand."""

from __future__ import annotations

import ipaddress
import json
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import httpcore
import httpx
import idna
import pytest
from attacks.scene import ALICE, LABELLED, NO, SHARED_INBOX
from attacks.signature_documents import proven
from flows.keypool import pooled
from peers.plain import AS2
from web.asking import Answer, ask
from world import Switchboard, World, account, snapshot

from gateway.activitypub.note import Draft
from gateway.errors import GatewayError
from gateway.flows import client, handles, moderate, publish, subscribe
from gateway.net.guard import AddressPolicy, GuardedBackend
from gateway.net.transport import OriginTransport
from gateway.policy.rules import Action

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from peers.plain import Actor, PlainPeer

    from gateway.flows.kit import Kit
    from gateway.runtime import Gateway
    from gateway.signatures.request import SignedRequest
    from gateway.store.accounts import Account

DENIED = "evil.example"
CLEAN = "clean.example"
JRD = "application/jrd+json"
PROVEN = [AS2, "https://w3id.org/security/data-integrity/v2"]
# A request that was answered 202 and then ignored leaves these; nothing of them can be seen.
BOOKKEEPING = ("arrival", "job")


def as_dialled(host: str) -> str:
    """Return the name that a resolver would be asked for, whatever httpx calls it."""
    plain = unicodedata.normalize("NFKC", host).lower().replace("\u3002", ".").rstrip(".")
    try:
        return plain if plain.isascii() else idna.encode(plain).decode()
    except idna.IDNAError:
        return plain


class Recorder(httpcore.AnyIOBackend):
    """Writes down which addresses would have been dialled, and dials none."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> NoReturn:
        """Refuse the connection."""
        self.dialled.append(f"{host} {port}")
        raise httpcore.ConnectError(f"nobody listens at {host}")


@dataclass(slots=True)
class Zone:
    """A resolver that knows what it is told; an address is its own name."""

    names: dict[str, Sequence[str]] = field(default_factory=dict)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return what is known of a name."""
        del port
        try:
            return [str(ipaddress.ip_address(host.strip("[]")))]
        except ValueError:
            if host not in self.names:
                raise OSError(f"no such name: {host}") from None
            return self.names[host]


class Board(Switchboard):
    """A switchboard on which a host is found however it is spelled, with whole zones, and a guarded way to the rest.

    Hosts in ``raw`` answer with what a function says, unread until it is asked for. Whoever is not connected is
    asked for through the gateway's real transport: its guard, a resolver that knows ``zone``, and no network behind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.zones: dict[str, Any] = {}
        self.raw: dict[str, Callable[[httpx.Request], httpx.Response]] = {}
        self.zone = Zone()
        self.wire = Recorder()
        backend = GuardedBackend(AddressPolicy(), self.zone)
        backend._inner = self.wire
        self._out = OriginTransport(backend)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the host would that the request is for."""
        host = as_dialled(request.url.host)
        found = self.apps.get(host) or next((a for zone, a in self.zones.items() if host.endswith(f".{zone}")), None)
        self.requests.append(request)
        if host in self.raw:
            return self.raw[host](request)
        if found is None:
            return await self._out.handle_async_request(request)
        return await httpx.ASGITransport(app=found, raise_app_exceptions=False).handle_async_request(request)


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand out keys that are made once: there are many hosts, and none of these cases is about keys."""
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
    monkeypatch.setattr("peers.plain.generate", pooled)
    monkeypatch.setattr("peers.plain._KEYS", {})


@dataclass(slots=True, kw_only=True)
class Scene:
    """Our gateway with alice, and a peer that nothing is held against: alice and carol of it follow each other."""

    world: World
    board: Board
    home: Gateway
    alice: Account
    clean: PlainPeer
    answers: list[Answer] = field(default_factory=list)
    errors: list[GatewayError] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    asked: int = 0

    @property
    def kit(self) -> Kit:
        """Return the kit of the gateway under attack."""
        return self.home.kit

    @property
    def carol(self) -> Actor:
        """Return whom alice follows on the clean peer."""
        return self.clean.me

    def connect(self, spelled: str, name: str = "m") -> PlainPeer:
        """Connect a peer that writes its own host so; it answers at the name that this leads to."""
        peer = self.world.peer(spelled, name)
        self.board.apps[as_dialled(spelled)] = peer.app
        if DENIED in as_dialled(spelled):
            self.board.apps[DENIED] = self.board.zones[DENIED] = peer.app
        note = peer.note("from there", contentUsage=NO, cc=[])
        peer.serve_document(f"{peer.base}/notes/served", {"@context": LABELLED, **note, "id": served(peer)})
        points(peer, f"{name}@{spelled}", peer.me.id)
        return peer

    def refuse(self, host: str = DENIED) -> None:
        """Let the admin refuse a host, and begin to watch."""
        moderate.set_rule(self.kit, host, Action.REFUSE)
        self.mark()

    def visible(self) -> dict[str, Any]:
        """Return everything that is kept, bookkeeping aside."""
        database = self.kit.store.database
        rows = {name: found for name, found in snapshot(self.kit).items() if name not in BOOKKEEPING}
        rows |= {name: database.rows(f"SELECT * FROM {name}") for name in ("recipient", "object_tag")}  # noqa: S608
        rows["remote_actor"] = database.rows("SELECT id, inbox, shared_inbox FROM remote_actor ORDER BY id")
        rows["peer"] = database.rows("SELECT origin, rung FROM peer ORDER BY origin")
        return rows

    def mark(self) -> None:
        """Begin to watch: what changes from here on is the attack's doing."""
        self.before = self.visible()
        self.asked = len(self.board.requests)
        self.answers.clear()
        self.errors.clear()
        self.clean.received.clear()

    def contacted(self, within: str = "") -> list[str]:
        """Return every host, ending so, that the gateway asked or delivered to since the mark, the clean one aside."""
        ours = [r for r in self.board.requests[self.asked :] if r.headers.get("user-agent", "").startswith("noai-")]
        hosts = [as_dialled(request.url.host) for request in ours]
        return [*(host for host in hosts if host != CLEAN and host.endswith(within)), *self.board.wire.dialled]

    def changed(self) -> dict[str, list[Any]]:
        """Return the rows that came since the mark, by table."""
        after = self.visible()
        new = {name: [row for row in rows if row not in self.before[name]] for name, rows in after.items()}
        return {name: rows for name, rows in new.items() if rows}

    async def send(self, request: SignedRequest) -> Answer:
        """Hand a request to the gateway byte for byte, and let it settle."""
        lines = [(name, value.encode()) for name, value in request.headers if name.lower() != "host"]
        target = request.target.removeprefix(self.kit.base)
        answer = await ask(self.board.apps["gw.example"], request.method, target, lines, request.body)
        self.answers.append(answer)
        await self.world.drain()
        return answer

    async def post(self, peer: PlainPeer, document: dict[str, Any], by: Actor | None = None) -> Answer:
        """Sign and deliver a document to the shared inbox."""
        return await self.send(peer.signed(SHARED_INBOX, json.dumps(document).encode(), by))

    async def attempt(self, work: Awaitable[Any]) -> None:
        """Let somebody here do something that may be refused; the errors of the tree are kept."""
        try:
            await work
        except GatewayError as error:
            self.errors.append(error)
        await self.world.drain()


def served(peer: PlainPeer) -> str:
    """Return the id of a public note that a peer serves."""
    return f"{peer.base}/notes/served"


def points(peer: PlainPeer, handle: str, href: object, **members: Any) -> None:
    """Let a peer answer WebFinger for a handle."""
    links = [{"rel": "self", "type": "application/activity+json", "href": href}]
    body = json.dumps({"subject": f"acct:{handle}", "links": links, **members})
    peer.serve(f"/.well-known/webfinger?resource=acct:{handle}", body, content_type=JRD)


async def prepared(root: Path, **settings: Any) -> Scene:
    """Set the scene: alice follows carol of the clean peer, who follows her."""
    board = Board()
    world = World(root=root, board=board)
    home = world.gateway(**settings)
    alice = account(home)
    scene = Scene(world=world, board=board, home=home, alice=alice, clean=world.peer(CLEAN, "carol"))
    points(scene.clean, f"carol@{CLEAN}", scene.carol.id)
    assert (await scene.post(scene.clean, scene.clean.activity("Follow", ALICE))).status == 202
    sent = subscribe.follow(home.kit, alice, scene.carol.id)
    await world.drain()
    assert (await scene.post(scene.clean, scene.clean.activity("Accept", sent.id))).status == 202
    assert home.kit.store.relations.follow(ALICE, scene.carol.id) is not None
    scene.mark()
    return scene


# Every place where a host can stand: what the attacker at ``peer`` (a spelling of the refused host) tries.

PLACES: dict[str, Callable[[Scene, PlainPeer], Awaitable[None]]] = {}


def place(function: Callable[[Scene, PlainPeer], Awaitable[None]]) -> Callable[[Scene, PlainPeer], Awaitable[None]]:
    """Register a place under its function's name."""
    PLACES[function.__name__.removeprefix("_").replace("_", "-")] = function
    return function


def to_alice(peer: PlainPeer, actor: Actor | None = None, **changes: Any) -> dict[str, Any]:
    """Return a Create of a note for alice."""
    note = peer.note("hello", actor, to=[ALICE], cc=[], **changes)
    return peer.activity("Create", note, actor, to=[ALICE])


@place
async def _sender(scene: Scene, peer: PlainPeer) -> None:
    await scene.post(peer, to_alice(peer))
    await scene.post(peer, peer.activity("Follow", ALICE))
    await scene.post(peer, peer.activity("Announce", served(peer)))


@place
async def _sender_with_rfc9421(scene: Scene, peer: PlainPeer) -> None:
    if peer.base.isascii() and peer.base.isprintable():  # the other scheme's parameters are structured fields
        await scene.send(peer.signed(SHARED_INBOX, json.dumps(to_alice(peer)).encode(), scheme="rfc9421"))
    else:
        await scene.post(peer, to_alice(peer))


@place
async def _sender_with_the_plain_key_id(scene: Scene, peer: PlainPeer) -> None:
    peer.me.name_of_key = f"https://{DENIED}/users/m#main-key"
    peer.serve_document(peer.me.id, peer.me.document())
    await scene.post(peer, to_alice(peer))


@place
async def _sender_with_the_plain_actor(scene: Scene, peer: PlainPeer) -> None:
    plain = f"https://{DENIED}/users/m"
    await scene.post(peer, {**to_alice(peer), "actor": plain})


@place
async def _key_id(scene: Scene, peer: PlainPeer) -> None:
    scene.carol.name_of_key = f"{peer.me.id}#main-key"
    await scene.post(scene.clean, to_alice(scene.clean))
    scene.carol.name_of_key = ""


@place
async def _proven_author_that_a_clean_host_brings(scene: Scene, peer: PlainPeer) -> None:
    document = {**to_alice(peer), "@context": PROVEN}
    await scene.post(scene.clean, proven(document, peer.me))


@place
async def _bearer_of_what_a_clean_host_proved(scene: Scene, peer: PlainPeer) -> None:
    document = {**to_alice(scene.clean), "@context": PROVEN}
    await scene.post(peer, proven(document, scene.carol), peer.me)


@place
async def _key_of_a_proof(scene: Scene, peer: PlainPeer) -> None:
    document = {**to_alice(scene.clean), "@context": PROVEN}
    await scene.post(scene.clean, proven(document, peer.me), scene.clean.actor("zed"))


@place
async def _signed_get(scene: Scene, peer: PlainPeer) -> None:
    await scene.send(peer.signed(f"{ALICE}/outbox", b"", method="GET"))


@place
async def _activity_id(scene: Scene, peer: PlainPeer) -> None:
    await scene.post(scene.clean, {**to_alice(scene.clean), "id": peer.id()})


@place
async def _object_id(scene: Scene, peer: PlainPeer) -> None:
    await scene.post(scene.clean, to_alice(scene.clean, id=peer.id("notes")))
    await scene.post(scene.clean, scene.clean.activity("Create", served(peer), to=[ALICE]))
    await scene.post(scene.clean, scene.clean.activity("Update", served(peer), to=[ALICE]))


@place
async def _author(scene: Scene, peer: PlainPeer) -> None:
    note = scene.clean.note("hello", attributedTo=peer.me.id, to=[ALICE], cc=[])
    scene.clean.serve_document(note["id"], {"@context": LABELLED, **note})
    await scene.post(scene.clean, scene.clean.activity("Create", note, to=[ALICE]))
    await scene.post(scene.clean, scene.clean.activity("Create", note["id"], to=[ALICE]))
    await scene.post(scene.clean, scene.clean.activity("Announce", note["id"]))


@place
async def _boosted(scene: Scene, peer: PlainPeer) -> None:
    await scene.post(scene.clean, scene.clean.activity("Announce", served(peer)))
    whole = {**peer.note("from there"), "id": served(peer)}
    await scene.post(scene.clean, scene.clean.activity("Announce", whole, to=[ALICE]))
    await scene.post(scene.clean, scene.clean.activity("Like", served(peer), to=[ALICE]))


@place
async def _answered(scene: Scene, peer: PlainPeer) -> None:
    # Our collection is addressed, so that the gateway looks whether this is about something of ours.
    reply = scene.clean.note("re", inReplyTo=served(peer), to=[f"{ALICE}/followers"], cc=[])
    await scene.post(scene.clean, scene.clean.activity("Like", reply, to=[f"{ALICE}/followers"]))


@place
async def _new_home(scene: Scene, peer: PlainPeer) -> None:
    peer.serve_document(peer.me.id, peer.me.document(alsoKnownAs=[scene.carol.id]))
    await scene.post(scene.clean, {**scene.clean.activity("Move", scene.carol.id), "target": peer.me.id})


@place
async def _inbox(scene: Scene, peer: PlainPeer) -> None:
    ivy = scene.clean.actor("ivy")
    scene.clean.serve_document(ivy.id, ivy.document(inbox=f"{peer.me.id}/inbox"))
    await scene.post(scene.clean, scene.clean.activity("Follow", ALICE, ivy), ivy)


@place
async def _shared_inbox(scene: Scene, peer: PlainPeer) -> None:
    sam = scene.clean.actor("sam")
    scene.clean.serve_document(sam.id, sam.document(endpoints={"sharedInbox": f"{peer.base}/inbox"}))
    await scene.post(scene.clean, scene.clean.activity("Follow", ALICE, sam), sam)
    await publish.create(scene.kit, scene.alice, Draft(text="for followers"))
    await scene.world.drain()


@place
async def _redirect_of_a_note(scene: Scene, peer: PlainPeer) -> None:
    for number, location in enumerate((served(peer), served(peer).removeprefix("https:"))):
        here = f"{scene.clean.base}/notes/moved-{number}"
        scene.clean.serve(here, b"", 302, location=location.encode().decode("latin-1"))
        await scene.post(scene.clean, scene.clean.activity("Announce", here))


@place
async def _redirect_to_what_only_some_read_as_a_host(scene: Scene, peer: PlainPeer) -> None:
    host = peer.base.partition("://")[2]
    for number, start in enumerate(
        ("HTTPS:\\\\", "https:/\\", "/\\", "\\\\", "https:", "https:/", "https:///", "///", " //")
    ):
        here = f"{scene.clean.base}/notes/odd-{number}"
        scene.clean.serve(here, b"", 302, location=f"{start}{host}/notes/served".encode().decode("latin-1"))
        await scene.post(scene.clean, scene.clean.activity("Announce", here))


@place
async def _redirect_of_an_actor(scene: Scene, peer: PlainPeer) -> None:
    rick = scene.clean.actor("rick")
    scene.clean.serve(rick.id, b"", 307, location=peer.me.id.encode().decode("latin-1"))
    await scene.post(scene.clean, to_alice(scene.clean, rick), rick)


@place
async def _redirect_of_a_key(scene: Scene, peer: PlainPeer) -> None:
    kim = scene.clean.actor("kim")
    kim.name_of_key = f"{scene.clean.base}/keys/kim"
    scene.clean.serve(kim.name_of_key, b"", 301, location=peer.me.id.encode().decode("latin-1"))
    await scene.send(scene.clean.signed(f"{ALICE}/outbox", b"", kim, method="GET"))


@place
async def _webfinger(scene: Scene, peer: PlainPeer) -> None:
    await scene.attempt(handles.resolve(scene.kit, f"@m@{peer.base.partition('://')[2]}"))


@place
async def _webfinger_self_link(scene: Scene, peer: PlainPeer) -> None:
    points(scene.clean, f"m@{CLEAN}", peer.me.id)
    points(peer, f"m@{CLEAN}", peer.me.id)
    await scene.attempt(handles.resolve(scene.kit, f"@m@{CLEAN}"))


@place
async def _webfinger_redirect(scene: Scene, peer: PlainPeer) -> None:
    path = f"/.well-known/webfinger?resource=acct:m@{CLEAN}"
    scene.clean.serve(path, b"", 302, location=f"{peer.base}{path}".encode().decode("latin-1"))
    points(peer, f"m@{CLEAN}", peer.me.id)
    await scene.attempt(handles.resolve(scene.kit, f"@m@{CLEAN}"))


@place
async def _looked_up_actor(scene: Scene, peer: PlainPeer) -> None:
    await scene.attempt(handles.resolve(scene.kit, peer.me.id))


@place
async def _what_alice_writes(scene: Scene, peer: PlainPeer) -> None:
    text = f"hello @m@{peer.base.partition('://')[2]}"
    await scene.attempt(publish.create(scene.kit, scene.alice, Draft(text=text)))
    note = {"type": "Note", "content": "hello", "to": [peer.me.id], "cc": [f"{peer.me.id}/followers"]}
    await scene.attempt(client.submit(scene.kit, scene.alice, note))


@place
async def _what_alice_does(scene: Scene, peer: PlainPeer) -> None:
    for document in (
        {"type": "Follow", "object": peer.me.id},
        {"type": "Like", "object": served(peer)},
        {"type": "Announce", "object": served(peer)},
        {"type": "Create", "object": {"type": "Note", "content": "re", "inReplyTo": served(peer)}},
    ):
        await scene.attempt(client.submit(scene.kit, scene.alice, document))
