"""What is for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.errors import SettingsError

if TYPE_CHECKING:
    from gateway.store.store import Store


def test_a_value_is_recorded_once_and_for_ever(store: Store) -> None:
    """The first value stays; the same one is fine again, another one is refused with what to do."""
    assert store.meta.get("base_url") is None
    store.meta.record_forever("base_url", "https://a.example")
    store.meta.record_forever("base_url", "https://a.example")
    with pytest.raises(SettingsError, match=r"https://a\.example, but https://b\.example is set.*set it back"):
        store.meta.record_forever("base_url", "https://b.example")
    assert store.meta.get("base_url") == "https://a.example"
