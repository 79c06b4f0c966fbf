"""JSON-LD 1.1 API: expansion, compaction and RDF as the test-suite of the W3C wants them, or a refusal."""

from __future__ import annotations

from typing import Any

import pytest
from vectors.json_ld_entries import Entry, canonical, comparable, contexts, entries, json_of, text_of

from gateway.errors import MalformedDocument
from gateway.jsonld import views

# Reason -> entries that are not tried, because they ask for an option or a version that is not offered here.
OUTSIDE: dict[str, str] = {
    "JSON-LD 1.0": """
        expand#t0026 expand#t0038 expand#t0071 expand#t0075 expand#t0115 expand#t0116 expand#tc029
        expand#tep02 expand#ter02 expand#ter03 expand#ter21 expand#ter24 expand#ter32 expand#ter42
        expand#tes01 expand#tpi01 expand#tso01 expand#ttn01 compact#t0038 compact#t0075 compact#t0106
        compact#te001 compact#tep05 compact#tep07 compact#tep10 compact#tep11 compact#tep12 compact#tep13
        compact#tep14 compact#tep15 compact#tp001 toRdf#t0118 toRdf#tc029 toRdf#te014 toRdf#te026 toRdf#te038
        toRdf#te071 toRdf#te075 toRdf#te115 toRdf#te116 toRdf#tep02 toRdf#ter02 toRdf#ter03 toRdf#ter21
        toRdf#ter24 toRdf#ter32 toRdf#ter42 toRdf#tpi01 toRdf#tso01 toRdf#ttn01
    """,
    "compactArrays": "compact#t0070 compact#t0091 compact#t0093",
    "compactToRelative": "compact#tr002",
    "rdfDirection": "toRdf#tdi09 toRdf#tdi10 toRdf#tdi11 toRdf#tdi12",
    "expandContext": "toRdf#te077",
}
# Reason -> entries that pyld 3.3 fails; a row goes when its entry comes out right.
PYLD: dict[str, str] = {
    "a property that is no IRI is written (with two #)": "toRdf#te111 toRdf#te112",
    "a keyword-like @id becomes null and cannot be ordered": "toRdf#te122",
    "an @id that is no IRI is written in a list": "toRdf#tli12",
    "a null @base fails inside a list": "toRdf#tli14",
    "a language tag that is none is written": "toRdf#twf05",
}
AT_LEAST = 1021


def _ids(table: dict[str, str]) -> list[str]:
    return [entry for listed in table.values() for entry in listed.split()]


LISTED = [*_ids(OUTSIDE), *_ids(PYLD)]
RUNNING = [entry for entry in entries().values() if entry.id not in set(LISTED)]
RIGHT = [entry for entry in RUNNING if entry.error is None]
WRONG = [entry for entry in RUNNING if entry.error is not None]


def _result(entry: Entry) -> Any:
    """Return what the gateway makes of an entry; raise MalformedDocument as it does."""
    document = json_of(entry.input)
    if entry.kind == "expand":
        first = json_of(entry.expand_context)
        return views.expanded(document, contexts(), base=entry.base, expand_context=first)
    if entry.kind == "compact":
        return views.compacted(document, json_of(entry.context), contexts(), base=entry.base)
    return views.quads(document, contexts(), base=entry.base)


def _is_right(entry: Entry, result: Any) -> bool:
    """Tell whether a result is the expected one; an entry that expects none is right with any."""
    if entry.expect is None:
        return True
    if entry.kind == "toRdf":
        return canonical(result) == canonical(text_of(entry.expect))
    expected = json_of(entry.expect)
    same = comparable(result) == comparable(expected)
    return same and (entry.kind == "expand" or _expanded(entry, result) == _expanded(entry, expected))


def _expanded(entry: Entry, compact: Any) -> str:
    """Return a compact document expanded again: only there a list is known to be one, and so to have an order."""
    return comparable(views.expanded(compact, contexts(), base=entry.base))


@pytest.mark.parametrize("entry", RIGHT, ids=lambda entry: entry.id)
def test_a_document_gives_the_expected_result(entry: Entry) -> None:
    """The result is the suite's, up to the order of sets and the names of blank nodes."""
    assert _is_right(entry, _result(entry))


@pytest.mark.parametrize("entry", WRONG, ids=lambda entry: entry.id)
def test_a_document_in_error_is_refused(entry: Entry) -> None:
    """What the specification calls an error raises the gateway's own error."""
    with pytest.raises(MalformedDocument):
        _result(entry)


@pytest.mark.parametrize("name", _ids(PYLD))
def test_a_known_failure_still_fails(name: str) -> None:
    """A row of the table of failures that is no longer needed is taken out."""
    entry = entries()[name]
    try:
        result = _result(entry)
        right = _is_right(entry, result)
    except (MalformedDocument, ValueError):  # the second: the result cannot even be read back
        right = False
    assert not right


def test_the_tables_are_true() -> None:
    """Each row names an entry that exists, once, and one that is left out has the option that it is left out for."""
    assert len(LISTED) == len(set(LISTED))
    assert set(LISTED) <= set(entries())
    for reason, listed in OUTSIDE.items():
        for name in listed.split():
            options = entries()[name].options
            old = "json-ld-1.0" in (options.get("specVersion"), options.get("processingMode"))
            assert old if reason == "JSON-LD 1.0" else reason in options, name


def test_enough_of_the_suite_runs() -> None:
    """Of the suite's 1086 entries at least those run that are in no table today."""
    assert len(entries()) == 1086
    assert len(RUNNING) >= AT_LEAST
