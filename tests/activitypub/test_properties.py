"""Reading AS2 properties in each of their shapes."""

from __future__ import annotations

import pytest

from gateway.activitypub.properties import MAX_ITEMS, id_of, ids_of, nodes, only_id, text_of, type_of


@pytest.mark.parametrize(
    ("value", "found"),
    [("a", "a"), ({"id": "a"}, "a"), ({"href": "a"}, "a"), ({"id": "a", "href": "b"}, "a"), ("", None), (None, None),
     ({}, None), (7, None), (["a"], None), ({"id": 7}, None)],
)  # fmt: skip
def test_one_id(value: object, found: str | None) -> None:
    """An id stands alone, in an object or in a link."""
    assert id_of(value) == found


@pytest.mark.parametrize(
    ("value", "found"), [(["a"], "a"), ([{"id": "a"}], "a"), (["a", "b"], None), ([], None), ("a", "a"), ([None], None)]
)
def test_only_one_id(value: object, found: str | None) -> None:
    """Several names are no name."""
    assert only_id(value) == found


def test_many_ids_are_bounded() -> None:
    """Ids keep their order, and no more are read than the limit."""
    assert ids_of(["a", {"id": "b"}, 7, None]) == ["a", "b"]
    assert len(ids_of(["a"] * 1000)) == MAX_ITEMS
    assert ids_of(None) == []


@pytest.mark.parametrize(("value", "found"), [("Note", "Note"), (["Note", "X"], "Note"), ([7, "X"], "X"), (None, "")])
def test_the_first_type_counts(value: object, found: str) -> None:
    """A list of types counts by its first."""
    assert type_of({"type": value}) == found


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"name": "a"}, "a"), ({"nameMap": {"en": "b"}}, "b"), ({"nameMap": {"en": 7, "ja": "c"}}, "c"),
        ({"nameMap": "x"}, ""), ({}, ""), ({"name": 7}, ""),
    ],
)  # fmt: skip
def test_text_with_and_without_language(document: dict[str, object], found: str) -> None:
    """A text is plain or the first of a language map."""
    assert text_of(document, "name") == found


def test_nodes_are_found_outermost_first() -> None:
    """Every object is found with its path; contexts and our own JSON value are left alone."""
    document = {"@context": [{"x": {}}], "id": "a", "object": {"id": "b", "tag": [{"id": "c"}, 7]}, "aiUsage": {"v": 1}}
    found = [(path, node.get("id")) for path, node in nodes(document)]
    assert found == [((), "a"), (("object",), "b"), (("object", "tag", 0), "c")]


def test_nodes_are_bounded() -> None:
    """A document of many objects costs no more than the limit."""
    assert len(list(nodes([{"id": str(i)} for i in range(200)], limit=7))) == 7
    assert list(nodes("text")) == []
