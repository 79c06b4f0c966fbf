"""kill -9 at any moment, on SQLite: what was answered 202 or 201 is there exactly once after the next start."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from crash.killing import under_load

if TYPE_CHECKING:
    from pathlib import Path

SHORT, LONG = 50, 250


@pytest.mark.parametrize(
    ("kills", "seed"), [(SHORT, 9421), *(pytest.param(LONG, seed, marks=pytest.mark.long) for seed in (1, 2, 3, 4))]
)
def test_kill_9_loses_and_doubles_nothing(tmp_path: Path, kills: int, seed: int) -> None:
    """However often a gateway is killed, what was answered takes effect once, and only what was in hand comes again."""
    with under_load(tmp_path, seed, random.Random(seed)) as killer:
        killer.one_after_another(kills - killer.kills)
    assert killer.kills == kills
    assert len(killer.traffic.expected.answered) > kills
    # There was load: each post waits for the one before, and a gateway that lives for a tenth of a second is slow.
    assert len(killer.traffic.created) > kills // 25
