"""Requests that never end, are too much, or mean two things: raw bytes to a listening gateway, refused or cut."""

from __future__ import annotations

import resource
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from attacks.bombs_bytes import MIB, gzipped
from attacks.bombs_door import (
    FORMED,
    GENEROUS,
    HOST,
    JSON,
    SAME_SITE,
    Door,
    listening,
    post,
    refused,
    split,
    still_serves,
    tell,
)
from attacks.web_scene import filled, opened
from peers.plain import ACTIVITY_JSON
from processes import served
from starlette.routing import Route

from gateway.cli import protocol
from gateway.media.files import MAX_FILE
from gateway.web.app import ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

SOON = 0.2


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Keep one event loop for the whole file, so that its gateway can be shared."""
    return "asyncio"


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    """Return a gateway that listens: nothing that is sent here changes it."""
    root = tmp_path_factory.mktemp("door")
    with pytest.MonkeyPatch.context() as patch:
        async with opened(root, patch) as site, listening(site) as port:
            yield Door(site=site, port=port)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for fractions of what is waited for otherwise, after a look at what that is."""
    assert protocol.HEAD_SECONDS <= 15
    assert protocol.BODY_SECONDS <= 30
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(protocol, name, SOON)


INBOXES = (b"/inbox", b"/users/alice/inbox", b"/actor/inbox")
FORMS = (b"/sign-in", b"/oauth/authorize", b"/oauth/token", b"/oauth/revoke", b"/api/proxy")


@pytest.mark.anyio
@pytest.mark.parametrize("path", INBOXES)
@pytest.mark.parametrize(
    "size", [1 << 30, 1 << 63, 10**400, 1024 * 1024 + 1], ids=["1 GiB", "2^63", "400 digits", "1 MiB + 1"]
)
async def test_a_body_that_is_announced_too_large_is_refused_at_once(door: Door, path: bytes, size: int) -> None:
    """BOMB-J-005: a length over the limit is refused before a byte of it is there, and the connection ends."""
    told = await refused(door, post(path, JSON, length=size), {413, 400}, cpu=20, rss=4)
    assert told.hung_up


@pytest.mark.anyio
async def test_what_follows_a_refusal_is_not_read(door: Door) -> None:
    """BOMB-J-005, sent all the same: a client that goes on after the 413 is hung up on, not listened to."""
    told = await tell(door.port, [post(b"/inbox", JSON, length=1 << 30), *[bytes(MIB)] * 64])
    assert told.status == 413
    assert told.sent < 32 * MIB
    assert told.hung_up


@pytest.mark.anyio
@pytest.mark.parametrize("path", [*INBOXES, b"/inspect.json", b"/oauth/register", b"/users/alice/outbox", *FORMS])
async def test_a_body_without_an_announced_length_is_cut_at_the_limit(door: Door, path: bytes) -> None:
    """However a body comes, and wherever it goes, no more of it is taken than may be there."""
    kind = FORMED if path in FORMS else JSON
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    head = post(path, kind, SAME_SITE, door.token.removesuffix(b"\r\n"), b"transfer-encoding: chunked")
    told = await tell(door.port, [head, *[chunk] * 512])
    assert told.status in (400, 401, 403, 413), told.raw[:300]
    assert told.sent < 16 * MIB
    assert told.rss <= 16
    await still_serves(door)


@pytest.mark.anyio
@pytest.mark.parametrize("path", INBOXES)
async def test_packed_bodies_are_not_unpacked(door: Door, path: bytes) -> None:
    """A body with a content coding is a 415, whatever the coding: nothing is unpacked for strangers."""
    for coding in (b"gzip", b"br", b"deflate", b"identity, gzip", b"x-gzip", b"GZIP", b"zstd"):
        head = post(path, JSON, b"content-encoding: " + coding, length=len(gzipped()))
        await refused(door, head + gzipped(), {415}, cpu=100)


@pytest.mark.anyio
async def test_a_body_in_many_small_pieces_costs_little(door: Door) -> None:
    """A megabyte in pieces of 100 bytes is judged like one in one piece, within half a second."""
    body = b'{"a": "' + b"x" * (1024 * 1024 - 9) + b'"}'
    head = post(b"/inbox", JSON, length=len(body))
    told = min([await tell(door.port, [head, *split(body, 100)]) for _ in range(2)], key=lambda one: one.cpu)
    assert told.status == 400
    assert told.cpu <= 1_500  # ten thousand turns of this test's own loop are in it


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "lines"),
    {
        "lines": b"a: b\r\n" * 2_000,
        "lines of nothing": b"a:\r\n" * 2_000,
        "one name": b"x-forwarded-for: 192.0.2.1\r\n" * 2_000,
        "cookies": b"cookie: a=b\r\n" * 2_000,
        "signatures": b"signature: a\r\n" * 2_000,
        "just over": b"a: b\r\n" * 101,
        "one long": b"a: " + b"b" * 100_000 + b"\r\n",
        "one long name": b"a" * 100_000 + b": b\r\n",
        "no end": b"a: b\r\n" * 50_000,
    }.items(),
)
async def test_too_many_header_fields_are_refused(door: Door, name: str, lines: bytes) -> None:
    """BOMB-H-002: a request with thousands of lines, or with one of 100 KB, is refused before it means anything."""
    del name
    for start in (b"GET / HTTP/1.1\r\n", b"POST /inbox HTTP/1.1\r\n"):
        await refused(door, start + HOST + lines + b"\r\n", {431, 400})


@pytest.mark.anyio
@pytest.mark.parametrize(
    "path", [b"/", b"/users/", b"/@", b"/tags/", b"/?a=", b"/.well-known/webfinger?resource=", b"/%"]
)
async def test_a_long_address_is_refused(door: Door, path: bytes) -> None:
    """BOMB-H-003: an address of 100 KB is too long, wherever it points."""
    for unit in (b"a", b"/a", b"%41", b"&a=b"):
        target = path + unit * (100_000 // len(unit))
        await refused(door, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414, 400, 404})


@pytest.mark.anyio
@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("field", [b"a=&", b"a=b&", b"&", b"code=x&", b"%61=%62&", b"a&"])
async def test_a_form_of_very_many_fields_is_refused(door: Door, path: bytes, field: bytes) -> None:
    """BOMB-H-005: 100,000 fields are too many, and so are as many as the size of a form lets through."""
    token = door.token.removesuffix(b"\r\n")
    for body in (field * 100_000, field * (64 * 1024 // len(field))):
        if body.strip(b"&"):  # separators alone are no fields
            await refused(door, post(path, FORMED, SAME_SITE, token, length=len(body)) + body, {400, 413})


def multipart(parts: Iterable[bytes]) -> bytes:
    """Return a multipart body."""
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"


NAMED = b'content-disposition: form-data; name="%s"'
FILE = NAMED % b"file" + b'; filename="a.png"\r\n\r\n'
MULTIPART = b"content-type: multipart/form-data; boundary=b"
PARTS: dict[str, bytes] = {
    "fields": multipart([NAMED % b"a" + b"\r\n\r\n"] * 100_000),
    "files": multipart([FILE] * 100_000),
    "no names": multipart([b"\r\n"] * 100_000),
    "header lines": multipart([NAMED % b"a" + b"\r\nx: y" * 200_000 + b"\r\n\r\n"]),
    "one header line": multipart([NAMED % (b"a" * 900_000) + b"\r\n\r\n"]),
    "parameters": multipart([NAMED % b"a" + b"; a=b" * 150_000 + b"\r\n\r\n"]),
    "escapes": multipart([NAMED % (b"\\" * 900_000) + b"\r\n\r\n"]),
    "a long field": multipart([NAMED % b"object" + b"\r\n\r\n" + b"x" * (3 * MIB)]),
    "nothing before": b"x" * 900_000 + multipart([FILE]),
    "empty lines before": b"\r\n" * 450_000 + multipart([FILE]),
    "empty lines after": multipart([]) + b"\r\n" * 450_000,
}  # fmt: skip


@pytest.mark.anyio
@pytest.mark.parametrize("name", PARTS)
async def test_a_multipart_body_of_very_many_parts_is_refused(door: Door, name: str) -> None:
    """BOMB-H-006: many parts, long headers of parts, and what stands around them: refused, cheaply."""
    body, token = PARTS[name], door.token.removesuffix(b"\r\n")
    await refused(door, post(b"/api/media", MULTIPART, token, length=len(body)) + body, {400, 413, 415})
    await refused(door, post(b"/api/media", MULTIPART, length=len(body)) + body, {401, 413})
    for path in FORMS:
        head = post(path, MULTIPART, SAME_SITE, token, length=len(body))
        await refused(door, head + body, {400, 413, 415})


@pytest.mark.anyio
@pytest.mark.parametrize("unit", [b"\r\n--", b"\r\n--a", b"\r", b"\n", b"-", b"\r\n-", b"--b", b"\r\n--b\r"])
async def test_a_file_that_looks_like_boundaries_costs_little(door: Door, unit: bytes) -> None:
    """A file of 4 MB that almost ends at every byte is read once, not again and again."""
    body = multipart([FILE + unit * (4 * MIB // len(unit))])
    assert len(body) < MAX_FILE
    head = post(b"/api/media", MULTIPART, b"connection: close", door.token.removesuffix(b"\r\n"), length=len(body))
    told = min([await tell(door.port, [head, *split(body)]) for _ in range(2)], key=lambda one: one.cpu)
    assert told.status in (400, 415), told.raw[:300]
    assert told.cpu <= 1_000
    await still_serves(door)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
TWO_WAYS: dict[str, bytes] = {
    "both": b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
    "both, turned round": b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
    "no length and both": b"content-length: 0\r\ntransfer-encoding: chunked\r\n",
    "in capitals": b"Content-Length: 5\r\nTRANSFER-ENCODING: Chunked\r\n",
    "two lengths": b"content-length: 5\r\ncontent-length: 6\r\n",
    "two lengths in one": b"content-length: 5, 6\r\n",
    "a length with a sign": b"content-length: +5\r\n",
    "a negative length": b"content-length: -5\r\n",
    "a hexadecimal length": b"content-length: 0x5\r\n",
    "a length with an underscore": b"content-length: 1_0\r\n",
    "two codings": b"transfer-encoding: chunked, chunked\r\n",
    "an unknown coding": b"transfer-encoding: gzip, identity\r\n",
    "chunked not last": b"transfer-encoding: chunked, gzip\r\n",
    "a blank before the colon": b"transfer-encoding : chunked\r\n",
    "a folded line": b"transfer-encoding:\r\n chunked\r\n",
    "a vertical tab": b"transfer-encoding: \x0bchunked\r\n",
    "a bare return": b"a: b\rtransfer-encoding: chunked\r\n",
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", TWO_WAYS)
async def test_a_request_that_ends_in_two_places_is_refused(door: Door, name: str) -> None:
    """BOMB-H-008: whoever could be understood in two ways is understood in none: 400, and the connection ends."""
    body = b"0\r\n\r\n" + SMUGGLED
    told = await refused(
        door, b"POST /inbox HTTP/1.1\r\n" + HOST + JSON + b"\r\n" + TWO_WAYS[name] + b"\r\n" + body, {400}
    )
    assert told.hung_up
    assert b"/smuggled" not in told.raw


CHUNKS: dict[str, bytes] = {
    "an extension of 1 MB": b"5;" + b"e" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n",
    "extensions of 1 MB together": b"".join(b"1;" + b"e" * 1_000 + b"\r\nx\r\n" for _ in range(1_000)) + b"0\r\n\r\n",
    "an extension on the last": b"5\r\nhello\r\n0;" + b"e" * 1_000_000 + b"\r\n\r\n",
    "trailers of 1 MB": b"5\r\nhello\r\n0\r\n" + b"a: b\r\n" * 170_000 + b"\r\n",
    "one trailer of 1 MB": b"5\r\nhello\r\n0\r\na: " + b"b" * 1_000_000 + b"\r\n\r\n",
    "chunks of one byte": b"1\r\nx\r\n" * 170_000 + b"0\r\n\r\n",
    "a size of 1,000 noughts": b"0" * 1_000 + b"5\r\nhello\r\n0\r\n\r\n",
    "a size of 20 digits": b"f" * 20 + b"\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size with a prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "no line end after it": b"5\r\nhelloX0\r\n\r\n",
    "a bare line feed": b"5\nhello\n0\n\n",
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", CHUNKS)
async def test_chunks_that_are_mostly_framing_are_refused(door: Door, name: str) -> None:
    """BOMB-H-009: what is not body in a body is bounded, and has one form."""
    head = post(b"/inbox", JSON, b"transfer-encoding: chunked")
    told = await refused(door, head + CHUNKS[name], {400}, cpu=100)
    assert told.hung_up or name == "a size of 1,000 noughts"


@pytest.mark.anyio
async def test_http_2_is_not_spoken(door: Door) -> None:
    """BOMB-H-010: there is no HTTP/2 to reset: its preface is a 400, an upgrade to it an ordinary request."""
    frames = b"".join(
        b"\0\0\0\1\5" + n.to_bytes(4, "big") + b"\0\0\4\3\0" + n.to_bytes(4, "big") for n in range(1, 20_001, 2)
    )
    told = await refused(door, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + frames, {400})
    assert told.hung_up
    wish = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
    answer = await tell(door.port, [b"GET /about HTTP/1.1\r\n" + HOST + wish + b"\r\n"])
    assert answer.status == 200, answer.raw[:200]


METHODS = ("LEAK", "__init__", "dispatch", "method_not_allowed", "get", "TRACE", "CONNECT", "PROPFIND", "A" * 5_000)


@pytest.mark.anyio
@pytest.mark.parametrize("method", METHODS)
async def test_an_unknown_method_is_refused(door: Door, method: str) -> None:
    """BOMB-H-012: a method that nobody knows, or that is the name of something inside, is refused at every address."""
    before = door.site.everything()
    paths = {filled(door.site, route.path) for route in ROUTES if isinstance(route, Route)}
    for path in sorted(paths):
        answer = await door.site.ask(method, path, [("content-type", ACTIVITY_JSON), door.site.bearer()], b"{}")
        assert answer.status in (405, 501), (path, answer.status)
    assert door.site.everything() == before
    target = b"gw.example:443" if method == "CONNECT" else b"/about"
    told = await tell(
        door.port, [method.encode() + b" " + target + b" HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n"]
    )
    assert told.status in (400, 405, 501), told.raw[:200]


SLOW: dict[str, tuple[bytes, bytes]] = {
    "says nothing": (b"", b""),
    "a request line": (b"", b"G"),
    "a target": (b"GET /", b"a"),
    "one field": (b"GET / HTTP/1.1\r\n" + HOST + b"a: ", b"b"),
    "fields": (b"POST /inbox HTTP/1.1\r\n" + HOST, b"a: b\r\n"),
    "empty lines": (b"", b"\r\n"),
    "after an answer": (b"GET /livez HTTP/1.1\r\n" + HOST + b"\r\n", b"G"),
    "a body": (post(b"/inbox", JSON, length=100_000), b"x"),
    "a body, not begun": (post(b"/inbox", JSON, length=100_000), b""),
    "chunks": (post(b"/inbox", JSON, b"transfer-encoding: chunked"), b"1\r\nx\r\n"),
    "a chunk size": (post(b"/inbox", JSON, b"transfer-encoding: chunked"), b"0"),
    "trailers": (post(b"/inbox", JSON, b"transfer-encoding: chunked") + b"2\r\n{}\r\n0\r\n", b"a: b\r\n"),
    "a body that is refused": (post(b"/inbox", JSON, length=1 << 30), b"x"),
    "a form": (post(b"/sign-in", FORMED, SAME_SITE, length=1_000), b"a"),
    "waits for 100": (post(b"/inbox", JSON, b"expect: 100-continue", length=1_000), b""),
}


@pytest.mark.anyio
@pytest.mark.parametrize("what", SLOW)
@pytest.mark.usefixtures("impatient")
async def test_a_slow_client_is_cut(door: Door, what: str) -> None:
    """BOMB-S-007, BOMB-S-008: whoever dribbles a head or a body is cut at the deadline, not kept by each byte."""
    start, drip = SLOW[what]
    began = time.monotonic()
    told = await tell(door.port, [start, *[drip] * 400], pause=SOON / 10)
    assert told.hung_up
    assert time.monotonic() - began < GENEROUS
    await still_serves(door)


@pytest.mark.anyio
@pytest.mark.usefixtures("impatient")
async def test_a_slow_upload_is_cut(door: Door) -> None:
    """BOMB-S-008 with a token: a file that comes byte by byte is cut as well, and leaves nothing on the disk."""
    media = door.site.gateway.kit.settings.data / "media"
    before = sorted(media.rglob("*"))
    head = post(b"/api/media", MULTIPART, door.token.removesuffix(b"\r\n"), length=MIB)
    told = await tell(door.port, [head + b"--b\r\n" + FILE, *[b"x"] * 400], pause=SOON / 10)
    assert told.hung_up
    assert sorted(media.rglob("*")) == before


def test_a_crowd_of_idle_connections_is_bounded(tmp_path: Path) -> None:
    """BOMB-S-009: two thousand connections that ask nothing: the gateway keeps so many, and serves whoever asks."""
    crowd = 2_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * crowd)), hard))
    held: list[socket.socket] = []
    try:
        with served(tmp_path) as gateway, httpx.Client(trust_env=False, timeout=GENEROUS) as client:
            assert gateway.process is not None
            files = Path(f"/proc/{gateway.process.pid}/fd")
            idle = len(list(files.iterdir()))
            for number in range(crowd):
                one = socket.create_connection(("127.0.0.1", gateway.port), timeout=GENEROUS)
                if number % 2:  # half of them asked once, and keep the connection
                    one.sendall(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
                held.append(one)
                if number % 200 == 0:
                    assert client.get(f"{gateway.base}/readyz").is_success
            assert client.get(f"{gateway.base}/about").is_success
            assert len(list(files.iterdir())) <= idle + protocol.MAX_CONNECTIONS + 400  # those being closed
            with httpx.Client(trust_env=False, timeout=GENEROUS) as newcomer:
                assert newcomer.get(f"{gateway.base}/livez").is_success
    finally:
        for one in held:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
