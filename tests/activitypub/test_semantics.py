"""ActivityStreams 2.0 rules one by one: the code, the exact pointer, and all of them at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.activitypub.semantics import MAX_DEPTH, MAX_PROBLEMS, Problem, problems, problems_in

AS2 = "https://www.w3.org/ns/activitystreams"
BASE: dict[str, Any] = {"@context": AS2, "id": "https://peer.example/1", "type": "Note"}


def _found(**members: Any) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.code) for problem in problems({**BASE, **members})]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff{}", "not-utf8"),
        (b'{"a": "\xe9"}', "not-utf8"),
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"a": 1, "a": 2}', "not-json"),
        (b'{"a": NaN}', "not-json"),
        (b"[" * 5_000 + b"]" * 5_000, "not-json"),
        (b"[]", "not-an-object"),
        (b'"x"', "not-an-object"),
        (b"1", "not-an-object"),
        (b"true", "not-an-object"),
        (b"null", "not-an-object"),
    ],
    ids=["utf8", "latin1", "empty", "cut", "twice", "nan", "deep", "array", "string", "number", "boolean", "null"],
)
def test_what_is_no_document_has_one_problem(body: bytes, code: str) -> None:
    """It is about the whole, and nothing further is looked at."""
    (problem,) = problems_in(body)
    assert (problem.pointer, problem.code) == ("", code)
    assert problem.sentence.endswith(".")


def test_a_good_document_has_none() -> None:
    """Everything that the vocabulary allows passes."""
    good = {
        **BASE,
        "@context": [AS2, {"x": "urn:x"}],
        "type": ["Note", "urn:x:Other"],
        "name": "n",
        "nameMap": {"en": "n", "zh-Hant-TW": "n", "de-CH-1996": "n", "x-private": "n", "und": "n", "ja": ["a", "b"]},
        "content": ["a", {"@value": "b", "@language": "en"}],
        "published": "2026-11-22T10:00:00.5+09:00",
        "updated": "2026-11-22T10:00Z",
        "to": [f"{AS2}#Public", {"id": "https://peer.example/u", "type": "Person"}],
        "url": [{"type": "Link", "href": "https://a.example/", "hreflang": "en", "rel": ["a", "b"], "width": 0}],
        "location": {"type": "Place", "latitude": -36.75, "longitude": "119.7667", "radius": 15},
        "closed": True,
        "summary": None,
        "ours": {"content": 1},
    }
    assert problems(good) == ()
    assert problems_in(json.dumps(good).encode()) == ()


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"@context": 7}, [("/@context", "context-type")]),
        ({"@context": [AS2, 7]}, [("/@context", "context-type")]),
        ({"@context": "https://other.example/"}, [("/@context", "no-as2-context")]),
        ({"@context": {}}, [("/@context", "no-as2-context")]),
        ({"@context": []}, [("/@context", "no-as2-context")]),
        ({"@context": f"{AS2}#"}, []),
        ({"@context": AS2.replace("https", "http")}, []),
        ({"@context": {"@vocab": f"{AS2}#"}}, []),
        ({"@context": [None, AS2]}, []),
        ({"id": 1}, [("/id", "id-type")]),
        ({"id": ["https://a.example/"]}, [("/id", "id-type")]),
        ({"id": "/relative"}, [("/id", "relative-url")]),
        ({"@id": "relative"}, [("/@id", "relative-url")]),
        ({"id": None}, []),
        ({"id": "urn:uuid:1"}, []),
        ({"type": 1}, [("/type", "type-type")]),
        ({"type": ["Note", {}]}, [("/type", "type-type")]),
        ({"type": {"id": "Note"}}, [("/type", "type-type")]),
        ({"name": 1}, [("/name", "text-type")]),
        ({"content": True}, [("/content", "text-type")]),
        ({"summary": ["a", 1]}, [("/summary", "text-type")]),
        ({"name": {"en": "x"}}, [("/name", "language-map-as-text")]),
        ({"nameMap": "x"}, [("/nameMap", "map-type")]),
        ({"contentMap": ["x"]}, [("/contentMap", "map-type")]),
        ({"contentMap": {"en": 1}}, [("/contentMap/en", "text-type")]),
        ({"contentMap": {"en_US": "x"}}, [("/contentMap/en_US", "language-tag")]),
        ({"summaryMap": {"": "x", "a": "y", "en--US": "z"}}, [
            ("/summaryMap/", "language-tag"), ("/summaryMap/a", "language-tag"), ("/summaryMap/en--US", "language-tag"),
        ]),
        ({"contentMap": {"a/b": "x"}}, [("/contentMap/a~1b", "language-tag")]),
        ({"contentMap": {"a~b": 1}}, [("/contentMap/a~0b", "language-tag"), ("/contentMap/a~0b", "text-type")]),
        ({"actor": 1}, [("/actor", "link-type")]),
        ({"to": ["https://a.example/", 1, None, True]}, [("/to/1", "link-type"), ("/to/3", "link-type")]),
        ({"object": [[]]}, [("/object/0", "link-type")]),
        ({"url": "/x"}, [("/url", "relative-url")]),
        ({"url": ["https://a.example/", "x"]}, [("/url/1", "relative-url")]),
        ({"url": {"type": "Link", "href": "x"}}, [("/url/href", "relative-url")]),
        ({"tag": [{"type": "Mention", "href": 1}]}, [("/tag/0/href", "text-type")]),
        ({"tag": [{"hreflang": "e"}]}, [("/tag/0/hreflang", "language-tag")]),
        ({"tag": [{"rel": ["a", 1]}]}, [("/tag/0/rel", "text-type")]),
        ({"mediaType": 1}, [("/mediaType", "text-type")]),
        ({"duration": 5}, [("/duration", "text-type")]),
        ({"published": "yesterday"}, [("/published", "date-type")]),
        ({"updated": 1}, [("/updated", "date-type")]),
        ({"startTime": "2026-11-22"}, [("/startTime", "date-type")]),
        ({"endTime": ["2026-11-22T10:00:00Z"]}, [("/endTime", "date-type")]),
        ({"deleted": "2026-11-22T10:00:00Z\n"}, [("/deleted", "date-type")]),
        ({"totalItems": -1}, [("/totalItems", "number-type")]),
        ({"totalItems": "1"}, [("/totalItems", "number-type")]),
        ({"totalItems": True}, [("/totalItems", "number-type")]),
        ({"startIndex": 1.5}, [("/startIndex", "number-type")]),
        ({"latitude": "north"}, [("/latitude", "number-type")]),
        ({"radius": None}, []),
        ({"type": "OrderedCollection", "items": []}, [("/items", "items-in-ordered")]),
        ({"type": "OrderedCollectionPage", "items": []}, [("/items", "items-in-ordered")]),
        ({"type": "Collection", "orderedItems": []}, [("/orderedItems", "ordered-in-unordered")]),
        ({"type": ["Collection", "OrderedCollection"], "orderedItems": []}, []),
        ({"type": "as:OrderedCollection", "items": []}, [("/items", "items-in-ordered")]),
        ({"type": f"{AS2}#OrderedCollection", "items": []}, [("/items", "items-in-ordered")]),
        ({"type": "Collection", "first": {"type": "Collection"}}, [("/first", "first-type")]),
        ({"type": "Collection", "next": [{"type": "CollectionPage"}, {"type": "Note"}]}, [("/next/1", "first-type")]),
        ({"type": "Collection", "first": {"type": "Link", "href": "https://a.example/"}}, []),
        ({"type": "Collection", "first": "https://a.example/"}, []),
        ({"closed": {"id": 1}}, [("/closed/id", "id-type")]),
        ({"object": {"object": {"attachment": [{"name": 1}]}}}, [("/object/object/attachment/0/name", "text-type")]),
    ],
)  # fmt: skip
def test_each_rule(members: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """A broken rule has its code at the very place that breaks it, a kept one none."""
    assert _found(**members) == expected


def test_all_problems_are_told_at_once() -> None:
    """Nothing stops at the first one."""
    document = {
        "@context": "https://other.example/", "id": 1, "type": 2, "name": 3, "published": "x", "actor": 4,
        "object": {"content": [1, 2], "url": "/x", "totalItems": -1},
    }  # fmt: skip
    assert sorted((p.pointer, p.code) for p in problems(document)) == [
        ("/@context", "no-as2-context"), ("/actor", "link-type"), ("/id", "id-type"), ("/name", "text-type"),
        ("/object/content", "text-type"), ("/object/content", "text-type"), ("/object/totalItems", "number-type"),
        ("/object/url", "relative-url"), ("/published", "date-type"), ("/type", "type-type"),
    ]  # fmt: skip


def test_no_more_than_so_many_are_told() -> None:
    """A document of mistakes does not make a report without end."""
    found = problems({**BASE, "to": list(range(10_000))})
    assert len(found) == MAX_PROBLEMS
    assert found[-1].pointer == f"/to/{MAX_PROBLEMS - 1}"


def test_no_deeper_than_so_deep_is_looked() -> None:
    """Nesting is followed to a depth and no further."""
    deep: dict[str, Any] = {"name": 1}
    for _ in range(MAX_DEPTH + 5):
        deep = {"name": 1, "object": deep}
    found = _found(**deep)
    assert len(found) == MAX_DEPTH + 1
    assert found[-1] == ("/object" * MAX_DEPTH + "/name", "text-type")


def test_a_problem_as_it_is_printed() -> None:
    """Pointer, code and sentence."""
    assert Problem(pointer="/a", code="b", sentence="C.").as_json() == {"pointer": "/a", "code": "b", "sentence": "C."}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"duration": "2 hours"}, [("/duration", "duration")]),
        ({"duration": "P"}, [("/duration", "duration")]),
        ({"duration": "P1DT"}, [("/duration", "duration")]),
        ({"duration": "-P1Y2M3DT4H5M6.7S"}, []),
        ({"duration": "PT2H30M"}, []),
        ({"mediaType": "foo"}, [("/mediaType", "media-type")]),
        ({"mediaType": "text/html; charset=utf-8"}, []),
        ({"mediaType": "application/activity+json"}, []),
        ({"accuracy": 200}, [("/accuracy", "out-of-range")]),
        ({"accuracy": 94.0, "radius": 0, "altitude": -400}, []),
        ({"radius": -1}, [("/radius", "out-of-range")]),
        ({"latitude": 91, "longitude": -181}, [("/latitude", "out-of-range"), ("/longitude", "out-of-range")]),
        ({"actor": "Sally", "object": ["x"]}, [("/actor", "relative-url"), ("/object/0", "relative-url")]),
        ({"to": ["Public", "as:Public", "_:b0", "did:plc:x", "acct:a@b"]}, []),
        ({"relationship": "friendOf"}, []),
    ],
)
def test_values_have_the_form_of_their_term(members: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Durations, media types, places and references are what the vocabulary says they are."""
    assert _found(**members) == expected
