"""What a rule would change before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.policy.decide import Decision, Mode, decide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.policy.rules import Rule
    from gateway.policy.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A peer whose decision would be another one; ``peer`` is its origin."""

    peer: str
    before: Decision
    after: Decision


def preview(
    peers: Mapping[str, tuple[str, Standing]], *, rules: Sequence[Rule], added: Rule, mode: Mode
) -> tuple[Moved, ...]:
    """Return every known peer (origin -> host and standing) whose decision ``added`` would change."""
    moved = []
    others = [rule for rule in rules if rule.host != added.host]
    for peer, (host, standing) in sorted(peers.items()):
        before = decide(host, rules=rules, standing=standing, mode=mode)
        after = decide(host, rules=[*others, added], standing=standing, mode=mode)
        if before.action is not after.action:
            moved.append(Moved(peer=peer, before=before, after=after))
    return tuple(moved)
