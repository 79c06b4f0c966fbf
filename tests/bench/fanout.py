"""What one post to a thousand servers costs the gateway: durable queue, signature, delivery, receipt; real sockets.

The servers are one other process (``sink.py``) that takes everything; its work is not counted.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import uvloop
from bench import sink
from bench.certificates import certified
from world import ManualClock

from gateway.activitypub.note import Draft
from gateway.cli.account import create_account
from gateway.flows import publish
from gateway.runtime import open_gateway
from gateway.settings import Settings
from gateway.store.relations import RemoteActor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

SECONDS = 120.0
LEFT = "SELECT 1 FROM job WHERE pool IN (0, 1, 2) AND finished IS NULL LIMIT 1"  # looked up, not counted
BASE = "http://localhost:18000"
NOTHING_ELSE: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU microseconds a delivery: of queueing it, of all of it; and its wall time."""

    queued: float
    whole: float
    wall: float


def take_more_files() -> None:
    """Let each connection be one open file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def servers(folder: Path, *, tls: bool) -> Iterator[tuple[int, Path | None]]:
    """Run the servers; return their port and the certificate authority of theirs."""
    pair = certified(folder, sink.ADDRESSES) if tls else ()
    process = subprocess.Popen(
        [sys.executable, str(Path(sink.__file__)), *map(str, pair)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), pair[0] if pair else None
    finally:
        process.communicate()


def follow(kit: Kit, account: Account, followers: int, scheme: str, port: int) -> None:
    """Let an actor of each server follow an account."""
    now = kit.clock.now()
    with kit.store.transaction():
        for address in sink.ADDRESSES[:followers]:
            base = f"{scheme}://{address}:{port}"
            actor = RemoteActor(
                id=f"{base}/users/bob", origin=base, name="bob", inbox=f"{base}/users/bob/inbox",
                shared_inbox=f"{base}/inbox", document={"id": f"{base}/users/bob"}, fetched=now,
            )  # fmt: skip
            kit.store.relations.save_actor(actor, [])
            kit.store.relations.save_follow(actor.id, account.id, f"{base}/f", "accepted", now)


async def _once(kit: Kit, account: Account, clock: ManualClock, followers: int) -> Cost:
    began, wall = time.process_time(), time.perf_counter()
    await publish.create(kit, account, Draft(text=f"hello {'x' * 1200}"))
    while kit.store.jobs.waiting_for("", 1):  # of slices that are to be queued
        await asyncio.sleep(0.005)
    queued = time.process_time()
    clock.forward(seconds=60)  # past the pause in which a large fan-out is spread
    kit.wake()
    while kit.store.database.value(LEFT):
        assert time.perf_counter() - wall < SECONDS, kit.store.jobs.find(limit=3)
        await asyncio.sleep(0.05)
    ended = time.process_time()
    return Cost(
        queued=(queued - began) / followers * 1e6,
        whole=(ended - began) / followers * 1e6,
        wall=(time.perf_counter() - wall) / followers * 1e6,
    )


async def _costs(folder: Path, *, tls: bool, followers: int) -> tuple[Cost, Cost]:
    clock = ManualClock()
    with servers(folder, tls=tls) as (port, authority):
        gateway = open_gateway(
            Settings(base_url=BASE, data=folder / "gw", ca_file=authority, **NOTHING_ELSE), clock=clock
        )
        kit = gateway.kit
        account = create_account(kit, "alice")
        follow(kit, account, followers, "https" if tls else "http", port)
        await gateway.start()
        try:
            return await _once(kit, account, clock, followers), await _once(kit, account, clock, followers)
        finally:
            await gateway.stop()


def fan_out(folder: Path, *, tls: bool = False, followers: int = 1_000) -> tuple[Cost, Cost]:
    """Return the costs of a post over new connections, and of one over kept ones."""
    folder.mkdir(parents=True, exist_ok=True)
    take_more_files()
    return uvloop.run(_costs(folder, tls=tls, followers=followers))
