"""The table of ways out: each bounded, each with a name of its own."""

from __future__ import annotations

from gateway.net import purpose
from gateway.net.purpose import PURPOSES, Purpose


def test_every_way_out_is_in_the_table_once() -> None:
    """The table has every purpose of the module, under names that differ."""
    defined = [value for value in vars(purpose).values() if isinstance(value, Purpose)]
    assert sorted(map(id, defined)) == sorted(map(id, PURPOSES))
    assert len({way.name for way in PURPOSES}) == len(PURPOSES)


def test_every_way_out_is_bounded() -> None:
    """No purpose may read more than a mebibyte, wait for more than half a minute, or follow more than three hops."""
    for way in PURPOSES:
        assert 0 < way.limit <= purpose.MIB
        assert 0 < way.idle <= way.seconds <= 30
        assert 0 <= way.redirects <= 3


def test_what_is_signed_and_sent_follows_no_redirect() -> None:
    """A delivery is for the inbox it was signed for."""
    assert purpose.DELIVERY.redirects == 0
