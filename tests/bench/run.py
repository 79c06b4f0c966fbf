"""Speed as ratios, measured side by side in one run (``make bench``): medians of CPU time a piece.

V is what one RSA-2048 verification costs with ``cryptography``, S one signature. Absolute figures differ
from machine to machine; the ratios are what to compare.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from world import BASE, account
from world import world as make_world

from gateway.jsonld import strict
from gateway.observe import logs
from gateway.signatures import cavage, message, verify
from gateway.signatures.owner import ListedKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers.plain import PlainPeer

    from gateway.signatures.request import SignedRequest

REPEATS = 5
PIECES = 400
INBOX_PIECES = 320
AT_ONCE = 32


def cpu_microseconds(work: Callable[[], object], pieces: int = PIECES) -> float:
    """Return the CPU microseconds that one call of ``work`` takes."""
    started = time.process_time()
    for _ in range(pieces):
        work()
    return (time.process_time() - started) / pieces * 1e6


def median_of(measure: Callable[[], float]) -> float:
    """Return the median of several rounds."""
    return statistics.median(measure() for _ in range(REPEATS))


def parts(peer: PlainPeer, note: bytes) -> dict[str, float]:
    """Measure each part on its own, interleaved with V and S."""
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
    rounds = [{name: cpu_microseconds(work) for name, work in works.items()} for _ in range(REPEATS)]
    return {name: statistics.median(one[name] for one in rounds) for name in works}


async def inbox(root: Path, at_once: int) -> float:
    """Return CPU microseconds an activity that is verified, judged and durable before its 202 (over ASGI)."""
    async with make_world(root) as world:
        account(world.gateway(limit_network=0, limit_peer=0))
        peer = world.peer()
        requests = [
            peer.signed(f"{BASE}/inbox", json.dumps(peer.activity("Create", peer.note(f"number {n}"))).encode())
            for n in range(INBOX_PIECES + 1)
        ]
        await peer.send(requests[0])
        async with world.client() as client:

            async def send(request: SignedRequest) -> None:
                answer = await client.post(request.target, headers=list(request.headers), content=request.body)
                assert answer.status_code == 202

            started = time.process_time()
            for first in range(1, len(requests), at_once):
                await asyncio.gather(*map(send, requests[first : first + at_once]))
            return (time.process_time() - started) / INBOX_PIECES * 1e6


def main() -> None:
    """Measure and print a Markdown table."""
    logs.configure("error")
    with tempfile.TemporaryDirectory() as root:
        peer, note = asyncio.run(_prepared(Path(root)))
        found = parts(peer, note)
        for at_once in (1, AT_ONCE):
            name = f"inbox: verified, judged, durable (SQLite FULL, over ASGI), {at_once} at a time"
            found[name] = asyncio.run(inbox(Path(root) / f"inbox{at_once}", at_once))
    verify_cost, sign_cost = found["V: RSA-2048 verify"], found["S: RSA-2048 sign"]
    print("| what | CPU us | of V | of S |\n|---|---:|---:|---:|")
    for name, cost in found.items():
        print(f"| {name} | {cost:.1f} | {cost / verify_cost:.2f} | {cost / sign_cost:.2f} |")


async def _prepared(root: Path) -> tuple[PlainPeer, bytes]:
    async with make_world(root / "parts") as world:
        peer = world.peer()
        note = peer.activity("Create", peer.note("x" * 1200))
        return peer, json.dumps(note).encode()


if __name__ == "__main__":
    main()
