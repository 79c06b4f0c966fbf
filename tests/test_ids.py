"""Identifiers that only ever grow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from gateway.ids import ALPHABET, Tids, encode, is_tid


@dataclass
class Hands:
    """A clock whose hands are set by the test."""

    at: datetime = field(default=datetime(2026, 11, 22, 10, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "2222222222222"),
        (1, "2222222222223"),
        (31, "222222222222z"),
        (32, "2222222222232"),
        (2**63 - 1, "bzzzzzzzzzzzz"),
    ],
)
def test_encode(value: int, expected: str) -> None:
    """A number becomes 13 characters of sortable base 32."""
    assert encode(value) == expected


def test_order_is_kept() -> None:
    """Identifiers sort as text like their numbers."""
    numbers = [0, 1, 9, 31, 32, 1023, 1024, 2**40, 2**53, 2**63 - 1]
    assert sorted(map(encode, numbers)) == [encode(number) for number in numbers]
    assert list(ALPHABET) == sorted(ALPHABET)
    assert len(ALPHABET) == 32


def test_time_and_process() -> None:
    """An identifier holds the microseconds since 1970 and the number of its process."""
    clock = Hands(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    assert Tids(clock, process=5).next() == encode(1_000_000 << 10 | 5)


def test_growth_while_the_clock_stands() -> None:
    """Identifiers of one moment differ and grow."""
    tids = Tids(Hands(), process=0)
    made = [tids.next() for _ in range(100)]
    assert made == sorted(set(made))


def test_growth_when_the_clock_steps_back() -> None:
    """A clock that steps back does not make identifiers smaller, and one that goes on is followed again."""
    clock = Hands()
    tids = Tids(clock, process=0)
    first = tids.next()
    clock.at -= timedelta(hours=1)
    second = tids.next()
    clock.at += timedelta(hours=2)
    third = tids.next()
    assert first < second < third
    assert third == Tids(clock, process=0).next()


def test_processes_differ() -> None:
    """Two processes make different identifiers in the same moment."""
    assert Tids(Hands(), process=1).next() != Tids(Hands(), process=2).next()


def test_random_process() -> None:
    """A process without a number takes one that fits into ten bits."""
    assert all(0 <= Tids(Hands())._process < 1024 for _ in range(50))
    assert is_tid(Tids(Hands()).next())


@pytest.mark.parametrize("text", ["3jzfcijpj2z2a", "7777777777777", "3zzzzzzzzzzzz", "2222222222222", "j222222222222"])
def test_tids(text: str) -> None:
    """These are TIDs, the first four being the examples of the specification."""
    assert is_tid(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3jzfcijpj2z21",
        "0000000000000",
        "3JZFCIJPJ2Z2A",
        "3jzfcijpj2z2aa",
        "222",
        "zzzzzzzzzzzzz",
        "kjzfcijpj2z2a",
        "3jzf-cij-pj2z-2a",
        "3jzfcijpj2z2\n",
    ],
)
def test_not_tids(text: str) -> None:
    """Another length, another alphabet or a set top bit make no TID."""
    assert is_tid(text) is False
