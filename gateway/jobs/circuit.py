"""When to leave a peer alone for a while, as pure functions: closed, open, half-open, dead.

Five failures within ten minutes open the circuit; after half an hour one delivery tries again, and each failure of
such a probe waits as long once more. A probe that succeeds closes it slowly: what was held goes out one by one at
first. Whoever failed on seven days without one success in between is dead until something verified comes from it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.store.circuits import Circuit

if TYPE_CHECKING:
    from datetime import datetime

FAILURES = 5
WINDOW = timedelta(minutes=10)
PAUSE = timedelta(minutes=30)
MENDING = 10  # successes until a peer has its whole share again
DEAD_AFTER_DAYS = 7


class State(StrEnum):
    """What may be sent: everything, nothing, one at a time, nothing until it speaks."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"
    MENDING = "mending"
    DEAD = "dead"


def state(circuit: Circuit, now: datetime) -> State:
    """Return what holds at a moment."""
    if circuit.days >= DEAD_AFTER_DAYS:
        return State.DEAD
    if circuit.until is not None:
        return State.OPEN if now < circuit.until else State.HALF_OPEN
    return State.MENDING if circuit.mending else State.CLOSED


def failed(circuit: Circuit, now: datetime) -> Circuit:
    """Return what one more failure makes of a circuit."""
    is_new_day = circuit.last is None or circuit.last.date() != now.date()
    known = replace(circuit, days=circuit.days + is_new_day, last=now)
    if circuit.until is not None or circuit.mending:
        return replace(known, until=now + PAUSE, mending=MENDING)
    recent = (*(moment for moment in circuit.recent if now - moment <= WINDOW), now)
    if len(recent) < FAILURES:
        return replace(known, recent=recent)
    return replace(known, recent=(), until=now + PAUSE, mending=MENDING)


def succeeded(circuit: Circuit) -> Circuit:
    """Return what an answer makes of a circuit, whatever it says: the peer is there."""
    return Circuit(mending=circuit.mending - 1, last=circuit.last) if circuit.mending > 1 else Circuit()


def gone(now: datetime) -> Circuit:
    """Return the circuit of a peer that says it is no more (410 at its inbox)."""
    return Circuit(days=DEAD_AFTER_DAYS, last=now)
