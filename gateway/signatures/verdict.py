"""A judgement with its steps: what was expected, what was found, whether it holds.

Steps look the same whether a key was cached or not, and never show a stored key or a time taken.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

MAX_FOUND = 200


class Step(NamedTuple):
    """One check: a stable name, what it wanted, what it saw."""

    name: str
    expected: str
    found: str
    ok: bool

    def as_json(self) -> dict[str, object]:
        """Return the step as it stands in a problem document."""
        return {"name": self.name, "expected": self.expected, "found": self.found, "ok": self.ok}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of verifying one request or proof."""

    ok: bool
    scheme: str
    steps: tuple[Step, ...]
    key_id: str = ""
    actor: str = ""

    @property
    def failed(self) -> Step | None:
        """Return the first step that does not hold."""
        return next((step for step in self.steps if not step.ok), None)


@dataclass(slots=True)
class Checks:
    """Collects steps in order; stays usable after a failure so that all of them are listed."""

    steps: list[Step] = field(default_factory=list)
    ok: bool = True  # whether every step so far holds

    def check(self, name: str, expected: str, found: object, *, ok: bool) -> bool:
        """Record one step and return whether it holds."""
        text = str(found)
        shown = text if len(text) <= MAX_FOUND else f"{text[:MAX_FOUND]}..."
        self.steps.append(Step(name, expected, shown, ok))
        self.ok = self.ok and ok
        return ok
