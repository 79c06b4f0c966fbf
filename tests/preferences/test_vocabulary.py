"""The words of the concept and the map that holds them."""

from __future__ import annotations

import pytest

from gateway.preferences import (
    AI_USES,
    AXES,
    CATEGORIES,
    MEANINGS,
    NOTHING,
    PRESETS,
    TRAINING,
    Category,
    Preference,
    Preferences,
    Preset,
    labels,
)


def test_categories() -> None:
    """There are seven categories of use and three axes of reuse, by these names and in this order."""
    assert [c.value for c in CATEGORIES] == [
        "train-gen",
        "train-other",
        "ai-input",
        "ai-generate",
        "ai-index",
        "search",
        "tdm",
    ]
    assert [c.value for c in AXES] == ["bridge", "bulk-dataset", "archive"]
    assert tuple(Category) == CATEGORIES + AXES


def test_groups() -> None:
    """Training is two categories and AI use five, all of them with a meaning in words."""
    assert [c.value for c in TRAINING] == ["train-gen", "train-other"]
    assert [c.value for c in AI_USES] == ["train-gen", "train-other", "ai-input", "ai-generate", "ai-index"]
    assert set(MEANINGS) == set(Category)


def test_there_is_no_default() -> None:
    """A category that nobody speaks about is neither allowed nor disallowed."""
    assert len(NOTHING) == 0
    assert not any(NOTHING.allows(category) or NOTHING.disallows(category) for category in Category)
    with pytest.raises(KeyError):
        NOTHING[Category.SEARCH]


def test_order() -> None:
    """Preferences stand in the order of the vocabulary however they were given."""
    prefs = Preferences({Category.SEARCH: Preference.ALLOW, Category.TRAIN_GEN: Preference.DISALLOW})
    assert list(prefs) == [Category.TRAIN_GEN, Category.SEARCH]
    assert prefs.as_json() == {"train-gen": "n", "search": "y"}
    assert repr(prefs) == "Preferences(train-gen=n, search=y)"


def test_three_states() -> None:
    """A n disallows, a y allows, and the third state is neither."""
    prefs = Preferences.of(train_gen="n", search="y")
    assert [prefs.disallows(c) for c in (Category.TRAIN_GEN, Category.SEARCH, Category.TDM)] == [True, False, False]
    assert [prefs.allows(c) for c in (Category.TRAIN_GEN, Category.SEARCH, Category.TDM)] == [False, True, False]


def test_equality_by_content() -> None:
    """Two maps that say the same are equal and hash alike, and one that says something else is not equal."""
    one = Preferences.of(train_gen="n", search="y")
    same = Preferences([(Category.SEARCH, Preference.ALLOW), (Category.TRAIN_GEN, Preference.DISALLOW)])
    assert one == same
    assert hash(one) == hash(same)
    assert one == {Category.TRAIN_GEN: Preference.DISALLOW, Category.SEARCH: Preference.ALLOW}
    assert one != Preferences.of(train_gen="n")
    assert one != Preferences.of(train_gen="y", search="y")
    assert one != "train-gen=n, search=y"


def test_immutable() -> None:
    """Preferences do not change."""
    prefs = Preferences.of(search="y")
    with pytest.raises(AttributeError):
        prefs.extra = 1
    with pytest.raises(AttributeError):
        prefs._items = {}
    assert prefs.as_json() == {"search": "y"}


def test_json_round_trip() -> None:
    """What as_json writes, from_json reads."""
    prefs = Preferences.of(train_gen="n", search="y", bulk_dataset="n")
    assert prefs.as_json() == {"train-gen": "n", "search": "y", "bulk-dataset": "n"}
    assert Preferences.from_json(prefs.as_json()) == prefs


@pytest.mark.parametrize("value", ["true", True, 1, {}, None, [], "no ", "NO", "Y", "y ", "yes", ["y"], False, 0])
def test_wrong_values_state_nothing(value: object) -> None:
    """A value of the wrong type or spelling is never read as permission, nor as anything else."""
    assert Preferences.from_json({"train-gen": value}) == NOTHING


@pytest.mark.parametrize("document", [None, "n", ["train-gen"], 1, {"train-ai": "n"}, {"TRAIN-GEN": "n"}])
def test_wrong_documents_state_nothing(document: object) -> None:
    """Whatever is not a map with known categories states nothing."""
    assert Preferences.from_json(document) == NOTHING


@pytest.mark.parametrize(
    ("prefs", "expected"),
    [
        (PRESETS[Preset.NOAI], ("noai", "notrain")),
        (PRESETS[Preset.NOTRAIN], ("notrain",)),
        (PRESETS[Preset.PEOPLE_ONLY], ("noai", "notrain")),
        (PRESETS[Preset.OPEN], ()),
        (Preferences.of(train_gen="n"), ()),
        (Preferences.of(train_gen="n", train_other="n", ai_input="n", ai_generate="n"), ("notrain",)),
        (Preferences.of(train_gen="n", train_other="n", ai_input="n", ai_generate="n", ai_index="y"), ("notrain",)),
        (Preferences.of(train_gen="n", train_other="y", ai_input="n", ai_generate="n", ai_index="n"), ()),
        (Preferences.of(search="n", tdm="n", bridge="n"), ()),
    ],
)
def test_labels(prefs: Preferences, expected: tuple[str, ...]) -> None:
    """The word noai needs a no in all five AI uses, notrain in both kinds of training."""
    assert labels(prefs) == expected
