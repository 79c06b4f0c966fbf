"""The request as signatures see it."""

from __future__ import annotations

import pytest

from gateway.signatures.request import SignedRequest


def _to(target: str) -> SignedRequest:
    return SignedRequest(method="GET", target=target, headers=())


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        ("https://gw.example/x", "gw.example"),
        ("https://GW.Example/x", "gw.example"),
        ("https://gw.example:443/x", "gw.example"),
        ("http://gw.example:80/x", "gw.example"),
        ("https://gw.example:80/x", "gw.example:80"),
        ("http://gw.example:443/x", "gw.example:443"),
        ("https://gw.example:8443/x", "gw.example:8443"),
        ("https://[2001:db8::1]:443/x", "[2001:db8::1]"),
    ],
)
def test_the_authority_is_lower_case_without_the_default_port(target: str, authority: str) -> None:
    """Only the scheme's own port is left out."""
    assert _to(target).authority == authority


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://gw.example", "/"),
        ("https://gw.example?", "/?"),
        ("https://gw.example/a/b", "/a/b"),
        ("https://gw.example/a?", "/a?"),
        ("https://gw.example/a?x=1&y=%20", "/a?x=1&y=%20"),
        ("https://gw.example/a#key", "/a"),
        ("https://gw.example/a?x#key", "/a?x"),
        ("https://gw.example/a#what?", "/a"),
    ],
)
def test_path_and_query_are_what_goes_on_the_wire(target: str, expected: str) -> None:
    """An empty query keeps its question mark, and a fragment never counts."""
    assert _to(target).path_and_query == expected


def test_lines_of_a_field_are_stripped_and_combined_in_order() -> None:
    """Field names are case-insensitive, values lose outer space and join with a comma and a space."""
    request = SignedRequest(method="GET", target="https://gw.example/", headers=(("Accept", " a "), ("aCCept", "b")))
    assert request.lines("accept") == ["a", "b"]
    assert request.value("accept") == "a, b"
    assert request.value("date") is None
    assert request.body == b""


@pytest.mark.parametrize("value", ["XaX", "\u00a0a\u00a0", "\x0ba\x0c", "a\u2003"])
def test_only_space_and_tab_are_margins(value: str) -> None:
    """Other white space and letters at the ends of a value are part of it, as they are for the sender."""
    request = SignedRequest(method="GET", target="https://gw.example/", headers=(("x-a", f" \t{value}\t "),))
    assert request.lines("x-a") == [value]


def test_with_headers_adds_lines_at_the_end() -> None:
    """The original stays as it was, and method, target and body go along."""
    request = SignedRequest(method="POST", target="https://gw.example/", headers=(("a", "1"),), body=b"x")
    more = request.with_headers(("b", "2"))
    assert (more.headers, request.headers) == ((("a", "1"), ("b", "2")), (("a", "1"),))
    assert (more.method, more.target, more.body) == (request.method, request.target, request.body)
