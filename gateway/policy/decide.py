"""One pure function: what we do with a peer, and because of what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.policy.reasons import SENTENCES, Reason
from gateway.policy.rules import Action, Rule, matching
from gateway.policy.standing import REFUSE_AT, Rung, Standing, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable


class Mode(StrEnum):
    """How strict the gateway is by itself."""

    OBSERVE = "observe"
    STANDARD = "standard"
    PLEDGE_REQUIRED = "pledge-required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What happens to a peer; ``evidence`` are record ids, ``rule`` the deciding rule's id."""

    action: Action
    reason: Reason
    evidence: tuple[str, ...] = ()
    rule: str | None = None

    @property
    def refuses(self) -> bool:
        """Tell whether nothing goes to or comes from the peer."""
        return self.action is Action.REFUSE

    def as_json(self) -> dict[str, object]:
        """Return the decision as commands and pages show it."""
        return {
            "action": self.action.word,
            "reason": self.reason.value,
            "because": SENTENCES[self.reason].en,
            "evidence": list(self.evidence),
            "rule": self.rule,
        }


def decide(host: str, *, rules: Iterable[Rule], standing: Standing, mode: Mode) -> Decision:
    """Return the decision about ``host`` (normal form). The admin's rule always wins."""
    rule = matching(rules, host)
    if rule is not None:
        reason = {
            Action.ALLOW: Reason.ALLOWED_BY_RULE,
            Action.LIMIT: Reason.LIMITED_BY_RULE,
            Action.REFUSE: Reason.REFUSED_BY_RULE,
        }[rule.action]
        return Decision(action=rule.action, reason=reason, rule=rule.id, evidence=standing.evidence)
    observed = _from_standing(standing)
    if mode is Mode.OBSERVE:
        watched = observed is not None
        reason = Reason.OBSERVING_ONLY if watched else Reason.NOTHING_AGAINST
        return Decision(action=Action.ALLOW, reason=reason, evidence=standing.evidence)
    if observed is not None and observed.refuses:
        return observed
    if mode is Mode.PLEDGE_REQUIRED and standing.rung is not Rung.PLEDGED:
        return Decision(action=Action.REFUSE, reason=Reason.PLEDGE_REQUIRED, evidence=standing.evidence)
    return observed or Decision(action=Action.ALLOW, reason=Reason.NOTHING_AGAINST)


def _from_standing(standing: Standing) -> Decision | None:
    if standing.violation is Violation.ALTER:
        return Decision(action=Action.REFUSE, reason=Reason.ALTERED_PREFERENCES, evidence=standing.evidence)
    if standing.violation is Violation.CONTRADICT:
        action = Action.REFUSE if standing.count >= REFUSE_AT else Action.LIMIT
        return Decision(action=action, reason=Reason.CONTRADICTED_PREFERENCES, evidence=standing.evidence)
    return None
