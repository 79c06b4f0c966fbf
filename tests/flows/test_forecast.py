"""What this gateway would do with a document, told without doing it."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, follows, home_of, published
from world import BASE, snapshot

from gateway.activitypub import effects
from gateway.carriers.jsonld_terms import CONTEXT
from gateway.flows.forecast import SAID, decision
from gateway.flows.specimen import Specimen
from gateway.policy.rules import Action, Rule
from gateway.urls import origin_of

if TYPE_CHECKING:
    from world import World

    from gateway.flows.kit import Kit

pytestmark = pytest.mark.anyio
LABELLED: dict[str, Any] = {"@context": ["https://www.w3.org/ns/activitystreams", dict(CONTEXT)]}


def _told(kit: Kit, document: dict[str, Any], url: str | None = None) -> dict[str, Any]:
    return decision(kit, document, Specimen(body=json.dumps(document).encode(), url=url))


def _would(kit: Kit, document: dict[str, Any]) -> list[str]:
    return [row["effect"] for row in _told(kit, document)["would"]]


def test_every_effect_has_its_words() -> None:
    """An effect that is added is told in a sentence, too."""
    kinds = {
        name for name, value in vars(effects).items()
        if isinstance(value, type) and is_dataclass(value) and value.__module__ == effects.__name__
    }  # fmt: skip
    assert SAID.keys() <= kinds
    union = {kind.__name__ for kind in effects.Effect.__args__}
    assert union == SAID.keys()


async def test_a_follow_and_its_answer(world: World) -> None:
    """A Follow would be recorded and answered; told again after it happened it is still told, and nothing is done."""
    home, _ = home_of(world)
    peer = world.peer()
    before = snapshot(home.kit)
    document = peer.activity("Follow", ALICE)
    told = _told(home.kit, document)
    assert [row["effect"] for row in told["would"]] == ["RecordFollow", "Answer"]
    assert told["would"][1] == {"effect": "Answer", "says": "an Accept or Reject is sent", "reason": "Accept"}
    assert (told["peer"], told["about"]["action"], told["accuses"]) == ("https://peer.example", "allow", [])
    assert snapshot(home.kit) == before
    assert world.board.requests == []


async def test_a_note_depends_on_who_listens(world: World) -> None:
    """A note that concerns nobody here is ignored with its reason; one that mentions somebody is kept."""
    home, _ = home_of(world)
    peer = world.peer()
    (ignored,) = _told(home.kit, peer.activity("Create", peer.note()))["would"]
    assert (ignored["effect"], ignored["says"]) == ("Ignore", "nothing happens")
    assert ignored["reason"]
    assert "KeepObject" in _would(home.kit, peer.activity("Create", peer.note(cc=[ALICE]), cc=[ALICE]))


async def test_what_somebody_here_follows_is_fetched_or_kept(world: World) -> None:
    """Likes and boosts of ours are recorded."""
    home, alice = home_of(world)
    post = await published(home, alice)
    peer = world.peer()
    await follows(world, peer)
    for kind in ("Like", "Announce"):
        assert "RecordInteraction" in _would(home.kit, peer.activity(kind, post.id))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": "https://other.example/1"}, "foreign-id"),
        ({"id": None}, "no-id"),
        ({"actor": "nobody"}, "no-actor"),
        ({"actor": None}, "no-actor"),
        ({"@graph": []}, "malformed-document"),
    ],
)
async def test_what_would_be_refused_says_why(world: World, changes: dict[str, Any], reason: str) -> None:
    """An activity that cannot be understood is refused with the code of the live answer."""
    home, _ = home_of(world)
    document = {**world.peer().activity("Like", ALICE), **changes}
    (row,) = _told(home.kit, {name: value for name, value in document.items() if value is not None})["would"]
    assert (row["effect"], row["reason"]) == ("refuse", reason)
    assert row["says"]


async def test_the_peer_is_the_speaker_s_server(world: World) -> None:
    """The actor's, else the author's, else where the document came from; for ourselves there is no decision."""
    home, _ = home_of(world)
    peer = world.peer()
    home.kit.store.peers.save_rule(
        Rule(id=home.kit.tids.next(), host="peer.example", action=Action.LIMIT), world.clock.now()
    )
    for document, url in (
        ({"type": "Like", "actor": peer.me.id}, None),
        ({"type": "Note", "attributedTo": peer.me.id}, "https://other.example/1"),
        ({"type": "Note"}, f"{peer.base}/1"),
        ({"type": "Note", "attributedTo": [{"id": peer.me.id}]}, None),
    ):
        told = _told(home.kit, document, url)
        assert (told["peer"], told["about"]["action"]) == ("https://peer.example", "limit"), document
        assert (told["would"] == []) is (document["type"] == "Note")
    ours = _told(home.kit, {"type": "Note", "attributedTo": ALICE})
    assert (ours["peer"], ours["about"]) == (BASE, None)
    for nobody in ({"type": "Note"}, {"type": "Note", "attributedTo": "bob"}, {}):
        told = _told(home.kit, nobody)
        assert (told["peer"], told["about"], told["would"]) == (None, None, [])


async def test_who_states_the_opposite_is_told(world: World) -> None:
    """A document that allows what our author refuses would be held against its server; it is not yet."""
    home, alice = home_of(world)
    post = await published(home, alice)
    peer = world.peer()
    opposite = {**peer.activity("Announce", post.id, contentUsage="train-ai=y"), **LABELLED}
    (accused,) = _told(home.kit, opposite)["accuses"]
    assert (accused["object"], accused["category"], accused["asked"], accused["shown"]) == (
        post.id, "train-gen", "n", "y",
    )  # fmt: skip
    assert accused["carriers"] == ["contentUsage"]
    assert home.kit.store.peers.observations(origin_of(peer.base)) == []
    assert (
        _told(home.kit, {**peer.activity("Announce", post.id, contentUsage="train-ai=n"), **LABELLED})["accuses"] == []
    )
    assert _told(home.kit, {**post.document, "contentUsage": "train-ai=y"})["accuses"] == []
