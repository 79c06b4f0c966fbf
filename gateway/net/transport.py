"""An httpx transport over one small httpcore pool an origin, all through the guard.

httpx's own pool scans every connection for each request; one pool an origin does not.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from typing import TYPE_CHECKING

import httpcore
import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.net.guard import GuardedBackend

MAX_POOLS = 500
CONNECTIONS = 4
KEEP_ALIVE = 30.0


class _Body(httpx.AsyncByteStream):
    """The bytes of an answer as they come."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        """Give the connection back."""
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


class OriginTransport(httpx.AsyncBaseTransport):
    """Hands each request to the pool of its origin."""

    def __init__(self, backend: GuardedBackend, ca_file: Path | None = None) -> None:
        self._backend = backend
        self._tls = ssl.create_default_context()
        if ca_file is not None:
            self._tls.load_verify_locations(ca_file)
        self._pools: OrderedDict[tuple[bytes, bytes, int | None], httpcore.AsyncConnectionPool] = OrderedDict()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return its answer, body unread."""
        url = request.url
        pool = await self._pool((url.raw_scheme, url.raw_host, url.port))
        content = await request.aread()
        answer = await pool.handle_async_request(
            httpcore.Request(
                method=request.method.encode("ascii"),
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=content,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),  # type: ignore[arg-type]  # asynchronous, because the pool is
            extensions=answer.extensions,
        )

    async def _pool(self, origin: tuple[bytes, bytes, int | None]) -> httpcore.AsyncConnectionPool:
        pool = self._pools.get(origin)
        if pool is None:
            pool = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=CONNECTIONS,
                max_keepalive_connections=CONNECTIONS,
                keepalive_expiry=KEEP_ALIVE,
                network_backend=self._backend,
            )
            self._pools[origin] = pool
        self._pools.move_to_end(origin)
        if len(self._pools) > MAX_POOLS:
            idle = next((key for key, other in self._pools.items() if not _busy(other)), None)
            if idle is not None and idle != origin:
                await self._pools.pop(idle).aclose()
        return pool

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()


def _busy(pool: httpcore.AsyncConnectionPool) -> bool:
    return any(not connection.is_idle() for connection in pool.connections)
