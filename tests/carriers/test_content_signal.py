"""Content-Signal: yes and no, not y and n."""

from __future__ import annotations

import pytest
from carriers.samples import SOURCE, said

from gateway.carriers import content_signal
from gateway.preferences import PRESETS, Preferences, Preset


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("noai", "search=yes, ai-input=no, ai-train=no"),
        ("notrain", "ai-train=no"),
        ("people-only", "search=no, ai-input=no, ai-train=no"),
        ("open", ""),
    ],
)
def test_render_presets(preset: str, expected: str) -> None:
    """The line of a preset is the one of the reference."""
    assert content_signal.render(PRESETS[Preset(preset)]) == expected


@pytest.mark.parametrize(
    ("prefs", "expected"),
    [
        (Preferences.of(train_gen="y"), ""),
        (Preferences.of(train_gen="y", train_other="y"), "ai-train=yes"),
        (Preferences.of(train_gen="y", train_other="n"), "ai-train=no"),
        (Preferences.of(ai_generate="n"), "ai-input=no"),
        (Preferences.of(ai_index="n", tdm="n"), ""),
    ],
)
def test_render(prefs: Preferences, expected: str) -> None:
    """A signal for two categories says no if either is no, yes only if both are yes."""
    assert content_signal.render(prefs) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("search=yes", {"search": "y"}),
        ("ai-input=no", {"ai-input": "n", "ai-generate": "n"}),
        ("ai-train=no", {"train-gen": "n", "train-other": "n"}),
        ("SEARCH = Yes ,AI-Train= NO", {"train-gen": "n", "train-other": "n", "search": "y"}),
        ("search=y", {}),
        ("search=n", {}),
        ("search=?1", {}),
        ("use=reference, search=no", {"search": "n"}),
        ("search", {}),
        ("", {}),
        ("=yes", {}),
        ("search=yes=no", {}),
    ],
)
def test_parse(text: str, expected: dict[str, str]) -> None:
    """Keys in any case with yes or no count; unknown keys and other values, also y and n, do not."""
    assert said(content_signal.parse(text, SOURCE)) == ([expected] if expected else [])


def test_statement() -> None:
    """The statement keeps the line as it stood, with keys that we do not read."""
    (statement,) = content_signal.parse("search=yes, use=reference", SOURCE).statements
    assert (statement.carrier, statement.carrier_revision) == ("content-signal", "content-signals-2025")
    assert statement.raw == "search=yes, use=reference"


def test_inexpressible() -> None:
    """Signals cannot refuse AI indexes, other mining, nor the reuse axes."""
    names = {c.value for c in content_signal.INEXPRESSIBLE}
    assert names == {"ai-index", "tdm", "bridge", "bulk-dataset", "archive"}
