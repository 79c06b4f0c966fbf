"""The four terms on every object."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from carriers.samples import ALICE, AT, NOTE, SOURCE, answer, problems, said

from gateway.carriers import jsonld_terms
from gateway.carriers.jsonld_terms import TermValues
from gateway.carriers.reading import EMPTY, Reading
from gateway.carriers.structured import MAX_TEXT
from gateway.preferences import (
    ANYBODY,
    PRESETS,
    Audience,
    Auth,
    Category,
    Condition,
    Declarant,
    DeclarantKind,
    Preferences,
    Preset,
    Statement,
    statements_at_home,
)

SERVER = Declarant(kind=DeclarantKind.INSTANCE, id="https://a.example/actor", auth=Auth.HTTP_SIGNATURE)
VOCAB = "https://datatracker.ietf.org/doc/html/draft-ietf-aipref-vocab-08"


def _home(said: Preferences, asked: Preferences = Preferences()) -> tuple[Statement, ...]:  # noqa: B008 - a value
    return statements_at_home(subject=NOTE, author=ALICE.id, said=said, instance=SERVER.id, asked=asked, at=AT)


def _usage(**members: object) -> dict[str, object]:
    return {"v": 1, "prefs": {}, "statements": [], **members}


def _read(ai_usage: object) -> Reading:
    return jsonld_terms.parse(TermValues(ai_usage=ai_usage), SOURCE)


def _back(terms: dict[str, object]) -> Reading:
    values = TermValues(
        content_usage=terms.get("contentUsage"),
        ai_usage=terms.get("aiUsage"),
        x_robots_tag=terms.get("xRobotsTag"),
        indexable=terms.get("indexable"),
    )
    return jsonld_terms.parse(values, SOURCE)


@pytest.mark.parametrize(
    ("preset", "content_usage", "x_robots_tag", "indexable", "labels"),
    [
        ("noai", "train-ai=n, ai-use=n, search=y", "noai, noimageai", True, ["noai", "notrain"]),
        ("notrain", "train-ai=n", "noai, noimageai", None, ["notrain"]),
        ("people-only", "train-ai=n, ai-use=n, search=n", "noai, noimageai, noindex", False, ["noai", "notrain"]),
    ],
)
def test_render_presets(
    preset: str, content_usage: str, x_robots_tag: str, indexable: object, labels: list[str]
) -> None:
    """An object of a preset carries these four terms, the first with the header's own text."""
    prefs = PRESETS[Preset(preset)]
    terms = jsonld_terms.render(_home(prefs))
    assert terms.pop("aiUsage") == {
        "v": 1,
        "vocab": VOCAB,
        "labels": labels,
        "prefs": prefs.as_json(),
        "statements": [
            {
                "prefs": prefs.as_json(),
                "conditions": [],
                "audience": {"kind": "any", "value": "*"},
                "declaredBy": {"kind": "author", "id": ALICE.id},
                "updated": "2026-11-22T10:00:00Z",
            }
        ],
    }
    expected = {"contentUsage": content_usage, "xRobotsTag": x_robots_tag, "indexable": indexable}
    assert terms == {name: value for name, value in expected.items() if value is not None}


def test_render_nothing() -> None:
    """The lossless term is there also when nothing is stated, and the others are not."""
    assert jsonld_terms.render([]) == {"aiUsage": {"v": 1, "vocab": VOCAB, "labels": [], "prefs": {}, "statements": []}}


def test_render_details() -> None:
    """Conditions, audience and expiry are written; what was not dated has no date."""
    statement = Statement(
        subject=NOTE,
        prefs=Preferences.of(train_gen="y"),
        declared_by=ALICE,
        carrier="home",
        observed_at=AT,
        audience=Audience(kind="did", value="did:web:x.example"),
        conditions=(Condition(category=Category.TRAIN_GEN, kind="exceptions", value="cc-cr"),),
        expires_at=AT + timedelta(days=1),
    )
    usage = jsonld_terms.render([statement])["aiUsage"]
    assert isinstance(usage, dict)
    assert usage["prefs"] == {}
    assert usage["statements"] == [
        {
            "prefs": {"train-gen": "y"},
            "conditions": [{"category": "train-gen", "kind": "exceptions", "value": "cc-cr"}],
            "audience": {"kind": "did", "value": "did:web:x.example"},
            "declaredBy": {"kind": "author", "id": ALICE.id},
            "expires": "2026-11-23T10:00:00Z",
        }
    ]


def test_context() -> None:
    """The terms are defined inline, in the namespaces promised, and the lossless one is JSON."""
    assert jsonld_terms.TERMS == ("contentUsage", "aiUsage", "xRobotsTag", "indexable")
    assert dict(jsonld_terms.CONTEXT) == {
        "aiu": "https://w3id.org/fep/1e38#",
        "contentUsage": "aiu:contentUsage",
        "aiUsage": {"@id": "aiu:aiUsage", "@type": "@json"},
        "xRobotsTag": "https://w3id.org/fep/5e53#xRobotsTag",
        "toot": "http://joinmastodon.org/ns#",
        "indexable": "toot:indexable",
    }
    assert dict(jsonld_terms.IRIS) == {
        "contentUsage": "https://w3id.org/fep/1e38#contentUsage",
        "aiUsage": "https://w3id.org/fep/1e38#aiUsage",
        "xRobotsTag": "https://w3id.org/fep/5e53#xRobotsTag",
        "indexable": "http://joinmastodon.org/ns#indexable",
    }


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (TermValues(), []),
        (TermValues(content_usage="train-ai=n"), [{"train-gen": "n"}]),
        (TermValues(content_usage=["train-ai=n", "train-ai=y"]), [{"train-gen": "n"}, {"train-gen": "y"}]),
        (TermValues(content_usage={"train-ai": "n"}), []),
        (TermValues(content_usage=[1, None, "search=n"]), [{"search": "n"}]),
        (TermValues(x_robots_tag="noai, noindex"), [{"train-gen": "n", "train-other": "n", "search": "n"}]),
        (TermValues(x_robots_tag=["noai", "noindex"]), [{"train-gen": "n", "train-other": "n", "search": "n"}]),
        (TermValues(x_robots_tag=True), []),
        (TermValues(indexable=False), [{"search": "n"}]),
        (TermValues(indexable=[True, False]), [{"search": "y"}, {"search": "n"}]),
        (TermValues(indexable="true"), []),
    ],
)
def test_other_terms(values: TermValues, expected: list[dict[str, str]]) -> None:
    """The other terms are read as one value or several, and wrong types state nothing (LAB-DOWN-011)."""
    assert said(jsonld_terms.parse(values, SOURCE)) == expected


@pytest.mark.parametrize(
    "values",
    [
        TermValues(indexable=[False, True]),
        TermValues(content_usage=["search=n", "search=y"]),
        TermValues(ai_usage=[_usage(prefs={"search": "n"}), _usage(prefs={"search": "y"})]),
    ],
)
def test_no_and_yes_in_one_array(values: TermValues) -> None:
    """Of a no and a yes in one array the no counts (LAB-DOWN-009)."""
    assert answer(jsonld_terms.parse(values, SOURCE)) == {"search": "n"}
    reverse = {
        name: value[::-1]
        for name in ("indexable", "content_usage", "ai_usage")
        if isinstance(value := getattr(values, name), list)
    }
    assert answer(jsonld_terms.parse(replace(values, **reverse), SOURCE)) == {"search": "n"}


@pytest.mark.parametrize("value", ["train-gen=n", 1, True])
def test_not_an_object(value: object) -> None:
    """A lossless term that is no object states nothing and is a problem."""
    reading = _read(value)
    assert reading.statements == ()
    assert problems(reading) == [("aiUsage", "not-an-object")]


def test_prefs_without_statements() -> None:
    """The combined answer alone is a statement of whoever published the object."""
    (statement,) = _read({"v": 1, "prefs": {"train-gen": "n", "search": "y"}}).statements
    assert statement.prefs == Preferences.of(train_gen="n", search="y")
    assert statement.declared_by == ALICE
    assert (statement.carrier, statement.carrier_revision) == ("aiUsage", "fep-1e38/1")
    assert statement.raw == '{"v":1,"prefs":{"train-gen":"n","search":"y"}}'


@pytest.mark.parametrize("version", [2, None, "1", 0])
def test_other_versions(version: object) -> None:
    """Of a version that we do not know only the refusals count."""
    (statement,) = _read(_usage(v=version, prefs={"train-gen": "n", "search": "y"})).statements
    assert statement.prefs == Preferences.of(train_gen="n")
    assert statement.carrier_revision == "unknown"
    assert _read(_usage(v=version, prefs={"search": "y"})) == EMPTY


def test_details() -> None:
    """Each part is read with its conditions, audience, date, expiry and declarant."""
    item = {
        "prefs": {"train-gen": "y"},
        "conditions": [
            {"category": "train-gen", "kind": "exceptions", "value": "cc-cr"},
            {"category": "mood", "kind": "x", "value": "y"},
            {"category": [], "kind": "x", "value": "y"},
            "not a condition",
        ],
        "audience": {"kind": "did", "value": "did:web:x.example"},
        "declaredBy": {"kind": "instance", "id": "https://a.example/actor"},
        "updated": "2026-11-21T10:00:00Z",
        "expires": "2026-11-23T10:00:00+00:00",
    }
    (statement,) = _read(_usage(statements=[item])).statements
    assert statement.conditions == (Condition(category=Category.TRAIN_GEN, kind="exceptions", value="cc-cr"),)
    assert statement.audience == Audience(kind="did", value="did:web:x.example")
    assert statement.declared_by == SERVER
    assert statement.asserted_at == AT - timedelta(days=1)
    assert statement.expires_at == AT + timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conditions", "cc-cr"),
        ("conditions", {"category": "search"}),
        ("audience", "did:web:x.example"),
        ("audience", {"kind": "did"}),
        ("audience", {"kind": "did", "value": 5}),
        ("audience", {"kind": "any", "value": "x"}),
        ("declaredBy", "alice"),
        ("declaredBy", {"kind": "author"}),
        ("declaredBy", {"kind": "author", "id": 5}),
        ("updated", "yesterday"),
        ("expires", 5),
    ],
)
def test_broken_details(name: str, value: object) -> None:
    """A detail that cannot be read does not weaken the no beside it."""
    reading = _read(_usage(prefs={"search": "n"}, statements=[{"prefs": {"search": "n"}, name: value}]))
    (statement,) = reading.statements
    assert statement.prefs == Preferences.of(search="n")
    assert (statement.audience, statement.declared_by, statement.conditions) == (ANYBODY, ALICE, ())
    assert (statement.asserted_at, statement.expires_at) == (None, None)


def test_date_of_the_document() -> None:
    """A part without its own date has the document's."""
    source = replace(SOURCE, asserted_at=AT - timedelta(days=2))
    values = TermValues(ai_usage=_usage(prefs={"search": "n"}, statements=[{"prefs": {"search": "n"}}]))
    assert jsonld_terms.parse(values, source).statements[0].asserted_at == AT - timedelta(days=2)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"kind": "author", "id": ALICE.id}, ALICE),
        ({"kind": "instance", "id": SERVER.id}, SERVER),
        (
            {"kind": "author", "id": "https://b.example/users/bob"},
            Declarant(kind=DeclarantKind.AUTHOR, id="https://b.example/users/bob", auth=Auth.NONE),
        ),
        ({"kind": "rightsholder", "id": ALICE.id}, replace(ALICE, kind=DeclarantKind.RIGHTSHOLDER, auth=Auth.NONE)),
        ({"kind": "king", "id": ALICE.id}, replace(ALICE, kind=DeclarantKind.UNKNOWN, auth=Auth.NONE)),
        ({"kind": ["author"], "id": ALICE.id}, replace(ALICE, kind=DeclarantKind.UNKNOWN, auth=Auth.NONE)),
    ],
)
def test_declarants(declared: dict[str, object], expected: Declarant) -> None:
    """Only the document's own author, and an instance through its member, keep the proof that we hold."""
    item = {"prefs": {"search": "n"}, "declaredBy": declared}
    (statement,) = _read(_usage(prefs={"search": "n"}, statements=[item])).statements
    assert statement.declared_by == expected


def test_nobody_grants_for_another_author() -> None:
    """A grant that a stranger's document puts into an author's mouth lifts nothing."""
    item = {
        "prefs": {"train-gen": "y"},
        "audience": {"kind": "domain", "value": "x.example"},
        "declaredBy": {"kind": "author", "id": ALICE.id},
    }
    mallory = Declarant(kind=DeclarantKind.AUTHOR, id="https://m.example/users/m", auth=Auth.HTTP_SIGNATURE)
    forged = jsonld_terms.parse(TermValues(ai_usage=_usage(statements=[item])), replace(SOURCE, declared_by=mallory))
    own = _read(_usage(prefs={"train-gen": "n"}))
    assert answer(own + forged, consumer="x.example") == {"train-gen": "n"}
    assert answer(own + _read(_usage(statements=[item])), consumer="x.example") == {"train-gen": "y"}


@pytest.mark.parametrize("item", ["search=n", None, 5, ["search"]])
def test_broken_parts(item: object) -> None:
    """A part that is no object is a problem, and the combined answer counts."""
    reading = _read(_usage(prefs={"search": "n"}, statements=[item]))
    assert said(reading) == [{"search": "n"}]
    assert problems(reading) == [("aiUsage", "statement-not-an-object")]


@pytest.mark.parametrize("statements", [None, {}, "x", 5])
def test_parts_that_are_no_list(statements: object) -> None:
    """Where the parts are no list the combined answer counts alone."""
    assert said(_read(_usage(prefs={"search": "n"}, statements=statements))) == [{"search": "n"}]


@pytest.mark.parametrize(
    ("whole", "part", "expected"),
    [
        ({"search": "n"}, {"search": "y"}, {"search": "n"}),
        ({"search": "y"}, {"search": "n"}, {"search": "n"}),
        ({}, {"search": "y"}, {}),
        ({}, {"search": "n"}, {"search": "n"}),
        ({"search": "y"}, {}, {"search": "y"}),
        ({"search": "n"}, {}, {"search": "n"}),
        ({"tdm": "y"}, {"search": "y", "tdm": "y"}, {"tdm": "y"}),
        (None, {"search": "y"}, {}),
    ],
)
def test_whole_and_parts_disagree(whole: object, part: dict[str, str], expected: dict[str, str]) -> None:
    """Every no of whole and parts counts, and no yes that the whole does not repeat."""
    assert answer(_read(_usage(prefs=whole, statements=[{"prefs": part}]))) == expected


def test_many_statements_are_bounded() -> None:
    """Of a long list the first 32 parts are read, and what the whole says besides still counts."""
    parts = [{"prefs": {"search": "n"}, "declaredBy": {"kind": "author", "id": str(n)}} for n in range(40)]
    reading = _read(_usage(prefs={"search": "n", "tdm": "n"}, statements=[*parts, {"prefs": {"tdm": "n"}}]))
    assert len(reading.statements) == 33
    assert answer(reading) == {"search": "n", "tdm": "n"}


def test_long_arrays_are_bounded() -> None:
    """Of several values in one array the first 32 are read."""
    filler: list[object] = [None] * 31
    usage, other = _usage(prefs={"search": "n"}), _usage(prefs={"tdm": "n"})
    values = TermValues(
        ai_usage=[*filler, usage, other],
        content_usage=[*filler, "train-ai=n", "ai-use=n"],
        x_robots_tag=[*filler, "noindex", "noai"],
        indexable=[*filler, False, True],
    )
    assert said(jsonld_terms.parse(values, SOURCE)) == [
        {"search": "n"},
        {"train-gen": "n"},
        {"search": "n"},
        {"search": "n"},
    ]


def test_long_details_are_cut() -> None:
    """Of text kept from a statement there are limits: 40 for a kind, 300 for a value, 2048 for an id, 2000 raw."""
    item = {
        "prefs": {"search": "y"},
        "conditions": [{"category": "search", "kind": "k" * 50, "value": "v" * 400}] * 40,
        "audience": {"kind": "k" * 50, "value": "v" * 400},
        "declaredBy": {"kind": "instance", "id": "i" * 3000},
    }
    (statement,) = _read(_usage(statements=[item])).statements
    assert statement.conditions == (Condition(category=Category.SEARCH, kind="k" * 40, value="v" * 300),) * 32
    assert statement.audience == Audience(kind="k" * 40, value="v" * 300)
    assert statement.declared_by.id == "i" * 2048
    assert len(statement.raw) == 2000
    for version in (1, 2):
        (whole,) = _read({"v": version, "prefs": {"search": "n"}, "filler": "x" * 3000}).statements
        assert len(whole.raw) == 2000


@pytest.mark.parametrize(
    ("said_by_author", "asked", "expected"),
    [
        (PRESETS[Preset.NOAI], {}, PRESETS[Preset.NOAI].as_json()),
        (Preferences.of(ai_generate="y"), {"ai-input": "n"}, {"ai-input": "n", "ai-generate": "y"}),
        (Preferences.of(train_gen="y"), {"train-other": "n"}, {"train-gen": "y", "train-other": "n"}),
        (Preferences.of(bridge="n", archive="y"), {"tdm": "n"}, {"tdm": "n", "bridge": "n", "archive": "y"}),
    ],
)
def test_author_and_instance_round_trip(
    said_by_author: Preferences, asked: dict[str, str], expected: dict[str, str]
) -> None:
    """What author and instance say together on one object is read back exactly, each in their own name."""
    statements = _home(said_by_author, Preferences.from_json(asked))
    reading = _back(jsonld_terms.render(statements))
    assert answer(reading) == expected
    spoken = [(s.declared_by.kind, s.prefs) for s in reading.statements if s.carrier == "aiUsage"]
    assert spoken == [(s.declared_by.kind, s.prefs) for s in statements]


def test_grant_round_trip() -> None:
    """A refusal with a grant for one consumer is read back as that."""
    (no,) = _home(Preferences.of(train_gen="n"))
    grant = replace(no, prefs=Preferences.of(train_gen="y"), audience=Audience(kind="domain", value="x.example"))
    reading = _back(jsonld_terms.render([no, grant]))
    assert answer(reading) == {"train-gen": "n"}
    assert answer(reading, consumer="x.example") == {"train-gen": "y"}


def test_combined_at_home() -> None:
    """The one answer that goes out leaves out what has expired."""
    (no,) = _home(Preferences.of(train_gen="n"))
    old = replace(no, prefs=Preferences.of(search="n"), expires_at=AT)
    assert jsonld_terms.combined_at_home([no, old]) == Preferences.of(train_gen="n")
    assert jsonld_terms.combined_at_home([]) == Preferences()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (TermValues(x_robots_tag=["noindex", "noai," * MAX_TEXT]), ("xRobotsTag", "too-long")),
        (TermValues(content_usage=["search=n", "a=n," * MAX_TEXT]), ("contentUsage", "not-a-dictionary")),
    ],
)
def test_what_is_longer_than_a_header_line_is_not_read(values: TermValues, problem: tuple[str, str]) -> None:
    """A text beyond what any header holds is a problem, and what stands beside it is read all the same."""
    reading = jsonld_terms.parse(values, SOURCE)
    assert answer(reading) == {"search": "n"}
    assert [(one.carrier, one.code) for one in reading.problems] == [problem]
