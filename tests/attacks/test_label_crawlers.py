"""Crawlers that get around what is asked of them, and evidence against peers that does not hold."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from attacks.label_scene import perform
from attacks.scene import ALICE, INBOX, LABELLED, SHARED_INBOX, YES, Builders, Scene, labelled
from peers.plain import AS2
from world import START

from gateway.activitypub.note import Draft
from gateway.carriers.jsonld_terms import IRIS
from gateway.flows import discover, moderate, publish
from gateway.flows.watch import probe
from gateway.policy.rules import Action
from gateway.signatures import owner, verify
from gateway.signatures.keys import ED25519_PREFIX, base58_encode
from gateway.signatures.request import SignedRequest
from gateway.urls import origin_of

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
BUILDERS = Builders()
case = BUILDERS.case


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


@pytest.mark.parametrize("case_id", [*BUILDERS])
async def test_no_label_is_lost_loosened_or_forged(world: World, case_id: str) -> None:
    """Whatever is done to a label, a no stays a no, nobody is blamed for another's deed, and the peer goes on."""
    await perform(world, case_id, BUILDERS[case_id])
