"""What stands in the store when somebody looks: the numbers behind ``/metrics``."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gateway.jobs import circuit
from gateway.observe import names
from gateway.store.jobs import ARRIVALS, BULK, PEOPLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit

POOLS = {ARRIVALS: "arrivals", PEOPLE: "people", BULK: "bulk"}


def standing(kit: Kit) -> Mapping[str, Mapping[tuple[str, ...], float]]:
    """Return metric -> label values -> number."""
    now = kit.clock.now()
    circuits = Counter(circuit.state(one, now).value for one in kit.store.circuits.all().values())
    ours, others = kit.store.objects.sizes()
    return {
        names.JOBS: {(POOLS[pool], state): count for pool, state, count in kit.store.jobs.sizes()},
        names.OLDEST_SECONDS: {
            (POOLS[pool],): max(0.0, (now - due).total_seconds()) for pool, due in kit.store.jobs.oldest().items()
        },
        names.CIRCUITS: {(state,): count for state, count in circuits.items()},
        names.PEERS: {(): kit.store.peers.count()},
        names.WAL_BYTES: {(): kit.store.database.log_bytes()},
        names.OBJECTS: {("ours",): ours, ("others",): others},
    }
