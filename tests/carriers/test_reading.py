"""What every parser returns."""

from __future__ import annotations

from dataclasses import replace

from carriers.samples import ALICE, AT, NOTE, SOURCE

from gateway.carriers.reading import EMPTY, MAX_TEXT, Problem, Reading, stated, unreadable
from gateway.preferences import NOTHING, Category, Condition, Preferences, Statement

SEARCH = Preferences.of(search="n")


def test_stated() -> None:
    """A reading of something stated has one statement with everything about its source."""
    condition = Condition(category=Category.SEARCH, kind="exceptions", value="cc-cr")
    source = replace(SOURCE, asserted_at=AT)
    reading = stated(
        source, carrier="c", revision="r", prefs=SEARCH, raw="search=n", legacy=True, conditions=(condition,)
    )
    assert reading.statements == (
        Statement(
            subject=NOTE,
            prefs=SEARCH,
            declared_by=ALICE,
            carrier="c",
            carrier_revision="r",
            raw="search=n",
            observed_at=AT,
            asserted_at=AT,
            legacy=True,
            conditions=(condition,),
        ),
    )
    assert reading.problems == ()


def test_nothing_stated() -> None:
    """Where nothing is stated there is no statement."""
    assert stated(SOURCE, carrier="c", revision="r", prefs=NOTHING, raw="x") == EMPTY == Reading()


def test_raw_is_bounded() -> None:
    """The text kept with a statement has a limit of 500 KiB."""
    (statement,) = stated(SOURCE, carrier="c", revision="r", prefs=SEARCH, raw="x" * (MAX_TEXT + 1)).statements
    assert len(statement.raw) == 512_000


def test_unreadable() -> None:
    """What cannot be read states nothing and says why, in at most 200 characters."""
    reading = unreadable("c", "not-a-dictionary", "x" * 300)
    assert reading == Reading(problems=(Problem(carrier="c", code="not-a-dictionary", detail="x" * 200),))


def test_addition() -> None:
    """Two readings together keep the statements and the problems of both, in order."""
    one = stated(SOURCE, carrier="c", revision="r", prefs=SEARCH, raw="x")
    both = one + unreadable("d", "bad", "") + one
    assert both.prefs == (SEARCH, SEARCH)
    assert [problem.code for problem in both.problems] == ["bad"]
