"""A day in seconds: a gateway with two hundred peers, healthy, flaky, away for hours or dead, and a clock by hand."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from flows import crowd
from world import START, Switchboard, account

from gateway.activitypub.note import Draft
from gateway.flows import publish, revise
from gateway.jobs import circuit
from gateway.jobs.circuit import State
from gateway.store.jobs import OPEN

if TYPE_CHECKING:
    from datetime import datetime

    from world import ManualClock, World

pytestmark = pytest.mark.anyio
HOSTS = {
    kind: [f"{kind}{number}.example" for number in range(many)]
    for kind, many in (("healthy", 130), ("flaky", 30), ("away", 20), ("dead", 20))
}
AWAY_FROM, AWAY_UNTIL = START + timedelta(hours=3), START + timedelta(hours=9)
POSTS, EVERY = 12, timedelta(hours=1)
PROBES_OF_A_DAY = 48  # one in half an hour
BEFORE_IT_OPENS = 20  # the first five failures within ten minutes may be those of the second post


class Day(Switchboard):
    """All peers at once, each as its name says; what they took is written down with the time."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.chance = random.Random(9421)
        self.asked: dict[str, list[datetime]] = defaultdict(list)
        self.taken: dict[str, list[tuple[str, str]]] = defaultdict(list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, now = request.url.host, self.clock.now()
        self.asked[host].append(now)
        if host.startswith("dead") or (host.startswith("away") and AWAY_FROM <= now < AWAY_UNTIL):
            raise httpx.ConnectError("nobody there")
        if host.startswith("flaky") and self.chance.random() < 1 / 3:
            return crowd.answer(self.chance.choice((500, 503, 429)))
        document = json.loads(request.content)
        self.taken[host].append((document["type"], document["object"]["id"]))
        return crowd.answer(202)


async def test_a_day_with_mixed_peers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lives has everything in order by the end of the day, and who is dead was asked a few times only."""
    crowd.without_signatures(monkeypatch)
    day = world.board = Day(world.clock)
    home = world.gateway()
    home.kit.store.database.run("PRAGMA synchronous=OFF")  # no power cut is part of this
    alice = account(home)
    crowd.gathered(home.kit, alice, [host for hosts in HOSTS.values() for host in hosts])
    written: list[tuple[str, str]] = []
    posts: list[str] = []
    for number in range(POSTS):
        stored, _ = await publish.create(home.kit, alice, Draft(text=f"post {number}"))
        posts.append(stored.id)
        written.append(("Create", stored.id))
        if number % 5 == 4:
            await revise.edit(home.kit, alice, posts[number - 1], text="edited")
            written.append(("Update", posts[number - 1]))
        if number % 5 == 3:
            revise.delete(home.kit, alice, posts[number - 3])
            written.append(("Delete", posts[number - 3]))
        await _until(world, START + EVERY * (number + 1))
    await _until(world, START + timedelta(hours=24))
    # Who lives.
    for host in HOSTS["healthy"]:
        assert day.taken[host] == written
        assert len(day.asked[host]) == len(written)
    for host in (*HOSTS["flaky"], *HOSTS["away"]):
        for post in posts:
            had = [deed for deed in day.taken[host] if deed[1] == post]
            whole = [deed for deed in written if deed[1] == post]
            if ("Delete", post) in whole:
                # What was deleted while nobody was there is never heard of, or its end alone.
                assert had in (whole, whole[-1:], []), host
            else:
                assert had == whole, host
    living = {job.peer for job in home.kit.store.jobs.find(states=OPEN, limit=100_000)}
    assert living == {f"https://{host}" for host in HOSTS["dead"]}
    # Who is dead.
    states = {
        host: circuit.state(home.kit.store.circuits.get(f"https://{host}"), world.clock.now()) for host in day.asked
    }
    assert {states[host] for host in HOSTS["dead"]} <= {State.OPEN, State.HALF_OPEN}
    assert {states[host] for host in HOSTS["healthy"]} == {State.CLOSED}
    most = max(len(day.asked[host]) for host in HOSTS["dead"])
    print(f"a dead peer was asked {most} times; {sum(len(asked) for asked in day.asked.values())} requests in all")
    assert most <= PROBES_OF_A_DAY + BEFORE_IT_OPENS
    # By then every circuit is open, whatever the jitter was: hardly more than one probe in half an hour.
    late = START + timedelta(hours=4)
    assert max(sum(moment >= late for moment in day.asked[host]) for host in HOSTS["dead"]) <= PROBES_OF_A_DAY


async def _until(world: World, end: datetime) -> None:
    """Let time pass from one moment at which something is due to the next."""
    [home] = world.gateways
    while (moment := crowd.next_moment(home.kit)) is not None and moment <= end:
        world.clock.forward(seconds=max(0.0, (moment - world.clock.now()).total_seconds()))
        await home.worker.drain()
    world.clock.forward(seconds=(end - world.clock.now()).total_seconds())
