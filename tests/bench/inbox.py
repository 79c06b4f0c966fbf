"""What one activity costs at the inbox: verified, judged and durable before its 202; over ASGI, in this process.

``python inbox.py DATABASE_URL COUNT`` prints the CPU microseconds of one process beside others on one PostgreSQL.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from peers import plain
from world import BASE, account
from world import world as make_world

from gateway.cli.serve import collect_less_often
from gateway.observe import logs
from gateway.store.arrivals import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from peers.plain import PlainPeer

    from gateway.signatures.request import SignedRequest
    from gateway.store.store import Store

ACTORS = 1_000
PEERS = 10
AT_ONCE = 32


def signed(peers: Sequence[PlainPeer], count: int, first: int, actors: int = ACTORS) -> list[SignedRequest]:
    """Return signed Create(Note)s of many actors, those of a peer with one key because making keys is slow."""
    made = []
    for number in range(first, first + count):
        name, peer = f"u{number % actors}", peers[number % actors % len(peers)]
        plain._KEYS[f"{peer.base}/users/{name}"] = plain.keys_for(peer.me.id)
        actor = peer.actor(name)
        document = peer.activity("Create", peer.note(f"{'x' * 1200}", actor=actor), actor)
        document["id"] = f"{peer.base}/activities/{number}-{time.time_ns()}"
        made.append(peer.signed(f"{BASE}/inbox", json.dumps(document).encode(), actor))
    return made


async def _post(app: Any, request: SignedRequest) -> None:
    """Hand one request to the application and want its 202."""
    body = [{"type": "http.request", "body": request.body, "more_body": False}]
    told: list[int] = []

    async def receive() -> dict[str, Any]:
        return body.pop() if body else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "https",
        "path": "/inbox", "raw_path": b"/inbox", "query_string": b"", "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers],
        "client": ("127.0.0.9", 1234), "server": ("gw.example", 443),
    }  # fmt: skip
    await app(scope, receive, send)
    assert told == [202], told


async def _measured(app: Any, requests: Sequence[SignedRequest], at_once: int) -> float:
    gc.collect()
    started = time.process_time()
    for first in range(0, len(requests), at_once):
        await asyncio.gather(*(_post(app, one) for one in requests[first : first + at_once]))
    return (time.process_time() - started) / len(requests) * 1e6


def fill(store: Store, count: int) -> None:
    """Put so many arrivals and actors of long ago into a database: without bytes, as retention leaves them."""
    for first in range(0, count, 10_000):
        rows = [
            {"key": key_of(f"{origin}/a/{number}", ""), "id": f"{origin}/a/{number}", "origin": origin,
             "actor": f"{origin}/users/{number}", "nothing": b"", "now": number}
            for number in range(first, min(first + 10_000, count))
            for origin in (f"https://o{number % 30_000}.example",)
        ]  # fmt: skip
        with store.transaction():
            store.database.run_many(
                "INSERT INTO arrival VALUES (:key, :id, :actor, :origin, '/inbox', :nothing, '[]', '{}', :now, :now,"
                " '')",
                rows,
            )
            store.database.run_many(
                "INSERT INTO remote_actor VALUES (:actor, :origin, 'o', :actor, NULL, '{}', :now, NULL, NULL)", rows
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """CPU microseconds an activity, by its actor: met for the first time, its key fetched; read; in memory."""

    new: float
    read: float
    known: float


async def costs(root: Path, count: int, at_once: int = AT_ONCE, beside: int = 0, **settings: Any) -> Costs:
    """Return what activities cost beside so many arrivals and actors of long ago."""
    async with make_world(root) as world:
        gateway = world.gateway(limit_network=0, limit_peer=0, limit_peer_mebibytes=0, **settings)
        if not gateway.kit.store.accounts.all():
            account(gateway)
        # Of their own for each process: it has their keys.
        peers = [world.peer(f"peer{number}-{os.getpid()}.example") for number in range(PEERS)]
        fill(gateway.kit.store, beside)
        app = world.board.apps["gw.example"]
        known = signed(peers, min(count, ACTORS), 0)
        new = await _measured(app, known, 8)
        read = await _measured(app, signed(peers, len(known), len(known), len(known)), at_once)
        more = signed(peers, count, 2 * len(known), len(known))  # of those very actors
        return Costs(new=new, read=read, known=await _measured(app, more, at_once))


def main() -> None:
    """Measure on a PostgreSQL, when told to go."""
    logs.configure("error")
    collect_less_often()
    url, count = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        secret = Path(sys.argv[3])
        found = asyncio.run(costs(Path(folder), count, database_url=url, secret_file=secret))
    sys.stdout.write(f"{found.known}\n")


if __name__ == "__main__":
    main()
