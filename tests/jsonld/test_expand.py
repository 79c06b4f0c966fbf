"""Bounded expansion, and the keywords that move statements between subjects."""

from __future__ import annotations

import time
from typing import Any

import pytest
from jsonld.loading import pinned

from gateway.jsonld import expand
from gateway.jsonld.contexts import AS2


def test_a_document_is_expanded_with_pinned_contexts() -> None:
    """Terms become IRIs, without a fetch."""
    document = {"@context": AS2, "id": "https://a.example/1", "type": "Note", "content": "x"}
    assert expand.expand(document, pinned()) == [
        {
            "@id": "https://a.example/1",
            "@type": [f"{AS2}#Note"],
            f"{AS2}#content": [{"@value": "x"}],
        }
    ]


@pytest.mark.parametrize(
    "context",
    [
        "https://evil.example/ns",
        [AS2, "https://evil.example/ns"],
        {"@import": "https://evil.example/ns"},
        {"x": {"@id": "urn:x", "@context": "https://evil.example/ns"}},
        "file:///etc/passwd",
        "relative",
        5,
        {"@version": 1.0},
        {"@vocab": 5},
        {"a": "b:c", "b": "a:d"},
        {"@base": 5},
        {"x": {"@id": 5}},
    ],
    ids=range(12),
)
def test_an_unknown_or_broken_context_has_no_expansion(context: object) -> None:
    """A context that is unknown, cyclic or no context at all gives None, never an exception."""
    document = {"@context": context, "id": "https://a.example/1", "x": {"a": 1}, "type": "Note"}
    assert expand.expand(document, pinned()) is None


def test_a_document_that_is_no_json_ld_has_no_expansion() -> None:
    """Keywords with impossible values give None."""
    documents: list[dict[str, object]] = [
        {"@id": 5},
        {"@type": 5},
        {"@graph": {"@value": 1, "@id": "x"}},
        {"urn:x": {"@value": {}}},
        {"urn:x": {"@value": "x", "@language": 5}},
        {"@reverse": "x"},
    ]
    for document in documents:
        assert expand.expand(document, pinned()) is None


@pytest.mark.parametrize(
    ("document", "affordable"),
    [
        ({"urn:x": ["v"] * (expand.MAX_NODES - 2)}, True),
        ({"urn:x": ["v"] * (expand.MAX_NODES - 1)}, False),
        ({"@context": {f"t{i}": "urn:x" for i in range(expand.MAX_CONTEXT_ENTRIES - 1)}}, True),
        ({"@context": {f"t{i}": "urn:x" for i in range(expand.MAX_CONTEXT_ENTRIES)}}, False),
        ({"urn:x": {"@context": [{f"t{i}": "urn:x" for i in range(expand.MAX_CONTEXT_ENTRIES)}]}}, False),
    ],
    ids=range(5),
)
def test_the_bounds_are_exact(document: dict[str, object], *, affordable: bool) -> None:
    """A document of 1,000 values with 300 context entries is expanded, one more is not."""
    assert (expand.expand(document, pinned()) is not None) is affordable


@pytest.mark.parametrize(
    "context",
    [
        {"@prefix": None},
        {"@id": None, "@context": {"@prefix": "@context"}},
        {"@future": "urn:x"},
        [{"x": "@future"}],
        {"x": {"@id": "@future"}},
        {"x": {"@reverse": "@future"}},
        {"x": {"@reverse": "@context"}},
        {"x": {"@id": "urn:x", "@context": {"@prefix": True}}},
        {"x": {"@id": "urn:x", "@context": [{"y": "@future\n"}]}},
    ],
    ids=range(9),
)
def test_a_reserved_word_in_a_context_has_no_expansion(context: object) -> None:
    """Words that JSON-LD keeps for its future give None, without a warning on stderr."""
    assert expand.expand({"@context": context, "urn:x": {"urn:y": 1}}, pinned()) is None
    assert expand.expand({"urn:x": {"@context": context, "urn:y": 1}}, pinned()) is None


@pytest.mark.parametrize(
    "context",
    [
        {"@import": AS2, "content": "urn:elsewhere"},
        [AS2, {"@import": AS2, "content": None}],
        {"x": {"@id": "urn:x", "@context": {"@import": AS2, "content": "urn:elsewhere"}}},
        {"@import": "https://w3id.org/security/v1", "content": "urn:elsewhere"},
    ],
    ids=range(4),
)
def test_no_document_changes_a_context_for_the_next(context: object) -> None:
    """@import, which pyld carries out on the shared context itself, is refused, and the pinned one stays as it was."""
    note = {"@context": AS2, "content": "x"}
    before, pinned_before = expand.expand(note, pinned()), repr(pinned().documents)
    for document in ({"@context": context, "content": "x", "x": {}}, {"urn:x": {"@context": context, "content": "x"}}):
        assert expand.expand(document, pinned()) is None
    assert expand.expand(note, pinned()) == before == [{f"{AS2}#content": [{"@value": "x"}]}]
    assert repr(pinned().documents) == pinned_before


def test_a_prefix_flag_and_text_with_a_sign_are_no_reserved_words() -> None:
    """@prefix inside a definition is a keyword, and text like @future outside of contexts is text."""
    context = {"p": {"@id": "urn:p:", "@prefix": True}}
    assert expand.expand({"@context": context, "p:x": "@future"}, pinned()) == [{"urn:p:x": [{"@value": "@future"}]}]


def test_a_large_document_is_refused_quickly() -> None:
    """The count stops at its limit and does not walk the rest."""
    document: dict[str, Any] = {"@context": AS2, "content": [{"x": list(range(100))} for _ in range(10_000)]}
    started = time.perf_counter()
    assert expand.expand(document, pinned()) is None
    assert time.perf_counter() - started < 0.5


def test_expansion_leaves_the_document_alone() -> None:
    """What is checked is what is used: the caller's value does not change."""
    document = {"@context": [AS2, {"x": "urn:x"}], "type": "Note", "x": {"@value": "1"}, "tag": [{"type": "Mention"}]}
    before = repr(document)
    expand.expand(document, pinned())
    assert repr(document) == before


@pytest.mark.parametrize(
    "document",
    [
        {"@graph": []},
        {"@included": {}},
        {"@reverse": {}},
        {"object": {"tag": [{"@graph": []}]}},
        {"object": [[{"@included": []}]]},
        {"@context": {"g": "@graph"}, "g": []},
        {"@context": {"g": {"@id": "@graph"}}},
        {"@context": {"g": "h", "h": "@graph"}},
        {"@context": [AS2, [{"g": "@included"}]]},
        {"@context": {"g": {"@id": "urn:x", "@container": "@graph"}}},
        {"@context": {"g": {"@id": "urn:x", "@container": ["@graph", "@id"]}}},
        {"@context": {"g": {"@reverse": "urn:x"}}},
        {"@context": {"g": {"@id": "urn:x", "@context": {"h": "@reverse"}}}},
        {"object": {"@context": {"g": "@graph"}}},
    ],
    ids=range(14),
)
def test_restructuring_is_seen_in_every_disguise(document: dict[str, object]) -> None:
    """@graph, @included and @reverse are found as keys, aliases, alias chains, containers and scoped contexts."""
    assert expand.restructures(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"@context": AS2, "type": "Note", "content": "@graph", "tag": ["@reverse", {"name": "@included"}]},
        {"@context": [AS2, {"graph": "urn:graph", "x": {"@id": "urn:x", "@container": "@list"}}], "graph": []},
        {"@context": None, "object": {"@context": []}},
        {"graph": {}, "reverse": []},
    ],
    ids=range(5),
)
def test_plain_documents_do_not_restructure(document: dict[str, object]) -> None:
    """The keywords as text, or their names without the sign, are harmless."""
    assert not expand.restructures(document)
