"""Delivery attempts: knocks, memory, decisions at send time, retries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from flows.scenes import follows, home_of, jobs, published, types

from gateway.activitypub.note import Draft
from gateway.flows import attach, moderate, publish
from gateway.policy.rules import Action
from gateway.preferences import NOTHING
from gateway.store.peers import MEMORY
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers.plain import PlainPeer
    from starlette.types import Receive, Scope, Send
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account

pytestmark = pytest.mark.anyio
PEER = origin_of("https://peer.example")


async def scene(world: World) -> tuple[Gateway, Account, PlainPeer]:
    """Return a gateway whose Alice has a follower."""
    home, alice = home_of(world)
    peer = world.peer()
    await follows(world, peer)
    return home, alice, peer


class Picky:
    """A server in front of a peer that takes an inbox request only when a rule says so."""

    def __init__(self, peer: PlainPeer, takes: Callable[[dict[str, str]], bool], **headers: str) -> None:
        self.peer = peer
        self.takes = takes
        self.headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        self.status = 401
        self.knocks: list[dict[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if scope["method"] == "POST":
            self.knocks.append(headers)
            if not self.takes(headers):
                await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
                await send({"type": "http.response.body", "body": b"no\x00"})
                return
        await self.peer.app(scope, receive, send)


def signed_how(knock: dict[str, str]) -> tuple[str, bool]:
    """Return the scheme and whether Content-Usage came along."""
    return ("rfc9421" if "signature-input" in knock else "cavage", "content-usage" in knock)


async def test_a_server_that_dislikes_the_header_gets_none(world: World) -> None:
    """After a 401 the request goes again without Content-Usage; that is remembered for a week."""
    home, alice, peer = await scene(world)
    picky = Picky(peer, lambda headers: "content-usage" not in headers)
    world.board.apps["peer.example"] = picky
    for text in ("one", "two"):
        await published(home, alice, text)
        await world.drain()
    assert [signed_how(k) for k in picky.knocks] == [("cavage", True), ("cavage", False), ("cavage", False)]
    assert not home.kit.store.peers.get(PEER, world.clock.now()).takes_content_usage
    world.clock.forward(seconds=MEMORY.total_seconds())
    await published(home, alice, "three")
    await world.drain()
    assert signed_how(picky.knocks[3]) == ("cavage", True)


async def test_a_server_that_wants_rfc9421_is_learned(world: World) -> None:
    """The scheme that worked comes first next time."""
    home, alice, peer = await scene(world)
    picky = Picky(peer, lambda headers: "signature-input" in headers)
    world.board.apps["peer.example"] = picky
    for text in ("one", "two"):
        await published(home, alice, text)
        await world.drain()
    assert [signed_how(k)[0] for k in picky.knocks] == ["cavage", "cavage", "rfc9421", "rfc9421"]
    assert home.kit.store.peers.get(PEER, world.clock.now()).speaks_rfc9421


async def test_a_challenge_is_answered_with_its_nonce(world: World) -> None:
    """Accept-Signature asks for RFC 9421 with a nonce, and gets it at the second knock."""
    home, alice, peer = await scene(world)
    picky = Picky(
        peer, lambda headers: 'nonce="n1"' in headers.get("signature-input", ""),
        accept_signature='sig1=("@method");nonce="n1"',
    )  # fmt: skip
    world.board.apps["peer.example"] = picky
    await published(home, alice)
    await world.drain()
    assert [signed_how(k)[0] for k in picky.knocks] == ["cavage", "rfc9421"]
    assert types(peer) == ["Create"]


async def test_a_server_that_gave_rfc9421_up_is_forgotten(world: World) -> None:
    """When only the old form works again, the old form comes first next time."""
    home, alice, peer = await scene(world)
    home.kit.store.peers.learn_rfc9421(PEER, world.clock.now())
    picky = Picky(peer, lambda headers: "signature-input" not in headers)
    world.board.apps["peer.example"] = picky
    await published(home, alice)
    await world.drain()
    assert [signed_how(k)[0] for k in picky.knocks] == ["rfc9421", "rfc9421", "cavage"]
    assert not home.kit.store.peers.get(PEER, world.clock.now()).speaks_rfc9421


async def test_nobody_is_knocked_at_more_than_three_times(world: World) -> None:
    """A server that takes nothing is asked three times an attempt, and the job waits."""
    home, alice, peer = await scene(world)
    picky = Picky(peer, lambda _headers: False)
    world.board.apps["peer.example"] = picky
    await published(home, alice)
    await world.drain()
    assert len(picky.knocks) == 3
    assert jobs(home)[-1] == ("queued", "status 401: no\x00")


async def test_a_busy_server_is_left_alone_as_long_as_it_asks(world: World) -> None:
    """Retry-After postpones the attempt; the same bytes go out later, signed afresh."""
    home, alice, peer = await scene(world)
    picky = Picky(peer, lambda _headers: False, retry_after="7200")
    picky.status = 503
    world.board.apps["peer.example"] = picky
    await published(home, alice)
    await world.drain()
    (job,) = home.kit.store.jobs.find(kinds=("deliver",))
    assert (job.due - world.clock.now(), job.status) == (timedelta(seconds=7200), 503)
    world.clock.forward(seconds=7199)
    await world.drain()
    assert len(picky.knocks) == 1
    picky.takes = lambda _headers: True
    world.clock.forward(seconds=1)
    await world.drain()
    assert types(peer) == ["Create"]
    assert picky.knocks[0]["digest"] == picky.knocks[1]["digest"]
    assert picky.knocks[0]["signature"] != picky.knocks[1]["signature"]


async def test_a_permanent_no_is_final(world: World) -> None:
    """A 410 ends the delivery, with the status and why."""
    home, alice, peer = await scene(world)
    peer.inbox_status = 410
    await published(home, alice)
    await world.drain()
    state, problem = jobs(home)[-1]
    assert state == "dead"
    assert str(problem).startswith("permanent-answer: status 410")


async def test_a_silent_server_is_tried_again(world: World) -> None:
    """Nobody answered: the job waits with what went wrong."""
    home, alice, peer = await scene(world)
    del world.board.apps["peer.example"]
    await published(home, alice)
    await world.drain()
    state, problem = jobs(home)[-1]
    assert state == "queued"
    assert "does not resolve" in str(problem)
    world.board.apps["peer.example"] = peer.app
    world.clock.forward(minutes=1)
    await world.drain()
    assert types(peer) == ["Create"]


async def test_the_decision_counts_at_send_time(world: World) -> None:
    """What was queued before a peer was refused or limited is not sent after."""
    home, alice, peer = await scene(world)
    uploads = [attach.Upload(content=b"\x89PNG\r\n\x1a\n", name="a.png")]
    await publish.create(home.kit, alice, Draft(text="pic"), uploads=uploads)
    moderate.set_rule(home.kit, "peer.example", Action.LIMIT)
    await world.drain()
    assert jobs(home)[-1] == ("dropped", "limited-by-rule")
    await published(home, alice, "text")
    home.kit.store.database.run("UPDATE rule SET action = 'refuse'")
    await world.drain()
    assert jobs(home)[-1] == ("dropped", "refused-by-rule")
    assert peer.received == []


async def test_a_refusal_stops_what_waits(world: World) -> None:
    """A rule drops the queue of every origin of the host at once."""
    home, alice, _ = await scene(world)
    await published(home, alice)
    rule, stopped = moderate.set_rule(home.kit, "peer.example", Action.REFUSE)
    assert stopped == 1
    assert jobs(home)[-1] == ("dropped", "refused-by-rule")
    assert rule.host == "peer.example"


async def test_an_activity_that_is_gone_is_dropped(world: World) -> None:
    """A delivery without its activity ends."""
    home, _, _ = await scene(world)
    payload = {"inbox": "https://peer.example/inbox", "activity": "nothing"}
    home.kit.store.jobs.add("deliver", payload, lane="x", peer=str(PEER), due=world.clock.now())
    await world.drain()
    assert jobs(home)[-1] == ("dropped", "activity-gone")


async def test_an_activity_that_states_nothing_has_no_header(world: World) -> None:
    """Without preferences there is no Content-Usage to send."""
    home, alice = home_of(world, instance_prefs="")
    peer = world.peer()
    await follows(world, peer)
    quiet = home.kit.store.accounts.by_name(alice.name)
    assert quiet is not None
    home.kit.store.accounts.save(replace(quiet, prefs=NOTHING, preset="open"))
    await published(home, replace(quiet, prefs=NOTHING, preset="open"))
    await world.drain()
    assert types(peer) == ["Create"]
    assert "content-usage" not in peer.received_headers[0]
