"""Sections 6 to 6.2 of the W3C Recommendation ActivityPub (a client's outbox and Create), sentence by sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import ACTIVITY_JSON, AS2, PUBLIC
from spec.server import ALICE, BOB, CAROL, LD_JSON, as_bytes, id_of, many, names, one_of_each, sent_ids
from world import BASE

if TYPE_CHECKING:
    from spec.server import Server

pytestmark = pytest.mark.anyio

NOTE: dict[str, Any] = {"@context": AS2, "type": "Note", "content": "<p>hello</p>", "to": [PUBLIC]}
BLIND = {"bto", "bcc"}


@pytest.mark.parametrize("content_type", [LD_JSON, ACTIVITY_JSON])
async def test_the_outbox_takes_posts_of_activity_streams(server: Server, content_type: str) -> None:
    """6: "Servers MAY interpret a Content-Type or Accept header of application/activity+json as equivalent"."""
    answer = await server.post(f"{ALICE}/outbox", "alice", as_bytes(NOTE), content_type)
    assert answer.status_code == 201


@pytest.mark.parametrize(("name", "status"), [(None, 401), ("bob", 403)])
async def test_only_the_owner_posts_to_an_outbox(server: Server, name: str | None, status: int) -> None:
    """6: "The request MUST be authenticated with the credentials of the user to whom the outbox belongs"."""
    assert (await server.post(f"{ALICE}/outbox", name, as_bytes(NOTE))).status_code == status
    assert await server.ids(f"{ALICE}/outbox") == []


async def test_a_signature_of_another_server_does_not_post(server: Server) -> None:
    """6: "authenticated with the credentials of the user to whom the outbox belongs": a peer's are not."""
    assert (await server.dora.post(f"{ALICE}/outbox", NOTE)).status_code == 401
    assert await server.ids(f"{ALICE}/outbox") == []


@pytest.mark.parametrize("body", [b"", b"hello", b"5", b'"note"', as_bytes([NOTE, NOTE]), b"{}"])
async def test_a_body_is_one_activity_or_object(server: Server, body: bytes) -> None:
    """6: "The body of the POST request MUST contain a single Activity ... or a single non-Activity object"."""
    assert (await server.post(f"{ALICE}/outbox", "alice", body)).status_code == 400
    assert await server.ids(f"{ALICE}/outbox") == []


@pytest.mark.parametrize("member", ["actor", "attributedTo"])
async def test_nobody_acts_for_somebody_else(server: Server, member: str) -> None:
    """6: "authenticated with the credentials of the user": another actor may not be named."""
    document: dict[str, Any] = {"type": "Like", "object": await server.note(name="carol"), "actor": BOB}
    if member == "attributedTo":
        document = {"type": "Create", "object": {**NOTE, "attributedTo": BOB}}
    assert (await server.submit(document)).status_code == 403
    assert await server.ids(f"{ALICE}/outbox") == []


async def test_the_id_of_a_submitted_activity_is_ignored(server: Server) -> None:
    """6: a new id for each activity.

    "If an Activity is submitted with a value in the id property, servers MUST ignore this and generate a new id".
    """
    taken = await server.does({**NOTE})
    for wished in (taken, f"{BASE}/activities/mine", "https://elsewhere.example/1", None):
        made = await server.does({"type": "Offer", "id": wished, "object": "https://peer.example/1", "to": [BOB]})
        assert made not in (wished, taken)
        assert (await server.read(made))["type"] == "Offer"
    assert (await server.read(taken))["type"] == "Create"


@pytest.mark.parametrize(
    "kind",
    ["Arrive", "Travel", "Listen", "View", "Read", "Offer", "Invite", "Join", "Leave", "Dislike", "Flag", "Ignore",
     "Question", "Accept", "Reject", "TentativeAccept", "TentativeReject", "Activity"],
)  # fmt: skip
async def test_any_activity_is_created(server: Server, kind: str) -> None:
    """6: "Servers MUST return a 201 Created HTTP code"."""
    note = await server.note(name="bob")
    without_object = kind in ("Arrive", "Travel", "Question")
    document = {"type": kind, "to": [BOB], **({"name": "Where?"} if without_object else {"object": note})}
    assert (await server.submit(document)).status_code == 201


async def test_the_answer_names_the_new_id(server: Server) -> None:
    """6: "and unless the activity is transient, MUST include the new id in the Location header"."""
    for kind in ("Like", "Announce", "Listen"):
        location = await server.does({"type": kind, "object": await server.note(name="bob"), "to": [BOB]})
        activity = await server.read(location)
        assert (activity["id"], activity["type"], id_of(activity["actor"])) == (location, kind, ALICE)


@pytest.mark.parametrize("kind", ["bare", "Create", "Listen"])
async def test_blind_addresses_are_removed(server: Server, kind: str) -> None:
    """6: before delivery, from the activity and its object.

    "The server MUST remove the bto and/or bcc properties, if they exist, from the ActivityStreams object".
    """
    blind = {"bto": [server.dora.me.id], "bcc": [BOB]}
    document: dict[str, Any] = {**NOTE, **blind}
    if kind != "bare":
        document = {"type": kind, "object": {**document}, "to": [PUBLIC], **blind}
    activity = await server.does(document)
    delivered = server.dora.received[-1]
    assert delivered["id"] == activity
    local = next(item for item in await server.items(f"{BOB}/inbox", "bob") if id_of(item) == activity)
    seen = [delivered, local, (await server.dora.get(activity)).json(), await server.read(activity, "carol")]
    if kind != "Listen":
        seen.append(await server.read(id_of(delivered["object"]), "bob"))
    for shown in seen:
        assert not BLIND & set(names(shown))


@pytest.mark.parametrize("field", ["bto", "bcc"])
async def test_blind_addresses_stay_hidden_later(server: Server, field: str) -> None:
    """6: "The server MUST remove the bto and/or bcc properties ... before delivery": of Update, Announce, Add, too."""
    note = await server.makes({"type": "Note", "content": "hello", field: [BOB]})
    shelf = await server.makes({"type": "Collection", "name": "Shelf", field: [BOB]})
    for document in (
        {"type": "Update", "object": {"id": note, "content": "changed", field: [BOB, CAROL]}},
        {"type": "Announce", "object": {"id": note, "type": "Note", field: [BOB]}},
        {"type": "Add", "object": note, "target": {"id": shelf, "type": "Collection", field: [BOB]}},
    ):
        activity = await server.does({**document, "to": [server.dora.me.id], field: [BOB]})
        assert sent_ids(server.dora.received)[-1] == activity
    assert not BLIND & set(names(server.dora.received))
    assert not BLIND & set(names([await server.read(url, "carol") for url in (note, shelf)]))


@pytest.mark.parametrize("field", ["bto", "bcc"])
@pytest.mark.parametrize("holder", ["activity", "object"])
async def test_blind_addresses_are_delivered_to(server: Server, field: str, holder: str) -> None:
    """6: "MUST utilize the addressing originally stored on the bto / bcc properties for determining recipients"."""
    blind = {field: [server.dora.me.id, BOB]}
    note = {"type": "Note", "content": "psst", **(blind if holder == "object" else {})}
    activity = await server.does({"type": "Create", "object": note, **(blind if holder == "activity" else {})})
    assert sent_ids(server.dora.received) == [activity]
    assert activity in await server.ids(f"{BOB}/inbox", "bob")


async def test_activities_are_added_to_the_outbox(server: Server) -> None:
    """6: "The server MUST then add this new Activity to the outbox collection"."""
    done = await one_of_each(server)
    outbox = await server.ids(f"{ALICE}/outbox")
    assert [kind for kind, activity in done.items() if activity not in outbox] == []


async def test_answers_to_clients_can_be_cached_by_them_only(server: Server) -> None:
    """6: "HTTP caching mechanisms SHOULD be respected when appropriate, ... servers sending responses to clients"."""
    note = await server.note()
    for url in (note, f"{ALICE}/inbox", f"{ALICE}/outbox"):
        answer = await server.get(url)
        assert {"private", "no-store"} & {part.strip() for part in answer.headers["cache-control"].split(",")}
        again = await server.get(url, if_none_match=answer.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")


async def test_only_addressees_get_an_activity(server: Server) -> None:
    """6.1: "the server will only forward new Activities to addressees in the to, bto, cc, bcc, and audience fields"."""
    mention = {"type": "Mention", "href": server.erin.me.id, "name": "@erin@other.example"}
    await server.does({**NOTE, "tag": [mention], "to": [server.dora.me.id]})
    assert len(server.dora.received) == 1
    assert server.inboxes(server.erin) == []
    assert await server.ids(f"{BOB}/inbox", "bob") == []


@pytest.mark.parametrize(
    "kind", ["Create", "Update", "Delete", "Follow", "Add", "Remove", "Like", "Block", "Undo"]
)  # fmt: skip
async def test_an_activity_without_its_object_is_not_taken(server: Server, kind: str) -> None:
    """6.1: "Clients submitting the following activities to an outbox MUST provide the object property"."""
    assert (await server.submit({"type": kind, "target": f"{ALICE}/featured", "to": [BOB]})).status_code == 400
    assert await server.ids(f"{ALICE}/outbox") == []


@pytest.mark.parametrize("kind", ["Add", "Remove"])
async def test_an_addition_without_its_target_is_not_taken(server: Server, kind: str) -> None:
    """6.1: "clients submitting the following activities to an outbox MUST also provide the target property"."""
    assert (await server.submit({"type": kind, "object": await server.note()})).status_code == 400


async def test_create_creates_the_object(server: Server) -> None:
    """6.2: "This has the side effect that the object embedded within the Activity ... is created"."""
    activity = await server.does({"type": "Create", "object": {"type": "Note", "content": "hello"}, "to": [PUBLIC]})
    note = await server.read(id_of((await server.read(activity))["object"]))
    assert "hello" in note["content"]


async def test_the_author_is_the_actor(server: Server) -> None:
    """6.2: "the actor of the activity SHOULD be copied onto the object's attributedTo field"."""
    activity = await server.does({"type": "Create", "actor": ALICE, "object": NOTE, "to": [server.dora.me.id]})
    assert server.dora.received[-1]["object"]["attributedTo"] == ALICE
    note = await server.read(id_of((await server.read(activity))["object"]))
    assert id_of(note["attributedTo"]) == ALICE


async def test_recipients_of_a_create_are_those_of_its_object(server: Server) -> None:
    """6.2: "a server SHOULD copy any recipients of the Create activity to its object upon initial distribution"."""
    addressed = {"to": [server.dora.me.id], "cc": [BOB], "audience": [CAROL]}
    await server.does({"type": "Create", "object": {"type": "Note", "content": "hello"}, **addressed})
    note = server.dora.received[-1]["object"]
    assert {field: many(note.get(field)) for field in addressed} == addressed


async def test_recipients_of_an_object_are_those_of_its_create(server: Server) -> None:
    """6.2: "and likewise with copying recipients from the object to the wrapping Create activity"."""
    addressed = {"to": [server.dora.me.id], "cc": [BOB], "audience": [CAROL]}
    await server.does({"type": "Create", "object": {"type": "Note", "content": "hello", **addressed}})
    create = server.dora.received[-1]
    assert {field: many(create.get(field)) for field in addressed} == addressed


@pytest.mark.parametrize(
    "kind",
    ["Object", "Note", "Article", "Page", "Document", "Image", "Audio", "Video", "Event", "Place", "Profile",
     "Relationship", "Collection", "OrderedCollection", "https://vocab.example/ns#Recipe"],
)  # fmt: skip
async def test_any_object_is_taken(server: Server, kind: str) -> None:
    """6.2.1: also when it comes without a Create.

    "The server MUST accept a valid ActivityStreams object that isn't a subtype of Activity in the POST request".
    """
    made = await server.makes({"type": kind, "name": "A name", "content": "<p>Some text</p>"})
    document = await server.read(made)
    assert document["type"] == kind
    assert "A name" in document["name"]


async def test_a_bare_object_is_wrapped(server: Server) -> None:
    """6.2.1: "The server then MUST attach this object as the object of a Create Activity"."""
    activity = await server.does({**NOTE, "to": [server.dora.me.id]})
    create = server.dora.received[-1]
    assert (create["type"], create["actor"], create["id"]) == ("Create", ALICE, activity)
    assert "hello" in create["object"]["content"]


async def test_both_the_wrapper_and_the_object_have_an_id(server: Server) -> None:
    """6.2.1: ids.

    "the server MUST attach an id to both the wrapping Create and its wrapped Object".
    """
    activity = await server.does({**NOTE})
    note = id_of((await server.read(activity))["object"])
    assert activity != note
    assert (await server.read(activity))["id"] == activity
    assert (await server.read(note))["id"] == note


@pytest.mark.parametrize("field", ["to", "bto", "cc", "bcc", "audience"])
async def test_the_addresses_of_a_bare_object_are_those_of_its_create(server: Server, field: str) -> None:
    """6.2.1: all five.

    "Any to, bto, cc, bcc, and audience properties specified on the object MUST be copied over to the new Create".
    """
    activity = await server.does({"type": "Note", "content": "hello", field: [server.dora.me.id, BOB]})
    create = server.dora.received[-1]
    assert create["id"] == activity
    assert activity in await server.ids(f"{BOB}/inbox", "bob")
    assert many(create.get(field)) == ([] if field in BLIND else [server.dora.me.id, BOB])
