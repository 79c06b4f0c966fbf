"""Everything of ours goes out with proofs that hold, wherever it is read, and what is not ours is not vouched for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import ACTIVITY_JSON
from world import BASE, account

from gateway.activitypub.note import Draft
from gateway.errors import MalformedDocument
from gateway.flows import outbound, publish, revise, subscribe, vouch
from gateway.flows.profile import profile_of
from gateway.preferences import NOTHING
from gateway.signatures import proof
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from world import World

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

pytestmark = pytest.mark.anyio


def holds(kit: Kit, document: dict[str, Any], owner: Account, context: object = None) -> bool:
    """Tell whether a document has a proof by ``owner`` that holds; ``context`` is that of the whole it stands in."""
    whole = document if "@context" in document else {"@context": context, **document}
    method = f"{owner.id}#ed25519-key"
    who = whole if "actor" in whole or "attributedTo" in whole else {**whole, "attributedTo": owner.id}
    if who is not whole:  # actors speak for themselves: only the signature is looked at
        return proof._holds(whole["proof"], whole, profile_of(kit, owner).ed25519)
    key = profile_of(kit, owner).ed25519
    return proof.verify(whole, key, method, kit.clock.now(), owner=owner.id, audience={BASE}).ok


async def test_activity_and_object_each_have_a_proof(world: World) -> None:
    """A Create as it is delivered proves the activity, and the object inside under the same context."""
    home = world.gateway()
    alice, peer = account(home), world.peer()
    follow = peer.activity("Follow", alice.id)
    await peer.post(f"{BASE}/inbox", follow)
    await world.drain()
    peer.received.clear()
    await publish.create(home.kit, alice, Draft(text="hello"))
    await world.drain()
    (create,) = peer.received
    assert holds(home.kit, create, alice)
    assert holds(home.kit, create["object"], alice, create["@context"])
    assert not holds(home.kit, {**create, "contentUsage": "train-ai=y"}, alice)
    assert not holds(home.kit, {**create["object"], "contentUsage": "train-ai=y"}, alice, create["@context"])


async def test_the_object_inside_is_the_object_at_its_id(world: World) -> None:
    """The proof inside an activity is the proof of the object where it is fetched: one object, one proof."""
    home = world.gateway()
    alice, peer = account(home), world.peer()
    stored, sent = await publish.create(home.kit, alice, Draft(text="hello"))
    inside = json.loads(sent.body)["object"]
    fetched = (await peer.get(stored.id)).json()
    assert fetched["proof"] == inside["proof"]
    assert holds(home.kit, fetched, alice)
    world.clock.forward(days=3)
    assert (await peer.get(stored.id)).json()["proof"] == inside["proof"]


@pytest.mark.parametrize(
    "path", ["", "/outbox", "/outbox?page=1", "/followers", "/following", "/featured"], ids=lambda path: path or "actor"
)
async def test_documents_that_are_fetched_have_proofs(world: World, path: str) -> None:
    """The actor and its collections are proven by the account, with all that is in them."""
    home = world.gateway()
    alice, peer = account(home), world.peer()
    await publish.create(home.kit, alice, Draft(text="hello"))
    document = (await peer.get(f"{alice.id}{path}")).json()
    assert holds(home.kit, document, alice)
    changed = {**document, "orderedItems": [{"id": "https://evil.example/1"}]}
    assert not holds(home.kit, changed, alice)
    assert all("proof" not in item for item in document.get("orderedItems", []))


async def test_what_is_readable_without_a_signature_is_proven_too(world: World) -> None:
    """The key-only actor and the instance actor carry proofs by their own keys."""
    home = world.gateway()
    alice, peer = account(home), world.peer()
    instance = home.kit.store.accounts.by_id(home.kit.instance_actor)
    assert instance is not None
    for who in (alice, instance):
        request = SignedRequest(method="GET", target=who.id, headers=(("accept", ACTIVITY_JSON),))
        assert holds(home.kit, (await peer.send(request)).json(), who)


async def test_every_kind_of_activity_is_proven(world: World) -> None:
    """Follow, Undo, Update of actor and object, Delete with its Tombstone: each holds, and what is inside does."""
    home = world.gateway()
    alice, peer = account(home), world.peer()
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello"))
    followed = subscribe.follow(home.kit, alice, peer.me.id)
    _, edited = await revise.edit(home.kit, alice, stored.id, text="changed")
    sent = [
        followed, edited, outbound.undo(home.kit, alice, followed), outbound.announce_actor(home.kit, alice),
        revise.delete(home.kit, alice, stored.id), outbound.announce_deleted_actor(home.kit, alice),
    ]  # fmt: skip
    for one in sent:
        body = json.loads(one.body)
        assert holds(home.kit, body, alice), body["type"]
        inner = body["object"]
        if isinstance(inner, dict):
            assert holds(home.kit, inner, alice, body["@context"]), body["type"]


async def test_an_edited_object_has_a_proof_of_its_own_time(world: World) -> None:
    """After an edit the proof is of the edit, and the Create in the outbox is proven as it stands today."""
    home = world.gateway()
    alice, peer = account(home), world.peer()
    stored, sent = await publish.create(home.kit, alice, Draft(text="hello"))
    world.clock.forward(hours=1)
    await revise.edit(home.kit, alice, stored.id, text="changed")
    document = (await peer.get(stored.id)).json()
    assert document["proof"]["created"] == document["updated"]
    current = (await peer.get(sent.id)).json()
    assert current["object"]["content"] == document["content"]
    assert holds(home.kit, current, alice)
    assert holds(home.kit, current["object"], alice, current["@context"])


async def test_what_is_not_ours_is_not_vouched_for(world: World) -> None:
    """A document by somebody else, or at another address, gets no proof of ours, and keeps the one it has."""
    home = world.gateway()
    alice = account(home)
    theirs = {"id": "https://peer.example/1", "type": "Note", "attributedTo": alice.id, "proof": {"a": 1}}
    nobody = {"id": f"{BASE}/posts/1", "type": "Note", "attributedTo": "https://peer.example/users/bob"}
    page = {"@context": [], "id": f"{alice.id}/inbox", "type": "OrderedCollection", "attributedTo": alice.id}
    made: Any = vouch.vouched(home.kit, {**page, "orderedItems": [theirs, nobody, "https://x.example/2"]})
    assert made["orderedItems"] == [theirs, nobody, "https://x.example/2"]
    activity = {"@context": [], "id": f"{BASE}/activities/1", "type": "Undo", "actor": alice.id}
    undo: Any = vouch.vouched(home.kit, {**activity, "object": theirs})
    assert undo["object"] == theirs
    assert holds(home.kit, undo, alice)
    assert holds(home.kit, made, alice)


async def test_numbers_beyond_53_bits_are_refused_when_they_are_published(world: World) -> None:
    """A number that has no canonical form cannot be vouched for: the client is told, nothing is kept."""
    home = world.gateway()
    alice = account(home)
    before = home.kit.store.database.value("SELECT count(*) FROM object")
    given = {"type": "Note", "content": "x", "big": 2**60, "to": ["https://www.w3.org/ns/activitystreams#Public"]}
    with pytest.raises(MalformedDocument, match="canonical"):
        publish.create_composed(home.kit, alice, given, NOTHING, outbound.NOTHING_MORE)
    assert home.kit.store.database.value("SELECT count(*) FROM object") == before
