"""What the same work costs Fedify 2.3.6 under Node: the other side of the benchmark, in CPU microseconds a piece.

``signed_requests`` makes Create(Note)s of many actors, signed for one origin; they can be sent to anything that serves
that origin, wherever it listens, because the Host header goes along. ``actors_served`` serves the actors with their
keys. ``receiver_cost`` and ``sender_cost`` count the CPU time of the whole Node process, all its threads; what sends to
it and what takes its deliveries runs in this process and is not counted.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.load import AT_ONCE, send_all
from interop import fedify_peer
from peers.plain import ACTIVITY_JSON, AS2, PUBLIC
from processes import eventually

from gateway.clock import SystemClock
from gateway.signatures import cavage, message
from gateway.signatures.keys import PrivateKey, generate
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Mode = Literal["immediate", "queue"]
Scheme = Literal["cavage", "rfc9421"]

ORIGIN = "http://localhost:8000"  # of whoever is measured
ACTORS = 1_000
KEYS = 4  # that they share: making keys is slow
REQUESTS = 2_000
INBOXES = 1_000
SECONDS = 180.0
_FOLDER = Path(__file__).resolve().parent / "fedify"
# As Mastodon writes it.
_CONTEXT: list[Any] = [
    AS2,
    {
        "ostatus": "http://ostatus.org#",
        "atomUri": "ostatus:atomUri",
        "inReplyToAtomUri": "ostatus:inReplyToAtomUri",
        "conversation": "ostatus:conversation",
        "sensitive": "as:sensitive",
        "toot": "http://joinmastodon.org/ns#",
        "votersCount": "toot:votersCount",
    },
]


@dataclass(slots=True)
class Neighbours:
    """A server on a real port: actors to fetch, and inboxes that take everything."""

    port: int = 0
    keys: list[PrivateKey] = field(default_factory=list)
    fetched: int = 0
    delivered: int = 0

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    def actor(self, number: int) -> str:
        """Return the id of an actor."""
        return f"{self.base}/users/{number}"

    def key(self, number: int) -> PrivateKey:
        """Return the key that an actor signs with."""
        return self.keys[number % len(self.keys)]

    def document(self, number: int) -> bytes:
        """Return an actor's document."""
        me = self.actor(number)
        return json.dumps(
            {
                "@context": [AS2, "https://w3id.org/security/v1"],
                "id": me,
                "type": "Person",
                "preferredUsername": str(number),
                "inbox": f"{me}/inbox",
                "outbox": f"{me}/outbox",
                "publicKey": {"id": f"{me}#main-key", "owner": me, "publicKeyPem": self.key(number).public.pem()},
            }
        ).encode()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until its other side ends it."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                given = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                await reader.readexactly(int(given.get("content-length", 0)))
                writer.write(self._answer(*first.split(" ")[:2], is_signed="signature" in given))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()  # it ends, or all of them do; asyncio would complain about one that is cancelled

    def _answer(self, method: str, path: str, *, is_signed: bool) -> bytes:
        if method == "POST":
            self.delivered += is_signed
            return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
        self.fetched += 1
        body = self.document(int(path.removeprefix("/users/")))
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {ACTIVITY_JSON}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body


@contextmanager
def actors_served() -> Iterator[Neighbours]:
    """Serve actors and inboxes from a thread until the block ends."""
    neighbours = Neighbours(keys=[generate("rsa") for _ in range(KEYS)])
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with await asyncio.start_server(neighbours.talk, "127.0.0.1", 0) as server:
            neighbours.port = server.sockets[0].getsockname()[1]
            ready.set()
            await ended.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="neighbours", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield neighbours
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def signed_requests(
    neighbours: Neighbours, count: int, *, origin: str = ORIGIN, scheme: Scheme = "cavage", first: int = 0
) -> list[SignedRequest]:
    """Return new Create(Note)s to the shared inbox of an origin, the actors in turn; ids count from ``first``."""
    sign, now = (message.sign if scheme == "rfc9421" else cavage.sign), SystemClock().now()
    requests = []
    for number in range(first, first + count):
        who = number % ACTORS
        body = json.dumps(_create(neighbours.actor(who), number, now.strftime("%Y-%m-%dT%H:%M:%SZ"))).encode()
        given = (("content-type", ACTIVITY_JSON),)
        request = SignedRequest(method="POST", target=f"{origin}/inbox", headers=given, body=body)
        key_id = f"{neighbours.actor(who)}#main-key"
        requests.append(request.with_headers(*sign(request, neighbours.key(who), key_id, now, ())))
    return requests


def _create(actor: str, number: int, published: str) -> dict[str, Any]:
    note = f"{actor}/statuses/{number}"
    audience = {"published": published, "to": [PUBLIC], "cc": [f"{actor}/followers"]}
    return {
        "@context": _CONTEXT,
        "id": f"{note}/activity",
        "type": "Create",
        "actor": actor,
        **audience,
        "object": {
            "id": note,
            "type": "Note",
            "attributedTo": actor,
            "content": f"<p>{'x' * 1200}</p>",
            "url": note,
            "sensitive": False,
            "atomUri": note,
            **audience,
        },
    }


@dataclass(frozen=True, slots=True)
class Fedify:
    """A running Node process with Fedify."""

    address: str
    stderr: Path
    client: httpx.Client

    def cpu(self) -> tuple[int, int]:
        """Return its CPU microseconds so far, and how many activities its inbox took."""
        told = self.client.get("/control/cpu").raise_for_status().json()
        return int(told["microseconds"]), int(told["taken"])

    def send(self, inboxes: Sequence[str]) -> None:
        """Let its author post to inboxes."""
        self.client.post("/control/send", json={"inboxes": list(inboxes)}).raise_for_status()


@contextmanager
def fedify(*, origin: str = ORIGIN, queue: bool = False) -> Iterator[Fedify]:
    """Run Fedify until the block ends; raise ToolMissing where Node or the packages are missing."""
    tools = fedify_peer._tools()
    fedify_peer._install(tools)
    modules = _FOLDER / "node_modules"
    if not modules.exists():
        modules.symlink_to(Path("../../interop/fedify/node_modules"), target_is_directory=True)
    environment = {**fedify_peer._environment("", ""), "ORIGIN": origin, "QUEUE": "1" if queue else ""}
    with tempfile.TemporaryDirectory() as folder:
        stderr = Path(folder) / "stderr.txt"
        with stderr.open("wb") as errors:
            process = subprocess.Popen(
                [tools.node, "side.mjs"],
                cwd=_FOLDER,
                env={**environment, "NODE_ENV": "production"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        try:
            address = fedify_peer._ready(process, stderr)
            with httpx.Client(base_url=address, timeout=SECONDS, trust_env=False) as client:
                yield Fedify(address, stderr, client)
        finally:
            fedify_peer._stop(process)


def receiver_cost(
    requests: Sequence[SignedRequest], *, warm_up: Sequence[SignedRequest] = (), at_once: int = AT_ONCE
) -> float:
    """Return the CPU microseconds that Fedify takes a request; ``warm_up`` goes first, so that its keys are known.

    The requests are for ``ORIGIN``; each must be verified and reach the inbox listener.
    """
    with fedify() as side:
        send_all(side.address, warm_up, at_once)
        (before, taken_before) = side.cpu()
        send_all(side.address, requests, at_once)
        (after, taken) = side.cpu()
        assert taken - taken_before == len(requests), side.stderr.read_text("utf-8")[-2000:]
    return (after - before) / len(requests)


def sender_cost(inboxes: int, mode: Mode) -> float:
    """Return the CPU microseconds that Fedify takes a delivery of one post to so many inboxes, signed and answered.

    A post before it is not counted.
    """
    with actors_served() as neighbours, fedify(queue=mode == "queue") as side:
        where = [f"{neighbours.actor(number)}/inbox" for number in range(inboxes)]
        for wanted in (inboxes, 2 * inboxes):
            before, _ = side.cpu()
            side.send(where)
            eventually(lambda wanted=wanted: neighbours.delivered >= wanted, "all deliveries", seconds=SECONDS)  # type: ignore[misc]
            after, _ = side.cpu()
        assert neighbours.delivered == 2 * inboxes
    return (after - before) / inboxes


def measured() -> dict[str, float]:
    """Return what -> CPU microseconds."""
    found: dict[str, float] = {}
    with actors_served() as neighbours:
        for scheme in ("cavage", "rfc9421"):
            first = signed_requests(neighbours, ACTORS, scheme=scheme)
            more = signed_requests(neighbours, REQUESTS, scheme=scheme, first=ACTORS)
            found[f"receive, {scheme}, keys known"] = receiver_cost(more, warm_up=first)
        found["receive, cavage, each key fetched"] = receiver_cost(signed_requests(neighbours, ACTORS))
    found["send, immediate"] = sender_cost(INBOXES, "immediate")
    found["send, InProcessMessageQueue"] = sender_cost(INBOXES, "queue")
    return found


def main() -> None:
    """Print the figures as a Markdown table."""
    print("| Fedify 2.3.6 | CPU us |\n|---|---:|")
    for what, cost in measured().items():
        print(f"| {what} | {cost:.0f} |", flush=True)


if __name__ == "__main__":
    main()
