"""Sections 7 to 7.1.3 of the W3C Recommendation ActivityPub (delivery between servers), sentence by sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import ACTIVITY_JSON, AS2, PUBLIC
from spec.server import ALICE, BOB, FOLLOWERS, LD_JSON, as_bytes, id_of, one_of_each, sent_ids

from gateway.signatures import cavage
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from peers.plain import Actor, PlainPeer
    from spec.server import Server

pytestmark = pytest.mark.anyio

FIELDS = ("to", "bto", "cc", "bcc", "audience")
FAR = 60


def _without_shared_inbox(peer: PlainPeer, name: str) -> Actor:
    """Return an actor of a peer whose inbox is at an odd place and who has no sharedInbox."""
    actor = peer.actor(name)
    odd = f"{peer.base}/odd/place/of/{name}"
    peer.serve_document(actor.id, actor.document(inbox=odd, endpoints=None))
    return actor


def _serve_list(peer: PlainPeer, name: str, items: list[str], kind: str = "Collection") -> str:
    """Serve a collection; return its id."""
    url = f"{peer.base}/lists/{name}"
    member = "items" if kind == "Collection" else "orderedItems"
    owner = peer.me.id
    document = {"@context": AS2, "id": url, "type": kind, "attributedTo": owner, "totalItems": len(items)}
    peer.serve_document(url, {**document, member: items})
    return url


def _reply(peer: PlainPeer, to_what: str, **members: Any) -> dict[str, Any]:
    """Return the Create of a reply, served at its id, too."""
    note = peer.note("a reply", inReplyTo=to_what, **members)
    peer.serve_document(note["id"], {"@context": AS2, **note})
    return peer.activity("Create", note, **members)


async def test_what_is_sent_has_an_id(server: Server) -> None:
    """7: "An Activity sent over the network SHOULD have an id"."""
    await one_of_each(server)
    assert all(document["id"].startswith("https://gw.example/") for document in server.dora.received)


async def test_posts_have_the_content_type(server: Server) -> None:
    """7: "POST requests (eg. to the inbox) MUST be made with a Content-Type of application/ld+json; profile=..."."""
    await server.does({"type": "Note", "content": "hello", "to": [server.dora.me.id]})
    assert server.dora.received_headers[-1]["content-type"] == LD_JSON


async def test_gets_ask_for_activity_streams(server: Server) -> None:
    """7: "and GET requests ... with an Accept header of application/ld+json; profile=..."."""
    await server.does({"type": "Note", "content": "hello", "to": [server.dora.me.id]})
    asked = server.asked("GET", server.dora)
    assert asked
    assert all(LD_JSON in request.headers["accept"] for request in asked)


@pytest.mark.parametrize("content_type", [LD_JSON, ACTIVITY_JSON])
async def test_both_content_types_are_taken(server: Server, content_type: str) -> None:
    """7: "Servers SHOULD interpret a Content-Type or Accept header of application/activity+json as equivalent"."""
    dora = server.dora
    create = dora.activity("Create", dora.note(), to=[ALICE])
    request = SignedRequest(
        method="POST", target=f"{ALICE}/inbox", headers=(("content-type", content_type),), body=as_bytes(create)
    )
    signature = cavage.sign(request, dora.me.rsa, dora.me.key_id, server.world.clock.now())
    assert (await dora.send(request.with_headers(*signature))).status_code == 202
    await server.world.drain()
    assert create["id"] in await server.ids(f"{ALICE}/inbox")


async def test_what_is_delivered_has_its_object(server: Server) -> None:
    """7: "Servers performing delivery ... MUST provide the object property in the activity"."""
    done = await one_of_each(server)
    block = await server.does({"type": "Block", "object": server.erin.me.id})
    received = {document["id"]: document for document in [*server.dora.received, *server.erin.received]}
    for kind in ("Create", "Update", "Delete", "Follow", "Add", "Remove", "Like", "Undo"):
        assert id_of(received[done[kind]]["object"]), kind
    if block in received:
        assert id_of(received[block]["object"]) == server.erin.me.id


async def test_additions_are_delivered_with_their_target(server: Server) -> None:
    """7: "servers performing server to server delivery ... MUST also provide the target property: Add, Remove"."""
    done = await one_of_each(server)
    received = {document["id"]: document for document in server.dora.received}
    for kind in ("Add", "Remove"):
        assert id_of(received[done[kind]]["target"]).startswith("https://gw.example/")


async def test_answers_to_servers_say_how_they_are_cached(server: Server) -> None:
    """7: "HTTP caching mechanisms SHOULD be respected when appropriate, ... sending responses to other servers"."""
    answer = await server.dora.get(await server.note())
    assert answer.status_code == 200
    assert answer.headers["etag"]
    assert "private" in answer.headers["cache-control"]
    assert {"Accept", "Signature"} <= {part.strip() for part in answer.headers["vary"].split(",")}


@pytest.mark.parametrize("field", FIELDS)
async def test_targets_are_found_in_all_five_fields(server: Server, field: str) -> None:
    """7.1: "namely, the to, bto, cc, bcc, and audience fields of the activity"."""
    activity = await server.does({"type": "Listen", "object": server.dora.id("songs"), field: server.dora.me.id})
    assert sent_ids(server.dora.received) == [activity]


async def test_the_inbox_is_looked_up(server: Server) -> None:
    """7.1: "retrieving the target actor's JSON-LD representation and then looking up the inbox property"."""
    odd = _without_shared_inbox(server.dora, "frank")
    await server.does({"type": "Note", "content": "hello", "to": [odd.id]})
    assert server.inboxes(server.dora) == ["https://peer.example/odd/place/of/frank"]


@pytest.mark.parametrize("kind", ["Collection", "OrderedCollection"])
async def test_collections_are_dereferenced(server: Server, kind: str) -> None:
    """7.1: a list of somebody else's server.

    "the server MUST dereference the collection ... and discover inboxes for each item in the collection".
    """
    friends = _serve_list(server.dora, "friends", [server.erin.me.id, BOB], kind)
    activity = await server.does({"type": "Note", "content": "hello", "to": [friends]})
    assert sent_ids(server.erin.received) == [activity]
    assert activity in await server.ids(f"{BOB}/inbox", "bob")


async def test_collections_are_asked_for_as_the_user(server: Server) -> None:
    """7.1: "the server MUST dereference the collection (with the user's credentials)"."""
    friends = _serve_list(server.dora, "friends", [server.erin.me.id])
    await server.does({"type": "Note", "content": "hello", "to": [friends]})
    asked = [request for request in server.asked("GET", server.dora) if str(request.url) == friends]
    assert asked
    signed = [request.headers.get("signature", "") + request.headers.get("signature-input", "") for request in asked]
    assert any(f'"{ALICE}#' in value for value in signed)


async def test_pages_of_collections_are_dereferenced(server: Server) -> None:
    """7.1: "discover inboxes for each item in the collection": also when it comes in pages."""
    page = _serve_list(server.dora, "page", [server.erin.me.id], "OrderedCollectionPage")
    friends = f"{server.dora.base}/lists/friends"
    server.dora.serve_document(friends, {"@context": AS2, "id": friends, "type": "OrderedCollection", "first": page})
    activity = await server.does({"type": "Note", "content": "hello", "to": [friends]})
    assert sent_ids(server.erin.received) == [activity]


async def test_collections_in_collections_end_somewhere(server: Server) -> None:
    """7.1: "Servers MUST limit the number of layers of indirections through collections"."""
    for number in range(FAR):
        _serve_list(server.dora, str(number), [f"{server.dora.base}/lists/{number + 1}"])
    _serve_list(server.dora, str(FAR), [server.erin.me.id])
    await server.does({"type": "Note", "content": "hello", "to": [f"{server.dora.base}/lists/0"]})
    assert "/lists/0" in server.dora.gets
    assert f"/lists/{FAR}" not in server.dora.gets
    assert server.inboxes(server.erin) == []


async def test_a_collection_of_itself_is_no_trap(server: Server) -> None:
    """7.1: "Servers MUST limit the number of layers of indirections": a collection may contain itself."""
    url = f"{server.dora.base}/lists/itself"
    _serve_list(server.dora, "itself", [url, server.erin.me.id])
    await server.does({"type": "Note", "content": "hello", "to": [url]})
    assert len(server.erin.received) == 1
    assert 1 <= server.dora.gets.count("/lists/itself") < FAR


async def test_nobody_gets_an_activity_twice(server: Server) -> None:
    """7.1: "Servers MUST de-duplicate the final recipient list"."""
    await server.remote_follower(server.dora)
    await server.local_follower("bob")
    dora = server.dora.me.id
    addressed = {"to": [dora, BOB, PUBLIC], "cc": [FOLLOWERS, dora, BOB], "bto": [dora], "audience": [FOLLOWERS, BOB]}
    activity = await server.does({"type": "Note", "content": "hello", **addressed})
    assert sent_ids(server.dora.received) == [activity]
    assert (await server.ids(f"{BOB}/inbox", "bob")).count(activity) == 1


async def test_nobody_gets_their_own_activity(server: Server) -> None:
    """7.1: excluding the sender.

    "Servers MUST also exclude actors from the list which are the same as the actor of the Activity".
    """
    friends = await server.makes({"type": "Collection", "name": "all of us"})
    await server.does({"type": "Add", "object": ALICE, "target": friends})
    activity = await server.does({"type": "Note", "content": "hello", "to": [ALICE], "cc": [friends], "bcc": [ALICE]})
    assert activity in await server.ids(f"{ALICE}/outbox")
    assert await server.ids(f"{ALICE}/inbox") == []


async def test_what_is_delivered_is_an_item_of_the_inbox(server: Server) -> None:
    """7.1: "This Activity is added by the receiver as an item in the inbox OrderedCollection"."""
    create = server.dora.activity("Create", server.dora.note("good morning"), to=[ALICE])
    await server.arrives(create)
    item = next(item for item in await server.items(f"{ALICE}/inbox") if id_of(item) == create["id"])
    assert (item["type"], item["actor"]) == ("Create", server.dora.me.id)
    assert "good morning" in item["object"]["content"]


async def test_delivery_waits_for_nobody(server: Server) -> None:
    """7.1: "delivery SHOULD be performed asynchronously"."""
    await server.remote_follower(server.dora)
    assert (await server.submit({"type": "Note", "content": "hello", "to": [FOLLOWERS]})).status_code == 201
    assert server.dora.received == []
    await server.world.drain()
    assert len(server.dora.received) == 1


async def test_delivery_is_tried_again(server: Server) -> None:
    """7.1: "and SHOULD additionally retry delivery to recipients if it fails due to network error"."""
    await server.remote_follower(server.dora)
    app = server.world.board.apps.pop("peer.example")
    activity = await server.does({"type": "Note", "content": "hello", "to": [FOLLOWERS]})
    server.world.board.apps["peer.example"] = app
    server.world.clock.forward(hours=1)
    await server.world.drain()
    assert sent_ids(server.dora.received) == [activity]


@pytest.mark.parametrize("field", FIELDS)
async def test_followers_are_delivered_to(server: Server, field: str) -> None:
    """7.1.1: in all five fields (the errata say SHOULD).

    "the server MUST target and deliver to: The to, bto, cc, bcc or audience fields if their values are individuals or
    Collections owned by the actor".
    """
    await server.remote_follower(server.dora)
    await server.local_follower("bob")
    activity = await server.does({"type": "Note", "content": "hello", field: [FOLLOWERS]})
    assert sent_ids(server.dora.received) == [activity]
    assert activity in await server.ids(f"{BOB}/inbox", "bob")


@pytest.mark.parametrize("kind", ["Collection", "OrderedCollection"])
async def test_own_collections_are_delivered_to(server: Server, kind: str) -> None:
    """7.1.1: "if their values are individuals or Collections owned by the actor": a list of Alice's."""
    friends = await server.makes({"type": kind, "name": "friends", "to": []})
    for friend in (server.dora.me.id, BOB):
        await server.does({"type": "Add", "object": friend, "target": friends, "to": []})
    assert server.dora.received == []
    activity = await server.does({"type": "Note", "content": "hello", "to": [friends]})
    assert sent_ids(server.dora.received) == [activity]
    assert activity in await server.ids(f"{BOB}/inbox", "bob")


@pytest.mark.parametrize("field", ["to", "cc", "audience"])
async def test_replies_are_forwarded(server: Server, field: str) -> None:
    """7.1.2: byte for byte, to followers here and elsewhere.

    "the server MUST target and deliver to the values of to, cc, and/or audience".
    """
    note = await server.note()
    await server.remote_follower(server.erin)
    await server.local_follower("bob")
    reply = _reply(server.dora, note, **{"to": [ALICE], "cc": [], field: [ALICE, FOLLOWERS]})
    await server.arrives(reply)
    assert server.erin.received == [reply]
    assert server.asked("POST", server.erin)[-1].content == json.dumps(reply).encode()
    assert reply["id"] in await server.ids(f"{BOB}/inbox", "bob")
    assert server.dora.received == []


@pytest.mark.parametrize("kind", ["Collection", "OrderedCollection"])
async def test_replies_are_forwarded_to_any_collection_of_ours(server: Server, kind: str) -> None:
    """7.1.2: "The values of to, cc, and/or audience contain a Collection owned by the server": a list of Alice's."""
    friends = await server.makes({"type": kind, "name": "friends"})
    for friend in (server.erin.me.id, BOB):
        await server.does({"type": "Add", "object": friend, "target": friends, "to": []})
    note = await server.note()
    server.forget()
    reply = _reply(server.dora, note, to=[ALICE], cc=[friends])
    await server.arrives(reply)
    assert server.erin.received == [reply]
    assert reply["id"] in await server.ids(f"{BOB}/inbox", "bob")


@pytest.mark.parametrize("member", ["inReplyTo", "object", "target", "tag"])
async def test_what_is_about_our_objects_is_forwarded(server: Server, member: str) -> None:
    """7.1.2: "The values of inReplyTo, object, target and/or tag are objects owned by the server"."""
    note = await server.note()
    await server.remote_follower(server.erin)
    about = {"object": server.dora.id("songs"), member: [note] if member == "tag" else note}
    offer = {**server.dora.activity("Offer", about["object"]), **about, "to": [ALICE], "cc": [FOLLOWERS]}
    await server.arrives(offer)
    assert server.erin.received == [offer]


async def test_only_the_first_time_is_forwarded(server: Server) -> None:
    """7.1.2: "This is the first time the server has seen this Activity"."""
    note = await server.note()
    await server.remote_follower(server.erin)
    reply = _reply(server.dora, note, to=[ALICE], cc=[FOLLOWERS])
    for inbox in (f"{ALICE}/inbox", "https://gw.example/inbox", f"{ALICE}/inbox"):
        await server.arrives(reply, inbox=inbox)
    assert server.erin.received == [reply]


async def test_nothing_is_forwarded_to_collections_of_others(server: Server) -> None:
    """7.1.2: "The values of to, cc, and/or audience contain a Collection owned by the server"."""
    note = await server.note()
    await server.remote_follower(server.erin)
    friends = _serve_list(server.dora, "friends", [server.erin.me.id])
    reply = _reply(server.dora, note, to=[ALICE, PUBLIC], cc=[friends, server.erin.me.id])
    await server.arrives(reply)
    assert reply["id"] in await server.ids(f"{ALICE}/inbox")
    assert server.inboxes(server.erin) == []


async def test_nothing_is_forwarded_that_is_about_others(server: Server) -> None:
    """7.1.2: "if and only if ... inReplyTo, object, target and/or tag are objects owned by the server"."""
    await server.remote_follower(server.erin)
    theirs = server.dora.note("not about anything here")
    server.dora.serve_document(theirs["id"], {"@context": AS2, **theirs})
    reply = _reply(server.dora, theirs["id"], to=[ALICE], cc=[FOLLOWERS])
    await server.arrives(reply)
    assert reply["id"] in await server.ids(f"{ALICE}/inbox")
    assert server.inboxes(server.erin) == []


async def test_replies_to_replies_are_forwarded(server: Server) -> None:
    """7.1.2: "The server SHOULD recurse through these values to look for linked objects owned by the server"."""
    first = _reply(server.dora, await server.note(), to=[ALICE], cc=[PUBLIC])
    await server.arrives(first)
    await server.remote_follower(server.erin)
    second = _reply(server.dora, first["object"]["id"], to=[ALICE], cc=[FOLLOWERS])
    await server.arrives(second)
    assert server.erin.received == [second]


async def test_replies_that_were_not_seen_are_looked_through(server: Server) -> None:
    """7.1.2: "recurse through these values": also through a reply that has to be asked for."""
    unseen = _reply(server.dora, await server.note(), to=[PUBLIC], cc=[server.erin.me.id])
    await server.remote_follower(server.erin)
    second = _reply(server.dora, unseen["object"]["id"], to=[ALICE], cc=[FOLLOWERS])
    await server.arrives(second)
    assert server.erin.received == [second]


async def test_recursion_ends_somewhere(server: Server) -> None:
    """7.1.2: "and SHOULD set a maximum limit for recursion"."""
    about = await server.note()
    await server.remote_follower(server.erin)
    for _ in range(FAR):
        about = _reply(server.dora, about)["object"]["id"]
    server.dora.gets.clear()
    await server.arrives(_reply(server.dora, about, to=[ALICE], cc=[FOLLOWERS]))
    assert len([path for path in server.dora.gets if path.startswith("/notes/")]) < FAR
    assert server.inboxes(server.erin) == []


async def test_recursion_adds_no_addressees(server: Server) -> None:
    """7.1.2: only those of the activity itself.

    "and not pick up any new addressees whilst recursing through the linked objects".
    """
    note = await server.note(to=[PUBLIC, server.erin.me.id])
    frank = _without_shared_inbox(server.erin, "frank")
    await server.remote_follower(server.erin, frank)
    first = _reply(server.dora, note, to=[ALICE, BOB], cc=[server.erin.me.id])
    await server.arrives(first)
    server.forget()
    second = _reply(server.dora, first["object"]["id"], to=[ALICE], cc=[FOLLOWERS])
    await server.arrives(second)
    assert server.inboxes(server.erin) == ["https://other.example/odd/place/of/frank"]
    assert second["id"] not in await server.ids(f"{BOB}/inbox", "bob")


async def test_who_has_no_shared_inbox_is_delivered_to_as_well(server: Server) -> None:
    """7.1.3: those without sharedInbox.

    "Origin servers sending publicly addressed activities to sharedInbox endpoints MUST still deliver to actors and
    collections otherwise addressed ... which do not have a sharedInbox".
    """
    await server.remote_follower(server.dora)
    frank, grace = _without_shared_inbox(server.dora, "frank"), _without_shared_inbox(server.erin, "grace")
    await server.remote_follower(server.dora, frank)
    await server.does({"type": "Note", "content": "hello", "to": [PUBLIC], "cc": [FOLLOWERS, grace.id]})
    assert set(server.inboxes(server.dora)) & {"https://peer.example/inbox", f"{server.dora.me.id}/inbox"}
    assert "https://peer.example/odd/place/of/frank" in server.inboxes(server.dora)
    assert server.inboxes(server.erin) == ["https://other.example/odd/place/of/grace"]
