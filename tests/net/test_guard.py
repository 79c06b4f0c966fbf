"""Which addresses may be dialled, and that the dialled one is the checked one."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpcore
import pytest
from net.answers import Names, Rebinding, listening

from gateway.errors import AddressRefused, RemoteUnreachable
from gateway.net import guard
from gateway.net.guard import (
    DNS_THREADS,
    MAX_ADDRESSES,
    METER,
    AddressPolicy,
    GuardedBackend,
    GuardedStream,
    Meter,
    SystemResolver,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOPBACK = ("127.0.0.0/8", "::1/128")
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
PUBLIC = "93.184.215.14"

FORBIDDEN = (
    # IPv4: this network, private, CGNAT, loopback, link-local (cloud metadata), protocol, documentation, 6to4 relay,
    # benchmarking, AS112, multicast, reserved, broadcast.
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.0.1",  # noqa: S104
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1",
    "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    # IPv6: unspecified, loopback, link-local, site-local, unique local, multicast, documentation, discard, Teredo,
    # ORCHID, benchmarking, AS112, 6bone.
    "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd12:3456::1", "ff02::1", "ff0e::1",
    "2001:db8::1", "3fff::1", "100::1", "2001::1", "2001:10::1", "2001:20::1", "2001:2::1", "2620:4f:8000::1",
    "3ffe::1", "5f00::1", "4000::1", "64:ff9b:1::1",
    # IPv4 inside IPv6: mapped, compatible, NAT64, 6to4, Teredo; also with a public address inside.
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.215.14", "::127.0.0.1", "::93.184.215.14",
    "64:ff9b::127.0.0.1", "64:ff9b::a00:1", "64:ff9b::5db8:d70e", "2002:7f00:1::1", "2002:5db8:d70e::1",
    "2002:d83a:d78e::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:a28:1ff::1",
    # No address at all.
    "", "localhost", "1.2.3", "2130706433", "0x7f.1", "127.1", "::1/128", "1.2.3.4:80",
)  # fmt: skip
ALLOWED = ("1.1.1.1", "8.8.8.8", PUBLIC, "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1", "192.0.1.1",
           "198.17.255.255", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1", "2620:4f:8001::1",
           "2001:200::1", "2003::1")  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_special_addresses_are_forbidden(address: str) -> None:
    """Everything that is not plainly somebody's public unicast address is not dialled."""
    assert not AddressPolicy().permits(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_public_unicast_is_dialled(address: str) -> None:
    """Public addresses next to the special blocks are fine."""
    assert AddressPolicy().permits(address)


# The special-purpose blocks of IANA's registries, and one address that a cloud keeps for itself.
BLOCKS = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/3", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16", "3fff::/20", "4000::/2",
        "8000::/1",
    )
)  # fmt: skip


def neighbours(
    block: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Return the addresses just before and just after a block, where there are any."""
    first, last, bits = int(block[0]), int(block[-1]), block.max_prefixlen
    kind = ipaddress.IPv4Address if block.version == 4 else ipaddress.IPv6Address
    return [kind(number) for number in (first - 1, last + 1) if 0 <= number < 2**bits]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_ends_where_the_registry_says(block: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    """The first and the last address of a special block are forbidden, its neighbours unless they are special too."""
    policy = AddressPolicy()
    assert not policy.permits(str(block[0]))
    assert not policy.permits(str(block[-1]))
    for address in neighbours(block):
        assert policy.permits(str(address)) is not any(address in other for other in BLOCKS), address


def test_nothing_that_is_no_address_is_opened() -> None:
    """A name or a network is not an address that an admin opened, whatever networks are open."""
    policy = AddressPolicy(["0.0.0.0/0", "::/0"])
    assert policy.is_opened("10.0.0.1")
    assert not policy.is_opened("localhost")
    assert not policy.is_opened("10.0.0.0/8")
    assert not policy.permits("localhost")


def test_an_admin_opens_networks() -> None:
    """A listed network may be dialled, in its own family only, and nothing beside it."""
    policy = AddressPolicy(["10.1.0.0/16", "fd00::/8"])
    assert policy.permits("10.1.2.3")
    assert policy.permits("fd00::1")
    assert not policy.permits("10.2.0.1")
    assert not policy.permits("fe80::1")
    assert not policy.permits("::ffff:10.2.0.1")


def test_an_address_inside_an_address_is_judged_too() -> None:
    """An opened way from IPv6 to IPv4, such as NAT64, does not open the private IPv4 behind it, unless that is open."""
    assert not AddressPolicy(["10.0.0.0/8"]).permits("2002:7f00:1::1")
    for way, public, private in (
        ("2002::/16", "2002:5db8:d822::1", "2002:7f00:1::1"),
        ("64:ff9b::/96", "64:ff9b::5db8:d822", "64:ff9b::a9fe:a9fe"),
    ):
        assert AddressPolicy([way]).permits(public)
        assert not AddressPolicy([way]).permits(private)
        assert AddressPolicy([way, "127.0.0.0/8", "169.254.169.254/32"]).permits(private)


def test_the_loopback_of_ipv6_is_its_own() -> None:
    """Opening ::1 opens it: it is no IPv4 address in disguise."""
    assert AddressPolicy(["::1/128"]).permits("::1")
    assert not AddressPolicy(["::1/128"]).permits("::2")
    assert not AddressPolicy([]).permits("::1")


pytestmark = pytest.mark.anyio


async def connect(backend: GuardedBackend, port: int, host: str = "peer.example") -> None:
    """Connect and hang up."""
    stream = await backend.connect_tcp(host, port, timeout=5)
    await stream.aclose()


async def test_the_checked_address_is_the_one_that_is_dialled() -> None:
    """The name is resolved once; the connection goes to the checked literal, not to the name again."""
    names = Names({"peer.example": ["127.0.0.1"]})
    async with listening(ANSWER) as server:
        await connect(GuardedBackend(AddressPolicy(LOOPBACK), names), server.port)
        assert server.connections == 1
    assert names.asked == ["peer.example"]


async def test_every_address_is_checked() -> None:
    """One forbidden address among good ones refuses the whole name."""
    backend = GuardedBackend(AddressPolicy(), Names({"peer.example": [PUBLIC, "10.0.0.1"]}))
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1"):
        await connect(backend, 443)


async def test_a_rebinding_name_gains_nothing() -> None:
    """A name that turns into a loopback address is refused, whatever it was a moment ago."""
    rebinding = Rebinding([["127.0.0.1"], ["10.0.0.1"]])
    backend = GuardedBackend(AddressPolicy(LOOPBACK), rebinding)
    async with listening(ANSWER) as server:
        await connect(backend, server.port)
        with pytest.raises(AddressRefused):
            await connect(backend, server.port)
        assert server.connections == 1


@pytest.mark.parametrize("literal", ["127.0.0.1", "::1", "169.254.169.254"])
async def test_a_literal_is_no_way_around(literal: str) -> None:
    """An address in the URL is checked like a resolved one."""
    with pytest.raises(AddressRefused):
        await connect(GuardedBackend(AddressPolicy(), Names({literal: [literal]})), 80, literal)


async def test_the_next_address_is_tried() -> None:
    """When one checked address does not answer, the next one does."""
    async with listening(ANSWER) as server:
        names = Names({"peer.example": ["::1", "127.0.0.1"]})
        await connect(GuardedBackend(AddressPolicy(LOOPBACK), names), server.port)
        assert server.connections == 1


async def test_nobody_answers() -> None:
    """When no address answers, the peer is unreachable."""
    async with listening(ANSWER) as server:
        free = server.port
    with pytest.raises(RemoteUnreachable, match=r"peer\.example"):
        await connect(GuardedBackend(AddressPolicy(LOOPBACK), Names({"peer.example": ["127.0.0.1"]})), free)


@pytest.mark.parametrize(
    ("known", "reason"), [({}, "does not resolve: no such name"), ({"peer.example": []}, "has no address")]
)
async def test_a_name_without_address(known: dict[str, Sequence[str]], reason: str) -> None:
    """A name that does not resolve, or to nothing, is unreachable and says why."""
    with pytest.raises(RemoteUnreachable, match=f"peer.example {reason}"):
        await connect(GuardedBackend(AddressPolicy(), Names(known)), 443)


async def test_only_a_few_addresses_are_dialled() -> None:
    """Every address is checked; two of each family are dialled at most, in the order they came."""
    many = ["1.1.1.1", "2606:4700::1", "1.1.1.2", "1.1.1.3", "2606:4700::2", "2606:4700::3"]
    backend = GuardedBackend(AddressPolicy(), Names({"peer.example": many}))
    dialled = await backend.checked("peer.example", 443)
    assert dialled == ["1.1.1.1", "2606:4700::1", "1.1.1.2", "2606:4700::2"]
    with pytest.raises(AddressRefused):
        await connect(GuardedBackend(AddressPolicy(), Names({"peer.example": [*many, "10.0.0.1"]})), 443)


async def test_a_name_with_very_many_addresses_is_refused() -> None:
    """No server has hundreds of addresses."""
    many = [f"1.1.{number // 250}.{number % 250 + 1}" for number in range(MAX_ADDRESSES + 1)]
    with pytest.raises(AddressRefused, match="addresses"):
        await connect(GuardedBackend(AddressPolicy(), Names({"peer.example": many})), 443)
    assert MAX_ADDRESSES == 64
    most = GuardedBackend(AddressPolicy(), Names({"peer.example": many[:MAX_ADDRESSES]}))
    assert await most.checked("peer.example", 443) == many[:2]


SPECIAL = ("redis", "localhost", "x.localhost", "x.local", "x.internal", "x.onion", "x.test", "x.home.arpa",
           "X.Internal.", "x.i2p", "x.invalid", "x.alt", "metadata.google.internal", "x.localdomain", "x.intranet",
           "x.private", "x.corp", "x.home", "x.lan")  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL)
async def test_special_names_are_refused_whatever_they_resolve_to(name: str) -> None:
    """A name that is nobody's public server is not dialled, not even at a public address."""
    assert guard.is_special_name(name)
    with pytest.raises(AddressRefused):
        await connect(GuardedBackend(AddressPolicy(), Names({name.removesuffix("."): [PUBLIC]})), 443, name)


@pytest.mark.parametrize("name", ["redis", "x.internal"])
async def test_an_admin_may_open_what_special_names_stand_for(name: str) -> None:
    """On a closed network whose addresses the admin listed, its own names are dialled."""
    async with listening(ANSWER) as server:
        await connect(GuardedBackend(AddressPolicy(LOOPBACK), Names({name: ["127.0.0.1"]})), server.port, name)
        assert server.connections == 1


@pytest.mark.parametrize("name", ["peer.example", "test.example", "notlocal.example", "1.1.1.1", "::1"])
def test_other_names_are_not_special(name: str) -> None:
    """Whole labels at the end decide; literals are judged by their address."""
    assert not guard.is_special_name(name)


async def test_a_hanging_resolver_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose resolver never answers is unreachable after its time, and nothing is dialled."""

    class Hanging:
        """Never answers."""

        async def resolve(self, _host: str, _port: int) -> list[str]:
            await asyncio.Event().wait()
            return []

    monkeypatch.setattr(guard, "DNS_SECONDS", 0.01)
    with pytest.raises(RemoteUnreachable, match="does not resolve"):
        await connect(GuardedBackend(AddressPolicy(), Hanging()), 443)


async def test_connecting_takes_its_time_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses of a name together get one connection time-out, not one each."""

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", never)
    backend = GuardedBackend(AddressPolicy(), Names({"peer.example": ["1.1.1.1", "1.1.1.2"]}))
    with pytest.raises(RemoteUnreachable, match=r"peer\.example"):
        await backend.connect_tcp("peer.example", 443, timeout=0.01)


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ([httpcore.ConnectError("refused"), httpcore.ConnectError("no route")], "no route"),
        ([httpcore.ConnectTimeout("slow"), httpcore.ConnectTimeout("slower")], "slower"),
        ([httpcore.ConnectError("refused"), TimeoutError()], "refused"),
        ([TimeoutError()], "no answer"),
    ],
    ids=range(4),
)
async def test_the_last_reason_is_told(monkeypatch: pytest.MonkeyPatch, raised: list[Exception], reason: str) -> None:
    """A peer that no connection reaches is unreachable by name, with what its last address said, or no answer."""
    left = list(raised)

    async def fails(*_: object) -> None:
        raise left.pop(0)

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", fails)
    backend = GuardedBackend(AddressPolicy(), Names({"peer.example": ["1.1.1.1", "1.1.1.2"]}))
    with pytest.raises(RemoteUnreachable, match=rf"peer\.example: {reason}$"):
        await backend.connect_tcp("peer.example", 443, timeout=5)


@dataclass(slots=True)
class Wire(httpcore.AsyncNetworkStream):
    """A connection that gives what it is told and writes down what it was asked for."""

    content: bytes = b""
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.asked.append(("read", max_bytes, timeout))
        return self.content[:max_bytes]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.asked.append(("write", buffer, timeout))

    async def aclose(self) -> None:
        self.asked.append(("close",))

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append(("tls", ssl_context, server_hostname, timeout))
        return self

    def get_extra_info(self, info: str) -> Any:
        return f"the {info}"


@pytest.mark.parametrize(
    ("host", "dialled", "asked"),
    [
        ("peer.example", "1.1.1.1", ["peer.example"]),
        ("peer.example.", "1.1.1.1", ["peer.example"]),
        ("8.8.8.8", "8.8.8.8", []),
        ("8.8.8.8.", "8.8.8.8", []),
        ("2606:4700::1111", "2606:4700::1111", []),
    ],
)
async def test_an_address_is_not_looked_up(host: str, dialled: str, asked: list[str]) -> None:
    """A literal is its own answer; a name is asked for without its trailing dot."""
    names = Names({"peer.example": ["1.1.1.1"]})
    assert await GuardedBackend(AddressPolicy(), names).checked(host, 443) == [dialled]
    assert names.asked == asked


async def test_what_is_asked_of_the_guard_is_asked_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name and port are resolved; address, port, local address and socket options are dialled as they were given."""
    dialled: list[tuple[object, ...]] = []
    asked: list[tuple[str, int]] = []

    class Writing:
        """Writes down what it was asked."""

        async def resolve(self, host: str, port: int) -> list[str]:
            asked.append((host, port))
            return ["1.1.1.1"]

    async def connects(_self: object, *given: object) -> Wire:
        dialled.append(given)
        return Wire()

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connects)
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    await GuardedBackend(AddressPolicy(), Writing()).connect_tcp("peer.example", 8443, 5, "192.0.2.9", options)
    assert asked == [("peer.example", 8443)]
    assert dialled == [("1.1.1.1", 8443, None, "192.0.2.9", options)]


async def test_a_connection_does_what_its_wire_does() -> None:
    """Reading, writing, TLS, questions about the socket and hanging up go through with everything they say."""
    wire, context = Wire(b"abc"), ssl.create_default_context()
    stream = GuardedStream(wire)
    assert await stream.read(2, 1.5) == b"ab"
    await stream.write(b"x", 2.5)
    assert isinstance(await stream.start_tls(context, "peer.example", 3.5), GuardedStream)
    assert stream.get_extra_info("socket") == "the socket"
    await stream.aclose()
    assert wire.asked == [
        ("read", 2, 1.5), ("write", b"x", 2.5), ("tls", context, "peer.example", 3.5), ("close",),
    ]  # fmt: skip


async def test_bytes_are_counted_under_tls_and_without_it() -> None:
    """A request may read what its meter holds, over a connection and what TLS makes of it, and no byte more."""
    plain = GuardedStream(Wire(b"12345"))
    secret = await plain.start_tls(ssl.create_default_context())
    set_before = METER.set(Meter(10))
    try:
        assert await plain.read(5) == await secret.read(5) == b"12345"
        with pytest.raises(httpcore.ReadError):
            await secret.read(1)
    finally:
        METER.reset(set_before)
    assert await plain.read(5) == b"12345"


async def test_names_are_looked_up_on_threads_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system is asked for this name, this port and stream sockets, not on the threads that everybody shares."""
    asked: list[tuple[object, ...]] = []
    threads: list[str] = []

    def look_up(*given: object, **more: object) -> list[tuple[object, ...]]:
        asked.append((*given, more))
        threads.append(threading.current_thread().name)
        return [(0, 0, 0, "", ("1.1.1.1", 443)), (0, 0, 0, "", ("1.1.1.1", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    resolver = SystemResolver()
    assert await resolver.resolve("peer.example", 443) == ["1.1.1.1"]
    assert asked == [("peer.example", 443, {"type": socket.SOCK_STREAM})]
    assert threads[0].startswith("dns")
    assert resolver._threads._max_workers == DNS_THREADS == 256


async def test_the_systems_resolver_gives_each_address_once() -> None:
    """The machine's resolver is asked for stream addresses, duplicates removed."""
    found = await SystemResolver().resolve("localhost", 80)
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found)) > 0


async def test_the_systems_resolver_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a resolver of its own the guard checks what the system says."""

    async def resolve(_self: SystemResolver, _host: str, _port: int) -> list[str]:
        return ["10.0.0.1"]

    monkeypatch.setattr(guard.SystemResolver, "resolve", resolve)
    with pytest.raises(AddressRefused):
        await connect(GuardedBackend(AddressPolicy()), 443)


async def test_local_sockets_are_refused() -> None:
    """No peer lives on a unix socket."""
    with pytest.raises(AddressRefused):
        await GuardedBackend(AddressPolicy()).connect_unix_socket("/run/x.sock")


async def test_waiting_is_httpcores_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts httpcore may wait, for as long as it asks to."""
    waited: list[float] = []

    async def sleep(_self: object, seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(httpcore.AnyIOBackend, "sleep", sleep)
    await GuardedBackend(AddressPolicy()).sleep(0.5)
    assert waited == [0.5]
    assert issubclass(GuardedBackend, httpcore.AsyncNetworkBackend)
