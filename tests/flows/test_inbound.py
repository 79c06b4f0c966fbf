"""The way in, up to the 202."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of, published
from world import BASE, snapshot

from gateway.carriers.jsonld_terms import CONTEXT
from gateway.errors import MalformedDocument, NotAuthenticated, Refused
from gateway.flows import inbound, moderate
from gateway.policy.decide import Mode
from gateway.policy.rules import Action
from gateway.urls import origin_of

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.flows.inbound import Received
    from gateway.runtime import Gateway

pytestmark = pytest.mark.anyio


async def received(home: Gateway, peer: PlainPeer, document: dict[str, Any], **how: Any) -> Received:
    """Hand a signed document to the inbox."""
    body = json.dumps(document).encode()
    return await inbound.receive(home.kit, peer.signed(f"{BASE}/inbox", body, **how))


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421", "rfc9421-ed25519"])
async def test_an_arrival_is_durable_before_it_is_taken(world: World, scheme: str) -> None:
    """The bytes, the kept headers and the verdict are there with the job that settles them, in every scheme."""
    home, _ = home_of(world)
    peer = world.peer()
    document = peer.activity("Like", ALICE)
    found = await received(home, peer, document, scheme=scheme)
    assert (found.outcome, found.type, found.peer) == ("accepted", "Like", "https://peer.example")
    row = home.kit.store.arrivals.get(document["id"], peer.me.id)
    assert row is not None
    assert json.loads(row.body) == document
    assert {name for name, _ in row.headers} <= inbound.KEPT_HEADERS
    assert home.kit.store.jobs.count() == 1
    assert home.kit.store.peers.get(origin_of(peer.base), world.clock.now()).speaks_rfc9421 is (scheme != "cavage")


async def test_a_repeat_is_told_apart(world: World) -> None:
    """The same id again is answered, and queued once."""
    home, _ = home_of(world)
    peer = world.peer()
    document = peer.activity("Like", ALICE)
    assert [(await received(home, peer, document)).outcome for _ in range(2)] == ["accepted", "already-known"]
    assert home.kit.store.jobs.count() == 1


@pytest.mark.parametrize("kind", ["Delete", "Update"])
async def test_a_stranger_about_itself_changes_nothing(world: World, kind: str) -> None:
    """The flood of Deletes of unknown actors is answered without a fetch or a row."""
    home, _ = home_of(world)
    peer = world.peer()
    before = snapshot(home.kit)
    found = await received(home, peer, peer.activity(kind, peer.me.id))
    assert found.outcome == "ignored-stranger"
    assert snapshot(home.kit) == before
    assert peer.gets == []


@pytest.mark.parametrize("change", ["body", "unsigned", "other key"])
async def test_what_is_not_authenticated_stores_nothing(world: World, change: str) -> None:
    """A changed body, no signature or a foreign key is a 401 with every step."""
    home, _ = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    body = json.dumps(peer.activity("Like", ALICE)).encode()
    request = peer.signed(f"{BASE}/inbox", body)
    if change == "body":
        request = type(request)(method="POST", target=request.target, headers=request.headers, body=body + b" ")
    elif change == "unsigned":
        request = type(request)(method="POST", target=request.target, headers=(), body=body)
    else:
        request = other.signed(f"{BASE}/inbox", body)
    before = snapshot(home.kit)
    with pytest.raises(NotAuthenticated) as refused:
        await inbound.receive(home.kit, request)
    assert dict(refused.value.extra)["steps"]
    assert snapshot(home.kit) == before


async def test_a_refused_peer_is_refused_before_anything_is_fetched(world: World) -> None:
    """Nobody asks a refused server for its keys."""
    home, _ = home_of(world)
    peer = world.peer()
    moderate.set_rule(home.kit, "peer.example", Action.REFUSE)
    with pytest.raises(Refused):
        await received(home, peer, peer.activity("Like", ALICE))
    assert peer.gets == []


async def test_what_is_no_activity_is_malformed(world: World) -> None:
    """Nonsense and nobody's activities are told as what they are."""
    home, _ = home_of(world)
    peer = world.peer()
    with pytest.raises(MalformedDocument):
        await received(home, peer, {"type": "Like", "object": ALICE})


@pytest.mark.parametrize(("mode", "taken"), [(Mode.STANDARD, False), (Mode.OBSERVE, True)])
async def test_a_signed_opposite_is_evidence(world: World, mode: Mode, taken: bool) -> None:  # noqa: FBT001 - a table
    """In standard mode it is refused with the record's id; observing, it is recorded and taken."""
    home, alice = home_of(world, peer_mode=mode)
    peer = world.peer()
    stored = await published(home, alice)
    context = ["https://www.w3.org/ns/activitystreams", dict(CONTEXT)]
    lying = {**peer.activity("Announce", stored.id), "@context": context, "contentUsage": "train-ai=y"}
    if taken:
        assert (await received(home, peer, lying)).outcome == "accepted"
    else:
        with pytest.raises(Refused) as refused:
            await received(home, peer, lying)
        assert refused.value.reason == "altered-preferences"
    (evidence,) = home.kit.store.peers.evidence(origin_of(peer.base))
    assert (evidence.violation, evidence.proven) == ("V3", True)
    assert evidence.record["contradictions"][0]["carriers"] == ["contentUsage"]
