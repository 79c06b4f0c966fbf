"""When a peer is left alone, as pure functions: the thresholds, the pauses, the way back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jobs.circuit import State, failed, gone, state, succeeded
from gateway.store.circuits import Circuit

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def after(moments: Iterable[datetime], circuit: Circuit | None = None) -> Circuit:
    """Return what failures at some moments make of a circuit."""
    found = circuit or Circuit()
    for moment in moments:
        found = failed(found, moment)
    return found


def opened(at: datetime = NOW) -> Circuit:
    """Return a circuit that five failures at one moment opened."""
    return after([at] * 5)


def test_a_peer_that_never_failed_is_sent_to() -> None:
    """Nothing remembered is a closed circuit."""
    assert state(Circuit(), NOW) is State.CLOSED


@pytest.mark.parametrize(("failures", "found"), [(1, State.CLOSED), (4, State.CLOSED), (5, State.OPEN)])
def test_the_fifth_failure_opens(failures: int, found: State) -> None:
    """Four failures in a row are borne, the fifth opens the circuit."""
    moments = [NOW + number * MINUTE for number in range(failures)]
    assert state(after(moments), moments[-1]) is found


@pytest.mark.parametrize(("gap", "found"), [(149, State.OPEN), (151, State.CLOSED), (180, State.CLOSED)])
def test_five_failures_count_within_ten_minutes(gap: int, found: State) -> None:
    """Five failures that are no more than ten minutes apart open; five that take longer do not."""
    moments = [NOW + number * gap * SECOND for number in range(5)]
    assert state(after(moments), moments[-1]) is found


def test_failures_far_apart_never_open() -> None:
    """One failure each three minutes never makes five in ten minutes."""
    circuit = Circuit()
    for number in range(40):
        moment = NOW + number * 3 * MINUTE
        circuit = failed(circuit, moment)
        assert state(circuit, moment) is State.CLOSED


def test_any_ten_minutes_count() -> None:
    """Five failures within six minutes open, also when an older one, which counts no more, came before them."""
    moments = [NOW + number * MINUTE for number in (0, 8, 9, 11, 12, 13)]
    assert state(after(moments), moments[-1]) is State.OPEN


def test_a_success_begins_the_count_afresh() -> None:
    """Failures count only in a row: whatever was answered in between clears them."""
    circuit = succeeded(after([NOW] * 4))
    assert state(after([NOW] * 4, circuit), NOW) is State.CLOSED
    assert state(after([NOW] * 5, circuit), NOW) is State.OPEN


def test_a_probe_may_go_after_half_an_hour() -> None:
    """An open circuit stays open for thirty minutes, and lets one try then."""
    circuit = opened()
    assert state(circuit, NOW + 30 * MINUTE - SECOND) is State.OPEN
    assert state(circuit, NOW + 30 * MINUTE) is State.HALF_OPEN


def test_a_failed_probe_waits_as_long_again() -> None:
    """A probe that fails opens the circuit for thirty minutes more, again and again."""
    circuit, moment = opened(), NOW
    for _ in range(5):
        moment += 45 * MINUTE
        circuit = failed(circuit, moment)
        assert state(circuit, moment) is State.OPEN
        assert state(circuit, moment + 30 * MINUTE - SECOND) is State.OPEN
        assert state(circuit, moment + 30 * MINUTE) is State.HALF_OPEN


def test_what_was_in_hand_does_not_shorten_the_pause() -> None:
    """A delivery that was under way when the circuit opened, and fails too, leaves it open no shorter."""
    circuit = failed(opened(), NOW + 20 * SECOND)
    assert state(circuit, NOW + 30 * MINUTE - SECOND) is State.OPEN


def test_a_circuit_mends_slowly() -> None:
    """After a probe that succeeded the circuit is not wholly closed before ten successes."""
    moment = NOW + 30 * MINUTE
    circuit = opened()
    for _ in range(9):
        circuit = succeeded(circuit)
        assert state(circuit, moment) is State.MENDING
    assert state(succeeded(succeeded(circuit)), moment) is State.CLOSED


def test_a_mended_circuit_is_the_empty_one() -> None:
    """Nothing of old trouble is left after enough successes."""
    circuit = opened()
    for _ in range(11):
        circuit = succeeded(circuit)
    assert circuit == Circuit()


@pytest.mark.parametrize("gap", [1, 2, 5])
def test_seven_days_of_failures_are_death(gap: int) -> None:
    """Whoever failed on seven distinct days, next to each other or not, is dead, and not before the seventh."""
    moments = [NOW + number * gap * DAY for number in range(7)]
    assert state(after(moments[:6]), moments[5]) is not State.DEAD
    assert state(after(moments), moments[6]) is State.DEAD


def test_many_failures_on_six_days_are_no_death() -> None:
    """Days count, not failures."""
    moments = [NOW + day * DAY + hour * HOUR for day in range(6) for hour in range(12)]
    assert state(after(moments), moments[-1]) is not State.DEAD


def test_a_day_ends_at_midnight() -> None:
    """A failure before and one after midnight (UTC) are on two days."""
    midnight = datetime(2026, 11, 24, tzinfo=UTC)
    moments = [midnight + day * DAY + step for day in (0, 2, 4) for step in (-SECOND, SECOND)]
    assert state(after(moments), moments[-1]) is not State.DEAD
    assert state(after([*moments, moments[-1] + DAY]), moments[-1] + DAY) is State.DEAD


def test_a_success_forgets_the_days() -> None:
    """A peer that answered once in between has its seven days again."""
    circuit = succeeded(after(NOW + number * DAY for number in range(6)))
    moments = [NOW + number * DAY for number in range(6, 12)]
    assert state(after(moments, circuit), moments[-1]) is not State.DEAD


def test_who_is_gone_is_dead_at_once() -> None:
    """A server that says it is no more needs no seven days."""
    assert state(gone(NOW), NOW) is State.DEAD


@pytest.mark.parametrize("circuit", [gone(NOW), after(NOW + number * DAY for number in range(7))])
def test_the_dead_stay_dead_until_they_answer(circuit: Circuit) -> None:
    """Time alone revives nobody, an answer does."""
    late = NOW + 8 * DAY
    assert state(circuit, late) is State.DEAD
    assert state(succeeded(circuit), late) in (State.CLOSED, State.MENDING)


@given(st.lists(st.tuples(st.booleans(), st.integers(min_value=0, max_value=5000)), max_size=60))
def test_there_is_always_a_way_back(events: list[tuple[bool, int]]) -> None:
    """Whatever happened: half an hour later a peer is not held any more unless dead, and eleven answers clear all."""
    circuit, moment = Circuit(), NOW
    for answered, seconds in events:
        moment += seconds * SECOND
        circuit = succeeded(circuit) if answered else failed(circuit, moment)
        assert state(circuit, moment + 30 * MINUTE) is not State.OPEN
        assert not answered or state(circuit, moment) in (State.CLOSED, State.MENDING)
    for _ in range(11):
        circuit = succeeded(circuit)
    assert circuit == Circuit()
