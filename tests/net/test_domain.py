"""Whom to count: the registered domain, or the network."""

from __future__ import annotations

import pytest

from gateway.net.domain import network_of, registrable


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("evil.example", "evil.example"),
        ("a.b.c.evil.example", "evil.example"),
        ("mastodon.social", "mastodon.social"),
        ("x.y.co.uk", "y.co.uk"),
        ("a.foo.github.io", "foo.github.io"),
        ("localhost", "localhost"),
        ("co.uk", "co.uk"),
        ("93.184.215.14", "93.184.215.0/24"),
        ("2606:2800:220:1:248:1893:25c8:1946", "2606:2800:220::/56"),
    ],
)
def test_subdomains_are_one_party(host: str, domain: str) -> None:
    """What somebody registered is one party, whatever stands before it; a public suffix is no party's."""
    assert registrable(host) == domain


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2ff:1::1", "2001:db8:1:200::/56"),
        ("fe80::1%eth0", "fe80::/56"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_a_network_is_one_source(address: str, network: str) -> None:
    """Addresses of one /24 or /56 are one source; what is no address stands for itself."""
    assert network_of(address) == network
