"""Flows run in the world, with keys that are made once."""

from __future__ import annotations

import pytest
from flows.keypool import pooled


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
