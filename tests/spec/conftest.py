"""The server of the Recommendation's sentences, with keys that are made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flows.keypool import pooled
from spec.server import server_in

if TYPE_CHECKING:
    from spec.server import Server
    from world import World


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


@pytest.fixture
def server(world: World) -> Server:
    """Return a server whose documents are read with a token or a signature."""
    return server_in(world)


@pytest.fixture
def open_server(world: World) -> Server:
    """Return a server whose public documents are readable by anybody."""
    return server_in(world, authorized_fetch=False)
