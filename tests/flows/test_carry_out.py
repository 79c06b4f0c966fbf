"""Carrying out what arrived: each step is whole, and may be taken back and done again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from flows.scenes import ALICE, arrives, home_of, published
from world import BASE

from gateway.flows import moderate
from gateway.policy.rules import Action
from gateway.store.together import HEAVY

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from peers.plain import PlainPeer
    from world import World

    from gateway.flows.kit import Kit
    from gateway.store.together import Together

pytestmark = pytest.mark.anyio
Value = TypeVar("Value")


class TakenBack(Exception):
    """What a transaction is taken back with."""


class Twice:
    """Runs each piece, takes it back, lets something happen, and runs it again: as when others were in the way."""

    def __init__(self, kit: Kit, between: Callable[[], object]) -> None:
        self._kit, self._together, self._between = kit, kit.store.together, between

    async def __call__(self, work: Callable[[], Value], *, patient: int = 0) -> Value:
        """Run a piece twice, the first time in vain."""
        try:
            with self._kit.store.transaction():
                work()
                raise TakenBack
        except TakenBack:
            self._between()
        return await self._together(work, patient=patient)

    def urgent(self) -> AbstractContextManager[None]:
        """Be as urgent as ever."""
        return self._together.urgent()


def twice(kit: Kit, patch: pytest.MonkeyPatch, between: Callable[[], object] = lambda: None) -> None:
    """Let every piece that shares a transaction be run twice from now on."""
    together: Together | Twice = Twice(kit, between)
    patch.setattr(kit.store, "together", together)


def outcome(kit: Kit, peer: PlainPeer, activity: dict[str, Any]) -> str | None:
    """Return what became of an arrival."""
    row = kit.store.arrivals.get(activity["id"], peer.me.id)
    assert row is not None
    return row.outcome


async def test_what_is_done_again_has_one_effect(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A follow whose steps are each taken back and done again is one follow, with one answer, told once."""
    home, _ = home_of(world)
    peer = world.peer()
    twice(home.kit, monkeypatch)
    assert await arrives(world, peer, peer.activity("Follow", ALICE)) == "RecordFollow, Answer"
    assert home.kit.store.relations.followers(ALICE) == [peer.me.id]
    assert [document["type"] for document in peer.received] == ["Accept"]
    assert home.kit.store.jobs.count("done") == 2  # it, and its answer


async def test_what_is_done_again_is_judged_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that was taken back decides by what is true when it is done again, not by what was."""
    home, _ = home_of(world)
    peer, far = world.peer(), world.peer("far.example", "carol")
    moderate.set_rule(home.kit, "far.example", Action.REFUSE)
    like = peer.activity("Like", f"{far.base}/notes/1")
    assert (await peer.post(f"{BASE}/inbox", like)).status_code == 202
    twice(home.kit, monkeypatch, lambda: moderate.clear(home.kit, "far.example"))
    await world.drain()
    assert outcome(home.kit, peer, like) == "ignored: likes-nothing-here"


async def test_who_fails_beside_it_changes_nothing(world: World) -> None:
    """An arrival that shares a transaction with work that fails is settled once, as if it had been alone."""
    home, alice = home_of(world)
    peer = world.peer()
    stored = await published(home, alice)
    like = peer.activity("Like", stored.id)
    assert (await peer.post(f"{BASE}/inbox", like)).status_code == 202

    def fails() -> None:
        raise ZeroDivisionError

    done = await asyncio.gather(
        world.drain(), *(home.kit.store.together(fails, patient=HEAVY) for _ in range(3)), return_exceptions=True
    )
    assert [type(one) for one in done[1:]] == [ZeroDivisionError] * 3
    assert outcome(home.kit, peer, like) == "RecordInteraction"
    assert home.kit.store.relations.interactions(stored.id, "Like") == [peer.me.id]


async def test_a_long_id_is_not_remembered(world: World) -> None:
    """However long what an activity names is, nothing of it stays in memory once it is settled."""
    home, _ = home_of(world)
    peer = world.peer()
    for prefix in ("", f"{BASE}/"):
        assert (
            await arrives(world, peer, peer.activity("Like", prefix + "x" * 100_000)) == "ignored: likes-nothing-here"
        )
    asked = [key for key in home.kit.store.relations._blocks._known if len(str(key)) > 5_000]
    assert asked == []
