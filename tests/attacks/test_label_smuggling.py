"""Labels that contradict each other, and labels smuggled in with contexts, aliases and other subjects."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from attacks.label_scene import USE, answer, perform, said
from attacks.scene import ALICE, LABELLED, NO, SHARED_INBOX, YES, Builders, Scene, labelled, prepared
from peers.plain import AS2, PlainPeer
from world import BASE

from gateway.carriers.jsonld_terms import CONTEXT as TERMS
from gateway.carriers.jsonld_terms import IRIS, NAMESPACE
from gateway.errors import SettingsError
from gateway.jsonld.contexts import load
from gateway.runtime import schemas_directory

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
BUILDERS = Builders()
case = BUILDERS.case


# Conflicts


def _terms(stated: str | None) -> dict[str, Any]:
    return {} if stated is None else {"contentUsage": f"train-ai={stated}"}


async def _author(scene: Scene, host: str, stated: str | None) -> PlainPeer:
    """Return a peer whose actor document states something."""
    peer = scene.world.peer(host, "a")
    context = [AS2, "https://w3id.org/security/v1", dict(TERMS)]
    peer.serve_document(peer.me.id, {**peer.me.document(), "@context": context, **_terms(stated)})
    return peer


@case("LAB-CONF-001")
async def _object_yes_author_no(scene: Scene) -> None:
    author = await _author(scene, "no.example", "n")
    assert await said(scene, peer=author, contentUsage=YES) == "n"
    # The same when a stranger's boost brings it in, and nobody here has met its author.
    stranger = await _author(scene, "stranger.example", "n")
    note = stranger.note(contentUsage=YES)
    stranger.serve_document(note["id"], {"@context": LABELLED, **note})
    await scene.genuine(scene.victim.activity("Announce", note["id"]))
    assert await answer(scene, note["id"]) == "n"
    scene.proved.add("no")


@case("LAB-CONF-002")
async def _object_no_author_yes(scene: Scene) -> None:
    author = await _author(scene, "yes.example", "y")
    assert await said(scene, peer=author, contentUsage=NO) == "n"
    scene.proved.add("no")


def _oracle(*stated: str | None) -> str | None:
    return "n" if "n" in stated else "y" if "y" in stated else None


@case("LAB-CONF-004")
async def _the_whole_matrix(scene: Scene) -> None:
    authors = {stated: await _author(scene, f"{stated or 'none'}.example", stated) for stated in ("n", "y", None)}
    for whole, attached, author, server, header in itertools.product(("n", "y", None), repeat=5):
        peer = authors[author]
        note = {
            **peer.note(to=[ALICE], cc=[]), **_terms(whole),
            "attachment": [{"type": "Image", "url": peer.id("media"), **_terms(attached)}],
        }  # fmt: skip
        if server is not None:
            prefs = {"train-gen": server, "train-other": server}
            speaker = {"kind": "instance", "id": f"{peer.base}/actor"}
            note["aiUsage"] = {"v": 1, "prefs": prefs, "statements": [{"prefs": prefs, "declaredBy": speaker}]}
        create = {**peer.activity("Create", note), "@context": LABELLED}
        lines = () if header is None else (("content-usage", f"train-ai={header}"),)
        taken = await peer.send(peer.signed(SHARED_INBOX, json.dumps(create).encode(), headers=lines))
        assert taken.status_code == 202, taken.text
        await scene.home.worker.drain()
        stated = (whole, attached, author, server, header)
        assert await answer(scene, note["id"]) == _oracle(*stated), stated
        stored = scene.stored(note["id"])
        assert stored is not None
        assert stored.prefs.get(USE) == _oracle(*stated)
    scene.proved.add("equals_oracle")


# Smuggling


@case("LAB-SMUG-002")
async def _summary_is_the_label(scene: Scene) -> None:
    iri = IRIS["contentUsage"]
    for context in ({"summary": iri}, {"summary": {"@id": iri}}, {"x": NAMESPACE, "summary": "x:contentUsage"}):
        assert await said(scene, [AS2, context], summary=YES) != "y"
        assert await said(scene, [*LABELLED, context], summary=YES) != "y"
        assert await said(scene, [*LABELLED, context], summary=YES, contentUsage=NO) == "n"
    assert await said(scene, [AS2, {"content": IRIS["aiUsage"]}]) != "y"
    assert (
        await said(
            scene,
            [AS2, {"name": {"@id": IRIS["aiUsage"], "@type": "@json"}}],
            name={"v": 1, "prefs": {"train-gen": "y"}},
        )
        != "y"
    )
    scene.proved.add("not_yes")


@case("LAB-SMUG-004")
async def _null_context(scene: Scene) -> None:
    for inside in (None, [None], [None, AS2], [None, *LABELLED, None]):
        assert await said(scene, **{"@context": inside, "contentUsage": NO}) == "n"
        assert await said(scene, **{"@context": inside, "contentUsage": YES}) != "y"
    assert await said(scene, **{"@context": {"contentUsage": None}, "contentUsage": NO}) == "n"
    assert await said(scene, **{"@context": {"contentUsage": None}, "contentUsage": YES}) != "y"
    assert await said(scene, [None], contentUsage=NO) == "n"
    scene.proved.add("treated_as_no")


@case("LAB-SMUG-005")
async def _context_games(scene: Scene) -> None:
    games: list[dict[str, Any]] = [
        {"@protected": True, "contentUsage": "https://evil.example/ns#x"},
        {"contentUsage": {"@id": "aiu:contentUsage", "@protected": True}},
        {"@vocab": "_:"},
        {"@vocab": "https://evil.example/"},
        {"@version": 1.0},
        {"@version": "1.1"},
        {"@language": "en"},
        {"@base": "https://evil.example/"},
        {"@propagate": False, "contentUsage": None},
        {"@import": AS2},
        {"contentUsage": {"@id": "aiu:contentUsage", "@type": "@id"}},
        {"contentUsage": {"@id": "aiu:contentUsage", "@container": "@language"}},
        {"contentUsage": "@type"},
        {"Note": {"@id": "as:Note", "@context": {"contentUsage": None}}},
    ]
    for game in games:
        for context in ([*LABELLED, game], [game, *LABELLED]):
            assert await said(scene, context, contentUsage=NO) == "n", game
        assert await said(scene, [*LABELLED, game], contentUsage=[YES, NO]) == "n", game
    # Where the readings differ nothing is allowed.
    for game in (games[0], games[8], games[10], games[12], games[13]):
        assert await said(scene, [*LABELLED, game], contentUsage=YES) != "y", game
    scene.proved.add("same_answer_or_most_restrictive")


@case("LAB-SMUG-006")
async def _aliases(scene: Scene) -> None:
    chains: list[dict[str, Any]] = [
        {"a": "b", "b": IRIS["contentUsage"]},
        {"a": {"@id": "b"}, "b": {"@id": "c:contentUsage"}, "c": NAMESPACE},
        {"a": "aiu:contentUsage"},
    ]
    for chain in chains:
        assert await said(scene, [*LABELLED, chain], a=YES) != "y", chain
        assert await said(scene, [*LABELLED, chain], a=NO, contentUsage=YES) == "n", chain
        assert await said(scene, [*LABELLED, chain], a=YES, contentUsage=NO) == "n", chain
    hijacked = [AS2, {**TERMS, "aiu": "https://evil.example/ns#"}]
    assert await said(scene, hijacked, contentUsage=YES) != "y"
    assert await said(scene, hijacked, contentUsage=NO) == "n"
    assert await said(scene, [*LABELLED, {"toot": NAMESPACE}], **{"toot:contentUsage": YES}, contentUsage=NO) == "n"
    scene.proved.add("iri_compared_after_expand_with_pinned_context")


@case("LAB-SMUG-007")
async def _another_subject(scene: Scene) -> None:
    stranger = {"id": "https://evil.example/other", "contentUsage": YES}
    for key, value in {"@included": [stranger], "@graph": [stranger], "@reverse": {"inReplyTo": stranger}}.items():
        note = {**scene.mallory.note(to=[ALICE]), key: value}
        await scene.attack(labelled(scene.mallory.activity("Create", note)))
        assert scene.stored(note["id"]) is None
        fetched = scene.mallory.note()
        scene.mallory.serve_document(fetched["id"], {"@context": LABELLED, **fetched, key: value})
        await scene.attack(scene.mallory.activity("Announce", fetched["id"]))
        assert scene.stored(fetched["id"]) is None
    alias = [*LABELLED, {"more": "@included"}]
    note = {**scene.mallory.note(to=[ALICE]), "more": [stranger]}
    await scene.attack(labelled(scene.mallory.activity("Create", note), alias))
    assert scene.stored(note["id"]) is None
    # A node inside is another subject: what stands there is not said about the whole.
    for key in ("tag", "inReplyTo", "generator", "replies"):
        assert await said(scene, **{key: {**stranger, "type": "Note"}}) is None, key
    # What somebody else attaches says nothing for the victim, in whoever's name it is written.
    target = scene.victim.note(
        "unlabelled", to=[ALICE], attachment=[{"type": "Image", "url": f"{scene.victim.base}/media/1"}]
    )
    await scene.genuine(scene.victim.activity("Create", target))
    speakers = [
        {"kind": kind, "id": who} for kind in ("author", "instance") for who in (scene.v, scene.victim.base, scene.m)
    ]
    for url, who in itertools.product((target["id"], f"{scene.victim.base}/media/1", scene.v), speakers):
        usage = {"v": 1, "prefs": {"train-gen": "y"}, "statements": [{"prefs": {"train-gen": "y"}, "declaredBy": who}]}
        attached = [{"type": "Image", "url": url, "aiUsage": usage, "contentUsage": YES}]
        await scene.attack(
            labelled(scene.mallory.activity("Create", scene.mallory.note(to=[ALICE], attachment=attached)))
        )
        assert await answer(scene, target["id"]) is None, (url, who)
        assert await answer(scene, scene.victim_note["id"]) == "n"
    scene.proved.add("label_not_taken_from_other_subject")


@case("LAB-SMUG-010")
async def _context_served_by_an_attacker(scene: Scene) -> None:
    for url in (f"{BASE}/ns/ai-usage", "https://evil.example/ns", "https://www.w3.org/ns/activitystreams?x"):
        assert await said(scene, [AS2, url], contentUsage=NO) == "n"
        assert await said(scene, [AS2, url], contentUsage=YES) != "y"
    asked = {url for url in scene.new_fetches() if not url.startswith(scene.victim.base)}
    assert asked == set()
    assert not any("json" in url or "ns" in url for url in scene.new_fetches())
    directory = schemas_directory() / "contexts"
    files = {path.name: path.read_bytes() for path in directory.glob("*.jsonld")}
    for name, content in files.items():
        with pytest.raises(SettingsError):
            load((directory / "manifest.json").read_bytes(), {**files, name: content + b" "})
    scene.proved.add("hash_checked")


async def test_the_header_of_a_fetched_document_counts(world: World) -> None:
    """A no in the headers of the answer that a post is fetched in holds for it; a yes there lifts nothing."""
    scene = await prepared(world)
    for usage, expected in ((NO, "n"), (YES, None)):
        stranger = scene.world.peer("refusing.example" if expected else "allowing.example", "s")
        note = stranger.note()
        body = json.dumps({"@context": LABELLED, **note})
        stranger.serve(note["id"], body, content_type="application/activity+json", content_usage=usage)
        await scene.genuine(scene.victim.activity("Announce", note["id"]))
        assert await answer(scene, note["id"]) == expected
    # And the author's own server, when the author only names the post.
    own = scene.victim.note(to=[ALICE])
    scene.victim.serve(own["id"], json.dumps({"@context": AS2, **own}), content_type="application/activity+json")
    create = json.dumps(scene.victim.activity("Create", own["id"])).encode()
    signed = scene.victim.signed(SHARED_INBOX, create, headers=(("content-usage", NO),))
    assert (await scene.victim.send(signed)).status_code == 202
    await world.drain()
    assert await answer(scene, own["id"]) == "n"


async def test_a_post_whose_author_cannot_be_met_is_not_kept(world: World) -> None:
    """What an author asks of everything must be known before a boosted post is kept."""
    scene = await prepared(world)
    stranger = scene.world.peer("stranger.example", "s")
    note = stranger.note()
    stranger.serve_document(note["id"], {"@context": AS2, **note})
    stranger.pages["/users/s"].status = 404
    boost = scene.victim.activity("Announce", note["id"])
    await scene.genuine(boost)
    assert scene.outcome(boost["id"]) == "ignored: author-unavailable"
    assert scene.stored(note["id"]) is None


@pytest.mark.parametrize("case_id", [*BUILDERS])
async def test_no_label_is_lost_loosened_or_forged(world: World, case_id: str) -> None:
    """Whatever is done to a label, a no stays a no, nobody is blamed for another's deed, and the peer goes on."""
    await perform(world, case_id, BUILDERS[case_id])
