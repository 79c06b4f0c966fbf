"""Dictionaries of tokens, by a real Structured Fields parser."""

from __future__ import annotations

import pytest

from gateway.carriers.structured import parse_tokens, preference
from gateway.preferences import Preference


def _read(text: str) -> dict[str, Preference | None] | None:
    members = parse_tokens(text)
    return None if members is None else {key: preference(value) for key, (value, _) in members.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("  ", {}),
        ("a=n", {"a": Preference.DISALLOW}),
        ("a=y", {"a": Preference.ALLOW}),
        ("a=n,b=y", {"a": Preference.DISALLOW, "b": Preference.ALLOW}),
        ("a=n, a=y", {"a": Preference.ALLOW}),
        ("a=y, a", {"a": None}),
        ('a="n"', {"a": None}),
        ("a=?0", {"a": None}),
        ("a=?1", {"a": None}),
        ("a=no", {"a": None}),
        ("a=N", {"a": None}),
        ("a=Y", {"a": None}),
        ("a=1", {"a": None}),
        ("a=(n)", {"a": None}),
        ("a=(n y);q=1", {"a": None}),
        ("a=:bg==:", {"a": None}),
        ("a;x=y", {"a": None}),
        ("a;x=y, b=n", {"a": None, "b": Preference.DISALLOW}),
        ("a=n;exceptions=cc-cr", {"a": Preference.DISALLOW}),
    ],
)
def test_dictionary(text: str, expected: dict[str, Preference | None]) -> None:
    """Only the tokens y and n state anything, and of two members with one key the last counts."""
    assert _read(text) == expected


@pytest.mark.parametrize(
    "text", ["A=n", "a=n b=y", "a=n,", "a=", "=n", "a=n;", "ä=n", "a=ｎ", "a=n\x00", "\ud800", "{}"]
)
def test_no_dictionary(text: str) -> None:
    """A text that is no dictionary is None as a whole, never half read."""
    assert parse_tokens(text) is None


def test_parameters() -> None:
    """Parameters are kept beside the value."""
    members = parse_tokens("a=n;exceptions=cc-cr;b")
    assert members is not None
    assert {name: str(value) for name, value in members["a"][1].items()} == {"exceptions": "cc-cr", "b": "True"}


@pytest.mark.parametrize("value", ["y", "n", True, None, 1, b"y", ["y"]])
def test_only_tokens_are_preferences(value: object) -> None:
    """A plain string, even the right letter, is not a token and states nothing."""
    assert preference(value) is None
