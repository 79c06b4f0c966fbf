"""Section 5 (Collections) of the W3C Recommendation ActivityPub, sentence by sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from peers.plain import PUBLIC
from spec.server import ALICE, BOB, CAROL, COLLECTIONS, FOLLOWERS, id_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from spec.server import Server

pytestmark = pytest.mark.anyio


async def _outbox(server: Server) -> tuple[str, list[str]]:
    made = []
    for text in ("older", "newer"):
        made.append(await server.does({"type": "Note", "content": text, "to": [PUBLIC]}))
        server.world.clock.forward(minutes=1)
    return f"{ALICE}/outbox", made


async def _inbox(server: Server) -> tuple[str, list[str]]:
    made = []
    for text in ("older", "newer"):
        create = server.dora.activity("Create", server.dora.note(text), to=[ALICE])
        await server.arrives(create)
        made.append(create["id"])
        server.world.clock.forward(minutes=1)
    return f"{ALICE}/inbox", made


async def _liked(server: Server) -> tuple[str, list[str]]:
    liked = [await server.note("one", "bob"), await server.note("two", "bob")]
    for note in reversed(liked):
        await server.does({"type": "Like", "object": note, "to": [BOB]})
        server.world.clock.forward(minutes=1)
    return f"{ALICE}/liked", liked[::-1]


async def _following(server: Server) -> tuple[str, list[str]]:
    for whom in (CAROL, BOB):
        await server.local_follower("alice", whom)
        server.world.clock.forward(minutes=1)
    return f"{ALICE}/following", [CAROL, BOB]


async def _followers(server: Server) -> tuple[str, list[str]]:
    for name in ("carol", "bob"):
        await server.local_follower(name)
        server.world.clock.forward(minutes=1)
    return FOLLOWERS, [CAROL, BOB]


async def _reactions(server: Server, kind: str, member: str) -> tuple[str, list[str]]:
    note = await server.note()
    made = []
    for name in ("carol", "bob"):
        made.append(await server.does({"type": kind, "object": note, "to": [ALICE, PUBLIC]}, name))
        server.world.clock.forward(minutes=1)
    return id_of((await server.read(note))[member]), made


async def _likes(server: Server) -> tuple[str, list[str]]:
    return await _reactions(server, "Like", "likes")


async def _shares(server: Server) -> tuple[str, list[str]]:
    return await _reactions(server, "Announce", "shares")


@pytest.mark.parametrize("scene", [_outbox, _inbox, _liked, _following, _followers, _likes, _shares])
async def test_newest_first(server: Server, scene: Callable[[Server], Awaitable[tuple[str, list[str]]]]) -> None:
    """5: newer items first.

    "These OrderedCollection objects MUST be presented consistently in reverse chronological order".
    """
    url, oldest_first = await scene(server)
    ids = await server.ids(url)
    assert len(set(ids)) == len(ids)
    assert set(oldest_first) <= set(ids)
    if (await server.read(url))["type"] == "OrderedCollection":
        assert [one for one in ids if one in oldest_first] == oldest_first[::-1]


async def test_the_outbox_is_an_ordered_collection(server: Server) -> None:
    """5.1: "The outbox MUST be an OrderedCollection"."""
    await server.note()
    outbox = await server.read((await server.read(ALICE))["outbox"])
    assert (outbox["type"], outbox["totalItems"]) == ("OrderedCollection", 1)


async def test_the_outbox_shows_what_the_reader_may_see(server: Server) -> None:
    """5.1: "the contents of the outbox are filtered by the permissions of the person reading it"."""
    await server.local_follower("bob")
    open_to_all = await server.does({"type": "Note", "content": "for all", "to": [PUBLIC]})
    for_followers = await server.does({"type": "Note", "content": "for friends", "to": [FOLLOWERS]})
    for_carol = await server.does({"type": "Note", "content": "for Carol", "to": [CAROL]})
    all_three = {open_to_all, for_followers, for_carol}
    expected = {"alice": all_three, "bob": {open_to_all, for_followers}, "carol": {open_to_all, for_carol}}
    for name, visible in expected.items():
        assert all_three & set(await server.ids(f"{ALICE}/outbox", name)) == visible, name


async def test_anybody_sees_the_public_posts_of_an_outbox(open_server: Server) -> None:
    """5.1: without authorization all of the public posts.

    "If a user submits a request without Authorization the server should respond with all of the Public posts".
    """
    posts = [await open_server.does({"type": "Note", "content": text, "to": [PUBLIC]}) for text in ("one", "two")]
    private = await open_server.does({"type": "Note", "content": "for Bob", "to": [BOB]})
    ids = await open_server.ids(f"{ALICE}/outbox", None)
    assert set(posts) <= set(ids)
    assert private not in ids


async def test_the_inbox_is_an_ordered_collection(server: Server) -> None:
    """5.2: "The inbox MUST be an OrderedCollection"."""
    assert (await server.read((await server.read(ALICE))["inbox"]))["type"] == "OrderedCollection"


async def test_the_inbox_contains_what_was_received(server: Server) -> None:
    """5.2: "The inbox stream contains all activities received by the actor"."""
    note = await server.note()
    received = [
        server.dora.activity("Create", server.dora.note(), to=[ALICE]),
        server.dora.activity("Like", note, to=[ALICE]),
        server.dora.activity("Offer", note, to=[ALICE]),
    ]
    for activity in received:
        await server.arrives(activity)
    local = await server.does({"type": "Listen", "object": server.dora.id("songs"), "to": [ALICE]}, "bob")
    assert {*(activity["id"] for activity in received), local} <= set(await server.ids(f"{ALICE}/inbox"))


async def test_the_inbox_is_for_its_owner(server: Server) -> None:
    """5.2: "The server SHOULD filter content according to the requester's permission"."""
    await server.arrives(server.dora.activity("Create", server.dora.note("a secret"), to=[ALICE]))
    assert "a secret" in json.dumps(await server.items(f"{ALICE}/inbox"))
    assert (await server.get(f"{ALICE}/inbox", "bob")).status_code == 403
    assert (await server.get(f"{ALICE}/inbox", None)).status_code == 401


async def test_the_inbox_shows_an_activity_once(server: Server) -> None:
    """5.2: "The server MUST perform de-duplication of activities returned by the inbox"."""
    await server.local_follower("bob")
    create = server.dora.activity("Create", server.dora.note(), to=[ALICE])
    for inbox in ("/users/alice/inbox", "/inbox", "/users/alice/inbox"):
        await server.arrives(create, inbox=f"https://gw.example{inbox}")
    assert (await server.ids(f"{ALICE}/inbox")).count(create["id"]) == 1
    both_ways = await server.does({"type": "Note", "content": "hi", "to": [BOB], "cc": [FOLLOWERS]})
    assert (await server.ids(f"{BOB}/inbox", "bob")).count(both_ways) == 1


async def test_activities_are_the_same_when_their_ids_are(server: Server) -> None:
    """5.2: an id that was seen before.

    "deduplication MUST be performed by comparing the id of the activities and dropping any activities already seen".
    """
    note = server.dora.note("first words")
    first = server.dora.activity("Create", note, to=[ALICE])
    again = {**first, "object": {**note, "content": "second words"}}
    other = server.dora.activity("Create", note, to=[ALICE])
    for activity in (first, again, other):
        await server.arrives(activity)
    inbox = await server.items(f"{ALICE}/inbox")
    assert {first["id"], other["id"]} <= {id_of(item) for item in inbox}
    assert "second words" not in json.dumps(inbox)


async def test_every_actor_has_followers(server: Server) -> None:
    """5.3: "Every actor SHOULD have a followers collection"."""
    await server.remote_follower(server.dora)
    await server.local_follower("bob")
    for actor in (ALICE, BOB, CAROL):
        assert (await server.read(actor))["followers"] == f"{actor}/followers"
    assert set(await server.ids(FOLLOWERS)) == {server.dora.me.id, BOB}


async def test_followers_are_a_collection(server: Server) -> None:
    """5.3: "The followers collection MUST be either an OrderedCollection or a Collection"."""
    assert (await server.read(FOLLOWERS))["type"] in COLLECTIONS


async def test_every_actor_has_a_following_collection(server: Server) -> None:
    """5.4: "Every actor SHOULD have a following collection"."""
    await server.local_follower("alice", BOB)
    for name, actor, followed in (("alice", ALICE, [BOB]), ("bob", BOB, [])):
        assert await server.ids((await server.read(actor, name))["following"], name) == followed


async def test_following_is_a_collection(server: Server) -> None:
    """5.4: "The following collection MUST be either an OrderedCollection or a Collection"."""
    assert (await server.read(f"{ALICE}/following"))["type"] in COLLECTIONS


async def test_liked_is_a_collection(server: Server) -> None:
    """5.5: "The liked collection MUST be either an OrderedCollection or a Collection"."""
    assert (await server.read((await server.read(ALICE))["liked"]))["type"] in COLLECTIONS


async def test_nothing_is_delivered_to_the_public_collection(server: Server) -> None:
    """5.6: "Implementations MUST NOT deliver to the "public" special collection"."""
    for field in ("to", "cc", "bto", "bcc", "audience"):
        await server.does({"type": "Note", "content": "hello", field: [PUBLIC]})
    assert {request.url.host for request in server.world.board.requests} == {"gw.example"}


@pytest.mark.parametrize("public", [PUBLIC, "as:Public", "Public"])
async def test_public_is_readable_without_authentication(open_server: Server, public: str) -> None:
    """5.6: in each of its three forms.

    "Activities addressed to this special URI shall be accessible to all users, without authentication".
    """
    activity = await open_server.does({"type": "Note", "content": "for all", "to": public})
    shown = await open_server.read(activity, None)
    assert "for all" in (await open_server.read(id_of(shown["object"]), None))["content"]


async def test_likes_are_a_collection(server: Server) -> None:
    """5.7: "The likes collection MUST be either an OrderedCollection or a Collection"."""
    note = await server.read(await server.note())
    assert (await server.read(id_of(note["likes"])))["type"] in COLLECTIONS


async def test_likes_are_activities(server: Server) -> None:
    """5.7: "This is a list of all Like activities with this object as the object property"."""
    url, likes = await _likes(server)
    assert set(await server.ids(url)) == set(likes)


async def test_shares_are_a_collection(server: Server) -> None:
    """5.8: "The shares collection MUST be either an OrderedCollection or a Collection"."""
    note = await server.read(await server.note())
    assert (await server.read(id_of(note["shares"])))["type"] in COLLECTIONS


async def test_shares_are_activities(server: Server) -> None:
    """5.8: "This is a list of all Announce activities with this object as the object property"."""
    url, shares = await _shares(server)
    assert set(await server.ids(url)) == set(shares)
