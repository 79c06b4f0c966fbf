"""AI-Usage: the whole model in one line."""

from __future__ import annotations

import pytest
from carriers.samples import SOURCE, problems, said

from gateway.carriers import ai_usage
from gateway.carriers.reading import EMPTY
from gateway.preferences import NOTHING, PRESETS, Preferences, Preset


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("noai", "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n, search=y, tdm=n"),
        ("notrain", "train-gen=n, train-other=n"),
        ("people-only", "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n, search=n, tdm=n"),
        ("open", ""),
    ],
)
def test_render_presets(preset: str, expected: str) -> None:
    """The line of a preset names each of its categories in the order of the vocabulary."""
    assert ai_usage.render(PRESETS[Preset(preset)]) == expected


def test_reuse_axes() -> None:
    """The reuse axes are said in the same line."""
    prefs = Preferences.of(bridge="n", bulk_dataset="y", archive="n")
    assert ai_usage.render(prefs) == "bridge=n, bulk-dataset=y, archive=n"
    assert said(ai_usage.parse("bridge=n, bulk-dataset=y, archive=n", SOURCE)) == [prefs.as_json()]


def test_parse() -> None:
    """Known categories with y or n count, and the statement keeps the text."""
    (statement,) = ai_usage.parse("train-gen=n, search=y, mood=n, tdm=maybe", SOURCE).statements
    assert statement.prefs == Preferences.of(train_gen="n", search="y")
    assert (statement.carrier, statement.carrier_revision) == ("ai-usage", "fep-1e38/1")
    assert statement.raw == "train-gen=n, search=y, mood=n, tdm=maybe"


def test_empty() -> None:
    """An empty line states nothing and is no problem."""
    assert ai_usage.parse("", SOURCE) == EMPTY
    assert ai_usage.parse_prefs("") == NOTHING


def test_unreadable() -> None:
    """A text that is no dictionary states nothing and is a problem."""
    reading = ai_usage.parse("train-gen: n", SOURCE, carrier="http-ai-usage")
    assert reading.statements == ()
    assert problems(reading) == [("http-ai-usage", "not-a-dictionary")]
    assert ai_usage.parse_prefs("train-gen: n") is None


def test_preferences_alone() -> None:
    """The command line reads the same text as preferences."""
    assert ai_usage.parse_prefs("train-gen=n, search=y") == Preferences.of(train_gen="n", search="y")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train-gen=n", ()),
        ("", ()),
        ("train-gen=n, mood=n", ("mood",)),
        ("train-gen=no, search=y", ("train-gen",)),
        ("search", ("search",)),
        ("not a dictionary", ("not a dictionary",)),
    ],
)
def test_unknown_words(text: str, expected: tuple[str, ...]) -> None:
    """A person can be told which words would be passed over."""
    assert ai_usage.unknown_words(text) == expected


def test_nothing_is_inexpressible() -> None:
    """This carrier can refuse everything."""
    assert frozenset() == ai_usage.INEXPRESSIBLE
