"""Between actors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store.rows import ALICE, BOB, NOW, account, later, remote

from gateway.activitypub.effects import KnownFollow
from gateway.store.relations import Report

if TYPE_CHECKING:
    from gateway.store.store import Store

EVE = "https://peer.example/users/eve"
POST = "https://gw.example/posts/1"


def test_a_remote_actor_is_kept_whole(store: Store) -> None:
    """The document and its addresses come back; the shared inbox is the best one."""
    store.relations.save_actor(remote(shared_inbox="https://peer.example/inbox"), [])
    found = store.relations.actor(BOB)
    assert found == remote(shared_inbox="https://peer.example/inbox")
    assert found is not None
    assert found.best_inbox == "https://peer.example/inbox"
    assert remote().best_inbox == f"{BOB}/inbox"
    assert store.relations.actor(EVE) is None


def test_an_actor_is_found_by_the_keys_it_lists_now(store: Store) -> None:
    """A key that a newer document does not list any more finds nobody; a key has one owner."""
    store.relations.save_actor(remote(), ["k1", "k2"])
    store.relations.save_actor(remote(), ["k2"])
    store.relations.save_actor(remote(EVE), ["k3"])
    found = store.relations.actor_of_key("k2")
    assert found is not None
    assert found.id == BOB
    assert store.relations.actor_of_key("k1") is None


def test_a_dropped_actor_leaves_only_its_name(store: Store) -> None:
    """A deleted account's relations and keys go; when it is seen again it starts empty."""
    relations = store.relations
    relations.save_actor(remote(), ["k1"])
    relations.save_follow(BOB, ALICE, "f1", "accepted", NOW)
    relations.save_follow(ALICE, BOB, "f2", "accepted", NOW)
    relations.save_interaction("Like", BOB, POST, "l1", NOW)
    relations.save_block(BOB, ALICE, "b1", NOW)
    relations.save_block(ALICE, BOB, "b2", NOW)
    relations.drop_actor(BOB, NOW)
    assert relations.actor(BOB) is None
    assert relations.actor_of_key("k1") is None
    assert relations.followers(ALICE) == relations.following(ALICE) == relations.interactions(POST, "Like") == []
    assert not relations.blocks(BOB, ALICE)
    assert relations.blocks(ALICE, BOB)
    relations.save_actor(remote(), ["k1"])
    assert relations.actor(BOB) is not None


def test_when_an_actor_moved(store: Store) -> None:
    """A move is noted and survives a refetch."""
    store.relations.save_actor(remote(), [])
    store.relations.mark_moved(BOB, later(hours=1))
    store.relations.save_actor(remote(fetched=later(hours=2)), [])
    found = store.relations.actor(BOB)
    assert found is not None
    assert found.moved == later(hours=1)


def test_follows_have_states(store: Store) -> None:
    """A follow waits, is accepted, keeps its place when repeated, and can be forgotten."""
    relations = store.relations
    relations.save_follow(BOB, ALICE, "f1", "pending", NOW)
    assert relations.followers(ALICE) == []
    assert relations.followers(ALICE, "pending") == [BOB]
    relations.settle_follow(BOB, ALICE, "accepted")
    relations.save_follow(EVE, ALICE, "f2", "accepted", later(minutes=1))
    relations.save_follow(BOB, ALICE, "f3", "accepted", later(minutes=2))
    assert relations.followers(ALICE) == [BOB, EVE]
    assert relations.following(BOB) == [ALICE]
    assert relations.follow(BOB, ALICE) == KnownFollow(follower=BOB, followed=ALICE, activity="f3", state="accepted")
    assert relations.follow_by_activity("f3") == relations.follow(BOB, ALICE)
    assert relations.follow_by_activity("f1") is None
    assert relations.forget_follow(BOB, ALICE)
    assert not relations.forget_follow(BOB, ALICE)
    assert relations.follow(BOB, ALICE) is None


def test_who_of_ours_follows_somebody(store: Store) -> None:
    """Only accounts of this gateway count, and only accepted follows mean that somebody asked."""
    relations = store.relations
    store.accounts.save(account())
    relations.save_follow(ALICE, BOB, "f1", "pending", NOW)
    assert relations.local_followers_of(BOB) == ()
    assert not relations.is_followed_here(BOB)
    relations.settle_follow(ALICE, BOB, "accepted")
    assert relations.is_followed_here(BOB)
    relations.save_follow(EVE, BOB, "f2", "accepted", NOW)
    assert relations.local_followers_of(BOB) == (ALICE,)


def test_followers_are_counted_by_origin(store: Store) -> None:
    """An admin sees how many followers a rule would concern."""
    relations = store.relations
    for actor in (BOB, EVE, "https://peer.example:8443/users/x"):
        relations.save_actor(remote(actor), [])
        relations.save_follow(actor, ALICE, f"f {actor}", "accepted", NOW)
    relations.settle_follow(EVE, ALICE, "pending")
    assert relations.count_followers_from("https://peer.example") == 1


def test_interactions_are_recorded_once(store: Store) -> None:
    """A like counts once an actor, whatever activity repeats it."""
    relations = store.relations
    relations.save_interaction("Like", BOB, POST, "l1", NOW)
    relations.save_interaction("Like", BOB, POST, "l2", NOW)
    relations.save_interaction("Announce", BOB, POST, "a1", NOW)
    assert relations.interactions(POST, "Like") == [BOB]
    assert relations.done_by_activity("l1") == {"type": "Like", "actor": BOB, "object": POST}
    assert relations.done_by_activity("l2") is None
    relations.forget_interaction("Like", BOB, POST)
    assert relations.interactions(POST, "Like") == []
    assert relations.interactions(POST, "Announce") == [BOB]


def test_what_an_activity_did(store: Store) -> None:
    """Follows, likes and blocks are found by the activity that made them."""
    relations = store.relations
    relations.save_follow(BOB, ALICE, "f1", "accepted", NOW)
    relations.save_block(BOB, ALICE, "b1", NOW)
    assert relations.done_by_activity("f1") == {"type": "Follow", "actor": BOB, "object": ALICE}
    assert relations.done_by_activity("b1") == {"type": "Block", "actor": BOB, "object": ALICE}


def test_blocks(store: Store) -> None:
    """A block has a direction and is recorded once."""
    relations = store.relations
    relations.save_block(ALICE, BOB, "b1", NOW)
    relations.save_block(ALICE, BOB, "b2", NOW)
    assert relations.blocks(ALICE, BOB)
    assert not relations.blocks(BOB, ALICE)
    assert relations.blocked_by(ALICE) == [BOB]
    assert relations.forget_block(ALICE, BOB)
    assert not relations.forget_block(ALICE, BOB)


def test_reports_are_open_until_they_are_closed(store: Store) -> None:
    """The newest report comes first; a closed one is kept."""
    relations = store.relations
    reports = [
        Report(id=f"r{n}", reporter=BOB, objects=(POST,), content="x", created=later(hours=n), closed=None)
        for n in (1, 2)
    ]
    for report in reports:
        relations.save_report(report)
    assert relations.reports() == reports[::-1]
    assert relations.report("r1") == reports[0]
    assert relations.report("r3") is None
    assert relations.close_report("r1", NOW)
    assert not relations.close_report("r1", NOW)
    assert [r.id for r in relations.reports()] == ["r2"]
    assert [r.id for r in relations.reports(with_closed=True)] == ["r2", "r1"]


def test_what_was_undone_is_remembered(store: Store) -> None:
    """An undone activity is known for ever, however often it is undone."""
    assert not store.relations.is_undone("a1", BOB)
    store.relations.remember_undone("a1", BOB, NOW)
    store.relations.remember_undone("a1", BOB, NOW)
    assert store.relations.is_undone("a1", BOB)
