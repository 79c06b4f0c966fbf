"""An empty store for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store that is closed afterwards."""
    made = Store(tmp_path / FILE)
    yield made
    made.close()
