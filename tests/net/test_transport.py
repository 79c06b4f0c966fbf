"""One small pool an origin, over a real loopback server."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest
from net.answers import Names, listening

from gateway.errors import AddressRefused, RemoteUnreachable
from gateway.net import client as client_module
from gateway.net import transport as module
from gateway.net.client import Client, UrlPolicy
from gateway.net.guard import AddressPolicy, GuardedBackend
from gateway.net.purpose import PAGE
from gateway.net.transport import OriginTransport

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello"
NAMES = {name: ["127.0.0.1"] for name in ("a.example", "b.example", "c.example")}


def transport(**how: object) -> OriginTransport:
    """Return a transport that may dial loopback and knows three names."""
    return OriginTransport(GuardedBackend(AddressPolicy(["127.0.0.0/8"]), Names(dict(NAMES))), **how)  # type: ignore[arg-type]


def client(used: OriginTransport) -> Client:
    """Return a client for plain http on any port."""
    return Client(policy=UrlPolicy(takes_http=True, any_port=True), transport=used, user_agent="test/1")


async def test_a_request_over_a_real_connection() -> None:
    """Request and answer pass through httpcore; the connection is used again."""
    used = client(transport())
    async with listening(ANSWER) as server:
        for _ in range(2):
            answer = await used.get(f"http://a.example:{server.port}/x?y=1", accept="*/*", purpose=PAGE)
            assert (answer.status, answer.body) == (200, b"hello")
        assert server.connections == 1
        assert server.requests[0].startswith(b"GET /x?y=1 HTTP/1.1\r\n")
        await used.close()


async def test_an_origin_has_its_own_pool_and_idle_ones_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the oldest idle pool is closed."""
    monkeypatch.setattr(module, "MAX_POOLS", 2)
    inner = transport()
    used = client(inner)
    async with listening(ANSWER) as server:
        for host in ("a", "b", "c"):
            await used.get(f"http://{host}.example:{server.port}/", accept="*/*", purpose=PAGE)
        assert [key[1] for key in inner._pools] == [b"b.example", b"c.example"]
        await used.close()


async def test_a_busy_pool_is_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection in use outlives the limit."""
    monkeypatch.setattr(module, "MAX_POOLS", 1)
    inner = transport()
    async with listening(ANSWER) as server:
        busy = await inner.handle_async_request(httpx.Request("GET", f"http://a.example:{server.port}/"))
        idle = await inner.handle_async_request(httpx.Request("GET", f"http://b.example:{server.port}/"))
        assert len(inner._pools) == 2
        assert await busy.aread() == await idle.aread() == b"hello"
        await busy.aclose()
        await idle.aclose()
        await inner.aclose()


async def test_the_guard_is_on_the_way() -> None:
    """A forbidden address and an unknown name come out as our own errors."""
    strict = client(OriginTransport(GuardedBackend(AddressPolicy(), Names(dict(NAMES)))))
    with pytest.raises(AddressRefused):
        await strict.get("http://a.example/", accept="*/*", purpose=PAGE)
    with pytest.raises(RemoteUnreachable):
        await strict.get("http://x.example/", accept="*/*", purpose=PAGE)
    await strict.close()


async def test_a_silent_handshake_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts the connection and never speaks TLS is unreachable, not a fault of ours."""
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", 0.05)
    used = client(transport())
    async with listening(ANSWER) as server:
        with pytest.raises(RemoteUnreachable):
            await used.get(f"https://a.example:{server.port}/", accept="*/*", purpose=PAGE)
        await used.close()


async def test_a_server_that_speaks_no_http_is_unreachable() -> None:
    """Nonsense instead of an answer is a fault of the other side."""
    used = client(transport())
    async with listening(b"nonsense\r\n\r\n") as server:
        with pytest.raises(RemoteUnreachable):
            await used.get(f"http://a.example:{server.port}/", accept="*/*", purpose=PAGE)
        await used.close()


def test_further_certificate_authorities(tmp_path: Path) -> None:
    """A PEM file adds authorities to those of the system; one that is not there fails at once."""
    pem = tmp_path / "ca.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", str(tmp_path / "key"), "-out", str(pem),
         "-subj", "/CN=test"],
        check=True, capture_output=True,
    )  # fmt: skip
    before = transport()._tls.cert_store_stats()["x509"]
    assert transport(ca_file=pem)._tls.cert_store_stats()["x509"] == before + 1
    with pytest.raises(FileNotFoundError):
        transport(ca_file=tmp_path / "nothing.pem")
