"""Whether a peer can be reached: its circuit, what an attempt makes of it, and what is held until then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.clock import rfc3339
from gateway.jobs import circuit
from gateway.jobs.circuit import State
from gateway.observe.names import DELIVERY

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.circuits import Circuit
    from gateway.urls import Origin

DEAD = "peer-dead"


def is_dead(kit: Kit, origin: Origin) -> bool:
    """Tell whether nothing is sent to a peer until something verified comes from it."""
    return circuit.state(kit.store.circuits.get(str(origin)), kit.clock.now()) is State.DEAD


def outlook(kit: Kit, origin: Origin) -> dict[str, object]:
    """Return the state of a peer's circuit, what waits for it, when it is tried next, and what it answered last."""
    known, found = kit.store.circuits.get(str(origin)), kit.store.jobs.outlook(str(origin))
    return {
        "circuit": circuit.state(known, kit.clock.now()).value,
        "failingDays": known.days,
        "waiting": found.held,
        "next": None if found.next is None else rfc3339(found.next),
        "lastStatus": found.status,
        "lastProblem": found.problem,
    }


def answered(kit: Kit, origin: Origin) -> None:
    """Note that a peer answered a delivery, or that something verified came from it while it was thought dead."""
    before = kit.store.circuits.get(str(origin))
    after = circuit.succeeded(before)
    if after != before:
        _keep(kit, origin, before, after)


def spoke(kit: Kit, origin: Origin) -> None:
    """Close the circuit of a peer from which something verified came."""
    before = kit.store.circuits.get(str(origin))
    if before.until is not None or circuit.state(before, kit.clock.now()) is State.DEAD:
        _keep(kit, origin, before, circuit.succeeded(before))


def failed(kit: Kit, origin: Origin) -> None:
    """Note that a peer did not answer, or that it is broken."""
    before = kit.store.circuits.get(str(origin))
    _keep(kit, origin, before, circuit.failed(before, kit.clock.now()))


def is_gone(kit: Kit, origin: Origin) -> None:
    """Note that a peer says at its shared inbox that it is no more."""
    _keep(kit, origin, kit.store.circuits.get(str(origin)), circuit.gone(kit.clock.now()))


def _keep(kit: Kit, origin: Origin, before: Circuit, after: Circuit) -> None:
    now, peer = kit.clock.now(), str(origin)
    was, now_is = circuit.state(before, now), circuit.state(after, now)
    with kit.store.transaction():
        kit.store.circuits.put(peer, after)
        if after.until != before.until:
            kit.store.jobs.hold(peer, after.until)
        if now_is is not was:
            kit.store.peers.audit(now, DELIVERY, origin.host, f"circuit-{now_is}", peer)
        if now_is is State.DEAD and was is not State.DEAD:
            kit.store.jobs.drop_for_peer(peer, now, DEAD, state="dead")
