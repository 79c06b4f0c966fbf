"""Fifty peers in one thread, each on an address of its own: half of them well, the others ill in all the usual ways."""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import struct
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from peers.plain import _KEYS, Actor, PlainPeer, keys_for
from processes import STOP_SECONDS, eventually, free_port

from gateway.activitypub import sanitise
from gateway.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW_SECONDS = 0.2
MOST_HEADER = 64 * 1024


class Health(StrEnum):
    """What a peer makes of a POST once it is ill."""

    WELL = "202"
    SLOW = "202 after a while"
    BUSY = "503"
    BROKEN = "500"
    HANGING = "takes it and says nothing until the connection is cut"
    REFUSING = "does not listen any more"
    RESETTING = "resets the connection"
    GONE = "410"
    LYING = "200 with a page"


HOW_MANY = {
    Health.WELL: 25, Health.SLOW: 1, Health.BUSY: 5, Health.BROKEN: 5, Health.HANGING: 4, Health.REFUSING: 4,
    Health.RESETTING: 4, Health.GONE: 1, Health.LYING: 1,
}  # fmt: skip
TAKING = frozenset({Health.WELL, Health.SLOW})
WAITING = frozenset({Health.BUSY, Health.BROKEN, Health.HANGING, Health.REFUSING, Health.RESETTING})
STATUS = {Health.BUSY: 503, Health.BROKEN: 500, Health.GONE: 410, Health.LYING: 200}


@dataclass(slots=True)
class Member:
    """One of the peers; ``came`` is what it took, each with its bytes."""

    plain: PlainPeer
    health: Health
    came: list[bytes] = field(default_factory=list)
    posts: dict[str, str] = field(default_factory=dict)  # id of the object -> its text
    accepted: set[str] = field(default_factory=set)  # ids of Follows
    ids: Counter[str] = field(default_factory=Counter)
    listener: asyncio.Server | None = None

    def take(self, body: bytes) -> None:
        """Keep what was delivered."""
        document: dict[str, Any] = json.loads(body)
        if document["type"] == "Create":
            self.posts[document["object"]["id"]] = sanitise.plain(document["object"]["content"])
        elif document["type"] == "Accept":
            self.accepted.add(document["object"]["id"])
        self.ids[document["id"]] += 1
        self.came.append(body)

    def somebody(self, name: str) -> Actor:
        """Return an actor of this peer; all of the crowd have the same keys, because making keys is slow."""
        _KEYS[f"{self.plain.base}/users/{name}"] = keys_for("the crowd")
        return self.plain.actor(name)


class Crowd:
    """All of them, and the thread they live in."""

    def __init__(self) -> None:
        port = free_port()
        self.members = [_member(number, health, port) for number, health in enumerate(_healths(), 1)]
        self.is_ill = False
        self._loop = asyncio.new_event_loop()
        self._talks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)
        self._ready, self._end = threading.Event(), asyncio.Event()

    @property
    def taking(self) -> list[Member]:
        """Return those who take what is sent to them."""
        return [member for member in self.members if member.health in TAKING]

    def fall_ill(self) -> None:
        """Let those who are to be ill be so from now on; until then all are well."""
        self.is_ill = True
        for member in self.members:
            if member.health is Health.REFUSING and member.listener is not None:
                self._loop.call_soon_threadsafe(member.listener.close)

    def start(self) -> None:
        """Listen everywhere."""
        self._thread.start()
        eventually(self._ready.is_set, "the crowd listens")

    def stop(self) -> None:
        """Stop listening, and cut every connection."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        self._loop.run_until_complete(self._live())
        self._loop.close()

    async def _live(self) -> None:
        for member in self.members:
            host, _, port = member.plain.base.removeprefix("http://").partition(":")
            member.listener = await asyncio.start_server(
                functools.partial(self._meet, member), host, int(port), limit=MOST_HEADER
            )
        self._ready.set()
        await self._end.wait()
        for member in self.members:
            if member.listener is not None:
                member.listener.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _meet(self, member: Member, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer(member, reader, writer):
                    pass
        except asyncio.CancelledError:
            return  # all of it ends
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _answer(self, member: Member, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; tell whether there may be another one."""
        method, path, body = await _read(reader)
        health = member.health if self.is_ill else Health.WELL
        if method == "GET":
            page = member.plain.pages.get(path)
            found = (page.status, page.headers["content-type"], page.body) if page else (404, "text/plain", b"")
            writer.write(_response(*found))
        elif health is Health.HANGING:
            await reader.read()
            return False
        elif health in {Health.RESETTING, Health.REFUSING}:
            _reset(writer)
            return False
        elif health in TAKING:
            if health is Health.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            member.take(body)
            writer.write(_response(202, "text/plain", b""))
        else:
            writer.write(_response(STATUS[health], "text/html", b"<!doctype html><p>Hello"))
        await writer.drain()
        return True


def _healths() -> list[Health]:
    return [health for health, count in HOW_MANY.items() for _ in range(count)]


def _member(number: int, health: Health, port: int) -> Member:
    """Make a peer; each is a network of its own, because those have their turns and their limits together."""
    base = f"http://127.{port % 200 + 1}.{number}.1:{port}"
    _KEYS[f"{base}/users/bob"] = keys_for("the crowd")
    return Member(PlainPeer(base, "bob", SystemClock()), health)


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    """Read one request: method, path, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, path, _ = first.split(" ")
    return method, path, await reader.readexactly(int(headers.get("content-length", "0")))


def _response(status: int, media: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side reads a reset."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def crowd() -> Iterator[Crowd]:
    """Run the crowd; all are well until they are told otherwise."""
    made = Crowd()
    made.start()
    try:
        yield made
    finally:
        made.stop()
