"""The one JSON reader."""

from __future__ import annotations

import json
import time

import pytest

from gateway.errors import MalformedDocument
from gateway.jsonld import strict

QUICK = 0.5  # seconds; the slow way takes minutes


def _nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + b"1" + closing * depth


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' [1, -2.5, 1e3, true, null, "x"]\r\n\t', [1, -2.5, 1000.0, True, None, "x"]),
        ('{"日本":"é"}'.encode(), {"日本": "é"}),
        (rb'"\ud83d\ude00 \u00e9 \" \\ \/ \\u0000"', '\U0001f600 é " \\ / \\u0000'),
        ('"\U0001f600"'.encode(), "\U0001f600"),
        (b'{"a":{"a":{"a":1}}}', {"a": {"a": {"a": 1}}}),
        (b'{"[[[{{{":"]]]}}}"}', {"[[[{{{": "]]]}}}"}),
        (b"9223372036854775807", 9223372036854775807),
        (b"-9223372036854775808", -9223372036854775808),
        (b"1e308", 1e308),
        (b"-0.0", 0.0),
        (b"5e-400", 0.0),
        (rb'[1,{"a":["\\u0000",null]},{}]', [1, {"a": ["\\u0000", None]}, {}]),
    ],
    ids=range(13),
)
def test_plain_json_is_read(body: bytes, value: object) -> None:
    """What strict JSON can say is read as json.loads reads it."""
    assert strict.read(body) == value == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"\0",
        b"{",
        b"}",
        b"[",
        b"]",
        b"][",
        b"[1,]",
        b"{,}",
        b'{"a":1,}',
        b"{'a':1}",
        b"{a:1}",
        b"[1] [2]",
        b"// x\n1",
        b"tru",
        b"True",
        b"01",
        b"+1",
        b"1.",
        b".5",
        b"0x10",
        b'"',
        b'"\\"',
        b'"\\',
        b'"\\x41"',
        b'"\\u12"',
        b'"a\nb"',
        b'"a\tb"',
        b'"a\0b"',
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b'{"a":[NaN]}',
        b"1e400",
        b"-1e400",
        b'{"a":1e999999}',
        b"10000000000000000000",
        b"-10000000000000000000",
        b"1" * 5000,
        b"-" + b"1" * 500_000,
        b'{"a":1,"a":1}',
        b'{"noai":true,"noai":false}',
        b'{"a":{"b":1,"b":2}}',
        rb'{"a":1,"\u0061":2}',
        b'[{"":1,"":2}]',
        b"\xff",
        b'"\xff"',
        b'"\xc3"',
        b'"\xc0\xaf"',
        b'"\xed\xa0\x80"',
        b'"\xf4\x90\x80\x80"',
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-16-be"),
        '{"a":1}'.encode("utf-32"),
        rb'"\ud800"',
        rb'"\udc00"',
        rb'"\uD800\u0041"',
        rb'"\ude00\ud83d"',
        rb'{"\ud800":1}',
        rb'[[{"a":["x\udfff"]}]]',
        rb'"\u0000"',
        rb'{"a\u0000":1}',
        rb'{"a":{"b":["\u0000"]}}',
    ],
)
def test_anything_else_is_malformed(body: bytes) -> None:
    """Broken, ambiguous, unbounded or unstorable JSON raises MalformedDocument and nothing else."""
    with pytest.raises(MalformedDocument):
        strict.read(body)


@pytest.mark.parametrize(
    "body",
    [
        _nested(100_000),
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'[{"a":' * 50_000,
        b'"x",' + b"[" * 100_000,
        b"]" * 100_000 + b"[" * 200_000,
    ],
    ids=range(7),
)
def test_depth_is_refused_before_anything_is_built(body: bytes) -> None:
    """A hundred thousand levels are refused quickly, without a recursion error."""
    started = time.perf_counter()
    with pytest.raises(MalformedDocument):
        strict.read(body)
    assert time.perf_counter() - started < QUICK


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 500_000,
        b'["' + b'\\"' * 250_000 + b'","' + b'\\"' * 200_000,
        b'"' + b"\\" * 999_999,
        b'"\\",' * 200_000,
        b'"' * 999_999,
        b'"' + b"[" * 1_000_000,
        b'{"a":"' * 150_000,
    ],
    ids=range(7),
)
def test_unclosed_strings_stay_linear(body: bytes) -> None:
    """A megabyte of quotes and backslashes takes no longer than a megabyte of text."""
    started = time.perf_counter()
    with pytest.raises(MalformedDocument):
        strict.read(body)
    assert time.perf_counter() - started < QUICK


def test_the_depth_limit_is_exact() -> None:
    """64 levels pass and 65 do not; brackets inside strings do not count."""
    strict.read(_nested(strict.MAX_DEPTH))
    strict.read(b'["' + b"[{" * 1000 + b'\\"[[[' + b'"]')
    with pytest.raises(MalformedDocument, match="deeply"):
        strict.read(_nested(strict.MAX_DEPTH + 1))
    with pytest.raises(MalformedDocument, match="deeply"):
        strict.read(_nested(strict.MAX_DEPTH + 1, b'{"a":', b"}"))


def test_the_size_limit_is_exact() -> None:
    """A mebibyte passes and one more byte does not."""
    body = b'"' + b"x" * (strict.MAX_BODY - 2) + b'"'
    assert len(str(strict.read(body))) == strict.MAX_BODY - 2
    with pytest.raises(MalformedDocument, match="bytes"):
        strict.read(body + b" ")


def test_the_number_of_members_is_bounded() -> None:
    """Twenty thousand values pass and more do not; commas inside strings do not count."""
    assert strict.read(b"[" + b",".join([b"1"] * strict.MAX_MEMBERS) + b"]") == [1] * strict.MAX_MEMBERS
    with pytest.raises(MalformedDocument, match="members"):
        strict.read(b"[" + b",".join([b"1"] * (strict.MAX_MEMBERS + 1)) + b"]")
    strict.read(b'"' + b"," * 100_000 + b'"')


def test_an_object_is_an_object() -> None:
    """read_object takes objects and refuses every other value."""
    assert strict.read_object(b'{"a":1}') == {"a": 1}
    for body in (b"[]", b"[{}]", b'"{}"', b"1", b"null", b"true"):
        with pytest.raises(MalformedDocument, match="object"):
            strict.read_object(body)
