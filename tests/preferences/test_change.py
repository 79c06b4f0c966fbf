"""Tightening is easy, loosening is earned."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from preferences.samples import AT

from gateway.preferences import NOTHING, Category, Change, Preferences, change

LATER = AT + timedelta(seconds=1)
NO, YES = Preferences.of(train_gen="n"), Preferences.of(train_gen="y")
TRAIN = (Category.TRAIN_GEN,)


@pytest.mark.parametrize("by_author", [True, False])
@pytest.mark.parametrize(("before", "after"), [(YES, NO), (NOTHING, NO), (YES, NOTHING)])
def test_tightening(before: Preferences, after: Preferences, *, by_author: bool) -> None:
    """A stricter state counts whoever brings it, also from a refetch and also when it is older."""
    expected = Change(result=after, tightened=TRAIN)
    assert change(before, after, by_author=by_author) == expected
    assert change(before, after, by_author=by_author, asserted_before=LATER, asserted_after=AT) == expected


@pytest.mark.parametrize(("before", "after"), [(NO, YES), (NO, NOTHING), (NOTHING, YES)])
def test_refetch_never_loosens(before: Preferences, after: Preferences) -> None:
    """A loosening that the author did not send is held back and the known state stays."""
    expected = Change(result=before, held=TRAIN)
    assert change(before, after, by_author=False) == expected
    assert change(before, after, by_author=False, asserted_before=AT, asserted_after=LATER) == expected


@pytest.mark.parametrize(("before", "after"), [(NO, YES), (NO, NOTHING), (NOTHING, YES)])
def test_authors_newer_statement_loosens(before: Preferences, after: Preferences) -> None:
    """The author's own newer statement loosens, and the change says so."""
    expected = Change(result=after, loosened=TRAIN)
    assert change(before, after, by_author=True, asserted_before=AT, asserted_after=LATER) == expected
    assert change(before, after, by_author=True) == expected
    assert change(before, after, by_author=True, asserted_after=AT) == expected


@pytest.mark.parametrize("moment", [None, AT - timedelta(days=1), AT])
def test_older_or_undated_never_loosens(moment: datetime | None) -> None:
    """An older, equally old or undated statement of the author does not loosen a dated one (LAB-DOWN-004)."""
    result = change(NO, YES, by_author=True, asserted_before=AT, asserted_after=moment)
    assert result == Change(result=NO, held=TRAIN)


@pytest.mark.parametrize("same", [NO, YES, NOTHING])
def test_no_change(same: Preferences) -> None:
    """What stays the same moves nothing."""
    assert change(same, same, by_author=False) == Change(result=same)


def test_each_category_for_itself() -> None:
    """One reading may tighten one category while its loosening of another is held."""
    before = Preferences.of(train_gen="n", search="y", tdm="n", archive="y")
    after = Preferences.of(train_gen="y", search="n", tdm="n", bridge="n")
    assert change(before, after, by_author=False) == Change(
        result=Preferences.of(train_gen="n", search="n", tdm="n", bridge="n"),
        tightened=(Category.SEARCH, Category.BRIDGE, Category.ARCHIVE),
        held=(Category.TRAIN_GEN,),
    )
