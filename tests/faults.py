"""A small proxy on loopback that spoils what passes through it: one TCP listener in front of a real server.

The faults are those of toxiproxy, composed in one value: latency with jitter, drop, reset, slicer, limit_data,
slow_close, bandwidth, timeout. Chances are drawn with a seed, once a connection. Everything ends with the block:

    async with Proxy(target_port, Faults(latency=0.2, jitter=0.05), seed=1) as proxy:
        ... connect to proxy.port
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

CHUNK = 64 * 1024
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What happens to a connection and to what comes back through it; the empty value spoils nothing.

    ``latency`` and ``jitter`` are seconds before each piece in either direction. ``drop`` and ``reset`` are shares of
    connections: of a dropped one nothing passes and nothing is closed, a reset one ends with RST at its first byte.
    ``slicer`` is how many bytes a piece of an answer has at most. ``limit_data`` closes after so many bytes of answers.
    ``slow_close`` is how many seconds later than the server the proxy closes. ``bandwidth`` is bytes in a second, of
    answers. ``timeout`` closes after so many seconds, in which nothing passes (0: not at all).
    """

    latency: float = 0.0
    jitter: float = 0.0
    drop: float = 0.0
    reset: float = 0.0
    slicer: int = 0
    limit_data: int | None = None
    slow_close: float = 0.0
    bandwidth: float = 0.0
    timeout: float = 0.0


NO_FAULTS = Faults()


class Proxy:
    """Listens on ``port`` and passes connections on to ``target``, spoiled; ``counted`` says what became of them."""

    def __init__(self, target: int, faults: Faults = NO_FAULTS, *, seed: int = 0, port: int = 0) -> None:
        self.target = target
        self.faults = faults
        self.port = port
        self.counted: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the listener and whatever is still open."""
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What may happen is drawn before anything is done: the same seed spoils the same connections.
        drops, resets = self._chance.random() < self.faults.drop, self._chance.random() < self.faults.reset
        try:
            if drops:
                self.counted["dropped"] += 1
                await asyncio.Event().wait()
            elif self.faults.timeout:
                self.counted["timed out"] += 1
                await asyncio.sleep(self.faults.timeout)
            elif resets:
                await reader.read(1)
                self.counted["reset"] += 1
                _with_reset(writer)
            else:
                await self._pass(reader, writer)
        except OSError:
            self.counted["broken"] += 1
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, self.target)
        there = asyncio.create_task(self._there(reader, far_writer))
        try:
            await self._back(far_reader, writer)
            if self.faults.slow_close:
                self.counted["closed slowly"] += 1
                await asyncio.sleep(self.faults.slow_close)
            self.counted["passed"] += 1
        finally:
            there.cancel()
            await asyncio.gather(there, return_exceptions=True)
            far_writer.close()
            with contextlib.suppress(OSError):
                await far_writer.wait_closed()

    async def _there(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what is asked."""
        while data := await reader.read(CHUNK):
            await self._wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what is answered, in the pieces and as far as the faults let it."""
        left = self.faults.limit_data
        size = self.faults.slicer or CHUNK
        while data := await reader.read(size):
            await self._wait()
            if self.faults.bandwidth:
                await asyncio.sleep(len(data) / self.faults.bandwidth)
            piece = data if left is None else data[:left]
            writer.write(piece)
            await writer.drain()
            self.counted["pieces"] += 1
            if left is not None and (left := left - len(piece)) <= 0:
                self.counted["limited"] += 1
                return

    async def _wait(self) -> None:
        if self.faults.latency or self.faults.jitter:
            spread = self.faults.jitter * (2 * self._chance.random() - 1)
            await asyncio.sleep(max(0.0, self.faults.latency + spread))


def _with_reset(writer: asyncio.StreamWriter) -> None:
    """Let the kernel close with RST instead of FIN."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
