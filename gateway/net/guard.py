"""Which addresses may be dialled, decided after resolving and before connecting.

Global unicast only: IPv4 outside every special-purpose block, IPv6 inside 2000::/3 minus what is
reserved there; addresses that embed an IPv4 address are judged by that one too. Source: the IANA
special-purpose registries. ``ipaddress.is_global`` is not enough: it lets NAT64, 6to4, multicast and
site-local through.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import httpcore

from gateway.errors import AddressRefused, RemoteUnreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Sequence

MAX_ADDRESSES = 64  # every answer is checked; a name with more is no server
MAX_DIALLED = 2  # of each family, as Mastodon does
DNS_SECONDS = 5.0
DNS_THREADS = 256  # lookups that hang hold one each, long after they were given up here
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_FORBIDDEN_4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # in no registry: a cloud answers its machines there
    )
)  # fmt: skip
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_FORBIDDEN_6 = tuple(
    ipaddress.IPv6Network(block)
    for block in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20")
)
_NAT64 = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48")))  # RFC 6052, RFC 8215
_COMPATIBLE = ipaddress.IPv6Network("::/96")


# Names that mean something only on some networks, or nothing anywhere (RFC 6761, 6762, 7686, 8375, 9476).
_SPECIAL_NAMES = frozenset(
    {"localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa",
     "onion", "i2p", "alt", "test", "invalid"}
)  # fmt: skip


def is_special_name(host: str) -> bool:
    """Tell whether a name cannot be somebody's public server: one label alone, or a special-use domain."""
    name = host.lower().removesuffix(".")
    if ":" in name or name.replace(".", "").isdigit():
        return False  # a literal: its address decides
    return "." not in name or any(name == special or name.endswith(f".{special}") for special in _SPECIAL_NAMES)


class Meter:
    """How many bytes one request may still read off the wire, headers and interim answers included."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def count(self, size: int) -> None:
        """Count bytes; raise httpcore's ReadError when there are too many."""
        self.left -= size
        if self.left < 0:
            raise httpcore.ReadError("more bytes than the answer may have")


Line = TypeVar("Line", bound=asyncio.Protocol)
METER: ContextVar[Meter | None] = ContextVar("meter", default=None)


class Resolver(Protocol):
    """Turns a host name into addresses."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return address literals; raise OSError when there are none."""
        ...


class SystemResolver:
    """The machine's own resolver, on threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return each address once, in the order the system prefers."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _look_up(host: str, port: int) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


class AddressPolicy:
    """Says which addresses may be dialled; ``allowed`` are networks that the admin opened."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(ipaddress.ip_network(network) for network in allowed)

    def permits(self, text: str) -> bool:
        """Tell whether an address literal may be dialled."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        inner = _embedded(address)
        if inner is not None and not self.permits(str(inner)):
            return False  # also where the admin opened NAT64: the way to IPv4 is open, not to what is private there
        return self.is_opened(text) or _is_global(address)

    def is_opened(self, text: str) -> bool:
        """Tell whether the admin opened this very address."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return any(address in network for network in self._allowed if network.version == address.version)


def _is_global(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in block for block in _FORBIDDEN_4)
    return address in _UNICAST_6 and not any(address in block for block in _FORBIDDEN_6)


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in block for block in _NAT64) or (
        address in _COMPATIBLE and not (address.is_loopback or address.is_unspecified)
    ):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


class GuardedStream(httpcore.AsyncNetworkStream):
    """A connection whose bytes are counted against the request that reads them."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        """Read and count; raise httpcore.ReadError when the answer is longer than its purpose allows."""
        found = await self._inner.read(max_bytes, timeout)
        meter = METER.get()
        if meter is not None:
            meter.count(len(found))
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's signature
        """Write."""
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Hang up."""
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:  # fmt: skip
        """Return the same connection under TLS."""
        return GuardedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore wants to know about the socket."""
        return self._inner.get_extra_info(info)


async def dial(
    factory: Callable[[], Line], address: str, port: int, tls: ssl.SSLContext | None, name: str | None
) -> Line:
    """Connect to an address that was judged; under TLS to whoever proves to be ``name``."""
    loop = asyncio.get_running_loop()
    _, line = await loop.create_connection(factory, address, port, ssl=tls, server_hostname=name)
    return line


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves once, checks every address, dials a checked one: what was judged is what is connected."""

    def __init__(self, policy: AddressPolicy, resolver: Resolver | None = None) -> None:
        self._policy = policy
        self._resolver = resolver or SystemResolver()
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to ``host`` within ``timeout`` seconds; raise AddressRefused when one is forbidden."""
        addresses = await self.checked(host, port)
        problem: Exception | None = None
        try:
            async with asyncio.timeout(timeout):
                for address in addresses:
                    try:
                        return GuardedStream(
                            await self._inner.connect_tcp(address, port, None, local_address, socket_options)
                        )
                    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                        problem = error
        except TimeoutError as error:
            problem = problem or error
        raise RemoteUnreachable(f"{host}: {str(problem or '') or 'no answer'}")

    async def open(
        self, factory: Callable[[], Line], host: str, port: int, timeout: float, tls: ssl.SSLContext | None = None  # noqa: ASYNC109 - as connect_tcp
    ) -> Line:  # fmt: skip
        """Connect a protocol of asyncio's to a checked address, ``timeout`` seconds for each that is tried."""
        problem: Exception | None = None
        for address in await self.checked(host, port):
            try:
                async with asyncio.timeout(timeout):
                    return await dial(factory, address, port, tls, host if tls is not None else None)
            except (OSError, TimeoutError) as error:  # what TLS finds is an OSError, too
                problem = error
        raise RemoteUnreachable(f"{host}: {str(problem or '') or 'no answer'}")

    async def checked(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses to dial, at most two of each family; every address of the name was checked."""
        host = host.removesuffix(".")
        try:
            async with asyncio.timeout(DNS_SECONDS):
                addresses = [host] if _is_literal(host) else list(await self._resolver.resolve(host, port))
        except (OSError, UnicodeError, TimeoutError) as error:
            raise RemoteUnreachable(f"{host} does not resolve: {error}") from error
        if not addresses:
            raise RemoteUnreachable(f"{host} has no address")
        if len(addresses) > MAX_ADDRESSES:
            raise AddressRefused(f"{host} has {len(addresses)} addresses")
        special = is_special_name(host)
        for address in addresses:
            if not self._policy.permits(address) or (special and not self._policy.is_opened(address)):
                raise AddressRefused(f"{host} resolves to {address}")
        families: dict[bool, list[str]] = {True: [], False: []}
        for address in addresses:
            families[":" in address].append(address)
        dialled = {*families[True][:MAX_DIALLED], *families[False][:MAX_DIALLED]}
        return [address for address in addresses if address in dialled]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no peer lives on a local socket."""
        raise AddressRefused(path)

    async def sleep(self, seconds: float) -> None:
        """Wait (httpcore asks for this between connection attempts)."""
        await self._inner.sleep(seconds)
