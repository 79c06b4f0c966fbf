"""Nobody multiplies themselves through us: how many requests one cause leads to, by fan-out, fan-in and loops."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from attacks import amplification_scene, test_amplification_floods
from attacks.amplification_scene import CASES, LATER, perform
from attacks.maze import FOLLOWERS, Lodging, Shy, apart, maze, out
from attacks.scene import ALICE, INBOX, SHARED_INBOX, Builders, Scene, labelled, unbuilt
from attacks.signature_documents import proven
from peers.plain import ACTIVITY_JSON, AS2, CONTEXT, PUBLIC
from world import BASE, account

from gateway.activitypub.note import Draft
from gateway.flows import client, discover, handles, publish
from gateway.jobs.worker import SHARE

if TYPE_CHECKING:
    from world import World

    from gateway.runtime import Gateway

quick_keys = amplification_scene.quick_keys
pytestmark = pytest.mark.anyio
BUILDERS = Builders()
case = BUILDERS.case
AN_ACTIVITY = 20
STATES = ("queued", "leased", "done", "dead", "dropped")


# Fan-out


@case("AMP-005")
async def _many_inboxes_at_one_victim(scene: Scene) -> None:
    crowd = scene.world.peer("crowd.example", "first")
    scene.victim.received.clear()
    for number, inbox in enumerate((f"{scene.v}/inbox", f"{scene.victim.base}/inbox", "https://crowd.example:8443/in")):
        actor = crowd.actor(f"bomber{number}")
        crowd.serve_document(actor.id, actor.document(inbox=inbox))
        scene.answers.append(await crowd.post(INBOX, crowd.activity("Follow", ALICE, actor), actor))
        assert scene.answers[-1].status_code == 401
        assert scene.kit.store.relations.follow(actor.id, ALICE) is None
    scene.proved.add("inbox_host==actor_host")
    for number in range(20):
        actor = replace(crowd.me, id=f"{crowd.base}/users/fan{number}")
        changes = {} if number % 2 else {"inbox": f"{crowd.base}/inbox", "endpoints": None}
        crowd.serve_document(actor.id, actor.document(**changes))
        await scene.genuine(crowd.activity("Follow", ALICE, actor), actor, crowd)
    crowd.received.clear()
    await publish.create(scene.kit, scene.alice, Draft(text="to everybody"))
    await scene.world.drain()
    assert [document["type"] for document in crowd.received] == ["Create"]
    scene.proved.add("dedupe_by_sharedInbox")
    # What cannot be told to be one inbox: a host is never given every hand that there is.
    lodger = Lodging("https://lodging.example")
    scene.world.board.apps["lodging.example"] = lodger
    for number in range(32):
        lodger.lodge(scene, f"guest{number}")
    await publish.create(scene.kit, scene.alice, Draft(text="to everybody again"))
    await scene.world.drain()
    assert lodger.posts == 32
    assert lodger.most <= SHARE, "one host takes every worker that there is"
    scene.proved.add("deliveries_per_target_host_limited")


@case("AMP-006")
async def _a_new_inbox_host_each_time(scene: Scene) -> None:
    known = scene.visible()
    peers = len(scene.kit.store.peers.all(scene.world.clock.now()))
    for number in range(30):
        document = scene.mallory.me.document(inbox=f"https://inbox{number}.example/in")
        scene.mallory.serve_document(scene.m, document)
        await scene.attack(scene.mallory.activity("Update", scene.m))
    assert len(scene.kit.store.peers.all(scene.world.clock.now())) == peers
    assert scene.kit.store.database.rows("SELECT * FROM remote_actor WHERE inbox LIKE 'https://inbox%'") == []
    scene.mallory.serve_document(scene.m, scene.mallory.me.document())
    assert scene.visible() == known
    # Whoever has a domain has a host for every day: what came of strangers does not stay for ever.
    for number in range(12):
        wave = scene.world.peer(f"wave{number}.surf.example", "w")
        deeds = {"Like": "https://nowhere.example/1", "Undo": f"{wave.base}/never", "Follow": scene.v}
        for kind, target in deeds.items():
            scene.answers.append(await wave.post(SHARED_INBOX, wave.activity(kind, target)))
        await scene.world.drain()
    assert _left_of(scene, "surf.example")["peer"] == 12
    scene.world.clock.forward(days=400)
    scene.home.prune()
    assert {table: rows for table, rows in _left_of(scene, "surf.example").items() if rows} == {}
    scene.proved.add("rows_bounded_ttl")


def _left_of(scene: Scene, domain: str) -> dict[str, int]:
    """Return how many rows are about a domain's hosts, per table."""
    columns = {
        "peer": "origin", "remote_actor": "id", "remote_key": "actor", "arrival": "actor", "undone": "actor",
        "statement": "declared_id", "follow": "follower",
    }  # fmt: skip
    count = scene.kit.store.database.value
    return {
        table: int(count(f"SELECT count(*) FROM {table} WHERE {column} LIKE :l", l=f"%.{domain}%"))  # noqa: S608 - names of this file
        for table, column in columns.items()
    }


@case("AMP-007")
async def _a_shared_inbox_of_somebody_else(scene: Scene) -> None:
    bystander = scene.world.peer("bystander.example", "b")
    evil = scene.mallory
    other = ("https://evil.example:8443/inbox", "http://evil.example/inbox", "https://sub.evil.example/inbox")
    wrong = (f"{bystander.base}/inbox", bystander.me.id, f"{BASE}/inbox", "https://evil.example@bystander.example/x")
    for number, shared in enumerate((*wrong, *other, {"id": f"{bystander.base}/inbox"}, ["x"], 5)):
        actor = evil.actor(f"m{number}")
        evil.serve_document(actor.id, actor.document(endpoints={"sharedInbox": shared}))
        await scene.genuine(evil.activity("Follow", ALICE, actor), actor, evil)
        known = scene.kit.store.relations.actor(actor.id)
        assert known is not None
        assert known.best_inbox == f"{actor.id}/inbox"
    asked = len(out(scene.world))
    await publish.create(scene.kit, scene.alice, Draft(text="not for bystanders"))
    await scene.world.drain()
    told = {request.url.host for request in out(scene.world)[asked:]}
    assert told == {"evil.example", "victim.example"}  # who follows, at their own hosts
    assert bystander.received == []
    scene.proved.add("sharedInbox_same_host_only")


# Fan-in


@case("AMP-008")
async def _previews(scene: Scene) -> None:
    far = "https://famous.example"
    looks = {
        "content": f'<p><a href="{far}/1">look</a> <img src="{far}/2.png"> {far}/3</p>',
        "url": [f"{far}/4", {"type": "Link", "href": f"{far}/5", "mediaType": ACTIVITY_JSON}],
        "attachment": [
            {"type": "Image", "url": f"{far}/6.png", "preview": f"{far}/7"}, {"type": "Link", "href": f"{far}/8"},
        ],
        "icon": {"type": "Image", "url": f"{far}/9.png"}, "image": {"type": "Image", "url": f"{far}/10.png"},
        "preview": {"type": "Link", "href": f"{far}/11"}, "quoteUrl": f"{far}/12", "quote": f"{far}/13",
        "tag": [
            {"type": "Emoji", "name": ":x:", "icon": {"type": "Image", "url": f"{far}/14.png"}},
            {"type": "Mention", "href": f"{far}/users/15"}, {"type": "Link", "href": f"{far}/16", "rel": "preview"},
        ],
        "replies": f"{far}/17", "likes": f"{far}/18", "shares": f"{far}/19", "context": f"{far}/20",
        "generator": f"{far}/21", "location": f"{far}/22", "source": f"{far}/23",
    }  # fmt: skip
    for kind in ("Note", "Article", "Question", "Video", "Page"):
        note = {**scene.mallory.note(), **looks, "type": kind}
        await scene.attack(labelled(scene.mallory.activity("Create", note)))
        assert scene.stored(note["id"]) is not None


# Loops


@case("AMP-010")
async def _ten_thousand_ancestors(scene: Scene) -> None:
    labyrinth = maze(scene.world)
    stored = len(scene.visible()["object"])
    for above in (labyrinth.new(), labyrinth.new("notes")):
        note = scene.mallory.note(inReplyTo=above, to=[PUBLIC, ALICE], cc=[FOLLOWERS])
        scene.world.clock.forward(minutes=1)
        asked = len(out(scene.world))
        await scene.attack(scene.mallory.activity("Create", note, to=[PUBLIC], cc=[ALICE, FOLLOWERS]))
        assert 4 < len(out(scene.world)) - asked <= AN_ACTIVITY
    assert len(scene.visible()["object"]) == stored + 2
    scene.asked = len(scene.fetches()) - 1  # each of the two was counted by itself


@case("AMP-013")
async def _pages_without_end(scene: Scene) -> None:
    labyrinth, looping = maze(scene.world), scene.world.peer("loop.example", "l")
    itself = f"{looping.base}/lists/1"
    page = {"@context": AS2, "id": itself, "type": "OrderedCollectionPage", "orderedItems": []}
    looping.serve_document(itself, {**page, "first": itself, "next": itself, "last": itself, "prev": itself})
    inner = {"type": "CollectionPage", "id": f"{itself}?page=1", "next": f"{itself}?page=1", "items": [itself]}
    looping.serve_document(f"{itself}?page=1", {"@context": AS2, **inner})
    looping.serve_document(f"{looping.base}/lists/2", {**page, "id": f"{looping.base}/lists/2", "first": inner})
    for address in (itself, labyrinth.new("pages"), f"{looping.base}/lists/2"):
        labyrinth.seen.clear()
        looping.gets.clear()
        await client.submit(scene.kit, scene.alice, {"type": "Note", "content": "x", "to": [address]})
        await scene.world.drain()
        assert 1 <= len({*labyrinth.seen, *looping.gets}) <= 10
        # Whoever sends such a thing makes nobody turn its pages.
        labyrinth.seen.clear()
        looping.gets.clear()
        listed = {"id": address, "type": "OrderedCollection", "first": address, "next": f"{address}?page=1"}
        for kind in ("Create", "Announce", "Add", "Flag"):
            await scene.attack(scene.mallory.activity(kind, listed))
        assert {*labyrinth.seen, *looping.gets} <= {address.removeprefix(labyrinth.base).removeprefix(looping.base)}
    assert not scene.kit.store.jobs.find()
    scene.proved.add("pages_le:10")


@case("AMP-014")
async def _counts_that_are_none(scene: Scene) -> None:
    crowd = scene.world.peer("crowd.example", "c")
    for number, total in enumerate((-1, 10**18, 1e300, "many", None, [1], {"a": 1}, True, "1e400")):
        address = f"{crowd.base}/lists/{number}"
        listed = {"@context": AS2, "id": address, "type": "Collection", "totalItems": total, "items": [crowd.me.id]}
        crowd.serve_document(address, listed)
        crowd.received.clear()
        await client.submit(scene.kit, scene.alice, {"type": "Note", "content": "x", "to": [address]})
        await scene.world.drain()
        assert [document["type"] for document in crowd.received] == ["Create"]
        replies = {"id": scene.mallory.id("replies"), "type": "Collection", "totalItems": total, "first": address}
        note = scene.mallory.note(replies=replies, likes=replies, shares={"totalItems": total})
        await scene.attack(scene.mallory.activity("Create", note))
        assert scene.stored(note["id"]) is not None
        async with scene.world.client() as browser:
            scene.answers.append(await browser.get("/@alice"))
    jobs = scene.kit.store.jobs.find(states=STATES)
    assert {job.state for job in jobs} == {"done"}, [job.problem for job in jobs]
    scene.proved.add("ignored")


@case("AMP-015")
async def _nested_for_ever(scene: Scene) -> None:
    labyrinth = maze(scene.world)
    inner: dict[str, Any] = {"type": "Document", "url": labyrinth.new("files"), "attachment": labyrinth.new()}
    for _ in range(10):
        inner = {"type": "Note", "id": labyrinth.new(), "attachment": [inner], "object": labyrinth.new()}
    note = scene.mallory.note(attachment=[inner], cc=[FOLLOWERS])
    await scene.attack(scene.mallory.activity("Create", note, cc=[FOLLOWERS]))
    assert scene.stored(note["id"]) is not None
    assert {path.split("/")[1] for path in labyrinth.seen} == set()
    bare = labyrinth.new("notes")
    await scene.attack(scene.mallory.activity("Announce", bare))
    assert {path.split("/")[1] for path in labyrinth.seen} == {"notes", "users"}  # the note, its author, no file


@case("AMP-017")
async def _forwarding_in_circles(scene: Scene) -> None:
    other = "https://other.example"
    there = scene.world.gateway(other)
    bert = account(there, "bert")
    apart(scene.world)
    for gateway, follower, followed in ((scene.home, ALICE, bert.id), (there, bert.id, ALICE)):
        await _follow(gateway, follower, followed)
        await scene.world.drain()
    _, theirs = await publish.create(there.kit, bert, Draft(text="first"))
    await scene.world.drain()
    answer = await client.submit(scene.kit, scene.alice, {"type": "Note", "content": "x", "inReplyTo": theirs.object,
                                                          "to": [PUBLIC], "cc": [FOLLOWERS, bert.id]})  # fmt: skip
    await scene.world.drain()
    dora = scene.world.peer("dora.example", "dora")
    for is_proven in (False, True):
        note = dora.note("round and round", inReplyTo=answer.object, cc=[FOLLOWERS, f"{bert.id}/followers"])
        reply = {**dora.activity("Create", note, cc=note["cc"]), "@context": CONTEXT}
        reply = proven(reply, dora.me) if is_proven else reply
        mark = len(scene.world.board.requests)
        scene.answers.append(await dora.post(INBOX, reply))
        await scene.world.drain()
        first = _passed_on(scene, reply["id"], mark)
        assert (BASE, "other.example") in first
        # The other side takes what is proven, has something to do with it, and still does not pass it on again.
        assert (there.kit.store.arrivals.get(reply["id"], dora.me.id) is not None) is is_proven
        assert [pair for pair in first if pair[0] == other] == []
        # A follower's server that hands it back, in its author's name or its own, sets nothing going.
        for sender in (dora, scene.victim):
            scene.answers.append(await sender.post(INBOX, reply))
        await scene.world.drain()
        assert _passed_on(scene, reply["id"], mark) == first
    scene.proved.add("max_forward_depth:1")


async def _follow(gateway: Gateway, follower: str, followed: str) -> None:
    await handles.resolve(gateway.kit, followed)
    found = gateway.kit.store.accounts.by_id(follower)
    assert found is not None
    await client.submit(gateway.kit, found, {"type": "Follow", "object": followed})


def _passed_on(scene: Scene, activity: str, mark: int) -> list[tuple[str, str]]:
    """Return which gateway sent an activity to which host since the mark."""
    found: list[tuple[str, str]] = []
    posts = [request for request in scene.world.board.requests[mark:] if request.method == "POST"]
    for base in (gateway.kit.base for gateway in scene.world.gateways):
        made = {id(request) for request in out(scene.world, base)}
        ours = [request for request in posts if id(request) in made]
        found += [(base, one.url.host) for one in ours if json.loads(one.content).get("id") == activity]
    return found


@case("AMP-018")
async def _two_that_wait_for_each_other(scene: Scene) -> None:
    other = scene.world.gateway("https://other.example")
    bert = account(other, "bert")
    apart(scene.world)
    mark, started = len(scene.world.board.requests), time.monotonic()
    found = await discover.actor_at(scene.kit, bert.id)
    assert found.document.get("followers"), "the whole actor, which is shown only to who signs"
    assert len(scene.world.board.requests) - mark <= 4
    # A server that answers no key request before it has our key, and asks for it signed with a new one each time.
    shy = Shy(scene)
    scene.world.board.apps["shy.example"] = shy
    for _ in range(3):
        scene.answers.append(await shy.peer.post(SHARED_INBOX, shy.peer.activity("Like", scene.post.id)))
    assert scene.answers[-1].status_code == 202
    assert shy.asked <= 30
    assert time.monotonic() - started <= 10
    scene.proved.add("time_s_le:10")
    async with scene.world.client() as stranger:
        scene.answers.append(await stranger.get("/actor", headers={"accept": ACTIVITY_JSON}))
    assert scene.answers[-1].json()["publicKey"]["owner"] == f"{BASE}/actor"
    scene.proved.add("instance_actor_unsigned_ok")


@pytest.mark.parametrize("case_id", [*BUILDERS])
async def test_nobody_is_multiplied(world: World, case_id: str) -> None:
    """What a peer sets going stays within its bound, and the next rightful activity is taken."""
    await perform(world, case_id, BUILDERS[case_id])


def test_no_case_is_left_out() -> None:
    """Every case of the file is run, or listed with the reason why not."""
    assert unbuilt(CASES, [*BUILDERS, *test_amplification_floods.BUILDERS], LATER) == []
