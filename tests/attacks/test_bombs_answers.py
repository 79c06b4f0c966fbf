"""Answers of peers that are packed, cut, or never end: a raw server on loopback, behind the gateway's real way out."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import ssl
import time
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
import yardstick
from attacks import bombs_bytes as made
from attacks.bombs_shelter import forget_peak, peak, resident
from net.answers import Names
from world import account, snapshot

from gateway.errors import RemoteUnreachable
from gateway.flows import discover
from gateway.net import client as client_module
from gateway.net.client import Client, UrlPolicy
from gateway.net.guard import AddressPolicy, GuardedBackend, Meter
from gateway.net.purpose import DELIVERY, OBJECT, PAGE, PURPOSES
from gateway.net.transport import OriginTransport
from gateway.runtime import open_gateway
from gateway.settings import Settings
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from gateway.net.client import Answer
    from gateway.net.purpose import Purpose

pytestmark = pytest.mark.anyio
# Both doors of the client, get and send; every purpose in the long run.
DOORS = [
    pytest.param(purpose, id=purpose.name, marks=() if purpose in (OBJECT, DELIVERY) else pytest.mark.long)
    for purpose in PURPOSES
]

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/activity+json\r\n"
NAMES = ("peer.example",)
CPU_MS, RSS_MIB = 500, 32
BUFFERED = 16 * made.MIB  # what lies between two sockets of one machine at most, and then some
SOON = 0.2
GENEROUS = 10.0
STEP = 0.01


@dataclass(slots=True)
class Scripted:
    """A raw server: what it was asked, how much it got rid of, and whether it was hung up on."""

    port: int = 0
    sent: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/x", scheme: str = "http") -> str:
        return f"{scheme}://peer.example:{self.port}{path}"

    async def pour(self, writer: asyncio.StreamWriter, pieces: Iterable[bytes], *, pause: float = 0.0) -> None:
        """Send pieces until they are all gone or nobody takes them any more."""
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)
            if pause:
                await asyncio.sleep(pause)


@asynccontextmanager
async def scripted(script: Any, *, reads_head: bool = True) -> AsyncIterator[Scripted]:
    """Serve every connection of a free loopback port as ``script`` says."""
    state = Scripted()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if reads_head:
                state.heads.append(await reader.readuntil(b"\r\n\r\n"))
            await script(state, reader, writer)
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            state.hung_up.set()
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@functools.cache
def trust() -> ssl.SSLContext:
    """Return what every client here trusts: reading all authorities is slow."""
    return ssl.create_default_context()


@pytest.fixture(autouse=True)
def _quickly_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made_once = trust()
    monkeypatch.setattr("gateway.net.transport.ssl.create_default_context", lambda: made_once)


@asynccontextmanager
async def going_out() -> AsyncIterator[Client]:
    """Return the gateway's own client, which may dial loopback for these tests."""
    backend = GuardedBackend(AddressPolicy(["127.0.0.0/8"]), Names({name: ["127.0.0.1"] for name in NAMES}))
    used = Client(
        policy=UrlPolicy(takes_http=True, any_port=True), transport=OriginTransport(backend), user_agent="test/1"
    )
    try:
        yield used
    finally:
        await used.close()


async def asked(client: Client, url: str, purpose: Purpose) -> Answer:
    """Ask for one purpose: deliveries are posted, everything else is fetched."""
    if purpose.name == DELIVERY.name:
        return await client.send(SignedRequest(method="POST", target=url, headers=(), body=b"{}"), purpose=purpose)
    return await client.get(url, accept="*/*", purpose=purpose)


def pieces(data: bytes, size: int = 16 * 1024) -> Iterable[bytes]:
    """Yield data piece by piece."""
    return (data[start : start + size] for start in range(0, len(data), size))


async def nothing_more_than_a_glance(client: Client, server: Scripted, purpose: Purpose) -> bool:
    """Ask, and fail unless the answer is refused; of a purpose that wants the status alone it may be taken, cut.

    Return whether the connection cannot be used again.
    """
    if not purpose.is_glance:
        with pytest.raises(RemoteUnreachable):
            await asked(client, server.url(), purpose)
        return True
    with contextlib.suppress(RemoteUnreachable):
        answer = await asked(client, server.url(), purpose)
        assert answer.status == 200
        assert len(answer.body) <= purpose.limit
        # A short one may be there to its end, packed as it came, and the connection used again.
        return len(answer.body) == purpose.limit
    return True


async def refused(script: Any, purpose: Purpose) -> Scripted:
    """Fetch from a server that is refused: cheaply, and without reading on. Return what the server saw."""
    taken: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        count = Meter.count

        def counted(meter: Meter, size: int) -> None:
            taken.append(size)
            count(meter, size)

        patch.setattr(Meter, "count", counted)
        async with scripted(script) as server, going_out() as client:
            before = resident()
            forget_peak()
            started = time.process_time()
            async with asyncio.timeout(GENEROUS):
                if await nothing_more_than_a_glance(client, server, purpose):
                    await server.hung_up.wait()
            spent = yardstick.milliseconds(started)
            assert spent <= CPU_MS, f"{spent:.0f} ms"
            assert peak() - before <= RSS_MIB
            assert server.heads
            assert server.sent <= BUFFERED
    assert sum(taken) <= purpose.limit + client_module.HEADER_BYTES + 64 * 1024
    return server


def answering(body: bytes, *lines: bytes, length: int | None = None) -> Any:
    """Return a script that answers 200 with these header lines and this body; ``length`` is what it claims."""
    head = OK + b"".join(line + b"\r\n" for line in (*lines, b"content-length: %d" % (length or len(body))))

    async def script(state: Scripted, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.pour(writer, [head + b"\r\n", *pieces(body)])

    return script


def endless(head: bytes, piece: bytes, pause: float = 0.0) -> Any:
    """Return a script that says something once and something else for ever."""

    async def script(state: Scripted, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await state.pour(writer, itertools.repeat(piece), pause=pause)

    return script


def chunked(body: bytes) -> bytes:
    """Return a body in one chunk, without an end."""
    return b"%x\r\n%s\r\n" % (len(body), body)


GZIP = b"content-encoding: gzip"
PACKED: dict[str, tuple[str, Any]] = {
    "gzip": ("BOMB-C-001", lambda: answering(made.gzipped(), GZIP)),
    "gzip, in capitals": ("BOMB-C-001", lambda: answering(made.gzipped(), b"Content-Encoding: GZIP ")),
    "gzip, chunked": (
        "BOMB-C-001",
        lambda: endless(OK + GZIP + b"\r\ntransfer-encoding: chunked\r\n\r\n", chunked(made.gzipped())),
    ),
    "gzip, no length": ("BOMB-C-001", lambda: answering_until_close(made.gzipped(), GZIP)),
    "gzip in gzip": ("BOMB-C-001", lambda: answering(made.gzipped_twice(), b"content-encoding: gzip, gzip")),
    "gzip in gzip, called one": ("BOMB-C-001", lambda: answering(made.gzipped_twice() * 2_000, GZIP)),
    "gzip, an endless name": ("BOMB-C-001", lambda: answering(made.gzip_with_long_name(4 * made.MIB), GZIP)),
    "gzip, many files": ("BOMB-C-001", lambda: answering(made.gzip_members(60_000), GZIP)),
    "x-gzip": ("BOMB-C-001", lambda: answering(made.gzipped(), b"content-encoding: x-gzip")),
    "zstd": ("BOMB-C-002", lambda: answering(b"\x28\xb5\x2f\xfd" + bytes(9_000), b"content-encoding: zstd")),
    "brotli": ("BOMB-C-002", lambda: answering(made.BROTLI, b"content-encoding: br")),
    "brotli after gzip": ("BOMB-C-002", lambda: answering(made.gzipped(), b"content-encoding: br, gzip")),
    "a thousand codings": ("BOMB-C-005", lambda: answering(made.gzipped(), b"content-encoding:" + b" gzip," * 1_000)),
    "a thousand lines": ("BOMB-C-005", lambda: answering(made.gzipped(), *[GZIP] * 1_000)),
    "a thousand times nothing": ("BOMB-C-005", lambda: answering(b"{}", b"content-encoding:" + b" identity," * 1_000)),
    "deflate": ("BOMB-C-006", lambda: answering(made.deflated(made.LARGE), b"content-encoding: deflate")),
    "deflate as zlib": ("BOMB-C-006", lambda: answering(made.zlibbed(), b"content-encoding: deflate")),
    "deflate, called gzip": ("BOMB-C-006", lambda: answering(made.deflated(made.LARGE), GZIP)),
    "zlib, called gzip": ("BOMB-C-006", lambda: answering(made.zlibbed(), GZIP)),
    "compress": ("BOMB-C-006", lambda: answering(b"\x1f\x9d\x90" + bytes(9_000), b"content-encoding: compress")),
    "not packed, endless": ("BOMB-C-001", lambda: endless(OK + b"\r\n", bytes(64 * 1024))),
    "not packed, endless chunks": (
        "BOMB-C-001", lambda: endless(OK + b"transfer-encoding: chunked\r\n\r\n", chunked(bytes(1)) * 4_096),
    ),
    "not packed, a chunk without an end": (
        "BOMB-C-001", lambda: endless(OK + b"transfer-encoding: chunked\r\n\r\nffffffff\r\n", bytes(64 * 1024)),
    ),
}  # fmt: skip


def answering_until_close(body: bytes, *lines: bytes) -> Any:
    """Return a script whose answer ends with the connection."""
    head = OK + b"".join(line + b"\r\n" for line in lines)

    async def script(state: Scripted, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.pour(writer, [head + b"\r\n", *pieces(body)])
        writer.write_eof()

    return script


@pytest.mark.parametrize("purpose", PURPOSES, ids=lambda purpose: purpose.name)
@pytest.mark.parametrize("name", PACKED)
async def test_a_packed_answer_is_not_unpacked_further_than_its_purpose(name: str, purpose: Purpose) -> None:
    """Every coding, from every way out: an error, at most half a second, and nobody reads on."""
    await refused(PACKED[name][1](), purpose)


HEADS: dict[str, tuple[bytes, bytes]] = {
    "a status line without an end": (b"HTTP/1.1 200 ", b"O" * 16 * 1024),
    "one field without an end": (OK + b"a: ", b"a" * 16 * 1024),
    "fields without an end": (OK, b"a: b\r\n" * 1_024),
    "interim answers without an end": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1_024),
    "interim answers with fields": (b"", b"HTTP/1.1 100 Continue\r\n" + b"a: b\r\n" * 50 + b"\r\n"),
    "trailers without an end": (OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"a: b\r\n" * 1_024),
    "a chunk extension without an end": (OK + b"transfer-encoding: chunked\r\n\r\n2;", b"a" * 16 * 1024),
}


@pytest.mark.parametrize("purpose", PURPOSES, ids=lambda purpose: purpose.name)
@pytest.mark.parametrize("name", HEADS)
async def test_what_stands_around_a_body_is_bounded_too(name: str, purpose: Purpose) -> None:
    """BOMB-S-005 and its kin at full speed: endless lines are cut by their bytes, not only by the time they take."""
    await refused(endless(*HEADS[name]), purpose)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for fractions of what is waited for otherwise, after a look at what that is."""
    assert all(purpose.seconds <= 30 and purpose.idle <= purpose.seconds for purpose in PURPOSES)
    assert client_module.CONNECT_SECONDS <= 5  # resolving, connecting and TLS each: 15 s together
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", SOON)


def hurried(purpose: Purpose) -> Purpose:
    """Return a purpose with a fraction of its time."""
    return replace(purpose, seconds=SOON, idle=SOON / 2)


STALLED = {
    "after half of its gzip": OK + GZIP + b"\r\ncontent-length: 1000\r\n\r\n" + made.gzipped(made.MIB)[:500],
    "after the header of its gzip": OK + GZIP + b"\r\n\r\n" + made.gzipped(10)[:10],
    "before it answers": b"",
    "in the status line": b"HTTP/1.1 2",
    "in its fields": OK,
    "before its body": OK + b"content-length: 2\r\n\r\n",
    "in a chunk": OK + b"transfer-encoding: chunked\r\n\r\n5\r\n{",
    "after an interim answer": b"HTTP/1.1 103 Early Hints\r\n\r\n",
}


@pytest.mark.parametrize("purpose", DOORS)
@pytest.mark.parametrize("where", STALLED)
@pytest.mark.usefixtures("impatient")
async def test_a_peer_that_stalls_is_left(where: str, purpose: Purpose) -> None:
    """BOMB-C-007: wherever an answer stops, the wait ends, and so does the connection."""

    async def script(state: Scripted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.pour(writer, [STALLED[where]])
        await reader.read()

    await refused(script, hurried(purpose))


DRIPS: dict[str, tuple[bytes, bytes]] = {
    "its status line": (b"HTTP/1.1 200 ", b"O"),
    "its fields": (OK + b"a: ", b"a"),
    "its body": (OK + b"content-length: 100000\r\n\r\n", b" "),
    "a body without an end": (OK + b"\r\n", b" "),
    "its chunks": (OK + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "its gzip": (OK + GZIP + b"\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\2\xff", b"a"),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
}


@pytest.mark.parametrize("purpose", DOORS)
@pytest.mark.parametrize("what", DRIPS)
@pytest.mark.usefixtures("impatient")
async def test_a_peer_that_dribbles_is_left(what: str, purpose: Purpose) -> None:
    """BOMB-S-001, BOMB-S-005: a byte now and then, each in time, does not make an answer longer than its purpose."""
    assert 4 * STEP < SOON / 2
    await refused(endless(*DRIPS[what], pause=STEP), hurried(purpose))


@pytest.mark.usefixtures("impatient")
async def test_slow_redirects_have_one_time_together() -> None:
    """BOMB-S-001: a chain of answers each of which is just in time ends when the time of the first is over."""

    async def script(state: Scripted, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(SOON * 0.6)
        target = state.url(f"/{state.connections}").encode()
        writer.write(b"HTTP/1.1 302 Found\r\nlocation: %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % target)

    async with scripted(script) as server, going_out() as client:
        async with asyncio.timeout(GENEROUS):
            with pytest.raises(RemoteUnreachable):
                await client.get(server.url(), accept="*/*", purpose=replace(PAGE, seconds=SOON, idle=SOON))
        assert server.connections == 2


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x03\x40\x00", b"HTTP/1.1 200 OK\r\n\r\n", b"\0" * 100])
@pytest.mark.parametrize("pause", [0.0, STEP])
@pytest.mark.usefixtures("impatient")
async def test_a_handshake_that_stalls_ends(said: bytes, pause: float) -> None:
    """BOMB-S-003: whatever comes instead of TLS, at once or byte by byte, the connection is given up."""

    async def script(state: Scripted, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.pour(writer, [said])
        if pause:
            await state.pour(writer, itertools.repeat(b"\0"), pause=pause)

    async with scripted(script, reads_head=False) as server, going_out() as client:
        async with asyncio.timeout(GENEROUS):
            with pytest.raises(RemoteUnreachable):
                await client.get(server.url(scheme="https"), accept="*/*", purpose=PAGE)
            await server.hung_up.wait()


LENGTHS: dict[str, bytes] = {
    "longer than the body": OK + b"content-length: 1000\r\n\r\n{}",
    "two of them": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}x",
    "two in one": OK + b"content-length: 2, 3\r\n\r\n{}x",
    "negative": OK + b"content-length: -2\r\n\r\n{}",
    "with a sign": OK + b"content-length: +2\r\n\r\n{}",
    "not a number": OK + b"content-length: two\r\n\r\n{}",
    "hexadecimal": OK + b"content-length: 0x2\r\n\r\n{}",
    "twenty digits": OK + b"content-length: 18446744073709551618\r\n\r\n{}",
    "a chunk without its length": OK + b"transfer-encoding: chunked\r\n\r\n\r\n{}\r\n0\r\n\r\n",
    "a chunk shorter than it says": OK + b"transfer-encoding: chunked\r\n\r\n5\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": OK + b"transfer-encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
    "a negative chunk": OK + b"transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    "a chunk of too many digits": OK + b"transfer-encoding: chunked\r\n\r\n" + b"f" * 21 + b"\r\n{}\r\n0\r\n\r\n",
    "no last chunk": OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "an unknown transfer": OK + b"transfer-encoding: gzip\r\n\r\n{}",
    "gzip that is cut": OK + GZIP + b"\r\ncontent-length: 60\r\n\r\n" + made.gzipped(64 * 1024)[:60],
    "gzip that is cut before its sum": OK + GZIP + b"\r\ncontent-length: 24\r\n\r\n" + made.gzipped(1024)[:24],
    "gzip and something more": OK + GZIP + b"\r\n\r\n" + made.gzipped(10) * 2,
    "gzip of nothing at all": OK + GZIP + b"\r\ncontent-length: 0\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("purpose", [OBJECT, PAGE, DELIVERY], ids=lambda purpose: purpose.name)
@pytest.mark.parametrize("name", LENGTHS)
async def test_an_answer_that_is_not_whole_is_none(name: str, purpose: Purpose) -> None:
    """BOMB-C-008: what is shorter or longer than it says is an error: half of it may say the opposite."""

    async def script(state: Scripted, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await state.pour(writer, [LENGTHS[name]])
        writer.write_eof()

    await refused(script, purpose)


async def test_an_answer_that_is_whole_is_taken() -> None:
    """Plain, chunked and packed answers, in one piece and in many small ones, arrive as they were meant."""
    text = json.dumps({"type": "Note", "content": "x" * 50_000}).encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = packer.compress(text) + packer.flush()
    answers = {
        "plain": OK + b"content-length: %d\r\n\r\n" % len(text) + text,
        "chunked": OK
        + b"transfer-encoding: chunked\r\n\r\n"
        + b"".join(map(chunked, pieces(text, 100)))
        + b"0\r\n\r\n",
        "packed": OK + GZIP + b"\r\ncontent-length: %d\r\n\r\n" % len(packed) + packed,
        "until the end": OK + b"\r\n" + text,
    }
    for name, answer in answers.items():

        async def script(
            state: Scripted, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes = answer
        ) -> None:
            await state.pour(writer, pieces(answer, 700))
            writer.write_eof()

        async with scripted(script) as server, going_out() as client:
            assert (await asked(client, server.url(), OBJECT)).body == text, name


@pytest.mark.parametrize("name", ["gzip", "brotli", "a thousand codings", "deflate"])
async def test_nothing_is_kept_of_a_bomb(tmp_path: Path, name: str) -> None:
    """An actor whose document is a bomb is not met, and what led to it changes nothing."""
    async with scripted(PACKED[name][1]()) as server:
        known: Any = {"base_url": "http://localhost:8000", "data": tmp_path / "gateway"}
        gateway = open_gateway(Settings(**known))
        account(gateway)
        before = snapshot(gateway.kit)
        url = f"http://127.0.0.1:{server.port}/users/m"
        with pytest.raises(RemoteUnreachable):
            await discover.actor_at(gateway.kit, url)
        assert server.connections == 1
        assert gateway.kit.store.relations.actor(url) is None
        assert snapshot(gateway.kit) == before
        await gateway.close()


def test_every_case_is_asked() -> None:
    """The packed answers of the catalogue are all among those that are tried."""
    assert {case for case, _ in PACKED.values()} == {"BOMB-C-001", "BOMB-C-002", "BOMB-C-005", "BOMB-C-006"}
