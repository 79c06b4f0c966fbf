"""Who follows whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flows.scenes import ALICE, arrives, follows, home_of, types
from world import account

from gateway.errors import StoreError
from gateway.flows import discover, subscribe

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio


async def test_following_is_asked_accepted_and_taken_back(world: World) -> None:
    """A Follow waits until it is answered; taking it back sends Undo, and only what stands is taken back."""
    home, alice = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    sent = subscribe.follow(home.kit, alice, peer.me.id)
    await world.drain()
    relations = home.kit.store.relations
    assert relations.following(ALICE, "pending") == [peer.me.id]
    assert await arrives(world, peer, peer.activity("Accept", sent.id, to=[ALICE])) == "SettleFollow"
    assert relations.following(ALICE) == [peer.me.id]
    assert subscribe.unfollow(home.kit, alice, peer.me.id) is not None
    assert subscribe.unfollow(home.kit, alice, peer.me.id) is None
    await world.drain()
    assert types(peer) == ["Follow", "Undo"]
    assert peer.received[1]["object"]["id"] == sent.id


async def test_a_follow_is_kept_together_with_its_delivery(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the follow cannot be written down, nothing is sent either."""
    home, alice = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)

    def full(*_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(home.kit.store.relations, "save_follow", full)
    with pytest.raises(StoreError):
        subscribe.follow(home.kit, alice, peer.me.id)
    assert home.kit.store.jobs.find() == []


@pytest.mark.parametrize(("answer", "followers"), [("Accept", 1), ("Reject", 0)])
async def test_requests_are_answered_by_hand(world: World, answer: str, followers: int) -> None:
    """A waiting follower is let in or sent away, and told."""
    home, alice = home_of(world)
    home.kit.store.accounts.save(alice := account(home, "carol", approves=True))
    peer = world.peer()
    await peer.post(f"{alice.id}/inbox", peer.activity("Follow", alice.id))
    await world.drain()
    assert types(peer) == []
    assert subscribe.answer_request(home.kit, alice, peer.me.id, answer)
    await world.drain()
    assert types(peer) == [answer]
    assert len(home.kit.store.relations.followers(alice.id)) == followers


async def test_an_accepted_follower_can_be_sent_away(world: World) -> None:
    """Rejecting later ends the follow; who did not ask, or was rejected, is nobody to answer."""
    home, alice = home_of(world)
    peer = world.peer()
    await follows(world, peer)
    assert subscribe.answer_request(home.kit, alice, peer.me.id, "Reject")
    assert not subscribe.answer_request(home.kit, alice, peer.me.id, "Accept")
    home.kit.store.relations.save_follow(peer.me.id, ALICE, "f", "rejected", world.clock.now())
    assert not subscribe.answer_request(home.kit, alice, peer.me.id, "Accept")


async def test_nobody_answers_for_an_account_that_is_not_there(world: World) -> None:
    """An answer in the name of a stranger is not sent."""
    home, _ = home_of(world)
    subscribe.answer_follow(
        home.kit, "Accept", "https://gw.example/users/nobody", {"id": "f"}, "https://peer.example/u"
    )
    assert home.kit.store.jobs.find() == []
