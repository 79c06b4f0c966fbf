"""What the admin decided about hosts. Refuse and limit cover subdomains; allow is for exactly one host.

The order in which rules were made does not matter: an exact rule beats a wider one, and among equals
the stricter counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from gateway.urls import covers

if TYPE_CHECKING:
    from collections.abc import Iterable


class Action(IntEnum):
    """What happens to a peer, mildest first."""

    ALLOW = 0
    LIMIT = 1
    REFUSE = 2

    @property
    def word(self) -> str:
        """Return the word used in commands and answers."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One decision of an admin: ``host`` is in normal form, ``note`` is the admin's own text."""

    id: str
    host: str
    action: Action
    note: str = ""

    def applies_to(self, host: str) -> bool:
        """Tell whether this rule speaks about ``host``."""
        return host == self.host if self.action is Action.ALLOW else covers(self.host, host)


def matching(rules: Iterable[Rule], host: str) -> Rule | None:
    """Return the rule that decides about ``host``, or None."""
    found = [rule for rule in rules if rule.applies_to(host)]
    return max(found, key=lambda rule: (len(rule.host), rule.action, rule.id), default=None)
