"""What strangers can make us remember is bounded."""

from __future__ import annotations

from world import ManualClock

from gateway.net.soft import Soft


def test_everything_is_forgotten_after_a_while() -> None:
    """A value lives for its seconds and not longer; putting it again renews it."""
    clock = ManualClock()
    soft: Soft[str] = Soft(clock, seconds=10, cap=3)
    soft.put("a", "1")
    clock.forward(seconds=9)
    assert soft.get("a") == "1"
    soft.put("a", "2")
    clock.forward(seconds=9)
    assert soft.get("a") == "2"
    clock.forward(seconds=1)
    assert soft.get("a") is None
    assert len(soft) == 0


def test_the_oldest_goes_first_when_it_is_full() -> None:
    """No more than the cap is ever held."""
    soft: Soft[int] = Soft(ManualClock(), seconds=10, cap=2)
    for number in range(5):
        soft.put(str(number), number)
    soft.put("3", 33)
    assert len(soft) == 2
    assert [soft.get(str(number)) for number in range(5)] == [None, None, None, 33, 4]
    soft.put("5", 5)
    assert soft.get("4") is None
    assert soft.get("unknown") is None


def test_a_change_does_not_prolong_a_life() -> None:
    """Replacing a value keeps its time and its place in the row; what is forgotten or unknown stays so."""
    clock = ManualClock()
    soft: Soft[str] = Soft(clock, seconds=10, cap=2)
    soft.put("a", "1")
    clock.forward(seconds=9)
    soft.replace("a", "2")
    assert soft.get("a") == "2"
    soft.put("b", "1")
    soft.replace("a", "3")
    soft.put("c", "1")
    assert [soft.get(key) for key in "abc"] == [None, "1", "1"]
    clock.forward(seconds=10)
    soft.replace("b", "2")
    assert soft.get("b") is None
    soft.replace("unknown", "1")
    assert soft.get("unknown") is None
