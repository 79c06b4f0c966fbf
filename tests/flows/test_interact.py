"""Boosts, likes, blocks, and taking them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, arrives, follows, home_of, published, types
from world import account

from gateway.activitypub.addressing import Visibility
from gateway.errors import Refused, RemoteAnswer
from gateway.flows import interact
from gateway.jsonld.contexts import PUBLIC

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

pytestmark = pytest.mark.anyio
AS2 = "https://www.w3.org/ns/activitystreams"


def labelled(peer: PlainPeer, **changes: Any) -> str:
    """Serve a note that refuses training; return its id."""
    note = peer.note(contentUsage="train-ai=n", **changes)
    context = [AS2, {"contentUsage": "https://w3id.org/fep/1e38#contentUsage"}]
    peer.serve_document(note["id"], {"@context": context, **note})
    return str(note["id"])


async def test_a_boost_carries_the_preferences_of_its_target(world: World) -> None:
    """A stranger's note is fetched, and our Announce says what its author says, to followers and author."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    await follows(world, other)
    target = labelled(peer)
    await interact.interact(home.kit, alice, "Announce", target)
    await world.drain()
    assert types(peer) == types(other) == ["Announce"]
    announce = other.received[0]
    assert (announce["object"], announce["to"], announce["cc"]) == (
        target,
        [PUBLIC],
        [peer.me.id, f"{ALICE}/followers"],
    )
    assert announce["contentUsage"] == "train-ai=n"
    assert announce["aiUsage"]["statements"][0]["declaredBy"]["id"] == peer.me.id


async def test_a_like_goes_to_the_author_only(world: World) -> None:
    """Nobody but the author hears of a like."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    await follows(world, other)
    target = labelled(peer)
    await interact.interact(home.kit, alice, "Like", target)
    await world.drain()
    assert (types(peer), types(other)) == (["Like"], [])
    assert home.kit.store.relations.interactions(target, "Like") == [ALICE]


@pytest.mark.parametrize("kind", ["Announce", "Like"])
@pytest.mark.parametrize("known", [True, False])
async def test_what_was_done_is_taken_back_where_it_went(world: World, kind: str, known: bool) -> None:  # noqa: FBT001 - a table
    """The Undo reaches the author and everybody who got the boost, also for a note that was never kept."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    await follows(world, other)
    target = labelled(peer)
    if known:
        await arrives(world, peer, peer.activity("Create", target, to=[ALICE]))
    done = await interact.interact(home.kit, alice, kind, target)
    assert interact.undo_interaction(home.kit, alice, kind, target) is not None
    await world.drain()
    assert types(peer) == [kind, "Undo"]
    assert types(other) == ([kind, "Undo"] if kind == "Announce" else [])
    undo = peer.received[-1]
    assert undo["object"]["id"] == done.id
    assert "" not in undo["to"]
    assert home.kit.store.relations.interactions(target, kind) == []
    assert interact.undo_interaction(home.kit, alice, kind, target) is None


async def test_a_closed_post_is_not_boosted(world: World) -> None:
    """A boost never spreads what was meant for few, known here or fetched just now."""
    home, alice = home_of(world)
    stored = await published(home, alice, visibility=Visibility.FOLLOWERS)
    peer = world.peer()
    target = labelled(peer, to=[f"{peer.me.id}/followers"], cc=[])
    for closed in (stored.id, target):
        with pytest.raises(Refused) as refused:
            await interact.interact(home.kit, alice, "Announce", closed)
        assert refused.value.reason == "not-announceable"
    await interact.interact(home.kit, alice, "Like", stored.id)


async def test_our_own_posts_are_boosted_with_their_own_words(world: World) -> None:
    """Boosting a neighbour's post says what the neighbour said."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    stored = await published(home, carol)
    sent = await interact.interact(home.kit, alice, "Announce", stored.id)
    assert b'"contentUsage":"train-ai=n, ai-use=n, search=y"' in sent.body
    assert carol.id.encode() in sent.body


async def test_a_block_ends_follows_and_can_be_taken_back(world: World) -> None:
    """The blocked server is told; follows both ways end; unblocking tells it, too, and only once."""
    home, alice = home_of(world)
    peer = world.peer()
    await follows(world, peer)
    interact.block(home.kit, alice, peer.me.id)
    await world.drain()
    relations = home.kit.store.relations
    assert relations.followers(ALICE) == []
    assert relations.blocks(ALICE, peer.me.id)
    assert interact.unblock(home.kit, alice, peer.me.id) is not None
    assert interact.unblock(home.kit, alice, peer.me.id) is None
    await world.drain()
    assert types(peer) == ["Block", "Undo"]
    assert not relations.blocks(ALICE, peer.me.id)


async def test_whose_work_is_liked(world: World) -> None:
    """An actor is its own work; of several authors the one on the document's server is told; a stranger's is none."""
    home, alice = home_of(world)
    peer = world.peer()
    liked = await interact.interact(home.kit, alice, "Like", peer.me.id)
    shared = labelled(peer, id=f"{peer.base}/notes/shared", attributedTo=["https://other.example/users/x", peer.me.id])
    await interact.interact(home.kit, alice, "Like", shared)
    await world.drain()
    assert [like["object"] for like in peer.received] == [peer.me.id, shared]
    assert liked.object == peer.me.id
    foreign = labelled(peer, id=f"{peer.base}/notes/foreign", attributedTo="https://other.example/users/x")
    with pytest.raises(RemoteAnswer):
        await interact.interact(home.kit, alice, "Like", foreign)
