"""Keys and profiles of our actors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from flows.scenes import ALICE, home_of

from gateway.errors import StoreError
from gateway.flows.kit import Keyring
from gateway.flows.profile import profile_of
from gateway.preferences import Scope

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio


async def test_keys_are_opened_once_and_only_with_the_secret(world: World) -> None:
    """A wrapped key opens with the gateway's secret, and stays the same; nobody else has one."""
    home, _ = home_of(world)
    secret = home.kit.settings.secret_path.read_bytes()
    fresh = Keyring(home.kit.store, secret)
    assert fresh.get(ALICE) is fresh.get(ALICE)
    assert fresh.get(ALICE, "ed25519").public.multikey() == home.kit.keyring.get(ALICE, "ed25519").public.multikey()
    with pytest.raises(StoreError, match="has no rsa key"):
        fresh.get("https://gw.example/users/nobody")


async def test_a_profile_shows_account_and_keys(world: World) -> None:
    """The page is the account's, the keys its own; an account without keys has no profile."""
    home, alice = home_of(world)
    profile = profile_of(home.kit, alice)
    assert (profile.page, profile.endpoints["sharedInbox"]) == ("https://gw.example/@alice", "https://gw.example/inbox")
    assert profile.rsa.pem() == home.kit.keyring.get(ALICE).public.pem()
    with pytest.raises(StoreError, match="has no keys"):
        profile_of(home.kit, replace(alice, id="https://gw.example/users/nobody"))


async def test_the_instance_speaks_its_operators_words(world: World) -> None:
    """What the instance actor says about itself is what the operator set, and no author's words."""
    home, _ = home_of(world, instance_prefs="train-gen=n")
    instance = home.kit.store.accounts.by_id(home.kit.instance_actor)
    assert instance is not None
    (said,) = home.kit.statements_for(instance, Scope.ACTOR, instance.id)
    assert said.prefs.as_json() == {"train-gen": "n"}
    assert profile_of(home.kit, instance).page == "https://gw.example/about"
    assert profile_of(home.kit, instance).approves_followers
