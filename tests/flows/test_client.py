"""What an author's own software asks for, one activity at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of, published, types
from peers.plain import AS2, PUBLIC
from world import BASE, account, snapshot

from gateway.activitypub.addressing import Visibility
from gateway.errors import BadInput, GatewayError, Gone, NotFound, Refused, RemoteUnreachable, TooLarge
from gateway.flows import client, interact, subscribe
from gateway.flows.see import may_see
from gateway.jsonld import strict

if TYPE_CHECKING:
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

pytestmark = pytest.mark.anyio

BOB, CAROL = "https://peer.example/users/bob", f"{BASE}/users/carol"
FOLLOWERS = f"{ALICE}/followers"
NOWHERE = f"{BASE}/posts/2222222222222"


def _body(sent: Sent) -> dict[str, Any]:
    return dict(strict.read_object(sent.body))


async def _does(home: Gateway, who: Account, **document: Any) -> Sent:
    return await client.submit(home.kit, who, document)


async def test_a_bare_object_becomes_a_create(world: World) -> None:
    """Object and activity get ids, the author and the same addressees; an id that the client claims does not count."""
    home, alice = home_of(world)
    sent = await _does(home, alice, type="Note", content="x", id="https://evil.example/1", to=[BOB], cc=[CAROL])
    body = _body(sent)
    assert (body["type"], body["actor"], body["to"], body["cc"]) == ("Create", ALICE, [BOB], [CAROL])
    note = body["object"]
    assert note["id"] == sent.object
    assert note["id"].startswith(f"{BASE}/posts/")
    assert (note["attributedTo"], note["to"], note["cc"]) == (ALICE, [BOB], [CAROL])


async def test_activity_and_object_are_for_the_same_people(world: World) -> None:
    """6.2: the addresses of both are copied both ways, and hidden ones stand in neither."""
    home, alice = home_of(world)
    note = {
        "type": "Note",
        "content": "x",
        "cc": [CAROL],
        "audience": [PUBLIC],
        "bcc": ["https://peer.example/users/eve"],
    }
    sent = await _does(home, alice, type="Create", to=[BOB], bto=["https://peer.example/users/dan"], object=note)
    body = _body(sent)
    for one in (body, body["object"]):
        assert (one["to"], one["cc"], one["audience"]) == ([BOB], [CAROL], [PUBLIC])
        assert not {"bto", "bcc"} & one.keys()
    assert sent.visibility is Visibility.UNLISTED
    hidden = {"https://peer.example/users/dan", "https://peer.example/users/eve"}
    assert set(home.kit.store.objects.hidden_recipients(sent.object)) == hidden


async def test_a_note_for_nobody_speaks_to_those_it_names(world: World) -> None:
    """Without any address a note is public, mentions are found in its text and whoever is answered is named."""
    home, alice = home_of(world)
    account(home, "carol")
    dave = account(home, "dave")
    post = await published(home, dave)
    tag = {"type": "Mention", "href": CAROL, "name": "@carol"}
    sent = await _does(
        home, alice, type="Note", content="<p>@carol@gw.example hi</p>", inReplyTo=post.id, tag=tag
    )  # fmt: skip
    body = _body(sent)
    assert (body["to"], set(body["cc"])) == ([PUBLIC], {FOLLOWERS, CAROL, dave.id})
    mentions = [one["href"] for one in body["object"]["tag"] if one["type"] == "Mention"]
    assert sorted(mentions) == sorted([CAROL, dave.id])


@pytest.mark.parametrize("field", ["to", "cc", "audience", "bto", "bcc"])
async def test_an_empty_address_is_for_nobody(world: World, field: str) -> None:
    """A field that is there and empty is an author who addresses nobody: direct, and delivered nowhere."""
    home, alice = home_of(world)
    sent = await _does(home, alice, type="Note", content="x", **{field: []})
    assert sent.visibility is Visibility.DIRECT
    assert home.kit.store.jobs.find() == []


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, BadInput), ({"type": 5}, BadInput), ({"actor": ALICE}, BadInput),
        ({"type": "Note", "content": "x", "actor": BOB}, Refused),
        ({"type": "Note", "content": "x", "attributedTo": BOB}, Refused),
        ({"type": "Note", "content": "x", "attributedTo": [ALICE, BOB]}, Refused),
        ({"type": "Note", "content": "x", "attributedTo": []}, Refused),
        ({"type": "Create", "actor": CAROL, "object": {"type": "Note", "content": "x"}}, Refused),
        ({"type": "Create", "object": {"type": "Note", "content": "x", "actor": BOB}}, Refused),
        ({"type": "Create"}, BadInput), ({"type": "Create", "object": NOWHERE}, BadInput),
        ({"type": "Create", "object": [{"type": "Note", "content": "x"}]}, BadInput),
        ({"type": "Create", "object": {"type": "Tombstone"}}, BadInput),
        ({"type": "Create", "object": {"type": "Group", "name": "x"}}, Refused),
        ({"type": "Note", "content": "x", "inReplyTo": NOWHERE}, NotFound),
        ({"type": "Note", "content": "x", "to": [PUBLIC], "inReplyTo": "{secret}"}, NotFound),
        ({"type": "Note", "content": "x", "inReplyTo": "{secret}"}, NotFound),
        ({"type": "Note", "content": "x" * 20_001}, BadInput),
        ({"type": "Note", "content": "x", "attachment": ["https://x.example/1"] * 17}, BadInput),
        ({"type": "Note", "content": "x", "strange": "x" * 70_000}, TooLarge),
        ({"type": "Note", "content": "x", "aiUsage": "?"}, BadInput),
        ({"type": "Update", "object": {"content": "x"}}, BadInput), ({"type": "Update", "object": "{own}"}, BadInput),
        ({"type": "Update", "object": {"id": "{secret}", "content": "x"}}, Refused),
        ({"type": "Update", "object": {"id": "{own}", "content": "x", "attributedTo": BOB}}, Refused),
        ({"type": "Update", "object": {"id": "{own}", "type": "Person"}}, Refused),
        ({"type": "Update", "object": {"id": "{own}", "content": None}}, BadInput),
        ({"type": "Update", "object": {"id": NOWHERE, "content": "x"}}, NotFound),
        ({"type": "Delete"}, BadInput), ({"type": "Delete", "object": "nonsense"}, BadInput),
        ({"type": "Delete", "object": ["{own}", "{own}x"]}, BadInput),
        ({"type": "Delete", "object": ALICE}, Refused), ({"type": "Delete", "object": "{secret}"}, Refused),
        ({"type": "Follow", "object": ALICE}, BadInput), ({"type": "Block", "object": ALICE}, BadInput),
        ({"type": "Follow", "object": f"{BASE}/users/nobody"}, NotFound),
        ({"type": "Follow", "object": f"{BASE}/actor"}, NotFound),
        ({"type": "Follow", "object": "https://nowhere.example/x"}, RemoteUnreachable),
        ({"type": "Like", "object": "{secret}"}, NotFound), ({"type": "Announce", "object": "{secret}"}, NotFound),
        ({"type": "Like", "object": NOWHERE}, NotFound), ({"type": "Announce", "object": "{friends}"}, Refused),
        ({"type": "Accept", "object": {"type": "Follow", "actor": BOB, "object": ALICE}}, BadInput),
        ({"type": "Accept", "object": {"id": "https://peer.example/f", "type": "Follow", "actor": BOB}}, NotFound),
        ({"type": "Reject", "object": {"id": "https://peer.example/f", "type": "Follow"}}, NotFound),
        ({"type": "Accept", "object": "{request}"}, Refused), ({"type": "Accept"}, BadInput),
        ({"type": "Undo"}, BadInput), ({"type": "Undo", "object": {"type": "Like", "object": NOWHERE}}, BadInput),
        ({"type": "Undo", "object": f"{BASE}/activities/2222222222222"}, NotFound),
        ({"type": "Undo", "object": "{created}"}, BadInput), ({"type": "Undo", "object": "{request}"}, Refused),
        ({"type": "Move", "object": ALICE, "target": BOB}, Refused),
        ({"type": "Offer", "object": "{secret}", "to": [BOB]}, NotFound),
        ({"type": "Add", "object": "{own}"}, BadInput),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_changes_nothing(
    world: World, document: dict[str, Any], error: type[GatewayError]
) -> None:
    """Each request that makes no sense or is not the account's to make has its error, and leaves no row behind."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    own = await published(home, alice)
    created = home.kit.store.objects.latest_activity(ALICE, "Create", own.id)
    assert created is not None
    words = {
        "own": own.id,
        "created": created.id,
        "friends": (await published(home, alice, visibility=Visibility.FOLLOWERS)).id,
        "secret": (await published(home, carol, visibility=Visibility.DIRECT)).id,
        "request": subscribe.follow(home.kit, account(home, "dave"), CAROL).id,
    }

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(item) for name, item in value.items()}
        if isinstance(value, list):
            return [filled(item) for item in value]
        for name, word in words.items() if isinstance(value, str) else ():
            value = value.replace(f"{{{name}}}", word)
        return value

    before = snapshot(home.kit)
    with pytest.raises(error):
        await client.submit(home.kit, alice, filled(document))
    assert snapshot(home.kit) == before


async def test_members_of_the_server_stay_its_own(world: World) -> None:
    """An activity keeps what its author wrote, cleaned, but not labels, proofs, ids and hidden addresses."""
    home, alice = home_of(world)
    sent = await _does(
        home, alice, type="Offer", id="https://evil.example/1", object="https://peer.example/1", to=[BOB],
        content="<p>a<script>b</script></p>", location={"name": "x", "bcc": BOB}, proof={}, contentUsage="search=n",
        published="2001-01-01T00:00:00Z", instrument=None,
    )  # fmt: skip
    body = _body(sent)
    assert body["id"] == sent.id
    assert (body["content"], body["location"]) == ("<p>a</p>", {"name": "x"})
    assert "instrument" not in body
    assert body["proof"]["verificationMethod"] == f"{alice.id}#ed25519-key"
    assert body["contentUsage"] == "train-ai=n, ai-use=n, search=y"
    assert not body["published"].startswith("2001")


@pytest.mark.parametrize(
    ("target", "sent_as"),
    [
        ("https://peer.example/1", "https://peer.example/1"),
        ({"id": "https://peer.example/1", "type": "Note", "content": "theirs", "contentUsage": "train-ai=y"}, "https://peer.example/1"),
        (["https://peer.example/1", {"id": "https://peer.example/2"}], ["https://peer.example/1", "https://peer.example/2"]),
        ({"type": "Place", "name": "here", "bto": BOB}, None),
        (None, None),
    ],
)  # fmt: skip
async def test_an_activity_that_does_nothing_here_is_passed_on(world: World, target: Any, sent_as: Any) -> None:
    """6.11: it is kept and delivered; others' objects are named and never repeated with other labels."""
    home, alice = home_of(world)
    peer = world.peer()
    more = {} if target is None else {"object": target}
    sent = await _does(home, alice, type="Travel", to=[BOB], **more)
    await world.drain()
    assert types(peer) == ["Travel"]
    shown: Any = peer.received[0].get("object")
    if isinstance(target, dict) and "id" not in target:
        assert (shown["type"], shown["name"], "bto" in shown) == ("Place", "here", False)
        assert shown["contentUsage"] == peer.received[0]["contentUsage"]
    else:
        assert shown == sent_as
    assert _body(sent)["contentUsage"]


async def test_what_was_done_is_undone(world: World) -> None:
    """By id or by what it was, and only once; what is over already can be taken back all the same."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    post = await published(home, carol)
    like = await _does(home, alice, type="Like", object=post.id)
    undo = await _does(home, alice, type="Undo", object={"type": "Like", "object": post.id})
    assert _body(undo)["object"]["id"] == like.id
    assert home.kit.store.relations.interactions(post.id, "Like") == []
    with pytest.raises(NotFound):
        await _does(home, alice, type="Undo", object=like.id)
    follow = await _does(home, alice, type="Follow", object=CAROL)
    home.kit.store.relations.forget_follow(ALICE, CAROL)
    again = await _does(home, alice, type="Undo", object=follow.id)
    assert _body(again)["object"]["id"] == follow.id
    offer = await _does(home, alice, type="Offer", object=post.id, to=[BOB], bcc=["https://peer.example/users/eve"])
    taken = await _does(home, alice, type="Undo", object=offer.id)
    assert _body(taken)["to"] == [BOB]
    assert home.kit.store.objects.hidden_recipients(taken.id) == ["https://peer.example/users/eve"]


async def test_an_undo_of_a_local_block_is_told_nobody(world: World) -> None:
    """A neighbour that was never told of a block is not told of its end."""
    home, alice = home_of(world)
    account(home, "carol")
    block = await _does(home, alice, type="Block", object=CAROL)
    assert home.kit.store.relations.blocks(ALICE, CAROL)
    undo = await _does(home, alice, type="Undo", object=block.id)
    await world.drain()
    assert not home.kit.store.relations.blocks(ALICE, CAROL)
    assert CAROL not in _body(undo)["to"]
    assert home.kit.store.inboxes.size(CAROL) == 0


async def test_a_like_taken_back_twice_by_its_kind_is_told(world: World) -> None:
    """Each like is one; undone and liked again, the new one is taken back by what it is."""
    home, alice = home_of(world)
    post = await published(home, account(home, "carol"))
    for _ in range(2):
        like = await _does(home, alice, type="Like", object=post.id)
        undo = await _does(home, alice, type="Undo", object={"type": "Like", "object": post.id})
        assert _body(undo)["object"]["id"] == like.id
    with pytest.raises(GatewayError):
        await _does(home, alice, type="Undo", object={"type": "Like", "object": post.id})


@pytest.mark.parametrize(("kind", "state"), [("Accept", "accepted"), ("Reject", None)])
@pytest.mark.parametrize("named", ["id", "embedded", "whole"])
async def test_requests_are_answered(world: World, kind: str, state: str | None, named: str) -> None:
    """A waiting Follow is named by its id or by what it says; the follower is told."""
    home, _ = home_of(world)
    carol = account(home, "carol", approves=True)
    peer = world.peer()
    follow = peer.activity("Follow", CAROL)
    await peer.post(f"{CAROL}/inbox", follow)
    await world.drain()
    embedded = {"id": "https://peer.example/another", "type": "Follow", "actor": BOB, "object": CAROL}
    target = {"id": follow["id"], "embedded": embedded, "whole": follow}[named]
    sent = await _does(home, carol, type=kind, object=target)
    known = home.kit.store.relations.follow(BOB, CAROL)
    assert (known.state if known is not None else None) == state
    await world.drain()
    assert types(peer) == [kind]
    assert _body(sent)["object"]["id"] == follow["id"]


async def test_other_offers_are_only_answered(world: World) -> None:
    """Accept of something that is no Follow is kept and delivered."""
    home, alice = home_of(world)
    peer = world.peer()
    sent = await _does(home, alice, type="Accept", object="https://peer.example/offers/1", to=[BOB])
    await world.drain()
    assert (types(peer), _body(sent)["object"]) == (["Accept"], "https://peer.example/offers/1")


async def test_people_elsewhere_are_met_first(world: World) -> None:
    """A Follow of a stranger fetches the actor; one of a neighbour asks nobody."""
    home, alice = home_of(world)
    account(home, "carol")
    peer = world.peer()
    await _does(home, alice, type="Follow", object={"id": BOB, "type": "Person"})
    await _does(home, alice, type="Follow", object=f"{BASE}/@carol")
    await world.drain()
    assert home.kit.store.relations.following(ALICE, "pending") == [BOB]
    assert home.kit.store.relations.following(ALICE) == [CAROL]
    assert types(peer) == ["Follow"]


async def test_following_again_keeps_what_was_accepted(world: World) -> None:
    """A second Follow of somebody who let one in does not wait again."""
    home, alice = home_of(world)
    account(home, "carol", approves=True)
    await _does(home, alice, type="Follow", object=CAROL)
    carol = home.kit.store.accounts.by_id(CAROL)
    assert carol is not None
    await world.drain()
    subscribe.answer_request(home.kit, carol, ALICE, "Accept")
    await _does(home, alice, type="Follow", object=CAROL)
    assert home.kit.store.relations.following(ALICE) == [CAROL]


async def test_somebody_blocked_cannot_be_answered_to(world: World) -> None:
    """A post of somebody who blocks the account is not there for it, in any verb."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    post = await published(home, carol)
    interact.block(home.kit, carol, ALICE)
    for document in (
        {"type": "Like", "object": post.id},
        {"type": "Announce", "object": post.id},
        {"type": "Note", "content": "x", "inReplyTo": post.id},
        {"type": "Note", "content": "x", "inReplyTo": post.id, "to": [PUBLIC]},
        {"type": "Offer", "object": post.id},
    ):
        with pytest.raises(NotFound):
            await client.submit(home.kit, alice, document)


async def test_a_deleted_post_is_changed_no_more(world: World) -> None:
    """Update and Delete of a Tombstone are Gone; so is a Like of it, or it is not there."""
    home, alice = home_of(world)
    post = await published(home, alice)
    await _does(home, alice, type="Delete", object=post.id)
    with pytest.raises(Gone):
        await _does(home, alice, type="Update", object={"id": post.id, "content": "x"})
    with pytest.raises(Gone):
        await _does(home, alice, type="Delete", object=post.id)


@pytest.mark.parametrize("kind", ["Like", "Announce"])
async def test_nobody_likes_a_tombstone(world: World, kind: str) -> None:
    """There is nothing to like or boost any more."""
    home, alice = home_of(world)
    post = await published(home, alice)
    await _does(home, alice, type="Delete", object=post.id)
    with pytest.raises((Gone, NotFound)):
        await _does(home, alice, type=kind, object=post.id)


async def test_a_boost_of_somebody_elses_words(world: World) -> None:
    """A document that attributes itself to another server is not boosted in that name."""
    home, alice = home_of(world)
    peer = world.peer()
    url = "https://peer.example/notes/1"
    note = {"@context": AS2, "id": url, "type": "Note", "attributedTo": "https://other.example/users/x", "to": [PUBLIC]}
    peer.serve_document(url, note)
    with pytest.raises(RemoteUnreachable):
        await _does(home, alice, type="Announce", object=url)


async def test_a_report_about_somebody_here_reaches_the_admin(world: World) -> None:
    """A Flag is kept for the admin with its words, whoever is addressed; who is reported does not read it."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    post = await published(home, carol)
    objects = [CAROL, post.id, "https://peer.example/notes/1"]
    await _does(home, alice, type="Flag", object=objects, content="<b>spam</b>", to=[CAROL])
    await world.drain()
    reports = home.kit.store.relations.reports()
    assert [(r.reporter, r.objects, r.content) for r in reports] == [(ALICE, (CAROL, post.id), "spam")]
    assert home.kit.store.inboxes.size(CAROL) == 0


async def test_a_report_about_somebody_elsewhere_is_delivered(world: World) -> None:
    """It goes to whom it is addressed to, and is no business of the admin here; one about nothing is bad input."""
    home, alice = home_of(world)
    peer = world.peer()
    await _does(home, alice, type="Flag", object=BOB, to=[BOB])
    await world.drain()
    assert (types(peer), home.kit.store.relations.reports()) == (["Flag"], [])
    with pytest.raises(BadInput):
        await _does(home, alice, type="Flag", content="x")


@pytest.mark.parametrize("kept", [False, True])
async def test_an_answer_to_somebody_elsewhere_speaks_to_them(world: World, *, kept: bool) -> None:
    """Whether the post answered is known here or has to be fetched, its author is named and gets the answer."""
    home, alice = home_of(world)
    peer = world.peer()
    note = {"@context": AS2, **peer.note()}
    peer.serve_document(note["id"], note)
    if kept:
        await peer.post(f"{ALICE}/inbox", peer.activity("Create", note, to=[ALICE]))
        await world.drain()
    sent = await _does(home, alice, type="Note", content="x", inReplyTo=note["id"])
    assert BOB in _body(sent)["cc"]
    assert [tag["name"] for tag in _body(sent)["object"]["tag"]] == ["@bob@peer.example"]
    await world.drain()
    assert types(peer) == ["Create"]


async def test_whom_an_account_follows_can_be_addressed(world: World) -> None:
    """Its own following collection is opened, and those in it may see the post."""
    home, alice = home_of(world)
    account(home, "carol")
    await _does(home, alice, type="Follow", object=CAROL)
    await world.drain()
    carols = home.kit.store.inboxes.size(CAROL)
    sent = await _does(home, alice, type="Note", content="x", to=[f"{ALICE}/following"])
    await world.drain()
    stored = home.kit.store.objects.get(sent.object)
    assert stored is not None
    assert home.kit.store.inboxes.size(CAROL) == carols + 1
    assert may_see(home.kit, stored, CAROL)
    assert not may_see(home.kit, stored, BOB)


@pytest.mark.parametrize("kinds", [["Create", "Person"], ["Like", "Collection"], ["Follow", "Note"], ["as:Like"]])
async def test_an_activity_is_nothing_besides(world: World, kinds: list[str]) -> None:
    """Nothing passes for an activity and an actor, collection or object, under whatever name of its type."""
    home, alice = home_of(world)
    with pytest.raises((BadInput, Refused)):
        await _does(home, alice, type=kinds, object=BOB, actor=ALICE)
