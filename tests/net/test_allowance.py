"""One cause, so many requests: counted through tasks and flows, one inside another."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import RemoteAnswer
from gateway.net import allowance

URL = "https://peer.example/x"


def spent(times: int) -> int:
    """Return how many of so many requests were let through."""
    for done in range(times):
        try:
            allowance.spend(URL)
        except RemoteAnswer:
            return done
    return times


def test_without_an_allowance_nothing_is_counted() -> None:
    """What an admin asks for on the command line is bounded by other means."""
    assert spent(100) == 100
    assert allowance.is_left()


def test_an_allowance_ends() -> None:
    """The request after the last one raises, with a status that is not a passing one."""
    with allowance.at_most(2):
        assert spent(5) == 2
        assert not allowance.is_left()
        with pytest.raises(RemoteAnswer, match="one request more") as raised:
            allowance.spend(URL)
    assert raised.value.remote_status == allowance.EXHAUSTED
    assert allowance.is_left()


def test_an_inner_allowance_counts_against_the_outer() -> None:
    """Whatever is inside cannot have more than what is around it, and leaves less behind."""
    with allowance.at_most(3):
        with allowance.at_most(2):
            assert spent(5) == 2
        with allowance.at_most(5):
            assert spent(5) == 1
        assert not allowance.is_left()


def test_tasks_share_the_allowance_they_were_started_in() -> None:
    """What runs beside counts, too; what runs elsewhere does not."""

    async def one() -> bool:
        await asyncio.sleep(0)
        return spent(1) == 1

    async def inside() -> list[bool]:
        with allowance.at_most(2):
            return await asyncio.gather(*(one() for _ in range(4)))

    async def both() -> tuple[list[bool], bool]:
        found = await asyncio.gather(inside(), one())
        return found[0], found[1]

    assert asyncio.run(both()) == ([True, True, False, False], True)
