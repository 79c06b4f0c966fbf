"""How many requests one cause may lead to: 1 for a POST that is not verified, 2 for a GET, 20 for an activity."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from attacks.maze import ALICE, FOLLOWERS, Maze, maze, out
from attacks.scene import INBOX, SHARED_INBOX, prepared
from attacks.signature_documents import proven
from flows.keypool import pooled
from peers.plain import ACTIVITY_JSON, CONTEXT, PUBLIC
from world import BASE, account

from gateway.activitypub import effects
from gateway.signatures.request import SignedRequest
from gateway.web.app import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from attacks.scene import Scene
    from peers.plain import Actor, PlainPeer
    from world import World

pytestmark = pytest.mark.anyio
A_POST, A_GET, AN_ACTIVITY = 1, 2, 20
SCHEMES = ("cavage", "rfc9421")
PASSED_ON: tuple[list[str], ...] = ([], ["victim.example"], ["evil.example"], ["evil.example", "victim.example"])


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


# Whose key, and what stands there: each returns the key id that the request claims. ``far`` is asked, ``near`` signs.
SHAPES: dict[str, Callable[[PlainPeer, PlainPeer, World], str]] = {}


def shape(build: Callable[[PlainPeer, PlainPeer, World], str]) -> Callable[[PlainPeer, PlainPeer, World], str]:
    """Register a shape by its name."""
    SHAPES[build.__name__.strip("_")] = build
    return build


@shape
def _fragment(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    return f"{far.me.id}#main-key"


@shape
def _path(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    return _stub(far, f"{far.me.id}/main-key", far.me.id)


def _stub(far: PlainPeer, url: str, owner: str) -> str:
    """Serve a key by itself, which names its owner."""
    key = {"@context": CONTEXT, "id": url, "owner": owner, "publicKeyPem": far.me.rsa.public.pem()}
    far.serve_document(url, key)
    return url


@shape
def _stub_actor(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    url = f"{far.me.id}/main-key"
    key = {"id": url, "owner": far.me.id, "publicKeyPem": far.me.rsa.public.pem()}
    far.serve_document(url, {"@context": CONTEXT, "id": far.me.id, "type": "Person", "publicKey": key})
    return url


@shape
def _foreign_owner(far: PlainPeer, near: PlainPeer, _world: World) -> str:
    return _stub(far, f"{far.base}/keys/1", near.me.id)


@shape
def _redirecting(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    for number in range(5):
        far.serve(f"{far.base}/keys/{number}", b"", 302, location=f"{far.base}/keys/{number + 1}")
    return f"{far.base}/keys/0#k"


@shape
def _redirecting_actor(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    far.serve_document(f"{far.base}/moved", far.me.document())
    far.serve(far.me.id, b"", 301, location=f"{far.base}/moved")
    return f"{far.me.id}#main-key"


@shape
def _redirecting_elsewhere(far: PlainPeer, near: PlainPeer, _world: World) -> str:
    far.serve(f"{far.base}/away", b"", 307, location=near.me.id)
    return f"{far.base}/away#k"


@shape
def _redirecting_to_itself(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    far.serve(f"{far.base}/round", b"", 308, location=f"{far.base}/round")
    return f"{far.base}/round#k"


@shape
def _challenging(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    far.serve(far.me.id, b"", 401)
    return f"{far.me.id}#main-key"


@shape
def _challenging_then_redirecting(far: PlainPeer, _near: PlainPeer, world: World) -> str:
    world.board.apps[far.base.removeprefix("https://")] = Maze(far.base)
    return f"{far.base}/twice/1#k"


@shape
def _self_referring(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    return _stub(far, f"{far.base}/keys/me", f"{far.base}/keys/me")


@shape
def _chain(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    for number in range(10):
        _stub(far, f"{far.base}/chain/{number}", f"{far.base}/chain/{number + 1}")
    return f"{far.base}/chain/0"


@shape
def _another_id(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    far.serve_document(f"{far.base}/@x", far.me.document())
    return f"{far.base}/@x#main-key"


@shape
def _huge(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    far.serve_document(far.me.id, far.me.document(summary="x" * 2_000_000))
    return f"{far.me.id}#main-key"


@shape
def _many_keys(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    keys = [{"id": f"{far.base}/keys/{n}", "owner": far.me.id, "publicKeyPem": "x"} for n in range(100)]
    far.serve_document(far.me.id, far.me.document(publicKey=keys))
    return f"{far.base}/keys/99"


@shape
def _listed_by_address(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    keys = [f"{far.base}/keys/{n}" for n in range(10)]
    far.serve_document(far.me.id, far.me.document(publicKey=keys, assertionMethod=keys))
    return f"{far.me.id}#main-key"


@shape
def _nobody_there(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    return far.me.id.replace("far", "nowhere") + "#main-key"


@shape
def _a_page(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    far.serve(far.me.id, "<html>", 200, "text/html")
    return f"{far.me.id}#main-key"


@shape
def _broken(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
    far.serve(far.me.id, b'{"id": ', 200, ACTIVITY_JSON)
    return f"{far.me.id}#main-key"


def _answering(status: int) -> Callable[[PlainPeer, PlainPeer, World], str]:
    def build(far: PlainPeer, _near: PlainPeer, _world: World) -> str:
        far.serve(far.me.id, b"", status, retry_after="0")
        return f"{far.me.id}#main-key"

    return build


SHAPES |= {str(status): _answering(status) for status in (204, 400, 403, 404, 410, 421, 429, 500, 502, 503)}
# These cost nothing: there is nobody to ask, or it may not be asked.
FREE: dict[str, Callable[[PlainPeer, PlainPeer, World], str]] = {
    "ours": lambda _far, _near, _world: f"{ALICE}#main-key",
    "our_instance": lambda _far, _near, _world: f"{BASE}/actor#main-key",
    "our_unknown": lambda _far, _near, _world: f"{BASE}/users/nobody#main-key",
    "other_port": lambda far, _near, _world: far.me.id.replace("example/", "example:8443/"),
    "plain_http": lambda far, _near, _world: far.me.id.replace("https:", "http:"),
    "credentials": lambda far, _near, _world: far.me.id.replace("https://", "https://u:p@"),
    "did": lambda _far, _near, _world: "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH",
    "file": lambda _far, _near, _world: "file:///etc/passwd",
    "acct": lambda _far, _near, _world: "acct:x@far.example",
    "data": lambda _far, _near, _world: "data:application/activity+json,{}",
    "line_break": lambda far, _near, _world: far.me.id + "/%0d%0aX:1",
}
GETS = ("/users/alice", "/users/alice/outbox?page=1", "/users/alice/inbox", "/posts/2222222222222")


def claiming(near: PlainPeer, actor: str, key_id: str) -> Actor:
    """Return somebody who signs with a key of their own under another's name."""
    return replace(near.me, id=actor, name_of_key=key_id)


def _owner_of(key_id: str) -> str:
    return key_id.partition("#")[0].removesuffix("/main-key") or "https://far.example/users/x"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", [*SHAPES, *FREE])
async def test_a_wrongly_signed_request_costs_others_next_to_nothing(world: World, name: str, scheme: str) -> None:
    """Before it is verified a POST leads to at most one request and a GET to two, whatever stands at its keyId."""
    account(world.gateway())
    near = world.peer("near.example", "n")
    build, free = {**SHAPES, **FREE}[name], name in FREE
    for number, target in enumerate((SHARED_INBOX, INBOX, *(f"{BASE}{path}" for path in GETS))):
        far = world.peer(f"far{number}.example", "x")
        key_id = build(far, near, world)
        signer = claiming(near, _owner_of(key_id), key_id)
        method = "POST" if target in (SHARED_INBOX, INBOX) else "GET"
        body = json.dumps(near.activity("Create", near.note(), signer)).encode() if method == "POST" else b""
        asked = len(out(world))
        for _again in range(3):
            answer = await near.send(near.signed(target, body, signer, scheme=scheme, method=method))
            assert answer.status_code in (400, 401, 503), (answer.status_code, answer.text)
            await world.drain()
        # Once for all three: what was looked for in vain is not looked for again at once.
        assert len(out(world)) - asked <= (0 if free else A_POST if method == "POST" else A_GET), out(world)[asked:]
    assert not world.gateways[0].kit.store.jobs.find(states=("queued", "leased", "done", "dead", "dropped"))


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_verified_request_costs_one_look(world: World, scheme: str) -> None:
    """The key of a stranger takes one request for a POST, two for a GET whose key stands by itself, none once known."""
    account(world.gateway())
    poster, reader = world.peer("poster.example", "p"), world.peer("reader.example", "r")
    costs = []
    key_id = _stub(reader, f"{reader.me.id}/main-key", reader.me.id)
    key = {"id": key_id, "owner": reader.me.id, "publicKeyPem": reader.me.rsa.public.pem()}
    reader.serve_document(reader.me.id, reader.me.document(publicKey=key))
    reader.me.name_of_key = key_id
    for _again in range(2):
        asked = len(out(world))
        assert (await poster.post(INBOX, poster.activity("Like", ALICE), scheme=scheme)).status_code == 202
        costs.append(len(out(world)) - asked)
        asked = len(out(world))
        assert (await reader.get(ALICE, scheme=scheme)).status_code == 200
        costs.append(len(out(world)) - asked)
    assert costs == [A_POST, A_GET, 0, 0]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "name", ["fragment", "path", "challenging", "redirecting", "404", "503", "chain", "nobody_there"]
)
@pytest.mark.parametrize(
    "proof", ["whose author is unknown", "whose author is known", "that does not hold", "of another"]
)
async def test_what_somebody_else_brings_costs_one_request(world: World, name: str, proof: str, scheme: str) -> None:
    """A proven document brought by a stranger: author and bearer together cost at most one request."""
    account(world.gateway())
    near, far, author = (world.peer(f"{name}.example", name[0]) for name in ("near", "far", "author"))
    key_id = SHAPES[name](far, near, world)
    bearer = claiming(near, _owner_of(key_id), key_id)
    if proof == "whose author is known":
        assert (await author.post(INBOX, author.activity("Like", ALICE))).status_code == 202
        await world.drain()
    create = {**author.activity("Create", author.note(to=[ALICE])), "@context": CONTEXT}
    document = (
        proven(create, near.me, verificationMethod=far.me.id) if proof == "of another" else proven(create, author.me)
    )
    if proof == "that does not hold":
        document["object"]["content"] = "something else"
    body, asked = json.dumps(document).encode(), len(out(world))
    answer = await near.send(near.signed(SHARED_INBOX, body, bearer, scheme=scheme))
    assert answer.status_code in (401, 503), answer.text
    assert len(out(world)) - asked <= A_POST, out(world)[asked:]


async def test_what_is_not_even_signed_costs_nothing(world: World) -> None:
    """Requests without a signature, or with one that cannot hold, make nobody ask anybody."""
    account(world.gateway())
    near = world.peer("near.example", "n")
    body = json.dumps(near.activity("Create", near.note())).encode()
    whole = near.signed(INBOX, body)
    lines = dict(whole.headers)
    spoilt: list[tuple[dict[str, str], bytes]] = [
        ({"content-type": ACTIVITY_JSON}, body),
        ({**lines, "signature": "nonsense"}, body),
        ({**lines, "signature": ""}, body),
        ({**lines, "signature": lines["signature"].replace("digest", "dig")}, body),
        ({**lines, "date": "Mon, 01 Jan 2024 00:00:00 GMT"}, body),
        (lines, body.replace(b"hello", b"hullo")),
        ({**lines, "digest": "SHA-256=" + "A" * 43 + "="}, body),
        ({name: value for name, value in lines.items() if name != "digest"}, body),
        ({**lines, "signature-input": "sig1=()"}, body),
        ({"content-type": ACTIVITY_JSON, "signature-input": 'sig1=("@method");keyid="https://near.example/k"'}, body),
        ({"content-type": ACTIVITY_JSON, "authorization": lines["signature"]}, body),
        (lines, b"{"),
        (lines, b'{"actor": "https://near.example/users/n", "actor": "https://far.example/users/x"}'),
    ]
    for headers, content in spoilt:
        answer = await near.send(
            SignedRequest(method="POST", target=INBOX, headers=tuple(headers.items()), body=content)
        )
        assert answer.status_code in (400, 401), answer.text
    for path in GETS:
        answer = await near.send(SignedRequest(method="GET", target=f"{BASE}{path}", headers=(), body=b""))
        assert answer.status_code in (200, 401, 404), answer.text
    assert out(world) == []


def _addresses() -> Iterator[tuple[str, str]]:
    """Yield method and path of every route."""
    tid = "2222222222222"
    values = dict.fromkeys(("file_name", "tag", "code"), "x") | {"name": "alice", "file": "openapi.json"}
    values |= {"tid": tid, "media_id": tid}
    for route in ROUTES:
        path = str(getattr(route, "path", ""))
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        for method in (*(getattr(route, "methods", None) or ("GET",)), "PUT", "OPTIONS"):
            yield method, path


@pytest.mark.parametrize(("method", "path"), sorted(set(_addresses())))
async def test_no_other_door_asks_more(world: World, method: str, path: str) -> None:
    """Whatever address a stranger's signed request is for: at most one request to the key's host, or two for a GET."""
    account(world.gateway())
    near = world.peer("near.example", "n")
    labyrinth = maze(world)
    actor = labyrinth.new("users")
    signer = claiming(near, actor, f"{actor}/main-key")
    body = json.dumps(near.activity("Create", near.note(), signer)).encode() if method == "POST" else b""
    asked = f"?url={labyrinth.new()}&id={labyrinth.new()}&resource=acct:x@maze.example&client_id={labyrinth.new()}"
    for query in ("", asked):
        made = len(out(world))
        answer = await near.send(near.signed(f"{BASE}{path}{query}", body, signer, method=method))
        assert answer.status_code < 500 or path == "/readyz", answer.text
        assert len(out(world)) - made <= (A_GET if method in ("GET", "HEAD") else A_POST)
        form = "&".join(f"{name}={labyrinth.new()}" for name in ("id", "client_id", "redirect_uri", "website", "url"))
        async with httpx.AsyncClient(transport=world.board, base_url=BASE) as stranger:
            made = len(out(world))
            headers = {"content-type": "application/x-www-form-urlencoded", "authorization": "Bearer gw_x"}
            await stranger.request(method, f"{path}{query}", content=form, headers=headers)
        assert len(out(world)) == made


# What an activity may make us ask, by its type and what it is about


def _objects(scene: Scene, labyrinth: Maze) -> dict[str, Any]:
    """Return what an activity can be about, each leading further into the maze."""
    mallory = scene.mallory
    chain: Any = labyrinth.new()
    for _ in range(6):
        chain = {"id": labyrinth.new(), "type": "Note", "attributedTo": labyrinth.new("users"), "inReplyTo": chain}
    files = [{"type": "Document", "url": labyrinth.new("files")} for _ in range(30)]
    pages = {"first": labyrinth.new("pages"), "next": labyrinth.new("pages"), "items": [labyrinth.new()]}
    unfinished = {"id": mallory.id("notes"), "type": "Note", "inReplyTo": [labyrinth.new() for _ in range(4)]}
    return {
        "an address": labyrinth.new(),
        "an actor": labyrinth.new("users"),
        "a chain": chain,
        "many": [labyrinth.new() for _ in range(100)],
        "a collection": {"id": labyrinth.new("pages"), "type": "OrderedCollection", **pages},
        "a reply": mallory.note(inReplyTo=labyrinth.new(), attachment=files, tag=[{"href": labyrinth.new()}]),
        "a reply to ours": mallory.note(inReplyTo=scene.post.id, attachment=files, attributedTo=mallory.me.id),
        "an unfinished note": unfinished,
        "ours": scene.post.id,
        "alice": ALICE,
        "a follow": {"id": labyrinth.new(), "type": "Follow", "actor": labyrinth.new("users"), "object": scene.m},
        "an activity": {**mallory.activity("Announce", labyrinth.new()), "target": labyrinth.new()},
        "nested": {"type": "Create", "object": {"type": "Create", "object": {"type": "Note", "id": labyrinth.new()}}},
        "themselves": scene.m,  # last: after its Delete, nobody here knows who that was
    }


@pytest.mark.parametrize("kind", [*sorted(effects._HANDLERS), "Add", "Question", "Ponder"])
async def test_no_activity_costs_more_than_twenty_requests(world: World, kind: str) -> None:
    """Whatever it is about and wherever that leads: answers, redirects and second knocks included."""
    scene = await prepared(world)
    labyrinth = maze(world)
    most = 0
    for name in _objects(scene, labyrinth):
        leads = {link: [labyrinth.new() for _ in range(4)] for link in ("inReplyTo", "tag", "context", "instrument")}
        document = scene.mallory.activity(kind, _objects(scene, labyrinth)[name], to=[PUBLIC, ALICE], cc=[FOLLOWERS])
        document |= {**leads, "target": labyrinth.new("users")}
        asked = len(out(world))
        assert (await scene.attack(document)).status_code == 202
        made = out(world)[asked:]
        looks = [str(request.url) for request in made if request.method == "GET"]
        assert len(looks) <= AN_ACTIVITY, (name, looks)
        # What goes out besides is an answer to its sender, or passes it on to who follows alice: each once.
        assert [request.url.host for request in made if request.method == "POST"] in PASSED_ON, name
        most = max(most, len(looks))
        world.clock.forward(minutes=2)
    assert most > 5, "the maze was never entered"


async def test_what_comes_back_later_is_the_same_cause(world: World) -> None:
    """An activity that has to be settled again does not get its twenty requests anew."""
    scene = await prepared(world)
    paces, labyrinth = scene.kit.paces, maze(world)
    one = scene.world.peer("one.example", "o")
    one.serve(f"{one.base}/1", b"", 302, location=f"{labyrinth.base}/notes/1?hop=2")
    document = scene.mallory.activity("Announce", f"{one.base}/1")
    asked = len(out(world))
    while paces.errands.take("evil.example maze.example").ok:
        pass
    await scene.attack(document)
    for _hour in range(100):
        world.clock.forward(hours=1)
        while paces.errands.take("evil.example maze.example").ok:
            pass  # its sender keeps us busy there
        await world.drain()
    assert len(out(world)) - asked <= AN_ACTIVITY, len(out(world)) - asked


async def test_one_answer_is_knocked_on_thrice_at_most(world: World) -> None:
    """The Accept that a Follow causes goes to its sender's own inbox only."""
    scene = await prepared(world)
    scene.mallory.inbox_status = 401
    asked = len(out(world))
    await scene.attack(scene.mallory.activity("Follow", ALICE))
    made = out(world)[asked:]
    assert 0 < len(made) <= 3
    assert {request.url.host for request in made} == {"evil.example"}


async def test_what_is_passed_on_and_not_taken_is_given_up(world: World) -> None:
    """A follower's server that does not take what others wrote is not asked again for three days."""
    scene = await prepared(world)
    scene.victim.inbox_status = 401
    asked = len(out(world))
    note = scene.mallory.note(inReplyTo=scene.post.id, cc=[FOLLOWERS])
    await scene.attack(scene.mallory.activity("Create", note, cc=[FOLLOWERS]))
    for _hour in range(90):
        world.clock.forward(hours=1)
        await world.drain()
    made = [request for request in out(world)[asked:] if request.url.host == "victim.example"]
    assert 0 < len(made) <= 3, len(made)


async def test_a_refresh_is_a_part_of_what_caused_it(world: World) -> None:
    """The look at an actor's new document counts among the twenty requests of the Update that announced it."""
    scene = await prepared(world)
    labyrinth = maze(world)
    document = scene.mallory.activity("Update", scene.m, to=[PUBLIC], cc=[FOLLOWERS])
    document["inReplyTo"] = [labyrinth.new() for _ in range(8)]
    scene.mallory.serve(scene.m, b"", 401)
    asked = len(out(world))
    await scene.attack(document)
    assert len(out(world)) - asked <= AN_ACTIVITY, len(out(world)) - asked
