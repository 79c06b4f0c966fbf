"""Transports and servers that answer as told."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence


@dataclass(slots=True)
class Told(httpx.AsyncBaseTransport):
    """Answers each request with what a function says; writes requests down."""

    answer: Callable[[httpx.Request], httpx.Response]
    requests: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


class Silent(httpx.AsyncBaseTransport):
    """Never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        await asyncio.Event().wait()
        raise AssertionError


@dataclass(slots=True)
class Names:
    """A resolver that knows what it is told, and writes down what it was asked."""

    known: dict[str, Sequence[str]]
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        del port
        self.asked.append(host)
        if host not in self.known:
            raise OSError("no such name")
        return self.known[host]


@dataclass(slots=True)
class Rebinding:
    """A resolver that gives another answer each time."""

    answers: list[Sequence[str]]

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        del host, port
        return self.answers.pop(0)


@dataclass(slots=True)
class Listening:
    """A loopback server that answers every request on a connection with the same bytes."""

    port: int
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def listening(answer: bytes, host: str = "127.0.0.1") -> AsyncIterator[Listening]:
    """Serve ``answer`` on a free loopback port."""
    state = Listening(0)
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.connections += 1
        writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                state.requests.append(head)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, host, 0)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()
