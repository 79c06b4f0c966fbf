"""What is odd about the opt-outs of a document: those no signature covers, and readers who find different things."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gateway.activitypub.properties import nodes
from gateway.carriers.jsonld_terms import IRIS, TERMS
from gateway.carriers.reading import Source
from gateway.jsonld.coverage import BLANK
from gateway.preferences import NOTHING, Declarant, DeclarantKind, Scope, Subject, agreeing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.flows.kit import Kit
    from gateway.flows.proofs import Judged

MAX_NODES = 64
JCS_SUITES = ("eddsa-jcs-2022", "ecdsa-jcs-2019")
RDF_SUITES = ("eddsa-rdfc-2022", "ecdsa-rdfc-2019", "ecdsa-sd-2023", "bbs-2023")
# Words in which people write opt-outs; ours among them.
_OPT_OUT = re.compile(
    r"no-?ai|no-?train|no-?image-?ai|no-?index|ai-?usage|content-?usage|ai-?training|opt-?out|tdm|robots|indexable|^usage$",
    re.IGNORECASE,
)


def uncovered(rows: Sequence[Mapping[str, Any]], judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return each opt-out of a document, and whether signatures of either kind cover it.

    ``rows`` are those of the coverage; one entry a place where an opt-out stands.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        place = _place(str(row["pointer"]))
        if place is None:
            continue
        entry = found.setdefault(place, {"pointer": place, "term": place.rpartition("/")[2], "inRdf": True})
        entry["inRdf"] = entry["inRdf"] and row["inRdf"] and row["state"] != BLANK
        # The meaning of a value inside is not the meaning of the whole, unless the whole is one JSON literal.
        entry.setdefault("meaning", row["meaning"] if row["inRdf"] or row["pointer"] == place else None)
    whole = [one for one in judged if one.pointer.split("/")[1] in ("proof", "signature")]
    has_jcs = any(one.suite in JCS_SUITES for one in whole)
    has_rdf = any(one.verdict.scheme != "proof" or one.suite in RDF_SUITES for one in whole)
    for entry in found.values():
        entry["inJcs"] = True
        entry["sentence"] = _sentence(entry, has_rdf=has_rdf, has_jcs=has_jcs)
    return list(found.values())


def _place(pointer: str) -> str | None:
    """Return the pointer up to the first member that is named like an opt-out."""
    steps = pointer.split("/")
    for index, step in enumerate(steps):
        if step and not step.isdigit() and _OPT_OUT.search(step):
            return "/".join(steps[: index + 1])
    return None


def _sentence(entry: Mapping[str, Any], *, has_rdf: bool, has_jcs: bool) -> str:
    term, meaning = entry["term"], entry["meaning"]
    if entry["inRdf"]:
        return f"{term} means {meaning}: RDF-canonical signatures and JCS proofs cover it."
    undefined = meaning is None or str(meaning).startswith("_:")
    why = "is undefined in its context" if undefined else "does not survive as RDF"
    parts = [
        f"{term} {why}: no RDF-canonical signature (LD Signatures, eddsa-rdfc-2022) covers it,",
        "so it can be removed or changed on the way without breaking one.",
        "This document carries such a signature." if has_rdf else "",
        "Its JCS proof covers it." if has_jcs else "Only a JCS proof (eddsa-jcs-2022) would cover it.",
    ]
    return " ".join(part for part in parts if part)


def differences(kit: Kit, document: Mapping[str, object]) -> dict[str, Any]:
    """Return what readers of plain JSON and JSON-LD readers find, node by node, where any preference stands."""
    speaker = Declarant(kind=DeclarantKind.UNKNOWN, id="reader")
    rows = []
    for path, node in list(nodes(document))[:MAX_NODES]:
        pointer = "".join(f"/{step}" for step in path)
        source = Source(
            subject=Subject(scope=Scope.OBJECT, ref=pointer), declared_by=speaker, observed_at=kit.clock.now()
        )
        plain, expanded = kit.reader().both(document, path, source)
        if not plain and not expanded and not node.keys() & {*TERMS, *IRIS.values()}:
            continue
        rows.append(
            {
                "pointer": pointer,
                "plain": plain.as_json(),
                "jsonLd": expanded.as_json() if expanded is not None else None,
                "differ": expanded is None or plain != expanded,
                "counts": agreeing(plain, expanded if expanded is not None else NOTHING).as_json(),
            }
        )
    return {"differ": any(row["differ"] for row in rows), "nodes": rows, "sentence": _verdict(rows)}


def _verdict(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No preference stands in this document."
    if not any(row["differ"] for row in rows):
        return "Readers of plain JSON and JSON-LD readers find the same preferences."
    places = ", ".join(row["pointer"] or "the document itself" for row in rows if row["differ"])
    return (
        f"Readers of plain JSON and JSON-LD readers find different preferences at {places}. This gateway counts"
        " every no of both, and a yes only where both find it."
    )
