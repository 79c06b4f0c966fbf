"""Who makes us ask others, and how much of that they may: the request in hand, the activity being settled."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from gateway.errors import Unavailable
from gateway.net.domain import registrable
from gateway.urls import Origin, origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.flows.kit import Kit

# Searches for keys that are under way: each may hold a body for as long as its host is silent.
AT_ONCE = 64
AT_ONCE_FOR_ONE = 8  # network
BUSY_SECONDS = 30

# The network that the request in hand came from, and the peer whose activity is being settled.
SOURCE: ContextVar[str] = ContextVar("source", default="")
CAUSE: ContextVar[Origin | None] = ContextVar("cause", default=None)


def before_key(kit: Kit, origin: Origin) -> None:
    """Count one request for a key at a domain; raise Unavailable when it was asked enough.

    Whoever turns out to be who they say gives it back: only searches that lead to nobody add up.
    """
    domain = registrable(origin.host)
    for pace, key in ((kit.paces.keys_of_one, f"{SOURCE.get()} {domain}"), (kit.paces.keys, domain)):
        left = pace.take(key)
        if not left.ok:
            raise Unavailable(
                f"{domain} was asked for too many keys in vain",
                code="key-host-unavailable",
                retry_after=left.retry_after,
            )  # fmt: skip


def give_back(kit: Kit, url: str, requests: int = 1) -> None:
    """Give requests back that led to somebody who is who they say."""
    domain = registrable(origin_of(url).host)
    kit.paces.keys.give_back(domain, requests)
    kit.paces.keys_of_one.give_back(f"{SOURCE.get()} {domain}", requests)


@contextmanager
def searching(kit: Kit) -> Iterator[None]:
    """Take one of the places for searches under way; raise Unavailable when there is none."""
    source, under_way = SOURCE.get(), kit.paces.searching
    if under_way.total() >= AT_ONCE or under_way[source] >= AT_ONCE_FOR_ONE:
        raise Unavailable("too many searches under way", retry_after=BUSY_SECONDS)
    under_way[source] += 1
    try:
        yield
    finally:
        under_way[source] -= 1
        if not under_way[source]:
            del under_way[source]


def before_errand(kit: Kit, origin: Origin) -> None:
    """Count one request that the peer in hand sends us on; raise Unavailable when it sends us there too often."""
    source = CAUSE.get()
    if source is None:
        return
    there, here = registrable(origin.host), registrable(source.host)
    if there == here:
        return
    left = kit.paces.errands.take(f"{here} {there}")
    if not left.ok:
        raise Unavailable(f"{here} sends us to {there} too often", retry_after=left.retry_after)
