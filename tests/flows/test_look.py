"""Looking at one document on an account's behalf."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of, published
from peers.plain import AS2, PUBLIC
from world import BASE, account

from gateway.activitypub.addressing import Visibility
from gateway.carriers.jsonld_terms import CONTEXT
from gateway.errors import BadUrl, GatewayError, Gone, NotFound, Refused, RemoteAnswer, RemoteUnreachable
from gateway.flows import client, discover, interact, look, moderate, revise
from gateway.policy.rules import Action
from gateway.preferences import Preferences

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio

URL = "https://peer.example/notes/1"
CAROL = f"{BASE}/users/carol"


def _note(**members: Any) -> dict[str, Any]:
    author = "https://peer.example/users/bob"
    return {"@context": [AS2, dict(CONTEXT)], "id": URL, "type": "Note", "attributedTo": author, **members}


async def test_a_document_elsewhere_is_returned_as_it_is(world: World) -> None:
    """Its bytes are its origin's; document and headers together say what holds for it."""
    home, alice = home_of(world)
    peer = world.peer()
    body = json.dumps(_note(contentUsage="search=y, train-ai=y"), indent=3)
    peer.serve(URL, body, content_type="application/activity+json", content_usage="train-ai=n")
    found = await look.fetch_for(home.kit, alice, f"{URL}#fragment")
    assert found.body == body.encode()
    assert found.prefs == Preferences.of(search="y", train_gen="n")
    assert peer.gets == ["/notes/1"]


async def test_a_strangers_yes_is_not_repeated(world: World) -> None:
    """A document that names an author on another server allows nothing in their name; its no counts."""
    home, alice = home_of(world)
    world.peer().serve_document(
        URL, _note(attributedTo="https://other.example/users/eve", contentUsage="search=y, train-ai=n")
    )
    assert (await look.fetch_for(home.kit, alice, URL)).prefs == Preferences.of(train_gen="n")


@pytest.mark.parametrize(
    "author", [["https://peer.example/users/bob"], {"id": "https://peer.example/users/bob", "type": "Person"}]
)
async def test_an_author_in_another_shape_is_still_the_author(world: World, author: object) -> None:
    """A yes of an author who stands in a list or is embedded counts like any author's."""
    home, alice = home_of(world)
    world.peer().serve_document(URL, _note(attributedTo=author, contentUsage="search=y, train-ai=n"))
    assert (await look.fetch_for(home.kit, alice, URL)).prefs == Preferences.of(search="y", train_gen="n")


async def test_an_actor_speaks_for_itself(world: World) -> None:
    """A document without author or actor is its own."""
    home, alice = home_of(world)
    peer = world.peer()
    peer.serve_document(
        peer.me.id, peer.me.document(**{"@context": [AS2, dict(CONTEXT)]}, contentUsage="search=y")
    )  # fmt: skip
    assert (await look.fetch_for(home.kit, alice, peer.me.id)).prefs == Preferences.of(search="y")


@pytest.mark.parametrize("status", [404, 410])
async def test_gone_elsewhere_is_not_found(world: World, status: int) -> None:
    """The peer's 404 and 410 are ours, also when it is asked again."""
    home, alice = home_of(world)
    world.peer().serve(URL, b"", status)
    for _ in range(2):
        with pytest.raises(NotFound):
            await look.fetch_for(home.kit, alice, URL)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://peer.example/broken", RemoteAnswer), ("https://peer.example/html", RemoteAnswer),
        ("https://nowhere.example/1", RemoteUnreachable), ("nonsense", BadUrl), ("ftp://peer.example/1", BadUrl),
        (f"{BASE}/users/nobody", NotFound), (f"{BASE}/posts/2222222222222", NotFound), (f"{BASE}/", NotFound),
        (f"{BASE}/users/gone", Gone),
    ],
)  # fmt: skip
async def test_what_cannot_be_looked_at(world: World, url: str, error: type[GatewayError]) -> None:
    """Each kind of failure has its own error."""
    home, alice = home_of(world)
    account(home, "gone", deleted=world.clock.now())
    peer = world.peer()
    peer.serve("/broken", b"{", content_type="application/activity+json")
    peer.serve("/html", b"<p>")
    with pytest.raises(error):
        await look.fetch_for(home.kit, alice, url)


async def test_one_accounts_failure_is_not_anothers(world: World) -> None:
    """What a peer does not show to Alice it may show to Carol."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    peer = world.peer()
    peer.serve(URL, b"", 403)
    with pytest.raises(RemoteAnswer):
        await look.fetch_for(home.kit, alice, URL)
    peer.serve_document(URL, _note())
    with pytest.raises(RemoteAnswer):  # remembered for a while
        await look.fetch_for(home.kit, alice, URL)
    assert (await look.fetch_for(home.kit, carol, URL)).body
    assert peer.gets == ["/notes/1"] * 2


async def test_a_refused_peer_is_not_asked(world: World) -> None:
    """Nothing leaves for whoever is refused."""
    home, alice = home_of(world)
    peer = world.peer()
    peer.serve_document(URL, _note())
    moderate.set_rule(home.kit, "peer.example", Action.REFUSE)
    with pytest.raises(Refused):
        await look.fetch_for(home.kit, alice, URL)
    assert peer.gets == []


async def test_a_collection_of_ours_is_shown_with_its_items(world: World) -> None:
    """What its owner put in is there."""
    home, alice = home_of(world)
    made = await client.submit(home.kit, alice, {"type": "Collection", "name": "shelf", "to": [PUBLIC]})
    post = await published(home, alice)
    await client.submit(home.kit, alice, {"type": "Add", "object": post.id, "target": made.object})
    document, statements = look.at_home(home.kit, made.object, None)
    assert (document["totalItems"], document["items"]) == (1, [post.id])
    assert statements


@pytest.mark.parametrize(
    ("visibility", "asker", "seen"),
    [
        (Visibility.PUBLIC, None, True), (Visibility.PUBLIC, CAROL, True), (Visibility.FOLLOWERS, None, False),
        (Visibility.FOLLOWERS, CAROL, False), (Visibility.FOLLOWERS, ALICE, True), (Visibility.DIRECT, CAROL, False),
    ],
)  # fmt: skip
async def test_home_shows_what_the_asker_may_see(
    world: World, visibility: Visibility, asker: str | None, *, seen: bool
) -> None:
    """The object and the activity about it are shown together or not at all."""
    home, alice = home_of(world)
    stored = await published(home, alice, visibility=visibility)
    sent = home.kit.store.objects.latest_activity(ALICE, "Create", stored.id)
    assert sent is not None
    for url in (stored.id, sent.id):
        if seen:
            document, _ = look.at_home(home.kit, url, asker)
            assert document["id"] == url
            assert document["contentUsage"]
        else:
            with pytest.raises(NotFound):
                look.at_home(home.kit, url, asker)


async def test_an_activity_is_no_more_open_than_its_object(world: World) -> None:
    """Once a post was narrowed, its old Create is hidden from those that the post is hidden from."""
    home, alice = home_of(world)
    stored = await published(home, alice)
    sent = home.kit.store.objects.latest_activity(ALICE, "Create", stored.id)
    assert sent is not None
    update = {"type": "Update", "object": {"id": stored.id, "to": [f"{ALICE}/followers"], "cc": []}}
    await client.submit(home.kit, alice, update)
    for url in (stored.id, sent.id):
        with pytest.raises(NotFound):
            look.at_home(home.kit, url, CAROL)


async def test_what_was_taken_back_is_not_shown(world: World) -> None:
    """An undone boost is there for its actor alone."""
    home, alice = home_of(world)
    stored = await published(home, account(home, "carol"))
    boost = await interact.interact(home.kit, alice, "Announce", stored.id)
    assert look.at_home(home.kit, boost.id, CAROL)[0]["id"] == boost.id
    interact.undo_interaction(home.kit, alice, "Announce", stored.id)
    with pytest.raises(NotFound):
        look.at_home(home.kit, boost.id, CAROL)


async def test_what_was_deleted_leaves_a_tombstone(world: World) -> None:
    """The post is a Tombstone, its Create is not there any more."""
    home, alice = home_of(world)
    stored = await published(home, alice, "secret")
    sent = home.kit.store.objects.latest_activity(ALICE, "Create", stored.id)
    assert sent is not None
    revise.delete(home.kit, alice, stored.id)
    assert look.at_home(home.kit, stored.id, None)[0]["type"] == "Tombstone"
    with pytest.raises(NotFound):
        look.at_home(home.kit, sent.id, ALICE)


async def test_somebody_elses_object_is_not_shown_as_ours(world: World) -> None:
    """What we keep of others is not at home here."""
    home, _ = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    note = {"@context": AS2, **peer.note()}
    await peer.post(f"{ALICE}/inbox", peer.activity("Create", note, to=[ALICE]))
    await world.drain()
    with pytest.raises(NotFound):
        look.at_home(home.kit, note["id"], ALICE)
