"""Deciding about peers: one decision function over rules, observations and mode, and what follows from it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from gateway.errors import Refused
from gateway.policy.decide import Decision, Mode, decide
from gateway.policy.preview import Moved, preview
from gateway.policy.reasons import SENTENCES
from gateway.policy.rules import Action, Rule
from gateway.policy.standing import Rung, Standing, standing
from gateway.urls import Origin, normalise_host, origin_of, try_origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.flows.kit import Kit


def standing_of(kit: Kit, origin: Origin) -> Standing:
    """Return where a peer is on the ladder."""
    peers = kit.store.peers
    return standing(peers.observations(origin), kit.clock.now(), peers.rung(origin))


def decision_about(kit: Kit, origin: Origin) -> Decision:
    """Return what we do with a peer: the admin's rules are about its host, observations about itself."""
    peers, mode = kit.store.peers, kit.settings.peer_mode
    rules = peers.rules_about(origin.host)
    if not rules and not peers.observations(origin):
        return _unobserved(peers.rung(origin), mode)
    return decide(origin.host, rules=rules, standing=standing_of(kit, origin), mode=mode)


@functools.lru_cache
def _unobserved(rung: Rung, mode: Mode) -> Decision:
    """Return the decision about a peer, as most are, of whom there are neither rules nor observations."""
    return decide("", rules=(), standing=Standing(rung=rung), mode=mode)


def refused(kit: Kit, origin: Origin, decision: Decision, record: str | None = None) -> Refused:
    """Return the answer to a refused peer: reason code, evidence id, where to appeal.

    Where nothing was observed, the evidence is the admin's rule, or the ``record`` of this very refusal.
    """
    evidence = decision.evidence or tuple(found for found in (decision.rule or record,) if found)
    return Refused(
        f"{origin}: {decision.reason.value}",
        code=decision.reason.value,
        detail=SENTENCES[decision.reason],
        extra=(("evidence", list(evidence)), ("appeal", kit.settings.appeal), ("peer", str(origin))),
    )


def enforce(kit: Kit, origin: Origin, event: str) -> Decision:
    """Return the decision about a peer; audit and raise Refused when it is refused."""
    decision = decision_about(kit, origin)
    if decision.refuses:
        line = kit.store.peers.audited(kit.clock.now(), event, origin.host, decision.reason.value, str(origin))
        raise refused(kit, origin, decision, f"audit-{line}")
    return decision


def not_refused(kit: Kit, origin: Origin) -> None:
    """Raise Refused for a refused peer: said of every hop of a fetch."""
    decision = decision_about(kit, origin)
    if decision.refuses:
        raise refused(kit, origin, decision)


def stop_deliveries(kit: Kit, origins: Iterable[Origin]) -> int:
    """Drop what is queued for those peers that are refused now; return how many deliveries that were."""
    stopped = 0
    for origin in origins:
        decision = decision_about(kit, origin)
        if decision.refuses:
            stopped += kit.store.jobs.drop_for_peer(str(origin), kit.clock.now(), decision.reason.value)
    return stopped


def peers_at(kit: Kit, text: str) -> list[Origin]:
    """Return the peers that a URL, ``host:port`` or host names: known ones, or the likeliest unknown one."""
    named = try_origin(text)
    if named is not None:
        return [named]
    host, _, port = text.partition(":")
    known = [origin_of(origin) for origin in kit.store.peers.origins_of(host_of(text))]
    exact = [origin for origin in known if origin.host == normalise_host(host) and port in ("", str(origin.port))]
    return exact or [origin_of(f"https://{text}")]


def set_rule(kit: Kit, host: str, action: Action, note: str = "") -> tuple[Rule, int]:
    """Make the admin's rule about a host take effect; return it and how many deliveries it stopped."""
    rule = Rule(id=kit.tids.next(), host=normalise_host(host), action=action, note=note)
    with kit.store.transaction():
        kit.store.peers.save_rule(rule, kit.clock.now())
        kit.store.peers.audit(kit.clock.now(), "rule", rule.host, action.word, note)
        known = [origin_of(origin) for origin in kit.store.peers.origins_of(rule.host)]
        stopped = stop_deliveries(kit, known)
    return rule, stopped


def clear(kit: Kit, host: str) -> tuple[bool, int]:
    """Remove the rule about a host and stop counting what was observed; return whether and how many."""
    name, now = host_of(host), kit.clock.now()
    with kit.store.transaction():
        had = kit.store.peers.clear_rule(name)
        cleared = sum(kit.store.peers.clear_observations(origin, now) for origin in peers_at(kit, host))
        kit.store.peers.audit(now, "rule", name, "clear")
    return had, cleared


def preview_rule(kit: Kit, host: str, action: Action) -> tuple[Moved, ...]:
    """Return which known peers a rule would move."""
    known = [origin_of(peer.origin) for peer in kit.store.peers.all(kit.clock.now())]
    peers = {str(origin): (origin.host, standing_of(kit, origin)) for origin in known}
    added = Rule(id="preview", host=normalise_host(host), action=action)
    return preview(peers, rules=kit.store.peers.rules(), added=added, mode=kit.settings.peer_mode)


def host_of(text: str) -> str:
    """Return the host in a URL, ``host:port`` or host, in normal form; raise BadUrl when there is none."""
    named = try_origin(text)
    if named is not None:
        return named.host
    return normalise_host(text if text.startswith("[") else text.partition(":")[0])
