"""Sections 7.2 to 7.12 of the W3C Recommendation ActivityPub (what arriving activities do), sentence by sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import PUBLIC
from spec.server import ALICE, BOB, FOLLOWERS, id_of

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from spec.server import Server

pytestmark = pytest.mark.anyio


async def test_a_create_appears_in_the_inbox(server: Server) -> None:
    """7.2: "the activity should appear in the actor's inbox"."""
    create = server.dora.activity("Create", server.dora.note(), to=[ALICE])
    await server.arrives(create)
    assert create["id"] in await server.ids(f"{ALICE}/inbox")
    assert create["id"] not in await server.ids(f"{BOB}/inbox", "bob")


async def _answered(server: Server, **members: Any) -> tuple[str, dict[str, Any]]:
    """Let Dora answer a note of Alice's; return the page where the answer is shown, and the answer."""
    note = await server.note()
    answer = server.dora.note("first words", inReplyTo=note, **members)
    await server.arrives(server.dora.activity("Create", answer, cc=[ALICE]))
    return f"/@alice/{note.rpartition('/')[2]}", answer


async def _shown(server: Server, page: str) -> str:
    """Return what a page shows."""
    answer = await server.get(page, None, accept="text/html")
    assert answer.status_code == 200
    return answer.text


async def test_an_update_replaces_the_copy(server: Server) -> None:
    """7.3: "the receiving server SHOULD update its copy of the object of the same id to the copy supplied"."""
    page, answer = await _answered(server)
    assert "first words" in await _shown(server, page)
    server.world.clock.forward(minutes=1)
    newer = {**answer, "content": "<p>second words</p>", "updated": "2026-11-23T09:00:30Z"}
    await server.arrives(server.dora.activity("Update", newer, cc=[ALICE]))
    shown = await _shown(server, page)
    assert "second words" in shown
    assert "first words" not in shown


async def test_an_update_replaces_all_of_the_copy(server: Server) -> None:
    """7.3: "this is not a partial update but a complete replacement of the object"."""
    page, answer = await _answered(server, summary="a warning")
    assert "a warning" in await _shown(server, page)
    server.world.clock.forward(minutes=1)
    newer = {name: value for name, value in answer.items() if name != "summary"}
    await server.arrives(server.dora.activity("Update", {**newer, "updated": "2026-11-23T09:00:30Z"}, cc=[ALICE]))
    shown = await _shown(server, page)
    assert "first words" in shown
    assert "a warning" not in shown


async def test_only_the_author_updates(server: Server) -> None:
    """7.3: "MUST take care to be sure that the Update is authorized to modify its object"."""
    page, answer = await _answered(server)
    server.world.clock.forward(minutes=1)
    forged = {**answer, "content": "<p>second words</p>", "updated": "2026-11-23T09:00:30Z"}
    neighbour = server.dora.actor("mallory")
    for peer, actor in ((server.erin, server.erin.me), (server.dora, neighbour)):
        await peer.post(f"{ALICE}/inbox", peer.activity("Update", forged, actor, cc=[ALICE]), actor)
        await server.world.drain()
    shown = await _shown(server, page)
    assert "first words" in shown
    assert "second words" not in shown


async def test_an_update_from_elsewhere_changes_nothing_of_ours(server: Server) -> None:
    """7.3: "MUST take care to be sure that the Update is authorized": never for what lives here."""
    note = await server.note("first words")
    forged = {**await server.read(note), "content": "<p>second words</p>"}
    await server.dora.post(f"{ALICE}/inbox", server.dora.activity("Update", forged, cc=[ALICE]))
    await server.world.drain()
    assert "first words" in (await server.read(note))["content"]


async def test_a_delete_removes_the_copy(server: Server) -> None:
    """7.4: "the server receiving the delete activity SHOULD remove its representation of the object"."""
    page, answer = await _answered(server)
    await server.arrives(server.dora.activity("Delete", answer["id"], cc=[ALICE]))
    assert "first words" not in await _shown(server, page)


async def test_only_the_author_deletes(server: Server) -> None:
    """7.4: "assuming the object is owned by the sending actor / server"."""
    page, answer = await _answered(server)
    await server.erin.post(f"{ALICE}/inbox", server.erin.activity("Delete", answer["id"], cc=[ALICE]))
    await server.world.drain()
    assert "first words" in await _shown(server, page)


async def test_a_follow_is_answered(server: Server) -> None:
    """7.5: to the follower.

    "the server SHOULD generate either an Accept or Reject activity with the Follow as the object and deliver it".
    """
    follow = server.dora.activity("Follow", ALICE)
    await server.arrives(follow)
    assert [document["type"] for document in server.dora.received] == ["Accept"]
    assert (server.dora.received[0]["actor"], id_of(server.dora.received[0]["object"])) == (ALICE, follow["id"])
    assert await server.ids(FOLLOWERS) == [server.dora.me.id]


async def test_a_follow_of_a_neighbour_is_answered(server: Server) -> None:
    """7.5: "generate either an Accept or Reject ... and deliver it to the actor of the Follow": who lives here, too."""
    follow = await server.does({"type": "Follow", "object": ALICE, "to": [ALICE]}, "bob")
    answers = [item for item in await server.items(f"{BOB}/inbox", "bob") if item["type"] in ("Accept", "Reject")]
    assert [id_of(answer["object"]) for answer in answers] == [follow]


async def test_who_accepts_is_followed(server: Server) -> None:
    """7.6: "the server SHOULD add the actor to the receiver's Following Collection"."""
    dora = server.dora.me.id
    follow = await server.does({"type": "Follow", "object": dora, "to": [dora]})
    await server.arrives(server.dora.activity("Accept", follow, to=[ALICE]))
    assert await server.ids(f"{ALICE}/following") == [dora]


async def test_who_accepts_what_was_never_asked_is_not_followed(server: Server) -> None:
    """7.6: "If the object of an Accept ... is a Follow activity previously sent by the receiver": and only then."""
    invented = {"id": "https://gw.example/activities/2222222222222", "type": "Follow", "actor": ALICE}
    dora = server.dora.me.id
    await server.arrives(server.dora.activity("Accept", {**invented, "object": dora}, to=[ALICE]))
    assert await server.ids(f"{ALICE}/following") == []


async def test_who_rejects_is_not_followed(server: Server) -> None:
    """7.7: "The server MUST NOT add the actor to the receiver's Following Collection"."""
    dora = server.dora.me.id
    follow = await server.does({"type": "Follow", "object": dora, "to": [dora]})
    await server.arrives(server.dora.activity("Reject", follow, to=[ALICE]))
    assert await server.ids(f"{ALICE}/following") == []


def _of_collection(peer: PlainPeer, kind: str, item: str, target: str) -> dict[str, Any]:
    """Return an Add or Remove by an actor of a peer, for Alice."""
    return {**peer.activity(kind, item, to=[ALICE]), "target": target}


async def test_an_add_from_elsewhere_changes_only_what_its_actor_owns(server: Server) -> None:
    """7.8: "unless ... the object is not allowed to be added ... at the receiver's discretion": not to Alice's."""
    note, shelf = await server.note(), await server.makes({"type": "Collection", "name": "Shelf"})
    for target in (shelf, f"{ALICE}/featured", FOLLOWERS, f"{ALICE}/following"):
        added = server.dora.me.id if target.endswith("ing") or target == FOLLOWERS else note
        await server.dora.post(f"{ALICE}/inbox", _of_collection(server.dora, "Add", added, target))
        await server.world.drain()
        assert await server.ids(target) == []


async def test_an_add_to_a_collection_elsewhere_arrives(server: Server) -> None:
    """7.8: "unless: the target is not owned by the receiving server, and thus they can't update it"."""
    add = _of_collection(server.dora, "Add", await server.note(), f"{server.dora.me.id}/featured")
    await server.arrives(add)
    assert add["id"] in await server.ids(f"{ALICE}/inbox")


async def test_a_remove_from_elsewhere_changes_only_what_its_actor_owns(server: Server) -> None:
    """7.9: "unless ... the object is not allowed to be removed ... at the receiver's discretion": not from Alice's."""
    note, shelf = await server.note(), await server.makes({"type": "Collection", "name": "Shelf"})
    for target in (shelf, f"{ALICE}/featured"):
        await server.does({"type": "Add", "object": note, "target": target})
        await server.dora.post(f"{ALICE}/inbox", _of_collection(server.dora, "Remove", note, target))
        await server.world.drain()
        assert await server.ids(target) == [note]


@pytest.mark.parametrize(("kind", "member"), [("Like", "likes"), ("Announce", "shares")])
async def test_reactions_are_added_to_their_collections(server: Server, kind: str, member: str) -> None:
    """7.10: "the server SHOULD increment the object's count of likes by adding the received activity to ... likes".

    7.11: "SHOULD increment the object's count of shares by adding the received activity to the shares collection".
    """
    note = await server.note()
    reactions = id_of((await server.read(note))[member])
    received = server.dora.activity(kind, note, cc=[ALICE])
    await server.arrives(received)
    local = await server.does({"type": kind, "object": note, "to": [ALICE, PUBLIC]}, "bob")
    assert set(await server.ids(reactions)) == {received["id"], local}
    assert (await server.read(reactions))["totalItems"] == 2


@pytest.mark.parametrize(("kind", "member"), [("Like", "likes"), ("Announce", "shares")])
async def test_reactions_are_taken_back(server: Server, kind: str, member: str) -> None:
    """7.12: "The Undo activity is used to undo the side effects of previous activities"."""
    note = await server.note()
    reactions = id_of((await server.read(note))[member])
    received = server.dora.activity(kind, note, cc=[ALICE])
    await server.arrives(received)
    assert await server.ids(reactions) == [received["id"]]
    await server.arrives(server.dora.activity("Undo", received, to=[ALICE]))
    assert await server.ids(reactions) == []


async def test_a_follow_is_taken_back(server: Server) -> None:
    """7.12: "The scope and restrictions ... are the same as for the Undo activity": a Follow."""
    follow = server.dora.activity("Follow", ALICE)
    await server.arrives(follow)
    await server.arrives(server.dora.activity("Undo", follow, to=[ALICE]))
    assert await server.ids(FOLLOWERS) == []


async def test_nobody_takes_back_what_somebody_else_did(server: Server) -> None:
    """7.12: "The undo activity and the activity being undone MUST both have the same actor" (6.10)."""
    note = await server.note()
    like = server.dora.activity("Like", note, cc=[ALICE])
    await server.arrives(like)
    neighbour = server.dora.actor("mallory")
    for peer, actor in ((server.erin, server.erin.me), (server.dora, neighbour)):
        for undone in (like, like["id"]):
            await peer.post(f"{ALICE}/inbox", peer.activity("Undo", undone, actor, to=[ALICE]), actor)
            await server.world.drain()
    assert await server.ids(id_of((await server.read(note))["likes"])) == [like["id"]]
