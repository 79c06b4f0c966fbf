"""Jobs in one call: queued, claimed, worked off, and how many steps of the database something takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from store.rows import NOW

from gateway.store.jobs import PEOPLE, Job
from gateway.store.sqlite import Sqlite

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.store.store import Store

PEER = "https://peer.example"
ENDED = ("done", "dead", "dropped", "superseded")


def add(store: Store, lane: str, **changes: Any) -> int:
    """Queue a job and return its number."""
    fields: dict[str, Any] = {"peer": PEER, "due": NOW, "pool": PEOPLE, **changes}
    store.jobs.add(fields.pop("kind", "deliver"), {"lane": lane}, lane=lane, **fields)
    return int(store.database.value("SELECT max(id) FROM job"))


def claim(store: Store, at: datetime = NOW, limit: int = 100, share: int = 4) -> list[Job]:
    """Claim jobs as a worker does."""
    return store.jobs.claim("me", at, limit, share)


def lanes(jobs: list[Job]) -> list[str]:
    """Return where jobs are, in order."""
    return [job.lane for job in jobs]


def work(store: Store, at: datetime, limit: int, share: int) -> list[str]:
    """Claim once and finish all of it; return the peers served."""
    taken = claim(store, at, limit, share)
    for job in taken:
        store.jobs.finish(job.id, at)
    return [job.peer for job in taken]


def state(store: Store, number: int) -> str:
    """Return what became of a job."""
    found = store.jobs.get(number)
    assert found is not None
    return found.state


def steps(store: Store, do: Callable[[], object]) -> int:
    """Return how many instructions the database runs for something: a measure that no other process disturbs."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    assert isinstance(store.database, Sqlite)
    connection = store.database._connection
    connection.set_progress_handler(count, 1)
    do()
    connection.set_progress_handler(None, 1)
    return counted
