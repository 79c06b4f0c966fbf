"""Laws of the carriers: none ever loosens, together they lose nothing, and no text makes them raise."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.carriers import (
    ai_usage,
    atom_terms,
    content_signal,
    content_usage,
    html_meta,
    http_headers,
    indexable,
    jsonld_terms,
    path_pattern,
    robots_txt,
    tdm,
    x_robots_tag,
)
from gateway.carriers.forms import FORMS
from gateway.carriers.jsonld_terms import TermValues
from gateway.carriers.reading import Reading, Source
from gateway.preferences import (
    AXES,
    CATEGORIES,
    Auth,
    Category,
    Declarant,
    DeclarantKind,
    Preference,
    Preferences,
    Scope,
    Subject,
    combined,
    statements_at_home,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

PATIENT = settings(deadline=None)  # a busy machine is no failure
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
SOURCE = Source(
    subject=Subject(scope=Scope.OBJECT, ref="https://a.example/posts/1"),
    declared_by=Declarant(kind=DeclarantKind.AUTHOR, id="https://a.example/users/a", auth=Auth.HTTP_SIGNATURE),
    observed_at=AT,
)
POLICY = "https://a.example/policies/tdm.json"


def _states(categories: tuple[Category, ...]) -> Iterable[Preferences]:
    for words in product((None, *Preference), repeat=len(categories)):
        yield Preferences({c: word for c, word in zip(categories, words, strict=True) if word is not None})


ALL_STATES = tuple(_states(CATEGORIES))
AXIS_STATES = tuple(_states(AXES))
# Every number of states that a carrier reads back unchanged; those of the lossless ones are all 3^7.
EXACT = {
    "content-usage": 27,
    "ai-usage": 2187,
    "tdm-reservation": 3,
    "tdmrep.json": 3,
    "x-robots-tag": 4,
    "indexable": 3,
    "content-signal": 27,
    "html-meta": 2187,
    "http-headers": 2187,
    "json-ld": 2187,
    "atom": 2187,
}
LOSSLESS = [name for name, count in EXACT.items() if count == 2187]


@cache
def _read_back(name: str) -> dict[Preferences, Preferences]:
    return {prefs: FORMS[name].reads_back(prefs, SOURCE) for prefs in (*ALL_STATES, *AXIS_STATES)}


def test_there_are_3_to_the_7_states() -> None:
    """All combinations of the seven categories are tried, each once."""
    assert len(ALL_STATES) == len(set(ALL_STATES)) == 2187
    assert len(AXIS_STATES) == 27


@pytest.mark.parametrize("name", FORMS)
def test_no_carrier_ever_loosens(name: str) -> None:
    """Reading back says y only where y was said, and loses a no only in a category listed as inexpressible."""
    form = FORMS[name]
    for prefs, read in _read_back(name).items():
        for category in Category:
            if read.allows(category):
                assert prefs.allows(category), (prefs, read)
            if prefs.disallows(category) and category not in form.inexpressible:
                assert read.disallows(category), (prefs, read)


@pytest.mark.parametrize("name", FORMS)
def test_inexpressible_is_not_an_excuse(name: str) -> None:
    """A category is listed as inexpressible only where its lone no really is lost."""
    form = FORMS[name]
    for category in Category:
        alone = Preferences({category: Preference.DISALLOW})
        kept = form.reads_back(alone, SOURCE).disallows(category)
        assert kept is (category not in form.inexpressible), (name, category)


@pytest.mark.parametrize("name", EXACT)
def test_exact_round_trips(name: str) -> None:
    """A carrier reads back exactly this many of all states unchanged."""
    assert sum(_read_back(name)[prefs] == prefs for prefs in ALL_STATES) == EXACT[name]


@pytest.mark.parametrize("name", LOSSLESS)
def test_one_response_loses_nothing(name: str) -> None:
    """Headers, page, object and feed entry each hold the whole model, the reuse axes included."""
    form = FORMS[name]
    assert form.inexpressible == frozenset()
    for prefs in AXIS_STATES:
        assert form.reads_back(prefs, SOURCE) == prefs


def test_response_with_page_loses_nothing() -> None:
    """A response with its headers and its page, read together, says exactly what was meant."""
    for prefs in ALL_STATES:
        page = "".join(f'<meta name="{name}" content="{text}">' for name, text in html_meta.render(prefs, POLICY))
        headers = http_headers.parse(http_headers.render(prefs, POLICY), SOURCE)
        assert combined((headers + html_meta.parse(page, SOURCE)).statements, at=AT) == prefs


def test_response_with_object_loses_nothing() -> None:
    """A response with its headers and its object, read together, says exactly what was meant."""
    for prefs in ALL_STATES:
        headers = http_headers.parse(http_headers.render(prefs, POLICY), SOURCE)
        body = FORMS["json-ld"].round_trip(prefs, SOURCE)
        assert combined((headers + body).statements, at=AT) == prefs


words = st.dictionaries(st.sampled_from(Category), st.sampled_from(Preference)).map(Preferences)


@PATIENT
@given(words, words)
def test_author_and_instance_together_lose_nothing(said: Preferences, asked: Preferences) -> None:
    """An object with the words of its author and its instance reads back as their one answer."""
    statements = statements_at_home(
        subject=SOURCE.subject,
        author=SOURCE.declared_by.id,
        said=said,
        instance="https://a.example",
        asked=asked,
        at=AT,
    )
    terms = jsonld_terms.render(statements)
    values = TermValues(
        content_usage=terms.get("contentUsage"),
        ai_usage=terms.get("aiUsage"),
        x_robots_tag=terms.get("xRobotsTag"),
        indexable=terms.get("indexable"),
    )
    assert combined(jsonld_terms.parse(values, SOURCE).statements, at=AT) == combined(statements, at=AT)


# Text that is likely to reach the inside of a grammar: pieces of it in any order, and anything at all.
PIECES = [
    "train-ai", "ai-use", "search", "train-gen", "tdm", "bots", "genai", "noai", "noindex", "ai-train", "=", "n", "y",
    "no", "yes", "?0", ";", ",", ":", "#", "/", "*", "$", '"', "'", "(", ")", "<", ">", "<meta name=", "content=",
    "robots", "<!--", "<![", "<!", "&#", "]]>", "User-agent", "Content-Usage", "Content-Signal", "Disallow", "%", "%c3",
    "@1", "é", "0", "1", " ", "\t", "\n", "\r", "\ufeff", "\ud800",
]  # fmt: skip
pieces = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
texts = st.one_of(st.text(), pieces)
names = st.sampled_from(
    ["v", "prefs", "statements", "conditions", "audience", "declaredBy", "kind", "id", "value", "category", "updated",
     "expires", "train-gen", "search", "location", "tdm-reservation", "labels"]
)  # fmt: skip
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        texts,
        st.sampled_from(["n", "y", "author", "instance", "did", "any", "train-gen", "2026-11-22T10:00:00Z", "/"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.one_of(names, texts), inner, max_size=6)),
    max_leaves=20,
)


def _is_reading(reading: Reading) -> None:
    assert isinstance(reading, Reading)
    assert all(statement.prefs for statement in reading.statements)
    assert all(len(problem.detail) <= 200 for problem in reading.problems)
    combined(reading.statements, at=AT)


@PATIENT
@given(texts)
def test_no_text_raises(text: str) -> None:
    """Whatever the text, each parser of text returns a reading."""
    _is_reading(content_usage.parse(text, SOURCE))
    _is_reading(ai_usage.parse(text, SOURCE))
    _is_reading(content_signal.parse(text, SOURCE))
    _is_reading(x_robots_tag.parse([text, text], SOURCE))
    _is_reading(tdm.parse(text, SOURCE))
    _is_reading(html_meta.parse(text, SOURCE))
    _is_reading(html_meta.parse(f'<meta name="ai-usage" content="{text}">', SOURCE))
    ai_usage.unknown_words(text)


@PATIENT
@given(texts, texts, texts)
def test_no_robots_txt_raises(text: str, path: str, agent: str) -> None:
    """Whatever the file, the path and the agent, robots.txt gives a reading."""
    _is_reading(robots_txt.parse(text, SOURCE, path=path, agent=agent))
    _is_reading(robots_txt.parse(f"User-agent: *\nContent-Usage: {text}", SOURCE, path=path))


@PATIENT
@given(st.lists(st.tuples(st.one_of(st.sampled_from(http_headers.NAMES), texts), texts)))
def test_no_headers_raise(headers: list[tuple[str, str]]) -> None:
    """Whatever the headers or elements, they give a reading."""
    _is_reading(http_headers.parse(headers, SOURCE))
    _is_reading(atom_terms.parse([("aiUsage", text) for _, text in headers], SOURCE))
    _is_reading(atom_terms.parse([("contentUsage", text) for _, text in headers], SOURCE))


@PATIENT
@given(values, values, values, values)
def test_no_values_raise(one: object, two: object, three: object, four: object) -> None:
    """Whatever JSON stands in the terms or the file, it gives a reading."""
    terms = TermValues(content_usage=one, ai_usage=two, x_robots_tag=three, indexable=four)
    _is_reading(jsonld_terms.parse(terms, SOURCE))
    _is_reading(tdm.parse(one, SOURCE))
    _is_reading(tdm.parse_file(two, SOURCE))
    _is_reading(indexable.parse(three, SOURCE))


@PATIENT
@given(st.fixed_dictionaries({"v": st.sampled_from((1, 2))}, optional={
    "prefs": st.one_of(values, st.dictionaries(names, st.sampled_from("ny"))),
    "statements": st.lists(st.fixed_dictionaries({}, optional={
        "prefs": st.dictionaries(st.sampled_from(list(map(str, Category))), st.sampled_from("ny")),
        "conditions": values, "audience": values, "declaredBy": values, "updated": values, "expires": values,
    }), max_size=3),
}))  # fmt: skip
def test_no_yes_comes_from_the_parts_alone(usage: dict[str, object]) -> None:
    """Whatever a lossless term says, nobody is told yes where its combined answer does not say so."""
    reading = jsonld_terms.parse(TermValues(ai_usage=usage), SOURCE)
    _is_reading(reading)
    whole = Preferences.from_json(usage.get("prefs"))
    for category, word in combined(reading.statements, at=AT).items():
        assert word is Preference.DISALLOW or whole.allows(category)


@PATIENT
@given(texts, texts)
def test_patterns_never_raise(pattern: str, path: str) -> None:
    """Any pattern can be held against any path, and a path without star and dollar always matches itself."""
    assert isinstance(path_pattern.matches(pattern, path), bool)
    if not set("*$") & set(path):
        assert path_pattern.matches(path, path + pattern)
        assert path_pattern.matches(path + "$", path)
