"""Rate limits at the door: who is counted, what is said, and who is not held up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from web.asking import Answer, ask, problem_of
from world import BASE, World, account

from gateway.flows import pacing
from gateway.flows.grant import create_token, sign_in_link
from gateway.web import pace

if TYPE_CHECKING:
    from peers.plain import PlainPeer

pytestmark = pytest.mark.anyio


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks be wrong three times, and look for two keys."""
    monkeypatch.setattr(pacing, "UNVERIFIED", 3)
    monkeypatch.setattr(pacing, "SIGN_IN", 3)


async def get(world: World, path: str = "/users/alice", *lines: tuple[str, str]) -> Answer:
    """Ask for something."""
    return await ask(world.board.apps["gw.example"], "GET", path, lines)


async def unsigned(world: World) -> Answer:
    """Post to the inbox without a signature."""
    lines = [("content-type", "application/activity+json")]
    body = b'{"id":"https://peer.example/1","type":"Like","actor":"https://peer.example/users/bob","object":"x"}'
    return await ask(world.board.apps["gw.example"], "POST", "/inbox", lines, body, client="127.0.0.1")


async def like(world: World, peer: PlainPeer) -> int:
    """Send a valid activity."""
    del world
    return (await peer.post(f"{BASE}/inbox", peer.activity("Like", f"{BASE}/users/alice"))).status_code


async def test_answers_say_what_is_left(world: World) -> None:
    """The RateLimit fields name the policy and what is left of it; what caches keep has none."""
    account(world.gateway(limit_network=100))
    first, second = await get(world, "/@alice"), await get(world, "/nodeinfo/2.1")
    assert first.header("ratelimit-policy") == '"network";q=100;w=300'
    assert first.header("ratelimit") == '"network";r=99;t=3'
    assert second.header("ratelimit") == '"network";r=98;t=6'


async def test_a_network_that_asks_too_much_waits(world: World) -> None:
    """Over the quota the answer is 429 with Retry-After, and after that time there is room again."""
    account(world.gateway(limit_network=2))
    answers = [await get(world, "/@alice") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    problem = problem_of(answers[2], [429])
    assert problem["code"] == "too-many-requests"
    assert problem["limit"] == {"name": "network", "quota": 2, "window": 300, "remaining": 0, "reset": 300}
    assert answers[2].header("retry-after") == "150"
    assert answers[2].header("ratelimit") == '"network";r=0;t=300'
    assert (await get(world, "/livez")).status == 200
    world.clock.forward(seconds=150)
    assert (await get(world, "/@alice")).status == 200


async def test_nought_turns_the_limit_off(world: World) -> None:
    """With 0 nobody waits, and nothing is said about limits."""
    account(world.gateway(limit_network=0, limit_peer=0))
    answers = [await get(world, "/@alice") for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert answers[0].header("ratelimit") == ""


async def test_verified_requests_are_not_counted_by_network(world: World) -> None:
    """A peer behind a busy address is counted by its domain alone."""
    account(world.gateway(limit_network=2))
    peer = world.peer()
    assert [await like(world, peer) for _ in range(6)] == [202] * 6
    assert (await get(world, "/@alice")).header("ratelimit") == '"network";r=1;t=150'


async def test_a_domain_that_sends_too_much_waits_alone(world: World) -> None:
    """Over the quota of a domain its subdomains wait, too; another domain is taken."""
    account(world.gateway(limit_peer=3))
    one, sub, other = world.peer(), world.peer("sub.peer.example"), world.peer("other.example")
    assert [await like(world, peer) for peer in (one, one, sub, one, sub)] == [202, 202, 202, 429, 429]
    assert await like(world, other) == 202
    answer = await one.post(f"{BASE}/inbox", one.activity("Like", f"{BASE}/users/alice"))
    assert answer.headers["retry-after"] == "100"
    assert answer.headers["ratelimit-policy"] == '"peer";q=3;w=300'


@pytest.mark.usefixtures("small")
async def test_failed_signatures_stop_searches_for_keys_only(world: World) -> None:
    """A network that failed too often gets no more keys looked for; whom the gateway knows is still taken."""
    account(world.gateway())
    known, stranger = world.peer(), world.peer("stranger.example", "eve")
    assert await like(world, known) == 202
    assert [(await unsigned(world)).status for _ in range(3)] == [401] * 3
    asked = len(world.board.requests)
    answer = await stranger.post(f"{BASE}/inbox", stranger.activity("Like", f"{BASE}/users/alice"))
    assert answer.status_code == 429
    assert answer.headers["ratelimit-policy"] == '"unverified";q=3;w=300'
    assert [r.url.host for r in world.board.requests[asked:]] == ["gw.example"]
    assert await like(world, known) == 202
    assert (await get(world, "/@alice")).status == 200
    world.clock.forward(seconds=300)
    assert await like(world, stranger) == 202


@pytest.mark.usefixtures("small")
async def test_wrong_tokens_are_counted_and_right_ones_are_not_held_up(world: World) -> None:
    """After too many wrong tokens the answer is 429; a right token of the same network is still taken."""
    home = world.gateway()
    alice = account(home)
    _, secret = create_token(home.kit, alice, "test")
    wrong = [(await get(world, "/users/alice", ("authorization", "Bearer gw_wrong"))).status for _ in range(4)]
    assert wrong == [401, 401, 401, 429]
    assert (await get(world, "/users/alice", ("authorization", f"Bearer {secret}"))).status == 200


@pytest.mark.usefixtures("small")
async def test_sign_in_codes_cannot_be_guessed(world: World) -> None:
    """After too many wrong codes no code of this network is looked at, right or wrong, for a while."""
    home = world.gateway()
    alice = account(home)

    async def enter(text: str) -> int:
        lines = [("content-type", "application/x-www-form-urlencoded"), ("origin", BASE)]
        app = world.board.apps["gw.example"]
        return (await ask(app, "POST", "/sign-in", lines, f"code={text}".encode())).status

    assert [await enter("wrong") for _ in range(4)] == [401, 401, 401, 429]
    assert await enter(sign_in_link(home.kit, alice)[0].rpartition("=")[2]) == 429
    world.clock.forward(seconds=300)
    assert await enter(sign_in_link(home.kit, alice)[0].rpartition("=")[2]) == 303


async def test_a_domain_may_fill_only_so_much(world: World) -> None:
    """What is kept of one domain in a day is bounded, its subdomains included; another domain has its own share."""
    home = world.gateway(limit_peer_mebibytes=1)
    account(home)
    one, sub, other = world.peer(), world.peer("sub.peer.example"), world.peer("other.example")

    async def send(peer: PlainPeer, size: int) -> int:
        document = peer.activity("Create", peer.note("x" * size), to=[f"{BASE}/users/alice"])
        return (await peer.post(f"{BASE}/inbox", document)).status_code

    assert [await send(one, 600_000), await send(sub, 600_000), await send(other, 600_000)] == [202, 429, 202]
    world.clock.forward(hours=12)
    assert await send(sub, 600_000) == 202


async def test_a_proxy_that_is_not_trusted_is_named_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbour that forwards for others and is not listed is named in the log, once; strangers' claims are not."""
    monkeypatch.setattr(pace, "_warned", False)
    account(world.gateway())
    app, lines = world.board.apps["gw.example"], [("x-forwarded-for", "192.0.2.9")]
    said: list[dict[str, str]] = []
    listener = SimpleNamespace(warning=lambda event, **more: said.append({event: more["address"]}))
    monkeypatch.setattr(pace, "log", lambda: listener)
    for client in ("93.184.215.14", "10.0.0.1", "10.0.0.1"):
        await ask(app, "GET", "/@alice", lines, client=client)
    assert said == [{"proxy-not-trusted": "10.0.0.1"}]
