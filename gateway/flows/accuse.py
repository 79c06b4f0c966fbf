"""Does a peer state the opposite of our labels? What it signed or shows becomes evidence."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from gateway.activitypub.labels import MAX_NODES, mentions_of, spoken_about
from gateway.activitypub.properties import nodes
from gateway.carriers.reading import Source
from gateway.errors import MalformedDocument
from gateway.flows.moderate import stop_deliveries
from gateway.jsonld import strict
from gateway.policy.contradiction import contradictions
from gateway.policy.standing import Violation
from gateway.preferences import Auth, Declarant, DeclarantKind, Preferences, Scope, Subject
from gateway.signatures import proof
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.preferences import Category, Statement
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Verdict
    from gateway.store.peers import Evidence


MAX_MENTIONS = 64  # nodes of one document that speak about something of ours; nobody needs more than two
MAX_CANDIDATES = 256
MAX_SHOWN = 20  # contradictions in one record; the first ones prove as much as all


def judge_labels(kit: Kit, document: Mapping[str, object], verdict: Verdict, request: SignedRequest) -> Evidence | None:
    """Record a V3 when a peer's own signed activity states the opposite of what we sent about our objects.

    Returns the evidence, or None when nothing explicit contradicts.
    """
    if not may_name(request.body, kit.settings.origin.host):
        return None
    speaker = Declarant(kind=DeclarantKind.UNKNOWN, id=verdict.actor, auth=Auth.HTTP_SIGNATURE)
    found = contradictions_in(kit, document, speaker)
    return _record_alteration(kit, found, verdict, request, document) if found else None


def may_name(body: bytes, host: str) -> bool:
    """Tell whether JSON text can hold an address on a host: what cannot needs no reading for it.

    A URL that names it has its letters, or an escape of JSON or of URLs (or of IDNA) in their place.
    """
    text = body.lower()
    return host.encode() in text or b"\\u" in text or b"%" in text or b"xn--" in text or not text.isascii()


def contradictions_in(kit: Kit, document: Mapping[str, object], speaker: Declarant) -> list[dict[str, object]]:
    """Return every explicit opposite that a document states about one of our own objects."""
    candidates = {
        url
        for _, node in nodes(document, MAX_NODES, MAX_NODES)
        for url in spoken_about(node)
        if url.startswith(f"{kit.base}/")
    }
    if len(candidates) > MAX_CANDIDATES:
        raise MalformedDocument(f"{len(candidates)} things of ours in one document")
    asked = kit.store.objects.owned_local_ids(candidates)
    reader = kit.reader()
    found: list[dict[str, object]] = []
    mentions = mentions_of(document, asked) if asked else []
    if len(mentions) > MAX_MENTIONS:
        raise MalformedDocument(f"{len(mentions)} words about what is ours in one document")
    for path, ref in mentions:
        source = Source(
            subject=Subject(scope=Scope.OBJECT, ref=ref), declared_by=speaker, observed_at=reader.observed_at
        )
        opposites = contradictions(asked[ref], reader.explicit(document, path, source))
        found += [opposite(ref, category, statement) for category, statement in opposites]
    return _not_ours(kit, found) if found else []


def _not_ours(kit: Kit, found: list[dict[str, object]]) -> list[dict[str, object]]:
    """Drop what only repeats a yes that we sent ourselves before the author tightened it."""
    sent = {str(item["object"]): _once_allowed(kit, str(item["object"])) for item in found}
    return [item for item in found if item["category"] not in sent[str(item["object"])]]


def _once_allowed(kit: Kit, ref: str) -> set[str]:
    allowed: set[str] = set()
    for body in kit.store.objects.bodies_about(ref):
        embedded = strict.read_object(body).get("object")
        usage = embedded.get("aiUsage") if isinstance(embedded, dict) else None
        prefs = Preferences.from_json(usage.get("prefs")) if isinstance(usage, dict) else Preferences()
        allowed |= {category.value for category in prefs if prefs.allows(category)}
    return allowed


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
        **({"proof": document["proof"]} if verdict.scheme == proof.SCHEME else {}),
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
