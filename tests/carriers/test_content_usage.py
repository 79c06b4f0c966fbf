"""Content-Usage: the AIPREF line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from carriers.samples import AT, SOURCE, answer, problems, said

from gateway.carriers import content_usage
from gateway.carriers.reading import EMPTY
from gateway.preferences import Category, Condition, Preferences

ALL = dict.fromkeys(("train-gen", "train-other", "ai-input", "ai-generate", "ai-index", "search", "tdm"), "n")


@pytest.mark.parametrize(
    ("prefs", "expected"),
    [
        (Preferences.of(), ""),
        (Preferences.of(train_gen="n", ai_input="n", ai_generate="n", search="y"), "train-ai=n, ai-use=n, search=y"),
        (Preferences.of(train_gen="y"), "train-ai=y"),
        (Preferences.of(train_other="n", ai_index="n", tdm="n", bridge="n"), ""),
        (Preferences.of(ai_input="n"), "ai-use=n"),
        (Preferences.of(ai_input="n", ai_generate="y"), "ai-use=n"),
        (Preferences.of(ai_input="y"), ""),
        (Preferences.of(ai_input="y", ai_generate="y"), "ai-use=y"),
        (Preferences.of(search="n"), "search=n"),
    ],
)
def test_render(prefs: Preferences, expected: str) -> None:
    """A token for two categories says no if either is no, yes only if both are yes."""
    assert content_usage.render(prefs) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train-ai=n, ai-use=n, search=y", {"train-gen": "n", "ai-input": "n", "ai-generate": "n", "search": "y"}),
        ("train-ai=y", {"train-gen": "y"}),
        ("ai-use=y", {"ai-input": "y", "ai-generate": "y"}),
        ("search=n, search=y", {"search": "y"}),
        ("train-ai=y, train-ai", {}),
        ("unknown=n, search=n", {"search": "n"}),
        ('search="n", train-ai=?0', {}),
        ("train-ai;allow=n, train-ai=y", {"train-gen": "y"}),
    ],
)
def test_parse(text: str, expected: dict[str, str]) -> None:
    """Defined labels with the tokens y and n count; everything else is unknown."""
    assert said(content_usage.parse(text, SOURCE)) == ([expected] if expected else [])


def test_empty() -> None:
    """An empty value is an empty dictionary, and no problem."""
    assert content_usage.parse("", SOURCE) == EMPTY


@pytest.mark.parametrize("text", ["train-ai=n search=y", "Train-AI=n", "train-ai=n,", "train-ai=ñ", "\ud800"])
def test_unreadable(text: str) -> None:
    """A text that is no dictionary states nothing and is recorded as a problem."""
    reading = content_usage.parse(text, SOURCE, carrier="http-content-usage")
    assert reading.statements == ()
    assert problems(reading) == [("http-content-usage", "not-a-dictionary")]


def test_statement() -> None:
    """The statement carries the revision of the drafts, the carrier's name, the moment and the text as received."""
    source = replace(SOURCE, asserted_at=AT)
    (statement,) = content_usage.parse("train-ai=n;x, search=y", source, carrier="contentUsage").statements
    assert statement.carrier == "contentUsage"
    assert statement.carrier_revision == "attach-05/vocab-08"
    assert statement.raw == "train-ai=n;x, search=y"
    assert (statement.asserted_at, statement.observed_at, statement.legacy) == (AT, AT, False)


def test_conditions() -> None:
    """A parameter is kept as a condition beside the no, which stays a no."""
    (statement,) = content_usage.parse("ai-use=n;exceptions=cc-cr", SOURCE).statements
    assert statement.prefs == Preferences.of(ai_input="n", ai_generate="n")
    assert statement.conditions == (
        Condition(category=Category.AI_INPUT, kind="exceptions", value="cc-cr"),
        Condition(category=Category.AI_GENERATE, kind="exceptions", value="cc-cr"),
    )


def test_condition_without_preference() -> None:
    """Parameters of a label that states nothing are not kept."""
    assert content_usage.parse("ai-use=maybe;exceptions=cc-cr", SOURCE) == EMPTY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train-genai=n", {"train-gen": "n"}),
        ("genai=n", {"train-gen": "n"}),
        ("ai=n", {"train-gen": "n", "train-other": "n"}),
        ("inference=n", {"ai-input": "n", "ai-generate": "n"}),
        ("ai-output=n", {"ai-input": "n", "ai-generate": "n"}),
        ("tdm=n", ALL),
        ("all=n", ALL),
        ("bots=n", ALL),
        ("genai=n, inference=n", {"train-gen": "n", "ai-input": "n", "ai-generate": "n"}),
    ],
)
def test_legacy_no(text: str, expected: dict[str, str]) -> None:
    """A no in a label of an earlier draft counts and is marked as legacy."""
    (statement,) = content_usage.parse(text, SOURCE).statements
    assert statement.prefs.as_json() == expected
    assert (statement.legacy, statement.carrier_revision) == (True, "legacy")


@pytest.mark.parametrize("label", ["train-genai", "genai", "ai", "inference", "ai-output", "tdm", "all", "bots"])
def test_legacy_yes(label: str) -> None:
    """A yes in a label of an earlier draft never counts."""
    assert content_usage.parse(f"{label}=y", SOURCE) == EMPTY


def test_legacy_beside_current() -> None:
    """Old and new labels in one line are two statements, and the no counts."""
    reading = content_usage.parse("train-ai=y, genai=n, search=y", SOURCE)
    assert said(reading) == [{"train-gen": "y", "search": "y"}, {"train-gen": "n"}]
    assert answer(reading) == {"train-gen": "n", "search": "y"}


def test_inexpressible() -> None:
    """The line cannot refuse non-generative training, AI indexes, other mining, nor the reuse axes."""
    names = {c.value for c in content_usage.INEXPRESSIBLE}
    assert names == {"train-other", "ai-index", "tdm", "bridge", "bulk-dataset", "archive"}
