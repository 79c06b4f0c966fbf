"""When to try again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jobs.retry import JITTER, LONGEST_RETRY_AFTER, MAX_ATTEMPTS, Again, GiveUp, is_permanent, next_try

DAY = 24 * 3600


def waits(jitter: float) -> list[float]:
    """Return every wait of a delivery that nobody ever answers."""
    found = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        following = next_try(attempt, status=None, retry_after=None, jitter=jitter)
        if isinstance(following, Again):
            found.append(following.seconds)
    return found


def test_sixteen_attempts_over_three_days() -> None:
    """Fifteen waits add up to 72 hours, ten per cent more or less."""
    found = waits(0.5)
    assert len(found) == 15
    assert sum(found) == pytest.approx(72 * 3600, rel=0.10)


def test_waits_grow() -> None:
    """The first try again is soon, each later one waits longer."""
    found = waits(0.5)
    assert found == sorted(found)
    assert found[0] < 30


@given(st.floats(min_value=0, max_value=1), st.integers(min_value=1, max_value=MAX_ATTEMPTS - 1))
def test_jitter_stays_within_its_share(jitter: float, attempt: int) -> None:
    """Deliveries that failed together do not come back together, and none is more than a fifth away."""
    middle = waits(0.5)[attempt - 1]
    found = next_try(attempt, status=503, retry_after=None, jitter=jitter)
    assert isinstance(found, Again)
    assert middle * (1 - JITTER) * 0.999 <= found.seconds <= middle * (1 + JITTER) * 1.001


def test_the_sixteenth_failure_is_the_last() -> None:
    """After sixteen attempts nobody is bothered any more."""
    assert next_try(16, status=503, retry_after=None, jitter=0.5) == GiveUp(reason="too-many-attempts")
    assert next_try(16, status=None, retry_after=60, jitter=0.5) == GiveUp(reason="too-many-attempts")


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(3600, 3600), (DAY, DAY), (10 * DAY, DAY)],
)
def test_retry_after_counts_up_to_a_day(asked: int, seconds: int) -> None:
    """A server may ask for a longer pause, not for ever."""
    assert next_try(1, status=429, retry_after=asked, jitter=0.5) == Again(seconds=seconds)
    assert seconds <= LONGEST_RETRY_AFTER


def test_retry_after_never_shortens() -> None:
    """Asking for less than the schedule does not make us come sooner."""
    assert next_try(15, status=503, retry_after=1, jitter=0.5) == next_try(15, status=503, retry_after=None, jitter=0.5)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 406, 410, 413, 415, 422, 451, 499, 501])
def test_permanent_answers(status: int) -> None:
    """What says no for good is not asked again."""
    assert is_permanent(status)
    assert next_try(1, status=status, retry_after=60, jitter=0.5) == GiveUp(reason="permanent-answer")


@pytest.mark.parametrize("status", [401, 408, 421, 425, 429, 500, 502, 503, 504, 599, 301, 100])
def test_passing_answers(status: int) -> None:
    """What may be otherwise later is asked again."""
    assert not is_permanent(status)
    assert isinstance(next_try(1, status=status, retry_after=None, jitter=0.5), Again)
