"""The faithless peer gets what it earned: limited for what its pages say, refused for what it signs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from world import BASE, World, account

from gateway.activitypub.note import Draft
from gateway.flows import attach, publish, watch
from gateway.flows.moderate import decision_about
from gateway.policy.decide import Mode
from gateway.urls import origin_of
from peers.faithless import FaithlessPeer, turned

if TYPE_CHECKING:
    from gateway.runtime import Gateway
    from gateway.store.objects import Stored

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1"


def faithless_in(world: World, host: str = "faithless.example") -> FaithlessPeer:
    """Connect a faithless peer."""
    peer = FaithlessPeer(f"https://{host}", "bob", world.clock, world.board)
    world.board.apps[host] = peer.app
    return peer


async def published(world: World, home: Gateway, text: str = "hello", *, picture: bool = False) -> Stored:
    """Let alice publish, and everybody receive."""
    author = home.kit.store.accounts.by_name("alice") or account(home)
    uploads = [attach.Upload(content=PNG, name="dot.png")] if picture else []
    stored, _ = await publish.create(home.kit, author, Draft(text=text), uploads=uploads)
    await world.drain()
    return stored


async def contradicted(world: World, **settings: Any) -> tuple[Gateway, FaithlessPeer, Stored]:
    """Return a gateway, the faithless peer that follows alice there, and a post that it received."""
    home, peer = world.gateway(**settings), faithless_in(world)
    alice = account(home)
    await peer.follow(alice.id)
    await world.drain()
    stored = await published(world, home)
    assert [a["type"] for a in peer.received] == ["Accept", "Create"]
    return home, peer, stored


def decided(home: Gateway, peer: FaithlessPeer) -> tuple[str, str]:
    """Return what the gateway does with the peer, and the reason."""
    decision = decision_about(home.kit, origin_of(peer.base))
    return decision.action.word, decision.reason.value


def test_turning_a_document_keeps_everything_but_its_labels() -> None:
    """The copy has the same id and text; its own labels and those of its picture say yes."""
    labels = {"contentUsage": "train-ai=n", "xRobotsTag": "noai", "indexable": True}
    copy = turned({"id": "x", "content": "text", **labels, "attachment": [{"url": "y", **labels}]})
    assert (copy["id"], copy["content"], copy["contentUsage"]) == ("x", "text", "train-ai=y")
    assert copy["attachment"][0]["aiUsage"]["prefs"]["train-gen"] == "y"
    assert not {"xRobotsTag", "indexable"} & {*copy, *copy["attachment"][0]}


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421", "rfc9421-ed25519"])
async def test_a_signed_opposite_is_refused_and_nothing_more_is_delivered(world: World, scheme: str) -> None:
    """In standard mode the first signed opposite is the last thing that is taken from this peer."""
    home, peer, stored = await contradicted(world)
    answer = await peer.assert_opposite(f"{BASE}/inbox", peer.told_about(stored.id)[0]["object"], scheme=scheme)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (403, "altered-preferences")
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["appeal"]
    assert problem["evidence"] == [e.id for e in home.kit.store.peers.evidence(origin_of(peer.base))]
    assert decided(home, peer) == ("refuse", "altered-preferences")
    before = len(peer.received)
    later = await published(world, home, "later")
    assert len(peer.received) == before
    assert (await peer.get(later.id)).status_code == 403
    assert (await peer.follow(later.owner)).json()["code"] == "altered-preferences"


async def test_observe_mode_only_records_a_signed_opposite(world: World) -> None:
    """The evidence is kept; the activity is taken and deliveries go on."""
    home, peer, stored = await contradicted(world, peer_mode=Mode.OBSERVE)
    answer = await peer.assert_opposite(f"{BASE}/inbox", stored.document)
    assert answer.status_code == 202
    assert [e.violation for e in home.kit.store.peers.evidence(origin_of(peer.base))] == ["V3"]
    assert decided(home, peer) == ("allow", "observing-only")
    later = await published(world, home, "later")
    assert peer.told_about(later.id, "Create")


async def test_a_page_with_the_opposite_limits_at_the_first_look(world: World) -> None:
    """Limited is: text still goes there, pictures do not; what the peer sends is still taken."""
    home, peer, stored = await contradicted(world)
    page = peer.show_again(stored.document)
    found = await watch.probe(home.kit, peer.base, (page,))
    assert {item["url"] for item in found.contradictions} == {page}
    assert decided(home, peer) == ("limit", "contradicted-preferences")
    words, picture = await published(world, home, "words"), await published(world, home, "picture", picture=True)
    assert peer.told_about(words.id)
    assert not peer.told_about(picture.id)
    assert (await peer.post(f"{BASE}/inbox", peer.activity("Like", stored.id))).status_code == 202


async def test_a_page_without_labels_of_its_own_is_in_order(world: World) -> None:
    """Only an explicit opposite counts: the same page without the header, or with a no, changes nothing."""
    home, peer, stored = await contradicted(world)
    page = peer.show_again(stored.document, usage="train-ai=n")
    assert not (await watch.probe(home.kit, peer.base, (page,))).contradictions
    assert decided(home, peer) == ("allow", "nothing-against")


async def test_three_of_five_looks_refuse(world: World) -> None:
    """Two looks that found it in order do not save a peer whose other three contradicted."""
    home, peer, stored = await contradicted(world)
    actions = []
    for usage in ("train-ai=y", "train-ai=n", "train-ai=y", "train-ai=n", "train-ai=y"):
        page = peer.show_again(stored.document, usage)
        await watch.probe(home.kit, peer.base, (page,))
        actions.append(decided(home, peer)[0])
        world.clock.forward(hours=6)
    assert actions == ["limit", "limit", "limit", "limit", "refuse"]
    before = len(peer.received)
    await published(world, home, "later")
    assert len(peer.received) == before


async def test_only_the_faithless_origin_is_refused(world: World) -> None:
    """Another port of the same host is another peer."""
    home, peer, stored = await contradicted(world, allowed_ports=[8443])
    neighbour = faithless_in(world, "faithless.example:8443")
    await neighbour.follow(stored.owner)
    await world.drain()
    await peer.assert_opposite(f"{BASE}/inbox", stored.document)
    later = await published(world, home, "later")
    assert not peer.told_about(later.id)
    assert neighbour.told_about(later.id, "Create")
