"""A quota that refills: what is taken, refused, given back and forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from world import ManualClock

from gateway.net.pace import Pace


def pace(clock: ManualClock, *, quota: int = 3, seconds: float = 30.0, cap: int = 100) -> Pace:
    """Return three in thirty seconds."""
    return Pace(clock, "test", quota=quota, seconds=seconds, cap=cap)


def test_a_quota_may_be_used_at_once_and_then_refills() -> None:
    """Three go at once, the fourth waits a tenth of a minute, and a whole quota is back after all of it."""
    clock = ManualClock()
    used = pace(clock)
    found = [used.take("a") for _ in range(4)]
    assert [left.ok for left in found] == [True, True, True, False]
    assert [left.remaining for left in found] == [2, 1, 0, 0]
    assert [left.reset for left in found] == [10, 20, 30, 30]
    assert [left.retry_after for left in found] == [0, 0, 0, 10]
    clock.forward(seconds=10)
    assert [used.take("a").ok, used.take("a").ok] == [True, False]
    clock.forward(seconds=30)
    assert [used.take("a").ok for _ in range(4)] == [True, True, True, False]


def test_keys_do_not_share() -> None:
    """What one spends is not taken from another."""
    used = pace(ManualClock(), quota=1)
    assert [used.take(key).ok for key in ("a", "a", "b")] == [True, False, True]


def test_looking_takes_nothing() -> None:
    """A look says what a take would find."""
    used = pace(ManualClock(), quota=1)
    assert [used.look("a").ok, used.look("a").ok, used.take("a").ok, used.look("a").ok] == [True, True, True, False]


def test_what_is_given_back_can_be_taken_again() -> None:
    """One back is one more, and nobody can have more than the quota."""
    used = pace(ManualClock())
    used.give_back("a")
    for _ in range(3):
        used.take("a")
    used.give_back("a")
    assert [used.take("a").ok, used.take("a").ok] == [True, False]
    for _ in range(10):
        used.give_back("a")
    assert [used.take("a").ok for _ in range(4)] == [True, True, True, False]


def test_nought_is_no_limit() -> None:
    """A quota of 0 lets everybody through and remembers nobody."""
    used = pace(ManualClock(), quota=0)
    assert all(used.take("a").ok for _ in range(1_000))
    assert len(used._full) == 0


def test_much_costs_more() -> None:
    """What costs two takes two; what costs more than is left waits until there is enough for it."""
    clock = ManualClock()
    used = pace(clock)
    assert used.take("a", 2).remaining == 1
    assert (used.take("a", 2).ok, used.look("a", 2).retry_after) == (False, 10)
    clock.forward(seconds=10)
    assert used.take("a", 2).ok
    assert not used.take("b", 4).ok


def test_the_memory_is_bounded() -> None:
    """Beyond the cap the oldest keys are forgotten, so that strangers cannot fill it."""
    used = pace(ManualClock(), cap=10)
    for number in range(1_000):
        used.take(str(number))
    assert len(used._full) == 10


@given(st.lists(st.floats(min_value=0, max_value=60), max_size=60))
def test_no_window_lets_more_through_than_twice_the_quota(pauses: list[float]) -> None:
    """Whatever the rhythm, any thirty seconds let through at most a full bucket and what flowed in meanwhile."""
    clock = ManualClock()
    used, taken = pace(clock), []
    for pause in pauses:
        clock.seconds += pause
        if used.take("a").ok:
            taken.append(clock.seconds)
    for start in taken:
        assert sum(start <= moment < start + 30 for moment in taken) <= 6
