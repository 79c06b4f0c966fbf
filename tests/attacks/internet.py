"""A small internet below the guard: names, addresses, servers on loopback, and a record of every lookup and dial.

The gateway runs with its own resolver, backend and TLS as in production; only what the machine would do is replaced:
looking a name up, and opening a connection. A public address leads to a server here, every other one to a machine
``inside`` that must never hear anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpcore
import pytest
from attacks.registries import is_special
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from peers.plain import PlainPeer, Served

from gateway.net import guard
from gateway.net.client import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from world import ManualClock

    from gateway.net.purpose import Purpose
    from gateway.signatures.request import SignedRequest

PUBLIC_4 = "93.184.216.34"
OTHER_4 = "93.184.215.14"  # where the attacker's own server is
PUBLIC_6 = "2606:2800:220:1:248:1893:25c8:1946"
HOSTS = ("mallory.example", "evil.example", "peer.example", "a.example", "b.example", "other.example", "denied.example")
MAX_HEAD = 1024 * 1024
SECRET = b"what only machines inside may read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request as a server heard it; ``server_name`` is what TLS asked for."""

    base: str
    method: str
    target: str
    lines: tuple[str, ...]
    body: bytes
    server_name: str | None = None


@dataclass(slots=True)
class Site:
    """What stands at one origin: a peer's pages, what some addresses answer to a POST, and what all others answer."""

    peer: PlainPeer
    posts: dict[str, Served] = field(default_factory=dict)
    default: Callable[[Ask], Served] | None = None

    def answer(self, ask: Ask) -> Served:
        """Return the answer to one request."""
        found = self.posts.get(ask.target) if ask.method == "POST" else self.peer.pages.get(ask.target)
        if found is None and self.default is not None:
            return self.default(ask)
        return found or (Served(202, {}, b"") if ask.method == "POST" else Served(404, {}, b""))


@dataclass(slots=True)
class Internet:
    """Names with addresses, sites, and everything that was asked, tried, dialled and heard."""

    clock: ManualClock
    ca_file: Path
    names: dict[str, Sequence[str] | Callable[[], Awaitable[Sequence[str]]]] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)  # by base: scheme and host
    asked: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    dialled: list[tuple[str, int]] = field(default_factory=list)
    heard: list[Ask] = field(default_factory=list)
    inside: list[bytes] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)  # purpose and URL of what the client was asked for
    keeps_alive: bool = False
    secret_port: int = 0
    _ports: dict[int, int] = field(default_factory=dict)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def clear(self) -> None:
        """Forget what was asked, dialled and heard, and everything that a case added."""
        self.keeps_alive = False
        for seen in (self.asked, self.tried, self.dialled, self.heard, self.inside, self.calls):
            seen.clear()
        self.names = {host: [OTHER_4 if host.startswith("mallory") else PUBLIC_4] for host in HOSTS}
        for site in self.sites.values():
            site.default = None
            site.posts.clear()

    def connect(self, base: str, name: str = "m") -> Site:
        """Put a peer at an origin."""
        self.sites[base] = Site(PlainPeer(base, name, self.clock))
        return self.sites[base]

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Look a name up: as told, or as the machine reads a number; nothing else has an address."""
        self.asked.append(host)
        found = self.names.get(host.lower().removesuffix("."))
        if found is not None:
            return list(await found() if callable(found) else found)
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except UnicodeError as error:
            raise OSError(str(error)) from error
        return [str(row[4][0]) for row in rows]

    def way_to(self, address: str, port: int) -> int | None:
        """Return the loopback port that stands behind an address; None when nobody listens there."""
        if is_special(address):
            return self.secret_port
        return self._ports.get(port) if address in (PUBLIC_4, PUBLIC_6, OTHER_4) else None

    async def hang_up(self) -> None:
        """Let every server close the connections that it kept."""
        for writer in self._writers:
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        self._writers.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self._writers.append(writer)
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode("latin-1"):
                await self._reply(head, reader, writer)
                if not self.keeps_alive:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _reply(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        method, _, rest = first.partition(" ")
        secured = writer.get_extra_info("ssl_object")
        scheme, host = "http" if secured is None else "https", fields.get("host", "").removesuffix(".")
        ask = Ask(
            base=f"{scheme}://{host}", method=method,
            target=rest.rpartition(" ")[0], lines=tuple(lines), body=body,
            server_name=getattr(secured, "asked_for", None),
        )  # fmt: skip
        self.heard.append(ask)
        site = self.sites.get(ask.base)
        answer = site.answer(ask) if site is not None else Served(421, {}, b"")
        ending = "keep-alive" if self.keeps_alive else "close"
        headers = {**answer.headers, "content-length": str(len(answer.body)), "connection": ending}
        sent = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        writer.write(f"HTTP/1.1 {answer.status} x\r\n{sent}\r\n".encode() + answer.body)
        await writer.drain()

    async def serve_secret(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer a connection that should never have been made."""
        self._writers.append(writer)
        self.inside.append(await reader.read(65536))
        length = f"content-type: application/activity+json\r\ncontent-length: {len(SECRET)}\r\n"
        writer.write(f"HTTP/1.1 200 x\r\n{length}\r\n".encode() + SECRET)
        writer.close()

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext) -> AsyncIterator[None]:
        """Listen on loopback; afterwards nothing is left."""
        plain = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=MAX_HEAD)
        secure = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls, limit=MAX_HEAD)
        secret = await asyncio.start_server(self.serve_secret, "127.0.0.1", 0)
        self._ports = {80: _port(plain), 443: _port(secure)}
        self.secret_port = _port(secret)
        try:
            yield
        finally:
            for server in (plain, secure, secret):
                server.close()
            for writer in self._writers:
                writer.close()

    @contextlib.contextmanager
    def plugged_in(self) -> Iterator[None]:
        """Let this be the network of everything opened inside: lookups and connections come here, and are counted."""
        dial = httpcore.AnyIOBackend.connect_tcp
        try_to = guard.GuardedBackend.connect_tcp
        line, open_to = guard.dial, guard.GuardedBackend.open
        get, send = Client.get, Client.send

        async def dialled(backend: Any, host: str, port: int, *rest: Any, **more: Any) -> Any:
            if not _is_address(host):  # whoever dials a name has it looked up again, as the machine would
                host = next(iter(await self.resolve(host, port)), "nowhere")
            self.dialled.append((host, port))
            way = self.way_to(host, port)
            if way is None:
                raise httpcore.ConnectError(f"nobody listens at {host} {port}")
            return await dial(backend, "127.0.0.1", way, *rest, **more)

        async def tried(backend: Any, host: str, port: int, *rest: Any, **more: Any) -> Any:
            self.tried.append(host)
            return await try_to(backend, host, port, *rest, **more)

        async def lined(factory: Any, host: str, port: int, *rest: Any) -> Any:
            self.dialled.append((host, port))
            way = self.way_to(host, port)
            if way is None:
                raise ConnectionRefusedError(f"nobody listens at {host} {port}")
            return await line(factory, "127.0.0.1", way, *rest)

        async def opened(backend: Any, factory: Any, host: str, *rest: Any, **more: Any) -> Any:
            self.tried.append(host)
            return await open_to(backend, factory, host, *rest, **more)

        async def got(this: Client, url: str, *, purpose: Purpose, **more: Any) -> Any:
            self.calls.append((purpose.name, url))
            return await get(this, url, purpose=purpose, **more)

        async def sent(this: Client, request: SignedRequest, *, purpose: Purpose) -> Any:
            self.calls.append((purpose.name, request.target))
            return await send(this, request, purpose=purpose)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(guard, "SystemResolver", lambda: self)
            patch.setattr(httpcore.AnyIOBackend, "connect_tcp", dialled)
            patch.setattr(guard.GuardedBackend, "connect_tcp", tried)
            patch.setattr(guard, "dial", lined)
            patch.setattr(guard.GuardedBackend, "open", opened)
            patch.setattr(Client, "get", got)
            patch.setattr(Client, "send", sent)
            yield

    def forbidden(self) -> list[tuple[str, int]]:
        """Return every dial that should not have been: a special address, or a port that no peer has."""
        return [(address, port) for address, port in self.dialled if is_special(address) or port not in (80, 443)]

    def asked_too_often(self) -> Counter[str]:
        """Return the names that were looked up more often than somebody tried to connect to them."""
        return Counter(self.asked) - Counter(name.removesuffix(".") for name in self.tried)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def certified(root: Path) -> tuple[Path, ssl.SSLContext]:
    """Make an authority and one certificate for every host; return the authority's file and the servers' context."""
    now, keys = datetime.now(UTC), [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("test authority", "servers")]

    def signed(index: int, *extensions: x509.ExtensionType) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[index])
            .issuer_name(names[0])
            .public_key(keys[index].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[index].public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=index == 0)
        return builder.sign(keys[0], hashes.SHA256())

    served = [x509.DNSName(host) for host in HOSTS]
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in (PUBLIC_4, PUBLIC_6)]
    may = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    usage = x509.KeyUsage(**may, key_cert_sign=True, crl_sign=True)
    chain = [
        signed(0, x509.BasicConstraints(ca=True, path_length=None), usage),
        signed(1, x509.SubjectAlternativeName([*served, *addresses])),
    ]
    pem = serialization.Encoding.PEM
    root.mkdir(parents=True, exist_ok=True)
    authority, server, key = (root / name for name in ("authority.pem", "server.pem", "server.key"))
    authority.write_bytes(chain[0].public_bytes(pem))
    server.write_bytes(chain[1].public_bytes(pem))
    key.write_bytes(keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server, key)

    def note(connection: Any, name: str | None, _context: ssl.SSLContext) -> None:
        connection.asked_for = name

    context.sni_callback = note
    return authority, context
