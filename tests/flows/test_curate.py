"""Pinned posts and collections of one's own making."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, follows, home_of, published, types
from peers.plain import AS2, PUBLIC
from world import BASE, account

from gateway.activitypub.addressing import Visibility
from gateway.errors import BadInput, GatewayError, NotFound, Refused
from gateway.flows import client, curate, revise
from gateway.jsonld import strict

if TYPE_CHECKING:
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

pytestmark = pytest.mark.anyio

FEATURED = f"{ALICE}/featured"


async def _does(home: Gateway, alice: Account, kind: str, item: object, target: object, **more: Any) -> Sent:
    return await client.submit(home.kit, alice, {"type": kind, "object": item, "target": target, **more})


async def _shelf(home: Gateway, alice: Account, kind: str = "Collection", **more: Any) -> str:
    return (await client.submit(home.kit, alice, {"type": kind, "name": "shelf", "to": [PUBLIC], **more})).object


def _items(home: Gateway, collection: str) -> list[str]:
    return home.kit.store.collections.items(collection)


async def test_a_pin_is_told_everybody(world: World) -> None:
    """Add to featured is public and for followers unless it names somebody; Remove takes the pin out."""
    home, alice = home_of(world)
    peer = world.peer()
    await follows(world, peer)
    post = await published(home, alice)
    added = strict.read_object((await _does(home, alice, "Add", post.id, FEATURED)).body)
    assert (added["to"], added["cc"]) == ([PUBLIC], [f"{ALICE}/followers"])
    assert (added["object"], added["target"]) == (post.id, FEATURED)
    assert added["contentUsage"] == post.document["contentUsage"]
    assert _items(home, FEATURED) == [post.id]
    await world.drain()
    removed = strict.read_object((await _does(home, alice, "Remove", post.id, FEATURED, to=[peer.me.id])).body)
    assert (removed["to"], removed["cc"]) == ([peer.me.id], [])
    assert _items(home, FEATURED) == []
    await world.drain()
    assert types(peer) == ["Create", "Add", "Remove"]


@pytest.mark.parametrize("kind", ["Collection", "OrderedCollection"])
async def test_a_shelf_is_filled_quietly(world: World, kind: str) -> None:
    """A collection of one's own takes objects of anybody, here or elsewhere, and is told those that are named."""
    home, alice = home_of(world)
    peer = world.peer()
    shelf = await _shelf(home, alice, kind)
    post = await published(home, alice)
    for item in (post.id, "https://peer.example/notes/1", {"id": peer.me.id, "type": "Person"}, ALICE):
        sent = await _does(home, alice, "Add", item, {"id": shelf, "type": kind})
        assert sent.visibility is Visibility.DIRECT
    assert set(_items(home, shelf)) == {post.id, "https://peer.example/notes/1", peer.me.id, ALICE}


@pytest.mark.parametrize(
    ("item", "target", "error"),
    [
        (None, FEATURED, BadInput), ("{post}", None, BadInput), ("nonsense", FEATURED, BadInput),
        (["{post}", "{post}x"], FEATURED, BadInput), ("{post}", ["{shelf}", FEATURED], BadInput),
        ("{post}", "{others}", Refused), ("{post}", "{post}", Refused), ("{post}", f"{ALICE}/followers", Refused),
        ("{post}", f"{ALICE}/outbox", Refused), ("{post}", f"{BASE}/users/carol/featured", Refused),
        ("{post}", "https://peer.example/featured", Refused), ("{post}", "{deleted}", Refused),
        (f"{BASE}/posts/2222222222222", FEATURED, NotFound), (f"{BASE}/posts/2222222222222", "{shelf}", NotFound),
        ("{secret}", FEATURED, NotFound), ("{secret}", "{shelf}", NotFound), ("{carols}", FEATURED, Refused),
        ("{private}", FEATURED, Refused), ("https://peer.example/notes/1", FEATURED, Refused),
        (ALICE, FEATURED, Refused),
    ],
)  # fmt: skip
async def test_what_cannot_be_added(world: World, item: object, target: object, error: type[GatewayError]) -> None:
    """Others' collections, collections of the server, hidden objects and pins of what is not open are refused."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    words = {
        "post": (await published(home, alice)).id,
        "private": (await published(home, alice, visibility=Visibility.FOLLOWERS)).id,
        "secret": (await published(home, carol, visibility=Visibility.DIRECT)).id,
        "carols": (await published(home, carol)).id,
        "shelf": await _shelf(home, alice),
        "deleted": await _shelf(home, alice),
        "others": await _shelf(home, carol),
    }
    revise.delete(home.kit, alice, words["deleted"])

    def filled(value: object) -> object:
        if isinstance(value, list):
            return [filled(one) for one in value]
        return value.format(**words) if isinstance(value, str) else value

    before = home.kit.store.objects.own_outbox_size(ALICE)
    with pytest.raises(error):
        await _does(home, alice, "Add", filled(item), filled(target))
    assert home.kit.store.database.rows("SELECT * FROM collection_item") == []
    assert home.kit.store.objects.own_outbox_size(ALICE) == before


async def test_only_what_is_there_is_removed(world: World) -> None:
    """Remove of something else is a NotFound."""
    home, alice = home_of(world)
    post = await published(home, alice)
    with pytest.raises(NotFound):
        await _does(home, alice, "Remove", post.id, FEATURED)


@pytest.mark.parametrize(("where", "limit"), [("featured", "MAX_PINNED"), ("shelf", "MAX_ITEMS")])
async def test_a_collection_can_be_full(world: World, monkeypatch: pytest.MonkeyPatch, where: str, limit: str) -> None:
    """Over its limit an Add is refused; after a Remove there is room again."""
    monkeypatch.setattr(curate, limit, 2)
    home, alice = home_of(world)
    target = FEATURED if where == "featured" else await _shelf(home, alice)
    posts = [(await published(home, alice, str(number))).id for number in range(3)]
    for post in posts[:2]:
        await _does(home, alice, "Add", post, target)
    with pytest.raises(BadInput):
        await _does(home, alice, "Add", posts[2], target)
    await _does(home, alice, "Remove", posts[0], target)
    await _does(home, alice, "Add", posts[2], target)
    assert set(_items(home, target)) == set(posts[1:])


async def test_undo_takes_an_add_and_a_remove_back(world: World) -> None:
    """What was put in comes out, and what was taken out comes back."""
    home, alice = home_of(world)
    post = await published(home, alice)
    added = await _does(home, alice, "Add", post.id, FEATURED)
    await client.submit(home.kit, alice, {"type": "Undo", "object": added.id})
    assert _items(home, FEATURED) == []
    await _does(home, alice, "Add", post.id, FEATURED)
    removed = await _does(home, alice, "Remove", post.id, FEATURED)
    await client.submit(home.kit, alice, {"type": "Undo", "object": removed.id})
    assert _items(home, FEATURED) == [post.id]


async def test_undo_brings_nothing_deleted_back(world: World) -> None:
    """A post that was unpinned and deleted is not pinned again by taking the Remove back."""
    home, alice = home_of(world)
    post = await published(home, alice)
    await _does(home, alice, "Add", post.id, FEATURED)
    removed = await _does(home, alice, "Remove", post.id, FEATURED)
    revise.delete(home.kit, alice, post.id)
    with suppress(GatewayError):
        await client.submit(home.kit, alice, {"type": "Undo", "object": removed.id})
    assert _items(home, FEATURED) == []


async def test_undo_does_not_overfill(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking a Remove back needs room, like an Add."""
    monkeypatch.setattr(curate, "MAX_PINNED", 1)
    home, alice = home_of(world)
    first, second = await published(home, alice, "1"), await published(home, alice, "2")
    await _does(home, alice, "Add", first.id, FEATURED)
    removed = await _does(home, alice, "Remove", first.id, FEATURED)
    await _does(home, alice, "Add", second.id, FEATURED)
    with pytest.raises(BadInput):
        await client.submit(home.kit, alice, {"type": "Undo", "object": removed.id})
    assert _items(home, FEATURED) == [second.id]


async def test_a_deleted_post_leaves_every_collection(world: World) -> None:
    """Delete takes it out of pins and shelves."""
    home, alice = home_of(world)
    shelf, post = await _shelf(home, alice), await published(home, alice)
    for target in (shelf, FEATURED):
        await _does(home, alice, "Add", post.id, target)
    revise.delete(home.kit, alice, post.id)
    assert (_items(home, shelf), _items(home, FEATURED)) == ([], [])


async def test_an_item_elsewhere_keeps_its_labels(world: World) -> None:
    """What is known about somebody else's object goes out with the Add of it."""
    home, alice = home_of(world)
    peer = world.peer()
    await follows(world, peer)
    note = peer.note(contentUsage="search=n")
    await peer.post(f"{ALICE}/inbox", peer.activity("Create", {"@context": AS2, **note}, to=[ALICE]))
    await world.drain()
    shelf = await _shelf(home, alice)
    sent = await _does(home, alice, "Add", note["id"], shelf)
    assert "search=n" in str(strict.read_object(sent.body)["contentUsage"])
