"""Whose inbox an arrival belongs in, and what its owner reads there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of, published
from peers.plain import AS2, PUBLIC
from world import BASE, account

from gateway.flows import client, deposit, discover, interact, revise, subscribe
from gateway.store.inboxes import InboxItem

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway

pytestmark = pytest.mark.anyio

CAROL, DAVE = f"{BASE}/users/carol", f"{BASE}/users/dave"
SHARED = f"{BASE}/inbox"


async def _scene(world: World) -> tuple[Gateway, PlainPeer]:
    """Return a gateway with Alice, Carol and Dave, and a peer whom Dave follows."""
    home, _ = home_of(world)
    account(home, "carol")
    dave = account(home, "dave")
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    sent = subscribe.follow(home.kit, dave, peer.me.id)
    await world.drain()
    await _arrives(world, peer, peer.activity("Accept", sent.id, to=[CAROL]))
    home.kit.store.database.run("DELETE FROM inbox_item")
    return home, peer


async def _arrives(world: World, peer: PlainPeer, document: dict[str, Any], inbox: str = SHARED) -> None:
    assert (await peer.post(inbox, document)).status_code == 202
    await world.drain()


def _readers(home: Gateway, activity: str) -> set[str]:
    rows = home.kit.store.database.rows("SELECT account FROM inbox_item WHERE activity = :id", id=activity)
    found = [row["account"] for row in rows]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize(
    ("inbox", "members", "readers"),
    [
        (SHARED, {"to": [PUBLIC]}, {DAVE}),
        (SHARED, {"to": ["as:Public"]}, {DAVE}),
        (SHARED, {"to": [PUBLIC], "cc": [ALICE]}, {DAVE, ALICE}),
        (SHARED, {"to": ["https://peer.example/users/bob/followers"]}, {DAVE}),
        (SHARED, {"to": [ALICE]}, {ALICE}),
        (SHARED, {"to": [ALICE, CAROL], "cc": [ALICE]}, {ALICE, CAROL}),
        (SHARED, {"to": [], "audience": [CAROL]}, {CAROL}),
        (SHARED, {"to": [f"{BASE}/users/nobody", f"{BASE}/users/gone", f"{BASE}/actor", SHARED]}, set()),
        (SHARED, {"to": ["https://other.example/users/x"]}, set()),
        (f"{ALICE}/inbox", {"to": []}, {ALICE}),
        (f"{ALICE}/inbox?x=1", {"to": []}, {ALICE}),
        (f"{ALICE}/inbox", {"to": [CAROL]}, {ALICE, CAROL}),
    ],
)
async def test_an_arrival_is_read_by_whom_it_is_for(
    world: World, inbox: str, members: dict[str, Any], readers: set[str]
) -> None:
    """The owner of the inbox, who is addressed, and who follows the sender when it is for followers; each once."""
    home, peer = await _scene(world)
    account(home, "gone", deleted=world.clock.now())
    document = peer.activity("Create", peer.note(to=[], cc=[]), **members)
    await _arrives(world, peer, document, inbox)
    assert _readers(home, document["id"]) == readers


async def test_who_is_answered_or_liked_reads_it(world: World) -> None:
    """What is about somebody's work reaches them, addressed or not."""
    home, peer = await _scene(world)
    alice = home.kit.store.accounts.by_id(ALICE)
    assert alice is not None
    post = await published(home, alice)
    like = peer.activity("Like", post.id, to=[])
    reply = peer.activity("Create", peer.note(inReplyTo=post.id, to=[], cc=[]), to=[])
    follow = peer.activity("Follow", ALICE, to=[])
    for document in (like, reply, follow):
        await _arrives(world, peer, document)
        assert _readers(home, document["id"]) == {ALICE}


async def test_a_follow_that_waits_reads_nothing_for_followers(world: World) -> None:
    """Whoever asked to follow and was not let in yet does not get what is for followers."""
    home, peer = await _scene(world)
    carol = home.kit.store.accounts.by_id(CAROL)
    assert carol is not None
    subscribe.follow(home.kit, carol, peer.me.id)
    document = peer.activity("Create", peer.note(to=[], cc=[]), to=[f"{peer.me.id}/followers"])
    await _arrives(world, peer, document)
    assert _readers(home, document["id"]) == {DAVE}


async def test_who_blocks_the_sender_reads_nothing(world: World) -> None:
    """Addressed, in their own inbox, about their work: not for who blocks the actor."""
    home, peer = await _scene(world)
    alice = home.kit.store.accounts.by_id(ALICE)
    assert alice is not None
    post = await published(home, alice)
    interact.block(home.kit, alice, peer.me.id)
    document = peer.activity("Create", peer.note(inReplyTo=post.id), to=[PUBLIC, ALICE, CAROL])
    await _arrives(world, peer, document, f"{ALICE}/inbox")
    assert ALICE not in _readers(home, document["id"])


async def test_the_same_activity_twice_is_read_once(world: World) -> None:
    """To the shared inbox and to her own: one item."""
    home, peer = await _scene(world)
    document = peer.activity("Create", peer.note(to=[ALICE], cc=[]), to=[ALICE])
    for inbox in (SHARED, f"{ALICE}/inbox"):
        await _arrives(world, peer, document, inbox)
    assert _readers(home, document["id"]) == {ALICE}


@pytest.mark.parametrize(
    ("url", "owner"),
    [
        (f"{ALICE}/inbox", ALICE), (f"{ALICE}/inbox?x=/inbox", ALICE), (SHARED, None), (f"{BASE}/actor/inbox", None),
        (f"{BASE}/users/nobody/inbox", None), (f"{ALICE}/outbox", None), ("https://peer.example/users/bob/inbox", None),
    ],
)  # fmt: skip
async def test_whose_an_inbox_is(world: World, url: str, owner: str | None) -> None:
    """A personal inbox has an owner; the shared one and the server's have none."""
    home, _ = home_of(world)
    assert deposit.owner_of_inbox(home.kit, url) == owner


def _item(home: Gateway, activity: str) -> InboxItem:
    [row] = home.kit.store.database.rows(
        "SELECT DISTINCT activity, actor FROM inbox_item WHERE activity = :id", id=activity
    )
    return InboxItem(id=1, **row)


async def test_an_inbox_shows_activities_as_they_came(world: World) -> None:
    """Whatever the sender wrote about their own work is there, unknown members included."""
    home, peer = await _scene(world)
    document = peer.activity("Create", peer.note(unheard=["of"]), to=[ALICE], strange={"x": 1})
    await _arrives(world, peer, document)
    assert deposit.document_of(home.kit, ALICE, _item(home, document["id"])) == document


@pytest.mark.parametrize(("author", "kept"), [("https://peer.example/notes/9", True), (f"{BASE}/posts/9", False),
                                              ("https://other.example/notes/9", False)])  # fmt: skip
async def test_nobody_is_quoted_on_anothers_word(world: World, author: str, *, kept: bool) -> None:
    """An embedded object of another server is named, not repeated."""
    home, peer = await _scene(world)
    note = {"@context": AS2, "id": author, "type": "Note", "content": "put into a mouth"}
    document = peer.activity("Offer", note, to=[ALICE])
    await _arrives(world, peer, document)
    shown = deposit.document_of(home.kit, ALICE, _item(home, document["id"]))
    assert shown is not None
    assert shown["object"] == (note if kept else author)


async def test_several_objects_are_named_one_by_one(world: World) -> None:
    """In a list, the sender's own stay whole, others' are named, and what is no document stays as it is."""
    home, peer = await _scene(world)
    own = {"id": "https://peer.example/notes/9", "type": "Note", "attributedTo": peer.me.id}
    foreign = {"id": "https://other.example/notes/9", "type": "Note"}
    neighbours = {**own, "id": "https://peer.example/notes/8", "attributedTo": "https://peer.example/users/eve"}
    document = peer.activity("Offer", [own, foreign, neighbours, "https://x.example/1"], to=[ALICE])
    await _arrives(world, peer, document)
    shown = deposit.document_of(home.kit, ALICE, _item(home, document["id"]))
    assert shown is not None
    assert shown["object"] == [own, foreign["id"], neighbours["id"], "https://x.example/1"]


@pytest.mark.parametrize("kind", ["Flag", "Block"])
async def test_reports_and_blocks_are_shown_in_no_inbox(world: World, kind: str) -> None:
    """Reports are for the admin, blocks are told nobody."""
    home, peer = await _scene(world)
    document = peer.activity(kind, ALICE, to=[ALICE])
    await _arrives(world, peer, document, f"{ALICE}/inbox")
    assert _readers(home, document["id"]) == set()


async def test_what_was_pruned_is_not_shown(world: World) -> None:
    """Without its bytes an item shows nothing; neither does one that never was."""
    home, peer = await _scene(world)
    document = peer.activity("Create", peer.note(), to=[ALICE])
    await _arrives(world, peer, document)
    item = _item(home, document["id"])
    home.kit.store.database.run("UPDATE arrival SET body = X''")
    assert deposit.document_of(home.kit, ALICE, item) is None
    assert deposit.document_of(home.kit, ALICE, InboxItem(id=1, activity="x", actor="y")) is None


async def test_a_neighbours_post_is_shown_as_it_is_now(world: World) -> None:
    """What an account here edits is current in its neighbour's inbox, and what it deletes is a Tombstone."""
    home, _ = await _scene(world)
    alice = home.kit.store.accounts.by_id(ALICE)
    assert alice is not None
    sent = await client.submit(home.kit, alice, {"type": "Note", "content": "first", "to": [CAROL]})
    await world.drain()
    assert _readers(home, sent.id) == {CAROL}
    update = {"type": "Update", "object": {"id": sent.object, "content": "second"}}
    await client.submit(home.kit, alice, update)
    shown = deposit.document_of(home.kit, CAROL, _item(home, sent.id))
    assert "second" in str(shown)
    assert "first" not in str(shown)
    revise.delete(home.kit, alice, sent.object)
    gone = deposit.document_of(home.kit, CAROL, _item(home, sent.id))
    assert gone is None or "second" not in str(gone)


async def test_a_neighbours_narrowed_post_is_not_shown_on(world: World) -> None:
    """Who was taken off the addressees and got the post before has its name left, and does not read its new text."""
    home, _ = await _scene(world)
    alice = home.kit.store.accounts.by_id(ALICE)
    assert alice is not None
    sent = await client.submit(home.kit, alice, {"type": "Note", "content": "first", "to": [CAROL, DAVE]})
    await world.drain()
    update = {"type": "Update", "object": {"id": sent.object, "content": "for Dave alone", "to": [DAVE]}}
    edited = await client.submit(home.kit, alice, update)
    await world.drain()
    assert CAROL not in _readers(home, edited.id)
    assert "alone" not in str(named := deposit.document_of(home.kit, CAROL, _item(home, sent.id)))
    assert named is not None
    assert (named["type"], named["object"]) == ("Create", sent.object)
    assert "Dave alone" in str(deposit.document_of(home.kit, DAVE, _item(home, sent.id)))


async def test_put_is_for_people_here(world: World) -> None:
    """Nobody elsewhere, no deleted account and not the server itself has an inbox to put things into."""
    home, _ = home_of(world)
    gone = account(home, "gone", deleted=world.clock.now())
    for who in ("https://peer.example/users/bob", gone.id, f"{BASE}/actor", f"{BASE}/users/nobody", ALICE):
        deposit.put(home.kit, who, "https://peer.example/activities/1", "https://peer.example/users/bob")
    assert _readers(home, "https://peer.example/activities/1") == {ALICE}
