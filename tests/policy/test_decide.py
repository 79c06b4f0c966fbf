"""One decision from rules, standing and mode."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.observations import rule, stands

from gateway.policy.decide import Decision, Mode, decide
from gateway.policy.reasons import Reason
from gateway.policy.rules import Action, Rule
from gateway.policy.standing import Rung, Standing

HOST = "peer.example"
ALLOW, LIMIT, REFUSE = Action.ALLOW, Action.LIMIT, Action.REFUSE
FINE = (ALLOW, Reason.NOTHING_AGAINST)
WATCHED = (ALLOW, Reason.OBSERVING_ONLY)
LIMITED = (LIMIT, Reason.CONTRADICTED_PREFERENCES)
REFUSED = (REFUSE, Reason.CONTRADICTED_PREFERENCES)
ALTERED = (REFUSE, Reason.ALTERED_PREFERENCES)
PLEDGE = (REFUSE, Reason.PLEDGE_REQUIRED)


def decided(word: str, mode: Mode, rung: Rung = Rung.UNKNOWN) -> Decision:
    """Return the decision after ``looks(word)``, without a rule."""
    seen = stands(word)
    known = Standing(rung=rung, violation=seen.violation, evidence=seen.evidence, count=seen.count)
    return decide(HOST, rules=[], standing=known, mode=mode)


@pytest.mark.parametrize(
    ("word", "mode", "expected"),
    [
        ("", Mode.OBSERVE, FINE), ("", Mode.STANDARD, FINE), ("", Mode.PLEDGE_REQUIRED, PLEDGE),
        ("11111", Mode.OBSERVE, FINE), ("11111", Mode.STANDARD, FINE), ("11111", Mode.PLEDGE_REQUIRED, PLEDGE),
        ("2", Mode.OBSERVE, WATCHED), ("2", Mode.STANDARD, LIMITED), ("2", Mode.PLEDGE_REQUIRED, PLEDGE),
        ("2.2", Mode.OBSERVE, WATCHED), ("2.2", Mode.STANDARD, LIMITED), ("2.2", Mode.PLEDGE_REQUIRED, PLEDGE),
        ("2.2.2", Mode.OBSERVE, WATCHED), ("2.2.2", Mode.STANDARD, REFUSED), ("222", Mode.PLEDGE_REQUIRED, REFUSED),
        ("222.....", Mode.OBSERVE, FINE), ("222.....", Mode.STANDARD, FINE), ("222.....", Mode.PLEDGE_REQUIRED, PLEDGE),
        ("3", Mode.OBSERVE, WATCHED), ("3", Mode.STANDARD, ALTERED), ("3", Mode.PLEDGE_REQUIRED, ALTERED),
    ],
)  # fmt: skip
def test_standing_and_mode_decide_where_no_rule_does(word: str, mode: Mode, expected: tuple[Action, Reason]) -> None:
    """V2 limits first and refuses at three of five; V3 refuses at once; observing only records; silence is fine."""
    found = decided(word, mode)
    assert (found.action, found.reason) == expected
    assert found.rule is None


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("word", ["", "2", "222", "3"])
@pytest.mark.parametrize(
    ("action", "reason"),
    [(ALLOW, Reason.ALLOWED_BY_RULE), (LIMIT, Reason.LIMITED_BY_RULE), (REFUSE, Reason.REFUSED_BY_RULE)],
)
def test_the_admins_rule_always_wins(mode: Mode, word: str, action: Action, reason: Reason) -> None:
    """A rule decides in every mode, whatever was observed, and the evidence stays visible."""
    made = rule(HOST, action)
    found = decide(HOST, rules=[made], standing=stands(word), mode=mode)
    assert (found.action, found.reason, found.rule) == (action, reason, made.id)
    assert found.evidence == stands(word).evidence


@pytest.mark.parametrize("rung", [Rung.UNKNOWN, Rung.ALIGNED, Rung.DECLARED])
def test_pledge_required_refuses_everybody_without_a_pledge(rung: Rung) -> None:
    """H0 to H2 are refused where the admin asks for pledges, and told that this is why."""
    assert decided("", Mode.PLEDGE_REQUIRED, rung).reason is Reason.PLEDGE_REQUIRED
    assert decided("2", Mode.PLEDGE_REQUIRED, rung).refuses


@pytest.mark.parametrize(("word", "expected"), [("", FINE), ("2", LIMITED), ("222", REFUSED), ("3", ALTERED)])
def test_a_pledge_opens_and_a_breach_closes(word: str, expected: tuple[Action, Reason]) -> None:
    """H3 passes where pledges are asked for, until it is seen to do the opposite."""
    found = decided(word, Mode.PLEDGE_REQUIRED, Rung.PLEDGED)
    assert (found.action, found.reason) == expected


@pytest.mark.parametrize("rung", Rung)
@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.STANDARD])
def test_no_rung_is_refused_for_its_silence(rung: Rung, mode: Mode) -> None:
    """Without pledges asked for, saying nothing is never held against anybody."""
    assert decided("", mode, rung).action is ALLOW


def test_a_refusal_names_its_evidence() -> None:
    """Whoever is limited or refused for what was seen is told which records show it."""
    assert decided("2.2", Mode.STANDARD).evidence == ("e0", "e2")
    assert decided(".3", Mode.STANDARD).evidence == ("e1",)


def test_a_decision_as_json() -> None:
    """Commands and pages show action, reason, sentence, evidence and rule."""
    assert decide(HOST, rules=[rule(HOST, REFUSE)], standing=stands("2"), mode=Mode.STANDARD).as_json() == {
        "action": "refuse",
        "reason": "refused-by-rule",
        "because": "An admin of this server refuses this host.",
        "evidence": ["e0"],
        "rule": "refuse peer.example",
    }


@given(
    actions=st.lists(
        st.tuples(st.sampled_from([HOST, "example", "a.peer.example"]), st.sampled_from(Action)), max_size=6
    ),
    word=st.text(alphabet=".123u", max_size=6),
    mode=st.sampled_from(Mode),
    data=st.data(),
)
def test_rules_are_a_set(actions: list[tuple[str, Action]], word: str, mode: Mode, data: st.DataObject) -> None:
    """The decision is a function of the set of rules, whatever their order."""
    rules: list[Rule] = [rule(host, action) for host, action in actions]
    shuffled = data.draw(st.permutations(rules))
    first = decide(HOST, rules=rules, standing=stands(word), mode=mode)
    assert decide(HOST, rules=shuffled, standing=stands(word), mode=mode) == first
    assert decide(HOST, rules=[*rules, *shuffled], standing=stands(word), mode=mode) == first
