"""A process that keeps arrivals and jobs, and writes down each that it would have answered for.

``python acknowledging.py DIRECTORY SYNCHRONOUS SEED``: a line goes to ``DIRECTORY/acknowledged`` only after the store
said that its work is durable. An arrival's id ends with the digest of its body, so that half of one shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway.store.arrivals import ArrivalRow
from gateway.store.jobs import ARRIVALS, PEOPLE
from gateway.store.sqlite import Sqlite
from gateway.store.store import FILE, Store

ROUNDS = 60
AT_ONCE = 6
LONGEST = 12_000  # bytes of a body: more than a page, so that one row is several writes
CHECKPOINT = 24  # pages: the log is copied back often, as it is in a day of a gateway
ACKNOWLEDGED = "acknowledged"
BASE = "https://peer.example"
NOW = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)


def arrival(chance: random.Random, number: int) -> ArrivalRow:
    """Return a new arrival."""
    body = chance.randbytes(chance.randint(10, LONGEST))
    name = f"{BASE}/{number}/{hashlib.sha256(body).hexdigest()}"
    return ArrivalRow(
        id=name, actor=f"{BASE}/users/bob", origin=BASE, inbox="https://gw.example/inbox", body=body,
        headers=[("digest", name)], verdict={"scheme": "cavage"}, received=NOW,
    )  # fmt: skip


def kept(store: Store, row: ArrivalRow) -> None:
    """Keep an arrival and the job to settle it: both, or neither."""
    assert store.arrivals.keep(row)
    store.jobs.add("settle", {"arrival": row.id}, lane=row.id, peer=BASE, due=NOW, pool=ARRIVALS)


def settled(store: Store, job: int, name: str) -> None:
    """Settle an arrival and end its job: both, or neither."""
    store.arrivals.settle(name, f"{BASE}/users/bob", "done", NOW)
    store.jobs.finish(job, NOW)


async def work(store: Store, acknowledged: int, chance: random.Random) -> None:
    """Keep arrivals, several at a time, and settle most of them; acknowledge each afterwards."""

    async def keep(number: int) -> None:
        row = arrival(chance, number)
        await store.together(lambda: kept(store, row))
        os.write(acknowledged, f"kept {row.id}\n".encode())

    async def settle(job: int, name: str) -> None:
        await store.together(lambda: settled(store, job, name))
        os.write(acknowledged, f"settled {name}\n".encode())

    async def deliver(lane: str) -> None:
        """Let something leave that is claimed: from then on its peer may have it."""
        await store.together(lambda: store.jobs.add("deliver", {}, lane=lane, peer=BASE, due=NOW, verb="Create"))
        for job in store.jobs.claim("somebody", NOW, 1, pools=(PEOPLE,)):
            os.write(acknowledged, f"left {job.lane}\n".encode())
            if chance.random() < 0.5:  # the others are never answered
                store.jobs.finish(job.id, NOW)

    for turn in range(ROUNDS):
        first = turn * AT_ONCE
        await asyncio.gather(*(keep(first + one) for one in range(chance.randint(1, AT_ONCE))))
        await deliver(f"out {turn}")
        jobs = store.jobs.claim("somebody", NOW, chance.randint(0, AT_ONCE), pools=(ARRIVALS,))
        await asyncio.gather(*(settle(job.id, job.payload["arrival"]) for job in jobs))


def main() -> None:
    """Do the work in the directory, without closing the database at the end."""
    directory, synchronous, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    store = Store(directory / FILE)
    if synchronous != "as it is":
        Sqlite._sync = lambda *_, **__: None  # type: ignore[method-assign]  # or the first claim would set it back
        store.database.run(f"PRAGMA synchronous={synchronous}")
    store.database.rows(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")
    acknowledged = os.open(directory / ACKNOWLEDGED, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    asyncio.run(work(store, acknowledged, random.Random(seed)))
    os._exit(0)


if __name__ == "__main__":
    main()
