"""Two actors on one host: the origin is the same, so only the actor's own id tells whose word counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from world import BASE, World, account

if TYPE_CHECKING:
    from peers.plain import PlainPeer

pytestmark = pytest.mark.anyio


async def met(world: World) -> tuple[PlainPeer, Any]:
    """Return a peer with bob and his neighbour eve, and the store of the gateway."""
    home = world.gateway()
    account(home)
    peer = world.peer()
    peer.actor("eve")
    return peer, home.kit.store


def to_alice(peer: PlainPeer) -> dict[str, Any]:
    """Return a note by bob that alice's gateway keeps."""
    return peer.note("hello", to=[f"{BASE}/users/alice"], cc=[])


async def test_a_neighbours_undo_suppresses_nothing(world: World) -> None:
    """Eve cannot undo an activity of bob's before it arrives."""
    peer, store = await met(world)
    note = to_alice(peer)
    create = peer.activity("Create", note, to=note["to"])
    undo = peer.activity("Undo", create["id"], peer.actors["eve"])
    assert (await peer.post(f"{BASE}/inbox", undo, peer.actors["eve"])).status_code == 202
    await world.drain()
    await peer.post(f"{BASE}/inbox", create)
    await world.drain()
    assert store.objects.get(note["id"]).owner == peer.me.id


async def test_a_neighbours_delete_buries_nothing(world: World) -> None:
    """Eve cannot delete an object of bob's before it arrives, bob can."""
    peer, store = await met(world)
    first, second = to_alice(peer), to_alice(peer)
    await peer.post(f"{BASE}/inbox", peer.activity("Delete", first["id"], peer.actors["eve"]), peer.actors["eve"])
    await peer.post(f"{BASE}/inbox", peer.activity("Delete", second["id"]))
    # The gateway has never heard of eve or bob: both deletions are of actors it does not know, and are verified.
    await world.drain()
    for note in (first, second):
        await peer.post(f"{BASE}/inbox", peer.activity("Create", note, to=note["to"]))
    await world.drain()
    assert store.objects.get(first["id"]) is not None
    assert store.objects.get(second["id"]) is None


async def test_a_neighbour_cannot_take_an_activity_id(world: World) -> None:
    """Eve using bob's next activity id first does not make bob's activity a repeat."""
    peer, store = await met(world)
    note = to_alice(peer)
    create = peer.activity("Create", note, to=note["to"])
    taken = {**peer.activity("Like", f"{BASE}/users/alice", peer.actors["eve"]), "id": create["id"]}
    await peer.post(f"{BASE}/inbox", taken, peer.actors["eve"])
    await peer.post(f"{BASE}/inbox", create)
    await world.drain()
    assert store.objects.get(note["id"]) is not None


async def test_a_neighbour_cannot_claim_a_key(world: World) -> None:
    """Eve listing bob's key id in her document does not stop bob's signed fetches."""
    peer, _ = await met(world)
    bob, eve = peer.me, peer.actors["eve"]
    stolen = {"id": bob.key_id, "owner": eve.id, "publicKeyPem": eve.rsa.public.pem()}
    own = {"id": eve.key_id, "owner": eve.id, "publicKeyPem": eve.rsa.public.pem()}
    peer.serve_document(eve.id, eve.document(publicKey=[own, stolen]))
    assert (await peer.get(f"{BASE}/users/alice", eve)).status_code == 200
    assert (await peer.get(f"{BASE}/users/alice", bob)).status_code == 200
