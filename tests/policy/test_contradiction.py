"""Only an explicit opposite is a contradiction."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from preferences.samples import ALICE, BOB, CRAWLER, SERVER, says

from gateway.policy.contradiction import contradictions
from gateway.preferences import Category, Preference, Preferences

ASKED = Preferences.of(train_gen="n", ai_input="n", search="y")
ANY_PREFS = st.dictionaries(st.sampled_from(Category), st.sampled_from(Preference)).map(Preferences)


def test_an_explicit_yes_to_a_no_is_a_contradiction() -> None:
    """Each category shown as allowed although asked not to be is named with the statement that shows it."""
    shown = says(SERVER, train_gen="y", ai_input="y", search="y")
    assert contradictions(ASKED, [shown]) == ((Category.TRAIN_GEN, shown), (Category.AI_INPUT, shown))


def test_a_missing_term_is_never_a_contradiction() -> None:
    """Saying nothing, or saying something about other uses, contradicts nobody."""
    assert contradictions(ASKED, []) == ()
    assert contradictions(ASKED, [says(SERVER, tdm="y", archive="y")]) == ()


def test_being_stricter_is_no_contradiction() -> None:
    """A no where the author said yes keeps every promise."""
    assert contradictions(ASKED, [says(SERVER, train_gen="n", search="n", tdm="n")]) == ()


def test_a_grant_to_one_consumer_is_no_contradiction() -> None:
    """What is said for one named consumer is not said for everybody."""
    assert contradictions(ASKED, [says(ALICE, audience=CRAWLER, train_gen="y")]) == ()


def test_the_order_of_statements_does_not_matter() -> None:
    """The same statements give the same list."""
    one, other = says(ALICE, train_gen="y"), says(BOB, train_gen="y")
    assert contradictions(ASKED, [one, other]) == contradictions(ASKED, [other, one])


@given(asked=ANY_PREFS, shown=ANY_PREFS)
def test_a_contradiction_is_a_no_shown_as_a_yes(asked: Preferences, shown: Preferences) -> None:
    """Exactly the categories with n asked and y shown are found, over all preferences."""
    statement = replace(says(SERVER), prefs=shown)
    found = {category for category, _ in contradictions(asked, [statement])}
    assert found == {category for category in Category if asked.get(category) == "n" and shown.get(category) == "y"}
