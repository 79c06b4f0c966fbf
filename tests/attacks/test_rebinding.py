"""DNS rebinding: names whose answers turn between public and inner addresses, thousands of times, in every rhythm.

A trial is a few requests for one name or several, over connections that are kept, closed by the server or closed by
the attacker, some of them redirected from one turning name to the next, some signed, some deliveries. Whatever the
resolver says, no inner address may be dialled.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from attacks import ssrf_scene
from attacks.internet import OTHER_4, PUBLIC_4, PUBLIC_6
from attacks.registries import BLOCKS_4, BLOCKS_6, embedded, ends_and_middle, is_special
from attacks.ssrf_vectors import to

from gateway.errors import AddressRefused, GatewayError, RemoteUnreachable
from gateway.flows.fetch import fetch
from gateway.net import guard
from gateway.net.client import Answer
from gateway.net.purpose import DELIVERY, OBJECT, PAGE
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from attacks.ssrf_scene import Scene

anyio_backend, opened, scene = ssrf_scene.anyio_backend, ssrf_scene.opened, ssrf_scene.scene
pytestmark = pytest.mark.anyio
GOOD = (PUBLIC_4, PUBLIC_6, OTHER_4)
INNER = tuple(
    address
    for block in (*BLOCKS_4.values(), *BLOCKS_6.values())
    for address in ends_and_middle(block)
) + tuple(outer for inner in ("127.0.0.1", "169.254.169.254", "10.0.0.1") for _, outer in embedded(inner))  # fmt: skip
BASES = ("http://evil.example", "http://a.example", "https://b.example")
TRIALS, MANY = 1_000, 10_000


# What a name resolves to, lookup after lookup.


def _good(chance: random.Random) -> list[str]:
    return chance.sample(GOOD, chance.randint(1, 3))


def _inner(chance: random.Random) -> list[str]:
    return chance.sample(INNER, chance.randint(1, 3))


def _mixed(chance: random.Random) -> list[str]:
    both = _good(chance) + _inner(chance)
    chance.shuffle(both)
    return both


def _once(chance: random.Random) -> Iterator[list[str]]:
    """Good for the check, inner ever after."""
    yield _good(chance)
    while True:
        yield _inner(chance)


def _after_some(chance: random.Random) -> Iterator[list[str]]:
    """Good for a while, then inner."""
    for _ in range(chance.randint(2, 5)):
        yield _good(chance)
    while True:
        yield _inner(chance)


def _back_and_forth(chance: random.Random) -> Iterator[list[str]]:
    """Now good, now inner."""
    turns = [_good, _inner]
    chance.shuffle(turns)
    while True:
        for turn in turns:
            yield turn(chance)


def _at_random(chance: random.Random) -> Iterator[list[str]]:
    """Good, inner, both at once, nothing at all, or hundreds."""
    kinds: list[Callable[[random.Random], list[str]]] = [
        _good, _good, _inner, _mixed, lambda _: [], lambda c: _good(c) * 40, lambda c: [*_good(c) * 40, *_inner(c)],
    ]  # fmt: skip
    while True:
        yield chance.choice(kinds)(chance)


def _hidden(chance: random.Random) -> Iterator[list[str]]:
    """An inner address at the end of a long list of good ones, or twice the same good one before it."""
    while True:
        yield [chance.choice(GOOD)] * chance.randint(1, 60) + _inner(chance)
        yield _good(chance)


RHYTHMS = (_once, _after_some, _back_and_forth, _at_random, _hidden)


@dataclass(slots=True)
class Trials:
    """A run of trials against one scene, and what came of the requests."""

    scene: Scene
    chance: random.Random
    outcomes: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    forbidden: int = 0
    inside: int = 0
    connections: int = 0
    reopened: int = 0
    too_often: int = 0

    def name(self, host: str) -> None:
        """Let a name turn in a rhythm of its own."""
        rhythm = self.chance.choice(RHYTHMS)(self.chance)

        async def look_up() -> Sequence[str]:
            if self.chance.random() < 0.2:
                await asyncio.sleep(0)  # somebody else's lookup comes between
            found = next(rhythm)
            inner = sum(map(is_special, found))
            self.answers[
                "empty" if not found else "good" if not inner else "inner" if inner == len(found) else "mixed"
            ] += 1
            return found

        self.scene.internet.names[host] = look_up

    async def one(self) -> None:
        """Try once: a few requests, one after the other or all at once."""
        internet, chance = self.scene.internet, self.chance
        internet.clear()
        await internet.hang_up()
        internet.keeps_alive = chance.random() < 0.7
        for base in BASES:
            self.name(base.partition("://")[2])
            if chance.random() < 0.3:
                internet.sites[base].default = to(f"{chance.choice(BASES)}/next", chance.choice((301, 302, 307, 308)))
        if chance.random() < 0.3:
            await asyncio.gather(*(self.request() for _ in range(chance.randint(2, 6))))
        else:
            for _ in range(chance.randint(1, 5)):
                await self.request()
                if chance.random() < 0.4:
                    self.reopened += len(internet._writers)
                    await internet.hang_up()
        self.forbidden += len(internet.forbidden())
        self.inside += len(internet.inside)
        self.connections += len(internet.dialled)
        self.too_often += internet.asked_too_often().total()

    async def request(self) -> None:
        """Send one request of some kind."""
        kit, kind = self.scene.kit, self.chance.random()
        url = f"{self.chance.choice(BASES)}/{self.chance.randrange(10**9)}"
        work: Awaitable[Any]
        if kind < 0.1:
            work = fetch(kit, url, OBJECT)
        elif kind < 0.3:
            work = kit.client.send(SignedRequest(method="POST", target=url, headers=(), body=b"{}"), purpose=DELIVERY)
        else:
            work = kit.client.get(url, accept="*/*", purpose=PAGE)
        try:
            found: object = await work
        except GatewayError as error:
            found = error
        assert isinstance(found, Answer | RemoteUnreachable), found
        self.outcomes[type(found).__name__] += 1


async def run(scene: Scene, count: int, seed: int) -> Trials:
    """Run so many trials; return what came of them."""
    trials = Trials(scene, random.Random(seed))
    for _ in range(count):
        await trials.one()
    return trials


def check(trials: Trials, count: int) -> None:
    """Fail when an inner address was dialled, or when the trials were no trial."""
    assert trials.forbidden == 0
    assert trials.inside == 0
    assert trials.too_often == 0
    # Every kind of answer and of outcome came up often: nothing here was decided by one early refusal.
    assert min(trials.answers[kind] for kind in ("good", "inner", "mixed", "empty")) > count // 25, trials.answers
    assert trials.outcomes["Answer"] > count // 4, trials.outcomes
    assert trials.outcomes["AddressRefused"] > count // 4, trials.outcomes
    assert trials.connections > count // 2
    assert trials.reopened > count // 10


async def test_no_rebinding_reaches_an_inner_address(scene: Scene) -> None:
    """A thousand trials, each with names that turn in its course: no inner address is dialled."""
    check(await run(scene, TRIALS, seed=1), TRIALS)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
async def test_no_rebinding_reaches_an_inner_address_in_ten_thousand(seed: int, scene: Scene) -> None:
    """Ten thousand more."""
    check(await run(scene, MANY // 10, seed), MANY // 10)


async def test_a_guard_that_looks_up_twice_is_caught(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a guard that checks a name and then dials the name, the same trials do reach inner addresses."""
    checked = guard.GuardedBackend.checked

    async def by_name(backend: guard.GuardedBackend, host: str, port: int) -> Sequence[str]:
        await checked(backend, host, port)
        return [host]

    monkeypatch.setattr(guard.GuardedBackend, "checked", by_name)
    trials = await run(scene, 100, seed=1)
    assert trials.forbidden > 10
    assert trials.inside > 0
    assert trials.too_often > 10


async def test_a_guard_that_checks_the_first_answer_alone_is_caught(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a guard that looks at one address and dials them all, the same trials do reach inner addresses."""
    resolve = scene.internet.resolve

    async def first_checked(backend: guard.GuardedBackend, host: str, port: int) -> Sequence[str]:
        try:
            addresses = list(await resolve(host, port))
        except OSError as error:
            raise RemoteUnreachable(host) from error
        if not addresses or not backend._policy.permits(addresses[0]):
            raise AddressRefused(host)
        return addresses[::-1]

    monkeypatch.setattr(guard.GuardedBackend, "checked", first_checked)
    trials = await run(scene, 100, seed=1)
    assert trials.forbidden > 3
    assert trials.inside > 0
