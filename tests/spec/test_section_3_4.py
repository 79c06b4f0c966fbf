"""Sections 3 (Objects) and 4 (Actors) of the W3C Recommendation ActivityPub, sentence by sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from peers.plain import ACTIVITY_JSON, AS2, PUBLIC
from spec.server import ALICE, BOB, COLLECTIONS, LD_JSON, as_bytes, id_of, many
from world import BASE

if TYPE_CHECKING:
    from spec.server import Server

pytestmark = pytest.mark.anyio


async def test_documents_have_the_context(server: Server) -> None:
    """3: "Implementers SHOULD include the ActivityPub context in their object definitions"."""
    activity = await server.does({"type": "Note", "content": "hello", "to": [PUBLIC, server.dora.me.id]})
    note = id_of((await server.read(activity))["object"])
    for document in [*[await server.read(url) for url in (ALICE, note, activity)], server.dora.received[-1]]:
        assert AS2 in many(document["@context"])


async def test_spoofed_content_is_not_believed(server: Server) -> None:
    """3: "Servers SHOULD validate the content they receive to avoid content spoofing attacks"."""
    of_erin = {"id": server.erin.id("notes"), "attributedTo": server.erin.me.id}
    spoofed = {**server.dora.note("words that Erin never said"), **of_erin}
    await server.dora.post(f"{ALICE}/inbox", server.dora.activity("Create", spoofed, to=[ALICE]))
    await server.world.drain()
    assert "never said" not in json.dumps(await server.items(f"{ALICE}/inbox"))


async def test_every_id_is_unique(server: Server) -> None:
    """3.1: "all objects distributed by the ActivityPub protocol MUST have unique global identifiers"."""
    for _ in range(2):
        await server.does({"type": "Note", "content": "the same", "to": [server.dora.me.id]})
    ids = [one for document in server.dora.received for one in (document["id"], document["object"]["id"])]
    assert len(set(ids)) == 4


async def test_ids_can_be_dereferenced_at_this_server(open_server: Server) -> None:
    """3.1: "Publicly dereferencable URIs ... with their authority belonging to that of their originating server"."""
    activity = await open_server.does({"type": "Note", "content": "hello", "to": [PUBLIC]})
    note = id_of((await open_server.read(activity))["object"])
    for url in (ALICE, note, activity):
        assert url.startswith(f"{BASE}/")
        assert (await open_server.read(url, None))["id"] == url


async def test_public_content_has_https_ids(server: Server) -> None:
    """3.1: "Publicly facing content SHOULD use HTTPS URIs"."""
    activity = await server.does({"type": "Note", "content": "hello", "to": [PUBLIC]})
    note = id_of((await server.read(activity))["object"])
    assert all(url.startswith("https://") for url in (activity, note))


async def test_delivered_activities_have_ids(server: Server) -> None:
    """3.1: "Identifiers MUST be provided for activities posted in server to server communication"."""
    dora = server.dora.me.id
    note = await server.note()
    for document in (
        {"type": "Note", "content": "hello"},
        {"type": "Follow", "object": dora},
        {"type": "Like", "object": note},
        {"type": "Announce", "object": note},
        {"type": "Offer", "object": note},
    ):
        assert (await server.does({**document, "to": [dora]})) == server.dora.received[-1]["id"]


async def test_an_object_without_id_gets_one(server: Server) -> None:
    """3.1: "a server receiving an object posted to the outbox with no specified id SHOULD allocate an object ID"."""
    note = await server.note()
    assert note.startswith(f"{BASE}/")
    assert (await server.read(note))["id"] == note


async def test_everything_has_a_type(server: Server) -> None:
    """3.1: "All objects have the following properties: id ... type"."""
    activity = await server.does({"type": "Article", "name": "Title", "content": "text", "to": [PUBLIC]})
    document = await server.read(activity)
    assert (document["type"], document["object"]["type"]) == ("Create", "Article")


@pytest.mark.parametrize("accept", [LD_JSON, ACTIVITY_JSON])
async def test_activity_streams_is_presented(server: Server, accept: str) -> None:
    """3.2: the ActivityStreams representation for both media types.

    "MUST present the ActivityStreams object representation in response to application/ld+json ..., and SHOULD also
    present the ActivityStreams representation in response to application/activity+json as well".
    """
    activity = await server.does({"type": "Note", "content": "hello", "to": [PUBLIC]})
    note = id_of((await server.read(activity))["object"])
    for url in (ALICE, note, activity, f"{ALICE}/inbox", f"{ALICE}/outbox", f"{ALICE}/followers"):
        answer = await server.get(url, accept=accept)
        assert answer.status_code == 200, url
        assert answer.headers["content-type"].partition(";")[0] in ("application/ld+json", ACTIVITY_JSON)
        assert answer.json()["id"] == url


async def test_unauthorised_requests_fail(server: Server) -> None:
    """3.2: "Servers SHOULD fail requests which do not pass their authorization checks"."""
    note = await server.note("only for Bob", to=[BOB])
    assert (await server.get(note, "bob")).status_code == 200
    for url in (note, f"{ALICE}/inbox"):
        assert (await server.get(url, "carol")).status_code in (403, 404)
        assert (await server.get(url, None)).status_code in (401, 403, 404)
        assert (await server.dora.get(url)).status_code in (403, 404)


async def test_an_actor_has_an_inbox_and_an_outbox(server: Server) -> None:
    """4.1: "Actor objects MUST have ... the following properties: inbox ... outbox"."""
    actor = await server.read(ALICE)
    assert (actor["id"], actor["type"]) == (ALICE, "Person")
    for name in ("inbox", "outbox"):
        assert (await server.read(id_of(actor[name])))["type"] == "OrderedCollection"


async def test_an_actor_names_whom_it_follows_and_who_follows_it(server: Server) -> None:
    """4.1: "Implementations SHOULD, in addition, provide the following properties: following ... followers"."""
    actor = await server.read(ALICE)
    for name in ("following", "followers"):
        assert (await server.read(id_of(actor[name])))["type"] in COLLECTIONS


async def test_the_shared_inbox_shows_nothing_private(open_server: Server) -> None:
    """4.1: sharedInbox shows what is public.

    "Reading from the sharedInbox endpoint MUST NOT present objects which are not addressed to the Public endpoint".
    """
    shared = (await open_server.read(ALICE))["endpoints"]["sharedInbox"]
    note = open_server.dora.note("for Alice only", to=[ALICE], cc=[])
    await open_server.arrives(open_server.dora.activity("Create", note, to=[ALICE]), inbox=shared)
    await open_server.note("for Bob only", to=[BOB])
    assert "for Alice only" in json.dumps(await open_server.items(f"{ALICE}/inbox"))
    for name in (None, "alice", "bob"):
        answer = await open_server.get(shared, name)
        shown = json.dumps(await open_server.items(shared, name)) if answer.status_code == 200 else answer.text
        assert "only" not in shown


async def test_clients_read_elsewhere_through_the_proxy(server: Server) -> None:
    """4.1: "the client posts an x-www-form-urlencoded id parameter with the value being the id of the ... object"."""
    proxy = (await server.read(ALICE))["endpoints"]["proxyUrl"]
    note = server.dora.note("read from afar")
    server.dora.serve_document(note["id"], {"@context": AS2, **note})
    form = f"id={note['id']}".encode()
    answer = await server.post(proxy, "alice", form, "application/x-www-form-urlencoded")
    assert answer.status_code == 200, answer.text[:300]
    assert answer.json()["id"] == note["id"]
    assert (await server.post(proxy, None, form, "application/x-www-form-urlencoded")).status_code == 401


async def test_an_actor_names_where_clients_get_tokens(server: Server) -> None:
    """4.1: "this endpoint specifies a URI at which a client may acquire an access token"."""
    endpoints = (await server.read(ALICE))["endpoints"]
    for name in ("oauthAuthorizationEndpoint", "oauthTokenEndpoint"):
        assert endpoints[name].startswith(f"{BASE}/")
        assert (await server.post(endpoints[name], None, as_bytes({}))).status_code != 404
