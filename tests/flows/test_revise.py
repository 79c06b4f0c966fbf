"""Edits and deletions reach everybody who ever got it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flows.scenes import ALICE, PNG, follows, home_of, published, types
from world import account

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import Draft
from gateway.errors import BadInput, Gone, NotFound, Refused
from gateway.flows import attach, client, publish, revise
from gateway.preferences import Preferences

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio


async def test_an_edit_reaches_who_does_not_follow_any_more(world: World) -> None:
    """Past recipients get the Update, with the newer text and preferences."""
    home, alice = home_of(world)
    peer = world.peer()
    await follows(world, peer)
    stored = await published(home, alice)
    await world.drain()
    home.kit.store.relations.forget_follow(peer.me.id, ALICE)
    world.clock.forward(minutes=1)
    edited, _ = await revise.edit(
        home.kit, alice, stored.id, text="new", own=Preferences.of(search="n"), warning="loud"
    )
    await world.drain()
    assert types(peer) == ["Create", "Update"]
    update = peer.received[-1]["object"]
    assert (update["content"], update["summary"], update["updated"]) == ("<p>new</p>", "loud", "2026-11-23T09:01:00Z")
    assert update["aiUsage"]["prefs"]["search"] == "n"
    assert edited.published == stored.published


async def test_an_edit_keeps_what_it_does_not_change(world: World) -> None:
    """Text, files, language, reply, mentions and preferences stay unless they are changed."""
    home, alice = home_of(world)
    peer = world.peer()
    draft = Draft(text="@bob@peer.example hi", language="ja", warning="w", visibility=Visibility.UNLISTED,
                  mentioned=(("@bob@peer.example", peer.me.id),))  # fmt: skip
    stored, _ = await publish.create(
        home.kit,
        alice,
        draft,
        own=Preferences.of(train_gen="y"),
        uploads=[attach.Upload(content=PNG, name="a.png", alt="cat")],
    )
    edited, _ = await revise.edit(home.kit, alice, stored.id, warning="other")
    for name in ("content", "contentMap", "tag", "to", "cc", "published"):
        assert edited.document[name] == stored.document[name]
    assert (edited.own_prefs, edited.document["summary"]) == (stored.own_prefs, "other")


async def test_an_edit_is_always_later(world: World) -> None:
    """Two edits within one second have two times: readers drop what is not later."""
    home, alice = home_of(world)
    stored = await published(home, alice)
    first, _ = await revise.edit(home.kit, alice, stored.id, text="1")
    second, _ = await revise.edit(home.kit, alice, stored.id, text="2")
    assert stored.published < first.updated < second.updated  # type: ignore[operator]


async def test_a_deletion_leaves_a_labelled_tombstone(world: World) -> None:
    """Everybody who got it is told; what is left says what it was and keeps its preferences."""
    home, alice = home_of(world)
    peer = world.peer()
    await follows(world, peer)
    stored = await published(home, alice)
    await world.drain()
    home.kit.store.relations.forget_follow(peer.me.id, ALICE)
    revise.delete(home.kit, alice, stored.id)
    await world.drain()
    assert types(peer) == ["Create", "Delete"]
    grave = peer.received[-1]["object"]
    assert (grave["type"], grave["formerType"], grave["contentUsage"]) == (
        "Tombstone",
        "as:Note",
        stored.document["contentUsage"],
    )
    assert home.kit.store.objects.get(stored.id).deleted is not None  # type: ignore[union-attr]


async def test_a_direct_post_is_deleted_where_it_went_only(world: World) -> None:
    """Followers never hear of a direct post, also not when it goes."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    await follows(world, peer)
    await follows(world, other)
    people = (("@eve@other.example", other.me.id),)
    stored = await published(home, alice, "psst", visibility=Visibility.DIRECT, mentioned=people)
    await world.drain()
    revise.delete(home.kit, alice, stored.id)
    await world.drain()
    assert (types(peer), types(other)) == ([], ["Create", "Delete"])


async def test_only_a_living_post_of_ones_own_is_changed(world: World) -> None:
    """Another's post, a missing one, a deleted one and an empty text are refused, each by its name."""
    home, alice = home_of(world)
    carol = account(home, "carol")
    stored = await published(home, alice)
    with pytest.raises(Refused) as refused:
        await revise.edit(home.kit, carol, stored.id, text="x")
    assert refused.value.reason == "not-the-owner"
    with pytest.raises(NotFound):
        revise.delete(home.kit, alice, f"{stored.id}x")
    with pytest.raises(BadInput):
        await revise.edit(home.kit, alice, stored.id, text=" ")
    revise.delete(home.kit, alice, stored.id)
    with pytest.raises(Gone):
        await revise.edit(home.kit, alice, stored.id, text="x")


async def test_a_post_is_taken_back_from_who_it_is_no_longer_for(world: World) -> None:
    """Software narrows a public post to one person: followers elsewhere get a Delete, and never its new text."""
    home, alice = home_of(world)
    eve, bob = world.peer("other.example", "eve"), world.peer()
    await follows(world, eve)
    await follows(world, bob)
    sent = await client.submit(home.kit, alice, {"type": "Note", "content": "for all"})
    await world.drain()
    assert types(eve) == types(bob) == ["Create"]
    narrowed = {"id": sent.object, "content": "for Bob alone", "to": [bob.me.id], "cc": []}
    await client.submit(home.kit, alice, {"type": "Update", "object": narrowed})
    await world.drain()
    assert types(eve) == ["Create", "Delete"]
    assert "Bob alone" not in str(eve.received)
    assert eve.received[-1]["object"]["contentUsage"] == eve.received[0]["contentUsage"]
    assert types(bob) == ["Create", "Update"]
    await client.submit(home.kit, alice, {"type": "Update", "object": {"id": sent.object, "content": "more for Bob"}})
    await world.drain()
    assert types(eve) == ["Create", "Delete"]
    assert types(bob) == ["Create", "Update", "Update"]
