"""Hosts, origins and URLs in one normal form."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadUrl
from gateway.urls import (
    Origin,
    covers,
    is_loopback,
    normalise_host,
    origin_of,
    request_target,
    same_origin,
    split,
    to_uri,
    try_origin,
    without_fragment,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.Org", "example.org"),
        ("example.org.", "example.org"),
        (" example.org ", "example.org"),
        ("localhost", "localhost"),
        ("a_b.example", "a_b.example"),
        ("x--y.example", "x--y.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("ｅｘａｍｐｌｅ.org", "example.org"),
        ("127.0.0.1", "127.0.0.1"),
        ("１２７.０.０.１", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[2001:DB8::A]", "2001:db8::a"),
        ("1.example", "1.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    """A host has one form: lower case, A-labels, no trailing dot, IP literals as the standard library writes them."""
    assert normalise_host(text) == expected


def test_longest_host() -> None:
    """A host may have 253 characters."""
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(longest) == 253
    assert normalise_host(longest) == longest
    with pytest.raises(BadUrl):
        normalise_host(longest + "b")


def test_homographs_stay_distinct() -> None:
    """A Cyrillic letter that looks Latin makes another host."""
    assert normalise_host("ex\u0430mple.org") == "xn--exmple-4nf.org"
    assert normalise_host("ex\u0430mple.org") != normalise_host("example.org")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        " ",
        "..",
        "a..b",
        ".example.org",
        "example.org..",
        "user@example.org",
        "example.org:443",
        "example.org/x",
        "example.org?x",
        "example.org#x",
        "exa mple.org",
        "exa\tmple.org",
        "exa\x00mple.org",
        "exam%70le.org",
        "exam\\ple.org",
        "-example.org",
        "example-.org",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "xn--.example",
        "xn--a.example",
        "xn--ls8h.example",
        "www.xn--a.example",
        "www.xn--ls8h.example",
        "\u2100.example",
        "a\u200bb\u2028.example",
        "\ud800.example",
        "[::1",
        "::1",
        "[]",
        "[127.0.0.1]",
        "[example.org]",
        "[::g]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[::1].",
    ],
)
def test_no_normal_form(text: str) -> None:
    """Anything that is not exactly one host is refused, user info, ports, zones and bad A-labels included."""
    with pytest.raises(BadUrl):
        normalise_host(text)


@pytest.mark.parametrize(
    "text",
    [
        "127.1",
        "1",
        "0",
        "2130706433",
        "0x7f000001",
        "0X7F.1",
        "0x7f.0.0.1",
        "127.0.0.0x1",
        "0177.0.0.1",
        "127.0.0.01",
        "256.0.0.1",
        "1.2.3.4.5",
        "a.1",
        "１２７.１",
        "2130706433.",
    ],
)
def test_ambiguous_numeric_hosts(text: str) -> None:
    """A numeric host that is no plain IPv4 address is refused, because resolvers would take it for an address."""
    with pytest.raises(BadUrl):
        normalise_host(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org", "https://example.org"),
        ("HTTPS://Example.ORG./a?b#c", "https://example.org"),
        ("https://example.org:443/", "https://example.org"),
        ("https://example.org:/", "https://example.org"),
        ("https://example.org:8443/", "https://example.org:8443"),
        ("http://example.org/", "http://example.org"),
        ("http://example.org:80/", "http://example.org"),
        ("http://example.org:443/", "http://example.org:443"),
        ("https://[::1]:8000/x", "https://[::1]:8000"),
        ("https://[0::1]/", "https://[::1]"),
        ("https://bücher.example/é", "https://xn--bcher-kva.example"),
        ("https://example.org:00443/", "https://example.org"),
        ("https://example.org?x", "https://example.org"),
    ],
)
def test_origin(url: str, expected: str) -> None:
    """The origin of a URL is its scheme, its host in normal form, and its port unless that is the scheme's own."""
    assert str(origin_of(url)) == expected


def test_origin_parts() -> None:
    """An origin knows its three parts, the port always as a number, and its authority for the Host header."""
    origin = origin_of("https://[::1]/")
    assert origin == Origin("https", "::1", 443)
    assert origin.authority == "[::1]"
    assert Origin("http", "example.org", 8080).authority == "example.org:8080"


NOT_URLS = [
    None,
    5,
    b"https://example.org",
    ["https://example.org"],
    "",
    "example.org",
    "//example.org/",
    "/path",
    "https:",
    "https://",
    "https:///path",
    "https:example.org",
    "ftp://example.org/",
    "javascript:alert(1)",
    "acct:a@example.org",
    "at://did:plc:x/",
    "https://user@example.org/",
    "https://user:secret@example.org/",
    "https://@example.org/",
    "https://example.org@evil.example/",
    "https://example.org:0/",
    "https://example.org:65536/",
    "https://example.org:-1/",
    "https://example.org:x/",
    "https://example.org:８０/",
    "https://exa mple.org/",
    "https://example.org/a b",
    "https://example.org/\n",
    "https://example.org\\@evil.example/",
    "https://example.org/<x>",
    "https://[::1/",
    "https://[127.0.0.1]/",
    "https://[v1.example]/",
    "https://[::1]x/",
    "https://evil.example[::1]/",
    "https://[::1]:x/",
    "https://[::1]]/",
    "https://[fe80::1%25eth0]/",
    "https://127.1/",
    "https://0x7f000001/",
    "https://%65xample.org/",
    "https://example.org/" + "a" * 2048,
]


@pytest.mark.parametrize("url", NOT_URLS)
def test_no_origin(url: object) -> None:
    """What is not an absolute http(s) URL with a plain host has no origin, user info never hides one."""
    with pytest.raises(BadUrl):
        origin_of(url)
    assert try_origin(url) is None
    assert same_origin(url, url) is False


def test_huge_number_is_no_url() -> None:
    """A number too long to be written as text has no origin either, and raises nothing else."""
    assert try_origin(10**5000) is None


def test_longest_url() -> None:
    """A URL may have 2048 characters."""
    url = "https://example.org/"
    assert try_origin(url.ljust(2048, "a")) == origin_of(url)
    assert try_origin(url.ljust(2049, "a")) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.255.0.1", True),
        ("::1", True),
        ("notlocalhost", False),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("2001:db8::1", False),
        ("peer.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, *, expected: bool) -> None:
    """The name localhost, what is below it and loopback addresses mean this machine, nothing else does."""
    assert is_loopback(host) is expected


def test_try_origin() -> None:
    """A URL that has an origin gives it."""
    assert try_origin("https://example.org/x") == Origin("https", "example.org", 443)


def test_split() -> None:
    """The parts of a usable URL come as they stand."""
    parts = split("https://Example.org:8443/a/b?c=d#e")
    assert (parts.hostname, parts.port, parts.path, parts.query, parts.fragment) == (
        "example.org",
        8443,
        "/a/b",
        "c=d",
        "e",
    )


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("https://example.org/a", "https://EXAMPLE.org:443/b#c", True),
        ("https://example.org./a", "https://example.org/a", True),
        ("https://bücher.example/", "https://xn--bcher-kva.example/", True),
        ("https://example.org/", "http://example.org/", False),
        ("https://example.org/", "https://example.org:8443/", False),
        ("https://example.org/", "https://example.org:0/", False),
        ("https://example.org/", "https://www.example.org/", False),
        ("https://example.org/", "https://example.org.evil.example/", False),
        ("https://example.org/", "https://ex\u0430mple.org/", False),
        ("https://example.org/", "https://example.org@evil.example/", False),
        ("https://example.org/", None, False),
        (None, "https://example.org/", False),
    ],
)
def test_same_origin(first: object, second: object, *, expected: bool) -> None:
    """Two URLs share an origin only when scheme, host and port are the same."""
    assert same_origin(first, second) is expected
    assert same_origin(second, first) is expected


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("example.org", "example.org", True),
        ("example.org", "a.example.org", True),
        ("example.org", "a.b.example.org", True),
        ("example.org", "notexample.org", False),
        ("example.org", "example.org.evil.example", False),
        ("a.example.org", "example.org", False),
        ("org", "example.org", True),
        ("", "example.org", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.11", False),
    ],
)
def test_covers(pattern: str, host: str, *, expected: bool) -> None:
    """A pattern covers its own host and the hosts below it, at label borders only."""
    assert covers(pattern, host) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://a.example/x#y", "https://a.example/x"), ("https://a.example/x", "https://a.example/x"), ("#", "")],
)
def test_without_fragment(url: str, expected: str) -> None:
    """A fragment never goes on the wire."""
    assert without_fragment(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", "/"),
        ("https://a.example/", "/"),
        ("https://a.example?x=1", "/?x=1"),
        ("https://a.example/a%20b/?x=1&y#z", "/a%20b/?x=1&y"),
        ("https://a.example/a?", "/a?"),
        ("https://a.example/a#?", "/a"),
        ("https://a.example//a", "//a"),
    ],
)
def test_request_target(url: str, expected: str) -> None:
    """The request target is path and query as they stand, an empty query with its question mark."""
    assert request_target(url) == expected


@settings(deadline=None)
@given(st.one_of(st.text(), st.from_regex(r"(https?://)?[a-z0-9.\[\]:@%xX-]{0,30}(/[?#a]*)?", fullmatch=True)))
def test_normal_forms_are_stable(text: str) -> None:
    """Whatever the text, it has no origin or one whose own URL has that same origin again."""
    origin = try_origin(text)
    if origin is not None:
        assert origin_of(f"{origin}/") == origin
    try:
        host = normalise_host(text)
    except BadUrl:
        return
    assert normalise_host(f"[{host}]" if ":" in host else host) == host


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://peer.example/users/日本", "https://peer.example/users/%E6%97%A5%E6%9C%AC"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("https://bücher.example:8443/ä?q=ö#ü", "https://xn--bcher-kva.example:8443/%C3%A4?q=%C3%B6#ü"),
        ("https://peer.example/%E6%97%A5/é", "https://peer.example/%E6%97%A5/%C3%A9"),
        ("https://peer.example/a;b=c,d@e!$&'()*+:~é", "https://peer.example/a;b=c,d@e!$&'()*+:~%C3%A9"),
        ("https://[2001:DB8::A]/é", "https://[2001:db8::a]/%C3%A9"),
        ("http://[::1]:8000/é?", "http://[::1]:8000/%C3%A9"),
        ("https://peer.example/a?b=é&c=%26", "https://peer.example/a?b=%C3%A9&c=%26"),
    ],
)
def test_an_iri_goes_out_as_a_uri(url: str, expected: str) -> None:
    """Letters of the path and query are percent-encoded, the host becomes A-labels, what is encoded stays."""
    found = to_uri(url)
    assert found.partition("#")[0] == expected.partition("#")[0]
    assert found.partition("#")[0].isascii()
    assert origin_of(found) == origin_of(url)


@pytest.mark.parametrize(
    "url", ["https://peer.example/a?b#c", "https://PEER.example:443/%7Ebob", "not a URL", "", "at://did:plc:abc"]
)
def test_what_is_ascii_goes_out_as_it_is(url: str) -> None:
    """Not a character is changed: it may have been signed, or be an id."""
    assert to_uri(url) == url


@pytest.mark.parametrize(
    "url", ["ftp://peer.example/é", "https://u:p@peer.example/é", "é", "https:///é", "https://é é/"]
)
def test_what_has_no_uri_is_refused(url: str) -> None:
    """An address that is none stays none."""
    with pytest.raises(BadUrl):
        to_uri(url)
