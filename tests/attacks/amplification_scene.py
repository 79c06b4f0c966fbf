"""Attacks that multiply: the cases, what is put off, and how one is performed, with keys that are made once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from attacks.scene import Scene, check, prepared, read_cases
from flows.keypool import pooled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from world import World

CASES = read_cases("amplification.json")
LATER = {
    "AMP-016": "bridge loops: there is no bridge between the two networks yet, so nothing can go round",
}
SETTINGS: dict[str, dict[str, Any]] = {"AMP-024": {"limit_peer_mebibytes": 4}}


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take keys that are made once."""
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


async def perform(world: World, case_id: str, builder: Callable[[Scene], Awaitable[None]]) -> None:
    """Perform a case, check everything it expects, and that the next rightful activity is taken."""
    scene = await prepared(world, **SETTINGS.get(case_id, {}))
    await builder(scene)
    check(scene, CASES[case_id])
    await scene.still_works(scene.victim, scene.victim.me)
