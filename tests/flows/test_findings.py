"""What is odd about the opt-outs of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import home_of
from jsonld.loading import pinned
from peers.plain import AS2

from gateway.carriers.jsonld_terms import CONTEXT
from gateway.flows.findings import MAX_NODES, differences, uncovered
from gateway.flows.proofs import Judged
from gateway.jsonld.coverage import coverage
from gateway.signatures.verdict import Verdict

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio
NOTE: dict[str, Any] = {"@context": [AS2, dict(CONTEXT)], "id": "https://peer.example/1", "type": "Note"}
BARE: dict[str, Any] = {**NOTE, "@context": AS2}
PROOF, LINKED = (Verdict(ok=True, scheme=scheme, steps=()) for scheme in ("proof", "rsa-signature-2017"))
PROVEN = Judged(pointer="/proof", suite="eddsa-jcs-2022", verdict=PROOF)


def _uncovered(document: dict[str, Any], *judged: Judged) -> dict[str, dict[str, Any]]:
    rows = [row.as_json() for row in coverage(document, pinned())]
    return {entry["pointer"]: entry for entry in uncovered(rows, judged)}


@pytest.mark.parametrize(
    "term",
    [
        "contentUsage", "aiUsage", "xRobotsTag", "indexable", "noai", "noAI", "no-ai", "noimageai", "noindex",
        "notrain", "aiTraining", "optOut", "opt-out", "tdmReservation", "tdm-policy", "robots", "usage",
    ],
)  # fmt: skip
async def test_words_in_which_people_opt_out(term: str) -> None:
    """Whatever a term is called, when it looks like an opt-out its fate is told."""
    (entry,) = _uncovered({**BARE, term: "no"}).values()
    assert (entry["term"], entry["inRdf"], entry["inJcs"]) == (term, False, True)
    assert f"{term} is undefined in its context: no RDF-canonical signature" in entry["sentence"]


@pytest.mark.parametrize("term", ["content", "languageUsages", "main", "rainbow", "snotrag", "indexed"])
async def test_other_words_are_none(term: str) -> None:
    """A name that only looks a little like one is not one."""
    assert _uncovered({**BARE, term: "x"}) == {}


async def test_one_entry_a_place() -> None:
    """An object of preferences is one opt-out where it stands, on each node that has one."""
    image = {
        "type": "Image",
        "url": "https://a.example/i",
        "aiUsage": {"v": 1, "prefs": {"train-gen": "n", "tdm": "n"}},
    }
    found = _uncovered({**BARE, "aiUsage": {"v": 1}, "attachment": [image, image]})
    assert found.keys() == {"/aiUsage", "/attachment/0/aiUsage", "/attachment/1/aiUsage"}


async def test_our_own_terms_are_covered_and_say_what_they_mean() -> None:
    """Defined inline, the whole statement is covered by either kind of signature."""
    usage = {
        "v": 1,
        "prefs": {"train-gen": "n"},
        "statements": [{"declaredBy": {"kind": "author", "id": "https://a/"}}],
    }
    found = _uncovered({**NOTE, "contentUsage": "train-ai=n", "aiUsage": usage, "indexable": False})
    assert [(entry["pointer"], entry["inRdf"]) for entry in found.values()] == [
        ("/contentUsage", True), ("/aiUsage", True), ("/indexable", True),
    ]  # fmt: skip
    assert found["/aiUsage"]["meaning"] == "https://w3id.org/fep/1e38#aiUsage"
    assert found["/contentUsage"]["sentence"] == (
        "contentUsage means https://w3id.org/fep/1e38#contentUsage: RDF-canonical signatures and JCS proofs cover it."
    )


async def test_the_signatures_of_the_document_are_taken_into_account() -> None:
    """A JCS proof that is there covers; an LD signature that is there does not; a proof elsewhere is none here."""
    plain = _uncovered({**BARE, "noai": "x"})["/noai"]["sentence"]
    assert plain.endswith("Only a JCS proof (eddsa-jcs-2022) would cover it.")
    proven = _uncovered({**BARE, "noai": "x"}, PROVEN)["/noai"]["sentence"]
    assert proven.endswith("Its JCS proof covers it.")
    inside = Judged(pointer="/object/proof", suite="eddsa-jcs-2022", verdict=PROOF)
    assert _uncovered({**BARE, "noai": "x"}, inside)["/noai"]["sentence"] == plain
    for pointer, scheme, suite in (("/signature", "rsa-signature-2017", None), ("/proof", "proof", "eddsa-rdfc-2022")):
        signature = Judged(pointer=pointer, suite=suite, verdict=Verdict(ok=True, scheme=scheme, steps=()))
        signed = _uncovered({**BARE, "noai": "x"}, signature)["/noai"]["sentence"]
        assert "This document carries such a signature. Only a JCS proof" in signed
    listed = Judged(pointer="/proof/0", suite="eddsa-jcs-2022", verdict=PROVEN.verdict)
    assert _uncovered({**BARE, "noai": "x"}, listed)["/noai"]["sentence"] == proven


async def test_a_term_that_is_defined_and_lost() -> None:
    """What has a meaning and still makes no quad is told apart from what has none."""
    row = {"pointer": "/noai", "meaning": "urn:x:noai", "inRdf": False, "state": "kept"}
    (entry,) = uncovered([row], ())
    assert entry["sentence"].startswith("noai does not survive as RDF: no RDF-canonical signature")


async def test_readers_of_both_kinds(world: World) -> None:
    """Undefined here and differently defined there: each node says what either reader finds and what counts."""
    home, _ = home_of(world)
    same = differences(home.kit, {**NOTE, "contentUsage": "train-ai=n"})
    assert (same["differ"], len(same["nodes"])) == (False, 1)
    renamed = {**NOTE, "@context": [AS2, {"x": "https://w3id.org/fep/1e38#contentUsage", "contentUsage": "urn:other"}]}
    found = differences(home.kit, {**renamed, "contentUsage": "train-ai=y", "x": "train-ai=n"})
    (node,) = found["nodes"]
    assert (node["plain"], node["jsonLd"]) == ({"train-gen": "y"}, {"train-gen": "n"})
    assert (node["differ"], node["counts"]) == (True, {"train-gen": "n"})
    assert "at the document itself" in found["sentence"]


async def test_a_yes_that_only_one_reader_finds_does_not_count(world: World) -> None:
    """An undefined yes is no permission."""
    home, _ = home_of(world)
    (node,) = differences(home.kit, {**BARE, "contentUsage": "train-ai=y"})["nodes"]
    assert (node["plain"], node["jsonLd"], node["counts"]) == ({"train-gen": "y"}, {}, {})


async def test_where_no_expansion_is_possible(world: World) -> None:
    """A broken or unknown context leaves the refusals of plain JSON."""
    home, _ = home_of(world)
    document = {**NOTE, "@context": [AS2, "https://unknown.example/"], "contentUsage": "train-ai=n, search=y"}
    (node,) = differences(home.kit, document)["nodes"]
    assert (node["jsonLd"], node["differ"], node["counts"]) == (None, True, {"train-gen": "n"})


async def test_nodes_inside_are_named_by_pointer(world: World) -> None:
    """Object, attachments, and the document itself each where they stand."""
    home, _ = home_of(world)
    image = {"type": "Image", "url": "https://a.example/i", "contentUsage": "train-ai=n"}
    note = {"id": "https://peer.example/2", "type": "Note", "indexable": False, "attachment": [image]}
    found = differences(home.kit, {**BARE, "object": note})
    assert [node["pointer"] for node in found["nodes"]] == ["/object", "/object/attachment/0"]
    assert "/object, /object/attachment/0" in found["sentence"]


async def test_no_more_than_so_many_nodes(world: World) -> None:
    """A crowd of nodes is cut."""
    home, _ = home_of(world)
    crowd = [{"type": "Note", "contentUsage": "train-ai=n"} for _ in range(MAX_NODES * 2)]
    assert len(differences(home.kit, {**NOTE, "tag": crowd})["nodes"]) < MAX_NODES


async def test_nothing_stated(world: World) -> None:
    """A document without preferences has one sentence."""
    home, _ = home_of(world)
    assert differences(home.kit, NOTE) == {
        "differ": False, "nodes": [], "sentence": "No preference stands in this document.",
    }  # fmt: skip
