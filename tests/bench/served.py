"""A gateway as its users run it, a process of its own: what an activity costs until it is settled, what waits are."""

from __future__ import annotations

import os
import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.fedify_side import ACTORS, actors_served, signed_requests
from bench.load import send_all, waits_when_paced
from processes import LAUNCH, Served, eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

TICKS = os.sysconf("SC_CLK_TCK")
UNLIMITED = {"GATEWAY_LIMIT_NETWORK": "0", "GATEWAY_LIMIT_PEER": "0", "GATEWAY_LIMIT_PEER_MEBIBYTES": "0",
             "GATEWAY_LOG_LEVEL": "warning"}  # fmt: skip
LOADED = 0.7  # of what it can do, while the waits are measured
PROBES = 1_500
# It answers 202 as always, what came is on disk, and nothing is settled: the work that is another process's, with more
# than one, or later.
SETTLES_NOTHING = f"""
from gateway.flows import inbound
from gateway.jobs.worker import Worker
inbound.MAX_WAITING_OF_ONE = 1_000_000
Worker.start, Worker.alive = lambda _: None, True
{LAUNCH}"""


@contextmanager
def running(folder: Path, launch: str = LAUNCH) -> Iterator[Served]:
    """Run a gateway with one account."""
    host = "127.0.0.1"  # not a name that those who send have, too
    gateway = Served(data=folder / "gw", port=free_port(), host=host, settings=dict(UNLIMITED), launch=launch)
    gateway.cli("account", "create", "alice")
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.interrupt()


def cpu(gateway: Served) -> float:
    """Return the CPU microseconds of a process so far."""
    assert gateway.process is not None
    fields = Path(f"/proc/{gateway.process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS * 1e6


def rss_mib(gateway: Served) -> float:
    """Return how much memory a process has."""
    assert gateway.process is not None
    lines = Path(f"/proc/{gateway.process.pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def settled(gateway: Served, count: int) -> None:
    """Wait until so many arrivals are settled."""
    query = "SELECT count(*) AS n FROM arrival WHERE settled IS NOT NULL"
    eventually(lambda: gateway.rows(query)[0]["n"] >= count, "all is settled", seconds=180)


def accepted(folder: Path, count: int) -> float:
    """Return the CPU microseconds of an activity, over a socket, until it is durable and answered; known actors."""
    with actors_served() as neighbours, running(folder, SETTLES_NOTHING) as gateway:
        address = f"http://127.0.0.1:{gateway.port}"
        send_all(address, signed_requests(neighbours, ACTORS, origin=gateway.base), at_once=6)
        send_all(address, signed_requests(neighbours, ACTORS, origin=gateway.base, first=ACTORS))  # now all are known
        more = signed_requests(neighbours, count, origin=gateway.base, first=2 * ACTORS)
        before = cpu(gateway)
        send_all(address, more)
        return (cpu(gateway) - before) / count


def whole(folder: Path, count: int) -> dict[str, float]:
    """Return what an activity costs until it is settled (CPU us), waits at 70 % load (ms), memory (MiB)."""
    found: dict[str, float] = {}
    with actors_served() as neighbours, running(folder) as gateway:
        address = f"http://127.0.0.1:{gateway.port}"
        origin = gateway.base
        send_all(
            address, signed_requests(neighbours, ACTORS, origin=origin), at_once=6
        )  # keys are sought a few at a time
        settled(gateway, ACTORS)
        more = signed_requests(neighbours, count, origin=origin, first=ACTORS)
        before, began = cpu(gateway), time.perf_counter()
        send_all(address, more)
        settled(gateway, ACTORS + count)
        taken = time.perf_counter() - began  # what it can do for good is what it can also settle
        found["inbox until settled, a process of its own"] = (cpu(gateway) - before) / count
        probes = signed_requests(neighbours, PROBES, origin=origin, first=ACTORS + count)
        waits = waits_when_paced(address, probes, taken / count / LOADED)
        found["p99 ms"] = statistics.quantiles(waits, n=100)[98] * 1000
        found["p50 ms"] = statistics.median(waits) * 1000
        settled(gateway, ACTORS + count + PROBES)
        found["RSS MiB"] = rss_mib(gateway)
        found |= pages(gateway)
    return found


def pages(gateway: Served) -> dict[str, float]:
    """Return what a page, a feed and an actor cost (CPU us), asked for anew and with their ETag."""
    found = {}
    for name, path, accept in (
        ("page", "/@alice", "text/html"), ("feed", "/@alice.atom", "*/*"),
        ("actor", "/users/alice", "application/activity+json"),
    ):  # fmt: skip
        with httpx.Client(base_url=gateway.base, trust_env=False, headers={"accept": accept}) as client:
            first = client.get(path)
            assert first.status_code == 200, (path, first.status_code)
            tag = first.headers.get("etag", "")
            for kind, headers in (("", {}), (", not modified", {"if-none-match": tag} if tag else None)):
                if headers is None:
                    continue
                before = cpu(gateway)
                for _ in range(200):
                    assert client.get(path, headers=headers).status_code == (304 if kind else 200)
                found[f"GET {name}{kind}"] = (cpu(gateway) - before) / 200
    return found
