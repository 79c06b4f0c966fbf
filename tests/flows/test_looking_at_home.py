"""Our own signature counts at our own door."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world import World, account

from gateway.activitypub.properties import ACTIVITY_JSON
from gateway.flows import fetch
from gateway.net.purpose import ACTOR

if TYPE_CHECKING:
    from gateway.flows.kit import Kit

pytestmark = pytest.mark.anyio


async def status(kit: Kit, url: str, scheme: str) -> int:
    """Return what our own signed GET is answered with."""
    return (await kit.client.get(url, accept=ACTIVITY_JSON, purpose=ACTOR, sign=fetch.signer(kit, scheme))).status


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_the_instance_actor_may_look_at_its_own_actors(world: World, scheme: str) -> None:
    """What the 401 suggests works: a GET signed as the instance actor sees an actor whole."""
    home = world.gateway()
    alice = account(home)
    assert await status(home.kit, f"{alice.id}/outbox", scheme) == 200


async def test_nobody_borrows_our_keys(world: World) -> None:
    """A signature that names a key of ours, made with another, is refused, and so is a key that we do not have."""
    home = world.gateway()
    alice = account(home)
    peer = world.peer()
    for key in (f"{home.kit.instance_actor}#main-key", f"{home.kit.base}/users/nobody#main-key"):
        peer.me.name_of_key = key
        assert (await peer.get(f"{alice.id}/outbox")).status_code == 401
