"""What every test shares: anyio on asyncio, quiet logs, a world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world import World
from world import world as make_world

from gateway.observe import logs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def quiet_logs() -> None:
    """Log errors only."""
    logs.configure("error")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Return an empty world that is closed afterwards."""
    async with make_world(tmp_path) as made:
        yield made
