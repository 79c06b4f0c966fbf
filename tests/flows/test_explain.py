"""What holds for an object, and why."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, PNG, arrives, home_of, published
from world import BASE

from gateway.activitypub.note import Draft
from gateway.carriers.jsonld_terms import CONTEXT
from gateway.errors import NotFound, RemoteAnswer
from gateway.flows import attach, discover, publish, revise
from gateway.flows.explain import explain
from gateway.preferences import Category, Preferences

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
LABELLED: dict[str, Any] = {"@context": ["https://www.w3.org/ns/activitystreams", dict(CONTEXT)]}


async def test_our_own_post_and_account(world: World) -> None:
    """The author's words and the instance's are both behind the answers."""
    home, alice = home_of(world)
    stored = await published(home, alice)
    for subject in (stored.id, ALICE):
        found = await explain(home.kit, subject)
        answers = {answer.category: answer.answer for answer in found.answers}
        assert (answers[Category.TRAIN_GEN], answers[Category.SEARCH], answers[Category.ARCHIVE]) == ("n", "y", None)
        assert not found.fetched
    assert {s.declared_by.id for s in (await explain(home.kit, ALICE)).statements} == {ALICE}


async def test_somebody_elses_kept_note(world: World) -> None:
    """What its author says about everything counts beside what the note says."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve_document(peer.me.id, peer.me.document(contentUsage="search=n", **LABELLED))
    note = peer.note(contentUsage="train-ai=n")
    await arrives(world, peer, peer.activity("Create", note, to=[ALICE], **LABELLED))
    found = await explain(home.kit, note["id"])
    assert {a.category: a.answer for a in found.answers if a.answer} == {Category.TRAIN_GEN: "n", Category.SEARCH: "n"}


async def test_a_known_actor(world: World) -> None:
    """An actor's own words are the answer for the actor."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve_document(peer.me.id, peer.me.document(contentUsage="train-ai=n", **LABELLED))
    await discover.known_actor(home.kit, peer.me.id)
    found = await explain(home.kit, peer.me.id, use=Category.TRAIN_GEN)
    assert [a.answer for a in found.answers] == ["n"]


async def test_a_media_file_that_somebody_spoke_about(world: World) -> None:
    """A file's URL is a subject of its own."""
    home, _ = home_of(world)
    peer = world.peer()
    picture = {"type": "Image", "url": "https://peer.example/a.png", "contentUsage": "train-ai=n"}
    note = peer.note(attachment=[picture])
    await arrives(world, peer, peer.activity("Create", note, to=[ALICE], **LABELLED))
    found = await explain(home.kit, "https://peer.example/a.png", use=Category.TRAIN_GEN)
    assert (found.answers[0].answer, found.fetched) == ("n", False)


async def test_an_unknown_note_is_fetched_and_not_kept(world: World) -> None:
    """A stranger's document is looked up just now, for a consumer too."""
    home, _ = home_of(world)
    peer = world.peer()
    note = peer.note(contentUsage="train-ai=n")
    peer.serve_document(note["id"], {**LABELLED, **note})
    found = await explain(home.kit, note["id"], use=Category.TRAIN_GEN, consumer="crawler.example")
    assert (found.fetched, found.consumer, found.answers[0].answer) == (True, "crawler.example", "n")
    assert home.kit.store.objects.get(note["id"]) is None
    with pytest.raises(NotFound):
        await explain(home.kit, "https://peer.example/nothing")


async def test_what_is_not_here(world: World) -> None:
    """An address of ours that holds nothing is not found, without asking ourselves."""
    home, _ = home_of(world)
    with pytest.raises(NotFound):
        await explain(home.kit, f"{BASE}/posts/nothing")


async def test_our_own_files(world: World) -> None:
    """A file is asked for by what shows it; one that nothing shows yet by its owner; a deleted post's by nobody."""
    home, alice = home_of(world)
    upload = attach.Upload(content=PNG, name="a cat.png", alt="a cat")
    stored, _ = await publish.create(
        home.kit, alice, Draft(text="look"), own=Preferences.of(search="n"), uploads=[upload]
    )
    shown: Any = stored.document["attachment"]
    url = shown[0]["url"]
    found = await explain(home.kit, url, use=Category.SEARCH)
    assert (found.answers[0].answer, found.fetched) == ("n", False)
    blob = attach.store(home.kit, BytesIO(PNG))
    loose = attach.keep(home.kit, alice, blob, "loose.png", "")
    assert (await explain(home.kit, loose.url, use=Category.TRAIN_GEN)).answers[0].answer == "n"
    revise.delete(home.kit, alice, stored.id)
    for gone in (url, f"{BASE}/media/none/a.png", f"{loose.url}x"):
        with pytest.raises(NotFound):
            await explain(home.kit, gone)


async def test_a_page_elsewhere(world: World) -> None:
    """Of what is no ActivityStreams document, headers and meta elements are read."""
    home, _ = home_of(world)
    peer = world.peer()
    peer.serve("/page", '<meta name="robots" content="noai">', tdm_reservation="1")
    found = await explain(home.kit, "https://peer.example/page", use=Category.TRAIN_GEN)
    assert (found.answers[0].answer, found.fetched) == ("n", True)
    assert {statement.carrier for statement in found.statements} == {"meta-robots", "http-tdm-reservation"}
    peer.serve("/broken", "x", status=500)
    with pytest.raises(RemoteAnswer):
        await explain(home.kit, "https://peer.example/broken")
