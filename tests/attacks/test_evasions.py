"""Spellings, decoys and detours that an independent review found: each once let something through."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from attacks import scene as scenes
from attacks.scene import ALICE, labelled
from peers.plain import AS2, PUBLIC
from world import BASE

from gateway.carriers.jsonld_terms import IRIS
from gateway.errors import GatewayError
from gateway.flows import handles, inbound
from gateway.preferences import Auth
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from attacks.scene import Scene
    from world import World

pytestmark = pytest.mark.anyio
YES = "train-ai=y"
USAGE = IRIS["contentUsage"]
XSD = "http://www.w3.org/2001/XMLSchema#string"


@pytest.fixture
async def scene(world: World) -> Scene:
    """Return the scene of the attacks."""
    return await scenes.prepared(world)


def announced(scene: Scene, **changes: Any) -> dict[str, Any]:
    """Return an Announce of alice's post that says the opposite of what she asked for."""
    copy = {"id": scene.post.id, "type": "Note", "contentUsage": YES}
    return {**labelled(scene.mallory.activity("Announce", copy)), **changes}


def spelled(scene: Scene, host: str, **changes: Any) -> dict[str, Any]:
    """Return an Announce whose object's host is written in another way."""
    return {**labelled(scene.mallory.activity("Announce", scene.post.id.replace("gw.example", host))), **changes}


DISGUISES: dict[str, Callable[[Scene], dict[str, Any]]] = {
    "as it is": announced,
    "behind decoys": lambda s: {**{f"x{n}": {"id": s.post.id} for n in range(8)}, **announced(s)},
    "behind many nodes": lambda s: {**{f"x{n}": {"name": "x"} for n in range(500)}, **announced(s)},
    "by the keyword": lambda s: announced(s, object={"@id": s.post.id, "type": "Note", "contentUsage": YES}),
    "one type of several": lambda s: spelled(s, "gw.example", type=["x:Y", "Announce"], contentUsage=YES),
    "the type by its IRI": lambda s: spelled(s, "gw.example", type=f"{AS2}#Announce", contentUsage=YES),
    "in capitals": lambda s: spelled(s, "GW.example", contentUsage=YES),
    "with the port": lambda s: spelled(s, "gw.example:443", contentUsage=YES),
}


@pytest.mark.parametrize("name", DISGUISES)
async def test_a_breach_is_one_however_it_is_written(scene: Scene, name: str) -> None:
    """The opposite of our labels is refused and becomes evidence, behind whatever it stands, however it is spelled."""
    answer = await scene.attack(DISGUISES[name](scene))
    assert answer.status_code == 403, answer.text
    assert scene.kit.store.peers.observations(origin_of(scene.mallory.base))


@pytest.mark.parametrize("count", [65, 300])
async def test_more_words_about_us_than_anybody_needs_are_refused(scene: Scene, count: int) -> None:
    """A document with dozens of labelled mentions of what is ours is not judged in part."""
    nodes = [{"id": f"{scene.post.id}" if n < 80 else f"{BASE}/posts/{n}", "type": "Note"} for n in range(count)]
    assert (await scene.attack({**announced(scene), "x": nodes})).status_code == 400


async def test_a_context_cannot_put_words_into_the_reader(scene: Scene) -> None:
    """A datatype that looks like the reader's own marks breaks nothing, at the inbox and in an actor."""
    term = {"@id": USAGE, "@type": "urn:gateway:member:999:"}
    context = [AS2, {"cu": term}]
    assert (await scene.attack({**announced(scene), "@context": context, "cu": YES})).status_code in (202, 403)
    stranger = scene.world.peer("odd.example", "m")
    stranger.serve_document(stranger.me.id, {**stranger.me.document(), "@context": context, "cu": YES})
    answer = await stranger.post(f"{BASE}/inbox", stranger.activity("Follow", ALICE))
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({}, {"contentUsage": {"@list": ["train-ai=n"]}}),
        ({}, {"contentUsage": {"@value": "train-ai=n", "@type": XSD}}),
        ({}, {"contentUsage": {"@value": "train-ai=n", "@language": "en"}}),
        ({"c": {"@id": USAGE, "@type": XSD}}, {"c": "train-ai=n"}),
        ({"c": {"@id": USAGE, "@container": "@list"}}, {"c": ["train-ai=n"]}),
        ({}, {"@nest": {"contentUsage": "train-ai=n"}}),
    ],
    ids=range(6),
)
async def test_a_no_in_an_odd_form_is_kept(scene: Scene, context: dict[str, Any], said: dict[str, Any]) -> None:
    """An author's no holds here although the form is not the one that the term has."""
    note = scene.victim.note("mine", to=[ALICE, PUBLIC], cc=[], **said)
    create = scene.victim.activity("Create", note, to=[ALICE])
    await scene.genuine({**create, "@context": [*scenes.LABELLED, context]})
    stored = scene.stored(note["id"])
    assert stored is not None
    assert "train-gen" in {category.value for category in stored.prefs if stored.prefs.disallows(category)}


async def test_a_key_document_is_no_actor(scene: Scene) -> None:
    """What owns a key and is no actor is not kept as one: its inbox could be anybody's."""
    liar = scene.world.peer("liar.example", "k")
    document = {**liar.me.document(), "type": "Note", "inbox": f"{scene.victim.base}/users/v/inbox"}
    liar.serve_document(liar.me.id, document)
    await liar.post(f"{BASE}/inbox", liar.activity("Follow", ALICE))
    assert scene.kit.store.relations.actor(liar.me.id) is None
    with pytest.raises(GatewayError):
        await handles.resolve(scene.kit, liar.me.id)


@pytest.mark.parametrize("is_covered", [True, False])
async def test_a_header_that_nothing_covers_is_nobodys_proven_word(scene: Scene, *, is_covered: bool) -> None:
    """A header counts as its server's word, and as proven by the signature only when the signature covers it."""
    note = scene.victim.note("quiet", to=[ALICE, PUBLIC], cc=[])
    body = json.dumps(scene.victim.activity("Create", note, to=[ALICE])).encode()
    label, extra = (("content-usage", "train-ai=n"),), ("content-usage",) if is_covered else ()
    await scene.deliver(scene.victim.signed(f"{BASE}/inbox", body, headers=label, extra=extra), peer=scene.victim)
    [said] = scene.kit.store.statements.about([note["id"]])
    assert said.declared_by.auth is (Auth.HTTP_SIGNATURE if is_covered else Auth.NONE)


async def test_a_deleted_object_stays_deleted_by_every_way(scene: Scene) -> None:
    """A boost brings nothing back: not by an alias that leads to it, nor when the deletion came before the object."""
    victim = scene.victim
    kept, unseen = victim.note("once here", to=[ALICE, PUBLIC], cc=[]), victim.note("never here", to=[PUBLIC], cc=[])
    await scene.genuine(victim.activity("Create", kept, to=[ALICE]))
    for note in (kept, unseen):
        await scene.genuine(victim.activity("Delete", note["id"]))
        victim.serve_document(note["id"], {"@context": AS2, **note})
    alias = f"{scene.mallory.base}/alias"
    scene.mallory.serve(alias, b"", 302, location=kept["id"])
    for target in (alias, unseen["id"]):
        await scene.attack(scene.mallory.activity("Announce", target, to=[ALICE]))
    stored = scene.stored(kept["id"])
    assert stored is not None
    assert stored.deleted is not None
    assert scene.stored(unseen["id"]) is None


async def test_a_neighbour_cannot_take_an_id_for_good(scene: Scene) -> None:
    """Whoever claimed another's id first loses it when the origin says whose it is."""
    victim, eve = scene.victim, scene.victim.actor("eve")
    note = victim.note("mine", to=[ALICE, PUBLIC], cc=[])
    theft = {**note, "attributedTo": eve.id, "content": "stolen"}
    await scene.genuine(victim.activity("Create", theft, eve, to=[ALICE]), eve)
    victim.serve_document(note["id"], {"@context": AS2, **note})
    await scene.genuine(victim.activity("Create", note, to=[ALICE]))
    stored = scene.stored(note["id"])
    assert stored is not None
    assert stored.owner == scene.v


# What one party can do to others


async def test_a_note_that_cannot_be_read_blocks_nobody(scene: Scene) -> None:
    """Whoever boosts a stranger's note that is made to be unreadable goes on being heard."""
    evil, victim = scene.mallory, scene.victim
    note = {**evil.note("x", to=[PUBLIC]), "@context": [AS2, {"cu": USAGE}], "cu": [f"v{n}" for n in range(40)]}
    evil.serve_document(note["id"], note)
    await scene.genuine(victim.activity("Announce", note["id"], to=[ALICE, PUBLIC]))
    after = victim.note("and then", to=[ALICE, PUBLIC], cc=[])
    await scene.genuine(victim.activity("Create", after, to=[ALICE]))
    assert scene.stored(note["id"]) is None
    assert scene.stored(after["id"]) is not None


async def test_one_domains_backlog_is_its_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too much of one domain waits to be settled it is told to come again; the others are not."""
    monkeypatch.setattr(inbound, "MAX_WAITING_OF_ONE", 3)
    answers = [
        (await scene.mallory.post(f"{BASE}/inbox", scene.mallory.activity("Like", scene.post.id))).status_code
        for _ in range(5)
    ]
    assert answers == [202, 202, 202, 503, 503]
    assert (await scene.victim.post(f"{BASE}/inbox", scene.victim.activity("Like", scene.post.id))).status_code == 202


@pytest.mark.parametrize("before", [[[{}] * 100] * 53, [{}] * 499])
async def test_nothing_hides_behind_a_crowd(scene: Scene, before: list[Any]) -> None:
    """An opposite that stands after thousands of values, or late in a long list, is found all the same."""
    hidden = {"id": scene.post.id, "contentUsage": YES}
    document = labelled(scene.mallory.activity("Like", scene.post.id))
    answer = await scene.attack({**document, "x": [*before, {"z": {"z": hidden}}]})
    assert answer.status_code == 403, answer.text
