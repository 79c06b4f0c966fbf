"""Refused and allowed hosts: one rule holds for every spelling, in every place, at every moment.

A rule is about a host and its subdomains; a look-alike is another host. WebFinger and look-alikes are next door.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attacks import hosts
from attacks.hosts import CLEAN, DENIED, PLACES, Scene, points, prepared, served, to_alice
from attacks.scene import ALICE, SHARED_INBOX
from peers.plain import PlainPeer

from gateway.activitypub.note import Draft
from gateway.errors import BadUrl, Refused
from gateway.flows import client, handles, moderate, publish, subscribe
from gateway.policy.decide import Mode
from gateway.policy.reasons import Reason
from gateway.policy.rules import Action, Rule
from gateway.policy.standing import Rung
from gateway.urls import normalise_host, origin_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

quick_keys = hosts.quick_keys
pytestmark = pytest.mark.anyio

CATALOGUE = json.loads((Path(__file__).parent / "data" / "domains.json").read_text("utf-8"))
CASES = {case["id"]: case for case in CATALOGUE["cases"]}
NEXT_DOOR = ("webfinger", "idn")  # in test_domains_webfinger.py and test_domains_look_alikes.py
# Cases that write the refused host in some way: the first are that host, the others are none at all.
SAME_HOST = ("DOM-002", "DOM-003", "DOM-004", "DOM-010")
NO_HOST = ("DOM-007", "DOM-008", "DOM-016")
ELSEWHERE = {
    "DOM-013": "test_a_look_alike_needs_a_rule_of_its_own",
    "DOM-017": "test_a_rule_ends_at_the_boundary_of_a_label",
    "DOM-018": "test_one_rule_covers_a_farm_of_subdomains",
    "DOM-020": "test_what_a_clean_host_passes_on_is_judged_by_its_origin",
    "DOM-022": "test_a_rule_stops_what_is_queued",
    "DOM-024": "test_both_hosts_of_a_split_domain_are_judged",
    "DOM-026": "test_where_hosts_are_allowed_by_name_only_those_are",
}
MORE_SAME_HOST = (
    DENIED, "Evil.ExamplE", "evil.example.", "EVIL.EXAMPLE.", "x.EVIL.example.", "evil.example:443", "evil.example:",
    "evil.example:8443", "_x.evil.example", "1.evil.example", "xn--bcher-kva.evil.example", "b\u00fccher.evil.example",
    "evil\u3002example", "evil\uff0eexample", "evil\uff61example", "a\u3002evil\uff0eexample", "ev\u00adil.example",
    "ev\u200bil.example", "\u24d4\u24e5\u24d8\u24db.example", "\U0001d41e\U0001d42f\U0001d422\U0001d425.example",
    "evi\u2113.example", "evil.\uff45xample", "evil.example#.clean.example", "evil.example?.clean.example",
)  # fmt: skip
MORE_NO_HOST = (
    "evil.example\t", "evil.example\n", "evil\t.example", "evil.example%09", "evil.example%00", "evil.example\x00",
    "evil%2eexample", "%65vil.example", "evil.example..", "evil.example\u3002", "evil.example\uff0e", "evil..example",
    "clean.example@evil.example", "@evil.example", "user:pw@evil.example", "evil.example\\.clean.example",
    "clean.example\\@evil.example", "evil.example:99999", "evil.example:x", "evil.example;x", "evil.example,x",
    "[evil.example]", "evil.example]", "ev\u200dil.example", "\u202eevil.example", "evil.example\u200e",
    "evil.example\u2100", "xn--evil-.example",
)  # fmt: skip
# Where the sender's own host is not the refused one, a 202 says only that there was nothing to refuse at the door.
DOOR = ("sender", "key-", "signed-get", "activity-id", "proven-", "bearer-")
AT_THE_DOOR = frozenset(name for name in PLACES if name.startswith(DOOR))
BY_US = frozenset({"what-alice-writes", "what-alice-does", "shared-inbox"})
HARMLESS = frozenset(
    {
        "key-id",
        "key-of-a-proof",
        "activity-id",
        "object-id",
        "author",
        "inbox",
        "shared-inbox",
        "redirect-of-an-actor",
        "redirect-of-a-key",
    }
)


def spelling(case_id: str) -> str:
    """Return how a case writes the refused host."""
    return str(CASES[case_id]["build"]["case"]["host"])


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Return a gateway at which nobody is refused yet."""
    made = await prepared(tmp_path)
    yield made
    await made.world.close()


def wrongs(scene: Scene, place: str) -> list[str]:
    """Return what was taken from a refused host, asked of it or told it."""
    wrong = [f"contacted {host}" for host in scene.contacted(DENIED if place in BY_US else "")]
    allowed = {400, 401, 403} if place in AT_THE_DOOR else {202, 400, 401, 403}
    wrong += [
        f"answered {answer.status}: {answer.text[:300]}" for answer in scene.answers if answer.status not in allowed
    ]
    for name, rows in scene.changed().items():
        if place not in BY_US or name in ("peer", "remote_actor", "statement", "recipient"):
            wrong += [f"kept in {name}: {row}" for row in rows if place not in BY_US or DENIED in str(row)]
    return wrong


async def everywhere(scene: Scene, peer: PlainPeer) -> dict[str, list[str]]:
    """Let a refused host try every place; return what went wrong, by place."""
    found = {}
    for place, attempt in PLACES.items():
        scene.mark()
        await attempt(scene, peer)
        found[place] = wrongs(scene, place)
    return {place: wrong for place, wrong in found.items() if wrong}


@pytest.mark.parametrize("case_id", SAME_HOST)
async def test_a_refused_host_is_refused_however_it_is_written(scene: Scene, case_id: str) -> None:
    """Wherever the host stands and however it is written, it is the host of the rule."""
    peer = scene.connect(spelling(case_id))
    scene.refuse()
    assert await everywhere(scene, peer) == {}
    for place in ("sender", "sender-with-rfc9421", "sender-with-the-plain-key-id"):
        # A key id in a header is ASCII: what is not is none.
        if peer.base.isascii() or place == "sender-with-the-plain-key-id":
            scene.mark()
            await PLACES[place](scene, peer)
            assert {answer.json["code"] for answer in scene.answers} == {"refused-by-rule"}


@pytest.mark.parametrize("case_id", NO_HOST)
async def test_what_is_no_host_is_refused_as_such(scene: Scene, case_id: str) -> None:
    """User info, escapes and control characters make no host, refused or not."""
    peer = scene.connect(spelling(case_id))
    scene.refuse()
    assert await everywhere(scene, peer) == {}
    await PLACES["sender"](scene, peer)
    codes = {answer.json["code"] for answer in scene.answers}
    assert codes <= {"malformed-signature", "bad-url", "no-actor", "not-authenticated"}


@pytest.mark.parametrize("place", PLACES)
async def test_each_place_by_itself(scene: Scene, place: str) -> None:
    """A refused host gets nowhere, whatever else it tried before or not."""
    peer = scene.connect(DENIED)
    scene.refuse()
    await PLACES[place](scene, peer)
    assert wrongs(scene, place) == []


@pytest.mark.parametrize("spelled", [*MORE_SAME_HOST, *MORE_NO_HOST], ids=ascii)
async def test_no_spelling_gets_past_a_rule(scene: Scene, spelled: str) -> None:
    """Case, dots, ports, compatibility letters, invisible characters and URL tricks open no place."""
    peer = scene.connect(spelled)
    scene.refuse()
    assert await everywhere(scene, peer) == {}


@pytest.mark.parametrize("place", sorted(PLACES.keys() - HARMLESS))
async def test_without_the_rule_each_place_has_its_effect(scene: Scene, place: str) -> None:
    """What the tests above refuse would otherwise be asked for: they can fail."""
    peer = scene.connect("EVIL.Example")
    scene.mark()
    await PLACES[place](scene, peer)
    assert DENIED in scene.contacted()


@pytest.mark.parametrize("spelled", ["EVIL.Example", "sub.evil.example", "a.b.c.d.evil.example", "evil.example."])
async def test_without_the_rule_the_sender_is_welcome(scene: Scene, spelled: str) -> None:
    """The same deliveries are kept when nothing is held against the host."""
    peer = scene.connect(spelled)
    await PLACES["sender"](scene, peer)
    assert [answer.status for answer in scene.answers] == [202, 202, 202]
    assert scene.kit.store.relations.follow(peer.me.id, ALICE) is not None
    assert [row["owner"] for row in scene.changed()["object"]] == [peer.me.id]


async def test_who_was_known_before_the_rule_is_refused_as_well(scene: Scene) -> None:
    """Actors and keys in the store open nothing that the rule closed."""
    peer = scene.connect(DENIED)
    await handles.resolve(scene.kit, peer.me.id)
    scene.refuse()
    assert await everywhere(scene, peer) == {}


# Whoever is another host is another host.


@pytest.mark.parametrize(
    "host",
    [
        spelling("DOM-017"), "xevil.example", "evil-example.example", "evil.example.org", "evil.example.clean.example",
        "evil.examples", "vil.example", "evilexample",
    ],
)  # fmt: skip
async def test_a_rule_ends_at_the_boundary_of_a_label(scene: Scene, host: str) -> None:
    """DOM-017: a host that merely ends, begins or looks like the refused one is taken, and found by its handle."""
    scene.refuse()
    peer = scene.world.peer(host, "m")
    points(peer, f"m@{host}", peer.me.id)
    assert (await scene.post(peer, to_alice(peer))).status == 202
    assert [row["owner"] for row in scene.changed()["object"]] == [peer.me.id]
    assert (await handles.resolve(scene.kit, f"@m@{host}")).id == peer.me.id


async def test_a_look_alike_needs_a_rule_of_its_own(scene: Scene) -> None:
    """DOM-013: the A-label of a look-alike is another domain, and its own rule refuses it in every place."""
    host = spelling("DOM-013")
    peer = scene.connect(host)
    scene.refuse()
    assert not moderate.decision_about(scene.kit, origin_of(peer.base)).refuses
    scene.refuse(host)
    assert await everywhere(scene, peer) == {}


@pytest.mark.parametrize(
    "host",
    [
        "xn--.example", "xn--evil.example", "xn--evil-.example", "XN--EVIL-.example", "xn--a.example", "xn---.example",
        "xn--ls8h.example", "xn--0.example", "xn--evl-\u0131.example", "a.xn--evil-.example", "xn--evil-.evil.example",
        "xn--" + "a" * 60 + ".example", "xn--9999999999.example", "xn--zn7c.com",
    ],
)  # fmt: skip
async def test_what_is_no_valid_a_label_is_no_host(scene: Scene, host: str) -> None:
    """DOM-013: a label that claims to be punycode and is none, or stands for what IDNA forbids, is bad input."""
    with pytest.raises(BadUrl):
        normalise_host(host)
    peer = scene.connect(host)
    scene.mark()
    answer = await scene.post(peer, to_alice(peer))
    assert answer.status in {400, 401}
    assert scene.contacted() == []
    assert scene.changed() == {}


def farm(count: int) -> list[str]:
    """Return random subdomains of one registrable domain."""
    dice = random.Random(9421)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return [f"{''.join(dice.choices(letters, k=dice.randint(1, 30)))}.farm.example" for _ in range(count)]


@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.long)])
async def test_one_rule_covers_a_farm_of_subdomains(tmp_path: Path, step: int) -> None:
    """DOM-018: 5,000 subdomains are refused by one rule, and none of them leaves anything or is asked anything."""
    scene = await prepared(tmp_path, limit_network=0)
    scene.refuse("farm.example")
    names = farm(5_000)
    for host in names:
        decision = moderate.decision_about(scene.kit, origin_of(f"https://{host}"))
        assert (decision.refuses, decision.reason) == (True, Reason.REFUSED_BY_RULE)
    soft = [len(found._items) for found in (scene.kit.failed_fetches, scene.kit.refetched)]
    for host in names[::step]:
        peer = PlainPeer(f"https://{host}", "m", scene.world.clock, scene.board)
        answer = await scene.post(peer, to_alice(peer))
        assert (answer.status, answer.json["code"]) == (403, "refused-by-rule")
    assert scene.contacted() == []
    assert scene.changed() == {}
    assert [len(found._items) for found in (scene.kit.failed_fetches, scene.kit.refetched)] == soft
    assert [rule.host for rule in scene.kit.store.peers.rules()] == ["farm.example"]
    await scene.world.close()


async def test_a_farm_of_subdomains_shares_one_quota(tmp_path: Path) -> None:
    """DOM-018: before anybody made a rule, subdomains share their domain's rate; others keep theirs."""
    scene = await prepared(tmp_path, limit_peer=20)
    statuses, kept = [], []
    for host in dict.fromkeys(farm(60)):
        peer = PlainPeer(f"https://{host}", "m", scene.world.clock, scene.board)
        scene.board.apps[host] = peer.app
        answer = await scene.post(peer, to_alice(peer))
        statuses.append(answer.status)
        kept.append(len(scene.visible()["remote_actor"]))
    assert statuses == [202] * 20 + [429] * 40
    assert int(scene.answers[-1].header("retry-after")) > 0
    assert len(scene.changed()["object"]) == 20
    other = scene.connect("other.example")
    assert (await scene.post(other, to_alice(other))).status == 202
    # Who is turned away must not make us ask and remember for it, either.
    assert kept[-1] == kept[19]
    asked = [host for host in scene.contacted() if host.endswith(".farm.example")]
    assert len(set(asked)) == 20
    await scene.world.close()


# Through others, later, and under two names.


@pytest.mark.parametrize("kind", ["Person", "Application", "Service", "Group"])
@pytest.mark.parametrize("cached", [False, True], ids=["unknown", "cached"])
async def test_what_a_clean_host_passes_on_is_judged_by_its_origin(scene: Scene, kind: str, cached: bool) -> None:  # noqa: FBT001
    """DOM-020: a refused host's post comes in through nobody's boost or relay, whether it was known before or not."""
    evil = scene.connect(DENIED)
    relay = scene.clean.actor("relay")
    scene.clean.serve_document(relay.id, relay.document(type=kind))
    await handles.resolve(scene.kit, relay.id)
    sent = subscribe.follow(scene.kit, scene.alice, relay.id)
    await scene.post(scene.clean, scene.clean.activity("Accept", sent.id, relay), relay)
    if cached:
        await scene.post(scene.clean, scene.clean.activity("Announce", served(evil)))
        assert scene.kit.store.objects.get(served(evil)) is not None
    scene.refuse()
    note = {**evil.note("from there"), "id": served(evil)}
    create = {**evil.activity("Create", note), "id": evil.id()}
    for target in (served(evil), note, create, create["id"], {"type": "Link", "href": served(evil)}, [served(evil)]):
        await scene.post(scene.clean, scene.clean.activity("Announce", target, relay, to=[ALICE]), relay)
    await scene.post(scene.clean, scene.clean.activity("Add", note, relay, to=[ALICE]), relay)
    assert {answer.status for answer in scene.answers} <= set(CASES["DOM-020"]["expect"]["status"])
    assert scene.contacted() == []
    assert scene.changed() == {}


@pytest.mark.parametrize("place", ["boosted", "redirect-of-a-note", "new-home"])
async def test_nobody_is_told_what_leads_to_a_refused_host(scene: Scene, place: str) -> None:
    """DOM-020: what a clean host says about a refused one is in nobody's inbox, for software to follow."""
    peer = scene.connect(DENIED)
    scene.refuse()
    before = scene.kit.store.inboxes.size(ALICE)
    await PLACES[place](scene, peer)
    assert scene.kit.store.inboxes.size(ALICE) == before


async def _follower_and_post(scene: Scene, host: str) -> PlainPeer:
    """Let somebody at ``host`` follow alice, and alice publish; nothing is delivered yet."""
    peer = scene.connect(host)
    await scene.post(peer, peer.activity("Follow", ALICE))
    peer.received.clear()
    await publish.create(scene.kit, scene.alice, Draft(text="for followers"))
    assert [job.peer for job in scene.kit.store.jobs.find(kinds=("deliver",), peer=str(origin_of(peer.base)))]
    return peer


@pytest.mark.parametrize("host", [DENIED, "sub.evil.example", "EVIL.example"])
@pytest.mark.parametrize("how", ["by-command", "by-another-process", "while-it-failed"])
async def test_a_rule_stops_what_is_queued(scene: Scene, host: str, how: str) -> None:
    """DOM-022: once the rule is made nothing more is delivered, whatever waits, however the rule came to be."""
    peer = await _follower_and_post(scene, host)
    if how == "while-it-failed":
        peer.inbox_status = 503
        await scene.world.drain()
        assert [document["type"] for document in peer.received] == ["Create"]
        peer.received.clear()
        peer.inbox_status = 202
    if how == "by-command":
        scene.refuse()
    else:
        rule = Rule(id="r", host=DENIED, action=Action.REFUSE)
        scene.kit.store.peers.save_rule(rule, scene.world.clock.now())
        scene.mark()
    for _ in range(20):
        await scene.world.drain()
        scene.world.clock.forward(hours=2)
    assert scene.contacted() == []
    assert peer.received == []
    jobs = scene.kit.store.jobs.find(kinds=("deliver",), states=("dropped",), peer=str(origin_of(peer.base)))
    assert [job.problem for job in jobs] == ["refused-by-rule"]
    assert scene.kit.store.jobs.count("queued") == 0


async def test_without_a_rule_what_is_queued_is_delivered(scene: Scene) -> None:
    """DOM-022: the same delivery arrives when nobody made a rule: the test above can fail."""
    peer = await _follower_and_post(scene, DENIED)
    await scene.world.drain()
    assert [document["type"] for document in peer.received] == ["Create"]


async def test_a_rule_stops_what_is_looked_up_and_passed_on(scene: Scene) -> None:
    """DOM-022: recipients that are still to be found and activities to be forwarded are stopped as well."""
    peer = await _follower_and_post(scene, DENIED)
    await scene.world.drain()
    peer.received.clear()
    post = scene.kit.store.objects.by_owner(ALICE, limit=1)[0]
    reply = scene.clean.note("re", inReplyTo=post.id, to=[f"{ALICE}/followers"], cc=[])
    body = json.dumps(scene.clean.activity("Create", reply, to=[f"{ALICE}/followers"])).encode()
    assert (await scene.clean.send(scene.clean.signed(SHARED_INBOX, body))).status_code == 202
    await scene.home.worker.drain(rounds=1)
    stranger = f"{peer.base}/users/stranger"
    peer.actor("stranger")
    await client.submit(scene.kit, scene.alice, {"type": "Note", "content": "x", "to": [stranger]})
    waiting = {job.kind for job in scene.kit.store.jobs.find(peer=peer.base)}
    assert waiting == {"forward", "address"}
    scene.kit.store.peers.save_rule(Rule(id="r", host=DENIED, action=Action.REFUSE), scene.world.clock.now())
    scene.mark()
    await scene.world.drain()
    assert scene.contacted() == []
    assert peer.received == []
    assert scene.kit.store.jobs.find(peer=peer.base) == []


@pytest.mark.parametrize("known", [False, True], ids=["stranger", "known"])
async def test_both_hosts_of_a_split_domain_are_judged(scene: Scene, known: bool) -> None:  # noqa: FBT001
    """DOM-024: a handle is nobody's when its own domain or its actor's host is refused; neither is asked."""
    evil = scene.connect(DENIED)
    dave = scene.clean.actor("dave")
    handles_and_actors = ((f"m@{CLEAN}", evil.me.id), (f"dave@{DENIED}", dave.id))
    for handle, actor in handles_and_actors:
        for peer in (scene.clean, evil):
            points(peer, handle, actor)
        if known:
            assert (await handles.resolve(scene.kit, f"@{handle}")).id == actor
    scene.refuse()
    for handle, _ in handles_and_actors:
        with pytest.raises(Refused) as refused:
            await handles.resolve(scene.kit, f"@{handle}")
        assert refused.value.reason == "refused-by-rule"
        await scene.attempt(publish.create(scene.kit, scene.alice, Draft(text=f"hello @{handle}")))
    assert scene.contacted() == []
    assert scene.changed().keys() <= {"object", "activity", "recipient"}


# Lists of those who are allowed.


@pytest.mark.parametrize("how", ["rule", "pledge"])
async def test_where_hosts_are_allowed_by_name_only_those_are(tmp_path: Path, how: str) -> None:
    """DOM-026: in pledge-required mode no suffix, prefix, subdomain, other port or other host is let in by a name."""
    scene = await prepared(tmp_path, peer_mode=Mode.OBSERVE)
    scene = await reopened(scene, peer_mode=Mode.PLEDGE_REQUIRED, allowed_ports=[8443])
    ours = origin_of("https://example.org")
    if how == "rule":
        moderate.set_rule(scene.kit, "example.org", Action.ALLOW)
    else:
        scene.kit.store.peers.seen(ours, scene.world.clock.now())
        scene.kit.store.peers.set_rung(ours, Rung.PLEDGED)
    strangers = [
        "example.org.evil.example", "evilexample.org", "sub.example.org", "example.org-evil.example", "example.orgs",
        "example.com", "org", "example.org@evil.example", "example.org%2eevil.example", "evil.example#example.org",
        "evil.example?example.org", "evil.example\\.example.org", "xn--exmple-4nf.org", "example.org.example.org",
        "ex\u0430mple.org", "evil.example:443",
    ]  # fmt: skip
    strangers += ["example.org:8443"] if how == "pledge" else []
    for host in strangers:
        peer = scene.connect(host)
        scene.mark()
        for place in ("sender", "signed-get", "boosted", "webfinger"):
            await PLACES[place](scene, peer)
            assert scene.contacted() == [], (host, place)
            assert scene.changed() == {}, (host, place)
        at_the_door = {answer.status for answer in scene.answers[:3]}
        assert at_the_door <= set(CASES["DOM-026"]["expect"]["status"]) - {202}, host
    for host in ("example.org", "EXAMPLE.org", "example.org."):
        peer = scene.connect(host)
        scene.mark()
        assert (await scene.post(peer, to_alice(peer))).status == 202, host
        assert scene.changed()["object"], host


async def reopened(scene: Scene, **settings: Any) -> Scene:
    """Return the same gateway after a restart with other settings; the clean peer is let in by a rule."""
    moderate.set_rule(scene.kit, CLEAN, Action.ALLOW)
    await scene.world.close()
    scene.world.gateways.clear()
    scene.home = scene.world.gateway(**settings)
    scene.mark()
    return scene


def test_no_case_is_left_out() -> None:
    """Every case of these classes is run here, every other one next door."""
    here = {case["id"] for case in CATALOGUE["cases"] if case["class"] not in NEXT_DOOR}
    assert {*SAME_HOST, *NO_HOST, *ELSEWHERE} == here
    assert not set(SAME_HOST) & set(NO_HOST) & ELSEWHERE.keys()
    assert all(name in globals() for name in ELSEWHERE.values())
    assert len(CASES) == CATALOGUE["count"]
