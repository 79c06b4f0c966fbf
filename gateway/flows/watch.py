"""Looking at a peer's own surfaces: does it show our labelled objects with the opposite (V2)?

Only what the peer itself serves counts, only where it shows one of our objects, and only an explicit
opposite. Nothing found is in order; a redirect to the origin of an object is, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import RemoteUnreachable
from gateway.flows.accuse import MAX_SHOWN, merged, opposite
from gateway.flows.moderate import decision_about, peers_at, stop_deliveries
from gateway.flows.surface import Look, look_at
from gateway.policy.contradiction import contradictions
from gateway.policy.standing import Rung, Violation
from gateway.urls import Origin, request_target, try_origin

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.policy.decide import Decision
    from gateway.preferences import Preferences
    from gateway.store.peers import Evidence

MAX_PAGES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The result of one probe of a peer."""

    origin: str
    looks: tuple[Look, ...]
    contradictions: tuple[dict[str, object], ...]
    evidence: Evidence
    decision: Decision


async def probe(kit: Kit, host: str, urls: tuple[str, ...] = ()) -> Probe:
    """Look at a peer once and record one observation; ``urls`` are pages of it to look at besides.

    Pages are also found through what the peer boosted and through its known actors. Raises RemoteUnreachable
    when nothing answers: who was not seen is not in order.
    """
    origin = peers_at(kit, host)[0]
    # Named pages show a post because an admin or the peer's own boost says so.
    named = dict.fromkeys((*urls, *kit.store.peers.boosts_of(origin)))
    pages = [url for url in dict.fromkeys((*named, *kit.store.peers.pages_of(origin))) if try_origin(url) == origin]
    wanted = [f"{origin}/robots.txt", f"{origin}/.well-known/tdmrep.json", f"{origin}/", *pages[:MAX_PAGES]]
    looks = [look for url in wanted if (look := await look_at(kit, origin, url, named=url in named)) is not None]
    if not looks:
        raise RemoteUnreachable(f"{origin}: nothing of it could be looked at")
    return _record(kit, origin, looks, _opposites(kit, looks))


def _opposites(kit: Kit, looks: list[Look]) -> list[dict[str, object]]:
    """Return every contradiction: of a page that shows our object, in a document, or of the rules for such a page."""
    asked = kit.store.objects.owned_local_ids({ref for look in looks for ref in look.shows})
    site = [look for look in looks if request_target(look.url) in ("/robots.txt", "/.well-known/tdmrep.json")]
    found: list[dict[str, object]] = []
    for look in looks:
        found += [{**item, "url": look.url} for item in look.inside]
        for ref in look.shows:
            found += _against(asked, ref, look, look.url)
            for rules in site:
                found += _against(asked, ref, rules, rules.url)
    return merged(found)


def _against(asked: dict[str, Preferences], ref: str, look: Look, url: str) -> list[dict[str, object]]:
    if ref not in asked:
        return []
    said = contradictions(asked[ref], look.reading.statements)
    return [{**opposite(ref, category, statement), "url": url} for category, statement in said]


def _record(kit: Kit, origin: Origin, looks: list[Look], found: list[dict[str, object]]) -> Probe:
    now = kit.clock.now()
    violation = Violation.CONTRADICT if found else None
    record: dict[str, object] = {
        "violation": violation.value if violation else None,
        "contradictions": found[:MAX_SHOWN],
        "looks": [{"url": look.url, "status": look.status, "sha256": look.sha256} for look in looks],
    }
    aligned = any(s.prefs.disallows(c) for look in looks for s in look.reading.statements for c in s.prefs)
    with kit.store.transaction():
        kit.store.peers.seen(origin, now)
        evidence = kit.store.peers.observe(
            kit.tids.next(), origin, now, violation=violation, proven=False, record=record
        )
        if aligned and not found and kit.store.peers.rung(origin) is Rung.UNKNOWN:
            kit.store.peers.set_rung(origin, Rung.ALIGNED)
        kit.store.peers.audit(
            now, "observation", origin.host, violation.value if violation else "in-order", evidence.id
        )
        stop_deliveries(kit, [origin])
    decision = decision_about(kit, origin)
    return Probe(
        origin=str(origin), looks=tuple(looks), contradictions=tuple(found), evidence=evidence, decision=decision
    )
