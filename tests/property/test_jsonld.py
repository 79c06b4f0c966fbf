"""What holds for every body and every document."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonld.loading import WORDS, pinned

from gateway.carriers.jsonld_terms import CONTEXT, IRIS
from gateway.errors import MalformedDocument
from gateway.jsonld import expand, strict
from gateway.jsonld.contexts import AS2
from gateway.jsonld.members import members
from gateway.jsonld.terms import read_node

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
)
# Bytes that are nearly JSON are found sooner from its own pieces.
PIECES = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b'\\"',
        b"\\u",
        b"0000",
        b"d800",
        b"1",
        b"-",
        b"e9",
        b".",
        b"true",
        b"null",
        b"NaN",
        b"Infinity",
        b'"a":',
        b" ",
        b"\n",
        b"\x00",
        b"\xff",
        b"\xc3\xa9",
        b"\xef\xbb\xbf",
    ]
)
BODIES = st.binary() | st.lists(PIECES, max_size=40).map(b"".join)
KEYS = st.sampled_from(
    [
        "@context",
        "@id",
        "@type",
        "@graph",
        "@included",
        "@reverse",
        "@value",
        "@list",
        "@set",
        "@language",
        "@nest",
        "@index",
        "@json",
        "@none",
        "@vocab",
        "@base",
        "@import",
        "@container",
        "@prefix",
        "@protected",
        "@version",
        "id",
        "type",
        "content",
        "object",
        "x",
        "aiu",
        "aiu:x",
        ":",
        "",
        *IRIS,
        *IRIS.values(),
    ]
)
WORDY = KEYS | st.sampled_from([AS2, "urn:x", "https://a.example/", "http://[", "train-ai=n"])
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        WORDY | st.none() | st.booleans() | st.integers(-2, 2),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)
LONG = settings(deadline=None, max_examples=300)


def _same(one: object, two: object) -> bool:
    """Compare with types, since 1, 1.0 and True are equal in Python."""
    if isinstance(one, dict) and isinstance(two, dict):
        return list(one) == list(two) and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(_same, one, two))
    return type(one) is type(two) and repr(one) == repr(two)


@LONG
@given(BODIES)
def test_the_strict_reader_raises_one_error(body: bytes) -> None:
    """Arbitrary bytes are read as json.loads reads them, or refused as malformed, and nothing else happens."""
    try:
        value = strict.read(body)
    except MalformedDocument:
        return
    assert _same(value, json.loads(body))


@LONG
@given(VALUES, st.booleans())
def test_the_strict_reader_takes_what_is_json(value: object, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    """Any JSON value within the limits is read back, escaped or not, and any other is refused."""
    try:
        body = json.dumps(value, ensure_ascii=ascii_only, allow_nan=True).encode()
    except UnicodeEncodeError:
        return
    if _acceptable(value):
        assert _same(strict.read(body), value)
        return
    with pytest.raises(MalformedDocument):
        strict.read(body)


def _acceptable(value: object) -> bool:
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    if isinstance(value, dict):
        return all(_acceptable(key) and _acceptable(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_acceptable, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or len(str(abs(value))) <= strict.MAX_DIGITS


@LONG
@given(DOCUMENTS)
def test_expansion_never_raises(document: dict[str, Any]) -> None:
    """Any object has an expansion or none, stays as it is, and leaves nothing behind for the next document."""
    before = json.dumps(document)
    note = {"@context": [AS2, CONTEXT], "contentUsage": "train-ai=n"}
    expanded = expand.expand(document, pinned())
    assert expanded is None or all(isinstance(node, dict) for node in expanded)
    assert expand.restructures(document) in (True, False)
    assert json.dumps(document) == before
    assert expand.expand(note, pinned()) == [{IRIS["contentUsage"]: [{"@value": "train-ai=n"}]}]


@LONG
@given(DOCUMENTS, st.lists(KEYS | st.integers(0, 3), max_size=3))
def test_two_readings_never_raise(document: dict[str, Any], path: list[str | int]) -> None:
    """Any node of any object has two readings of known terms, and a plain one is the expanded one."""
    readings = read_node(document, path, WORDS, pinned())
    assert readings.plain.keys() <= IRIS.keys()
    assert readings.expanded is None or readings.expanded.keys() <= IRIS.keys()
    assert not readings.is_plain or readings.plain == readings.expanded


def _flat(value: object) -> list[str]:
    """Return the values in order, lists in lists opened and nothing left out, with their types."""
    if isinstance(value, list):
        return [text for item in value for text in _flat(item)]
    return [] if value is None else [repr(value)]


@LONG
@given(DOCUMENTS)
def test_what_is_read_plainly_is_what_a_whole_expansion_says(document: dict[str, Any]) -> None:
    """Whatever else is on a node, and below it: where the plain reading is trusted, expanding everything agrees."""
    node = {**document, "@context": [AS2, CONTEXT]}
    readings, whole = read_node(node, (), WORDS, pinned()), expand.expand(node, pinned())
    if not readings.is_plain or whole is None or expand.restructures(node):
        return
    first = next(iter(whole), {})
    for term in ("contentUsage", "xRobotsTag", "indexable"):
        found = [item["@value"] for item in first.get(IRIS[term], []) if "@value" in item]
        assert sorted(_flat(found)) == sorted(_flat(readings.plain.get(term))), term


def _values(found: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(value, sort_keys=True) for value in found)


@LONG
@given(DOCUMENTS, st.lists(st.dictionaries(KEYS, WORDY, max_size=3), max_size=2))
def test_one_node_reads_as_it_does_in_a_whole_expansion(document: dict[str, Any], own: list[dict[str, str]]) -> None:
    """The members of a node that are read alone have the values that expanding the whole document gives them."""
    node = {**document, "@context": [AS2, CONTEXT, *own]}
    alone, whole = members(node, tuple(IRIS.values()), pinned()), expand.expand(node, pinned())
    if alone is None or whole is None or expand.restructures(node):
        return
    first = next(iter(whole), {})
    assert {iri: _values(values) for iri, values in alone.items()} == {
        iri: _values(first[iri]) for iri in IRIS.values() if first.get(iri)
    }


@LONG
@given(
    st.dictionaries(
        st.sampled_from(["contentUsage", "xRobotsTag", "indexable"]),
        st.text(max_size=5) | st.booleans() | st.lists(st.text(max_size=3) | st.booleans(), min_size=2, max_size=3),
    ),
    st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(-9, 9)),
)
def test_the_fast_path_is_what_expansion_says(terms: dict[str, Any], usage: dict[str, Any] | None) -> None:
    """For any values of our terms the plain reading equals what a full expansion of the same document gives."""
    document = {"id": "https://a.example/1", "type": "Note", **terms, **({} if usage is None else {"aiUsage": usage})}
    fast = read_node({"@context": [AS2, CONTEXT], **document}, (), WORDS, pinned())
    slow = read_node({"@context": [AS2, CONTEXT, {"y": IRIS["indexable"]}], **document}, (), WORDS, pinned())
    assert fast.is_plain
    assert not slow.is_plain
    assert slow.plain == fast.plain
    assert slow.expanded == fast.plain
