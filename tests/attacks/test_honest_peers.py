"""Peers that keep their word are never accused, whatever the author changed meanwhile; and small bodies stay cheap."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from world import BASE, World, account

from gateway.activitypub.note import Draft
from gateway.flows import interact, moderate, publish, revise, subscribe, watch
from gateway.flows.accuse import MAX_MENTIONS
from gateway.flows.handles import resolve
from gateway.jsonld.contexts import AS2
from gateway.jsonld.expand import expand
from gateway.policy.rules import Action
from gateway.preferences import Preferences
from gateway.urls import origin_of

if TYPE_CHECKING:
    from peers.plain import PlainPeer

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account

pytestmark = pytest.mark.anyio
OTHER = "https://other.example"


async def friends(world: World) -> tuple[Gateway, Account, Gateway, Account]:
    """Return two gateways; carol of the second follows alice of the first."""
    home, other = world.gateway(), world.gateway(OTHER)
    alice, carol = account(home), account(other, "carol")
    subscribe.follow(other.kit, carol, (await resolve(other.kit, alice.id)).id)
    await world.drain()
    return home, alice, other, carol


def action(home: Gateway) -> Action:
    """Return what home does with the other gateway."""
    return moderate.decision_about(home.kit, origin_of(OTHER)).action


async def test_a_post_stricter_than_its_account_may_be_boosted(world: World) -> None:
    """A boost that carries the author's general yes beside their no for this post accuses nobody."""
    home, alice, other, carol = await friends(world)
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello"), own=Preferences.of(search="n"))
    await world.drain()
    await interact.interact(other.kit, carol, "Announce", stored.id)
    await world.drain()
    assert home.kit.store.relations.interactions(stored.id, "Announce") == [carol.id]
    interact.undo_interaction(other.kit, carol, "Announce", stored.id)
    await world.drain()
    assert home.kit.store.relations.interactions(stored.id, "Announce") == []
    assert action(home) is Action.ALLOW


async def test_taking_back_a_boost_of_something_unseen_accuses_nobody(world: World) -> None:
    """Undo carries what the boost carried, not the booster's own preferences."""
    home, other = world.gateway(), world.gateway(OTHER)
    alice, carol = account(home), account(other, "carol")
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello"), own=Preferences.of(search="n"))
    await interact.interact(other.kit, carol, "Announce", stored.id)
    undone = interact.undo_interaction(other.kit, carol, "Announce", stored.id)
    await world.drain()
    assert undone is not None
    assert json.loads(undone.body)["contentUsage"] == "train-ai=n, ai-use=n, search=n"
    assert action(home) is Action.ALLOW


async def test_a_yes_that_we_sent_ourselves_may_be_repeated(world: World) -> None:
    """A boost that crosses the author's tightening on the way accuses nobody."""
    home, alice, other, carol = await friends(world)
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello"), own=Preferences.of(train_gen="y"))
    await world.drain()
    await interact.interact(other.kit, carol, "Announce", stored.id)
    await revise.edit(home.kit, alice, stored.id, own=Preferences.of(train_gen="n"))
    await world.drain()
    assert action(home) is Action.ALLOW


async def test_the_outbox_never_shows_a_yes_that_was_taken_back(world: World) -> None:
    """Old activities are shown as they hold today, labels and text."""
    home = world.gateway()
    alice = account(home)
    peer = world.peer()
    stored, created = await publish.create(home.kit, alice, Draft(text="old"), own=Preferences.of(train_gen="y"))
    await revise.edit(home.kit, alice, stored.id, text="new", own=Preferences.of(train_gen="n"))
    page = (await peer.get(f"{alice.id}/outbox?page=1")).json()
    single = await peer.get(created.id)
    for activity in (*page["orderedItems"], single.json()):
        assert activity["contentUsage"].startswith("train-ai=n")
        assert activity["object"]["contentUsage"].startswith("train-ai=n")
        assert "old" not in activity["object"]["content"]
    assert single.headers["content-usage"] == single.json()["contentUsage"]


async def test_a_later_change_of_the_account_leaves_posts_as_they_were(world: World) -> None:
    """A post keeps what it was published with until it is edited, in every form."""
    home = world.gateway()
    alice = account(home)
    peer = world.peer()
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello"))
    home.kit.store.accounts.save(replace(alice, prefs=Preferences.of(train_gen="y")))
    answer = await peer.get(stored.id)
    assert answer.json()["contentUsage"] == answer.headers["content-usage"] == "train-ai=n, ai-use=n, search=y"


def own_words(peer: PlainPeer, post: str, **changes: Any) -> dict[str, Any]:
    """Return a note of the peer's own that speaks about our post, and allows everything for itself."""
    return peer.note(f'see <a href="{post}">this</a>', contentUsage="train-ai=y", to=[f"{BASE}/users/alice"], **changes)


LINK = {"attachment": [{"type": "Document", "url": "POST", "contentUsage": "train-ai=y"}]}


@pytest.mark.parametrize("changes", [{}, {"inReplyTo": "POST"}, {"quote": "POST"}, LINK])
async def test_their_own_words_are_theirs(world: World, changes: dict[str, Any]) -> None:
    """A peer's own note may allow what it likes, also when it answers, quotes or links a post of ours."""
    home = world.gateway()
    alice = account(home)
    peer = world.peer()
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello, this is a post"))
    own = own_words(peer, stored.id, **json.loads(json.dumps(changes).replace("POST", stored.id)))
    assert (await peer.post(f"{BASE}/inbox", peer.activity("Create", own, to=own["to"]))).status_code == 202
    peer.serve("/robots.txt", "User-agent: *\nContent-Usage: train-ai=y\n", content_type="text/plain")
    peer.serve("/@bob", f'<a href="{stored.id}">I disagree</a>', content_usage="train-ai=y")
    peer.serve_document(f"{peer.me.id}/outbox", {"id": f"{peer.me.id}/outbox", "orderedItems": [stored.id]})
    found = await watch.probe(home.kit, "peer.example")
    assert found.contradictions == ()
    assert found.decision.action is Action.ALLOW


PAST = {"prefs": {"train-gen": "y"}, "expires": "2020-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    "altered",
    [
        {"aiUsage": {"v": 1, "prefs": {}, "statements": [PAST]}},
        {"contentUsage": ["train-ai=n", "train-ai=y"]},
        {"indexable": True},
    ],
)
async def test_what_allows_nothing_accuses_nobody(world: World, altered: dict[str, Any]) -> None:
    """An outweighed yes, and a word about search alone, are no opposite of a refusal to train."""
    home = world.gateway()
    alice = account(home)
    peer = world.peer()
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello"))
    plain = {name: value for name, value in stored.document.items() if name not in ("aiUsage", "contentUsage")}
    answer = await peer.post(f"{BASE}/inbox", peer.activity("Announce", {**plain, **altered}))
    assert answer.status_code == 202


SCOPED = {"p": {"@id": "https://x.example/p", "@context": [AS2] * 10}}


@pytest.mark.parametrize(
    "document",
    [
        {"@context": [AS2] * 250, "tag": [{"id": "POST", "usage": "train-ai=y"}] * 200},
        {"@context": [AS2, SCOPED], "p": [{"p": {"id": "POST"}}] * 50},
        {"@context": AS2, "tag": [{"@context": [AS2] * 3, "id": "POST", "contentUsage": "train-ai=n"}] * 55},
    ],
)
async def test_small_bodies_stay_cheap(world: World, document: dict[str, Any]) -> None:
    """A body whose contexts would be applied again and again is taken as plain JSON or refused, and never expanded."""
    home = world.gateway()
    alice = account(home)
    peer = world.peer()
    stored, _ = await publish.create(home.kit, alice, Draft(text="hello"))
    body = json.loads(json.dumps({**peer.activity("Like", stored.id), **document}).replace("POST", stored.id))
    assert expand(body, home.kit.contexts) is None
    answer = await peer.post(f"{BASE}/inbox", body)
    await world.drain()
    assert answer.status_code == (400 if len(document.get("tag", [])) > MAX_MENTIONS else 202)
