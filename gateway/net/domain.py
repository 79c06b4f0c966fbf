"""Who stands behind an address, for counting: the domain somebody registered, or the network somebody was given.

A thousand subdomains are one party, and so is everybody in one /24 or /56. Source: the Public Suffix List.
"""

from __future__ import annotations

import functools
import ipaddress

from publicsuffixlist import PublicSuffixList

NETWORK_4 = 24
NETWORK_6 = 56  # what many providers give one customer


@functools.lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


@functools.lru_cache(maxsize=4096)
def registrable(host: str) -> str:
    """Return the registered domain of a host in normal form; a network for an IP literal."""
    try:
        return network_of(str(ipaddress.ip_address(host)))
    except ValueError:
        return _suffixes().privatesuffix(host) or host


@functools.lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """Return the /24 or /56 of an address, e.g. ``192.0.2.0/24``; other text as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    prefix = NETWORK_4 if parsed.version == 4 else NETWORK_6  # noqa: PLR2004 - the version of IP
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
