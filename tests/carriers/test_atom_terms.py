"""Extension elements of an Atom feed."""

from __future__ import annotations

import pytest
from carriers.samples import SOURCE, answer, problems, said

from gateway.carriers import atom_terms
from gateway.carriers.reading import EMPTY
from gateway.preferences import PRESETS, Preferences, Preset


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (
            "noai",
            [
                ("contentUsage", "train-ai=n, ai-use=n, search=y"),
                ("aiUsage", "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n, search=y, tdm=n"),
            ],
        ),
        ("notrain", [("contentUsage", "train-ai=n"), ("aiUsage", "train-gen=n, train-other=n")]),
        (
            "people-only",
            [
                ("contentUsage", "train-ai=n, ai-use=n, search=n"),
                ("aiUsage", "train-gen=n, train-other=n, ai-input=n, ai-generate=n, ai-index=n, search=n, tdm=n"),
            ],
        ),
        ("open", []),
    ],
)
def test_render_presets(preset: str, expected: list[tuple[str, str]]) -> None:
    """A feed says its preset in both lines."""
    assert atom_terms.render(PRESETS[Preset(preset)]) == expected


def test_only_the_lossless_line() -> None:
    """Where the AIPREF line can say nothing, only the lossless one stands."""
    assert atom_terms.render(Preferences.of(tdm="n")) == [("aiUsage", "tdm=n")]


def test_parse() -> None:
    """Both elements are read, others are not, and a line that repeats the lossless one is set aside."""
    elements = [("contentUsage", "ai-use=n"), ("aiUsage", "ai-input=n"), ("rights", "search=n")]
    reading = atom_terms.parse(elements, SOURCE)
    assert said(reading) == [{"ai-input": "n", "ai-generate": "n"}, {"ai-input": "n"}]
    assert [s.carrier for s in reading.statements] == ["atom-content-usage", "atom-ai-usage"]
    assert answer(reading) == {"ai-input": "n"}


def test_unreadable() -> None:
    """Lines that are no dictionary are problems."""
    reading = atom_terms.parse([("contentUsage", "no!"), ("aiUsage", "no!")], SOURCE)
    assert problems(reading) == [
        ("atom-content-usage", "not-a-dictionary"),
        ("atom-ai-usage", "not-a-dictionary"),
    ]


def test_no_elements() -> None:
    """A feed without the elements states nothing."""
    assert atom_terms.parse([], SOURCE) == EMPTY


def test_rights() -> None:
    """The sentence for people names each refusal and the words that it earns."""
    sentence = atom_terms.rights(Preferences.of(train_gen="n", train_other="n", search="y"))
    assert "training or fine-tuning generative models; training models that do not generate" in sentence
    assert "links back" not in sentence
    assert sentence.endswith(". [notrain]")


def test_rights_of_noai() -> None:
    """Both plain words stand in the sentence of the preset noai."""
    assert atom_terms.rights(PRESETS[Preset.NOAI]).endswith(". [noai] [notrain]")


@pytest.mark.parametrize("prefs", [PRESETS[Preset.OPEN], Preferences.of(search="y", tdm="y")])
def test_no_rights(prefs: Preferences) -> None:
    """Where nothing is refused there is no sentence."""
    assert atom_terms.rights(prefs) == ""


def test_namespace() -> None:
    """The elements stand in the namespace of our terms."""
    assert atom_terms.NAMESPACE == "https://w3id.org/fep/1e38#"
