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
from typing import TYPE_CHECKING, Protocol

import httpcore

from gateway.errors import AddressRefused, RemoteUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_ADDRESSES = 16
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_FORBIDDEN_4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_FORBIDDEN_6 = tuple(
    ipaddress.IPv6Network(block)
    for block in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


class Resolver(Protocol):
    """Turns a host name into addresses."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return address literals; raise OSError when there are none."""
        ...


class SystemResolver:
    """The machine's own resolver."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return each address once, in the order the system prefers."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


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
        if any(address in network for network in self._allowed if network.version == address.version):
            return True
        if inner is not None and not self.permits(str(inner)):
            return False
        return _is_global(address)


def _is_global(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in block for block in _FORBIDDEN_4)
    return address in _UNICAST_6 and not any(address in block for block in _FORBIDDEN_6)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


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
        """Connect to ``host``; raise AddressRefused when any of its addresses is forbidden."""
        addresses = await self._checked(host, port, timeout)
        problem: Exception | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise RemoteUnreachable(f"{host}: {problem}")

    async def _checked(self, host: str, port: int, seconds: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(seconds):
                addresses = list(await self._resolver.resolve(host, port))[:MAX_ADDRESSES]
        except (OSError, UnicodeError, TimeoutError) as error:
            raise RemoteUnreachable(f"{host} does not resolve: {error}") from error
        if not addresses:
            raise RemoteUnreachable(f"{host} has no address")
        if forbidden := [address for address in addresses if not self._policy.permits(address)]:
            raise AddressRefused(f"{host} resolves to {forbidden[0]}")
        return addresses

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
