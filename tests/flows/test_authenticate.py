"""Who signed this: a bounded search for the key."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of
from world import BASE

from gateway.errors import NotAuthenticated, Unavailable
from gateway.flows import authenticate, inbound
from gateway.runtime import FAILED_FETCH_SECONDS, REFETCH_SECONDS
from gateway.signatures.keys import generate

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway

pytestmark = pytest.mark.anyio
POST = f"{BASE}/posts/x"


async def likes(home: Gateway, peer: PlainPeer, actor: Any = None) -> str:
    """Let a Like arrive; return what became of it."""
    body = json.dumps(peer.activity("Like", ALICE, actor)).encode()
    return (await inbound.receive(home.kit, peer.signed(f"{BASE}/inbox", body, actor))).outcome


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_a_signed_get_names_its_actor(world: World, scheme: str) -> None:
    """An unknown reader is looked up once; a known one not at all."""
    home, _ = home_of(world)
    peer = world.peer()
    for _ in range(2):
        request = peer.signed(POST, b"", scheme=scheme, method="GET")
        assert await authenticate.authenticate(home.kit, request) == peer.me.id
    assert peer.gets == ["/users/bob"]


async def test_a_get_without_signature_is_nobody(world: World) -> None:
    """No signature is a 401 with steps, and our own keys are no way in."""
    home, _ = home_of(world)
    peer = world.peer()
    unsigned = type(peer.signed(POST, b"", method="GET"))(method="GET", target=POST, headers=(), body=b"")
    with pytest.raises(NotAuthenticated):
        await authenticate.authenticate(home.kit, unsigned)
    claimed = type(peer.me)(ALICE, "alice", peer.me.rsa, peer.me.ed25519)
    with pytest.raises(NotAuthenticated):
        await authenticate.authenticate(home.kit, peer.signed(POST, b"", claimed, method="GET"))
    assert world.board.requests == []


async def test_a_rotated_key_is_fetched_once_and_not_for_every_request(world: World) -> None:
    """A key that does not fit the known document is looked up again, once in a while."""
    home, _ = home_of(world)
    peer = world.peer()
    assert await likes(home, peer) == "accepted"
    peer.me.rsa, old = generate("rsa"), peer.me.rsa
    peer.serve_document(peer.me.id, peer.me.document())
    world.clock.forward(seconds=REFETCH_SECONDS)
    assert await likes(home, peer) == "accepted"
    assert peer.gets == ["/users/bob", "/users/bob"]
    peer.me.rsa = old
    for _ in range(3):
        with pytest.raises(NotAuthenticated):
            await likes(home, peer)
    assert len(peer.gets) == 2


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_a_passing_fault_of_the_key_host_is_a_503(world: World, status: int) -> None:
    """The sender tries again later: nothing is lost because of a key host that is down for a moment."""
    home, _ = home_of(world)
    peer = world.peer()
    served = peer.pages["/users/bob"]
    peer.serve("/users/bob", "", status=status, retry_after="120")
    with pytest.raises(Unavailable) as unavailable:
        await likes(home, peer)
    assert (unavailable.value.reason, unavailable.value.retry_after) == ("key-host-unavailable", 120)
    peer.pages["/users/bob"] = served
    world.clock.forward(seconds=FAILED_FETCH_SECONDS)
    assert await likes(home, peer) == "accepted"


@pytest.mark.parametrize("status", [404, 410, 403])
async def test_an_actor_that_is_not_there_has_no_key(world: World, status: int) -> None:
    """A final no of the key host is a 401."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve("/users/bob", "", status=status)
    with pytest.raises(NotAuthenticated):
        await likes(home, peer)


async def test_a_key_host_that_does_not_resolve_is_a_503(world: World) -> None:
    """Nobody answers: try again."""
    home, _ = home_of(world)
    peer = world.peer()
    del world.board.apps["peer.example"]
    with pytest.raises(Unavailable):
        await likes(home, peer)


async def test_a_silent_key_host_holds_an_inbox_only_so_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One wait, and then none until the memory ends."""
    home, _ = home_of(world)
    peer = world.peer()

    async def silent(*_: Any) -> None:
        await asyncio.Event().wait()

    world.board.apps["peer.example"] = silent
    monkeypatch.setattr(authenticate, "KEY_SECONDS", 0.01)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await likes(home, peer)
    assert len(world.board.requests) == 1


async def test_a_key_speaks_only_on_its_own_origin(world: World) -> None:
    """A key of another origin is refused without asking anybody."""
    home, _ = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    body = json.dumps(peer.activity("Like", ALICE)).encode()
    with pytest.raises(NotAuthenticated):
        await inbound.receive(home.kit, other.signed(f"{BASE}/inbox", body))
    assert (peer.gets, other.gets) == ([], [])


async def test_a_key_host_on_plain_http_is_nobody(world: World) -> None:
    """An address that may not be contacted has no key."""
    home, _ = home_of(world)
    peer = world.peer()
    actor = type(peer.me)("http://peer.example/users/bob", "bob", peer.me.rsa, peer.me.ed25519)
    document = {**peer.activity("Like", ALICE, actor), "id": "http://peer.example/activities/1"}
    with pytest.raises(NotAuthenticated):
        await inbound.receive(home.kit, peer.signed(f"{BASE}/inbox", json.dumps(document).encode(), actor))
