"""The honour ladder: positive evidence only, and how long it carries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.observations import NOW, looks, stands

from gateway.policy.standing import FORGOTTEN_AFTER, Rung, Standing, Violation, standing


@pytest.mark.parametrize("word", ["", ".", ".....", "1", "11111", "u", "uuuuu"])
def test_missing_labels_and_unproven_claims_are_never_a_violation(word: str) -> None:
    """Nothing seen, everything in order, dropped labels and what no signature proves count for nothing."""
    assert stands(word) == Standing()


@pytest.mark.parametrize(
    ("word", "count"),
    [("2", 1), ("2.", 1), ("2....", 1), ("2.....", 0), ("22222", 5), ("2.2.2", 3), ("222.....", 0), ("2222..", 3)],
)
def test_contradictions_count_among_the_last_five_looks(word: str, count: int) -> None:
    """A V2 counts while it is among the last five looks, and ends by itself when newer ones are in order."""
    found = stands(word)
    assert found.count == count
    assert found.violation is (Violation.CONTRADICT if count else None)


def test_contradictions_are_forgotten_after_a_month() -> None:
    """A V2 ends by itself after thirty days, though nobody looked again."""
    assert standing(looks("2", days_ago=29), NOW).violation is Violation.CONTRADICT
    assert standing(looks("2", days_ago=31), NOW).violation is None


def test_a_contradiction_counts_up_to_the_last_moment() -> None:
    """Exactly thirty days old still counts."""
    old = [replace(looks("2")[0], at=NOW - FORGOTTEN_AFTER)]
    assert standing(old, NOW).count == 1
    assert standing(old, NOW + timedelta(milliseconds=1)).count == 0


def test_an_alteration_never_ends_by_itself() -> None:
    """A proven V3 counts however many looks are in order afterwards, and after years."""
    assert stands("3........").violation is Violation.ALTER
    assert standing(looks("3", days_ago=1000), NOW).violation is Violation.ALTER


def test_an_alteration_weighs_more_than_contradictions() -> None:
    """With V2 and V3 together, the V3 and its evidence are shown."""
    found = stands("2232")
    assert (found.violation, found.evidence, found.count) == (Violation.ALTER, ("e2",), 1)


def test_evidence_names_every_counted_record_oldest_first() -> None:
    """The evidence is what counts, in the order in which it was seen."""
    assert stands("2.2").evidence == ("e0", "e2")
    assert stands("3.3").evidence == ("e0", "e2")


def test_the_rung_is_kept() -> None:
    """Observations do not change how far a peer has declared itself."""
    for word in ("", "2", "3"):
        assert standing(looks(word), NOW, Rung.PLEDGED).rung is Rung.PLEDGED


@given(word=st.text(alphabet=".123u", max_size=10), data=st.data())
def test_the_order_of_observations_does_not_matter(word: str, data: st.DataObject) -> None:
    """The moments of observations count, not the order in which they are read."""
    seen = looks(word)
    assert standing(data.draw(st.permutations(seen)), NOW) == standing(seen, NOW)
