"""The main job between gateways and peers, over ASGI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from world import BASE, World, account

from gateway.activitypub.note import Draft
from gateway.flows import handles, publish, subscribe
from gateway.flows.explain import explain
from gateway.preferences import Category

if TYPE_CHECKING:
    from peers.plain import PlainPeer

pytestmark = pytest.mark.anyio


async def followed(world: World, peer: PlainPeer) -> None:
    """Let the peer follow alice."""
    await peer.post(f"{BASE}/users/alice/inbox", peer.activity("Follow", f"{BASE}/users/alice"))
    await world.drain()


async def test_a_follow_is_accepted_and_a_post_arrives_with_its_labels(world: World) -> None:
    """A peer that follows gets an Accept, and then the labelled post at its shared inbox."""
    home = world.gateway()
    alice = account(home)
    peer = world.peer()
    await followed(world, peer)
    assert [a["type"] for a in peer.received] == ["Accept"]
    await publish.create(home.kit, alice, Draft(text="hello"))
    await world.drain()
    create = peer.received[-1]
    assert create["type"] == "Create"
    assert create["object"]["contentUsage"] == "train-ai=n, ai-use=n, search=y"
    assert create["object"]["aiUsage"]["labels"] == ["noai", "notrain"]
    assert peer.received_headers[-1]["content-usage"] == "train-ai=n, ai-use=n, search=y"
    assert "content-usage" in peer.received_headers[-1]["signature"]


async def test_a_preference_travels_between_two_gateways_and_is_explained(world: World) -> None:
    """What an author sets on one gateway is a statement with provenance on the other."""
    home, other = world.gateway(), world.gateway("https://other.example")
    alice, carol = account(home), account(other, "carol")
    actor = (await handles.resolve(home.kit, carol.id)).id
    subscribe.follow(home.kit, alice, actor)
    await world.drain()
    stored, _ = await publish.create(other.kit, carol, Draft(text="hello"))
    await world.drain()
    found = await explain(home.kit, stored.id, use=Category.TRAIN_GEN)
    assert found.answers[0].answer == "n"
    assert any(b.effect == "disallows" and b.statement.declared_by.id == carol.id for b in found.answers[0].because)


async def test_a_peer_that_signs_the_opposite_is_refused_at_once(world: World) -> None:
    """An Announce that says yes where our post says no ends the federation, with evidence."""
    home = world.gateway()
    alice = account(home)
    peer = world.peer()
    await followed(world, peer)
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello"))
    await world.drain()
    faithless = peer.activity("Announce", {**stored.document, "contentUsage": "train-ai=y", "aiUsage": None})
    answer = await peer.post(f"{BASE}/inbox", faithless)
    assert answer.status_code == 403
    problem = json.loads(answer.content)
    assert problem["code"] == "altered-preferences"
    assert problem["evidence"]
    assert problem["appeal"]
