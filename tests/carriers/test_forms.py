"""The table of carriers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from carriers.samples import SOURCE

from gateway.carriers.forms import FORMS, could_not_say
from gateway.preferences import PRESETS, Category, Preference, Preferences, Preset, Statement

NOAI = PRESETS[Preset.NOAI]
NOAI_LINE = "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n, search=y, tdm=n"

POLICY = "https://example.org/policies/tdm.json"


def test_names() -> None:
    """Every carrier of this room has its row, under its own name."""
    assert list(FORMS) == [
        "content-usage",
        "ai-usage",
        "tdm-reservation",
        "tdmrep.json",
        "x-robots-tag",
        "indexable",
        "content-signal",
        "robots.txt",
        "html-meta",
        "http-headers",
        "json-ld",
        "atom",
    ]
    assert all(form.name == name for name, form in FORMS.items())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("content-usage", "train-ai=n, ai-use=n, search=y"),
        ("ai-usage", NOAI_LINE),
        ("tdm-reservation", "1"),
        (
            "tdmrep.json",
            '[{"location": "/", "tdm-reservation": 1, "tdm-policy": "https://example.org/policies/tdm.json"}]',
        ),
        ("x-robots-tag", "noai, noimageai, noarchive"),
        ("indexable", "true"),
        ("content-signal", "search=yes, ai-input=no, ai-train=no"),
        ("json-ld", NOAI_LINE),
        ("atom", f"aiu:contentUsage train-ai=n, ai-use=n, search=y\naiu:aiUsage {NOAI_LINE}"),
        (
            "http-headers",
            (
                f"content-usage: train-ai=n, ai-use=n, search=y\nai-usage: {NOAI_LINE}\ntdm-reservation: 1\n"
                "tdm-policy: https://example.org/policies/tdm.json\nx-robots-tag: noai, noimageai, noarchive"
            ),
        ),
        (
            "html-meta",
            (
                '<meta name="robots" content="noai, noimageai, noarchive"><meta name="tdm-reservation" content="1">'
                '<meta name="tdm-policy" content="https://example.org/policies/tdm.json">'
                '<meta name="content-usage" content="train-ai=n, ai-use=n, search=y">'
                f'<meta name="ai-usage" content="{NOAI_LINE}">'
            ),
        ),
    ],
)
def test_show_noai(name: str, expected: str) -> None:
    """What the world will read for the preset noai is shown as it stands."""
    assert FORMS[name].show(NOAI, POLICY) == expected


@pytest.mark.parametrize("name", [name for name in FORMS if name not in ("tdmrep.json", "robots.txt")])
def test_show_nothing(name: str) -> None:
    """Where nothing is stated nothing is shown."""
    assert FORMS[name].show(Preferences(), POLICY) == ""


def test_show_the_rest_of_nothing() -> None:
    """The two files exist also where nothing is stated."""
    assert FORMS["tdmrep.json"].show(Preferences(), POLICY) == "[]"
    assert (
        FORMS["robots.txt"].show(Preferences(), POLICY)
        == "User-agent: *\nAllow: /\nDisallow: /admin\nDisallow: /inspect\n"
    )


def test_show_robots_txt() -> None:
    """The robots file of the preset noai holds both vocabularies."""
    text = FORMS["robots.txt"].show(NOAI, POLICY)
    assert "\nContent-Usage: train-ai=n, ai-use=n, search=y\nContent-Signal: search=yes, ai-input=no" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("content-usage", {"train-gen": "n"}),
        ("ai-usage", {"train-gen": "n", "train-other": "n"}),
        ("tdm-reservation", {"train-gen": "n", "train-other": "n", "ai-index": "n", "tdm": "n"}),
        ("tdmrep.json", {"train-gen": "n", "train-other": "n", "ai-index": "n", "tdm": "n"}),
        ("x-robots-tag", {"train-gen": "n", "train-other": "n"}),
        ("indexable", {}),
        ("content-signal", {"train-gen": "n", "train-other": "n"}),
        ("robots.txt", {"train-gen": "n", "train-other": "n"}),
        ("html-meta", {"train-gen": "n", "train-other": "n"}),
        ("http-headers", {"train-gen": "n", "train-other": "n"}),
        ("json-ld", {"train-gen": "n", "train-other": "n"}),
        ("atom", {"train-gen": "n", "train-other": "n"}),
    ],
)
def test_reads_back_notrain(name: str, expected: dict[str, str]) -> None:
    """A reader of one carrier alone understands this much of the preset notrain."""
    assert FORMS[name].reads_back(PRESETS[Preset.NOTRAIN], SOURCE).as_json() == expected


def _said_in(carrier: str, **prefs: str) -> Statement:
    return Statement(
        subject=SOURCE.subject, prefs=Preferences.of(**prefs), declared_by=SOURCE.declared_by, carrier=carrier,
        observed_at=SOURCE.observed_at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("carrier", "form"),
    [
        ("contentUsage", "content-usage"), ("http-content-usage", "content-usage"), ("content-usage", "content-usage"),
        ("meta-content-usage", "content-usage"), ("atom-contentUsage", "content-usage"), ("aiUsage", "ai-usage"),
        ("http-ai-usage", "ai-usage"), ("atom-aiUsage", "ai-usage"), ("home", "ai-usage"),
        ("xRobotsTag", "x-robots-tag"), ("meta-robots", "x-robots-tag"), ("http-x-robots-tag", "x-robots-tag"),
        ("indexable", "indexable"), ("tdm-reservation", "tdm-reservation"),
        ("meta-tdm-reservation", "tdm-reservation"), ("tdmrep.json", "tdmrep.json"),
        ("content-signal", "content-signal"), ("robots.txt", "robots.txt"),
    ],
)  # fmt: skip
def test_what_a_carrier_could_not_have_said(carrier: str, form: str) -> None:
    """Wherever a carrier stands, silence in a category that its form has no word for means nothing."""
    found = could_not_say(_said_in(carrier))
    assert set(found) == FORMS[form].inexpressible
    assert list(found) == [category for category in Category if category in found]


@pytest.mark.parametrize("carrier", ["", "http-", "unknown", "meta-unknown"])
def test_nothing_is_known_of_an_unknown_carrier(carrier: str) -> None:
    """No claim is made about forms that are not ours."""
    assert could_not_say(_said_in(carrier)) == ()


@pytest.mark.parametrize("carrier", ["tdm-reservation", "http-tdm-reservation", "meta-tdm-reservation", "tdmrep.json"])
def test_one_word_for_several_categories_says_them_all(carrier: str) -> None:
    """A reservation refuses indexing for AI along with mining: it was said, though it cannot be said alone."""
    everything = Preferences(dict.fromkeys(Category, Preference.DISALLOW))
    (found,) = FORMS["tdm-reservation"].round_trip(everything, SOURCE).statements
    unsaid = could_not_say(replace(found, carrier=carrier))
    assert Category.AI_INDEX in found.prefs
    assert unsaid[:3] == (Category.AI_INPUT, Category.AI_GENERATE, Category.SEARCH)
    assert Category.AI_INDEX not in unsaid
