"""What a rule would change before it is made."""

from __future__ import annotations

from policy.observations import rule, stands

from gateway.policy.decide import Mode
from gateway.policy.preview import preview
from gateway.policy.rules import Action
from gateway.policy.standing import Standing

PEERS = {
    "https://peer.example": ("peer.example", Standing()),
    "https://a.peer.example": ("a.peer.example", Standing()),
    "https://peer.example:8443": ("peer.example", stands("3")),
    "https://other.example": ("other.example", Standing()),
}


def test_a_refusal_moves_the_host_and_its_subdomains() -> None:
    """Every known peer whose action would change is listed by origin, with both decisions."""
    moved = preview(PEERS, rules=[], added=rule("peer.example", Action.REFUSE), mode=Mode.STANDARD)
    assert [m.peer for m in moved] == ["https://a.peer.example", "https://peer.example"]
    assert {(m.before.action, m.after.action) for m in moved} == {(Action.ALLOW, Action.REFUSE)}


def test_a_rule_replaces_the_one_about_the_same_host() -> None:
    """A host has one rule: the old one does not count beside the new one."""
    known = [rule("peer.example", Action.REFUSE)]
    moved = preview(PEERS, rules=known, added=rule("peer.example", Action.ALLOW), mode=Mode.STANDARD)
    assert {m.peer for m in moved} == {"https://a.peer.example", "https://peer.example", "https://peer.example:8443"}
    assert all(m.after.action is Action.ALLOW for m in moved)


def test_a_rule_that_changes_nothing_moves_nobody() -> None:
    """Allowing those who are allowed is no move."""
    assert preview(PEERS, rules=[], added=rule("other.example", Action.ALLOW), mode=Mode.OBSERVE) == ()
