"""How often networks and peers may do what: the named paces of one gateway, and whom each counts.

Verified work is counted by the domain that signed it, everything else by the network it came from; what one
party spends is not taken from another.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import TooManyRequests
from gateway.net.domain import registrable
from gateway.net.pace import Pace
from gateway.net.purpose import MIB

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.flows.kit import Kit
    from gateway.net.pace import Left
    from gateway.settings import Settings
    from gateway.urls import Origin

WINDOW = 300.0
UNVERIFIED = 600  # failed or missing signatures of one network; Mastodon and GoToSocial take 300 requests of any kind
SIGN_IN = 25  # as Mastodon
APPS = 60  # registered by one network: more would push others' out before anybody used them
# A full bucket and what flows in make at most thirty in any minute.
KEYS = 15  # requests for keys at one domain that led to nobody
KEYS_OF_ONE = 12  # of them on behalf of one network, so that one forger does not use them up
ERRANDS = 15  # documents of one domain that another one makes us fetch
MINUTE = 60.0
DAY = 86_400.0
CAP = 20_000


@dataclass(slots=True, kw_only=True)
class Paces:
    """``requests``, ``unverified``, ``sign_in``, ``apps`` count networks, others domains; ``searching`` is open."""

    requests: Pace
    unverified: Pace
    sign_in: Pace
    peers: Pace
    bytes: Pace
    keys: Pace
    keys_of_one: Pace
    errands: Pace
    apps: Pace
    searching: Counter[str] = field(default_factory=Counter)


def paces(clock: Clock, settings: Settings) -> Paces:
    """Return fresh paces."""

    def pace(name: str, quota: int, seconds: float) -> Pace:
        return Pace(clock, name, quota=quota, seconds=seconds, cap=CAP)

    return Paces(
        requests=pace("network", settings.limit_network, WINDOW),
        unverified=pace("unverified", UNVERIFIED if settings.limit_network else 0, WINDOW),
        sign_in=pace("sign-in", SIGN_IN, WINDOW),
        peers=pace("peer", settings.limit_peer, WINDOW),
        bytes=pace("bytes", settings.limit_peer_mebibytes * MIB, DAY),
        keys=pace("keys", KEYS, MINUTE),
        keys_of_one=pace("keys", KEYS_OF_ONE, MINUTE),
        errands=pace("errands", ERRANDS, MINUTE),
        apps=pace("apps", APPS if settings.limit_network else 0, WINDOW),
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
