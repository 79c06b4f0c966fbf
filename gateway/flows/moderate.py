"""Deciding about peers: one decision function over rules, observations and mode, and what follows from it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.activitypub.labels import mentions_of
from gateway.activitypub.properties import id_of, nodes
from gateway.carriers.reading import Source
from gateway.errors import Refused
from gateway.policy.contradiction import contradictions
from gateway.policy.decide import Decision, decide
from gateway.policy.preview import Moved, preview
from gateway.policy.reasons import SENTENCES
from gateway.policy.rules import Action, Rule
from gateway.policy.standing import Standing, Violation, standing
from gateway.preferences import Auth, Declarant, DeclarantKind, Scope, Subject
from gateway.urls import Origin, normalise_host, origin_of, try_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.flows.kit import Kit
    from gateway.preferences import Category, Statement
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Verdict
    from gateway.store.peers import Evidence

MAX_SHOWN = 20  # contradictions in one record; the first ones prove as much as all


def standing_of(kit: Kit, origin: Origin) -> Standing:
    """Return where a peer is on the ladder."""
    peers = kit.store.peers
    return standing(peers.observations(origin), kit.clock.now(), peers.rung(origin))


def decision_about(kit: Kit, origin: Origin) -> Decision:
    """Return what we do with a peer: the admin's rules are about its host, observations about itself."""
    return decide(
        origin.host, rules=kit.store.peers.rules(), standing=standing_of(kit, origin), mode=kit.settings.peer_mode
    )


def refused(kit: Kit, origin: Origin, decision: Decision) -> Refused:
    """Return the answer to a refused peer: reason code, evidence id, where to appeal."""
    return Refused(
        f"{origin}: {decision.reason.value}",
        code=decision.reason.value,
        detail=SENTENCES[decision.reason],
        extra=(("evidence", list(decision.evidence)), ("appeal", kit.settings.appeal), ("peer", str(origin))),
    )


def enforce(kit: Kit, origin: Origin, event: str) -> Decision:
    """Return the decision about a peer; audit and raise Refused when it is refused."""
    decision = decision_about(kit, origin)
    if decision.refuses:
        kit.store.peers.audit(kit.clock.now(), event, origin.host, decision.reason.value, str(origin))
        raise refused(kit, origin, decision)
    return decision


def stop_deliveries(kit: Kit, origins: Iterable[Origin]) -> int:
    """Drop what is queued for those peers that are refused now; return how many deliveries that were."""
    stopped = 0
    for origin in origins:
        decision = decision_about(kit, origin)
        if decision.refuses:
            stopped += kit.store.work.drop_for_peer(str(origin), kit.clock.now(), decision.reason.value)
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


def judge_labels(kit: Kit, document: Mapping[str, object], verdict: Verdict, request: SignedRequest) -> Evidence | None:
    """Record a V3 when a peer's own signed activity states the opposite of what we sent about our objects.

    Returns the evidence, or None when nothing explicit contradicts.
    """
    speaker = Declarant(kind=DeclarantKind.UNKNOWN, id=verdict.actor, auth=Auth.HTTP_SIGNATURE)
    found = contradictions_in(kit, document, speaker)
    return _record_alteration(kit, found, verdict, request, document) if found else None


def contradictions_in(kit: Kit, document: Mapping[str, object], speaker: Declarant) -> list[dict[str, object]]:
    """Return every explicit opposite that a document states about one of our own objects."""
    candidates = {
        str(value)
        for _, node in nodes(document)
        for value in (node.get("id"), node.get("url"), id_of(node.get("object")))
        if isinstance(value, str) and value.startswith(f"{kit.base}/")
    }
    asked = kit.store.objects.owned_local_ids(candidates)
    reader = kit.reader()
    found: list[dict[str, object]] = []
    for path, ref in mentions_of(document, asked):
        source = Source(
            subject=Subject(scope=Scope.OBJECT, ref=ref), declared_by=speaker, observed_at=reader.observed_at
        )
        opposites = contradictions(asked[ref], reader.explicit(document, path, source))
        found += [opposite(ref, category, statement) for category, statement in opposites]
    return found


def merged(found: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return each contradiction once, with every carrier that states it."""
    distinct: dict[tuple[object, ...], dict[str, object]] = {}
    for item in found:
        known = distinct.setdefault((item.get("url"), item["object"], item["category"]), {**item, "carriers": []})
        carriers = known["carriers"]
        if isinstance(carriers, list) and item["carrier"] not in carriers:
            carriers.append(item["carrier"])
    return [{name: value for name, value in item.items() if name != "carrier"} for item in distinct.values()]


def opposite(ref: str, category: Category, statement: Statement) -> dict[str, object]:
    """Return one contradiction as it stands in an evidence record."""
    return {
        "object": ref,
        "category": category.value,
        "asked": "n",
        "shown": "y",
        "carrier": statement.carrier,
        "raw": statement.raw[:300],
    }


def _record_alteration(
    kit: Kit, found: list[dict[str, object]], verdict: Verdict, request: SignedRequest, document: Mapping[str, object]
) -> Evidence:
    origin = origin_of(verdict.actor)
    record: dict[str, object] = {
        "violation": Violation.ALTER.value,
        "contradictions": merged(found)[:MAX_SHOWN],
        "activity": document.get("id"),
        "actor": verdict.actor,
        "key": verdict.key_id,
        "scheme": verdict.scheme,
        "request": {
            "method": request.method,
            "target": request.target,
            "bodySha256": hashlib.sha256(request.body).hexdigest(),
        },
        "signatureHeaders": [[name, value] for name, value in request.headers if name.lower() in _KEPT_HEADERS],
    }
    now = kit.clock.now()
    with kit.store.transaction():
        kit.store.peers.seen(origin, now)
        evidence = kit.store.peers.observe(
            kit.tids.next(), origin, now, violation=Violation.ALTER, proven=True, record=record
        )
        kit.store.peers.audit(now, "observation", origin.host, Violation.ALTER.value, evidence.id)
        stop_deliveries(kit, [origin])
    return evidence


_KEPT_HEADERS = frozenset({"signature", "signature-input", "digest", "content-digest", "date", "host", "content-usage"})


def host_of(text: str) -> str:
    """Return the host in a URL, ``host:port`` or host, in normal form; raise BadUrl when there is none."""
    named = try_origin(text)
    if named is not None:
        return named.host
    return normalise_host(text if text.startswith("[") else text.partition(":")[0])
