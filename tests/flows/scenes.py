"""Short ways to set a scene: a gateway, an account, peers that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from world import BASE, World, account

from gateway.activitypub.note import Draft
from gateway.flows import publish

if TYPE_CHECKING:
    from peers.plain import Actor, PlainPeer

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.objects import Stored

ALICE = f"{BASE}/users/alice"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x03\0\0\0\x04\x08\x06"


def home_of(world: World, **settings: Any) -> tuple[Gateway, Account]:
    """Return the gateway under test with Alice on it."""
    home = world.gateway(**settings)
    return home, account(home)


async def follows(world: World, peer: PlainPeer, actor: Actor | None = None) -> None:
    """Let somebody of a peer follow Alice, and forget what was received for it."""
    answer = await peer.post(f"{ALICE}/inbox", peer.activity("Follow", ALICE, actor), actor)
    assert answer.status_code == 202, answer.text
    await world.drain()
    peer.received.clear()
    peer.received_headers.clear()


async def published(home: Gateway, alice: Account, text: str = "hello", **draft: Any) -> Stored:
    """Let Alice publish; nothing is delivered yet."""
    stored, _ = await publish.create(home.kit, alice, Draft(text=text, **draft))
    return stored


async def arrives(world: World, peer: PlainPeer, document: dict[str, Any], actor: Actor | None = None) -> str:
    """Let a document arrive and be settled; return what it did."""
    answer = await peer.post(f"{BASE}/inbox", document, actor)
    assert answer.status_code == 202, answer.text
    await world.drain()
    row = world.gateways[0].kit.store.arrivals.get(document["id"], document["actor"])
    return str(row.outcome) if row is not None else ""


def types(peer: PlainPeer) -> list[str]:
    """Return the types of what a peer received, in order."""
    return [document["type"] for document in peer.received]


def jobs(home: Gateway) -> list[tuple[str, str | None]]:
    """Return state and problem of every delivery."""
    states = ("queued", "leased", "done", "dead", "dropped")
    return [(job.state, job.problem) for job in home.kit.store.jobs.find(kinds=("deliver",), states=states)]
