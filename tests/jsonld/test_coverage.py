"""Which values of a document mean something, and which no RDF-canonical signature covers."""

from __future__ import annotations

from typing import Any

import pytest
from jsonld.loading import pinned

from gateway.carriers.jsonld_terms import CONTEXT
from gateway.errors import MalformedDocument
from gateway.jsonld.contexts import AS2
from gateway.jsonld.coverage import Covered, coverage

ID = "https://peer.example/notes/1"
NOTE: dict[str, Any] = {"@context": [AS2, dict(CONTEXT)], "id": ID, "type": "Note", "content": "x"}


def _rows(document: dict[str, Any]) -> dict[str, Covered]:
    rows = coverage(document, pinned())
    found = {row.pointer: row for row in rows}
    assert len(found) == len(rows)
    return found


def _states(document: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {pointer: (row.state, row.in_rdf) for pointer, row in _rows(document).items()}


def test_what_the_context_defines_is_kept_and_covered() -> None:
    """A defined value has its IRI as meaning and stands in the quads; so do id and type."""
    assert _states(NOTE) == {"/id": ("keyword", True), "/type": ("keyword", True), "/content": ("kept", True)}
    rows = _rows(NOTE)
    assert rows["/content"].as_json() == {
        "pointer": "/content", "term": "content", "meaning": f"{AS2}#content", "state": "kept", "inRdf": True,
    }  # fmt: skip
    assert (rows["/id"].meaning, rows["/type"].meaning) == ("@id", "@type")


def test_an_undefined_term_is_blank_and_not_covered() -> None:
    """The ActivityStreams context maps unknown terms to ``_:``, which no signed quad holds; the rest is as it was."""
    states = _states({**NOTE, "flavour": "sweet", "deep": {"flavour": "sour"}})
    assert states["/flavour"] == ("blank", False)
    assert states["/deep/flavour"] == ("blank", False)
    assert _rows({**NOTE, "flavour": "sweet"})["/flavour"].meaning == "_:flavour"
    assert states["/content"] == ("kept", True)
    assert (states["/id"], states["/type"]) == (("keyword", True), ("keyword", True))


def test_a_term_without_any_meaning_is_dropped() -> None:
    """Without @vocab an unknown term is gone already in the expanded form."""
    states = _states({"@context": {"a": "urn:a"}, "@id": ID, "a": "x", "b": "y"})
    assert states == {"/@id": ("keyword", True), "/a": ("kept", True), "/b": ("dropped", False)}
    nulled = _rows({**NOTE, "@context": [AS2, {"content": None}]})
    assert (nulled["/content"].state, nulled["/content"].meaning) == ("dropped", None)


@pytest.mark.parametrize("value", [None, []])
def test_nothing_is_dropped(value: object) -> None:
    """Null and empty lists say nothing as RDF."""
    assert _states({**NOTE, "tag": value})["/tag"] == ("dropped", False)


def test_our_own_terms_are_covered_whole() -> None:
    """A JSON literal is one value: all of it is covered, also what has the names of keywords inside."""
    usage = {
        "v": 1, "prefs": {"train-gen": "n"}, "labels": [], "nothing": None,
        "statements": [{"declaredBy": {"kind": "author", "id": "https://peer.example/users/bob", "type": "x"}}],
    }  # fmt: skip
    rows = _rows({**NOTE, "contentUsage": "train-ai=n", "aiUsage": usage})
    ours = {pointer: row for pointer, row in rows.items() if pointer.startswith(("/aiUsage", "/contentUsage"))}
    assert len(ours) == 8
    assert {pointer for pointer, row in ours.items() if not row.in_rdf} == set()
    assert {row.meaning for row in ours.values()} == {CONTEXT["aiu"] + "aiUsage", CONTEXT["aiu"] + "contentUsage"}


def test_lists_are_told_item_by_item() -> None:
    """Each item of a list and each text of a language map has a row of its own, under the term it belongs to."""
    document = {**NOTE, "to": ["https://a.example/", "https://b.example/"], "contentMap": {"en": "x", "ja": "y"}}
    rows = _rows(document)
    assert {pointer: row.term for pointer, row in rows.items() if pointer.startswith(("/to", "/contentMap"))} == {
        "/to/0": "to", "/to/1": "to", "/contentMap/en": "contentMap", "/contentMap/ja": "contentMap",
    }  # fmt: skip
    assert all(row.in_rdf for row in rows.values())
    assert rows["/contentMap/ja"].meaning == f"{AS2}#content"


def test_pointers_are_escaped() -> None:
    """A slash or tilde in a name is written as RFC 6901 says."""
    rows = _rows({**NOTE, "a/b": "x", "c~d": "y"})
    assert {"/a~1b", "/c~0d"} <= rows.keys()


def test_nodes_below_a_lost_term_are_lost_with_their_link() -> None:
    """What is said inside may be signed where the node has an id; that it belongs here is not."""
    inner = {"id": "https://peer.example/x", "type": "Note", "content": "y"}
    rows = _rows({**NOTE, "flavour": inner})
    assert rows["/flavour/content"].state == "blank"
    assert not rows["/flavour/id"].in_rdf
    anonymous = _rows({**NOTE, "flavour": {"type": "Note"}})
    assert not anonymous["/flavour/type"].in_rdf


def test_an_embedded_object_is_covered() -> None:
    """Objects inside objects are followed."""
    activity = {
        "@context": AS2, "id": "https://peer.example/a/1", "type": "Create", "actor": "https://peer.example/u",
        "object": {"id": ID, "type": "Note", "content": "x", "contentUsage": "train-ai=n"},
    }  # fmt: skip
    states = _states(activity)
    assert states.pop("/object/contentUsage") == ("blank", False)
    assert [pointer for pointer, (_, in_rdf) in states.items() if not in_rdf] == []


def test_a_context_inside_counts_from_there_on() -> None:
    """A term that is defined further in is covered there and not above."""
    defined = {"type": "Image", "@context": dict(CONTEXT), "contentUsage": "train-ai=n", "url": "https://a.example/i"}
    states = _states({"@context": AS2, "id": ID, "type": "Note", "contentUsage": "train-ai=n", "attachment": [defined]})
    assert states["/contentUsage"] == ("blank", False)
    assert states["/attachment/0/contentUsage"] == ("kept", True)


def test_numbers_and_booleans_are_values_like_others() -> None:
    """The type of a value changes nothing about what covers it."""
    states = _states({**NOTE, "sensitive": True, "indexable": False, "totalItems": 0, "latitude": 1.5})
    assert states["/indexable"] == ("kept", True)
    assert states["/totalItems"] == ("kept", True)
    assert states["/latitude"] == ("kept", True)
    assert states["/sensitive"] == ("blank", False)


def test_what_is_no_json_ld_is_an_error() -> None:
    """A broken or unknown context gives no rows but a reason."""
    with pytest.raises(MalformedDocument):
        coverage({**NOTE, "@context": [AS2, {"content": 7}]}, pinned())
    with pytest.raises(MalformedDocument):
        coverage({**NOTE, "@context": "https://unknown.example/"}, pinned())


def test_an_undefined_term_beside_an_id_does_not_uncover_it() -> None:
    """The subject of signed quads is covered, whatever else its node says; a relative one is what it resolves to."""
    inner = {"id": "https://peer.example/inner", "type": "Note", "noai": True, "content": "x"}
    rows = _rows({**NOTE, "noai": True, "object": inner})
    assert rows["/id"].in_rdf
    assert rows["/object/id"].in_rdf
    relative = {row.pointer: row for row in coverage({**NOTE, "id": "9"}, pinned(), base="https://peer.example/")}
    assert relative["/id"].in_rdf
