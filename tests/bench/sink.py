"""Servers that take every delivery: one process, a thousand loopback addresses on one port, each an origin of its own.

Prints its port when it listens. ``python sink.py [CERTIFICATE KEY]``; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys

ANSWER = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
END = b"\r\n\r\n"
ADDRESSES = [f"127.0.{n // 250 + 1}.{n % 250 + 1}" for n in range(1_000)]


class Sink(asyncio.Protocol):
    """Answers each request as soon as its body is there."""

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is one by its methods
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._held += data
        while (end := self._held.find(END)) >= 0:
            head = self._held[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._held) < end + 4 + length:
                return
            self._held = self._held[end + 4 + length :]
            self._transport.write(ANSWER)


async def main() -> None:
    """Listen until standard input ends."""
    tls = None
    if len(sys.argv) > 1:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[1], sys.argv[2])
    loop = asyncio.get_running_loop()
    first = await loop.create_server(Sink, "127.0.0.1", 0, ssl=tls, backlog=4096)
    port = first.sockets[0].getsockname()[1]
    await loop.create_server(Sink, ADDRESSES, port, ssl=tls, backlog=64)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    ended = asyncio.Event()

    def look() -> None:
        if not os.read(sys.stdin.fileno(), 64):
            ended.set()

    loop.add_reader(sys.stdin.fileno(), look)
    await ended.wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
