"""An empty store for each test, on both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import postgres
import pytest

from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Return where an empty database is, of either engine."""
    if request.param == "sqlite":
        return tmp_path / FILE
    postgres.empty(postgres.shared_url())
    return postgres.shared_url()


@pytest.fixture
def store(where: Path | str) -> Iterator[Store]:
    """Return an empty store that is closed afterwards."""
    made = Store(where)
    yield made
    made.close()


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store in a file."""
    made = Store(tmp_path / FILE)
    yield made
    made.close()
