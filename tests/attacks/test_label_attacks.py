"""Labels stripped on the way, downgraded by later versions, or written so that a no reads as a yes."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from attacks import test_label_crawlers, test_label_smuggling
from attacks.label_scene import CASES, LATER, USE, answer, perform, said
from attacks.outgoing import every_answer, every_delivery, unlabelled
from attacks.scene import ALICE, LABELLED, NO, SHARED_INBOX, YES, Builders, Scene, labelled, unbuilt
from peers.plain import AS2, PlainPeer
from world import BASE, START

from gateway.activitypub.labels import label, with_context
from gateway.activitypub.note import Draft
from gateway.carriers.jsonld_terms import IRIS, NAMESPACE
from gateway.flows import moderate, publish, revise
from gateway.flows.watch import probe
from gateway.policy.rules import Action
from gateway.preferences import Auth, Category, Declarant, DeclarantKind, Preferences, Scope, Statement, Subject
from gateway.runtime import read_contexts
from gateway.urls import origin_of

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
BUILDERS = Builders()
case = BUILDERS.case


# Everything that goes out is labelled


@case("LAB-STRIP-001")
async def _everything_is_labelled(scene: Scene) -> None:
    contexts = read_contexts()
    for what, document, usage in [*await every_delivery(scene), *await every_answer(scene)]:
        assert unlabelled(document, contexts) == [], what
        assert usage, what
    for headers in scene.victim.received_headers:
        assert "content-usage" in headers["signature"]
        assert "digest" in headers["signature"]
    kinds = ("Note", "Article", "Question", "Image", "Video", "Page", "Event", "Tombstone", "Person", "Collection",
             "CollectionPage", "OrderedCollection", "Announce", "Create", "Update")  # fmt: skip
    stated = (None, "n", "y")
    names = [category.value for category in Category]
    drawn = random.Random(1)
    for number in range(2_000):
        prefs = Preferences.from_json({name: drawn.choice(stated) for name in names})
        statement = Statement(
            subject=Subject(scope=Scope.OBJECT, ref=BASE), prefs=prefs, carrier="home", observed_at=START,
            declared_by=Declarant(kind=DeclarantKind.AUTHOR, id=ALICE, auth=Auth.LOCAL),
        )  # fmt: skip
        kind = kinds[number % len(kinds)]
        inner = label(
            {"id": f"{BASE}/posts/{number}", "type": kind, "attachment": [{"type": "Image", "url": BASE}]}, [statement]
        )
        outer = label({"id": f"{BASE}/a/{number}", "type": "Create", "object": inner}, [statement])
        assert outer["aiUsage"] == inner["aiUsage"]
        assert isinstance(inner["aiUsage"], dict)
        assert inner["aiUsage"]["prefs"] == prefs.as_json()
        if number % 10 == 0:
            assert unlabelled(with_context(outer), contexts) == []
    scene.proved |= {"label_present_in_json", "label_present_after_expand", "label_in_signed_bytes"}


@case("LAB-STRIP-003")
async def _compacted_by_a_relay(scene: Scene) -> None:
    iri = IRIS["contentUsage"]
    forms: list[tuple[str, list[Any]]] = [
        (iri, [AS2]),
        ("aiu:contentUsage", [AS2, {"aiu": NAMESPACE}]),
        ("x:contentUsage", [AS2, {"x": NAMESPACE}]),
        ("usage", [AS2, {"usage": iri}]),
        ("usage", [AS2, {"usage": {"@id": iri}}]),
        ("aiu:contentUsage", LABELLED),
        ("contentUsage", [AS2]),
    ]
    for key, context in forms:
        assert await said(scene, context, **{key: NO}) == "n", key
        assert await said(scene, [*LABELLED, *context], **{key: [NO]}) == "n", key
    scene.proved.add("label_recognised")


@case("LAB-STRIP-004")
async def _two_hops(scene: Scene) -> None:
    stripper, shower = scene.mallory, scene.victim
    bare = {name: value for name, value in scene.post.document.items() if name not in IRIS}
    await scene.attack(stripper.activity("Announce", bare))
    shower.serve(f"{shower.base}/@v", f'<p>mine</p><a href="{scene.post.id}">source</a>')
    shower.serve_document(f"{shower.base}/copy", {"@context": AS2, **bare})
    seen = await probe(scene.kit, "victim.example", (f"{shower.base}/copy",))
    assert seen.contradictions == ()
    for peer in (shower, stripper):
        assert moderate.decision_about(scene.kit, origin_of(peer.base)).action is Action.ALLOW
    # What counts against somebody is their own signature under the opposite.
    boost = labelled(stripper.activity("Announce", {**bare, "contentUsage": YES}))
    refused = await stripper.post(SHARED_INBOX, boost)
    assert refused.json()["code"] == "altered-preferences"
    evidence = scene.kit.store.peers.evidence(origin_of(stripper.base))[0]
    assert evidence.proven
    assert evidence.record["key"] == stripper.me.key_id
    assert moderate.decision_about(scene.kit, origin_of(shower.base)).action is Action.ALLOW
    scene.proved |= {"breach_not_attributed_to_B", "needs_signed_proof_of_A"}
    scene.attackers = [(shower, shower.me)]


@case("LAB-STRIP-007")
async def _tightened_later(scene: Scene) -> None:
    opened = Preferences.from_json({category.value: "y" for category in Category})
    stored, _ = await publish.create(scene.kit, scene.alice, Draft(text="open"), own=opened)
    await scene.world.drain()
    assert scene.victim.received[-1]["object"]["aiUsage"]["prefs"]["train-gen"] == "y"
    await scene.genuine(
        scene.victim.activity("Undo", {"id": scene.victim_follow, "type": "Follow", "actor": scene.v, "object": ALICE})
    )
    assert scene.kit.store.relations.followers(ALICE) == []
    scene.world.clock.forward(minutes=5)
    await revise.edit(scene.kit, scene.alice, stored.id, own=Preferences.of(train_gen="n"))
    await scene.world.drain()
    update = scene.victim.received[-1]
    assert (update["type"], update["object"]["id"]) == ("Update", stored.id)
    assert update["object"]["aiUsage"]["prefs"]["train-gen"] == "n"
    scene.proved.add("update_delivered_to_all_past_recipients")


@case("LAB-STRIP-009")
async def _other_code_paths(scene: Scene) -> None:
    revise.delete(scene.kit, scene.alice, scene.post.id)
    await scene.world.drain()
    assert unlabelled(scene.victim.received[-1], read_contexts()) == []
    async with scene.world.client() as client:
        answers = [
            await scene.victim.get(scene.post.id),
            await scene.victim.get(f"{BASE}/posts/none"),
            await scene.victim.get(f"{ALICE}/outbox?page=1"),
            await client.get(scene.post.id),
            await client.get("/nothing/here"),
            await client.put("/inbox"),
            await client.post("/inbox", content=b"{"),
            await client.post("/inbox", content=b"{", headers={"content-type": "application/activity+json"}),
            await client.get("/", headers={"host": "other.example"}),
            await client.get("/users/nobody"),
            await client.get("/.well-known/webfinger"),
        ]
    assert {a.status_code for a in answers} >= {200, 400, 401, 404, 405, 410, 415, 421}
    for found in answers:
        assert found.headers["content-usage"], found.status_code
        assert found.headers["tdm-reservation"] == "1"
    assert answers[0].json()["type"] == "Tombstone"
    assert unlabelled(answers[0].json(), read_contexts()) == []
    assert unlabelled(answers[2].json(), read_contexts()) == []
    assert next(a for a in scene.victim.received if a["type"] == "Accept")["contentUsage"]
    scene.proved.add("label_or_documented_exemption")


# Downgrades


async def _updated(
    scene: Scene, note: dict[str, Any], updated: str | None, peer: PlainPeer | None = None, **terms: Any
) -> dict[str, Any]:
    changed = {name: value for name, value in {**note, "updated": updated, **terms}.items() if value is not None}
    document = labelled((peer or scene.victim).activity("Update", changed))
    await scene.genuine(document, peer=peer)
    return document


@case("LAB-DOWN-002")
async def _loosened_by_the_author(scene: Scene) -> None:
    note = scene.victim_note["id"]
    for updated in (None, "2026-11-22T00:00:00Z"):
        await _updated(scene, scene.victim_note, updated, contentUsage=YES)
        assert await answer(scene, note) == "n"
    await _updated(scene, scene.victim_note, "2026-11-24T00:00:00Z", contentUsage=YES)
    assert await answer(scene, note) == "y"
    history = scene.kit.store.statements.about([note], with_history=True)
    assert [s.prefs.get(USE) for s in history] == ["n", "y"]
    assert [line["reason"] for line in scene.kit.store.peers.audit_lines() if line["event"] == "preferences"] == [
        "loosened"
    ]
    scene.proved |= {"label=yes", "history_kept"}


@case("LAB-DOWN-004")
async def _older_update_replayed(scene: Scene) -> None:
    note = scene.victim.note("open", contentUsage=YES, to=[ALICE])
    create = labelled(scene.victim.activity("Create", note))
    await scene.genuine(create)
    assert await answer(scene, note["id"]) == "y"
    still = await _updated(scene, note, "2026-11-23T10:00:00Z", content="edited")
    await _updated(scene, note, "2026-11-23T11:00:00Z", contentUsage=NO)
    for replayed in (
        create,
        still,
        {**still, "id": scene.victim.id()},
        {**create, "id": scene.victim.id(), "type": "Update"},
    ):
        await scene.genuine(replayed)
    # An edit without a time must not make the old ones look new.
    await _updated(scene, {**note, "published": "2026-11-23T12:00:00Z"}, None, contentUsage=NO)
    await scene.genuine({**still, "id": scene.victim.id()})
    assert await answer(scene, note["id"]) == "n"
    scene.proved.add("label_kept=no")


@case("LAB-DOWN-006")
async def _deleted_and_made_again(scene: Scene) -> None:
    note = scene.victim_note
    await scene.genuine(scene.victim.activity("Delete", {"id": note["id"], "type": "Tombstone"}))
    for kind, usage in itertools.product(("Create", "Update"), (YES, None)):
        changed = {**note, "updated": "2027-01-01T00:00:00Z", "contentUsage": usage}
        again = {name: value for name, value in changed.items() if value}
        await scene.genuine(labelled(scene.victim.activity(kind, again)))
    await scene.genuine(scene.mallory.activity("Announce", note["id"]), peer=scene.mallory)
    stored = scene.stored(note["id"])
    assert stored is not None
    assert stored.deleted is not None
    assert await answer(scene, note["id"]) == "n"
    scene.proved.add("refused_or_label_kept")


@case("LAB-DOWN-009")
async def _no_and_yes(scene: Scene) -> None:
    usage = {"v": 1, "prefs": {"train-gen": "n"}, "statements": []}
    allowed = {"v": 1, "prefs": {"train-gen": "y"}, "statements": []}
    for order in (1, -1):
        assert await said(scene, contentUsage=[NO, YES][::order]) == "n"
        assert await said(scene, aiUsage=[usage, allowed][::order]) == "n"
        assert await said(scene, contentUsage=[NO, YES][::order], aiUsage=allowed) == "n"
    assert await said(scene, contentUsage=NO, aiUsage=allowed) == "n"
    assert await said(scene, contentUsage=YES, aiUsage=usage) == "n"
    scene.proved.add("most_restrictive")


@case("LAB-DOWN-010")
async def _two_keys(scene: Scene) -> None:
    note = {**scene.victim.note(to=[ALICE]), "contentUsage": "SPOT"}
    create = labelled(scene.victim.activity("Create", note))
    for first, second in ((NO, YES), (YES, NO)):
        for name in ("contentUsage", "content\\u0055sage"):
            body = json.dumps(create).replace('"SPOT"', f'"{first}", "{name}": "{second}"')
            refused = await scene.deliver(scene.victim.signed(SHARED_INBOX, body.encode()), peer=scene.victim)
            assert refused.status_code == 400
            assert scene.stored(note["id"]) is None
    scene.proved.add("refused_or_most_restrictive")


@case("LAB-DOWN-011")
async def _wrong_types(scene: Scene) -> None:
    words = [
        "true",
        "no ",
        "NO",
        "y",
        "train-ai",
        "train-ai=",
        "train-ai=?1",
        "train-ai=yes",
        "train-ai=Y",
        "TRAIN-AI=y",
    ]
    odd: list[Any] = [
        1,
        1.0,
        True,
        None,
        {},
        [],
        [[]],
        'train-ai="y"',
        {"train-ai": "y"},
        {"@value": YES, "@type": "@json"},
    ]
    wrong: list[Any] = [*words, *odd]
    for value in wrong:
        assert await said(scene, contentUsage=value) != "y", value
        assert await said(scene, aiUsage=value) != "y", value
        assert await said(scene, aiUsage={"v": 1, "prefs": {"train-gen": value}}) != "y" or value == "y", value
        assert await said(scene, aiUsage={"v": value, "prefs": {"train-gen": "y"}}) != "y" or value == 1, value
        assert await said(scene, aiUsage={"v": 1, "prefs": value, "statements": value}) != "y", value
    scene.proved.add("not_yes")


@case("LAB-DOWN-012")
async def _tagged_values(scene: Scene) -> None:
    for value in (
        {"@value": YES, "@language": "en"},
        {"@value": YES, "@type": "http://www.w3.org/2001/XMLSchema#string"},
        {"@value": True, "@language": "en"},
        {"@list": [YES]},
        {"@set": [YES], "@index": "x"},
        [{"@value": YES, "@language": "en"}],
    ):
        found = await said(scene, contentUsage=value)
        assert found != "y", value
    assert await said(scene, contentUsage={"@value": NO}) != "y"
    assert await said(scene, contentUsage=[{"@value": YES, "@language": "en"}, NO]) == "n"
    scene.proved |= {"not_yes", "same_answer_json_and_expanded"}


@pytest.mark.parametrize("case_id", [*BUILDERS])
async def test_no_label_is_lost_loosened_or_forged(world: World, case_id: str) -> None:
    """Whatever is done to a label, a no stays a no, nobody is blamed for another's deed, and the peer goes on."""
    await perform(world, case_id, BUILDERS[case_id])


def test_every_case_is_built_or_put_off_by_name() -> None:
    """No case of the file is skipped silently."""
    built = [*BUILDERS, *test_label_crawlers.BUILDERS, *test_label_smuggling.BUILDERS]
    assert unbuilt(CASES, built, LATER) == []
