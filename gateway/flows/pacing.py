"""How often networks and peers may do what: the named paces of one gateway, and whom each counts.

Verified work is counted by the domain that signed it, everything else by the network it came from; what one
party spends is not taken from another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import TooManyRequests, Unavailable
from gateway.net.domain import registrable
from gateway.net.pace import Pace
from gateway.net.purpose import MIB
from gateway.urls import origin_of, try_origin

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.flows.kit import Kit
    from gateway.net.pace import Left
    from gateway.settings import Settings
    from gateway.urls import Origin

WINDOW = 300.0
UNVERIFIED = 600  # failed or missing signatures of one network; Mastodon and GoToSocial take 300 requests of any kind
SIGN_IN = 25  # as Mastodon
KEYS, KEYS_WINDOW = 30, 60.0  # searches for keys at one domain that led to nobody
ERRANDS, ERRANDS_WINDOW = 60, 60.0  # documents of one domain that another one makes us fetch
DAY = 86_400.0
CAP = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Paces:
    """``requests``, ``unverified`` and ``sign_in`` count networks, the others domains."""

    requests: Pace
    unverified: Pace
    sign_in: Pace
    peers: Pace
    bytes: Pace
    keys: Pace
    errands: Pace


def paces(clock: Clock, settings: Settings) -> Paces:
    """Return fresh paces."""
    return Paces(
        requests=Pace(clock, "network", quota=settings.limit_network, seconds=WINDOW, cap=CAP),
        unverified=Pace(clock, "unverified", quota=UNVERIFIED, seconds=WINDOW, cap=CAP),
        sign_in=Pace(clock, "sign-in", quota=SIGN_IN, seconds=WINDOW, cap=CAP),
        peers=Pace(clock, "peer", quota=settings.limit_peer, seconds=WINDOW, cap=CAP),
        bytes=Pace(clock, "bytes", quota=settings.limit_peer_mebibytes * MIB, seconds=DAY, cap=CAP),
        keys=Pace(clock, "keys", quota=KEYS, seconds=KEYS_WINDOW, cap=CAP),
        errands=Pace(clock, "errands", quota=ERRANDS, seconds=ERRANDS_WINDOW, cap=CAP),
    )


def too_many(pace: Pace, left: Left, who: str) -> TooManyRequests:
    """Return the 429: which pace, and when there is room again."""
    limit = {"name": pace.name, "quota": pace.quota, "window": int(pace.seconds), "remaining": 0, "reset": left.reset}
    return TooManyRequests(f"{pace.name}: {who}", retry_after=left.retry_after, extra=(("limit", limit),))


def not_over(kit: Kit, origin: Origin) -> None:
    """Raise TooManyRequests when a peer's domain has sent too many already: looked at before anything is fetched."""
    domain = registrable(origin.host)
    left = kit.paces.peers.look(domain)
    if not left.ok:
        raise too_many(kit.paces.peers, left, domain)


def count_peer(kit: Kit, origin: Origin) -> None:
    """Count one verified request of a peer; raise TooManyRequests when its domain has sent too many."""
    domain = registrable(origin.host)
    left = kit.paces.peers.take(domain)
    if not left.ok:
        raise too_many(kit.paces.peers, left, domain)


def count_bytes(kit: Kit, origin: Origin, size: int) -> None:
    """Count what is kept for a peer; raise TooManyRequests when its domain has had enough for a day."""
    domain = registrable(origin.host)
    left = kit.paces.bytes.take(domain, size)
    if not left.ok:
        raise too_many(kit.paces.bytes, left, domain)


def before_search(kit: Kit, url: str) -> None:
    """Count one search for a key at a domain; raise Unavailable when it was asked enough.

    Whoever turns out to be who they say gives it back: only searches that lead to nobody add up.
    """
    domain = registrable(origin_of(url).host)
    left = kit.paces.keys.take(domain)
    if not left.ok:
        raise Unavailable(
            f"{domain} was asked for too many keys in vain", code="key-host-unavailable", retry_after=left.retry_after
        )


def give_back(kit: Kit, url: str) -> None:
    """Give a search back that led to somebody who is who they say."""
    kit.paces.keys.give_back(registrable(origin_of(url).host))


def before_errand(kit: Kit, source: Origin, url: str) -> None:
    """Count one document that a peer makes us fetch elsewhere; raise Unavailable when it is sending us too often."""
    target, here = try_origin(url), registrable(source.host)
    there = registrable(target.host) if target is not None else here
    if there == here:
        return
    left = kit.paces.errands.take(f"{here} {there}")
    if not left.ok:
        raise Unavailable(f"{here} sends us to {there} too often", retry_after=left.retry_after)
