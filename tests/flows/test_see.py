"""Who may see what of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of
from peers.plain import PUBLIC
from world import BASE, account

from gateway.activitypub.addressing import Visibility
from gateway.errors import NotFound
from gateway.flows import client, interact
from gateway.flows.see import check_reachable, follows, may_see, may_see_activity, visibilities_for

if TYPE_CHECKING:
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent, Stored

pytestmark = pytest.mark.anyio

FOLLOWERS = f"{ALICE}/followers"
CAROL = f"{BASE}/users/carol"
FRIEND, WAITING, NAMED, HIDDEN, GROUP, ENEMY, STRANGER = (
    f"https://peer.example/users/{name}"
    for name in ("friend", "waiting", "named", "hidden", "group", "enemy", "stranger")
)
EVERYBODY = {None, ALICE, CAROL, FRIEND, WAITING, NAMED, HIDDEN, GROUP, ENEMY, STRANGER}
BESIDES = {"cc": [NAMED, ENEMY], "audience": [GROUP], "bcc": [HIDDEN, ENEMY]}
CASES: list[tuple[dict[str, Any], set[str | None]]] = [
    ({"to": [PUBLIC]}, EVERYBODY - {ENEMY}),
    ({"to": [FOLLOWERS], "cc": [PUBLIC]}, EVERYBODY - {ENEMY}),
    ({"to": [FOLLOWERS]}, {ALICE, FRIEND}),
    ({"to": [FOLLOWERS], **BESIDES}, {ALICE, FRIEND, NAMED, GROUP, HIDDEN}),
    (BESIDES, {ALICE, NAMED, GROUP, HIDDEN}),
    ({"bto": [HIDDEN]}, {ALICE, HIDDEN}),
]


def _scene(world: World) -> tuple[Gateway, Account]:
    home, alice = home_of(world)
    account(home, "carol")
    relations, now = home.kit.store.relations, world.clock.now()
    relations.save_follow(FRIEND, ALICE, f"{FRIEND}/f", "accepted", now)
    relations.save_follow(WAITING, ALICE, f"{WAITING}/f", "pending", now)
    relations.save_block(ALICE, ENEMY, f"{ALICE}/b", now)
    return home, alice


async def _posted(home: Gateway, alice: Account, addressed: dict[str, Any]) -> tuple[Stored, Sent]:
    sent = await client.submit(home.kit, alice, {"type": "Note", "content": "x", **addressed})
    stored = home.kit.store.objects.get(sent.object)
    assert stored is not None
    return stored, sent


@pytest.mark.parametrize(("addressed", "readers"), CASES)
async def test_an_object_is_for_whom_it_is_addressed_to(
    world: World, addressed: dict[str, Any], readers: set[str | None]
) -> None:
    """Author, addressees, hidden ones and accepted followers see it; whoever is blocked sees nothing, named or not."""
    home, alice = _scene(world)
    stored, _ = await _posted(home, alice, addressed)
    assert {who for who in EVERYBODY if may_see(home.kit, stored, who)} == readers


@pytest.mark.parametrize(("addressed", "readers"), CASES)
async def test_an_activity_is_for_whom_it_is_addressed_to(
    world: World, addressed: dict[str, Any], readers: set[str | None]
) -> None:
    """An activity about nothing of ours follows the same rules by its own addresses; a block holds for it, too."""
    home, alice = _scene(world)
    offer = {"type": "Offer", "object": "https://peer.example/things/1", **addressed}
    sent = await client.submit(home.kit, alice, offer)
    assert {who for who in EVERYBODY if may_see_activity(home.kit, sent, who)} == readers


async def test_whom_an_activity_is_about_sees_it(world: World) -> None:
    """A Follow is seen by who is followed and who follows, and by nobody else."""
    home, alice = _scene(world)
    sent = await client.submit(home.kit, alice, {"type": "Follow", "object": CAROL})
    assert {who for who in EVERYBODY if may_see_activity(home.kit, sent, who)} == {ALICE, CAROL}


@pytest.mark.parametrize("target", [CAROL, ENEMY])
async def test_a_block_is_seen_elsewhere_alone(world: World, target: str) -> None:
    """Somebody elsewhere whose server was told may see it; an account here never learns of it."""
    home, alice = _scene(world)
    sent = interact.block(home.kit, alice, target)
    readers = {ALICE, *([ENEMY] if target == ENEMY else [])}
    assert {who for who in EVERYBODY if may_see_activity(home.kit, sent, who)} == readers


async def test_a_follower_is_an_accepted_one(world: World) -> None:
    """Who waits does not follow yet."""
    home, _ = _scene(world)
    assert [follows(home.kit, who, ALICE) for who in (FRIEND, WAITING, STRANGER)] == [True, False, False]


async def test_how_much_of_an_outbox_is_open(world: World) -> None:
    """Anybody: what is open; followers theirs besides; whoever is blocked nothing."""
    home, _ = _scene(world)
    everybody = (Visibility.PUBLIC, Visibility.UNLISTED)
    assert visibilities_for(home.kit, ALICE, None) == visibilities_for(home.kit, ALICE, WAITING) == everybody
    assert visibilities_for(home.kit, ALICE, FRIEND) == (*everybody, Visibility.FOLLOWERS)
    assert visibilities_for(home.kit, ALICE, ENEMY) == ()


async def test_nobody_answers_what_is_hidden(world: World) -> None:
    """A hidden object is NotFound; an open one, an unknown one and somebody else's are no hindrance."""
    home, alice = _scene(world)
    stored, _ = await _posted(home, alice, {"to": [FOLLOWERS]})
    with pytest.raises(NotFound):
        check_reachable(home.kit, stored.id, CAROL)
    for target, who in ((stored.id, ALICE), (stored.id, FRIEND), (STRANGER, CAROL), (f"{BASE}/posts/x", CAROL)):
        check_reachable(home.kit, target, who)
