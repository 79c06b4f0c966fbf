"""Everything about one document that a developer may ask: forms, coverage, proofs, statements, answers, decision.

Nothing is kept, and nothing is decided by it: the same pure rooms that decide are asked what they would say.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.activitypub import semantics
from gateway.errors import MalformedDocument
from gateway.flows import forecast
from gateway.flows.bounded import TOO_COMPLEX
from gateway.flows.findings import differences, uncovered
from gateway.flows.forms import Forms, forms, jcs
from gateway.flows.heard import heard
from gateway.flows.proofs import Judged, proofs_in
from gateway.flows.report import answer_json, statement_json
from gateway.jsonld import strict
from gateway.preferences import Category, combine
from gateway.signatures.proof import covered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.flows.specimen import Specimen
    from gateway.preferences import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the developer asks besides: one use, for whom, whether unknown contexts and keys may be fetched."""

    use: Category | None = None
    consumer: str | None = None
    fetch_contexts: bool = False
    fetch_keys: bool = False


async def inspect(kit: Kit, specimen: Specimen, wish: Wish = Wish()) -> dict[str, Any]:
    """Return the report on a document as JSON; its members are documented in ``schemas/output.json``."""
    report: dict[str, Any] = {
        "source": {
            "url": specimen.url, "status": specimen.status, "contentType": specimen.content_type,
            "signed": specimen.signed, "bytes": len(specimen.body),
        },
        "problems": [problem.as_json() for problem in semantics.problems_in(specimen.body)],
    }  # fmt: skip
    try:
        document = strict.read_object(specimen.body)
    except MalformedDocument as error:
        return {**report, **_nothing(error, specimen.body), **_said(kit, None, specimen, wish)}
    seen = await forms(kit, document, url=specimen.url, fetch_contexts=wish.fetch_contexts)
    stopped = seen.views["nquads"].get("problem") == TOO_COMPLEX
    judged = await proofs_in(kit, document, fetch_keys=wish.fetch_keys, canonicalise=not stopped)
    return {
        **report,
        "document": document,
        "forms": _forms(document, specimen, seen),
        "contexts": {
            "bundled": list(seen.bundled), "unknown": list(seen.unknown), "fetched": list(seen.fetched),
            "failed": dict(seen.failed), "changed": list(seen.changed),
        },
        "coverage": _coverage(document, seen, judged),
        "readers": differences(kit, document),
        "signatures": [one.as_json() for one in judged],
        **_said(kit, document, specimen, wish),
        "decision": forecast.decision(kit, document, specimen),
    }  # fmt: skip


def _nothing(why: MalformedDocument, body: bytes) -> dict[str, Any]:
    """Return the rest of a report on what is no JSON object at all."""
    return {
        "document": None, "forms": {"raw": {"value": body.decode("utf-8", "replace")}}, "coverage": None,
        "contexts": {"bundled": [], "unknown": [], "fetched": [], "failed": {}, "changed": []},
        "readers": None, "signatures": [],
        "decision": {"peer": None, "about": None, "would": [forecast.refused(why)], "accuses": []},
    }  # fmt: skip


def _forms(document: Mapping[str, object], specimen: Specimen, seen: Forms) -> dict[str, Any]:
    shown: dict[str, Any] = {"raw": {"value": specimen.body.decode("utf-8", "replace")}}
    shown |= {name: dict(view) for name, view in seen.views.items() if name != "coverage"}
    try:
        shown["jcs"] = {"value": jcs(document).decode()}
    except MalformedDocument as error:
        shown["jcs"] = {"problem": str(error)}
    return shown


def _coverage(document: Mapping[str, object], seen: Forms, judged: tuple[Judged, ...]) -> dict[str, Any]:
    """Return which values mean something, which no RDF-canonical signature covers, and what a JCS proof covers."""
    view = seen.views["coverage"]
    rows = view.get("value", [])
    try:
        text = jcs(covered(document))
        whole = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest(), "notCovered": _beside(document)}
    except MalformedDocument as error:
        whole = {"problem": str(error)}
    return {
        "terms": rows,
        "problem": view.get("problem"),
        "notInRdf": [row["pointer"] for row in rows if not row["inRdf"]],
        "jcs": whole,
        "optOuts": uncovered(rows, judged) if "value" in view else [],
    }


def _beside(document: Mapping[str, object]) -> list[str]:
    return [f"/{name}" for name in document if name in ("proof", "signature")]


def _said(kit: Kit, document: Mapping[str, object] | None, specimen: Specimen, wish: Wish) -> dict[str, Any]:
    """Return every statement in and around the document, what could not be read, and what follows from them."""
    statements, problems = heard(kit, document, specimen)
    return {
        "statements": [statement_json(statement) for statement in statements],
        "carrierProblems": [{"carrier": p.carrier, "code": p.code, "detail": p.detail} for p in problems],
        "effective": _effective(kit, statements, wish),
    }


def _effective(kit: Kit, statements: tuple[Statement, ...], wish: Wish) -> list[dict[str, Any]]:
    categories = [wish.use] if wish.use is not None else list(Category)
    answers = (combine(statements, c, at=kit.clock.now(), consumer=wish.consumer) for c in categories)
    return [{**answer_json(answer), "consumer": wish.consumer} for answer in answers]
