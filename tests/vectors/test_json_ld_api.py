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
# Reason -> entries that are right but may be over our bounds: the right result or a refusal, nothing between.
BOUNDED: dict[str, str] = {
    "@import": """
        expand#tso05 expand#tso06 expand#tso08 expand#tso09 expand#tso11 toRdf#tso05 toRdf#tso06 toRdf#tso08
        toRdf#tso09 toRdf#tso11
    """,
    "a context inside a term": """
        expand#tc001 expand#tc002 expand#tc003 expand#tc004 expand#tc005 expand#tc006 expand#tc007
        expand#tc008 expand#tc009 expand#tc010 expand#tc011 expand#tc012 expand#tc013 expand#tc014
        expand#tc015 expand#tc016 expand#tc017 expand#tc018 expand#tc019 expand#tc020 expand#tc021
        expand#tc022 expand#tc023 expand#tc024 expand#tc025 expand#tc026 expand#tc027 expand#tc034
        expand#tc036 expand#tc037 expand#tc038 expand#tin06 expand#tm008 expand#tpr06 expand#tpr14
        expand#tpr15 expand#tpr16 expand#tpr19 expand#tpr22 expand#tpr25 expand#tpr40 compact#tc001
        compact#tc002 compact#tc003 compact#tc004 compact#tc005 compact#tc006 compact#tc007 compact#tc008
        compact#tc009 compact#tc010 compact#tc011 compact#tc012 compact#tc013 compact#tc014 compact#tc015
        compact#tc016 compact#tc017 compact#tc018 compact#tc019 compact#tc020 compact#tc021 compact#tc022
        compact#tc023 compact#tc024 compact#tc025 compact#tc026 compact#tc027 compact#tc028 compact#tm007
        compact#tpr04 compact#tpr05 toRdf#tc001 toRdf#tc002 toRdf#tc003 toRdf#tc004 toRdf#tc005 toRdf#tc006
        toRdf#tc007 toRdf#tc008 toRdf#tc009 toRdf#tc010 toRdf#tc011 toRdf#tc012 toRdf#tc013 toRdf#tc014
        toRdf#tc015 toRdf#tc016 toRdf#tc017 toRdf#tc018 toRdf#tc019 toRdf#tc020 toRdf#tc021 toRdf#tc022
        toRdf#tc023 toRdf#tc024 toRdf#tc025 toRdf#tc026 toRdf#tc027 toRdf#tc034 toRdf#tc036 toRdf#tc037
        toRdf#tc038 toRdf#tin06 toRdf#tm008 toRdf#tpr06 toRdf#tpr14 toRdf#tpr15 toRdf#tpr16 toRdf#tpr19
        toRdf#tpr22 toRdf#tpr25 toRdf#tpr40
    """,
    "a term like a keyword": """
        expand#t0005 expand#t0119 expand#t0120 expand#tpr34 expand#tpr35 expand#tpr36 expand#tpr37
        expand#tpr38 expand#tpr39 toRdf#te005 toRdf#te119 toRdf#te120 toRdf#tpr34 toRdf#tpr35 toRdf#tpr36
        toRdf#tpr37 toRdf#tpr38 toRdf#tpr39
    """,
}
# Reason -> entries that pyld 3.3 fails; a row goes when its entry comes out right.
PYLD: dict[str, str] = {
    "a property that is no IRI is written (with two #)": "toRdf#te111 toRdf#te112",
    "a keyword-like @id becomes null and cannot be ordered": "toRdf#te122",
    "an @id that is no IRI is written in a list": "toRdf#tli12",
    "a null @base fails inside a list": "toRdf#tli14",
    "a language tag that is none is written": "toRdf#twf05",
}
AT_LEAST = 880


def _ids(table: dict[str, str]) -> list[str]:
    return [entry for listed in table.values() for entry in listed.split()]


LISTED = [*_ids(OUTSIDE), *_ids(BOUNDED), *_ids(PYLD)]
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


@pytest.mark.parametrize("name", _ids(BOUNDED))
def test_a_document_over_our_bounds_is_refused_or_right(name: str) -> None:
    """A bound may refuse a good document; it never gives another result."""
    entry = entries()[name]
    try:
        result = _result(entry)
    except MalformedDocument:
        return
    assert _is_right(entry, result)


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
