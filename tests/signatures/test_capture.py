"""Captured requests read from raw HTTP, HAR and JSON, byte for byte."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedDocument
from gateway.signatures.capture import Captured, read

TARGET = "https://gw.example/inbox?a=1"
ROW: dict[str, Any] = {"method": "post", "target": TARGET, "headers": [["Host", "gw.example"], ["X-A", "1"]]}
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _only(content: object, base: str | None = None) -> Captured:
    encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
    (found,) = read(encoded, base)
    return found


def test_a_raw_request_is_read_line_by_line() -> None:
    """Method, target, field lines in order and body; names keep their spelling, values lose their margins."""
    request = _only(b"POST /inbox?a=1 HTTP/1.1\r\nHost: gw.example\r\nX-A:  1 \r\nX-A:\r\n\r\n{\r\n\r\n}").request
    assert (request.method, request.target, request.body) == ("POST", TARGET, b"{\r\n\r\n}")
    assert request.headers == (("Host", "gw.example"), ("X-A", "1"), ("X-A", ""))
    assert request.lines("x-a") == ["1", ""]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("version", [b" HTTP/1.1", b" HTTP/2", b""])
def test_line_ends_and_versions_may_differ(end: bytes, version: bytes) -> None:
    """What editors and tools write is read as well; a body keeps its bytes."""
    head = [b"post /inbox?a=1" + version, b"Host: gw.example", b"", b"a\r\n\r\nb\n\nc"]
    request = _only(end.join(head)).request
    assert (request.method, request.target, request.body) == ("POST", TARGET, b"a\r\n\r\nb\n\nc")


def test_a_request_without_a_body_or_an_empty_line() -> None:
    """A GET that ends with its last field has no body."""
    assert _only(b"GET /x HTTP/1.1\r\nHost: gw.example").request.body == b""
    assert _only(b"GET /x HTTP/1.1\r\nHost: gw.example\r\n\r\n").request.body == b""
    assert _only(b"GET /x HTTP/1.1\nHost: gw.example\n").request.headers == (("Host", "gw.example"),)


@pytest.mark.parametrize(
    ("length", "body", "expected"),
    [
        (b"2", b"{}\n", b"{}"), (b"2", b"{}\r\n", b"{}"), (b"2", b"{}\n\n", b"{}"), (b"3", b"{}\n", b"{}\n"),
        (b"1", b"{}", b"{}"), (b"2", b"{}x", b"{}x"), (b"2", b"{}X", b"{}X"), (b"2", b"{} \n", b"{} \n"),
        (b"x", b"{}\n", b"{}\n"), (b"9", b"{}\n", b"{}\n"),
    ],
)  # fmt: skip
def test_an_editor_s_last_line_end_is_cut(length: bytes, body: bytes, expected: bytes) -> None:
    """Line ends beyond Content-Length are the editor's; anything else stays, and shows in the digest."""
    head = b"POST /x HTTP/1.1\r\nHost: gw.example\r\nContent-Length: " + length + b"\r\n\r\n"
    assert _only(head + body).request.body == expected


def test_fields_may_hold_other_bytes() -> None:
    """Field values are Latin-1, as they are on the wire."""
    assert _only(b"GET /x HTTP/1.1\r\nHost: gw.example\r\nX: \xe9\r\n\r\n").request.lines("x") == ["\xe9"]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    """Whatever a file holds, it is requests or one error."""
    try:
        read(content, "https://gw.example")
    except MalformedDocument:
        return


MEMBERS = (
    "method", "target", "url", "path", "headers", "body", "body_b64", "at", "t", "request", "log", "entries",
    "postData", "encoding", "text", "name", "value", "startedDateTime",
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=12,
)


@given(VALUES)
def test_no_json_breaks_the_reader(value: object) -> None:
    """Whatever stands where the members should be, it is requests or one error."""
    try:
        read(json.dumps(value).encode(), "https://gw.example")
    except MalformedDocument:
        return


@pytest.mark.parametrize(
    "headers",
    [
        [["Host", "gw.example"], ["X-A", "1"]],
        [{"name": "Host", "value": "gw.example"}, {"name": "X-A", "value": "1"}],
        {"Host": "gw.example", "X-A": "1"},
        {"Host": ["gw.example"], "X-A": ["1"]},
    ],
)
@pytest.mark.parametrize("name", ["target", "url", "path"])
def test_json_is_read_in_several_spellings(headers: object, name: str) -> None:
    """Pairs or an object, an absolute address or a path with a Host field."""
    row = {"method": "post", name: "/inbox?a=1" if name == "path" else TARGET, "headers": headers}
    request = _only(row).request
    assert (request.method, request.target) == ("POST", TARGET)
    assert request.headers == (("Host", "gw.example"), ("X-A", "1"))


def test_a_request_inside_a_row() -> None:
    """What ``gateway inbox`` prints has the request in a member of its own, the time and keys beside it."""
    found = _only({"request": ROW, "at": "2026-11-22T12:00:00Z", "keys": {"k": "v"}, "answer": {"status": 202}})
    assert (found.request.target, found.at, found.keys) == (TARGET, NOON, {"k": "v"})


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, b""), ({"body": "日"}, "日".encode()), ({"body": {"a": 1, "b": [1, 2]}}, b'{"a":1,"b":[1,2]}'),
        ({"body": {"a": ["日"]}}, b'{"a":["\\u65e5"]}'),
        ({"body_b64": base64.b64encode(b"\xff\0").decode()}, b"\xff\0"), ({"body_b64": "", "body": "x"}, b""),
    ],
)  # fmt: skip
def test_bodies(more: dict[str, Any], expected: bytes) -> None:
    """Text is UTF-8, base64 is bytes and goes first, JSON is written without spaces."""
    assert _only({**ROW, **more}).request.body == expected


@pytest.mark.parametrize("text", ["/w==!", "/w = =", "/w==\n", "é", "abc"])
def test_a_body_that_is_not_base64_is_an_error(text: str) -> None:
    """Nothing is dropped silently from a body."""
    with pytest.raises(MalformedDocument, match="base64"):
        _only({**ROW, "body_b64": text})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-22T12:00:00Z", NOON), ("2026-11-22T13:00:00+01:00", NOON), (NOON.timestamp(), NOON),
        (int(NOON.timestamp()), NOON), ("yesterday", None), (None, None), (True, None), ([], None),
    ],
)  # fmt: skip
def test_moments(value: object, expected: datetime | None) -> None:
    """RFC 3339 or seconds since 1970; anything else is no time."""
    assert _only({**ROW, "at": value}).at == expected
    assert _only({**ROW, "t": value}).at == expected


@pytest.mark.parametrize("text", ["1e300", "-1e300", "Infinity", "NaN", "1e12", "99999999999999999999"])
def test_a_moment_that_no_clock_shows_is_an_error_or_no_time(text: str) -> None:
    """Numbers beyond every calendar do not break the reader."""
    content = json.dumps(ROW)[:-1] + f', "at": {text}}}'
    try:
        assert _only(content.encode()).at is None
    except MalformedDocument:
        return


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "holds no request"),
        ('{"received": []}', "holds no request"),
        ('{"log": {"entries": []}}', "holds no request"),
        ('{"log": {"entries": 5}}', "holds no request"),
        ('{"method": ', "neither JSON nor"),
        ("[" * 100_000, "neither JSON nor a JSON object a line: nested too deeply"),
        ('[{"target": "\\ud800"}]', "half a surrogate pair"),
        ('{"target": "/x"}\n{"target": "\\udfff"}', "half a surrogate pair"),
        ('{"method": "GET"}\nx', "neither JSON nor"),
        ("[5]", "is an object"),
        ('[{"request": 5}]', "is an object"),
        ('{"target": "/x"}', "pairs or an object"),
        ('{"target": "/x", "headers": [["Host"]]}', "a pair of name and value"),
        ('{"target": "x", "headers": [["Host", "gw.example"]]}', "not a target"),
        ('{"target": "/x", "headers": []}', "which host was asked"),
        ('{"target": "https://gw.example/x", "headers": [], "at": 1e300}', "no time of the calendar"),
        ("GET", "not a request line"),
        ("GET  /x HTTP/1.1\nHost: gw.example", "not a request line"),
        ("GET\t/x\tHTTP/1.1\nHost: gw.example", "not a request line"),
        ("GET /x HTTP/1.1 x\nHost: gw.example", "not a request line"),
        ("GET /x FTP/1.1\nHost: gw.example", "not a request line"),
        ("G3T /x HTTP/1.1\nHost: gw.example", "not a request line"),
        ("GET /x HTTP/1.1\nHost gw.example", "not a header field"),
        ("GET /x HTTP/1.1\n: gw.example", "not a header field"),
        ("GET /x HTTP/1.1\nHost : gw.example", "not a header field"),
        ("GET /x HTTP/1.1\nHost: gw.example\n folded: x", "not a header field"),
        ("GET x HTTP/1.1\nHost: gw.example", "not a target"),
    ],
)
def test_what_is_wrong_with_a_capture_is_said(content: str, words: str) -> None:
    """What holds no request is one error that says what is wrong."""
    with pytest.raises(MalformedDocument, match=words):
        read(content.encode())


@pytest.mark.parametrize(("method", "expected"), [("get", "GET"), ("POST", "POST"), ("Delete", "DELETE")])
def test_a_method_is_read_in_capitals(method: str, expected: str) -> None:
    """A captured request has its own method, and is a POST where it names none."""
    assert _only({**ROW, "method": method}).request.method == expected
    assert _only(_archive(method=method)).request.method == expected
    assert _only({name: value for name, value in ROW.items() if name != "method"}).request.method == "POST"


def test_what_the_inbox_prints_is_a_capture() -> None:
    """The requests that were received are read, whatever stands beside them."""
    assert [found.request.target for found in read(json.dumps({"received": [ROW, ROW]}).encode())] == [TARGET] * 2


def test_lines_of_json() -> None:
    """One object a line, empty lines left out; one line is one request."""
    line = json.dumps(ROW)
    assert len(read(f"{line}\n\n{line}\n".encode())) == 2
    assert len(read(f"\n {line}\n".encode())) == 1


def _archive(**asked: Any) -> dict[str, Any]:
    request = {"method": "POST", "url": TARGET, "headers": [{"name": "X-A", "value": "1"}], **asked}
    return {"log": {"entries": [{"startedDateTime": "2026-11-22T12:00:00.000Z", "request": request}]}}


def test_an_archive() -> None:
    """A HAR has its time, its fields without HTTP/2's pseudo-fields, and its body as text or base64."""
    found = _only(_archive(postData={"text": "日"}))
    assert (found.at, found.request.method, found.request.target) == (NOON, "POST", TARGET)
    assert (found.request.headers, found.request.body) == ((("X-A", "1"),), "日".encode())
    binary = _archive(postData={"text": base64.b64encode(b"\xff").decode(), "encoding": "base64"})
    assert _only(binary).request.body == b"\xff"
    pseudo = _archive(headers=[{"name": ":authority", "value": "gw.example"}, {"name": "a", "value": "b"}])
    assert _only(pseudo).request.headers == (("a", "b"),)
    assert _only(_archive()).request.body == b""


def test_an_archive_is_read_by_its_own_members() -> None:
    """The address of an archived request is its url, below the base when it is a path."""
    assert _only(_archive(target="/other")).request.target == TARGET
    assert _only(_archive(url="/inbox"), "http://localhost:8000").request.target == "http://localhost:8000/inbox"


@pytest.mark.parametrize("entry", [None, 5, "x", [], {}, {"request": 5}, {"request": []}])
def test_an_entry_without_a_request_is_an_error(entry: object) -> None:
    """An archive whose entry holds no request is refused as a whole."""
    with pytest.raises(MalformedDocument):
        read(json.dumps({"log": {"entries": [entry]}}).encode())


@pytest.mark.parametrize("count", [1_000, 1_001])
def test_a_capture_is_read_up_to_a_thousand_requests(count: int) -> None:
    """Of more requests than a thousand the first thousand are read, in a list, in lines and in an archive."""
    archive = {"log": {"entries": _archive()["log"]["entries"] * count}}
    for content in (json.dumps([ROW] * count), "\n".join([json.dumps(ROW)] * count), json.dumps(archive)):
        assert len(read(content.encode())) == 1_000


@pytest.mark.parametrize(
    ("target", "base", "expected"),
    [
        ("/x", "http://localhost:8000", "http://localhost:8000/x"),
        ("/x", None, "https://gw.example/x"),
        ("https://other.example/x", "http://localhost:8000", "https://other.example/x"),
        ("/x?a=%2F", None, "https://gw.example/x?a=%2F"),
        ("/", None, "https://gw.example/"),
    ],
)
def test_the_host_is_the_captures_own_or_the_one_given(target: str, base: str | None, expected: str) -> None:
    """An absolute target stands; a path is below the base, or below the Host field under https."""
    assert _only({**ROW, "target": target}, base).request.target == expected


@pytest.mark.parametrize("host", ["a b", "", "user@gw.example"])
def test_a_host_that_is_none(host: str) -> None:
    """A Host field that names no origin is no help."""
    with pytest.raises(MalformedDocument):
        read(json.dumps({**ROW, "target": "/x", "headers": [["Host", host]]}).encode())


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8000", "http://localhost:8000"), ("a.localhost", "http://a.localhost"),
        ("127.0.0.1:1", "http://127.0.0.1:1"), ("[::1]", "http://[::1]"), ("gw.example", "https://gw.example"),
        ("10.0.0.1", "https://10.0.0.1"),
    ],
)  # fmt: skip
def test_a_raw_request_to_this_machine_was_plain_http(host: str, origin: str) -> None:
    """Nobody has a certificate for loopback names; everybody else is asked with https, unless a base says otherwise."""
    content = f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    assert _only(content).request.target == f"{origin}/x"
    assert _only(content, "http://gw.test").request.target == "http://gw.test/x"
