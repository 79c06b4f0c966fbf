"""Finding documents and actors elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import home_of
from world import BASE

from gateway.errors import AddressRefused, Refused, RemoteAnswer, RemoteUnreachable
from gateway.flows import discover, fetch, moderate
from gateway.net.purpose import OBJECT
from gateway.policy.rules import Action
from gateway.runtime import FAILED_FETCH_SECONDS
from gateway.signatures.message import ADVERTISED
from gateway.urls import origin_of

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

pytestmark = pytest.mark.anyio
PEER = "https://peer.example"
AS2 = "https://www.w3.org/ns/activitystreams"


def serve_note(peer: PlainPeer, path: str, note_id: str, **changes: Any) -> str:
    """Serve a note with some id at some path."""
    peer.serve_document(f"{PEER}{path}", {"@context": AS2, **peer.note(id=note_id, **changes)})
    return f"{PEER}{path}"


async def test_every_fetch_is_signed_by_the_instance(world: World) -> None:
    """The instance actor signs, in the old form for strangers and in the new one for who speaks it."""
    home, _ = home_of(world)
    peer = world.peer()
    url = serve_note(peer, "/notes/1", f"{PEER}/notes/1")
    await discover.document_at(home.kit, url)
    assert f'keyId="{BASE}/actor#main-key"' in world.board.requests[-1].headers["signature"]
    home.kit.store.peers.learn_rfc9421(origin_of(PEER), world.clock.now())
    await discover.document_at(home.kit, url)
    assert f'keyid="{BASE}/actor#main-key"' in world.board.requests[-1].headers["signature-input"]


@pytest.mark.parametrize("first", ["cavage", "rfc9421"])
async def test_a_401_is_answered_with_the_other_scheme(world: World, first: str) -> None:
    """A server that wants the other form gets it, once."""
    home, _ = home_of(world)
    if first == "rfc9421":
        home.kit.store.peers.learn_rfc9421(origin_of(PEER), world.clock.now())
    peer = world.peer()
    peer.serve("/secret", "", status=401)
    with pytest.raises(RemoteAnswer):
        await discover.document_at(home.kit, f"{PEER}/secret")
    schemes = ["rfc9421" if "signature-input" in r.headers else "cavage" for r in world.board.requests]
    assert schemes == ([first, "rfc9421"] if first == "cavage" else [first, "cavage"])


async def test_a_document_is_fetched_again_from_its_own_id(world: World) -> None:
    """A page address leads to the id that the document names, on the same origin, with one more fetch."""
    home, _ = home_of(world)
    peer = world.peer()
    alias = serve_note(peer, "/@bob/1", f"{PEER}/notes/1")
    serve_note(peer, "/notes/1", f"{PEER}/notes/1")
    document, found = await discover.document_at(home.kit, f"{alias}#frag")
    assert (found, document["id"]) == (f"{PEER}/notes/1", f"{PEER}/notes/1")
    assert peer.gets == ["/@bob/1", "/notes/1"]


@pytest.mark.parametrize("named", ["https://other.example/notes/1", 7, None, "urn:x"])
async def test_a_document_speaks_only_for_its_place(world: World, named: object) -> None:
    """A document that names another origin, or nothing, is refused without asking there."""
    home, _ = home_of(world)
    peer = world.peer()
    other = world.peer("other.example", "eve")
    peer.serve_document(f"{PEER}/x", {"id": named, "type": "Note"})
    with pytest.raises(RemoteAnswer, match="another id"):
        await discover.document_at(home.kit, f"{PEER}/x")
    assert other.gets == []


async def test_ids_are_not_followed_for_ever(world: World) -> None:
    """Two fetches and no more, however a server chains its ids."""
    home, _ = home_of(world)
    peer = world.peer()
    for number in range(5):
        serve_note(peer, f"/{number}", f"{PEER}/{number + 1}")
    with pytest.raises(RemoteAnswer):
        await discover.document_at(home.kit, f"{PEER}/0")
    assert peer.gets == ["/0", "/1"]


@pytest.mark.parametrize("status", [404, 410, 500, 403, 204])
async def test_failures_are_remembered_for_a_while(world: World, status: int) -> None:
    """One bad URL costs its host one request until the memory ends."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve("/x", "", status=status, retry_after="60")
    with pytest.raises(RemoteAnswer) as first:
        await fetch.fetch(home.kit, f"{PEER}/x", OBJECT)
    assert (first.value.remote_status, first.value.retry_after) == (status, 60)
    with pytest.raises(RemoteAnswer) as second:
        await fetch.fetch(home.kit, f"{PEER}/x", OBJECT)
    assert second.value.remote_status == status
    assert len(peer.gets) == 1
    world.clock.forward(seconds=FAILED_FETCH_SECONDS)
    with pytest.raises(RemoteAnswer):
        await fetch.fetch(home.kit, f"{PEER}/x", OBJECT)
    assert len(peer.gets) == 2


async def test_a_silent_host_is_remembered_too(world: World) -> None:
    """A host that does not resolve is asked once."""
    home, _ = home_of(world)
    for _ in range(2):
        with pytest.raises(RemoteUnreachable):
            await fetch.fetch(home.kit, "https://silent.example/x", OBJECT)
    assert len(world.board.requests) == 1


async def test_we_never_call_ourselves(world: World) -> None:
    """Our own address is answered without a request."""
    home, _ = home_of(world)
    with pytest.raises(RemoteAnswer, match="our own address"):
        await fetch.fetch(home.kit, f"{BASE}/users/alice", OBJECT)
    assert world.board.requests == []


async def test_refused_peers_are_not_asked(world: World) -> None:
    """Nothing goes to a refused peer, not even a question."""
    home, _ = home_of(world)
    world.peer()
    moderate.set_rule(home.kit, "peer.example", Action.REFUSE)
    with pytest.raises(Refused):
        await fetch.fetch(home.kit, f"{PEER}/x", OBJECT)
    assert world.board.requests == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<html>", "text/html"),
        ('{"id": "https://peer.example/x"}', "application/json"),
        ("not json", "application/activity+json"),
        ("[]", "application/activity+json"),
        ('{"id": 1, "id": 2}', "application/activity+json"),
        ('{"@graph": []}', "application/activity+json"),
        ("{}", ""),
    ],
)
async def test_what_is_no_document(world: World, body: str, content_type: str) -> None:
    """Pages, plain JSON, lists, duplicate keys and graphs are no usable answer."""
    home, _ = home_of(world)
    world.peer().serve("/x", body, content_type=content_type)
    with pytest.raises(RemoteAnswer):
        await discover.document_at(home.kit, f"{PEER}/x")


async def test_an_actor_is_kept_with_keys_and_words(world: World) -> None:
    """Inbox, shared inbox, keys, what its server takes and what it states are all kept."""
    home, _ = home_of(world)
    peer = world.peer()
    context = [AS2, {"contentUsage": "https://w3id.org/fep/1e38#contentUsage"}]
    document = peer.me.document(implements=[{"href": ADVERTISED}], contentUsage="train-ai=n", **{"@context": context})
    peer.serve_document(peer.me.id, document)
    actor = await discover.known_actor(home.kit, peer.me.id)
    assert (actor.name, actor.best_inbox) == ("bob", f"{PEER}/inbox")
    store = home.kit.store
    assert store.relations.actor_of_key(peer.me.key_id) == actor
    assert store.peers.get(origin_of(PEER), world.clock.now()).speaks_rfc9421
    assert [s.raw for s in store.statements.about([peer.me.id])] == ["train-ai=n"]
    gets = len(peer.gets)
    assert await discover.known_actor(home.kit, peer.me.id) == actor
    assert len(peer.gets) == gets


async def test_a_shared_inbox_elsewhere_is_not_used(world: World) -> None:
    """An actor cannot send our deliveries to somebody else's server."""
    home, _ = home_of(world)
    peer = world.peer()
    for endpoints in ({"sharedInbox": "https://other.example/inbox"}, None, "x"):
        peer.serve_document(peer.me.id, peer.me.document(endpoints=endpoints))
        actor = await discover.actor_at(home.kit, peer.me.id)
        assert actor.best_inbox == f"{peer.me.id}/inbox"


@pytest.mark.parametrize(
    "changes",
    [{"type": "Note"}, {"inbox": "https://other.example/inbox"}, {"id": f"{PEER}/users/eve"}, {"inbox": None}],
)
async def test_what_is_no_actor_at_its_own_id(world: World, changes: dict[str, Any]) -> None:
    """An actor is fetched at exactly its own id, with an inbox on its own origin."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve_document(peer.me.id, peer.me.document(**changes))
    with pytest.raises(RemoteAnswer, match="no actor at its own id"):
        await discover.actor_at(home.kit, peer.me.id)


async def test_an_actor_is_not_believed_after_a_redirect(world: World) -> None:
    """A document that came from somewhere else does not speak for the asked id."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve("/users/alias", "", status=302, location=peer.me.id)
    with pytest.raises(RemoteAnswer):
        await discover.actor_at(home.kit, f"{PEER}/users/alias")


async def test_a_key_document_leads_to_its_owner(world: World) -> None:
    """A key at its own address is a hint; the owner's own document decides, with two fetches."""
    home, _ = home_of(world)
    peer = world.peer()
    key = f"{PEER}/keys/1"
    own = {"id": key, "owner": peer.me.id, "publicKeyPem": peer.me.rsa.public.pem()}
    peer.serve_document(key, own)
    peer.serve_document(peer.me.id, peer.me.document(publicKey=own))
    peer.gets.clear()
    assert (await discover.key_by_id(home.kit, key)).id == peer.me.id
    assert peer.gets == ["/keys/1", "/users/bob"]
    peer.gets.clear()
    assert (await discover.key_by_id(home.kit, peer.me.key_id)).id == peer.me.id
    assert peer.gets == ["/users/bob"]


@pytest.mark.parametrize("owner", ["https://other.example/users/eve", None, 7])
async def test_a_key_has_an_owner_on_its_own_origin(world: World, owner: object) -> None:
    """A key that names somebody elsewhere, or nobody, has no owner."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve_document(f"{PEER}/keys/1", {"id": f"{PEER}/keys/1", "owner": owner})
    with pytest.raises(RemoteAnswer, match="names no owner"):
        await discover.key_by_id(home.kit, f"{PEER}/keys/1")


async def test_plain_http_is_refused_before_anything_is_sent(world: World) -> None:
    """A public gateway does not fetch over plain http."""
    home, _ = home_of(world)
    with pytest.raises(AddressRefused):
        await fetch.fetch(home.kit, "http://peer.example/x", OBJECT)
    assert world.board.requests == []
