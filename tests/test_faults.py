"""The fault proxy does to a connection what it is told, the same for the same seed, and leaves nothing open."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from faults import HOST, NO_FAULTS, Faults, Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio
WORD = b"x" * 1_000
SHORT = 0.05  # seconds in which nothing may come


@asynccontextmanager
async def behind(faults: Faults, *, seed: int = 0) -> AsyncIterator[Proxy]:
    """Run a server that answers one line with a thousand bytes and closes, and the proxy in front of it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readline():
            writer.write(WORD)
            with contextlib.suppress(OSError):
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    try:
        async with Proxy(server.sockets[0].getsockname()[1], faults, seed=seed) as proxy:
            yield proxy
    finally:
        server.close()


async def asked(proxy: Proxy) -> list[bytes]:
    """Ask once; return the pieces of the answer as they were read."""
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    pieces = []
    try:
        writer.write(b"hello\n")
        while piece := await reader.read(100_000):
            pieces.append(piece)
    finally:
        writer.close()
    return pieces


async def seconds(faults: Faults) -> float:
    """Return how long an answer takes."""
    async with behind(faults) as proxy:
        began = asyncio.get_running_loop().time()
        assert b"".join(await asked(proxy)) == WORD
        return asyncio.get_running_loop().time() - began


async def test_without_faults_everything_passes() -> None:
    """The empty value changes nothing in either direction."""
    async with behind(NO_FAULTS) as proxy:
        assert b"".join(await asked(proxy)) == WORD
    assert proxy.counted["passed"] == 1


async def test_latency_delays_both_ways() -> None:
    """Question and answer each wait at least the latency less its jitter."""
    assert await seconds(Faults(latency=0.1, jitter=0.02)) >= 2 * 0.08


async def test_a_dropped_connection_says_nothing() -> None:
    """Nothing passes and nothing is closed."""
    async with behind(Faults(drop=1.0)) as proxy:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT):
                await asked(proxy)
    assert proxy.counted == {"dropped": 1}


async def test_a_reset_connection_ends_with_an_error() -> None:
    """The client meets a reset, not an end."""
    async with behind(Faults(reset=1.0)) as proxy:
        with pytest.raises(ConnectionResetError):
            await asked(proxy)
    assert proxy.counted == {"reset": 1}


async def test_the_slicer_makes_small_pieces() -> None:
    """An answer of a thousand bytes passes in ten pieces or more."""
    async with behind(Faults(slicer=100)) as proxy:
        assert b"".join(await asked(proxy)) == WORD
    assert proxy.counted["pieces"] >= 10


@pytest.mark.parametrize("limit", [1, 500])
async def test_data_is_limited(limit: int) -> None:
    """After so many bytes the connection is closed in the middle of the answer."""
    async with behind(Faults(limit_data=limit)) as proxy:
        assert b"".join(await asked(proxy)) == WORD[:limit]
    assert proxy.counted["limited"] == 1


async def test_the_end_comes_late() -> None:
    """The answer is there before the connection is closed."""
    assert await seconds(Faults(slow_close=0.1)) >= 0.1


async def test_bandwidth_is_bounded() -> None:
    """A thousand bytes at ten thousand in a second take a tenth of a second."""
    assert await seconds(Faults(bandwidth=10_000)) >= 0.1


async def test_a_timeout_ends_without_an_answer() -> None:
    """Nothing passes, and after a while the connection is closed."""
    async with behind(Faults(timeout=SHORT)) as proxy:
        assert await asked(proxy) == []
    assert proxy.counted == {"timed out": 1}


async def test_faults_compose() -> None:
    """Several faults hold for one connection."""
    async with behind(Faults(slicer=100, limit_data=250, latency=0.01)) as proxy:
        assert b"".join(await asked(proxy)) == WORD[:250]
    assert proxy.counted["pieces"] == 3


async def _fates(seed: int) -> list[str]:
    fates = []
    async with behind(Faults(reset=0.5), seed=seed) as proxy:
        for _ in range(20):
            try:
                fates.append("passed" if await asked(proxy) else "nothing")
            except ConnectionResetError:
                fates.append("reset")
    return fates


async def test_the_same_seed_spoils_the_same_connections() -> None:
    """Chances are drawn once a connection, so that a run can be repeated."""
    first = await _fates(1)
    assert set(first) == {"passed", "reset"}
    assert await _fates(1) == first
    assert await _fates(2) != first


async def test_nothing_is_left_open() -> None:
    """At the end of the block the port is closed, also for connections that hang."""
    async with behind(Faults(drop=1.0)) as proxy:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        writer.write(b"hello\n")
        while not proxy.counted["dropped"]:
            await asyncio.sleep(0)
    assert await reader.read() == b""
    writer.close()
    assert not proxy._open
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, proxy.port)


async def test_a_server_that_is_not_there_is_a_closed_connection() -> None:
    """When nobody listens behind the proxy, the connection ends."""
    async with behind(NO_FAULTS) as gone:
        target = gone.target
    async with Proxy(target) as proxy:
        assert await asked(proxy) == []
    assert proxy.counted == {"broken": 1}
