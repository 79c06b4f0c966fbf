"""An account's own software changes its profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, follows, home_of, types
from peers.plain import PUBLIC
from world import BASE, account

from gateway.errors import BadInput, NotFound, Refused
from gateway.flows import client
from gateway.jsonld import strict
from gateway.preferences import Preferences

if TYPE_CHECKING:
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account

pytestmark = pytest.mark.anyio


async def _changed(home: Gateway, alice: Account, **members: Any) -> Account:
    await client.submit(home.kit, alice, {"type": "Update", "object": {"id": ALICE, "type": "Person", **members}})
    found = home.kit.store.accounts.by_id(ALICE)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("members", "field", "value"),
    [
        ({"name": "<b>Alice</b> &amp; co"}, "display_name", "Alice & co"),
        ({"name": "x" * 200}, "display_name", "x" * 100),
        ({"name": None}, "display_name", "alice"),
        ({"name": ""}, "display_name", "alice"),
        ({"summary": "<p>a<script>b</script></p>"}, "summary", "a"),
        ({"summary": "x" * 3_000}, "summary", "x" * 2_000),
        ({"summary": None}, "summary", ""),
        ({"manuallyApprovesFollowers": True}, "approves", True),
        ({"manuallyApprovesFollowers": "yes"}, "approves", False),
        ({"discoverable": False}, "discoverable", False),
        ({"discoverable": None}, "discoverable", True),
    ],
)
async def test_what_a_profile_says_is_changed(world: World, members: dict[str, Any], field: str, value: object) -> None:
    """Name and summary are plain text within their limits; switches are booleans or stay as they are."""
    home, alice = home_of(world)
    assert getattr(await _changed(home, alice, **members), field) == value


async def test_members_that_an_update_does_not_name_stay(world: World) -> None:
    """An Update is partial."""
    home, alice = home_of(world)
    first = await _changed(home, alice, name="A", summary="s", manuallyApprovesFollowers=True, discoverable=False)
    world.clock.forward(seconds=5)
    second = await _changed(home, first, summary="t")
    assert (second.display_name, second.summary, second.approves, second.discoverable) == ("A", "t", True, False)
    assert (second.prefs, second.preset, second.updated) == (first.prefs, first.preset, world.clock.now())


@pytest.mark.parametrize(
    ("members", "prefs"),
    [
        ({"contentUsage": "search=n"}, Preferences.of(search="n")),
        ({"aiUsage": {"v": 1, "prefs": {"tdm": "n"}}}, Preferences.of(tdm="n")),
        ({"contentUsage": None}, Preferences()),
    ],
)
async def test_what_an_account_asks_of_everybody_is_changed(
    world: World, members: dict[str, Any], prefs: Preferences
) -> None:
    """Terms on the actor are its author's words about everything, in place of the preset."""
    home, alice = home_of(world)
    assert alice.preset == "noai"
    changed = await _changed(home, alice, **members)
    assert (changed.prefs, changed.preset) == (prefs, None)


async def test_an_unreadable_wish_changes_nothing(world: World) -> None:
    """When the preferences cannot be read, the name stays, too."""
    home, alice = home_of(world)
    with pytest.raises(BadInput) as error:
        await _changed(home, alice, name="new", contentUsage="(((")
    assert error.value.reason == "preferences-unreadable"
    assert home.kit.store.accounts.by_id(ALICE) == alice


async def test_followers_servers_are_told(world: World) -> None:
    """They get an Update with the actor as it is now, labelled with what it asks now; keys and inboxes are ours."""
    home, alice = home_of(world)
    peer = world.peer()
    await follows(world, peer)
    await _changed(
        home, alice, name="New", contentUsage="search=n", inbox="https://evil.example/", preferredUsername="eve",
        publicKey={"id": "https://evil.example/key"},
    )  # fmt: skip
    await world.drain()
    assert types(peer) == ["Update"]
    actor = peer.received[0]["object"]
    assert (actor["name"], actor["preferredUsername"], actor["inbox"]) == ("New", "alice", f"{ALICE}/inbox")
    assert actor["publicKey"]["id"] == f"{ALICE}#main-key"
    assert "search=n" in actor["contentUsage"]
    assert peer.received[0]["to"] == [PUBLIC]


async def test_who_is_named_is_told_besides(world: World) -> None:
    """Addresses on the Update count."""
    home, alice = home_of(world)
    peer = world.peer()
    update = {"type": "Update", "object": {"id": ALICE, "name": "x"}, "cc": [peer.me.id]}
    sent = await client.submit(home.kit, alice, update)
    await world.drain()
    assert peer.me.id in str(strict.read_object(sent.body)["cc"])
    assert types(peer) == ["Update"]


@pytest.mark.parametrize("target", [f"{BASE}/users/carol", f"{BASE}/actor"])
async def test_nobody_introduces_somebody_else(world: World, target: str) -> None:
    """Another actor here is not changed."""
    home, alice = home_of(world)
    account(home, "carol")
    before = home.kit.store.database.rows("SELECT * FROM account")
    with pytest.raises((Refused, NotFound)):
        await client.submit(home.kit, alice, {"type": "Update", "object": {"id": target, "name": "x"}})
    assert home.kit.store.database.rows("SELECT * FROM account") == before
