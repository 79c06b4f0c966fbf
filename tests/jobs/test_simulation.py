"""What the simulation of fan-out says must be true of any fan-out, whatever its numbers are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from bench.simulation import ANSWER_MOST, Found, Health, Plan, scenarios, simulate, table

from gateway.flows.queue import MOST_PAUSE
from gateway.jobs import circuit
from gateway.jobs.worker import LATE, SENDING, SHARE

MANY = Plan(followers=30_000, peers=6_000, posts_per_day=48, hours=1.0, drain=0.5)


@pytest.fixture(scope="module")
def found() -> dict[Health, Found]:
    """Return what came out for each way peers are."""
    return {health: simulate(replace(MANY, health=health)) for health in Health}


def test_nothing_is_lost(found: dict[Health, Found]) -> None:
    """Each delivery that was queued arrived, was given up, or still waits, however the peers are."""
    for health, one in found.items():
        assert one.queued == one.reached * one.posts, health
        assert one.delivered + one.given_up + one.left == one.queued, health
        assert one.attempts >= one.delivered + one.wasted, health


def test_well_peers_get_everything(found: dict[Health, Found]) -> None:
    """When all peers are well nothing is left or tried twice, and it is out soon after its longest pause."""
    well = found[Health.WELL]
    assert (well.delivered, well.wasted, well.left) == (well.queued, 0, 0)
    assert well.p50 < well.p95 <= well.p99 <= MOST_PAUSE + ANSWER_MOST


def test_the_dead_keep_nobody_waiting(found: dict[Health, Found]) -> None:
    """With a dead third the others have 95 % of their posts within twice the time of a world that is well."""
    assert found[Health.DEAD].p95 <= 2 * found[Health.WELL].p95
    assert found[Health.STORM].p95 <= 2 * found[Health.WELL].p95


@pytest.mark.parametrize("posts", [12, 120])
def test_the_dead_cost_few_requests(posts: int) -> None:
    """A dead peer costs the failures that open its circuit and then one probe a pause, however much is posted."""
    found = simulate(Plan(followers=500, peers=300, health=Health.DEAD, posts_per_day=posts * 4, hours=6.0, drain=0.0))
    dead = round(found.reached / 3)
    probes = timedelta(hours=6) / circuit.PAUSE
    assert found.circuits == dead
    assert found.wasted <= dead * (circuit.FAILURES + SHARE - 1 + probes)


def test_a_storm_passes() -> None:
    """What a storm held back is out once it is over, and no circuit is open any more."""
    after = simulate(Plan(followers=500, peers=300, health=Health.STORM, hours=1.0, drain=24.0))
    assert after.wasted > 0
    assert (after.delivered, after.circuits) == (after.queued, 0)


def test_the_end_comes() -> None:
    """Peers that stay dead are given up in the end: after eight days nothing waits for them."""
    after = simulate(Plan(followers=500, peers=300, health=Health.DEAD, hours=1.0, drain=24.0 * 8))
    assert (after.left, after.given_up) == (0, after.queued - after.delivered)
    assert after.given_up > 0


def test_hands_are_bounded() -> None:
    """No more deliveries are in hand than the processes have hands for, and may let wait besides."""
    slow = replace(MANY, health=Health.SLOW, hours=0.5, drain=0.2)
    one, two = simulate(slow), simulate(replace(slow, processes=2))
    assert SENDING // 2 < one.peak_hands <= SENDING // 2 + LATE
    assert one.peak_hands <= two.peak_hands <= SENDING + 2 * LATE


def test_the_same_seed_is_the_same_world() -> None:
    """A scenario has one outcome a seed, and another seed is another world."""
    plan = Plan(followers=1_000, health=Health.DEAD)
    assert simulate(plan) == simulate(plan)
    assert simulate(plan) != simulate(replace(plan, seed=2))


def test_the_table_has_a_line_a_scenario() -> None:
    """The table names each scenario with its result."""
    plans = scenarios()
    small = simulate(plans[0])
    lines = table([(plan, small) for plan in plans]).splitlines()
    assert len(lines) == len(plans) + 2
    assert len({line.count("|") for line in lines}) == 1
