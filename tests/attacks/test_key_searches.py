"""Looks for strangers' keys, and errands: what somebody else's server feels of whoever attacks it through us."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from attacks.maze import ALICE, FOLLOWERS, everywhere, forging, from_address, home_of, maze, out
from attacks.scene import INBOX, SHARED_INBOX
from flows.keypool import pooled
from starlette.responses import Response

from gateway.activitypub.note import Draft
from gateway.flows import discover, pacing, publish
from gateway.flows.forward import MAX_AN_HOUR
from gateway.net.domain import registrable
from gateway.net.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers.plain import Actor, PlainPeer
    from world import World

    from gateway.runtime import Gateway


pytestmark = pytest.mark.anyio
A_MINUTE = 30  # requests to one domain
AT_ONCE = 128  # requests that wait for somebody's key


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


class Minute:
    """Looks how many requests a domain got in any one minute."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = 0
        self._at: dict[str, list[float]] = defaultdict(list)

    def note(self) -> None:
        """Write down when what was asked since the last time was asked."""
        made = out(self._world)
        for request in made[self._seen :]:
            self._at[registrable(request.url.host)].append(self._world.clock.seconds)
        self._seen = len(made)

    def most(self, domain: str) -> int:
        """Return the largest number of requests within sixty seconds."""
        times = self._at[domain]
        return max((sum(start <= other < start + 60 for other in times) for start in times), default=0)


@dataclass(frozen=True, slots=True)
class Trick:
    """One way to vary whose key is asked for."""

    name: str
    key_of: Callable[[int], str]
    method: str = "POST"


TRICKS = (
    Trick("path", lambda n: f"https://target.example/users/u{n}"),
    Trick("query", lambda n: f"https://target.example/users/x?{n}"),
    Trick("fragment", lambda n: f"https://target.example/users/x#{n}"),
    Trick("port", lambda n: f"https://target.example:{8000 + n}/users/x"),
    Trick("subdomain", lambda n: f"https://h{n}.target.example/users/x"),
    Trick("deep subdomain", lambda n: f"https://a.b{n}.c.d.target.example/users/x"),
    Trick("spelling", lambda n: f"https://{_spelt('target', n)}.example/users/u{n}"),
    Trick("trailing dot", lambda n: f"https://target.example./users/u{n}"),
    Trick("address", lambda n: f"https://192.0.2.{n}/users/x"),
    Trick("address of six", lambda n: f"https://[2001:db8:1:2::{n:x}]/users/x"),
    Trick("reading a path", lambda n: f"https://target.example/users/u{n}", "GET"),
    Trick("reading a key", lambda n: f"https://target.example/users/u{n}/main-key", "GET"),
    Trick("reading a subdomain", lambda n: f"https://h{n}.target.example/users/x/main-key", "GET"),
)


def _spelt(name: str, number: int) -> str:
    """Return a name with some of its letters in upper case."""
    return "".join(letter.upper() if number >> place & 1 else letter for place, letter in enumerate(name))


def _domain(url: str) -> str:
    return registrable(httpx.URL(url).host.rstrip(".").strip("[]").lower())


async def forge(world: World, near: PlainPeer, key: str, method: str, number: int) -> int:
    """Send one request in a stranger's name from an address of its own; return the status."""
    actor = key.removesuffix("/main-key")
    signer = forging(
        near, actor.partition("#")[0] if method == "GET" else actor, key if "main-key" in key else f"{key}#k"
    )
    from_address(world, near, f"198.{18 + number // 250}.{number % 250}.7")
    body = json.dumps(near.activity("Like", ALICE, signer)).encode() if method == "POST" else b""
    target = SHARED_INBOX if method == "POST" else ALICE
    answer = await near.send(near.signed(target, body, signer, method=method))
    assert answer.status_code in (400, 401, 503), answer.text
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) >= 1
    return answer.status_code


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.name)
async def test_one_burst_cannot_be_aimed_at_somebody(world: World, trick: Trick) -> None:
    """At most thirty requests at once reach a domain for strangers' keys, whatever varies, from many addresses."""
    home_of(world)
    near = world.peer("near.example", "n")
    everywhere(world)
    minute = Minute(world)
    for number in range(120):
        await forge(world, near, trick.key_of(number), trick.method, number)
        minute.note()
    assert minute.most(_domain(trick.key_of(1))) <= A_MINUTE, minute.most(_domain(trick.key_of(1)))


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_no_minute_of_a_steady_flood_has_more(world: World, method: str) -> None:
    """In no sixty seconds of an attack that goes on are there more than thirty requests to its target."""
    home_of(world)
    near = world.peer("near.example", "n")
    everywhere(world)
    minute = Minute(world)
    for number in range(300):
        await forge(world, near, f"https://target.example/users/u{number}/main-key", method, number)
        minute.note()
        world.clock.forward(seconds=1)
    assert 0 < minute.most("target.example") <= A_MINUTE, minute.most("target.example")


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_nobody_is_reached_by_way_of_others(world: World, method: str) -> None:
    """Redirects from a thousand domains to one target do not get past what may be asked there."""
    home_of(world)
    near = world.peer("near.example", "n")
    everywhere(world)
    minute = Minute(world)
    for number in range(80):
        location = {"location": f"https://target.example/victim/{number}"}
        world.board.apps[f"lure{number}.example"] = Response(status_code=302, headers=location)
        await forge(world, near, f"https://lure{number}.example/users/x#main-key", method, number)
        minute.note()
    assert minute.most("target.example") <= A_MINUTE, minute.most("target.example")


async def followed(world: World, home: Gateway, near: PlainPeer) -> None:
    """Let alice follow a peer that we have met."""
    assert (await near.post(INBOX, near.activity("Follow", ALICE))).status_code == 202
    home.kit.store.relations.save_follow(ALICE, near.me.id, f"{ALICE}/f", "accepted", world.clock.now())
    await world.drain()


LEADS: dict[str, Callable[[PlainPeer, str], dict[str, Any]]] = {
    "by name": lambda near, there: near.activity("Announce", there),
    "by a redirect": lambda near, there: near.activity("Announce", _redirect(near, there)),
    "by an answer": lambda near, there: near.activity("Create", near.note(inReplyTo=there), cc=[FOLLOWERS]),
    "by a like": lambda near, there: near.activity("Like", there, cc=[FOLLOWERS]),
    "by a move": lambda near, there: {**near.activity("Move", near.me.id), "target": there},
}


def _redirect(near: PlainPeer, there: str) -> str:
    here = near.id("lures")
    near.serve(here, b"", 302, location=there)
    return here


@pytest.mark.parametrize("lead", LEADS)
async def test_errands_of_a_peer_are_counted_where_they_lead(world: World, lead: str) -> None:
    """However a peer makes us ask somebody else, it is not more often in a minute than an errand may be."""
    home = home_of(world)
    near = world.peer("near.example", "n")
    await followed(world, home, near)
    everywhere(world)
    minute = Minute(world)
    for number in range(120):
        document = LEADS[lead](near, f"https://target.example/victim/{number}")
        assert (await near.post(INBOX, document)).status_code == 202
        await world.drain()
        minute.note()
    assert minute.most("target.example") <= pacing.ERRANDS, minute.most("target.example")
    assert minute.most("target.example") > 0


async def test_nobody_is_poisoned_by_a_spent_allowance(world: World) -> None:
    """What was not asked for, because its cause had used its requests up, is not remembered as failed."""
    home = home_of(world)
    near, honest = world.peer("near.example", "n"), world.peer("honest.example", "h")
    labyrinth = maze(world)
    await followed(world, home, near)
    home.kit.paces.errands = Pace(
        world.clock, "errands", quota=0, seconds=60.0, cap=10
    )  # the allowance alone counts here
    document = near.activity("Announce", labyrinth.new(), cc=[FOLLOWERS])
    # The announced note and its author take 14 of 20 requests, the page takes 6; then comes somebody's name.
    await near.post(INBOX, {**document, "inReplyTo": [labyrinth.new("pages"), honest.me.id]})
    await world.drain()
    assert len(labyrinth.seen) == 20
    assert not [request for request in out(world) if request.url.host == "honest.example"]
    assert (await discover.actor_at(home.kit, honest.me.id)).id == honest.me.id


async def test_forwards_are_counted_by_domain(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer does not fan out through us more than its hour's share by having many hosts."""
    monkeypatch.setattr("peers.plain.generate", pooled)
    home = home_of(world)
    friend = world.peer("friend.example", "f")
    assert (await friend.post(INBOX, friend.activity("Follow", ALICE))).status_code == 202
    alice = home.kit.store.accounts.by_id(ALICE)
    assert alice is not None
    post, _ = await publish.create(home.kit, alice, Draft(text="mine"))
    await world.drain()
    friend.received.clear()
    for number in range(MAX_AN_HOUR + 10):
        fan = world.peer(f"h{number}.fan.example", "x")
        reply = fan.activity("Create", fan.note(inReplyTo=post.id), cc=[FOLLOWERS])
        assert (await fan.post(INBOX, reply)).status_code == 202
        await world.drain()
    assert 0 < len(friend.received) <= MAX_AN_HOUR, len(friend.received)


async def test_few_searches_are_under_way_at_once(world: World) -> None:
    """Silent key hosts hold a bounded number of requests (and their bodies); the rest are told at once to come back."""
    home_of(world)
    near, silent = world.peer("near.example", "n"), Silent()
    plain = world.board.apps
    world.board.apps = {f"d{number}.example": silent for number in range(300)} | plain
    from_address(world, near, "192.0.2.1")
    waiting = []
    for number in range(300):
        signer = forging(near, f"https://d{number}.example/users/x")
        waiting.append(asyncio.create_task(near.post(SHARED_INBOX, near.activity("Like", ALICE, signer), signer)))
    for _ in range(50):
        await asyncio.sleep(0)
    held = silent.held
    silent.open.set()
    answers = [answer.status_code for answer in await asyncio.gather(*waiting)]
    assert {*answers} <= {401, 429, 503}
    assert 0 < held <= AT_ONCE, held


class Silent:
    """Hosts that say nothing until they are let."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.held = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Wait."""
        self.held += 1
        await self.open.wait()
        await Response(status_code=404)(scope, receive, send)


async def test_honest_newcomers_all_get_in(world: World) -> None:
    """A server whose five hundred people all speak up in one minute is not held back: who is verified costs nothing."""
    home = home_of(world)
    crowd = world.peer("crowd.example", "first")
    answers: Counter[int] = Counter()
    for number in range(500):
        someone = newcomer(crowd, f"u{number}")
        if number % 2:
            answer = await crowd.post(SHARED_INBOX, crowd.activity("Like", ALICE, someone), someone)
        else:
            answer = await crowd.get(ALICE, someone)
        answers[answer.status_code] += 1
        if number % 10 == 0:
            world.clock.forward(seconds=1)
    assert answers == {202: 250, 200: 250}
    assert home.kit.paces.keys.look("crowd.example").remaining == pacing.KEYS
    posts = [(crowd.activity("Like", ALICE, newcomer(crowd, f"w{n}")), newcomer(crowd, f"w{n}")) for n in range(25)]
    together = await asyncio.gather(*(crowd.post(SHARED_INBOX, document, someone) for document, someone in posts))
    assert {answer.status_code for answer in together} == {202}


def newcomer(peer: PlainPeer, name: str) -> Actor:
    """Return somebody new of a peer, who shares its keys with the first (making keys is slow)."""
    actor = replace(peer.me, id=f"{peer.base}/users/{name}", name=name)
    peer.serve_document(actor.id, actor.document())
    return actor


async def test_forgers_do_not_lock_a_domain_out(world: World) -> None:
    """While somebody forges a domain's names from one address, its real people still get in."""
    home_of(world)
    near, crowd = world.peer("near.example", "n"), world.peer("crowd.example", "first")
    from_address(world, near, "198.51.100.7")
    for number in range(60):
        signer = forging(near, f"{crowd.base}/users/forged{number}")
        await near.post(SHARED_INBOX, near.activity("Like", ALICE, signer), signer)
    someone = newcomer(crowd, "real")
    assert (await crowd.post(SHARED_INBOX, crowd.activity("Like", ALICE, someone), someone)).status_code == 202


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_one_forged_request_does_not_lock_somebody_out(world: World, scheme: str) -> None:
    """What a forger makes us look for in vain does not keep out whose name it was, whatever its server wants."""
    home_of(world)
    near, strict = world.peer("near.example", "n"), world.peer("strict.example", "s")
    plain = world.board.apps["strict.example"]

    async def challenging(scope: Any, receive: Any, send: Any) -> None:
        signed = {name for name, _ in scope["headers"]}
        wanted = b"signature-input" in signed if scheme == "rfc9421" else b"signature-input" not in signed
        if wanted:
            await plain(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    world.board.apps["strict.example"] = challenging
    signer = forging(near, strict.me.id)
    other = "cavage" if scheme == "rfc9421" else "rfc9421"
    assert (
        await near.post(SHARED_INBOX, near.activity("Like", ALICE, signer), signer, scheme=other)
    ).status_code == 401
    answer = await strict.post(SHARED_INBOX, strict.activity("Like", ALICE), scheme=scheme)
    assert answer.status_code == 202, answer.text
