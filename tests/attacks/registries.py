"""Special-purpose addresses, written down from the IANA registries and the RFCs, without a look at the gateway's list.

Sources: iana-ipv4-special-registry, iana-ipv6-special-registry, the multicast registries; RFC 3879 (site-local),
RFC 3701 (6bone), RFC 7526 (6to4 relays), RFC 4291 (compatible and mapped), RFC 2765 (SIIT), RFC 6052 and RFC 8215
(NAT64), RFC 4380 (Teredo), RFC 3056 (6to4).
"""

from __future__ import annotations

import functools
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCKS_4 = {
    "this network": "0.0.0.0/8",
    "private 10": "10.0.0.0/8",
    "shared address space": "100.64.0.0/10",
    "loopback": "127.0.0.0/8",
    "link-local": "169.254.0.0/16",
    "private 172": "172.16.0.0/12",
    "IETF protocol assignments": "192.0.0.0/24",
    "TEST-NET-1": "192.0.2.0/24",
    "AS112-v4": "192.31.196.0/24",
    "AMT": "192.52.193.0/24",
    "6to4 relay anycast": "192.88.99.0/24",
    "private 192": "192.168.0.0/16",
    "direct delegation AS112": "192.175.48.0/24",
    "benchmarking": "198.18.0.0/15",
    "TEST-NET-2": "198.51.100.0/24",
    "TEST-NET-3": "203.0.113.0/24",
    "multicast": "224.0.0.0/4",
    "reserved": "240.0.0.0/4",
    "broadcast": "255.255.255.255/32",
}
BLOCKS_6 = {
    "unspecified": "::/128",
    "loopback": "::1/128",
    "IPv4-compatible": "::/96",
    "IPv4-mapped": "::ffff:0:0/96",
    "IPv4-translated (SIIT)": "::ffff:0:0:0/96",
    "NAT64": "64:ff9b::/96",
    "NAT64 local-use": "64:ff9b:1::/48",
    "discard-only": "100::/64",
    "dummy prefix": "100:0:0:1::/64",
    "IETF protocol assignments": "2001::/23",
    "Teredo": "2001::/32",
    "PCP anycast": "2001:1::1/128",
    "TURN anycast": "2001:1::2/128",
    "benchmarking": "2001:2::/48",
    "AMT": "2001:3::/32",
    "AS112-v6": "2001:4:112::/48",
    "ORCHID": "2001:10::/28",
    "ORCHIDv2": "2001:20::/28",
    "drone remote ID": "2001:30::/28",
    "documentation": "2001:db8::/32",
    "6to4": "2002::/16",
    "direct delegation AS112": "2620:4f:8000::/48",
    "6bone": "3ffe::/16",
    "documentation 2": "3fff::/20",
    "segment routing": "5f00::/16",
    "unique local": "fc00::/7",
    "link-local": "fe80::/10",
    "site-local": "fec0::/10",
    "multicast": "ff00::/8",
}
# Beside the blocks, on both sides: what must not be swept up with them.
NEIGHBOURS_4 = (
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.31.195.255",
    "192.31.197.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "203.0.112.255", "203.0.114.0", "223.255.255.255",
)  # fmt: skip
NEIGHBOURS_6 = (
    "2001:200::", "2001:db7:ffff:ffff::1", "2001:db9::", "2003::", "2606:2800:220:1:248:1893:25c8:1946",
    "2620:4f:7fff::1", "2620:4f:8001::", "2a00:1450:4001::1", "3ffd::1",
)  # fmt: skip
_NETWORKS = tuple(ipaddress.ip_network(block) for block in (*BLOCKS_4.values(), *BLOCKS_6.values()))
_UNICAST_6 = ipaddress.ip_network("2000::/3")  # all that is given out; the rest of IPv6 is nobody's


@functools.cache
def is_special(address: str) -> bool:
    """Tell whether nothing may be sent to an address: no public unicast, or no address at all."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    if found.version == _UNICAST_6.version and found not in _UNICAST_6:
        return True
    return any(found in network for network in _NETWORKS if network.version == found.version)


def ends_and_middle(block: str) -> list[str]:
    """Return the first, the middle and the last address of a block."""
    network = ipaddress.ip_network(block)
    return list(dict.fromkeys(str(network[index]) for index in (0, network.num_addresses // 2, -1)))


def embedded(address: str) -> Iterator[tuple[str, str]]:
    """Yield every way to carry an IPv4 address inside an IPv6 one: its name, and the address."""
    number = int(ipaddress.IPv4Address(address))
    for name, base in (
        ("compatible", "::"), ("mapped", "::ffff:0:0"), ("translated", "::ffff:0:0:0"), ("nat64", "64:ff9b::"),
        ("nat64-local", "64:ff9b:1::"),
    ):  # fmt: skip
        yield name, str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(base)) | number))
    # RFC 6052, section 2.2: with a /48 the address stands on both sides of bits 64 to 71.
    high, low = number >> 16, number & 0xFFFF
    yield "nat64-local/48", str(ipaddress.IPv6Address((0x0064FF9B0001 << 80) | (high << 64) | (low << 40)))
    yield "6to4", str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1))
    yield "teredo-server", str(ipaddress.IPv6Address((0x20010000 << 96) | (number << 64)))
    yield "teredo-client", str(ipaddress.IPv6Address((0x20010000 << 96) | (0x4136E378 << 64) | (number ^ 0xFFFFFFFF)))
