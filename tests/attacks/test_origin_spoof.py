"""Who acts, whose an id is and what a fetch proves: each request is validly signed, the point is who may do what."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from attacks import test_origin_ownership
from attacks.origin_scene import CASES, LATER, but, forged, perform
from attacks.scene import ALICE, DORA, SHARED_INBOX, Builders, Scene, unbuilt
from peers.plain import AS2
from world import BASE

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
BUILDERS = Builders()
case = BUILDERS.case


# Whose activity is it?


@case("ORIG-001")
async def _actor_is_somebody_else(scene: Scene) -> None:
    for document in (
        but(scene.mallory.activity("Create", forged(scene)), actor=scene.v),
        but(scene.mallory.activity("Create", forged(scene), id=scene.victim.id()), actor=scene.v),
        but(scene.mallory.activity("Create", forged(scene)), actor={"id": scene.v, "type": "Person"}),
        but(scene.mallory.activity("Create", forged(scene)), actor=[scene.v, scene.m]),
        but(scene.mallory.activity("Create", forged(scene)), actor=[scene.m, scene.v]),
    ):
        await scene.attack(document)


@case("ORIG-004")
async def _no_actor_at_all(scene: Scene) -> None:
    await scene.attack(but(scene.mallory.activity("Create", forged(scene), attributedTo=scene.v), actor=None))
    await scene.attack(but(scene.mallory.activity("Create", forged(scene), attributedTo=scene.v), actor=""))


@case("ORIG-005")
async def _actor_spelled_otherwise(scene: Scene) -> None:
    spelled = (
        "https://EVIL.example/users/m",
        f"{scene.m}/",
        f"{scene.m}#me",
        f"{scene.m}?x",
        "https://evil.example/users/%6D",
    )
    for actor in (*spelled, scene.m.replace("https://evil.example", "https://evil.example:443")):
        await scene.attack(but(scene.mallory.activity("Create", scene.mallory.note(to=[ALICE], cc=[])), actor=actor))


# Whose id is it?


@case("ORIG-007")
async def _reserve_the_victims_id(scene: Scene) -> None:
    guessed = scene.victim.activity("Create", scene.victim.note("the real one", to=[ALICE], cc=[]), to=[ALICE])
    await scene.attack(scene.mallory.activity("Create", forged(scene, attributedTo=scene.m), id=guessed["id"]))
    assert scene.visible() == scene.before
    await scene.genuine(guessed)
    assert scene.stored(guessed["object"]["id"]) is not None
    scene.mark()
    await scene.attack(scene.mallory.activity("Create", forged(scene, attributedTo=scene.m), id=guessed["id"]))


@case("ORIG-011")
async def _written_by_the_victim(scene: Scene) -> None:
    await scene.attack(scene.mallory.activity("Create", forged(scene)))
    await scene.attack(scene.mallory.activity("Create", forged(scene, attributedTo={"id": scene.v, "type": "Person"})))
    await scene.attack(scene.mallory.activity("Create", forged(scene, id=scene.victim.id("notes"))))
    await scene.attack(
        scene.mallory.activity("Create", forged(scene, id=scene.victim.id("notes"), attributedTo=scene.m))
    )


@case("ORIG-012")
async def _written_by_both(scene: Scene) -> None:
    await scene.attack(scene.mallory.activity("Create", forged(scene, attributedTo=[scene.m, scene.v])))
    await scene.attack(scene.mallory.activity("Create", forged(scene, attributedTo=[scene.v, scene.m])))
    await scene.attack(scene.mallory.activity("Create", forged(scene, attributedTo=[])))


@case("ORIG-013")
async def _two_owner_fields(scene: Scene) -> None:
    await scene.attack(scene.mallory.activity("Create", forged(scene, attributedTo=scene.m, actor=scene.v)))
    await scene.attack(scene.mallory.activity("Create", forged(scene, attributedTo=scene.m, actor=[scene.m, scene.v])))


# What a fetch proves


async def _announced(scene: Scene, url: str) -> None:
    await scene.attack(scene.mallory.activity("Announce", url))


@case("ORIG-014")
async def _another_id_on_the_same_host(scene: Scene) -> None:
    evil = scene.mallory
    for name, said in {
        "gone": None,
        "turns": "https://evil.example/z",
        "forged": "https://evil.example/forged",
    }.items():
        page = {"@context": AS2, **evil.note(), "id": f"{evil.base}/{name}"}
        evil.serve_document(f"{evil.base}/x-{name}", page)
        if said is not None:
            evil.serve_document(f"{evil.base}/{name}", {**page, "id": said, "attributedTo": scene.v})
        await _announced(scene, f"{evil.base}/x-{name}")
    assert len(scene.new_fetches()) == 6


@case("ORIG-015")
async def _an_id_of_the_victims(scene: Scene) -> None:
    evil = scene.mallory
    evil.serve_document(f"{evil.base}/x", {"@context": AS2, **scene.victim_note, "content": "forged"})
    evil.serve_document(f"{evil.base}/y", {"@context": AS2, **forged(scene), "id": scene.victim.id("notes")})
    evil.serve_document(f"{evil.base}/z", {"@context": AS2, **forged(scene), "id": f"{evil.base}/z"})
    for name in "xyz":
        await _announced(scene, f"{evil.base}/{name}")
    assert not any(url.startswith(scene.victim.base) for url in scene.new_fetches())


@case("ORIG-016")
async def _redirected_away_from_the_victim(scene: Scene) -> None:
    evil, victim = scene.mallory, scene.victim
    opened = f"{victim.base}/redirect?to=evil"
    victim.serve(opened, b"", 302, location=f"{evil.base}/x")
    evil.serve_document(f"{evil.base}/x", {"@context": AS2, **forged(scene), "id": opened})
    await _announced(scene, opened)
    # The same for an actor and its key.
    posed = f"{victim.base}/users/posed"
    victim.serve(posed, b"", 302, location=f"{evil.base}/posed")
    actor = replace(evil.actor("posed"), id=posed)
    evil.serve_document(f"{evil.base}/posed", actor.document())
    await scene.deliver(evil.signed(SHARED_INBOX, _bytes(victim.activity("Follow", ALICE, actor)), actor))
    scene.attackers = [(evil, evil.me)]


def _bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


@case("ORIG-017")
async def _redirected_rightfully(scene: Scene) -> None:
    third = scene.world.peer("final.example", "f")
    note = third.note("moved here")
    third.serve_document(note["id"], {"@context": AS2, **note})
    scene.mallory.serve(f"{scene.mallory.base}/old", b"", 301, location=note["id"])
    await _announced(scene, f"{scene.mallory.base}/old")
    stored = scene.stored(note["id"])
    assert stored is not None
    assert stored.owner == third.me.id
    assert scene.stored(f"{scene.mallory.base}/old") is None
    assert scene.kit.store.relations.interactions(note["id"], "Announce") == [scene.m]
    scene.proved.add("stored_under_final_id")


async def _uploaded(scene: Scene, number: int, content_type: str) -> None:
    """Serve a forged note and a forged actor from the victim's own host, as uploads of a stranger."""
    victim, evil = scene.victim, scene.mallory
    note = f"{victim.base}/media/{number}-note"
    victim.serve(note, _bytes({"@context": AS2, **scene.victim.note("forged"), "id": note}), content_type=content_type)
    await _announced(scene, note)
    uploaded = f"{victim.base}/media/{number}-actor"
    actor = replace(evil.actor("uploader"), id=uploaded)
    victim.serve(uploaded, _bytes(actor.document()), content_type=content_type)
    answer = await evil.post(SHARED_INBOX, {**victim.activity("Follow", ALICE, actor)}, actor)
    assert answer.status_code == 401
    scene.answers.append(answer)


@case("ORIG-018")
async def _uploaded_as_json(scene: Scene) -> None:
    await _uploaded(scene, 0, "application/json")


@case("ORIG-019")
async def _uploaded_as_anything(scene: Scene) -> None:
    kinds = ("text/plain", "text/html", "application/octet-stream", "image/svg+xml", "application/xml", "")
    for number, kind in enumerate((*kinds, "application/activity+json, text/html")):
        await _uploaded(scene, number, kind)


@case("ORIG-020")
async def _linked_data_without_profile(scene: Scene) -> None:
    kinds = (
        "application/ld+json",
        'application/ld+json; profile="https://evil.example/"',
        "application/ld+json; profile=",
    )
    for number, kind in enumerate((*kinds, f'application/ld+json; profile="{AS2}x"')):
        await _uploaded(scene, number, kind)


@case("ORIG-022")
async def _several_profiles(scene: Scene) -> None:
    note = scene.mallory.note("with two profiles")
    kind = f'application/ld+json; profile="https://evil.example/ {AS2}"'
    scene.mallory.serve_document(note["id"], {"@context": AS2, **note}, content_type=kind)
    await _announced(scene, note["id"])
    assert scene.stored(note["id"]) is not None
    scene.proved.add("accepted")


@case("ORIG-025")
async def _fetch_from_ourselves(scene: Scene) -> None:
    evil, missing = scene.mallory, f"{BASE}/posts/3222222222222"
    for document in (
        evil.activity("Announce", missing),
        evil.activity("Announce", f"{BASE.upper()}/posts/3222222222222"),
        evil.activity("Announce", f"{BASE}:443/about"),
        evil.activity("Like", missing),
        evil.activity("Create", missing),
        evil.activity("Update", missing),
        but(evil.activity("Move", scene.m), target=ALICE),
        but(evil.activity("Move", scene.m), target=f"{BASE}/users/nobody"),
    ):
        await scene.attack(document)
    # Somebody who claims to be one of ours is not looked up here either.
    for actor in (ALICE, f"{BASE}/users/nobody"):
        claimed = replace(evil.me, id=actor)
        answer = await evil.post(
            SHARED_INBOX, evil.activity("Follow", DORA, claimed, id=f"{BASE}/activities/1"), claimed
        )
        assert answer.status_code == 401


@case("ORIG-026")
async def _a_page_instead_of_a_document(scene: Scene) -> None:
    evil = scene.mallory
    note = {"@context": AS2, **evil.note()}
    evil.serve(f"{evil.base}/login", "<title>Log in</title>", content_type="text/html")
    await _announced(scene, f"{evil.base}/login")
    for status in (404, 410, 403, 500, 201, 203, 206):
        found = f"{evil.base}/s{status}"
        evil.serve(found, _bytes({**note, "id": found}), status, "application/activity+json")
        await _announced(scene, found)


@case("ORIG-027")
async def _pages_elsewhere(scene: Scene) -> None:
    other = scene.world.peer("evil2.example", "x")
    listed = f"{scene.mallory.base}/collection"
    page = {"id": f"{other.base}/page", "type": "CollectionPage", "items": [forged(scene)]}
    collection = {
        "@context": AS2, "id": listed, "type": "Collection", "attributedTo": scene.m, "first": page,
        "next": f"{other.base}/page", "to": [f"{AS2}#Public"],
    }  # fmt: skip
    scene.mallory.serve_document(listed, collection)
    await _announced(scene, listed)
    await scene.attack(
        scene.mallory.activity("Create", {name: collection[name] for name in collection if name != "@context"})
    )
    assert not any(url.startswith(other.base) for url in scene.new_fetches())


@pytest.mark.parametrize("case_id", [*BUILDERS])
async def test_nobody_acts_for_somebody_else(world: World, case_id: str) -> None:
    """A signed request does what its own actor may do and nothing else, and its sender's next one still works."""
    await perform(world, case_id, BUILDERS[case_id])


def test_every_case_is_built_or_put_off_by_name() -> None:
    """No case of the file is skipped silently."""
    assert unbuilt(CASES, [*BUILDERS, *test_origin_ownership.BUILDERS], LATER) == []
