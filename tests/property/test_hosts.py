"""Laws of hosts and origins: one host has one value, and nothing that reads a URL later reads another host."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from urllib.parse import urlsplit

import httpx
import idna
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import BadUrl
from gateway.urls import MAX_HOST, Origin, covers, normalise_host, origin_of, to_uri, try_origin, without_fragment

PATIENT = settings(deadline=None, max_examples=300)  # a busy machine is no failure
NORMAL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
DOTS = (".", "\u3002", "\uff0e", "\uff61")
NOTHING = ("\u00ad", "\u200b", "\u2060", "\ufeff")  # UTS46 maps these to nothing
SPACES = (" ", "\t", "\n", "\u00a0", "\u2003", "\u3000", "\x85")
LETTERS = "abcxyz0189"
WIDE = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}
LABELS = (
    "evil", "example", "EVIL", "\uff45\uff56\uff49\uff4c", "b\u00fccher", "bu\u0308cher", "xn--bcher-kva",
    "XN--BCHER-KVA", "\u0430\u0440\u0440\u04cf\u0435", "\u05d0\u05d1", "\u4f8b\u3048", "fa\u00df", "\u1e9e", "\u0130",
    "\u0131", "\u2113", "\u33c2", "_x", "a_b", "a--b", "0", "127", "\u2460", "1e9", "0x7f", "x" * 63,
)  # fmt: skip
PIECES = (
    *LABELS, "xn--", "xn--evil-", "\u2100", "\u2488", "0177", "256", "2130706433", "\uff11", "\u0661", "[::1]",
    "[::ffff:127.0.0.1]", "[fe80::1%25x]", "user", "@", ":", ":443", ":0443", ":8443", ":99999", ":x", "/", "\\", "?",
    "#", "%", "%2e", "%00", ";", ",", "&", "=", "+", "*", "-", "~", "\u200d", "\u200c", "\u202e", "\u200e", "\u0301",
    "\u1cd2", "\ud800", "\U0001f600", *DOTS, *NOTHING, *SPACES,
)  # fmt: skip
LITERALS = ("127.0.0.1", "[::1]", "[0:0:0:0:0:FFFF:7f00:1]", "[2001:DB8::1]", "\uff11\uff10.0.0.1", "8.8.8.8.")
likely = st.tuples(st.lists(st.sampled_from(LABELS), min_size=1, max_size=4), st.sampled_from(DOTS)).map(
    lambda found: found[1].join([*found[0], "example"])
)
hosts = st.one_of(
    likely,
    st.sampled_from(LITERALS),
    st.tuples(likely, st.sampled_from(PIECES)).map("".join),
    st.tuples(st.sampled_from(PIECES), likely).map("".join),
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map("".join),
)
urls = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(
        ("https://", "https://", "http://", "HTTPS://", "https:", "https:/", "https:///", "https:\\\\", "//")
    ),
    hosts,
    st.sampled_from(("", "", ":443", ":0443", ":8443", ":", ":80")),
    st.sampled_from(
        ("", "/", "/users/m", "?q", "#f", "/\u00e9?\u00e9", "//evil.example", "/@evil.example", "/a b", "\\@x/")
    ),
)
labels = st.text(LETTERS, min_size=1, max_size=8)
names = st.lists(labels, min_size=1, max_size=4).map(lambda found: ".".join([*found, "example"]))


def normal(host: str) -> str | None:
    """Return a host's normal form, or None when it has none."""
    try:
        return normalise_host(host)
    except BadUrl:
        return None


def literal(host: str) -> bool:
    """Tell whether a host is an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@PATIENT
@given(hosts)
@example("evil.example\u3002")
@example("\u33c2example")
@example("\u2488example")
@example("[::FFFF:127.0.0.1]")
def test_normal_form_is_final(host: str) -> None:
    """What is in normal form stays as it is, and is a name of DNS labels or an address as the library writes it."""
    found = normal(host)
    if found is None:
        return
    assert len(found) <= MAX_HOST
    if literal(found):
        assert str(ipaddress.ip_address(found)) == found
        assert normal(f"[{found}]" if ":" in found else found) == found
    else:
        assert NORMAL.fullmatch(found)
        assert normal(found) == found
        assert origin_of(f"https://{found}") == Origin("https", found, 443)


@PATIENT
@given(names, st.data())
def test_every_spelling_of_a_host_is_that_host(name: str, data: st.DataObject) -> None:
    """Case, wide letters, ideographic dots, invisible characters, blanks around and the last dot change nothing."""
    spelled = []
    for letter in name:
        forms = DOTS if letter == "." else (letter, letter.upper(), WIDE[letter], WIDE[letter.upper()])
        spelled.append(data.draw(st.sampled_from(forms)) + data.draw(st.sampled_from(("", "", "", *NOTHING))))
    before, after = data.draw(st.sampled_from(("", *SPACES))), data.draw(st.sampled_from(("", *SPACES)))
    written = "".join(spelled)
    assert normalise_host(f"{before}{written}{after}") == name
    assert normalise_host(f"{before}{written}.{after}") == name
    assert origin_of(f"HTTPS://{written}:443/x").host == name
    # A wide last dot may be refused, but it makes no other host.
    assert {normal(written + dot) for dot in DOTS[1:]} <= {name, None}


@PATIENT
@given(st.sampled_from(LABELS) | st.text(min_size=1, max_size=6), labels)
def test_a_label_and_its_a_label_are_one_host(label: str, parent: str) -> None:
    """A label in any script, composed or not, and its A-label in any case are one value."""
    found = normal(f"{label}.{parent}.example")
    if found is None:
        return
    shown = ".".join(idna.ulabel(part) if part.startswith("xn--") else part for part in found.split("."))
    forms = (shown, unicodedata.normalize("NFC", shown), unicodedata.normalize("NFD", shown), found.upper())
    assert {normal(form) for form in forms} == {found}


@PATIENT
@given(urls)
@example("https://xn--evil-.example/")
@example("https://evil.example\\@clean.example/")
@example("https://\u2100.example/")
@example("https://evil.example\u3000/x")
@example("https://evil.example:\u0664\u0664\u0663/x")
@example("https://1\u06f0.example/")
@example("https://a..example/")
@example("https://_.example/")
@example("https://evil.example#\u00e9@clean.example/")
@example("https://" + "\u00fc" * 60 + ".example/")
def test_everything_that_reads_a_url_reads_the_same_host(url: str) -> None:
    """Where a URL has an origin, httpx and the standard library see that scheme, host and port in what goes out."""
    origin = try_origin(url)
    if origin is None:
        return
    sent = to_uri(without_fragment(url))
    assert sent.isascii()
    assert origin_of(sent) == origin
    seen = httpx.URL(sent)
    assert seen.scheme == origin.scheme
    assert seen.userinfo == b""
    assert normal(f"[{seen.host}]" if ":" in seen.host else seen.host) == origin.host
    raw = seen.raw_host.decode("ascii").removesuffix(".").lower()
    assert (str(ipaddress.ip_address(raw)) if ":" in raw else raw) == origin.host
    assert (seen.port or {"http": 80, "https": 443}[seen.scheme]) == origin.port
    parts = urlsplit(sent)
    assert parts.username is None
    assert parts.password is None
    assert normal(f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)) == origin.host
    # The request line and the Host field name it as well.
    request = httpx.Request("GET", seen)
    there = origin_of(f"{origin.scheme}://{request.headers['host']}")
    assert there == origin


NUMBERS = st.text("0123456789.xXabcdefABCDEF_-+ \uff10\uff11\u0661\u2460\u2488\u3002", min_size=1, max_size=16)
PARTS = st.lists(
    st.integers(0, 2**33).map(str) | st.integers(0, 2**33).map(hex) | st.integers(0, 2**33).map(lambda n: f"0{n:o}"),
    min_size=1,
    max_size=5,
).map(".".join)


@PATIENT
@given(NUMBERS | PARTS | st.ip_addresses(v=4).map(str))
@example("127.1")
@example("0x7f.0.0.0x1")
@example("017700000001")
@example("1.2.3.4.")
@example("\u2488\u2488\u24881")
def test_a_number_is_never_a_name(text: str) -> None:
    """What the C library would take for an IPv4 address is that very address in normal form, or no host at all."""
    found = normal(text)
    if found is None:
        return
    try:
        dialled = socket.inet_ntoa(socket.inet_aton(found))
    except OSError:
        assert not found.rpartition(".")[2].isdigit()
        return
    assert literal(found)
    assert dialled == found


@PATIENT
@given(names, labels, hosts)
def test_a_rule_covers_subdomains_and_nobody_else(name: str, label: str, other: str) -> None:
    """A host is covered by itself and by what it is below of, in every spelling, not by what merely ends alike."""
    assert covers(name, name)
    assert covers(name, normalise_host(f"{label}.{name.upper()}."))
    assert not covers(name, f"{label}{name}")
    assert not covers(f"{label}.{name}", name)
    found = normal(other)
    if found is not None and covers(name, found):
        assert found == name or found.split(".")[-len(name.split(".")) :] == name.split(".")


@PATIENT
@given(
    st.sampled_from(
        ("\u0430pple", "\u0430\u0440\u0440\u04cf\u0435", "appl\u0435", "\u03bfx", "pay\u0440al", "\u0455ite")
    ),
    labels,
)
def test_a_look_alike_is_another_host(look_alike: str, parent: str) -> None:
    """Letters of other scripts that look Latin never fall together with Latin ones, and always show as A-labels."""
    found = normalise_host(f"{look_alike}.{parent}.example")
    assert found.startswith("xn--")
    assert found != normalise_host(f"apple.{parent}.example")
    assert normalise_host(idna.decode(found)) == found
