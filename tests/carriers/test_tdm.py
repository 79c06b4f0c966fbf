"""TDMRep: one bit, in headers, meta elements and a file."""

from __future__ import annotations

import pytest
from carriers.samples import POLICY, SOURCE, problems, said

from gateway.carriers import tdm
from gateway.carriers.reading import EMPTY
from gateway.preferences import PRESETS, Preferences, Preset

NO = {"train-gen": "n", "train-other": "n", "ai-index": "n", "tdm": "n"}
YES = {"train-gen": "y", "train-other": "y", "ai-index": "y", "tdm": "y"}


@pytest.mark.parametrize(
    ("preset", "expected"), [("noai", "1"), ("notrain", "1"), ("people-only", "1"), ("open", None)]
)
def test_presets(preset: str, expected: str | None) -> None:
    """Every preset that refuses training reserves."""
    assert tdm.reservation(PRESETS[Preset(preset)]) == expected


@pytest.mark.parametrize(
    ("prefs", "expected"),
    [
        (Preferences.of(tdm="n"), "1"),
        (Preferences.of(train_gen="n", train_other="y", ai_index="y", tdm="y"), "1"),
        (Preferences.of(train_other="n"), "1"),
        (Preferences.of(ai_index="n"), None),
        (Preferences.of(train_gen="y", train_other="y", tdm="y"), None),
        (Preferences.of(train_gen="y", train_other="y", tdm="y", ai_index="n"), None),
        (Preferences.of(train_gen="y", train_other="y", tdm="y", ai_index="y"), "0"),
        (Preferences.of(search="n", ai_input="n", ai_generate="n"), None),
    ],
)
def test_reservation(prefs: Preferences, expected: str | None) -> None:
    """The bit is 1 when training or mining is refused, 0 only when all that it covers is allowed."""
    assert tdm.reservation(prefs) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", NO),
        (1, NO),
        (" 1 ", NO),
        ("0", YES),
        (0, YES),
        ("2", {}),
        (2, {}),
        (-1, {}),
        ("", {}),
        ("true", {}),
        (True, {}),
        (False, {}),
        (1.0, {}),
        (0.0, {}),
        (None, {}),
        ([1], {}),
        ({}, {}),
        ("01", {}),
        ("１", {}),
    ],
)
def test_parse(value: object, expected: dict[str, str]) -> None:
    """1 and 0, as number or text, count; anything else is unset."""
    assert said(tdm.parse(value, SOURCE)) == ([expected] if expected else [])


def test_huge_number() -> None:
    """A number too long to be written as text is unset too, and raises nothing."""
    assert tdm.parse(10**5000, SOURCE) == EMPTY


def test_statement() -> None:
    """The statement names its carrier, the report's date and the value."""
    (statement,) = tdm.parse(1, SOURCE, carrier="http-tdm-reservation").statements
    assert (statement.carrier, statement.carrier_revision) == ("http-tdm-reservation", "tdmrep-2024-05-10")
    assert statement.raw == "1"


def test_file() -> None:
    """The file of a site that reserves is an array of one rule with the policy."""
    expected = [{"location": "/", "tdm-reservation": 1, "tdm-policy": POLICY}]
    assert tdm.render_file(PRESETS[Preset.NOAI], POLICY) == expected


def test_file_that_allows() -> None:
    """A site that allows everything says 0 and names no policy."""
    allowed = Preferences.of(train_gen="y", train_other="y", ai_index="y", tdm="y")
    assert tdm.render_file(allowed, POLICY) == [{"location": "/", "tdm-reservation": 0}]


def test_file_of_an_open_site() -> None:
    """A site that states nothing publishes an empty array."""
    assert tdm.render_file(PRESETS[Preset.OPEN], POLICY) == []


@pytest.mark.parametrize("document", [None, {}, {"location": "/", "tdm-reservation": 1}, "1", 1])
def test_file_must_be_an_array(document: object) -> None:
    """Anything but an array states nothing and is a problem."""
    reading = tdm.parse_file(document, SOURCE)
    assert reading.statements == ()
    assert problems(reading) == [("tdmrep.json", "not-an-array")]


def test_first_match_decides() -> None:
    """The first location that matches decides, also when its value states nothing."""
    rules = [
        "not a rule",
        {"tdm-reservation": 1},
        {"location": 5, "tdm-reservation": 1},
        {"location": "/open/", "tdm-reservation": 0},
        {"location": "/odd/", "tdm-reservation": "maybe"},
        {"location": "/*.png$", "tdm-reservation": 1},
        {"location": "/", "tdm-reservation": 1},
    ]
    assert said(tdm.parse_file(rules, SOURCE, "/open/a.png")) == [YES]
    assert said(tdm.parse_file(rules, SOURCE, "/odd/x")) == []
    assert said(tdm.parse_file(rules, SOURCE, "/a.png")) == [NO]
    assert said(tdm.parse_file(rules, SOURCE, "/anything")) == [NO]
    assert tdm.parse_file(rules[:4], SOURCE, "/anything") == EMPTY


def test_file_statement() -> None:
    """What the file says is known to come from the file."""
    (statement,) = tdm.parse_file([{"location": "/", "tdm-reservation": "1"}], SOURCE).statements
    assert statement.carrier == "tdmrep.json"


def test_long_files_are_bounded() -> None:
    """Rules after the thousandth are not looked at."""
    filler: list[object] = [{"location": "/x", "tdm-reservation": 1}]
    rule = {"location": "/a", "tdm-reservation": 1}
    assert said(tdm.parse_file(filler * 999 + [rule], SOURCE, "/a")) == [NO]
    assert said(tdm.parse_file(filler * 1000 + [rule], SOURCE, "/a")) == []
