"""The closed list of reasons."""

from __future__ import annotations

import re

import pytest

from gateway.policy.reasons import SENTENCES, Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_in_both_languages(reason: Reason) -> None:
    """A refused peer reads why in English and in Japanese."""
    sentence = SENTENCES[reason]
    assert sentence.en.endswith(".")
    assert sentence.ja.endswith("。")
    assert sentence.in_language("ja") != sentence.in_language("en")


@pytest.mark.parametrize("reason", Reason)
def test_codes_are_stable_words(reason: Reason) -> None:
    """A code is lower-case words with hyphens: fit for URLs, logs and scripts."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.value)


def test_nothing_else_has_a_sentence() -> None:
    """The list is closed."""
    assert set(SENTENCES) == set(Reason)
