"""Too much of anything: who is slowed down, who is not, what the answers say about it, and that nothing grows."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from attacks.maze import ALICE, asks, forging, from_address, home_of, out
from attacks.scene import INBOX, SHARED_INBOX
from flows.keypool import pooled
from peers.plain import ACTIVITY_JSON
from world import BASE, snapshot

from gateway.flows import grant, pacing
from gateway.net.domain import registrable
from gateway.net.pace import Pace
from gateway.net.soft import Soft

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from world import World

    from gateway.flows.kit import Kit

pytestmark = pytest.mark.anyio
POLICY = re.compile(r'"([a-z-]+)";q=(\d+);w=(\d+)')
STATE = re.compile(r'"([a-z-]+)";r=(\d+);t=(\d+)')


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


# Who is slowed down


async def test_a_peer_is_slowed_down_and_another_is_not(world: World) -> None:
    """One domain's verified requests are counted together over all its hosts, people and addresses; others' are not."""
    home = home_of(world, limit_peer=10)
    statuses, other = [], world.peer("other.example", "o")
    for number in range(16):
        peer = world.peer(
            ("flood.example", "www.flood.example", f"h{number}.flood.example")[number % 3], f"p{number % 4}"
        )
        from_address(world, peer, f"198.51.{number}.7")
        asked = peer.get(ALICE) if number % 5 == 0 else peer.post(INBOX, peer.activity("Like", ALICE))
        statuses.append((await asked).status_code)
    assert Counter(status < 300 for status in statuses) == {True: 10, False: 6}
    assert statuses[10:] == [429] * 6
    before = snapshot(home.kit)
    late = world.peer("late.flood.example", "l")
    assert (await late.post(INBOX, late.activity("Like", ALICE))).status_code == 429
    assert snapshot(home.kit) == before
    for number in range(10):
        answer = await other.post(INBOX, other.activity("Like", ALICE)) if number % 2 else await other.get(ALICE)
        assert answer.status_code in (200, 202)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("a.example", "b.a.example", True), ("a.co.uk", "b.a.co.uk", True), ("a.co.uk", "b.co.uk", False),
        ("one.github.io", "two.github.io", False), ("a.example", "b.example", False),
        ("a.example", "xa.example", False), ("a.example", "a.example.example", False),
        ("192.0.2.1", "192.0.2.250", True), ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8:0:1::1", "2001:db8:0:ff::2", True), ("2001:db8:0:1::1", "2001:db8:0:100::1", False),
        ("xn--r8jz45g.xn--zckzah", "www.xn--r8jz45g.xn--zckzah", True), ("example", "a.example", False),
        ("::ffff:192.0.2.1", "192.0.2.9", True), ("s3.amazonaws.com", "x.s3.amazonaws.com", False),
    ],
)  # fmt: skip
def test_what_is_one_party(one: str, two: str, *, same: bool) -> None:
    """A registered domain with everything below it is one party, a public suffix is none, an address is its network."""
    assert (registrable(one) == registrable(two)) is same


async def test_one_network_is_slowed_down_and_another_is_not(world: World) -> None:
    """Unverified requests are counted by /24 and /56; health is answered all the same."""
    home_of(world, limit_network=6)
    for number in range(6):
        assert (await asks(world, f"192.0.2.{number}")).status_code == 200
    assert [(await asks(world, address)).status_code for address in ("192.0.2.250", "::ffff:192.0.2.9")] == [429, 429]
    assert (await asks(world, "192.0.3.1")).status_code == 200
    for number in range(6):
        assert (await asks(world, f"2001:db8:0:{number:x}::1")).status_code == 200
    assert (await asks(world, "2001:db8:0:ff::1")).status_code == 429
    assert (await asks(world, "2001:db8:0:100::1")).status_code == 200
    assert (await asks(world, "192.0.2.1", "/livez")).status_code == 200


async def test_verified_work_does_not_use_up_its_network(world: World) -> None:
    """A hundred verified requests from one network leave room for others there."""
    home_of(world, limit_network=5)
    peer = world.peer()
    from_address(world, peer, "192.0.2.1")
    for _ in range(50):
        assert (await peer.post(INBOX, peer.activity("Like", ALICE))).status_code == 202
        assert (await peer.get(ALICE)).status_code == 200
    assert (await asks(world, "192.0.2.2")).status_code == 200


async def test_who_fails_too_often_is_not_looked_for_any_more(world: World) -> None:
    """After six hundred failures from a network its strangers' signatures get a 429, its known peers do not."""
    home_of(world)
    near, friend = world.peer("near.example", "n"), world.peer("friend.example", "f")
    assert (await friend.post(INBOX, friend.activity("Like", ALICE))).status_code == 202
    statuses: Counter[int] = Counter()
    from_address(world, near, "192.0.2.1")
    for number in range(pacing.UNVERIFIED + 20):
        signer = forging(near, f"https://d{number}.example/users/x")
        answer = await near.post(SHARED_INBOX, near.activity("Like", ALICE, signer), signer)
        statuses[answer.status_code] += 1
    asked = len(out(world))
    assert statuses == {503: pacing.UNVERIFIED, 429: 20}
    truthful(answer, "unverified")
    from_address(world, friend, "192.0.2.2")
    assert (await friend.post(INBOX, friend.activity("Like", ALICE))).status_code == 202
    assert (await asks(world, "192.0.2.3")).status_code == 200
    assert len(out(world)) == asked


@pytest.mark.parametrize("settings", [{"limit_network": 0, "limit_peer": 0}, {}])
async def test_nought_is_no_limit(world: World, settings: dict[str, int]) -> None:
    """A limit of 0 is none, and then nothing is said about one; the defaults let an ordinary server do its work."""
    home_of(world, **settings)
    peer = world.peer()
    from_address(world, peer, "192.0.2.1")
    for number in range(400):
        answer = await peer.post(INBOX, peer.activity("Like", ALICE)) if number % 2 else await asks(world, "192.0.2.1")
        assert answer.status_code in (200, 202)
        if settings:
            assert not [name for name in answer.headers if "ratelimit" in name.lower()]


# What the answers say


def truthful(answer: httpx.Response, name: str) -> int:
    """Return Retry-After of a 429, after checking that its fields and its problem say the same thing."""
    assert answer.status_code == 429
    policy, state = POLICY.fullmatch(answer.headers["ratelimit-policy"]), STATE.fullmatch(answer.headers["ratelimit"])
    assert policy is not None
    assert state is not None
    assert policy[1] == state[1] == name
    assert state[2] == "0"
    wait = int(answer.headers["retry-after"])
    assert 1 <= wait <= int(policy[3])
    assert wait <= int(state[3]) <= int(policy[3])
    problem = answer.json()
    assert problem["code"] == "too-many-requests"
    assert problem["limit"] == {
        "name": name, "quota": int(policy[2]), "window": int(policy[3]), "remaining": 0, "reset": int(state[3])
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    return wait


async def test_the_fields_tell_an_unverified_client_the_truth(world: World) -> None:
    """Who counts down with RateLimit never meets a 429, who ignores it does, and Retry-After is exactly long enough."""
    home_of(world, limit_network=12)
    left = 12
    while left:
        answer = await asks(world, "192.0.2.1", "/users/alice", accept=ACTIVITY_JSON)
        assert answer.status_code == 200
        assert POLICY.fullmatch(answer.headers["ratelimit-policy"]).groups() == ("network", "12", "300")  # type: ignore[union-attr]
        state = STATE.fullmatch(answer.headers["ratelimit"])
        assert state is not None
        assert int(state[2]) == left - 1
        left = int(state[2])
    wait = truthful(await asks(world, "192.0.2.1", "/users/alice"), "network")
    world.clock.forward(seconds=wait - 1.01)
    assert (await asks(world, "192.0.2.1", "/users/alice")).status_code == 429
    world.clock.forward(seconds=1.01)
    answer = await asks(world, "192.0.2.1", "/users/alice")
    assert answer.status_code == 200
    world.clock.forward(seconds=int(STATE.fullmatch(answer.headers["ratelimit"])[3]))  # type: ignore[index]
    whole = STATE.fullmatch((await asks(world, "192.0.2.1", "/users/alice")).headers["ratelimit"])
    assert whole is not None
    assert whole[2] == "11"


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_the_fields_tell_a_peer_the_truth(world: World, method: str) -> None:
    """Who signs is told about the limit that holds for who signs, and is never refused while something is left."""
    home_of(world, limit_peer=8)
    peer, answers = world.peer(), []
    for _ in range(10):
        sent = peer.post(INBOX, peer.activity("Like", ALICE)) if method == "POST" else peer.get(ALICE)
        answers.append(await sent)
    assert [answer.status_code for answer in answers] == [202 if method == "POST" else 200] * 8 + [429] * 2
    wait = truthful(answers[-1], "peer")
    assert wait == 38  # 300 s / 8
    states = [STATE.fullmatch(answer.headers["ratelimit"]) for answer in answers[:8]]
    assert [(state[1], int(state[2])) for state in states if state is not None] == [("peer", 7 - n) for n in range(8)]


async def test_wrong_secrets_are_counted(world: World) -> None:
    """After twenty-five wrong tokens a network is told when it may guess again; a right one is taken all the same."""
    home = home_of(world)
    alice = home.kit.store.accounts.by_id(ALICE)
    assert alice is not None
    secret = grant.create_token(home.kit, alice, "mine")[1]
    for number in range(pacing.SIGN_IN):
        guess = await asks(world, f"192.0.2.{number}", "/users/alice/outbox", authorization=f"Bearer gw_{number}")
        assert guess.status_code == 401
    guess = await asks(world, "192.0.2.1", "/users/alice/outbox", authorization="Bearer gw_x")
    assert truthful(guess, "sign-in") == 12  # 300 s / 25
    right = {"authorization": f"Bearer {secret}", "accept": ACTIVITY_JSON}
    assert (await asks(world, "192.0.2.1", "/users/alice/outbox", **right)).status_code == 200
    other = await asks(world, "192.0.3.1", "/users/alice/outbox", authorization="Bearer gw_x")
    assert other.status_code == 401


async def test_what_others_may_be_shown_says_nothing_of_whoever_asked(world: World) -> None:
    """An answer that a shared cache may keep carries no RateLimit fields."""
    home_of(world)
    for path in ("/static/site.css", "/nodeinfo/2.1", "/.well-known/nodeinfo", "/robots.txt", "/@alice", "/about"):
        answer = await asks(world, "192.0.2.1", path)
        public = answer.headers.get("cache-control", "").startswith("public")
        assert ("ratelimit" not in answer.headers) is (public or path.startswith("/static")), path


# Whose address counts

PROXIES = ["10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize(
    ("connects", "says", "counts"),
    [
        ("192.0.2.1", "198.51.100.9", "192.0.2.0/24"),
        ("192.0.2.1", "10.0.0.1", "192.0.2.0/24"),
        ("192.0.2.1", "", "192.0.2.0/24"),
        ("10.0.0.1", "198.51.100.9", "198.51.100.0/24"),
        ("fd00::1", "198.51.100.9", "198.51.100.0/24"),
        ("10.0.0.1", "2001:db8:0:7::1", "2001:db8::/56"),
        ("10.0.0.1", "203.0.113.1, 198.51.100.9", "198.51.100.0/24"),
        ("10.0.0.1", "203.0.113.1, 198.51.100.9, 10.0.0.2", "198.51.100.0/24"),
        ("10.0.0.1", "10.9.9.9, 198.51.100.9", "198.51.100.0/24"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.0/24"),
        ("10.0.0.1", "", "10.0.0.0/24"),
        ("10.0.0.1", "198.51.100.9:51234", "198.51.100.0/24"),
        ("10.0.0.1", "[2001:db8::1]:51234", "2001:db8::/56"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::/56"),
        ("10.0.0.1", "::ffff:198.51.100.9", "198.51.100.0/24"),
        ("::ffff:10.0.0.1", "198.51.100.9", "198.51.100.0/24"),
        ("10.0.0.1", "198.51.100.9, ::ffff:10.0.0.2", "198.51.100.0/24"),
    ],
)  # fmt: skip
async def test_the_client_is_who_a_trusted_proxy_says(world: World, connects: str, says: str, counts: str) -> None:
    """X-Forwarded-For counts from the right past trusted proxies, and not at all from an address that is none."""
    home = home_of(world, trusted_proxies=PROXIES)
    assert (await asks(world, connects, x_forwarded_for=says)).status_code == 200
    assert [key for key in home.kit.paces.requests._full._items if key == counts] == [counts], _counted(home.kit)


def _counted(kit: Kit) -> list[str]:
    return list(kit.paces.requests._full._items)


@pytest.mark.parametrize("proxies", [[], PROXIES])
async def test_no_header_gets_past_a_limit(world: World, proxies: list[str]) -> None:
    """Whoever is no trusted proxy is counted by where they connect from, whatever they claim in whichever field."""
    home_of(world, limit_network=5, trusted_proxies=proxies)
    claims = ("x_forwarded_for", "forwarded", "x_real_ip", "cf_connecting_ip", "true_client_ip", "x_client_ip", "via")
    statuses = []
    for number, name in enumerate(claims):
        claim = f"for=203.0.{number}.1" if name == "forwarded" else f"203.0.{number}.1"
        statuses.append((await asks(world, "192.0.2.1", **{name: claim})).status_code)
    assert statuses == [200] * 5 + [429] * 2
    if proxies:  # and who comes through a proxy is counted by the last address that nobody could invent
        through = [await asks(world, "10.0.0.1", x_forwarded_for=f"203.0.{n}.1, 198.51.100.{n}") for n in range(7)]
        assert [answer.status_code for answer in through] == [200] * 5 + [429] * 2


async def test_a_claimed_host_or_scheme_changes_nothing(world: World) -> None:
    """Not even a trusted proxy says which server this is."""
    home_of(world, trusted_proxies=PROXIES)
    told = {
        "x_forwarded_host": "evil.example",
        "x_forwarded_proto": "http",
        "forwarded": "host=evil.example;proto=http",
    }
    answer = await asks(world, "10.0.0.1", "/actor", x_forwarded_for="198.51.100.9", accept=ACTIVITY_JSON, **told)
    assert answer.json()["id"] == f"{BASE}/actor"
    assert "evil.example" not in answer.text + str(answer.headers)


# Nothing grows


def _soft(kit: Kit) -> Iterator[tuple[str, Soft[Any]]]:
    """Yield everything that is remembered softly, by name."""
    for one in fields(kit):
        value = getattr(kit, one.name)
        if isinstance(value, Soft):
            yield one.name, value
    for one in fields(kit.paces):
        value = getattr(kit.paces, one.name)
        if isinstance(value, Pace):
            yield f"paces.{one.name}", value._full


async def test_what_strangers_make_us_remember_is_bounded(world: World) -> None:
    """Fifty thousand keys in every soft map leave no more than its cap, and after its time nothing holds."""
    home = home_of(world)
    found = dict(_soft(home.kit))
    assert {"failed_fetches", "refetched", "forwarded", "paces.requests", "paces.keys", "paces.peers"} <= found.keys()
    for name, soft in found.items():
        for number in range(50_000):
            soft.put(f"https://h{number}.example/users/x", 1)
        assert 0 < len(soft) <= pacing.CAP, name
        assert soft.get("https://h49999.example/users/x") is not None
        assert soft.get("https://h0.example/users/x") is None
    world.clock.forward(days=2)
    assert [name for name, soft in found.items() if soft.get("https://h49999.example/users/x") is not None] == []


@pytest.mark.parametrize("name", [one.name for one in fields(pacing.Paces) if one.type == "Pace"])
async def test_a_pace_holds_for_whoever_is_remembered(world: World, name: str) -> None:
    """Fifty thousand others, once each, do not make a pace forget who used their quota up while there is room."""
    home = home_of(world)
    pace = getattr(home.kit.paces, name)
    for number in range(50_000):
        pace.take(f"first{number}")
        assert len(pace._full) <= pacing.CAP
    assert pace.take("busy", pace.quota).ok
    for number in range(pacing.CAP // 2):
        pace.take(f"other{number}")
    assert not pace.look("busy").ok
    assert len(pace._full) <= pacing.CAP


async def test_addresses_without_number_leave_no_more_than_the_cap(world: World) -> None:
    """Strangers' names that are looked for in vain are forgotten in the order in which they came."""
    home = home_of(world)
    near = world.peer("near.example", "n")
    for number in range(40):
        signer = forging(near, f"https://v{number}.example/users/x")
        await near.post(SHARED_INBOX, near.activity("Like", ALICE, signer), signer)
    assert len(home.kit.failed_fetches) == 40
    for number in range(50_000):
        home.kit.failed_fetches.put(f"x{number}", 0)
    assert home.kit.failed_fetches.get("https://v0.example/users/x") is None
    assert registrable.cache_info().maxsize == 4096
