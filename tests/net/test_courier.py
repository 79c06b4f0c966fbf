"""Deliveries over kept connections: what goes out, what is read of the answer, when a connection is used again."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from net.answers import Names, listening

from gateway.errors import AddressRefused, RemoteUnreachable
from gateway.net import courier as module
from gateway.net.client import Client, UrlPolicy
from gateway.net.courier import Courier, Reply
from gateway.net.guard import AddressPolicy, GuardedBackend
from gateway.net.purpose import DELIVERY
from gateway.net.transport import OriginTransport
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio
NAMES = {name: ["127.0.0.1"] for name in ("a.example", "b.example", "c.example")}
ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\nX-Word: yes\r\n\r\nok"


def backend() -> GuardedBackend:
    """Return a guard that permits loopback and knows three names."""
    return GuardedBackend(AddressPolicy(["127.0.0.0/8"]), Names(dict(NAMES)))


@pytest.fixture
async def courier() -> AsyncIterator[Courier]:
    """Return a courier that hangs up at the end."""
    made = Courier(backend())
    yield made
    await made.close()


def post(port: int, host: str = "a.example", body: bytes = b"{}", **headers: str) -> SignedRequest:
    """Return a request."""
    return SignedRequest(
        method="POST", target=f"http://{host}:{port}/inbox?x=1", headers=tuple(headers.items()), body=body
    )


async def bring(courier: Courier, request: SignedRequest, limit: int = 100, head_limit: int = 1000) -> Reply:
    """Send a request."""
    return await courier.send(request, limit=limit, head_limit=head_limit)


async def test_a_delivery_and_its_answer(courier: Courier) -> None:
    """The request goes out as it was signed, and status, fields and body come back."""
    async with listening(ACCEPTED) as server:
        reply = await bring(courier, post(server.port, digest="x"))
        assert (reply.status, bytes(reply.body)) == (202, b"ok")
        assert ("x-word", "yes") in reply.headers
        sent = server.requests[0]
    head = f"POST /inbox?x=1 HTTP/1.1\r\nhost: a.example:{server.port}\r\ndigest: x\r\ncontent-length: 2\r\n\r\n"
    assert sent == head.encode()


async def test_a_connection_is_used_again(courier: Courier) -> None:
    """One after another go over one connection; another origin has its own."""
    async with listening(ACCEPTED) as server:
        for _ in range(5):
            await bring(courier, post(server.port))
        assert server.connections == 1
        await bring(courier, post(server.port, "b.example"))
        assert server.connections == 2


async def test_an_origin_has_so_many_connections_and_no_more(courier: Courier) -> None:
    """However many deliveries there are for one origin at a time, only a few connections are open."""
    async with listening(ACCEPTED) as server:
        await asyncio.gather(*(bring(courier, post(server.port)) for _ in range(50)))
        assert server.connections <= module.CONNECTIONS
        assert len(server.requests) == 50


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + ACCEPTED, 202),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n", 200),
        (b"HTTP/1.0 503 Busy\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n", 503),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n" + b"x" * 100_000, 200),
    ],
    ids=["interim", "no content", "chunked", "http/1.0", "longer than wanted"],
)
async def test_every_form_of_an_answer(courier: Courier, answer: bytes, status: int) -> None:
    """Interim answers, chunks, old versions and bodies longer than wanted all give the status and what fits."""
    async with listening(answer) as server:
        for _ in range(2):
            reply = await bring(courier, post(server.port), limit=50)
            assert reply.status == status
            assert len(reply.body) <= 50


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    ],
    ids=["no http", "upgrade", "endless fields", "endless interim answers"],
)
async def test_what_is_no_answer(courier: Courier, answer: bytes) -> None:
    """Another protocol, and a head that does not end within its bound, are told as unreachable."""
    async with listening(answer) as server:
        with pytest.raises(RemoteUnreachable):
            await bring(courier, post(server.port))


async def test_what_comes_unasked_answers_nothing(courier: Courier) -> None:
    """A second answer behind the first is not taken for that of the next request: the connection is given up."""
    unasked = b"HTTP/1.1 500 Later\r\ncontent-length: 0\r\n\r\n"
    async with listening(ACCEPTED + unasked) as server:
        assert [(await bring(courier, post(server.port))).status for _ in range(3)] == [202, 202, 202]
        assert server.connections == 3


async def test_a_kept_connection_that_was_closed_is_replaced(courier: Courier) -> None:
    """The server hangs up while a connection is kept: the next delivery goes over a new one."""
    async with listening(ACCEPTED.replace(b"X-Word: yes", b"connection: close")) as server:
        for _ in range(3):
            assert (await bring(courier, post(server.port))).status == 202
        assert server.connections == 3


async def test_an_answer_is_never_the_one_before(courier: Courier) -> None:
    """Who hangs up on the second request of a connection has not taken it: it is sent again, over a new one."""
    taken: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"{}"))
        writer.write(ACCEPTED)
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"{}")  # and nothing more
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for number in range(3):
        assert (await bring(courier, post(port, digest=str(number)))).status == 202
    assert [f"digest: {number}".encode() in request for number, request in enumerate(taken)] == [True] * 3
    await courier.close()
    server.close()
    await server.wait_closed()


async def test_idle_connections_are_bounded(courier: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound whoever waited longest is hung up on, and nothing of it is remembered."""
    monkeypatch.setattr(module, "MAX_IDLE", 2)
    async with listening(ACCEPTED) as server:
        for host in ("a.example", "b.example", "c.example"):
            await bring(courier, post(server.port, host))
        assert [origin.host for origin in courier._origins] == ["b.example", "c.example"]
        assert len(courier._idle) == 2


async def test_forbidden_addresses_are_not_dialled() -> None:
    """The guard judges before anything is connected, for deliveries as for everything else."""
    courier = Courier(GuardedBackend(AddressPolicy(), Names({"a.example": ["127.0.0.1"]})))
    async with listening(ACCEPTED) as server:
        with pytest.raises(AddressRefused):
            await bring(courier, post(server.port))
        assert server.connections == 0
    await courier.close()


async def test_nobody_there(courier: Courier) -> None:
    """A refused connection is told, and leaves nothing behind."""
    async with listening(ACCEPTED) as server:
        port = server.port
    with pytest.raises(RemoteUnreachable):
        await bring(courier, post(port))
    assert courier._origins == {}


async def test_a_line_break_in_a_field_goes_nowhere(courier: Courier) -> None:
    """What would be two fields on the wire is refused."""
    async with listening(ACCEPTED) as server:
        with pytest.raises(RemoteUnreachable, match="line break"):
            await bring(courier, post(server.port, digest="x\r\nevil: y"))
        assert server.requests == []


async def test_the_client_lets_the_courier_bring_deliveries() -> None:
    """A delivery goes by courier, with our name on it."""
    used = Client(
        policy=UrlPolicy(takes_http=True, any_port=True), transport=OriginTransport(backend()), user_agent="test/1",
        courier=Courier(backend()),
    )  # fmt: skip
    async with listening(ACCEPTED) as server:
        answer = await used.send(post(server.port), purpose=DELIVERY)
        assert (answer.status, answer.body, answer.header("x-word")) == (202, b"ok", "yes")
        assert b"user-agent: test/1\r\n" in server.requests[0]
    await used.close()
