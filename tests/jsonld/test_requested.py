"""One request to look at a document: each view answered on its own, contexts found by name."""

from __future__ import annotations

from typing import Any

import pytest
from jsonld.loading import pinned

from gateway.jsonld.contexts import AS2
from gateway.jsonld.requested import VIEWS, answers, context_urls

STRANGE = "https://words.example/v1"
NOTE: dict[str, Any] = {"@context": [AS2, STRANGE], "id": "https://peer.example/1", "type": "Note", "flavour": "sweet"}


def _request(document: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    contexts = {AS2: pinned().documents[AS2]}
    return {"document": NOTE if document is None else document, "contexts": contexts, "views": list(VIEWS), **more}


def test_every_view_is_answered_in_order() -> None:
    """One answer a view, in the order that was asked for."""
    found = list(answers(_request(unknown=[STRANGE], into={"@context": AS2})))
    assert [answer["view"] for answer in found] == list(VIEWS)
    assert all("value" in answer for answer in found)
    assert [answer["view"] for answer in answers(_request(unknown=[STRANGE], views=["nquads", "expanded"]))] == [
        "nquads", "expanded",
    ]  # fmt: skip


def test_an_unknown_context_is_a_problem_unless_it_is_to_be_empty() -> None:
    """Only URLs that are named as unknown are taken as empty."""
    other = "https://words.example/never-loaded"  # what was loaded once is remembered by its URL
    found = list(answers(_request({**NOTE, "@context": [AS2, other]}, unknown=[STRANGE])))
    assert all("loading document failed" in answer["problem"] for answer in found)
    (expanded,) = answers(_request(unknown=[STRANGE], views=["expanded"]))
    assert expanded["value"][0]["_:flavour"] == [{"@value": "sweet"}]


def test_one_view_may_fail_alone() -> None:
    """What is no RDF has an expanded form all the same."""
    document = {"@context": {"p": "urn:p"}, "@id": "https://peer.example/ 1", "p": {"@value": "x", "@language": "a b"}}
    found = {answer["view"]: answer for answer in answers(_request(document))}
    assert "value" in found["expanded"]
    assert "problem" in found["nquads"] or found["nquads"]["value"] == ""


def test_the_base_makes_references_absolute() -> None:
    """A relative id means something where the document came from."""
    document = {"@context": AS2, "id": "1", "type": "Note"}
    (there,) = answers(_request(document, base="https://peer.example/notes/", views=["expanded"]))
    assert there["value"][0]["@id"] == "https://peer.example/notes/1"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, []),
        ({"@context": AS2}, [AS2]),
        ({"@context": [AS2, {"a": "urn:a"}, STRANGE, AS2]}, [AS2, STRANGE]),
        ({"@context": AS2, "object": {"@context": STRANGE}}, [AS2, STRANGE]),
        ({"@context": AS2, "object": [{"tag": [{"@context": [STRANGE]}]}]}, [AS2, STRANGE]),
        ({"@context": {"@import": STRANGE}}, [STRANGE]),
        ({"@context": {"a": {"@id": "urn:a", "@context": STRANGE}}}, [STRANGE]),
        ({"@context": {"a": "https://no.example/context", "b": {"@id": "https://no.example/"}}}, []),
        ({"content": AS2, "url": STRANGE}, []),
        ({"@context": [None, 7]}, []),
        ({"a": {"@import": STRANGE}}, [STRANGE]),
        ([{"@context": STRANGE}], [STRANGE]),
    ],
)
def test_contexts_are_found_wherever_they_stand(document: object, expected: list[str]) -> None:
    """Every URL that a processor would load is named once, in order, and no other."""
    assert context_urls(document) == expected


def test_nesting_without_end_is_walked_without_recursion() -> None:
    """A deep document does not break the search."""
    deep: Any = {"@context": STRANGE}
    for _ in range(5_000):
        deep = {"a": [deep]}
    assert context_urls(deep) == [STRANGE]
