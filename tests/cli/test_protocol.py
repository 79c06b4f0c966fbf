"""Slow, endless and crowded connections, over raw sockets: each is cut, and the others are served."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from gateway.cli import protocol
from gateway.cli.protocol import BoundedProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio
ASK = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
SOON = 0.15
GENEROUS = 5.0


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Read the body and say how long it was, and which header fields there were."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    text = f"{size} {len(scope['headers'])}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def served(app: Any = application) -> AsyncIterator[int]:
    """Serve an application on loopback with the bounded protocol; return the port."""
    config = uvicorn.Config(app, http=BoundedProtocol, lifespan="off", log_config=None, access_log=False, ws="none")
    config.load()
    server = uvicorn.Server(config)
    loop = asyncio.get_running_loop()
    state = server.server_state
    listener = await loop.create_server(lambda: BoundedProtocol(config, state, {}), "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await listener.wait_closed()


async def said(port: int, *pieces: bytes, answers: int = 1) -> bytes:
    """Send pieces and return everything that came back until the server hung up or answered so often."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        for piece in pieces:
            with contextlib.suppress(ConnectionError):
                writer.write(piece)
                await writer.drain()
        async with asyncio.timeout(GENEROUS):
            with contextlib.suppress(ConnectionError):
                while chunk := await reader.read(65536):
                    found += chunk
                    if found.count(b"HTTP/1.1 ") >= answers and (b" 200 " in found and found[-1:].isdigit()):
                        break
    finally:
        writer.close()
    return found


async def hung_up(port: int, start: bytes = b"", drip: bytes = b"") -> bool:
    """Tell whether a connection that sends ``start``, then drips, is cut; fail after a generous while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    try:
        async with asyncio.timeout(GENEROUS):
            while True:
                try:
                    async with asyncio.timeout(SOON / 5):
                        if not await reader.read(65536):
                            return True
                except TimeoutError:
                    with contextlib.suppress(ConnectionError):
                        writer.write(drip)
                except ConnectionError:
                    return True
    except TimeoutError:
        return False
    finally:
        writer.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for fractions of what is waited for otherwise."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(protocol, name, SOON)


async def test_an_ordinary_request_is_served() -> None:
    """Requests with and without a body, chunked and on one connection, are answered as ever."""
    chunked = POST + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    async with served() as port:
        assert (await said(port, ASK)).endswith(b"0 1")
        assert (await said(port, POST + b"content-length: 5\r\n\r\nhello")).endswith(b"5 2")
        assert (await said(port, chunked)).endswith(b"5 2")
        assert (await said(port, ASK + ASK, answers=2)).count(b" 200 OK") == 2


async def test_a_body_of_a_megabyte_is_served() -> None:
    """What is body is not counted as framing, in one piece or in many chunks."""
    size = 1024 * 1024
    chunks = b"".join(b"1000\r\n" + b"x" * 4096 + b"\r\n" for _ in range(size // 4096)) + b"0\r\n\r\n"
    async with served() as port:
        assert (await said(port, POST + b"content-length: %d\r\n\r\n" % size, b"x" * size)).endswith(b"%d 2" % size)
        answer = await said(port, POST + b"transfer-encoding: chunked\r\n\r\n", chunks)
        assert answer.endswith(b"%d 2" % size)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 2_000 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 1_000_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\na: " + b"b" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a" * 1_000_000, 431),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + (b"a: " + b"b" * 1000 + b"\r\n") * 90 + b"\r\n", 431),
        (POST + b"transfer-encoding: chunked\r\n\r\n5;" + b"e" * 1_000_000, 400),
        (POST + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000, 400),
        (POST + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 50_000, 400),
        (POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
    ],
    ids=["long target", "many fields", "endless field", "long field", "no end", "much in all", "chunk extension",
         "tiny chunks", "trailers", "two lengths", "nonsense", "tls"],
)  # fmt: skip
async def test_what_is_too_much_is_refused(request_bytes: bytes, status: int) -> None:
    """Each kind of excess gets its status, and the connection ends."""
    async with served() as port:
        answer = await said(port, request_bytes)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]


async def test_trailers_are_nobodys() -> None:
    """Fields after a chunked body do not become header fields of the request."""
    async with served() as port:
        whole = POST + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-late: 1\r\n\r\n"
        assert (await said(port, whole)).endswith(b"5 2")


@pytest.mark.parametrize(
    ("start", "drip"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
        (b"GET /", b"a"),
        (POST + b"content-length: 1000000\r\n\r\n", b"x"),
        (POST + b"content-length: 1000000\r\n\r\n", b""),
        (POST + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (ASK, b"a"),
    ],
    ids=["silent", "header lines", "target", "body", "no body", "chunks", "after an answer"],
)
@pytest.mark.usefixtures("impatient")
async def test_the_slow_are_cut(start: bytes, drip: bytes) -> None:
    """Whoever sends a little at a time, or nothing, is cut at the deadline, not kept by each byte."""
    async with served() as port:
        assert await hung_up(port, start, drip)


@pytest.mark.usefixtures("impatient")
async def test_a_body_that_arrives_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long body at a pace outlives the deadline of a short one."""
    monkeypatch.setattr(protocol, "BODY_RATE", 10)
    async with served() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"content-length: 100\r\n\r\n")
        for _ in range(10):
            writer.write(b"x" * 10)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOON / 4):
                    await asyncio.Event().wait()
        async with asyncio.timeout(GENEROUS):
            assert b" 200 " in await reader.readline()
        writer.close()


async def unwanting(scope: Any, receive: Any, send: Any) -> None:
    """Answer before the body was read."""
    del scope, receive
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"no"})


@pytest.mark.parametrize("lines", [b"", b"connection: close\r\n"])
@pytest.mark.parametrize("more", [0, 1, 300])
async def test_whose_body_is_not_wanted_reads_the_answer_and_then_the_end(lines: bytes, more: int) -> None:
    """An answer before the body is there to its end, however much was sent by then, and nothing follows it."""
    async with served(unwanting) as port:
        head = POST + lines + b"content-length: 900000000\r\n\r\n"
        found = await said(port, head, *[bytes(1024)] * more)
        assert found.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nconnection: close\r\n" in found
        assert found.endswith(b"\r\n\r\nno")


@pytest.mark.parametrize(("seconds", "drip"), [(SOON, b"."), (60.0, bytes(64 * 1024))])
async def test_nobody_lingers_for_ever(monkeypatch: pytest.MonkeyPatch, seconds: float, drip: bytes) -> None:
    """Whoever was answered and told that nothing follows can send on for a while, or a number of bytes, only."""
    monkeypatch.setattr(protocol, "LINGER_SECONDS", seconds)
    async with served(unwanting) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"content-length: 900000000\r\n\r\n")
        async with asyncio.timeout(GENEROUS):
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(drip)
                    await writer.drain()
                    await reader.read(65536)
                    await asyncio.sleep(0.001)
        writer.close()


@pytest.mark.usefixtures("impatient")
async def test_an_answer_that_nobody_reads_is_dropped() -> None:
    """A client that asks for much and reads nothing does not hold its answer for ever."""
    ended = asyncio.Event()

    async def endless(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1_000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        ended.set()

    async with served(endless) as port:
        _reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(ASK)
        async with asyncio.timeout(GENEROUS):
            await ended.wait()
        writer.close()


async def test_a_crowd_of_idle_connections_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the connection that asks for nothing the longest goes; a newcomer is served."""
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 5)
    async with served() as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        assert (await said(port, ASK)).endswith(b"0 1")
        async with asyncio.timeout(GENEROUS):
            assert await crowd[0][0].read() == b""
        for _, writer in crowd:
            writer.close()


async def test_slow_bodies_make_room_for_a_newcomer(monkeypatch: pytest.MonkeyPatch) -> None:
    """When all connections are in the middle of a body, the one that has been sending the longest goes."""
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 5)
    async with served() as port:
        crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        for _, writer in crowd:
            writer.write(POST + b"content-length: 100\r\n\r\nslow")
            await writer.drain()
        async with asyncio.timeout(GENEROUS):
            while len(BoundedProtocol._sends) < 5:
                await asyncio.sleep(0)
        for _ in range(3):
            assert (await said(port, ASK)).endswith(b"0 1")
        for _, writer in crowd:
            writer.close()


async def test_nonsense_behind_a_request_does_not_take_its_answer() -> None:
    """What follows a request and is none gets no answer: the request before it gets its own, and then it is over."""
    go = asyncio.Event()

    async def slow(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async with served(slow) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK + b"NONSENSE\r\n\r\n")
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SOON):
                assert await reader.read(1) == b""
        go.set()
        async with asyncio.timeout(GENEROUS):
            found = await reader.read()
        writer.close()
    assert found.startswith(b"HTTP/1.1 200 ")
    assert found.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize(
    ("target", "status"), [(b"http://x/", b"200"), (b"http://evil.example/", b"421"), (b"http://u@x/", b"421")]
)
async def test_a_host_in_the_target_is_the_host(target: bytes, status: bytes) -> None:
    """A target with a host in it is answered when that is the one of the Host field."""
    async with served() as port:
        found = await said(port, b"GET " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        assert found.startswith(b"HTTP/1.1 " + status)


def test_nothing_is_remembered_of_closed_connections() -> None:
    """The register of idle connections is empty when all of them are gone."""
    assert not BoundedProtocol._asks_nothing
