"""ActivityStreams 2.0 test documents: the good ones pass without a word, each bad one is told what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.activitypub import semantics

HERE = Path(__file__).parent / "activitystreams"
GOOD = sorted(HERE.glob("*.json"))
BAD = sorted((HERE / "fail").glob("*.json"))
EXPECTED = {
    "array-at-top.json": "not-an-object",
    "bad-character-set.json": "not-utf8",
    "collection-with-non-page-first.json": "first-type",
    "content-map-with-invalid-language-tag.json": "language-tag",
    "name-as-namemap.json": "map-type",
    "namemap-as-name.json": "language-map-as-text",
    "number-as-actor.json": "link-type",
    "number-as-content.json": "text-type",
    "number-as-context.json": "context-type",
    "number-as-id.json": "id-type",
    "number-as-name.json": "text-type",
    "number-as-object.json": "link-type",
    "number-as-type.json": "type-type",
    "number-at-top.json": "not-an-object",
    "ordered-collection-with-items.json": "items-in-ordered",
    "ordered-collection-with-non-page-first.json": "first-type",
    "other-context.json": "no-as2-context",
    "relative-uri-for-url.json": "relative-url",
    "string-at-top.json": "not-an-object",
    "unordered-collection-with-ordered-items.json": "ordered-in-unordered",
}
# Bad documents that stand among the good ones. The first has line breaks inside a string; the others
# write a name exactly as fail/namemap-as-name.json does.
MISPLACED = {
    "vocabulary-ex196-jsonld.json": "not-json",
    "simple0011.json": "language-map-as-text",
    "simple0012.json": "language-map-as-text",
}


@pytest.mark.parametrize("path", [path for path in GOOD if path.name not in MISPLACED], ids=lambda path: path.stem)
def test_a_good_document_has_no_problem(path: Path) -> None:
    """Nothing is said against a document of the specifications."""
    assert [(found.pointer, found.code) for found in semantics.problems_in(path.read_bytes())] == []


@pytest.mark.parametrize(("name", "code"), EXPECTED.items())
def test_a_bad_document_is_told_why(name: str, code: str) -> None:
    """Every document that is known bad has the problem that it was written to show, in a sentence."""
    found = semantics.problems_in((HERE / "fail" / name).read_bytes())
    assert code in [problem.code for problem in found]
    assert all(problem.sentence for problem in found)


@pytest.mark.parametrize(("name", "code"), MISPLACED.items())
def test_a_misplaced_document_is_told_why(name: str, code: str) -> None:
    """A bad document among the good ones has its one problem and no other."""
    assert [problem.code for problem in semantics.problems_in((HERE / name).read_bytes())] == [code]


def test_every_document_is_tried() -> None:
    """The corpus holds 213 good and 20 bad documents, and the tables name files that exist."""
    assert (len(GOOD), len(BAD)) == (213, 20)
    assert set(EXPECTED) == {path.name for path in BAD}
    assert set(MISPLACED) <= {path.name for path in GOOD}
