"""The admin's rules: which one speaks about a host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.observations import rule

from gateway.policy.rules import Action, Rule, matching

HOSTS = ("example", "peer.example", "a.peer.example", "b.a.peer.example", "notpeer.example")
ANY_RULES = st.lists(st.builds(rule, st.sampled_from(HOSTS), st.sampled_from(Action)), max_size=8, unique=True)


@pytest.mark.parametrize("action", [Action.LIMIT, Action.REFUSE])
@pytest.mark.parametrize(
    ("host", "covered"),
    [("peer.example", True), ("a.peer.example", True), ("notpeer.example", False), ("example", False)],
)
def test_limit_and_refuse_cover_subdomains(action: Action, host: str, covered: bool) -> None:  # noqa: FBT001 - a table
    """A refused or limited host takes its subdomains along, and nobody who only looks like it."""
    assert rule("peer.example", action).applies_to(host) is covered


def test_allow_is_for_exactly_one_host() -> None:
    """An allowed host does not open its subdomains."""
    allowed = rule("peer.example", Action.ALLOW)
    assert allowed.applies_to("peer.example")
    assert not allowed.applies_to("a.peer.example")


def test_an_exact_rule_beats_a_wider_one() -> None:
    """A subdomain can be allowed below a refused domain."""
    rules = [rule("peer.example", Action.REFUSE), rule("a.peer.example", Action.ALLOW)]
    assert matching(rules, "a.peer.example") == rules[1]
    assert matching(rules, "b.a.peer.example") == rules[0]


def test_among_equals_the_stricter_counts() -> None:
    """Two rules about one host: the stricter one decides."""
    rules = [rule("peer.example", Action.REFUSE), rule("peer.example", Action.ALLOW)]
    assert matching(rules, "peer.example") == rules[0]


def test_no_rule_about_a_host() -> None:
    """A host that nobody ruled about has no rule."""
    assert matching([rule("peer.example", Action.REFUSE)], "other.example") is None


@given(rules=ANY_RULES, host=st.sampled_from(HOSTS), data=st.data())
def test_the_order_of_rules_does_not_matter(rules: list[Rule], host: str, data: st.DataObject) -> None:
    """Any order of the same rules gives the same deciding rule."""
    assert matching(data.draw(st.permutations(rules)), host) == matching(rules, host)


def test_actions_have_words() -> None:
    """Commands and answers speak of allow, limit and refuse."""
    assert [action.word for action in Action] == ["allow", "limit", "refuse"]
