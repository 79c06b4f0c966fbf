"""WebFinger must loop: from the handle to the actor and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from flows.scenes import home_of

from gateway.errors import BadInput, NotFound, RemoteAnswer, RemoteUnreachable
from gateway.flows import handles

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

pytestmark = pytest.mark.anyio
ASK = "/.well-known/webfinger?resource=acct:"


def points(peer: PlainPeer, handle: str, href: object, content: str | None = None, status: int = 200) -> None:
    """Let a peer answer WebFinger for a handle."""
    links = [{"rel": "self", "type": "application/activity+json", "href": href}]
    peer.serve(f"{ASK}{handle}", content or json.dumps({"links": links}), status, "application/jrd+json")


async def test_a_handle_or_url_is_resolved(world: World) -> None:
    """With and without the leading @, in any case, or as a URL, it is the same actor."""
    home, _ = home_of(world)
    peer = world.peer()
    points(peer, "bob@peer.example", peer.me.id)
    for text in ("@bob@peer.example", "bob@peer.example", "@Bob@PEER.example", peer.me.id):
        assert (await handles.resolve(home.kit, text)).id == peer.me.id


async def test_a_handle_domain_is_confirmed_by_the_actors_server(world: World) -> None:
    """Where handle and actor live on two hosts, the actor's host must say so, too."""
    home, _ = home_of(world)
    peer, front = world.peer(), world.peer("front.example", "x")
    points(front, "bob@front.example", peer.me.id)
    with pytest.raises(NotFound, match="does not confirm"):
        await handles.resolve(home.kit, "@bob@front.example")
    points(peer, "bob@front.example", "https://peer.example/users/other")
    with pytest.raises(NotFound, match="does not confirm"):
        await handles.resolve(home.kit, "@bob@front.example")
    points(peer, "bob@front.example", peer.me.id, content="not json")
    with pytest.raises(RemoteAnswer, match="not JSON"):
        await handles.resolve(home.kit, "@bob@front.example")
    points(peer, "bob@front.example", peer.me.id)
    assert (await handles.resolve(home.kit, "@bob@front.example")).id == peer.me.id


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        ("", 404, NotFound),
        ("", 410, NotFound),
        ("", 500, RemoteAnswer),
        ("not json", 200, RemoteAnswer),
        ("[]", 200, RemoteAnswer),
        ('{"links": []}', 200, NotFound),
    ],
)
async def test_what_webfinger_may_answer(world: World, content: str, status: int, error: type[Exception]) -> None:
    """Nobody by that name, a broken server, nonsense and no actor are told apart."""
    home, _ = home_of(world)
    points(world.peer(), "bob@peer.example", "", content or "{}", status)
    with pytest.raises(error):
        await handles.resolve(home.kit, "@bob@peer.example")


async def test_an_actor_must_call_itself_so(world: World) -> None:
    """A handle that leads to somebody of another name is nobody."""
    home, _ = home_of(world)
    peer = world.peer()
    points(peer, "carol@peer.example", peer.me.id)
    with pytest.raises(NotFound, match="does not call itself carol"):
        await handles.resolve(home.kit, "@carol@peer.example")


@pytest.mark.parametrize("text", ["@", "@bob", "bob", "@bob@", ""])
async def test_what_is_no_handle(world: World, text: str) -> None:
    """A name without a host is bad input."""
    home, _ = home_of(world)
    with pytest.raises((BadInput, NotFound)):
        await handles.resolve(home.kit, text)


async def test_who_lives_here_is_not_looked_up_elsewhere(world: World) -> None:
    """Our own accounts are no remote actors, by handle or by URL."""
    home, alice = home_of(world)
    for text in (f"@{alice.name}@gw.example", alice.id):
        with pytest.raises(BadInput, match=text):
            await handles.resolve(home.kit, text)
    assert world.board.requests == []


async def test_a_local_gateway_asks_its_neighbours_over_http_first(world: World) -> None:
    """Both schemes are tried where both are taken; a public gateway tries https alone."""
    home, _ = home_of(world)
    local = world.gateway("http://localhost:8000")
    for gateway, schemes in ((local, ["http", "https"]), (home, ["https"])):
        world.board.requests.clear()
        with pytest.raises(RemoteUnreachable):
            await handles.resolve(gateway.kit, "@bob@silent.example")
        assert [r.url.scheme for r in world.board.requests] == schemes
