"""Documents for a developer: bytes from anywhere, signed or not, ours from the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from flows.scenes import ALICE, home_of, published
from peers.plain import ACTIVITY_JSON
from world import BASE, account

from gateway.activitypub.addressing import Visibility
from gateway.errors import BadInput, BadUrl, Gone, NotAuthenticated, NotFound, Refused, RemoteAnswer, RemoteUnreachable
from gateway.flows.specimen import MAX_SAID, fetched

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
NOTE = "https://peer.example/notes/1"


async def test_bytes_as_they_came(world: World) -> None:
    """Body, final address, status, media type and header lines are those of the answer; nobody signed."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve(NOTE, b'{"a" : 1}\r\n', content_type=ACTIVITY_JSON, content_usage="train-ai=n")
    found = await fetched(home.kit, f"{NOTE}#x")
    assert (found.body, found.url, found.status) == (b'{"a" : 1}\r\n', NOTE, 200)
    assert (found.content_type, found.signed) == (ACTIVITY_JSON, None)
    assert ("content-usage", "train-ai=n") in found.headers
    (asked,) = world.board.requests
    assert not {"signature", "signature-input"} & asked.headers.keys()
    assert asked.headers["accept"].startswith(ACTIVITY_JSON)


@pytest.mark.parametrize(("scheme", "field"), [("cavage", "signature"), ("rfc9421", "signature-input")])
async def test_signed_as_the_instance_or_as_somebody(world: World, scheme: str, field: str) -> None:
    """Without ``as_actor`` the instance signs; either scheme is tried once and not the other."""
    home, alice = home_of(world)
    world.peer().serve(NOTE, "{}")
    for actor, key in ((None, f"{BASE}/actor#main-key"), (alice.id, f"{ALICE}#main-key")):
        assert (await fetched(home.kit, NOTE, scheme=scheme, as_actor=actor)).signed == scheme
        assert f'"{key}"' in world.board.requests[-1].headers[field]
    assert len(world.board.requests) == 2


async def test_a_handle_leads_to_the_actor(world: World) -> None:
    """WebFinger is asked first."""
    home, _ = home_of(world)
    peer = world.peer()
    links = [{"rel": "self", "type": ACTIVITY_JSON, "href": peer.me.id}]
    peer.serve("/.well-known/webfinger?resource=acct:bob@peer.example", json.dumps({"links": links}),
               content_type="application/jrd+json")  # fmt: skip
    assert (await fetched(home.kit, "@bob@peer.example")).url == peer.me.id


@pytest.mark.parametrize("visibility", [Visibility.FOLLOWERS, Visibility.DIRECT])
async def test_ours_as_the_asker_may_see_it(world: World, visibility: Visibility) -> None:
    """A hidden post is there for its author and for nobody else; no request is made."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    post = await published(home, alice, visibility=visibility)
    found = await fetched(home.kit, post.id, asker=alice.id)
    assert (json.loads(found.body)["id"], found.status, found.content_type) == (post.id, None, ACTIVITY_JSON)
    assert "@context" in json.loads(found.body)
    for asker in (None, carol.id, "https://peer.example/users/bob"):
        with pytest.raises(NotFound):
            await fetched(home.kit, post.id, asker=asker)
    assert world.board.requests == []


async def test_ours_that_is_gone(world: World) -> None:
    """A deleted account says so."""
    home, _ = home_of(world)
    account(home, "gone", deleted=world.clock.now())
    with pytest.raises(Gone):
        await fetched(home.kit, f"{BASE}/users/gone")
    with pytest.raises(NotFound):
        await fetched(home.kit, f"{BASE}/nothing")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, NotAuthenticated),
        (403, Refused),
        (404, NotFound),
        (410, NotFound),
        (500, RemoteAnswer),
        (418, RemoteAnswer),
    ],
)
async def test_a_no_is_told_with_what_was_said(world: World, status: int, kind: type[Exception]) -> None:
    """Status and the beginning of the answer stand in the error, never all of it."""
    home, _ = home_of(world)
    world.peer().serve(NOTE, "because" + "x" * 100_000, status)
    with pytest.raises(kind) as caught:
        await fetched(home.kit, NOTE)
    assert NOTE in str(caught.value)
    assert ("because" in str(caught.value)) is (status not in (404, 410))
    assert len(str(caught.value)) < MAX_SAID + 200


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("did:plc:abc", BadInput), ("at://x/y", BadInput), ("ftp://peer.example/", BadUrl),
        ("https://u:p@peer.example/", BadUrl), ("https://silent.example/", RemoteUnreachable),
        ("http://peer.example/", RemoteUnreachable), ("nonsense", BadInput), ("", BadInput),
    ],
)  # fmt: skip
async def test_what_leads_nowhere(world: World, target: str, kind: type[Exception]) -> None:
    """Other networks, other schemes, silence and plain http each have their error."""
    home, _ = home_of(world)
    with pytest.raises(kind):
        await fetched(home.kit, target)


async def test_an_unknown_scheme_is_refused_before_anything(world: World) -> None:
    """A signature that nobody knows is not made."""
    home, _ = home_of(world)
    with pytest.raises(BadInput, match="cavage, rfc9421"):
        await fetched(home.kit, NOTE, scheme="basic")
    assert world.board.requests == []
