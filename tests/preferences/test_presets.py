"""The four presets, exactly as the interfaces document promises them."""

from __future__ import annotations

import pytest

from gateway.carriers import content_usage
from gateway.preferences import PRESETS, Preset


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (
            "noai",
            {
                "train-gen": "n",
                "train-other": "n",
                "ai-input": "n",
                "ai-generate": "n",
                "ai-index": "n",
                "search": "y",
                "tdm": "n",
            },
        ),
        ("notrain", {"train-gen": "n", "train-other": "n"}),
        (
            "people-only",
            {
                "train-gen": "n",
                "train-other": "n",
                "ai-input": "n",
                "ai-generate": "n",
                "ai-index": "n",
                "search": "n",
                "tdm": "n",
            },
        ),
        ("open", {}),
    ],
)
def test_preset(preset: str, expected: dict[str, str]) -> None:
    """A preset states these categories and no others."""
    assert PRESETS[Preset(preset)].as_json() == expected


def test_all_presets() -> None:
    """There are four presets, by these names."""
    assert [preset.value for preset in PRESETS] == ["noai", "notrain", "people-only", "open"]


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("noai", "train-ai=n, ai-use=n, search=y"),
        ("notrain", "train-ai=n"),
        ("people-only", "train-ai=n, ai-use=n, search=n"),
        ("open", ""),
    ],
)
def test_content_usage_of_preset(preset: str, expected: str) -> None:
    """The Content-Usage line of a preset is the one the interfaces document shows."""
    assert content_usage.render(PRESETS[Preset(preset)]) == expected
