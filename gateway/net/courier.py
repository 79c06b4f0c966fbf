"""Deliveries: many small requests to many origins, each over a connection that is kept, all through the guard.

A general client costs more than the signature of a delivery does. This one knows one thing: send the bytes of a
request, read the status and the first bytes of the answer (httptools, as uvicorn), keep the connection for the next. It
dials only addresses that the guard has judged, and counts every byte it reads.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httptools

from gateway.errors import RemoteUnreachable
from gateway.urls import origin_of

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.net.guard import GuardedBackend
    from gateway.signatures.request import SignedRequest
    from gateway.urls import Origin

CONNECTIONS = 4  # open at a time to one origin
KEEP_ALIVE = 30.0
MAX_IDLE = 2_000  # in all; who waited longest is hung up on
CONNECT_SECONDS = 5.0
FIRST_FINAL = 200


@dataclass(slots=True)
class Reply:
    """A status, header lines (names in lower case) and the first bytes of the body."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)


class _Line(asyncio.Protocol):
    """One connection: one request at a time, its answer counted and parsed as it comes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.is_open = False
        self._waiting: asyncio.Future[Reply] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._reply = Reply()
        self._left = self._limit = 0
        self.hang_up_at: asyncio.TimerHandle | None = None

    # What asyncio tells.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is one by its methods
        self.transport, self.is_open = transport, True

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.close()  # nobody asked for anything
            return
        wanted = data[: self._left]
        self._left -= len(data)
        try:
            self._parser.feed_data(wanted)
            if self._left < 0:
                self._end(None if self._reply.status >= FIRST_FINAL else RemoteUnreachable("a head without an end"))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._end(RemoteUnreachable(f"no HTTP: {error!r}"))

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._reply.status >= FIRST_FINAL and self._waiting is not None:
            self._end(None)  # the status was read; a body may end with the connection
        else:
            self._end(RemoteUnreachable(f"the connection was closed: {error or 'without an answer'}"))

    # What the parser tells.

    def on_message_begin(self) -> None:
        self._reply = Reply()
        if self._waiting is None:
            self.close()  # more than was asked for: nothing of it may answer the next request

    def on_header(self, name: bytes, value: bytes) -> None:
        self._reply.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._reply.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self._reply.body += data[: self._limit - len(self._reply.body)]
        if len(self._reply.body) >= self._limit:
            self._end(None)  # whatever else comes is not wanted

    def on_message_complete(self) -> None:
        if self._reply.status < FIRST_FINAL or self._waiting is None:
            return  # an interim answer: the other one follows
        done, self._waiting = self._waiting, None
        if not self._parser.should_keep_alive():
            self.close()
        if not done.done():
            done.set_result(self._reply)

    def _end(self, problem: RemoteUnreachable | None) -> None:
        """End what is waited for, and the connection with it."""
        done, self._waiting = self._waiting, None
        self.close()
        if done is None or done.done():
            return
        if problem is None:
            done.set_result(self._reply)
        else:
            done.set_exception(problem)

    async def exchange(self, request: bytes, limit: int, head_limit: int) -> Reply:
        """Send a request and return its answer; raise RemoteUnreachable."""
        if self.transport is None or not self.is_open:
            raise RemoteUnreachable("the connection was closed: before it was used")
        self._waiting = asyncio.get_running_loop().create_future()
        self._reply = Reply()  # what was answered before is no answer to this
        self._limit, self._left = limit, limit + head_limit
        self.transport.write(request)
        try:
            return await self._waiting
        except asyncio.CancelledError:
            self._end(None)
            raise

    @property
    def was_answered(self) -> bool:
        """Tell whether anything of an answer came."""
        return bool(self._reply.status)

    def close(self) -> None:
        """Hang up."""
        self.is_open = False
        if self.hang_up_at is not None:
            self.hang_up_at.cancel()
        if self.transport is not None:
            self.transport.close()


@dataclass(slots=True)
class _Lines:
    """The connections to one origin: how many may still be opened, and which wait to be used."""

    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))
    idle: list[_Line] = field(default_factory=list)
    users: int = 0


class Courier:
    """Brings requests to origins."""

    def __init__(self, backend: GuardedBackend, ca_file: Path | None = None) -> None:
        """Take the guard, and a file of further certificate authorities."""
        self._backend = backend
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(ca_file)
        self._origins: dict[Origin, _Lines] = {}
        self._idle: OrderedDict[_Line, Origin] = OrderedDict()

    async def send(self, request: SignedRequest, *, limit: int, head_limit: int) -> Reply:
        """Send one request and return the first ``limit`` bytes of its answer; raise RemoteUnreachable or a kind of it.

        Over a kept connection that was closed meanwhile it is sent once more: a request that is done twice is known by
        its id.
        """
        origin = origin_of(request.target)
        lines = self._origins.setdefault(origin, _Lines())
        lines.users += 1
        try:
            async with lines.room:
                return await self._send(origin, lines, _bytes(request), limit, head_limit)
        finally:
            lines.users -= 1
            if not lines.users and not lines.idle:
                self._origins.pop(origin, None)

    async def _send(self, origin: Origin, lines: _Lines, request: bytes, limit: int, head_limit: int) -> Reply:
        if (line := self._kept(lines)) is not None:
            try:
                return await self._over(line, origin, lines, request, limit, head_limit)
            except RemoteUnreachable:
                if line.was_answered:
                    raise
            for idle in list(lines.idle):  # closed at the same time, most likely
                self._forget(idle, origin)
        line = await self._dial(origin)
        return await self._over(line, origin, lines, request, limit, head_limit)

    async def _over(
        self, line: _Line, origin: Origin, lines: _Lines, request: bytes, limit: int, head_limit: int
    ) -> Reply:
        reply = await line.exchange(request, limit, head_limit)
        if line.is_open:
            self._keep(line, origin, lines)
        return reply

    def _kept(self, lines: _Lines) -> _Line | None:
        """Return a connection that waits to be used: the one used last, because it is the likeliest to be open."""
        while lines.idle:
            line = lines.idle.pop()
            self._idle.pop(line, None)
            if line.hang_up_at is not None:
                line.hang_up_at.cancel()
            if line.is_open:
                return line
        return None

    def _keep(self, line: _Line, origin: Origin, lines: _Lines) -> None:
        line.hang_up_at = asyncio.get_running_loop().call_later(KEEP_ALIVE, self._forget, line, origin)
        lines.idle.append(line)
        self._idle[line] = origin
        if len(self._idle) > MAX_IDLE:
            self._forget(*next(iter(self._idle.items())))

    def _forget(self, line: _Line, origin: Origin) -> None:
        self._idle.pop(line, None)
        line.close()
        lines = self._origins.get(origin)
        if lines is not None and line in lines.idle:
            lines.idle.remove(line)
            if not lines.users and not lines.idle:
                del self._origins[origin]

    async def _dial(self, origin: Origin) -> _Line:
        """Connect to an address that the guard permits; raise RemoteUnreachable."""
        tls = self._tls if origin.scheme == "https" else None
        return await self._backend.open(_Line, origin.host, origin.port, CONNECT_SECONDS, tls)

    async def close(self) -> None:
        """Hang up everywhere."""
        for line in list(self._idle):
            line.close()
        self._idle.clear()
        self._origins.clear()


def _bytes(request: SignedRequest) -> bytes:
    """Return a request as it goes on the wire; names and values were checked when it was made."""
    lines = [f"{request.method} {request.path_and_query} HTTP/1.1"]
    if not any(name.lower() == "host" for name, _ in request.headers):
        lines.append(f"host: {request.authority}")
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.body or request.method == "POST":
        lines.append(f"content-length: {len(request.body)}")
    head = "\r\n".join(lines)
    if "\r\n\r\n" in head or head.count("\n") != len(lines) - 1 or "\0" in head:
        raise RemoteUnreachable(f"{request.target}: a line break in a field")
    return head.encode("latin-1") + b"\r\n\r\n" + request.body
