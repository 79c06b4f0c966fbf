"""The honour ladder: what a peer declared, what was observed, and how far that carries.

Positive evidence only: a missing label, no pledge or old software is never a violation. Rungs H0 to
H3 and violations V1 to V3 are those that can be observed without further protocols.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

REFUSE_AT = 3
OUT_OF = 5
FORGOTTEN_AFTER = timedelta(days=30)


class Violation(StrEnum):
    """What a peer did."""

    DROP = "V1"
    CONTRADICT = "V2"
    ALTER = "V3"


class Rung(StrEnum):
    """How far a peer has shown that it honours preferences."""

    UNKNOWN = "H0"
    ALIGNED = "H1"
    DECLARED = "H2"
    PLEDGED = "H3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at a peer: ``violation`` is None when what was seen is in order.

    ``evidence`` names the stored record; ``proven`` says that the peer's own signature shows it.
    """

    id: str
    at: datetime
    violation: Violation | None
    evidence: str
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a peer is: its rung, and the violation that weighs most, with what shows it."""

    rung: Rung = Rung.UNKNOWN
    violation: Violation | None = None
    evidence: tuple[str, ...] = ()
    count: int = 0


def standing(observations: Sequence[Observation], now: datetime, rung: Rung = Rung.UNKNOWN) -> Standing:
    """Return the standing that follows from what was observed, whatever its order.

    A V3 counts until an admin clears it. V2 counts the contradictions among the last five looks; it
    ends by itself when the newer looks are in order, or after 30 days.
    """
    proven = [o for o in observations if o.violation is Violation.ALTER and o.proven]
    if proven:
        evidence = tuple(o.evidence for o in sorted(proven, key=lambda o: (o.at, o.id)))
        return Standing(rung=rung, violation=Violation.ALTER, evidence=evidence, count=len(proven))
    looks = [o for o in observations if o.violation is not Violation.ALTER and now - o.at <= FORGOTTEN_AFTER]
    latest = sorted(looks, key=lambda o: (o.at, o.id))[-OUT_OF:]
    against = [o for o in latest if o.violation is Violation.CONTRADICT]
    if not against:
        return Standing(rung=rung)
    evidence = tuple(o.evidence for o in against)
    return Standing(rung=rung, violation=Violation.CONTRADICT, evidence=evidence, count=len(against))
