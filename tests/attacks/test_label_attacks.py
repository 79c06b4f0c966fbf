"""Labels under attack: stripped, downgraded, contradicted, smuggled; crawlers; evidence."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from attacks.outgoing import every_answer, every_delivery, unlabelled
from attacks.scene import (
    ALICE,
    INBOX,
    LABELLED,
    NO,
    SHARED_INBOX,
    YES,
    Scene,
    check,
    labelled,
    prepared,
    read_cases,
    unbuilt,
)  # fmt: skip
from peers.plain import AS2, PlainPeer
from world import BASE, START

from gateway.activitypub.labels import label, with_context
from gateway.activitypub.note import Draft
from gateway.carriers.jsonld_terms import CONTEXT as TERMS
from gateway.carriers.jsonld_terms import IRIS, NAMESPACE
from gateway.errors import SettingsError
from gateway.flows import discover, moderate, publish, revise
from gateway.flows.explain import explain
from gateway.flows.watch import probe
from gateway.jsonld.contexts import load
from gateway.policy.rules import Action
from gateway.preferences import Auth, Category, Declarant, DeclarantKind, Preferences, Scope, Statement, Subject
from gateway.runtime import read_contexts, schemas_directory
from gateway.signatures import owner, verify
from gateway.signatures.keys import ED25519_PREFIX, base58_encode
from gateway.signatures.request import SignedRequest
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from world import World

pytestmark = pytest.mark.anyio
CASES = read_cases("label_attacks.json")
LATER = {
    "LAB-CONF-009": "AT Protocol: bridged records and their deletion",
    "LAB-PLEDGE-001": "pledges: the ladder from pledged to refused (refusal on proof is built, see LAB-STRIP-004)",
    "LAB-PLEDGE-003": "pledges",
    "LAB-PLEDGE-010": "pledges: expiry",
    "LAB-PLEDGE-011": "pledges: the document's bounds",
    "LAB-PLEDGE-012": "pledges: two that contradict each other",
    "LAB-CRAWL-003": "rate limits by registrable domain",
    "LAB-CRAWL-005": "AT Protocol, relays and oEmbed; the pages and the feed that exist are part of LAB-STRIP-001",
    "LAB-CRAWL-009": "rate limits: alarm on volume",
    "LAB-EVID-003": "pledges: probes from a second address",
    "LAB-EVID-005": "evidence log: RFC 9162 tree",
}
BUILDERS: dict[str, Callable[[Scene], Awaitable[None]]] = {}
USE = Category.TRAIN_GEN


def case(case_id: str) -> Callable[[Callable[[Scene], Awaitable[None]]], Callable[[Scene], Awaitable[None]]]:
    """Register what performs a case."""

    def register(builder: Callable[[Scene], Awaitable[None]]) -> Callable[[Scene], Awaitable[None]]:
        BUILDERS[case_id] = builder
        return builder

    return register


async def answer(scene: Scene, url: str) -> str | None:
    """Return what holds for generative training: "n", "y" or None."""
    return (await explain(scene.kit, url, use=USE)).answers[0].answer


async def said(scene: Scene, context: Any = LABELLED, peer: Any = None, **terms: Any) -> str | None:
    """Let the victim publish a note with these terms and return what holds for it."""
    author = peer or scene.victim
    note = {**author.note(to=[ALICE], cc=[]), **terms}
    document = author.activity("Create", note)
    document["@context"] = context
    await scene.genuine(document, peer=author)
    assert scene.stored(note["id"]) is not None, scene.outcome(document["id"])
    return await answer(scene, note["id"])


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


# Keys and crawlers


@case("LAB-PLEDGE-007")
async def _small_order_key(scene: Scene) -> None:
    peer = scene.world.peer("weak.example", "w")
    for raw in (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"):
        weak = {
            "id": f"{peer.me.id}#weak", "type": "Multikey", "controller": peer.me.id,
            "publicKeyMultibase": "z" + base58_encode(ED25519_PREFIX + raw),
        }  # fmt: skip
        document = peer.me.document(assertionMethod=[weak])
        assert [key.id for key in owner.listed_keys(document)] == [peer.me.key_id]
        peer.serve_document(peer.me.id, document)
        body = json.dumps(peer.activity("Follow", ALICE)).encode()
        signed = peer.signed(SHARED_INBOX, body, scheme="rfc9421-ed25519")
        lines = tuple((name, value.replace("#ed25519-key", "#weak")) for name, value in signed.headers)
        assert (
            await peer.send(SignedRequest(method="POST", target=SHARED_INBOX, headers=lines, body=body))
        ).status_code == 401
    scene.proved.add("key_refused")


def _agents() -> tuple[str, ...]:
    return ("Mastodon/4.6.0 (+https://mastodon.social/)", "http.rb/5.2.0 (Mastodon/4.6.0; +https://victim.example/)",
            "noai-gateway/1.0 (+https://gw.example/about)", "Googlebot/2.1")  # fmt: skip


@case("LAB-CRAWL-001")
async def _pretty_user_agent(scene: Scene) -> None:
    moderate.set_rule(scene.kit, "mastodon.social", Action.ALLOW)
    async with scene.world.client() as client:
        for agent, accept in itertools.product(_agents(), ("application/activity+json", "application/ld+json", "*/*")):
            headers = {"user-agent": agent, "accept": accept}
            for url in (scene.post.id, f"{scene.post.id}/replies", f"{ALICE}/outbox", f"{ALICE}/followers"):
                assert (await client.get(url, headers=headers)).status_code == 401
            whole = (await client.get(ALICE, headers=headers)).json()
            assert "summary" not in whole
            assert "followers" not in whole
    scene.proved |= {"no_object_for_refused_default", "UA_never_grants_access"}


@case("LAB-CRAWL-002")
async def _throwaway_actor(scene: Scene) -> None:
    crawler = scene.world.peer("throwaway.example", "c")
    for url in (scene.post.id, ALICE, f"{ALICE}/outbox", f"{ALICE}/outbox?page=1"):
        for scheme in ("cavage", "rfc9421", "rfc9421-ed25519"):
            found = await crawler.get(url, scheme=scheme)
            assert found.status_code == 403
            assert found.json()["code"] == "pledge-required"
            assert "mine" not in found.text
            assert found.headers["content-usage"]
    assert crawler.gets == []
    # Limits on how often are another issue's; until then nobody without a pledge gets anything to count.
    scene.proved |= {"unpledged->refused_or_label_only", "rate_limited"}


@case("LAB-CRAWL-004")
async def _follow_farming(scene: Scene) -> None:
    crawler = scene.world.peer("throwaway.example", "c")
    for inbox in (INBOX, SHARED_INBOX):
        refused = await crawler.post(inbox, crawler.activity("Follow", ALICE))
        assert (refused.status_code, refused.json()["code"]) == (403, "pledge-required")
    # Even a follower from before the rule gets nothing pushed.
    kit = scene.kit
    kit.store.relations.save_follow(crawler.me.id, ALICE, crawler.id(), "accepted", START)
    discover.keep_actor(kit, crawler.me.document())
    await publish.create(kit, scene.alice, Draft(text="for followers"))
    await scene.world.drain()
    assert crawler.received == []
    assert crawler.me.id in kit.store.relations.followers(ALICE)
    scene.proved.add("delivery_needs_pledge")


@case("LAB-CRAWL-008")
async def _replayed_for_another_url(scene: Scene) -> None:
    other = (await publish.create(scene.kit, scene.alice, Draft(text="other")))[0].id
    for scheme in ("cavage", "rfc9421", "rfc9421-ed25519"):
        signed = scene.victim.signed(scene.post.id, b"", scheme=scheme, method="GET")
        assert (await scene.victim.send(signed)).status_code == 200
        for target in (
            other,
            ALICE,
            f"{ALICE}/outbox",
            f"{scene.post.id}/replies",
            f"{scene.post.id}?page=1",
            scene.post.id + "/",
        ):
            replayed = SignedRequest(method="GET", target=target, headers=signed.headers)
            assert (await scene.mallory.send(replayed)).status_code in (307, 401, 404), target
        posted = SignedRequest(method="POST", target=SHARED_INBOX, headers=signed.headers, body=b"{}")
        assert (await scene.mallory.send(posted)).status_code in (400, 401, 415)
        scene.world.clock.forward(hours=13)
        assert (await scene.mallory.send(signed)).status_code == 401
    scene.proved.add("refused")


# Evidence


@case("LAB-EVID-001")
async def _forged_report(scene: Scene) -> None:
    forged = {**scene.post.document, "id": f"{scene.victim.base}/copy", "contentUsage": YES, "attributedTo": scene.v}
    for reported in ([scene.post.id, f"{scene.victim.base}/copy"], forged, [forged, ALICE]):
        flag = labelled(scene.mallory.activity("Flag", reported, content="victim.example strips"))
        await scene.attack(flag)
    await scene.attack(
        labelled(scene.mallory.activity("Create", {**scene.mallory.note(to=[ALICE]), "attachment": [forged]}))
    )
    origin = origin_of(scene.victim.base)
    assert scene.kit.store.peers.observations(origin) == []
    assert moderate.decision_about(scene.kit, origin).action is Action.ALLOW
    assert not any(url.startswith(scene.victim.base) for url in scene.new_fetches())
    scene.proved.add("not_accepted_without_own_observation")


@case("LAB-EVID-002")
async def _evidence_elsewhere(scene: Scene) -> None:
    mirror = f"{scene.mallory.base}/mirror"
    page = f'<meta name="content-usage" content="train-ai=y"><a href="{scene.post.id}">x</a>'
    scene.mallory.serve(mirror, page)
    scene.victim.serve(f"{scene.victim.base}/away", b"", 302, location=mirror)
    inside = ("http://169.254.169.254/latest", "https://127.0.0.1/", "https://[::1]/", "http://victim.example/", "https://victim.example:8443/",
              "https://victim.example.evil.example/", "https://victim.example@evil.example/mirror", mirror)  # fmt: skip
    seen = await probe(scene.kit, "victim.example", (*inside, f"{scene.victim.base}/away"))
    assert all(look.url.startswith(f"{scene.victim.base}/") for look in seen.looks)
    assert seen.contradictions == ()
    assert not any(url.startswith(inside[:-1]) for url in scene.new_fetches())
    assert f"{scene.victim.base}/away" in scene.new_fetches()
    scene.proved.add("fetched_from_P_origin_only")


@case("LAB-EVID-004")
async def _one_bad_day(scene: Scene) -> None:
    origin, url = origin_of(scene.victim.base), f"{scene.victim.base}/@v"
    shown = f'<link rel="canonical" href="{scene.post.id}">'
    turned = f'<meta name="content-usage" content="train-ai=y">{shown}'

    async def look(page: str) -> Action:
        scene.victim.serve(url, page)
        scene.world.clock.forward(minutes=10)
        await probe(scene.kit, "victim.example")
        return moderate.decision_about(scene.kit, origin).action

    assert await look(shown) is Action.ALLOW
    assert await look(turned) is not Action.REFUSE
    for _again in range(10):
        assert await look(shown) is not Action.REFUSE
    assert moderate.decision_about(scene.kit, origin).action is Action.ALLOW
    assert [await look(page) for page in (turned, shown, turned, shown)][-1] is not Action.REFUSE
    assert await look(turned) is Action.REFUSE
    moderate.clear(scene.kit, "victim.example")
    scene.proved |= {"no_refusal_on_single_probe", "threshold:3_of_5"}


@case("LAB-EVID-006")
async def _private_words(scene: Scene) -> None:
    secret = "between us two"
    altered = {**scene.post.document, "content": secret, "summary": secret, "contentUsage": YES}
    boost = {
        **scene.mallory.activity("Announce", altered),
        "@context": LABELLED,
        "to": [ALICE],
        "summary": secret,
        "name": secret,
    }
    assert (await scene.mallory.post(SHARED_INBOX, boost)).status_code == 403
    scene.victim.serve(
        f"{scene.victim.base}/@v",
        f'<meta name="content-usage" content="train-ai=y">{secret} <link rel="canonical" href="{scene.post.id}">',
    )
    await probe(scene.kit, "victim.example")
    rows = scene.kit.store.database.rows("SELECT * FROM observation")
    assert {row["violation"] for row in rows} == {"V2", "V3"}
    for row in rows:
        assert secret not in row["evidence"]
        assert "bodySha256" in row["evidence"] or "sha256" in row["evidence"]
    assert secret not in json.dumps(scene.kit.store.peers.audit_lines())
    scene.proved.add("only_hashes_and_minimal_fields")
    scene.attackers = [(scene.victim, scene.victim.me)]


@case("LAB-EVID-008")
async def _poisoned(scene: Scene) -> None:
    stored, sent = await publish.create(scene.kit, scene.alice, Draft(text="soon everywhere"))
    bare = {name: value for name, value in stored.document.items() if name not in IRIS}
    # mallory told the victim's server first; it shows what it was told.
    scene.victim.serve(f"{scene.victim.base}/@v", f'<p>soon everywhere</p><a href="{stored.id}">source</a>')
    scene.victim.serve_document(f"{scene.victim.base}/copy", {"@context": AS2, **bare})
    seen = await probe(scene.kit, "victim.example", (f"{scene.victim.base}/copy",))
    assert seen.contradictions == ()
    assert seen.decision.action is Action.ALLOW
    # What we sent is signed over the labels and the bytes: anybody can tell the two apart.
    await scene.world.drain()
    index = next(i for i, a in enumerate(scene.victim.received) if a["id"] == sent.id)
    headers = tuple(scene.victim.received_headers[index].items())
    inbox = f"{scene.victim.base}/inbox"
    request = SignedRequest(method="POST", target=inbox, headers=headers, body=sent.body)
    document = (await scene.victim.get(ALICE)).json()
    key = owner.find(document, ALICE, f"{ALICE}#main-key")
    assert verify.close(verify.open_request(request, scene.world.clock.now()), key, ALICE).ok
    changed = SignedRequest(method="POST", target=inbox, headers=headers, body=sent.body.replace(b"=n", b"=y"))
    assert not verify.close(verify.open_request(changed, scene.world.clock.now()), key, ALICE).ok
    scene.proved |= {"P_not_blamed", "origin_signature_shows"}


@pytest.mark.parametrize("case_id", [known for known in CASES if known not in LATER])
async def test_no_label_is_lost_loosened_or_forged(world: World, case_id: str) -> None:
    """Whatever is done to a label, a no stays a no, nobody is blamed for another's deed, and the peer goes on."""
    mode = CASES[case_id].mode
    scene = await prepared(world, pledged=mode == "pledge-required", peer_mode=mode)
    await BUILDERS[case_id](scene)
    check(scene, CASES[case_id])
    for peer, actor in scene.attackers or [(scene.victim, scene.victim.me)]:
        await scene.still_works(peer, actor)


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


def test_every_case_is_built_or_put_off_by_name() -> None:
    """No case of the file is skipped silently."""
    assert unbuilt(CASES, BUILDERS, LATER) == []
