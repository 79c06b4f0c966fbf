"""Speed as ratios, measured side by side in one run (``make bench``): medians of three interleaved rounds.

V is what one RSA-2048 verification costs with ``cryptography``, S one signature. Absolute figures differ from machine
to machine; the ratios are what to compare. ``--rounds N``, ``--quick`` (fewer pieces), ``--gate`` (fail below 80 % of a
goal).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import postgres
from bench import fedify_side, inbox, report, served
from bench.fanout import fan_out
from interop.fedify_peer import ToolMissing
from world import BASE, START
from world import world as make_world

from gateway.cli.serve import collect_less_often
from gateway.jsonld import strict
from gateway.observe import logs
from gateway.signatures import cavage, message, verify
from gateway.signatures.owner import ListedKey
from gateway.store.jobs import BULK, NewJob
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers.plain import PlainPeer

    from gateway.signatures.request import SignedRequest

PIECES = 400
FEW = 1_000
RESULTS = Path("bench-results")


def cpu_microseconds(work: Callable[[], object], pieces: int = PIECES) -> float:
    """Return the CPU microseconds that one call of ``work`` takes."""
    started = time.process_time()
    for _ in range(pieces):
        work()
    return (time.process_time() - started) / pieces * 1e6


def parts(peer: PlainPeer, note: bytes) -> dict[str, float]:
    """Measure V, S and what a signature or a document costs by itself."""
    rsa, signature = peer.me.rsa, peer.me.rsa.sign(note)
    listed = ListedKey(id=peer.me.key_id, owner=peer.me.id, public=rsa.public)
    old = peer.signed(f"{BASE}/inbox", note, scheme="cavage")
    new = peer.signed(f"{BASE}/inbox", note, scheme="rfc9421")

    def judged(request: SignedRequest) -> None:
        assert verify.close(verify.open_request(request, peer.clock.now()), listed, peer.me.id).ok

    works: dict[str, Callable[[], object]] = {
        "V: RSA-2048 verify": lambda: rsa.public.verify("rsa-v1_5-sha256", signature, note),
        "S: RSA-2048 sign": lambda: rsa.sign(note),
        "draft-cavage verify, whole": lambda: judged(old),
        "RFC 9421 verify, whole": lambda: judged(new),
        "draft-cavage sign, whole": lambda: cavage.sign(old, rsa, "https://a.example/k", peer.clock.now()),
        "RFC 9421 sign, whole": lambda: message.sign(new, rsa, "https://a.example/k", peer.clock.now()),
        "strict JSON reader": lambda: strict.read(note),
        "json.loads": lambda: json.loads(note),
    }
    return {name: cpu_microseconds(work) for name, work in works.items()}


def queue(folder: Path, jobs: int, beside: int = 0) -> float:
    """Return CPU microseconds a job: added, claimed and finished a hundred at a time, beside so many others."""
    folder.mkdir()
    store, later = Store(folder / FILE), START + timedelta(days=1)
    for first in range(0, beside, 10_000):
        others = [
            NewJob(payload={}, lane=f"o{number}", peer=f"https://o{number % 30_000}.example", due=later)
            for number in range(first, min(first + 10_000, beside))
        ]
        store.jobs.add_to_new_lanes("deliver", "Create", BULK, others, START)
    started = time.process_time()
    for first in range(0, jobs, 100):
        with store.transaction():
            for number in range(first, first + 100):
                store.jobs.add(
                    "deliver", {"n": 1}, lane=f"l{number}", peer=f"https://p{number % 20}.example", due=START
                )
        claimed = store.jobs.claim("me", START, 100)
        with store.transaction():
            for job in claimed:
                store.jobs.finish(job.id, START, status=202)
    spent = time.process_time() - started
    assert store.jobs.count("done") == jobs
    store.close()
    return spent / jobs * 1e6


def on_postgres(folder: Path, count: int) -> dict[str, float]:
    """Return the cost of an activity with one process on a PostgreSQL, and with two at the same time."""
    folder.mkdir()
    secret = folder / "secret"
    with postgres.running() as server:
        found = []
        for number, processes in enumerate((1, 2)):
            url = server.make(f"gw{number}")
            asyncio.run(inbox.costs(folder / f"made{number}", 1, database_url=url, secret_file=secret))
            command = [sys.executable, inbox.__file__, url, str(count), str(secret)]
            running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(processes)]
            found.append(statistics.fmean(float(one.communicate()[0]) for one in running))
            assert all(one.returncode == 0 for one in running)
    return {"PostgreSQL: 1 process": found[0], "PostgreSQL: 2 processes, of 1": found[1] / found[0]}


def one_round(folder: Path, *, quick: bool) -> dict[str, float]:
    """Measure everything once."""
    count = 400 if quick else 2_000
    peer, note = asyncio.run(_prepared(folder / "parts"))
    found = parts(peer, note)
    alone = asyncio.run(inbox.costs(folder / "inbox", count))
    found["inbox: durable before 202, actors met first (keys fetched)"] = alone.new
    found["inbox: durable before 202, actors read from the table"] = alone.read
    found["inbox: durable before 202, known actors"] = alone.known
    found["inbox: the same, one at a time"] = asyncio.run(inbox.costs(folder / "single", count // 4, at_once=1)).known
    first, kept = fan_out(folder / "http")
    found |= {"fan-out: new connections": first.whole, "fan-out: kept connections": kept.whole,
              "fan-out: of it queueing": kept.queued}  # fmt: skip
    first, kept = fan_out(folder / "https", tls=True)
    found |= {"fan-out: new TLS connections": first.whole, "fan-out: kept TLS connections": kept.whole}
    found["queue: add, claim, finish"] = queue(folder / "queue", count, FEW)
    many = 20_000 if quick else 1_000_000
    crowded = asyncio.run(inbox.costs(folder / "crowded", count, beside=many))
    found |= {
        f"growth: queue, {many:,} others of {FEW:,}": queue(folder / "beside", count, many)
        / found["queue: add, claim, finish"],
        f"growth: inbox, {many:,} arrivals and actors of none": crowded.read / alone.read,
    }
    found["inbox: durable before 202, a process of its own"] = served.accepted(folder / "accepted", count)
    found |= served.whole(folder / "served", count)
    found |= on_postgres(folder / "postgres", count)
    found |= _fedify(count)
    return found


def _fedify(count: int) -> dict[str, float]:
    """Measure Fedify on the same kind of requests, where Node is."""
    try:
        with fedify_side.actors_served() as neighbours:
            first = fedify_side.signed_requests(neighbours, fedify_side.ACTORS)
            more = fedify_side.signed_requests(neighbours, count, first=fedify_side.ACTORS)
            received = fedify_side.receiver_cost(more, warm_up=first)
        return {
            "Fedify: receive, keys known": received,
            "Fedify: send, immediate": fedify_side.sender_cost(fedify_side.INBOXES, "immediate"),
            "Fedify: send, queue": fedify_side.sender_cost(fedify_side.INBOXES, "queue"),
        }
    except ToolMissing as error:
        sys.stderr.write(f"Fedify is left out: {error}\n")
        return {}


async def _prepared(root: Path) -> tuple[PlainPeer, bytes]:
    async with make_world(root) as world:
        peer = world.peer()
        return peer, json.dumps(peer.activity("Create", peer.note("x" * 1200))).encode()


def main() -> None:
    """Measure, print the table, write the files; with ``--gate`` fail when a goal is missed by far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    logs.configure("error")
    collect_less_often()  # as the gateway does that is served
    rounds = []
    for number in range(given.rounds):
        sys.stderr.write(f"round {number + 1} of {given.rounds}\n")
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(one_round(Path(folder), quick=given.quick))
    found = {name: statistics.median(one[name] for one in rounds if name in one) for name in rounds[0]}
    report.write(given.out, rounds, found)
    sys.stdout.write(report.table(found))
    missed = [goal.name for goal in report.goals(found) if not goal.holds]
    if given.gate and missed:
        sys.exit(f"below {report.GATE:.0%} of the goal, or of what was reached: {', '.join(missed)}")


if __name__ == "__main__":
    main()
