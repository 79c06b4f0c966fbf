"""Sections 6.3 to 6.12 of the W3C Recommendation ActivityPub (what a client's activities do), sentence by sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import AS2, PUBLIC
from spec.server import ALICE, BOB, CAROL, FOLLOWERS, as_bytes, id_of, listed, one_of_each, sent_ids
from world import BASE

if TYPE_CHECKING:
    from spec.server import Server

pytestmark = pytest.mark.anyio


async def test_an_update_modifies_the_object(server: Server) -> None:
    """6.3: "the object MUST be modified to reflect the new structure as defined in the update activity"."""
    note = await server.note("old words")
    await server.does({"type": "Update", "object": {"id": note, "type": "Note", "content": "<p>new words</p>"}})
    assert "new words" in (await server.read(note))["content"]


async def test_only_the_owner_updates(server: Server) -> None:
    """6.3: "assuming the actor has permission to update this object"."""
    note = await server.note("old words")
    answer = await server.submit({"type": "Update", "object": {"id": note, "content": "of Bob"}, "to": [ALICE]}, "bob")
    assert answer.status_code == 403
    assert "old words" in (await server.read(note))["content"]


async def test_an_update_is_partial(server: Server) -> None:
    """6.3.1: "any key value pair supplied is used to replace the existing value with the new value"."""
    at_three = "2027-01-01T15:00:00Z"
    event = await server.makes({"type": "Event", "name": "Tea", "summary": "with cake", "startTime": at_three})
    await server.does({"type": "Update", "object": {"id": event, "name": "Coffee"}})
    shown = await server.read(event)
    assert (shown["name"], shown["type"], shown["startTime"]) == ("Coffee", "Event", at_three)
    assert "with cake" in shown["summary"]


async def test_only_top_level_members_are_merged(server: Server) -> None:
    """6.3.1: "This only applies to the top-level fields of the updated object"."""
    place = {"type": "Place", "name": "Here", "latitude": 1.5}
    event = await server.makes({"type": "Event", "name": "Tea", "location": place})
    assert (await server.read(event))["location"]["latitude"] == 1.5
    await server.does({"type": "Update", "object": {"id": event, "location": {"type": "Place", "name": "There"}}})
    assert (await server.read(event))["location"] == {"type": "Place", "name": "There"}


async def test_null_removes_a_member(server: Server) -> None:
    """6.3.1: null takes a member away.

    "when the value is the json null type; this means that this field should be removed".
    """
    event = await server.makes({"type": "Event", "name": "Tea", "summary": "with cake"})
    await server.does({"type": "Update", "object": {"id": event, "summary": None}})
    shown = await server.read(event)
    assert shown["name"] == "Tea"
    assert "cake" not in json.dumps(shown)


async def test_peers_get_the_whole_of_what_was_updated(server: Server) -> None:
    """6.3.1: "updates from the server to the client should contain the entire new representation of the object"."""
    event = await server.makes({"type": "Event", "name": "Tea", "content": "<p>with cake</p>"})
    await server.does({"type": "Update", "object": {"id": event, "name": "Coffee"}, "to": [server.dora.me.id]})
    sent = server.dora.received[-1]["object"]
    assert (sent["id"], sent["type"], sent["name"], sent["attributedTo"]) == (event, "Event", "Coffee", ALICE)
    assert "with cake" in sent["content"]


async def test_a_deleted_object_is_gone(server: Server) -> None:
    """6.4: what is left is a Tombstone.

    "the server SHOULD respond with either the HTTP 410 Gone status code if a Tombstone object is presented".
    """
    note = await server.note("regretted")
    await server.does({"type": "Delete", "object": note, "to": [PUBLIC]})
    answer = await server.get(note)
    assert (answer.status_code, answer.json()["type"], answer.json()["id"]) == (410, "Tombstone", note)
    assert "regretted" not in answer.text


async def test_only_the_owner_deletes(server: Server) -> None:
    """6.4: "The Delete activity is used to delete an already existing object": not somebody else's."""
    note = await server.note()
    assert (await server.submit({"type": "Delete", "object": note}, "bob")).status_code == 403
    assert (await server.get(note)).status_code == 200


async def test_somebody_is_followed_once_they_accept(server: Server) -> None:
    """6.5: "the server SHOULD add the object to the actor's following Collection when ... an Accept activity"."""
    dora = server.dora.me.id
    follow = await server.does({"type": "Follow", "object": dora, "to": [dora]})
    await server.arrives(server.dora.activity("Accept", server.dora.received[-1], to=[ALICE]))
    assert await server.ids(f"{ALICE}/following") == [dora]
    assert server.dora.received[-1]["id"] == follow


async def test_nobody_is_followed_before_they_accept(server: Server) -> None:
    """6.5: "when and only if an Accept activity is subsequently received with this Follow activity as its object"."""
    dora = server.dora.me.id
    await server.does({"type": "Follow", "object": dora, "to": [dora]})
    assert await server.ids(f"{ALICE}/following") == []
    await server.arrives(server.erin.activity("Accept", server.dora.received[-1], to=[ALICE]), server.erin)
    assert await server.ids(f"{ALICE}/following") == []


@pytest.mark.parametrize("kind", ["Collection", "OrderedCollection"])
async def test_add_adds_to_a_collection(server: Server, kind: str) -> None:
    """6.6: "the server SHOULD add the object to the collection specified in the target property"."""
    shelf = await server.makes({"type": kind, "name": "Shelf"})
    note = await server.note(name="bob")
    await server.does({"type": "Add", "object": note, "target": shelf})
    assert [id_of(item) for item in listed(await server.read(shelf))] == [note]


async def test_add_pins_a_post(server: Server) -> None:
    """6.6: "the server SHOULD add the object to the collection specified in the target property": featured."""
    note = await server.note()
    await server.does({"type": "Add", "object": note, "target": f"{ALICE}/featured"})
    assert await server.ids(f"{ALICE}/featured") == [note]


async def test_nothing_is_added_to_what_others_own(server: Server) -> None:
    """6.6: "unless the target is not owned ..., and thus they are not authorized to update it"."""
    note, shelf = await server.note(), await server.makes({"type": "Collection", "name": "of Bob"}, "bob")
    for target in (shelf, f"{BOB}/featured", f"{server.dora.me.id}/featured"):
        assert (await server.submit({"type": "Add", "object": note, "target": target})).status_code == 403, target
    assert (await server.submit({"type": "Add", "object": BOB, "target": FOLLOWERS})).status_code in (400, 403)
    assert listed(await server.read(shelf, "bob")) == []
    assert await server.ids(FOLLOWERS) == []


async def test_remove_removes_from_a_collection(server: Server) -> None:
    """6.7: "the server SHOULD remove the object from the collection specified in the target property"."""
    notes = [await server.note("one"), await server.note("two")]
    shelf = await server.makes({"type": "OrderedCollection", "name": "Shelf"})
    for target in (shelf, f"{ALICE}/featured"):
        for note in notes:
            await server.does({"type": "Add", "object": note, "target": target})
        await server.does({"type": "Remove", "object": notes[0], "target": target})
        assert await server.ids(target) == notes[1:]


async def test_nothing_is_removed_from_what_others_own(server: Server) -> None:
    """6.7: "unless the target is not owned ..., and thus they are not authorized to update it"."""
    note, shelf = await server.note(name="bob"), await server.makes({"type": "Collection", "name": "of Bob"}, "bob")
    for target in (shelf, f"{BOB}/featured"):
        await server.does({"type": "Add", "object": note, "target": target}, "bob")
        assert (await server.submit({"type": "Remove", "object": note, "target": target})).status_code == 403
        assert await server.ids(target, "bob") == [note]


async def test_like_adds_to_liked(server: Server) -> None:
    """6.8: "the server SHOULD add the object to the actor's liked Collection"."""
    local, remote = await server.note(name="bob"), server.dora.note()
    server.dora.serve_document(remote["id"], {"@context": AS2, **remote})
    for note, author in ((local, BOB), (remote["id"], server.dora.me.id)):
        await server.does({"type": "Like", "object": note, "to": [author]})
    assert set(await server.ids(f"{ALICE}/liked")) == {local, remote["id"]}


def _interactions(note: str, text: str) -> list[dict[str, Any]]:
    """Return what somebody who is blocked may try."""
    reply = {"type": "Note", "content": text, "inReplyTo": note, "to": [ALICE]}
    return [
        {"type": "Like", "object": note, "to": [ALICE]},
        {"type": "Announce", "object": note, "to": [ALICE]},
        {"type": "Follow", "object": ALICE, "to": [ALICE]},
        {"type": "Create", "object": reply, "to": [ALICE]},
    ]


async def _nothing_happened(server: Server, note: str) -> bool:
    """Tell whether nobody interacted with Alice or her note."""
    shown = await server.read(note)
    urls = [*(id_of(shown[name]) for name in ("likes", "shares", "replies")), FOLLOWERS, f"{ALICE}/inbox"]
    return [item for url in urls for item in await server.items(url)] == []


async def test_a_blocked_neighbour_cannot_interact(server: Server) -> None:
    """6.9: "The server SHOULD prevent the blocked user from interacting with any object posted by the actor"."""
    note = await server.note()
    await server.does({"type": "Block", "object": BOB})
    for document in _interactions(note, "I am back"):
        await server.submit(document, "bob")
        await server.world.drain()
    assert await _nothing_happened(server, note)


async def test_a_blocked_stranger_cannot_interact(server: Server) -> None:
    """6.9: "prevent the blocked user from interacting with any object": also from another server."""
    note, dora = await server.note(), server.dora.me.id
    await server.does({"type": "Block", "object": dora})
    for document in _interactions(note, "I am back"):
        target = document["object"]
        if isinstance(target, dict):
            target = server.dora.note(**{**target, "text": "I am back"})
        await server.dora.post(f"{ALICE}/inbox", server.dora.activity(document["type"], target, to=[ALICE]))
        await server.world.drain()
    assert await _nothing_happened(server, note)


async def test_a_block_is_not_delivered_to_the_blocked(server: Server) -> None:
    """6.9: "Servers SHOULD NOT deliver Block Activities to their object" (those elsewhere: see not_done)."""
    block = await server.does({"type": "Block", "object": BOB, "to": [BOB], "cc": [CAROL]})
    assert await server.ids(f"{BOB}/inbox", "bob") == []
    assert (await server.get(block, "bob")).status_code in (403, 404)
    assert block not in await server.ids(f"{ALICE}/outbox", "bob")


async def test_only_the_same_actor_undoes(server: Server) -> None:
    """6.10: "The undo activity and the activity being undone MUST both have the same actor"."""
    note = await server.note(name="carol")
    like = await server.does({"type": "Like", "object": note, "to": [CAROL]})
    for document in (like, {"id": like, "type": "Like", "actor": ALICE, "object": note}):
        assert (await server.submit({"type": "Undo", "object": document}, "bob")).status_code == 403
    assert await server.ids(f"{ALICE}/liked") == [note]


@pytest.mark.parametrize("embedded", [False, True])
async def test_undo_takes_a_like_back(server: Server, *, embedded: bool) -> None:
    """6.10: "if undoing a Like, any counter that had been incremented previously should be decremented"."""
    note = await server.note(name="bob")
    like = await server.does({"type": "Like", "object": note, "to": [BOB]})
    likes = id_of((await server.read(note, "bob"))["likes"])
    assert (await server.read(likes, "bob"))["totalItems"] == 1
    undone = {"id": like, "type": "Like", "actor": ALICE, "object": note} if embedded else like
    await server.does({"type": "Undo", "object": undone, "to": [BOB]})
    assert (await server.read(likes, "bob"))["totalItems"] == 0
    assert await server.ids(f"{ALICE}/liked") == []


async def test_undo_takes_an_announce_back(server: Server) -> None:
    """6.10: "Side effects should be undone, to the extent possible": an Announce."""
    note = await server.note(name="bob")
    shares = id_of((await server.read(note, "bob"))["shares"])
    announce = await server.does({"type": "Announce", "object": note, "to": [PUBLIC, BOB]})
    assert await server.ids(shares, "bob") == [announce]
    await server.does({"type": "Undo", "object": announce, "to": [BOB]})
    assert await server.ids(shares, "bob") == []


async def test_undo_takes_a_follow_back(server: Server) -> None:
    """6.10: "Undo may be used to undo a previous Like, Follow, or Block": a Follow."""
    follow = await server.does({"type": "Follow", "object": BOB, "to": [BOB]})
    assert await server.ids(f"{ALICE}/following") == [BOB]
    await server.does({"type": "Undo", "object": follow, "to": [BOB]})
    assert await server.ids(f"{ALICE}/following") == []
    assert await server.ids(f"{BOB}/followers", "bob") == []


async def test_undo_takes_a_block_back(server: Server) -> None:
    """6.10: "Undo may be used to undo a previous Like, Follow, or Block": a Block."""
    note = await server.note()
    await server.does({"type": "Undo", "object": await server.does({"type": "Block", "object": BOB})})
    like = await server.does({"type": "Like", "object": note, "to": [ALICE]}, "bob")
    assert like in await server.ids(f"{ALICE}/inbox")


async def test_every_activity_is_delivered(server: Server) -> None:
    """6.11: every one (the errata say SHOULD).

    "Federated servers MUST perform delivery on all Activities posted to the outbox according to outbox delivery".
    """
    done = await one_of_each(server)
    received = sent_ids(server.dora.received)
    assert [kind for kind, activity in done.items() if activity not in received] == []


async def test_files_are_uploaded(server: Server) -> None:
    """6.12: "Servers MAY support uploading document types to be referenced in activites"."""
    upload = (await server.read(ALICE))["endpoints"]["uploadMedia"]
    png = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000020000000308020000003680f6ab")
    about = as_bytes({"@context": AS2, "type": "Image", "name": "A cat", "to": [PUBLIC]}).decode()
    async with server.world.client() as client:
        answer = await client.post(
            upload,
            headers={"authorization": f"Bearer {server.tokens['alice']}"},
            files={"file": ("cat.png", png, "image/png")},
            data={"object": about},
        )
    assert answer.status_code in (201, 202), answer.text[:300]
    assert answer.headers["location"].startswith(f"{BASE}/")
