"""kill -9 at any moment, on PostgreSQL: of the only process, of one of two, of a worker, of all at once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import postgres
import pytest
from crash.killing import under_load

if TYPE_CHECKING:
    from pathlib import Path

SHORT, LONG = 50, 250


@pytest.mark.parametrize(
    ("kills", "seed"), [(SHORT, 9421), *(pytest.param(LONG, seed, marks=pytest.mark.long) for seed in (1, 2, 3, 4))]
)
def test_kill_9_loses_and_doubles_nothing(tmp_path: Path, kills: int, seed: int) -> None:
    """Whichever process is killed, what was answered takes effect once, and only what was in hand comes again."""
    sessions = kills // 50  # of two kills each: workers are slow to start
    with postgres.running() as server, under_load(tmp_path, seed, random.Random(seed), server.make("gw")) as killer:
        killer.supervised(sessions)
        killer.one_of_two(kills // 2)
        killer.one_after_another(kills - killer.kills)
    assert killer.kills == kills
    assert len(killer.traffic.expected.answered) > kills
    assert len(killer.traffic.created) > kills // 10  # there was load
