"""Path patterns with star and dollar."""

from __future__ import annotations

import pytest

from gateway.carriers.path_pattern import encoded, matches


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("", "/a", True),
        ("/", "/a", True),
        ("/a", "/a", True),
        ("/a", "/abc", True),
        ("/a/", "/a", False),
        ("/b", "/a/b", False),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("$", "", True),
        ("$", "/", False),
        ("*", "/a", True),
        ("/*.png", "/x/y.png?z", True),
        ("/*.png$", "/x/y.png", True),
        ("/*.png$", "/x/y.png?z", False),
        ("/*.png$", "/x.png/y.png", True),
        ("/a*a$", "/a", False),
        ("/a*$", "/abc", True),
        ("/a**b", "/a-b", True),
        ("/a*b*c", "/a1b2c3", True),
        ("/a*c*b", "/a1b2c3", False),
        ("/a.c", "/abc", False),
        ("/a$b", "/a$b", True),
        ("/é", "/%C3%A9", True),
        ("/%c3%a9", "/é/x", True),
        ("/\ud800", "/?", False),
    ],
)
def test_matches(pattern: str, path: str, *, expected: bool) -> None:
    """A pattern is a prefix in which a star stands for anything and a final dollar for the end."""
    assert matches(pattern, path) is expected


def test_no_blow_up() -> None:
    """Many stars that nearly match cost no more than a few scans of the path."""
    assert matches("*a" * 500 + "b", "/" + "a" * 5000) is False
    assert matches("*a" * 500, "/" + "a" * 5000) is True


def test_long_patterns_are_not_cut() -> None:
    """A pattern that is longer than the path does not match it."""
    assert matches("/" + "a" * 300, "/" + "a" * 299) is False


def test_encoded() -> None:
    """Text outside ASCII is percent-encoded, escapes are in upper case, the rest stays."""
    assert encoded("/é%2f?a=b&c*$") == "/%C3%A9%2F?a=b&c*$"
