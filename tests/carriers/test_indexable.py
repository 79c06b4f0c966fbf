"""Indexable: one boolean about fediverse search."""

from __future__ import annotations

import pytest
from carriers.samples import SOURCE, said

from gateway.carriers import indexable
from gateway.carriers.reading import EMPTY
from gateway.preferences import PRESETS, Preferences, Preset


@pytest.mark.parametrize(
    ("preset", "expected"), [("noai", True), ("notrain", None), ("people-only", False), ("open", None)]
)
def test_render_presets(preset: str, expected: object) -> None:
    """True only where search is allowed, false only where it is refused, else no value at all."""
    assert indexable.render(PRESETS[Preset(preset)]) is expected


def test_other_categories_do_not_matter() -> None:
    """Only the category search decides."""
    assert indexable.render(Preferences.of(train_gen="n", tdm="y")) is None


@pytest.mark.parametrize(("value", "expected", "raw"), [(True, "y", "true"), (False, "n", "false")])
def test_parse(*, value: bool, expected: str, raw: str) -> None:
    """The boolean states search, and the statement keeps it as text."""
    (statement,) = indexable.parse(value, SOURCE).statements
    assert statement.prefs.as_json() == {"search": expected}
    assert (statement.carrier, statement.carrier_revision, statement.raw) == ("indexable", "fep-5feb", raw)


@pytest.mark.parametrize("value", [None, "true", "false", 1, 0, [True], {}, ""])
def test_anything_else_states_nothing(value: object) -> None:
    """A missing value or one of another type states nothing in this model."""
    assert indexable.parse(value, SOURCE) == EMPTY
    assert said(indexable.parse(value, SOURCE)) == []


def test_inexpressible() -> None:
    """It can refuse search and nothing else."""
    assert len(indexable.INEXPRESSIBLE) == 9
    assert "search" not in {c.value for c in indexable.INEXPRESSIBLE}
