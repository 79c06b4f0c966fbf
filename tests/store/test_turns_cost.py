"""What a claim costs: the same whatever is queued, whatever ended, and however it is spread."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from store.queueing import add, claim, steps
from store.rows import NOW, later

from gateway.store.jobs import BULK, Job
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# What a claim costs


def _one_peer(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}")


def _many_peers(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number}.example", due=NOW - timedelta(milliseconds=size - number))


def _fan_out(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number}.example", pool=BULK)


def _one_lane(store: Store, size: int) -> None:
    for _ in range(size):
        add(store, "x")


def _nothing_due(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number % 500}.example", due=later(days=1))
    add(store, "due")


def _held(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number % 50}.example")
    for number in range(50):
        store.jobs.hold(f"https://{number}.example", later(days=1))
    add(store, "free")


def _ended(store: Store, size: int) -> None:
    for number in range(size):
        store.jobs.finish(add(store, f"{number}"), NOW)
    add(store, "left")


def _bulk(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number % 500}.example", pool=BULK)
    add(store, "somebody")


FILLS = (_one_peer, _many_peers, _fan_out, _one_lane, _nothing_due, _held, _ended, _bulk)


def cost(directory: Path, fill: Callable[[Store, int], None], size: int) -> tuple[int, int]:
    """Return what a claim of one job costs, and its end, beside so many rows."""
    directory.mkdir()
    store = Store(directory / FILE)
    with store.database.transaction():
        fill(store, size)
    taken: list[Job] = []
    claimed = steps(store, lambda: taken.extend(claim(store, limit=1)))
    assert len(taken) == 1
    ended = steps(store, lambda: store.jobs.finish(taken[0].id, NOW))
    store.close()
    return claimed, ended


@pytest.mark.parametrize("fill", FILLS, ids=lambda fill: fill.__name__[1:])
@pytest.mark.parametrize(
    ("few", "many"), [(100, 2_000), pytest.param(1_000, 100_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_a_claim_costs_the_same_whatever_is_queued(
    tmp_path: Path, fill: Callable[[Store, int], None], few: int, many: int
) -> None:
    """Neither a claim nor the end of a job is dearer with many times as many rows, however they are spread."""
    small, large = cost(tmp_path / "small", fill, few), cost(tmp_path / "large", fill, many)
    assert large[0] <= 2 * small[0]
    assert large[1] <= 2 * small[1]


def test_a_lane_costs_the_same_whatever_ended_in_it(file_store: Store) -> None:
    """A lane that was used thousands of times (an actor that sends much) takes the next job as cheaply as a new one."""
    store = file_store
    with store.database.transaction():
        for _ in range(1_000):
            store.jobs.finish(add(store, "used"), NOW)

    def whole(lane: str) -> Callable[[], object]:
        return lambda: store.jobs.finish(add(store, lane), NOW)

    assert steps(store, whole("used")) <= 2 * steps(store, whole("new"))
