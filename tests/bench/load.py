"""Sends requests that were made before, over kept connections, with little work of its own.

What is measured must be the receiver: a general client takes longer to send a request than a gateway to answer it, and
the receiver would seem to have nothing to do between two of them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httptools
import uvloop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.signatures.request import SignedRequest

SECONDS = 180.0
AT_ONCE = 32
ACCEPTED = 202


class _Line(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in net/courier.py
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        assert self._answer is not None
        if self._answer.done():
            return  # whoever asked has given up
        self._answer.set_result((self._parser.get_status_code(), self._body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed without an answer"))

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send the bytes of a request; return the status and the body of its answer."""
        assert self._transport is not None
        self._body, self._answer = b"", asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    @property
    def is_open(self) -> bool:
        """Tell whether a request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


@dataclass(slots=True)
class Load:
    """Requests for whoever listens at an address of this machine; all must be answered 202."""

    address: str
    waits: list[float] = field(default_factory=list)  # seconds, each from when it was to be sent
    _idle: list[_Line] = field(default_factory=list)
    _all: list[_Line] = field(default_factory=list)

    async def at_once(self, requests: Sequence[SignedRequest], many: int) -> None:
        """Send all, so many at a time."""
        left = iter([_bytes(request) for request in requests])

        async def sender() -> None:
            for request in left:
                await self._one(request)

        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(sender() for _ in range(many)))

    async def paced(self, requests: Sequence[SignedRequest], pause: float) -> None:
        """Send each at its time, whatever became of those before."""
        loop = asyncio.get_running_loop()
        made = [_bytes(request) for request in requests]
        began = loop.time() + 0.1

        async def one(number: int, request: bytes) -> None:
            due = began + number * pause
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._one(request)
            self.waits.append(loop.time() - due)

        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(one(number, request) for number, request in enumerate(made)))

    async def _one(self, request: bytes) -> None:
        while self._idle and not self._idle[-1].is_open:
            self._idle.pop()
        line = self._idle.pop() if self._idle else await self._connected()
        status, body = await line.send(request)
        assert status == ACCEPTED, (status, body[:500])
        self._idle.append(line)

    async def _connected(self) -> _Line:
        to = urlsplit(self.address)
        assert to.hostname is not None
        assert to.port is not None
        _, line = await asyncio.get_running_loop().create_connection(_Line, to.hostname, to.port)
        self._all.append(line)
        return line

    async def close(self) -> None:
        """Hang up."""
        for line in self._all:
            line.close()
        await asyncio.sleep(0)


def send_all(address: str, requests: Sequence[SignedRequest], at_once: int = AT_ONCE) -> None:
    """Send requests, so many at a time."""

    async def whole() -> None:
        load = Load(address)
        try:
            await load.at_once(requests, at_once)
        finally:
            await load.close()

    uvloop.run(whole())


def waits_when_paced(address: str, requests: Sequence[SignedRequest], pause: float) -> list[float]:
    """Send a request every ``pause`` seconds; return how many seconds each waited for its answer."""

    async def whole() -> list[float]:
        load = Load(address)
        try:
            await load.paced(requests, pause)
        finally:
            await load.close()
        return load.waits

    return uvloop.run(whole())


def _bytes(request: SignedRequest) -> bytes:
    """Return a request as it goes on the wire; its Host is that of its target, wherever it is sent."""
    host, path = request.target.removeprefix("http://").split("/", 1)
    fields = {**dict(request.headers), "host": host, "content-length": str(len(request.body))}
    head = "\r\n".join([f"{request.method} /{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())])
    return head.encode() + b"\r\n\r\n" + request.body
