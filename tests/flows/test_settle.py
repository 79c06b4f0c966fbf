"""What arrivals do, for each type, end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, arrives, follows, home_of, published, types
from world import BASE, account

from gateway.carriers.jsonld_terms import CONTEXT
from gateway.flows import discover, find_out, moderate, subscribe
from gateway.policy.rules import Action

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway

pytestmark = pytest.mark.anyio
AS2 = "https://www.w3.org/ns/activitystreams"
LABELLED: dict[str, Any] = {"@context": [AS2, dict(CONTEXT)]}


async def scene(world: World) -> tuple[Gateway, PlainPeer]:
    """Return a gateway whose Alice follows somebody."""
    home, alice = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    sent = subscribe.follow(home.kit, alice, peer.me.id)
    await world.drain()
    assert await arrives(world, peer, peer.activity("Accept", sent.id)) == "SettleFollow"
    peer.received.clear()
    return home, peer


async def created(world: World, peer: PlainPeer, **changes: Any) -> dict[str, Any]:
    """Let a note of the peer arrive; return it."""
    note = peer.note(**changes)
    assert await arrives(world, peer, peer.activity("Create", note, **LABELLED)) == "KeepObject"
    return note


async def test_a_follow_of_an_account_that_approves_waits(world: World) -> None:
    """The request is kept and nothing is answered."""
    home, _ = home_of(world)
    account(home, "carol", approves=True)
    peer = world.peer()
    assert await arrives(world, peer, peer.activity("Follow", f"{BASE}/users/carol")) == "RecordFollow"
    assert home.kit.store.relations.followers(f"{BASE}/users/carol", "pending") == [peer.me.id]
    assert types(peer) == []


async def test_the_instance_and_the_dead_are_not_followed(world: World) -> None:
    """The instance actor and deleted accounts take no followers."""
    home, alice = home_of(world)
    home.kit.store.accounts.save(replace(alice, deleted=world.clock.now()))
    peer = world.peer()
    for target in (f"{BASE}/actor", ALICE):
        assert await arrives(world, peer, peer.activity("Follow", target)) == "ignored: follows-nobody-here"


async def test_a_moved_account_rejects_followers(world: World) -> None:
    """Who follows an account that moved is told no."""
    home, alice = home_of(world)
    home.kit.store.accounts.save(replace(alice, moved_to="https://x.example/u"))
    peer = world.peer()
    assert await arrives(world, peer, peer.activity("Follow", ALICE)) == "Answer"
    assert types(peer) == ["Reject"]


async def test_a_rejected_follow_of_ours(world: World) -> None:
    """Reject, by id or embedded, settles what we asked."""
    home, alice = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    subscribe.follow(home.kit, alice, peer.me.id)
    embedded = {"id": f"{BASE}/another-id", "type": "Follow", "actor": ALICE, "object": peer.me.id}
    assert await arrives(world, peer, peer.activity("Reject", embedded)) == "SettleFollow"
    assert home.kit.store.relations.following(ALICE, "rejected") == [peer.me.id]


async def test_a_note_is_kept_cleaned_and_with_its_words(world: World) -> None:
    """Text is sanitised, hashtags are kept, and what its author asks is a statement with provenance."""
    home, peer = await scene(world)
    note = await created(
        world, peer, content="<p>hi<script>x</script></p>", summary="<b onclick=x>w</b>", contentUsage="train-ai=n",
        contentMap={"ja": "<img src=x>やあ", "x": 7}, summaryMap={"ja": "<i>w</i>"},
        tag=[{"type": "Hashtag", "name": "#NoAI"}, {"type": "Hashtag"}, "x", {"type": "Mention", "name": "@a"}],
    )  # fmt: skip
    stored = home.kit.store.objects.get(note["id"])
    assert stored is not None
    assert (stored.document["content"], stored.document["summary"]) == ("<p>hi</p>", "<b>w</b>")
    assert stored.document["contentMap"] == {"ja": "やあ"}
    assert stored.prefs.as_json() == {"train-gen": "n"}
    (said,) = home.kit.store.statements.about([note["id"]])
    assert (said.declared_by.id, said.declared_by.auth.value, said.raw) == (peer.me.id, "http-sig", "train-ai=n")
    assert [r["tag"] for r in home.kit.store.database.rows("SELECT tag FROM object_tag")] == ["noai"]


async def test_a_referenced_note_is_fetched(world: World) -> None:
    """A Create that only names its note is completed from its origin."""
    home, peer = await scene(world)
    note = peer.note(contentUsage="ai-use=n")
    peer.serve_document(note["id"], {**LABELLED, **note})
    assert await arrives(world, peer, peer.activity("Create", note["id"])) == "KeepObject"
    stored = home.kit.store.objects.get(note["id"])
    assert stored is not None
    assert stored.prefs.as_json() == {"ai-input": "n", "ai-generate": "n"}


async def test_what_cannot_be_fetched_is_given_up(world: World) -> None:
    """A note that is not there is ignored, not tried for ever."""
    _, peer = await scene(world)
    assert await arrives(world, peer, peer.activity("Create", peer.id("notes"))) == "ignored: object-unavailable"


async def test_tightening_counts_at_once_and_loosening_is_earned(world: World) -> None:
    """A newer Update of the author tightens and loosens; an older one does neither."""
    home, peer = await scene(world)
    note = await created(world, peer, contentUsage="train-ai=n")

    async def updated(usage: str, minutes: int) -> tuple[str, dict[str, str]]:
        moment = world.clock.now().replace(minute=minutes).strftime("%Y-%m-%dT%H:%M:%SZ")
        newer = {**note, "contentUsage": usage, "updated": moment}
        did = await arrives(world, peer, peer.activity("Update", newer, **LABELLED))
        stored = home.kit.store.objects.get(note["id"])
        assert stored is not None
        return did, stored.prefs.as_json()

    assert await updated("train-ai=n, search=n", 10) == ("KeepObject", {"train-gen": "n", "search": "n"})
    assert await updated("train-ai=y", 20) == ("KeepObject", {"train-gen": "y"})
    assert await updated("train-ai=n", 15) == ("ignored: older-than-known", {"train-gen": "y"})
    assert [line["reason"] for line in home.kit.store.peers.audit_lines() if line["event"] == "preferences"] == [
        "loosened"
    ]


async def test_a_deleted_note_leaves_a_tombstone(world: World) -> None:
    """The id never comes back; the preferences stay those of what it was."""
    home, peer = await scene(world)
    note = await created(world, peer, contentUsage="train-ai=n")
    assert await arrives(world, peer, peer.activity("Delete", note["id"])) == "BuryObject"
    stored = home.kit.store.objects.get(note["id"])
    assert stored is not None
    assert (stored.type, stored.prefs.as_json()) == ("Tombstone", {"train-gen": "n"})
    assert str(stored.document["formerType"]).endswith("Note")
    assert await arrives(world, peer, peer.activity("Create", note)) == "ignored: gone"


async def test_an_account_that_deletes_itself_is_dropped(world: World) -> None:
    """Its notes become tombstones, its relations go."""
    home, peer = await scene(world)
    note = await created(world, peer)
    await follows(world, peer)
    assert await arrives(world, peer, peer.activity("Delete", peer.me.id)) == "DropActor"
    assert home.kit.store.objects.get(note["id"]).type == "Tombstone"  # type: ignore[union-attr]
    assert home.kit.store.relations.followers(ALICE) == []
    assert home.kit.store.relations.actor(peer.me.id) is None


async def test_an_actors_update_is_fetched_from_its_own_id(world: World) -> None:
    """The embedded document is not believed: name and words come from the actor's own address."""
    home, peer = await scene(world)
    peer.serve_document(peer.me.id, peer.me.document(contentUsage="train-ai=n", **LABELLED))
    lying = peer.me.document(preferredUsername="mallory")
    assert await arrives(world, peer, peer.activity("Update", lying)) == "KeepActor"
    actor = home.kit.store.relations.actor(peer.me.id)
    assert actor is not None
    assert actor.name == "bob"
    assert [s.raw for s in home.kit.store.statements.about([peer.me.id])] == ["train-ai=n"]


async def test_an_actor_that_cannot_be_fetched_again_is_audited(world: World) -> None:
    """The Update is settled all the same; that it could not be refreshed is written down."""
    home, peer = await scene(world)
    peer.pages.pop("/users/bob")
    assert await arrives(world, peer, peer.activity("Update", peer.me.id)) == "KeepActor"
    assert "actor-not-refreshed" in [line["reason"] for line in home.kit.store.peers.audit_lines("peer.example")]


@pytest.mark.parametrize("kind", ["Announce", "Like"])
async def test_our_posts_collect_boosts_and_likes_until_undone(world: World, kind: str) -> None:
    """Recorded once, taken back by id, never replayed."""
    home, alice = home_of(world)
    peer = world.peer()
    stored = await published(home, alice)
    done = peer.activity(kind, stored.id)
    assert await arrives(world, peer, done) == "RecordInteraction"
    assert home.kit.store.relations.interactions(stored.id, kind) == [peer.me.id]
    assert await arrives(world, peer, peer.activity("Undo", done["id"])) == "ForgetInteraction, RememberUndone"
    assert home.kit.store.relations.interactions(stored.id, kind) == []


async def test_an_undo_that_overtakes_its_activity_wins(world: World) -> None:
    """What was undone before it arrived does nothing when it comes."""
    home, alice = home_of(world)
    peer = world.peer()
    stored = await published(home, alice)
    like = peer.activity("Like", stored.id)
    assert (
        await arrives(world, peer, peer.activity("Undo", {**like, "@context": None}))
        == "ForgetInteraction, RememberUndone"
    )
    assert await arrives(world, peer, like) == "ignored: already-undone"


async def test_a_boosted_stranger_is_kept_with_author_and_words(world: World) -> None:
    """The note comes from its origin; a booster may add a no, and never a yes."""
    home, peer = await scene(world)
    far = world.peer("far.example", "carol")
    note = far.note(contentUsage="train-ai=n")
    far.serve_document(note["id"], {**LABELLED, **note})
    boost = peer.activity("Announce", note["id"], contentUsage="search=n, ai-use=y", **LABELLED)
    assert await arrives(world, peer, boost) == "KeepObject, RecordInteraction"
    stored = home.kit.store.objects.get(note["id"])
    assert stored is not None
    assert (stored.owner, stored.prefs.as_json()) == (far.me.id, {"train-gen": "n", "search": "n"})
    assert home.kit.store.relations.actor(far.me.id) is not None


async def test_a_boosted_note_whose_author_is_gone_is_not_kept(world: World) -> None:
    """What an unknown author asks of everything cannot be found out: nothing is kept."""
    home, peer = await scene(world)
    far = world.peer("far.example", "carol")
    note = far.note()
    far.serve_document(note["id"], {"@context": AS2, **note})
    far.pages.pop("/users/carol")
    assert await arrives(world, peer, peer.activity("Announce", note["id"])) == "ignored: author-unavailable"
    assert home.kit.store.objects.get(note["id"]) is None


async def test_a_block_is_honoured(world: World) -> None:
    """Follows end both ways, and can be taken back."""
    home, peer = await scene(world)
    await follows(world, peer)
    block = peer.activity("Block", ALICE)
    assert await arrives(world, peer, block) == "RecordBlock, ForgetFollow, ForgetFollow"
    assert home.kit.store.relations.followers(ALICE) == home.kit.store.relations.following(ALICE) == []
    assert await arrives(world, peer, peer.activity("Undo", block["id"])) == "ForgetBlock, RememberUndone"
    assert not home.kit.store.relations.blocks(peer.me.id, ALICE)


async def test_a_report_is_kept(world: World) -> None:
    """What is reported and why stays until somebody closes it."""
    home, _ = home_of(world)
    peer = world.peer()
    assert await arrives(world, peer, peer.activity("Flag", [ALICE], content="spam")) == "RecordReport"
    (report,) = home.kit.store.relations.reports()
    assert (report.objects, report.content) == ((ALICE,), "spam")


async def test_a_move_takes_our_followers_along(world: World) -> None:
    """The confirmed new account is followed, the old one left, and a second move has to wait."""
    home, peer = await scene(world)
    far = world.peer("far.example", "carol")
    far.serve_document(far.me.id, far.me.document(alsoKnownAs=[peer.me.id]))
    move = {**peer.activity("Move", peer.me.id), "target": far.me.id}
    assert await arrives(world, peer, move) == "MoveFollowers"
    assert home.kit.store.relations.following(ALICE, "pending") == [far.me.id]
    assert types(far) == ["Follow"]
    assert types(peer) == ["Undo"]
    again = {**peer.activity("Move", peer.me.id), "target": far.me.id}
    assert await arrives(world, peer, again) == "ignored: moved-lately"


async def test_headers_are_the_sending_servers_words(world: World) -> None:
    """Content-Usage on the request is kept as what the server says about the object."""
    home, peer = await scene(world)
    note = peer.note()
    body = peer.activity("Create", note)
    request = peer.signed(f"{BASE}/inbox", json.dumps(body).encode(), headers=(("content-usage", "train-ai=n"),))
    assert (await peer.send(request)).status_code == 202
    await world.drain()
    (said,) = home.kit.store.statements.about([note["id"]])
    assert (said.declared_by.kind.value, said.declared_by.id) == ("instance", "https://peer.example")


async def test_nothing_is_settled_for_a_peer_refused_meanwhile(world: World) -> None:
    """What came in before the decision is not acted on after it."""
    home, alice = home_of(world)
    peer = world.peer()
    stored = await published(home, alice)
    like = peer.activity("Like", stored.id)
    assert (await peer.post(f"{BASE}/inbox", like)).status_code == 202
    moderate.set_rule(home.kit, "peer.example", Action.REFUSE)
    await world.drain()
    row = home.kit.store.arrivals.get(like["id"], peer.me.id)
    assert row is not None
    assert row.outcome == "refused"
    assert home.kit.store.relations.interactions(stored.id, "Like") == []


async def test_what_cannot_be_understood_is_ignored_by_name(world: World) -> None:
    """A graph is taken at the door and then ignored, with an audit line."""
    home, _ = home_of(world)
    peer = world.peer()
    outcome = await arrives(world, peer, {**peer.activity("Like", ALICE), "@graph": []})
    assert outcome == "ignored: malformed-document"
    assert home.kit.store.peers.audit_lines("peer.example")[0]["reason"] == outcome


async def test_fetches_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An arrival that asks for more than may be fetched is given up: a boost needs the post and its author."""
    _, peer = await scene(world)
    far = world.peer("far.example", "carol")
    note = far.note()
    far.serve_document(note["id"], {**LABELLED, **note})
    with monkeypatch.context() as patch:
        patch.setattr(find_out, "MAX_FETCHES", 1)
        boost = peer.activity("Announce", note["id"])
        assert await arrives(world, peer, boost) == "ignored: too-many-fetches"
    assert await arrives(world, peer, peer.activity("Announce", note["id"])) == "KeepObject, RecordInteraction"


async def test_an_activity_about_nothing_is_settled_as_such(world: World) -> None:
    """Without an object nobody's headers are about anything."""
    home_of(world)
    peer = world.peer()
    assert await arrives(world, peer, peer.activity("Like", None)) == "ignored: no-object"


async def test_an_accept_is_taken_back(world: World) -> None:
    """Undo of an Accept that embeds our Follow ends it."""
    home, peer = await scene(world)
    follow = {"id": "https://x.example/f", "type": "Follow", "actor": ALICE, "object": peer.me.id}
    accept = {"id": peer.id(), "type": "Accept", "actor": peer.me.id, "object": follow}
    assert await arrives(world, peer, peer.activity("Undo", accept)) == "SettleFollow, RememberUndone"
    assert home.kit.store.relations.following(ALICE, "rejected") == [peer.me.id]


async def test_a_job_without_its_arrival_ends(world: World) -> None:
    """Settling twice, or settling nothing, is harmless."""
    home, alice = home_of(world)
    peer = world.peer()
    stored = await published(home, alice)
    like = peer.activity("Like", stored.id)
    await arrives(world, peer, like)
    row = home.kit.store.database.one("SELECT payload FROM job WHERE kind = 'settle'")
    assert row is not None
    for payload in (row["payload"], row["payload"].replace(like["id"], "nothing")):
        home.kit.store.jobs.add("settle", json.loads(payload), lane="x", peer="x", due=home.kit.clock.now())
    await world.drain()
    assert home.kit.store.jobs.count("done") == 3
