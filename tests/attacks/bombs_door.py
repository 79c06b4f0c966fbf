"""A gateway that listens, what it answers to raw bytes, and what it must not do when it refuses them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
import yardstick
from attacks.bombs_shelter import forget_peak, peak, resident
from attacks.web_scene import FORM, Site
from peers.plain import ACTIVITY_JSON

from gateway.cli.protocol import BoundedProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

CPU_MS, RSS_MIB = 50, 8
MOMENT = 0.05
GENEROUS = 10.0
HOST = b"host: gw.example\r\n"


@dataclass(slots=True, kw_only=True)
class Door:
    """A gateway behind the real protocol on a loopback port."""

    site: Site
    port: int

    @property
    def token(self) -> bytes:
        return b"authorization: Bearer %s\r\n" % self.site.tokens["alice"].encode()


@asynccontextmanager
async def listening(site: Site) -> AsyncIterator[int]:
    """Serve a site with the gateway's own protocol; return the port."""
    config = uvicorn.Config(
        site.app, http=BoundedProtocol, lifespan="off", log_config=None, access_log=False, ws="none"
    )
    config.load()
    state = uvicorn.Server(config).server_state
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: BoundedProtocol(config, state, {}), "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await listener.wait_closed()


@dataclass(slots=True, kw_only=True)
class Told:
    """What came back for some bytes: everything until the server hung up, and whether it did."""

    raw: bytes
    hung_up: bool
    sent: int
    cpu: float
    rss: float

    @property
    def status(self) -> int:
        return int(self.raw.split(b" ", 2)[1]) if self.raw.startswith(b"HTTP/1.1 ") else 0


def is_whole(said: bytes | bytearray) -> bool:
    """Tell whether an answer with a length is there to its end."""
    head, _, body = said.partition(b"\r\n\r\n")
    size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return size.isdigit() and len(body) >= int(size)


async def tell(port: int, pieces: Iterable[bytes], *, pause: float = 0.0, stay: float = GENEROUS) -> Told:
    """Send pieces, and return what is said until the server hangs up, or for a moment after its answer."""
    before, found, sent, gone = resident(), bytearray(), 0, False
    forget_peak()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = asyncio.Event()
    began = time.process_time()

    async def hear() -> None:
        nonlocal gone
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                found.extend(piece)
                if is_whole(found):
                    answered.set()
        gone = True
        answered.set()

    hearing = asyncio.create_task(hear())
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            if gone:
                break
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
            await asyncio.sleep(pause)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(stay):
            await answered.wait()
            async with asyncio.timeout(MOMENT):
                await asyncio.shield(hearing)
    spent = yardstick.milliseconds(began)
    writer.close()
    hearing.cancel()
    await asyncio.gather(hearing, return_exceptions=True)
    return Told(raw=bytes(found), hung_up=gone, sent=sent, cpu=spent, rss=peak() - before)


def split(data: bytes, size: int = 64 * 1024) -> list[bytes]:
    """Return data in pieces."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def post(path: bytes, *lines: bytes, length: int | None = None) -> bytes:
    """Return the head of a POST."""
    size = b"" if length is None else b"content-length: %d\r\n" % length
    return b"POST %s HTTP/1.1\r\n" % path + HOST + b"".join(line + b"\r\n" for line in lines) + size + b"\r\n"


JSON = b"content-type: " + ACTIVITY_JSON.encode()
FORMED = b"content-type: " + FORM.encode()
SAME_SITE = b"sec-fetch-site: same-origin"


async def refused(door: Door, data: bytes, statuses: set[int], *, cpu: float = CPU_MS, rss: float = RSS_MIB) -> Told:
    """Send something that is refused: with the status, cheaply, and without a trace; then the next one is served."""
    before = door.site.everything()
    told = [await tell(door.port, split(data)) for _ in range(2)]
    for one in told:
        assert one.status in statuses, (one.status, one.raw[:300])
        assert one.raw.count(b"HTTP/1.1 ") == 1
    assert min(one.cpu for one in told) <= cpu, [one.cpu for one in told]
    assert min(one.rss for one in told) <= rss, [one.rss for one in told]
    assert door.site.everything() == before
    await still_serves(door)
    return told[0]


async def still_serves(door: Door) -> None:
    """Assert that an ordinary request is answered."""
    told = await tell(door.port, [b"GET /about HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n"])
    assert told.status == 200, told.raw[:300]
