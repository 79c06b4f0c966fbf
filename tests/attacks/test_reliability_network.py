"""A network that is strange or away: every case of the class ``network``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from attacks.faults_scene import Builders, cases_of, fault_scene, left_out, perform
from flows.keypool import pooled
from flows.scenes import follows
from net.answers import Names
from processes import served

from gateway.jobs.circuit import State
from gateway.net.client import Client, UrlPolicy
from gateway.net.guard import AddressPolicy, GuardedBackend
from gateway.net.purpose import DELIVERY, PAGE
from gateway.net.transport import OriginTransport
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from attacks.faults_scene import FaultScene
    from processes import Served
    from world import World

CASES = cases_of("network")
BUILDERS = Builders()
ELSEWHERE = {
    "REL-023": "eight toxics on half of the peers: tests/flows/test_faulty_peers.py",
}
BODY = b"hello"
PLAIN, LETTER = (("content-type", "text/plain"),), 999
LARGE = 200_000
# What servers of many kinds answer with; each means 202 and says hello.
ODD = {
    "HTTP/1.0": b"HTTP/1.0 202 Accepted\r\ncontent-type: text/plain\r\n\r\nhello",
    "HTTP/1.0 kept alive": b"HTTP/1.0 202 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
    "no reason": b"HTTP/1.1 202\r\ncontent-length: 5\r\n\r\nhello",
    "trailers": b"HTTP/1.1 202 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"
    b"2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\nx-sum: abc\r\nserver-timing: t\r\n\r\n",
    "100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 OK\r\ncontent-length: 5\r\n\r\nhello",
    "103": b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n"
    b"HTTP/1.1 103 Early Hints\r\nlink: </b.css>; rel=preload\r\n\r\nHTTP/1.1 202 OK\r\ncontent-length: 5\r\n\r\nhello",
    "102 and 100": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    b"HTTP/1.1 202 OK\r\ncontent-length: 5\r\n\r\nhello",
    "until it closes": b"HTTP/1.1 202 OK\r\nconnection: close\r\n\r\nhello",
}


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


@BUILDERS.case("REL-026")
async def _names_are_down(scene: FaultScene) -> None:
    peers = [scene.world.peer(f"p{number}.example", "p") for number in range(4)]
    for peer in peers:
        await follows(scene.world, peer)
    away = {host: app for host, app in scene.world.board.apps.items() if host != "gw.example"}
    for host in away:
        del scene.world.board.apps[host]  # no name resolves but our own
    for number in range(5):
        await scene.post(f"{number}")
        await scene.until(timedelta(minutes=1))
        async with scene.world.client() as reader:
            for path in ("/@alice", "/.well-known/webfinger?resource=acct:alice@gw.example", "/readyz", "/livez"):
                assert (await reader.get(path)).status_code in ((200, 503) if path == "/readyz" else (200,))
    assert {job.state for job in scene.jobs()} <= {"queued", "waiting", "done"}
    assert len(scene.jobs("queued", "waiting")) == 5 * 5
    scene.world.board.apps.update(away)
    await scene.until(timedelta(hours=1))
    assert {job.state for job in scene.jobs()} == {"done"}
    assert all([document["type"] for document in peer.received] == ["Create"] * 5 for peer in peers)
    assert scene.front.types == ["Create"] * 5
    assert scene.state in (State.CLOSED, State.MENDING)
    scene.proved |= {"queued, no permanent failure", "own names unaffected"}


@asynccontextmanager
async def _out() -> AsyncIterator[Client]:
    names = Names({"odd.example": ["127.0.0.1"]})
    transport = OriginTransport(GuardedBackend(AddressPolicy(["127.0.0.0/8"]), names))
    client = Client(policy=UrlPolicy(takes_http=True, any_port=True), transport=transport, user_agent="test/1")
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def _odd(answer: bytes) -> AsyncIterator[int]:
    """Listen on a port and answer each request so; close when that is how the answer ends."""
    ends = b"\r\ncontent-length" not in answer and b"chunked" not in answer

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(LETTER if head.startswith(b"POST") else 0)
                writer.write(answer)
                await writer.drain()
                if ends:
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@BUILDERS.case("REL-029")
async def _odd_servers(scene: FaultScene) -> None:
    for name, answer in ODD.items():
        async with _odd(answer) as port, _out() as client:
            url = f"http://odd.example:{port}/inbox"
            letter = SignedRequest(method="POST", target=url, headers=PLAIN, body=b"x" * LETTER)
            for _ in range(2):  # a connection that was kept is used again, one that was not is not
                sent = await client.send(letter, purpose=DELIVERY)
                assert (sent.status, sent.body) == (202, BODY), name
                got = await client.get(url, accept="*/*", purpose=PAGE)
                assert (got.status, got.body) == (202, BODY), name
    scene.proved.add("handled")


@pytest.mark.anyio
@pytest.mark.parametrize("case_id", [*BUILDERS])
async def test_a_strange_network(world: World, case_id: str) -> None:
    """Whatever servers say and names do, what is to go out goes out."""
    await perform(await fault_scene(world), CASES[case_id], BUILDERS[case_id])


# Odd clients


def _asked(gateway: Served, *pieces: bytes) -> bytes:
    """Send pieces over one connection, each after there was an answer to the one before; return all that came."""
    came = b""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
        for number, piece in enumerate(pieces):
            connection.sendall(piece)
            if number < len(pieces) - 1:
                came += connection.recv(65_536)
        while more := connection.recv(65_536):
            came += more
    return came


def test_odd_clients(tmp_path: Path) -> None:
    """REL-029: HTTP/1.0, Expect: 100-continue and chunks with trailers are understood at our own door."""
    with served(tmp_path) as gateway:
        host = f"host: localhost:{gateway.port}\r\n".encode()
        assert _asked(gateway, b"GET /livez HTTP/1.0\r\n" + host + b"\r\n").startswith(b"HTTP/1.1 200")
        assert b"ok\n" in _asked(gateway, b"GET /livez HTTP/1.0\r\n\r\n")
        posted = b"POST /inbox HTTP/1.1\r\nconnection: close\r\ncontent-type: application/activity+json\r\n" + host
        whole = _asked(gateway, posted + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n", b"{}")
        assert whole.startswith(b"HTTP/1.1 100")
        assert b"HTTP/1.1 400" in whole  # it was read: no activity
        chunks = b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\nx-sum: 1\r\n\r\n"
        plain = _asked(gateway, posted + b"content-length: 2\r\n\r\n{}")
        chunked = _asked(gateway, posted + b"transfer-encoding: chunked\r\n\r\n" + chunks)
        assert _problem(chunked) == _problem(plain)


def _problem(answer: bytes) -> bytes:
    status, _, body = answer.partition(b"\r\n")[0], *answer.partition(b"\r\n\r\n")[1:]
    return status + body.split(b'"detail"')[0]


def test_a_large_body_says_nothing_about_the_next_request(tmp_path: Path) -> None:
    """On a connection that is kept, a head that comes apart from its body is read, whatever the body before had."""
    with served(tmp_path) as gateway:
        host = f"host: localhost:{gateway.port}\r\n".encode()
        posted = b"POST /inbox HTTP/1.1\r\ncontent-type: application/activity+json\r\n" + host
        body = b'{"x":"' + b"x" * LARGE + b'"}'
        large = posted + b"content-length: %d\r\n\r\n" % len(body) + body
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as connection:
            connection.sendall(large)
            first = _one_answer(connection)
            connection.sendall(posted + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            second = connection.recv(65_536)
        assert first.startswith(b"HTTP/1.1 4")
        assert second.startswith(b"HTTP/1.1 100"), second[:200]


def _one_answer(connection: socket.socket) -> bytes:
    came = b""
    while b"\r\n\r\n" not in came:
        came += connection.recv(65_536)
    head, _, body = came.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return head + body


def test_no_case_is_left_out() -> None:
    """Every case of the class is run, or said where it is."""
    assert left_out(CASES, BUILDERS, ELSEWHERE) == []
