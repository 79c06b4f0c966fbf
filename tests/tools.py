"""Outside tools that some tests need: missing ones skip a test by name, and fail it where CI=true."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(name: str) -> NoReturn:
    """Skip the test that needs the tool ``name``; in CI, where every tool must be, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing in CI: {name}")
    pytest.skip(f"missing: {name}")
