"""When a delivery is tried again: apart from others, not before the peer wishes, and not for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flows.reach_scene import DAY, Scene

from gateway.store.jobs import OPEN

if TYPE_CHECKING:
    from world import World


pytestmark = pytest.mark.anyio


async def test_those_that_failed_together_come_back_apart(world: World) -> None:
    """First retries are spread over a fifth more or less of their wait."""
    scene = await Scene(world).begin()
    await scene.answers(*[429] * 40)
    waits = [(job.due - world.clock.now()).total_seconds() for job in scene.jobs("queued")]
    middle = (min(waits) + max(waits)) / 2
    assert len(waits) == 40
    assert len(set(waits)) > 20
    assert middle * 0.79 <= min(waits) < max(waits) <= middle * 1.21


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("120", 120, 120),
        (str(DAY), DAY, DAY),
        (str(10 * DAY), DAY, DAY),
        ("9" * 40, DAY, DAY),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 7200, 7200),
        ("Fri, 01 Jan 2038 00:00:00 GMT", DAY, DAY),
        ("Mon, 23 Nov 2020 11:00:00 GMT", 10, 30),
        ("0", 10, 30),
        ("-5", 10, 30),
        ("soon", 10, 30),
        ("", 10, 30),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wish_for_a_pause_is_kept_within_reason(
    world: World, status: int, asked: str, least: float, most: float
) -> None:
    """Retry-After counts in seconds or as a date, a day at most, and nonsense or the past not at all."""
    scene = await Scene(world).begin()
    scene.front.headers = {"retry-after": asked}
    await scene.answers(status)
    [job] = scene.jobs("queued")
    assert timedelta(seconds=least) <= job.due - world.clock.now() <= timedelta(seconds=most)


async def test_pauses_grow_and_end(world: World) -> None:
    """A delivery that always meets a busy server is tried sixteen times over three days, ever more seldom."""
    scene = await Scene(world).begin()
    start = world.clock.now()
    await scene.answers(429)
    waits: list[Any] = []
    while waiting := scene.jobs(*OPEN):
        [job] = waiting
        waits.append(job.due - world.clock.now())
        world.clock.forward(seconds=waits[-1].total_seconds())
        await world.drain()
    assert len(waits) == 15
    assert timedelta(hours=54) <= world.clock.now() - start <= timedelta(hours=90)
    assert waits[0] < waits[4] < waits[9] < waits[14]
    assert [job.state for job in scene.jobs()] == ["dead"]
