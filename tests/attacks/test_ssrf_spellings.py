"""Beyond the catalogue: every special block, IPv4 in every embedding, every spelling, every special name."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from attacks import ssrf_scene
from attacks.entry_points import ENTRY_POINTS
from attacks.internet import PUBLIC_4
from attacks.registries import (
    BLOCKS_4,
    BLOCKS_6,
    NEIGHBOURS_4,
    NEIGHBOURS_6,
    embedded,
    ends_and_middle,
    is_special,
)
from attacks.spellings import bracketed, numeric, written

from gateway.errors import AddressRefused, BadUrl, GatewayError, RemoteUnreachable
from gateway.urls import normalise_host, origin_of, without_fragment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attacks.ssrf_scene import Scene

anyio_backend, opened, scene = ssrf_scene.anyio_backend, ssrf_scene.opened, ssrf_scene.scene
pytestmark = pytest.mark.anyio
BLOCKS = {**{f"4 {name}": block for name, block in BLOCKS_4.items()},
          **{f"6 {name}": block for name, block in BLOCKS_6.items()}}  # fmt: skip
TARGETS = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0", "100.100.100.200")  # noqa: S104


def host(address: str) -> str:
    """Return an address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address


async def refused(scene: Scene, urls: Iterable[str], *errors: type[GatewayError]) -> None:
    """GET each URL; it must fail with one of the errors, and nothing special may be dialled."""
    for url in urls:
        found = await scene.get(url)
        assert isinstance(found, errors), (url, found)
        assert scene.internet.forbidden() == [], url
        assert scene.internet.inside == [], url
    assert scene.internet.asked_too_often() == {}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
async def test_the_ends_and_the_middle_of_every_special_block(block: str, scene: Scene) -> None:
    """No address of a block is dialled, as a literal or behind a name, alone or among good ones."""
    for address in ends_and_middle(block):
        await refused(scene, [f"http://{host(address)}/", f"https://{host(address)}/"], AddressRefused)
        for answers in ([address], [PUBLIC_4, address], [address, PUBLIC_4]):
            scene.internet.names["evil.example"] = answers
            await refused(scene, ["http://evil.example/"], AddressRefused)
    assert scene.internet.dialled == []


@pytest.mark.parametrize("address", [*NEIGHBOURS_4, *NEIGHBOURS_6])
async def test_the_neighbours_of_special_blocks_are_dialled(address: str, scene: Scene) -> None:
    """A public address right beside a block is somebody's: it is dialled, and nobody answers there."""
    found = await scene.get(f"http://{host(address)}/")
    assert scene.internet.dialled == [(address, 80)]
    if address != "2606:2800:220:1:248:1893:25c8:1946":
        assert isinstance(found, RemoteUnreachable)


@pytest.mark.parametrize("address", [*TARGETS, PUBLIC_4, "1.1.1.1"])
async def test_an_address_inside_an_address(address: str, scene: Scene) -> None:
    """IPv4 carried in IPv6 is dialled in no form, a public one neither: some network would hand it on."""
    for name, outer in embedded(address):
        assert is_special(outer), name
        await refused(scene, [f"http://[{outer}]/", f"https://[{outer.upper()}]/"], AddressRefused)
        scene.internet.names["evil.example"] = [outer]
        await refused(scene, ["https://evil.example/"], AddressRefused)
        dotted = f"{outer.rpartition(':')[0]}:{address}"
        if not name.startswith(("6to4", "teredo", "nat64-local/48")):
            await refused(scene, [f"http://[{dotted}]/"], AddressRefused, BadUrl)
    assert scene.internet.dialled == []


@pytest.mark.parametrize("address", TARGETS)
async def test_every_spelling_of_a_number(address: str, scene: Scene) -> None:
    """Short, octal, hexadecimal, decimal, mixed and overflowing: no number reaches what it stands for."""
    for name, spelling in numeric(address):
        urls = [f"{scheme}://{spelling}{tail}" for scheme in ("http", "https", "HTTP") for tail in ("/", ":80/x", "?")]
        await refused(scene, urls, AddressRefused, BadUrl, RemoteUnreachable)
        assert scene.internet.dialled == [], name


@pytest.mark.parametrize("address", TARGETS)
async def test_every_way_to_write_an_address(address: str, scene: Scene) -> None:
    """Other dots and digits, escapes and decoration lead nowhere, and not past the host that is checked."""
    for name, part in written(address):
        await refused(scene, [f"http://{part}/", f"https://{part}/"], AddressRefused, BadUrl, RemoteUnreachable)
        assert scene.internet.dialled == [], name


@pytest.mark.parametrize("address", ["::1", "::", "fe80::1", "fd00:ec2::254", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
async def test_every_way_to_write_brackets(address: str, scene: Scene) -> None:
    """Zones, prefixes, escapes and what stands around the brackets lead nowhere."""
    for name, part in bracketed(address):
        await refused(scene, [f"http://{part}/", f"https://{part}/"], AddressRefused, BadUrl, RemoteUnreachable)
        assert scene.internet.dialled == [], name


@pytest.mark.parametrize("entry", ["actor_fetch", "mention", "client_recipient", "inspect_json", "cli_lookup"])
async def test_spellings_through_the_gateway(entry: str, scene: Scene) -> None:
    """The same spellings handed in as strangers and authors do: nothing is dialled and nothing breaks."""
    for name, part in (*numeric("127.0.0.1"), *written("169.254.169.254"), *bracketed("::ffff:a00:1")):
        await ENTRY_POINTS[entry].attempt(scene, f"http://{part}/")
        assert scene.internet.forbidden() == [], name
    scene.check(passing=True)


# Names.

SPECIAL_NAMES = (
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "x.localdomain", "x.local",
    "x.local.", "x.internal", "metadata.google.internal", "x.intranet", "x.private", "x.corp", "x.home", "x.lan",
    "x.home.arpa", "home.arpa", "x.onion", "x.i2p", "x.alt", "x.test", "x.invalid", "instance-data", "metadata",
    "redis", "db", "gateway", "host-1", "ip6-localhost", "ip6-loopback", "broadcasthost", "kubernetes", "wpad",
    "xn--nxasmq6b",
)  # fmt: skip
# Names that are private where they are known at all; a public answer makes them somebody's server.
PRIVATE_NAMES = (
    "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "1.0.0.127.in-addr.arpa",
    "localhost6.localdomain6", "127.0.0.1.nip.example", "host.docker.internal", "x.consul", "x.docker", "a.b.svc",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", "_http._tcp.evil.example",
)  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL_NAMES)
async def test_special_names_are_refused_whatever_they_resolve_to(name: str, scene: Scene) -> None:
    """A name that is nobody's public server leads to no connection, even where a resolver gives a public address."""
    for answers in ([PUBLIC_4], ["127.0.0.1"], ["10.0.0.1", PUBLIC_4]):
        scene.internet.names[name.lower().removesuffix(".")] = answers
        await refused(scene, [f"http://{name}/", f"https://{name}/"], AddressRefused, BadUrl)
    assert scene.internet.dialled == []


@pytest.mark.parametrize("name", PRIVATE_NAMES)
async def test_private_names_are_refused_by_their_address(name: str, scene: Scene) -> None:
    """A name with an inner address is looked up once for each attempt and not dialled."""
    for answers in (["127.0.0.1"], ["10.96.0.1"], ["::1"], ["169.254.169.254", PUBLIC_4]):
        scene.internet.names[name] = answers
        await refused(scene, [f"http://{name}/", f"https://{name}/"], AddressRefused)
    assert scene.internet.dialled == []
    assert len(scene.internet.asked) == len(scene.internet.tried) == 8


# What is checked is what is used.

_PATHS = ("", "/", "//", "..", "%2f", "%00", "%40", "?", "#", "@", "\\", "x", ":80", "\u00e9", "[", "http://")
_PIECES = (
    "//", "\\", "@", "#", "?", "[", "]", "%", "%00", "%2f", "%40", "%5b", ".", "..", "\u3002", "-", "_", "0", "1",
    "127", "0x7f", "0177", "::1", "::ffff:", "fe80::", "evil", "peer", "example", "localhost", "internal", "xn--",
    "xn--e28h",
    "\u00e9", "\uff0f", "\u2100", "\u1d7cf", "\u00ad", ":80", ":443", ":0", ":65536", ":8080", " ", "\t", "a", "com",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_dialled_is_the_host_that_was_checked(seed: int, scene: Scene) -> None:
    """Random URLs: whenever one goes on to the guard, the name that is looked up is the host of its origin."""
    chance = random.Random(seed)
    passed = 0
    for _ in range(500):
        host_like = "".join(chance.choices(_PIECES, k=chance.randint(1, 6)))
        url = f"{chance.choice(('http', 'https'))}://{host_like}{''.join(chance.choices(_PATHS, k=2))}"
        before = len(scene.internet.tried)
        found = await scene.get(url)
        assert isinstance(found, GatewayError), url
        for tried in scene.internet.tried[before:]:
            passed += 1
            assert normalise_host(f"[{tried}]" if ":" in tried else tried) == origin_of(without_fragment(url)).host
        assert scene.internet.forbidden() == [], url
    assert passed > 10
