"""X-Robots-Tag and xRobotsTag: words that can only say no."""

from __future__ import annotations

import pytest
from carriers.samples import SOURCE, said

from gateway.carriers import x_robots_tag
from gateway.preferences import PRESETS, Preferences, Preset

TRAIN = {"train-gen": "n", "train-other": "n"}


@pytest.mark.parametrize(
    ("preset", "words", "web"),
    [
        ("noai", ("noai", "noimageai"), ("noai", "noimageai", "noarchive")),
        ("notrain", ("noai", "noimageai"), ("noai", "noimageai", "noarchive")),
        ("people-only", ("noai", "noimageai", "noindex"), ("noai", "noimageai", "noarchive", "noindex")),
        ("open", (), ()),
    ],
)
def test_presets(preset: str, words: tuple[str, ...], web: tuple[str, ...]) -> None:
    """JSON-LD gets the words of FEP-5e53, HTTP and HTML noarchive besides."""
    assert x_robots_tag.words(PRESETS[Preset(preset)]) == words
    assert x_robots_tag.web_words(PRESETS[Preset(preset)]) == web


@pytest.mark.parametrize(
    ("prefs", "expected"),
    [
        (Preferences.of(train_gen="n"), ("noai", "noimageai", "noarchive")),
        (Preferences.of(train_other="n"), ("noai", "noimageai", "noarchive")),
        (Preferences.of(search="n"), ("noindex",)),
        (Preferences.of(train_gen="y", search="y", ai_input="n", tdm="n"), ()),
    ],
)
def test_web_words(prefs: Preferences, expected: tuple[str, ...]) -> None:
    """Either kind of training earns the AI words, search noindex, and nothing else earns any."""
    assert x_robots_tag.web_words(prefs) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["noai"], TRAIN),
        (["noimageai"], TRAIN),
        (["noindex"], {"search": "n"}),
        (["none"], {"search": "n"}),
        (["noai, noindex"], TRAIN | {"search": "n"}),
        (["NoAI ,\tNOINDEX"], TRAIN | {"search": "n"}),
        (["noindex", "noai"], TRAIN | {"search": "n"}),
        (["noarchive"], {}),
        (["index, follow, all"], {}),
        (["noaix, xnoai"], {}),
        ([""], {}),
        ([], {}),
        (["otherbot: noai"], {}),
        (["otherbot: noai", "noindex"], {"search": "n"}),
        (["max-snippet:0, noai"], TRAIN),
        (["Max-Image-Preview: large, noai"], TRAIN),
        (["unavailable_after: 2027-01-01, noindex"], {"search": "n"}),
        (["max-video-preview:-1"], {}),
    ],
)
def test_parse(values: list[str], expected: dict[str, str]) -> None:
    """Words count in any case, list or line; words for one bot do not, directives with a value are no bot."""
    assert said(x_robots_tag.parse(values, SOURCE)) == ([expected] if expected else [])


def test_statement() -> None:
    """Repeated lines are one statement that keeps them all, also those with weak or addressed words."""
    (statement,) = x_robots_tag.parse(["noai, noarchive", "otherbot: noindex"], SOURCE).statements
    assert (statement.carrier, statement.carrier_revision) == ("x-robots-tag", "deviantart-2022/fep-5e53")
    assert statement.raw == "noai, noarchive, otherbot: noindex"


def test_it_never_allows() -> None:
    """No word says yes."""
    every = ["noai, noimageai, noindex, none, noarchive, index, all, ai, yes, y"]
    assert set(said(x_robots_tag.parse(every, SOURCE))[0].values()) == {"n"}


def test_inexpressible() -> None:
    """The words can refuse training and search only."""
    names = {c.value for c in x_robots_tag.INEXPRESSIBLE}
    assert names == {"ai-input", "ai-generate", "ai-index", "tdm", "bridge", "bulk-dataset", "archive"}
