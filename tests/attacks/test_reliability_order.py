"""What is about one object keeps its order, and happens once: every case of the class ``order``."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from attacks.faults_scene import Builders, cases_of, fault_scene, left_out, perform
from flows.keypool import pooled
from flows.scenes import ALICE
from world import BASE, snapshot

from gateway.flows import revise

if TYPE_CHECKING:
    from attacks.faults_scene import FaultScene
    from world import World

pytestmark = pytest.mark.anyio
CASES = cases_of("order")
BUILDERS = Builders()
PARALLEL = 8


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


@BUILDERS.case("REL-052")
async def _deleted_while_down(scene: FaultScene) -> None:
    front = scene.world.board.apps.pop("peer.example")  # nobody there
    tried = [await scene.post() for _ in range(3)]
    scene.world.clock.forward(seconds=10)
    for post in tried:
        revise.delete(scene.home.kit, scene.alice, post)
    await scene.until(timedelta(hours=2))
    scene.world.board.apps["peer.example"] = front
    await scene.until(timedelta(hours=12))
    assert scene.front.types == ["Delete"] * 3  # what had no answer may have arrived: it is deleted
    # What was never tried, because the circuit is open, is never heard of.
    scene.again()
    del scene.world.board.apps["peer.example"]
    for _ in range(6):
        await scene.post()
    scene.world.board.apps["peer.example"] = front
    untried = [await scene.post() for _ in range(2)]
    for post in untried:
        revise.delete(scene.home.kit, scene.alice, post)
    await scene.until(timedelta(hours=12))
    assert scene.front.types == ["Create"] * 6
    assert not [document for document in scene.front.taken if document["object"]["id"] in untried]
    scene.proved.add("never Create after Delete")


@BUILDERS.case("REL-055")
async def _at_every_door_at_once(scene: FaultScene) -> None:
    post = await scene.post()
    note = scene.peer.note("hello", to=[ALICE], contentUsage="train-ai=n")
    activities = [
        scene.peer.activity("Like", post), scene.peer.activity("Announce", post),
        scene.peer.activity("Create", note, to=[ALICE]),
    ]  # fmt: skip
    for activity in activities:
        doors = [(f"{BASE}/inbox", f"{ALICE}/inbox")[number % 2] for number in range(PARALLEL)]
        async with asyncio.TaskGroup() as group:
            sent = [group.create_task(scene.peer.post(door, activity)) for door in doors]
            group.create_task(scene.world.drain())  # some are settled while others still come
        assert {task.result().status_code for task in sent} <= {200, 202}
    await scene.world.drain()
    rows = snapshot(scene.home.kit)
    arrivals = {row["id"]: row["outcome"] for row in rows["arrival"]}
    assert [arrivals[activity["id"]] for activity in activities] == [
        "RecordInteraction", "RecordInteraction", "KeepObject",
    ]  # fmt: skip
    assert sorted(row["kind"] for row in rows["interaction"]) == ["Announce", "Like"]
    assert len([row for row in rows["object"] if row["id"] == note["id"]]) == 1
    stated = [(row["carrier"], row["raw"]) for row in rows["statement"] if row["ref"] == note["id"]]
    assert len(stated) == len(set(stated)) > 0
    ids = {activity["id"] for activity in activities}
    settling = [row for row in rows["job"] if row["kind"] == "settle" and any(name in row["payload"] for name in ids)]
    assert len(settling) == len(activities)
    scene.proved.add("one effect")


@pytest.mark.parametrize("case_id", CASES)
async def test_order_is_kept(world: World, case_id: str) -> None:
    """What is about one object arrives in its order, and what arrives often happens once."""
    await perform(await fault_scene(world), CASES[case_id], BUILDERS[case_id])


def test_no_case_is_left_out() -> None:
    """Every case of the class is run."""
    assert left_out(CASES, BUILDERS) == []
