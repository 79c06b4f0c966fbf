"""Claiming, whatever else happens to jobs: nobody over its share, nobody's turn lost, nothing left lying."""

from __future__ import annotations

import random
from contextlib import closing, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from store.rows import NOW

from gateway.store.circuits import Circuit
from gateway.store.claims import NO_SHARE, ROUNDS
from gateway.store.database import to_ms
from gateway.store.jobs import ARRIVALS, BULK, PEOPLE, NewJob
from gateway.store.store import Store
from gateway.store.turns import shared

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from gateway.store.jobs import Job

SHARES = {ARRIVALS: 8, PEOPLE: 4, BULK: 4}
PEERS = ("", "a.example", "b.example", "c.example", "d.example")
OPEN = "state IN ('waiting', 'queued', 'leased')"
STEPS = 200


def add(store: Store, peer: str, many: int, pool: int = PEOPLE) -> None:
    """Queue jobs of one peer, each in a lane of its own."""
    for number in range(many):
        store.jobs.add("deliver", {}, lane=f"{peer} {pool} {number}", peer=peer, due=NOW, pool=pool)


def peers_of(jobs: list[Job]) -> list[str]:
    """Return whose jobs were claimed."""
    return sorted(job.peer for job in jobs)


def test_each_gets_one_before_anybody_gets_two(store: Store) -> None:
    """With less room than there is work, everybody whose turn it is gets a job, and what is left goes round."""
    for peer, many in (("a", 9), ("b", 2), ("c", 1)):
        add(store, peer, many)
    assert peers_of(store.jobs.claim("me", NOW, 3, 4)) == ["a", "b", "c"]
    assert peers_of(store.jobs.claim("me", NOW, 3, 4)) == ["a", "a", "b"]


def test_nobody_gets_more_than_a_share(store: Store) -> None:
    """What is in hand counts: a peer has its share and no more, until something of it ends."""
    add(store, "a", 9)
    first = store.jobs.claim("me", NOW, 100, 4)
    assert len(first) == 4
    assert store.jobs.claim("me", NOW, 100, 4) == []
    store.jobs.finish(first[0].id, NOW)
    assert len(store.jobs.claim("me", NOW, 100, 4)) == 1


def test_what_is_for_nobody_waits_for_nobody(store: Store) -> None:
    """Jobs without a peer have no share, and still everybody else gets one first."""
    add(store, "", 3 * ROUNDS)
    add(store, "a", 2)
    claimed = peers_of(store.jobs.claim("me", NOW, 2 * ROUNDS, 4))
    assert (len(claimed), claimed.count("a")) == (2 * ROUNDS, 1)
    assert len(store.jobs.claim("me", NOW, 100, 4)) == ROUNDS + 2


def test_an_answer_keeps_its_place_while_posts_go_to_its_peer(store: Store) -> None:
    """An answer to somebody gets the first hand that is free, however often something to all ends for the same peer."""
    for number in range(20):
        add(store, f"other {number}", 40)
    add(store, "popular", 60, BULK)
    bulk = store.jobs.claim("me", NOW, 4, 4, (BULK,))
    add(store, "popular", 1)
    for number in range(60):
        now = NOW + timedelta(milliseconds=number + 1)
        store.jobs.finish(bulk.pop(0).id, now)
        people = store.jobs.claim("me", now, 10, 4, (PEOPLE,))
        if "popular" in peers_of(people):
            break
        for job in people:
            store.jobs.finish(job.id, now)
        bulk += store.jobs.claim("me", now, 1, 4, (BULK,))
    assert number < 5


def test_what_is_known_to_be_idle_is_not_asked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it was nobody's turn and nothing has happened since a claim asks nothing, until something is due."""
    store.jobs.add("deliver", {}, lane="later", peer="a", due=NOW + timedelta(hours=1))
    assert store.jobs.claim("me", NOW, 100) == []
    with monkeypatch.context() as patch:
        patch.setattr(store.database, "_begin", lambda **_: pytest.fail("asked"))
        assert store.jobs.claim("me", NOW + timedelta(seconds=100), 100) == []
    assert peers_of(store.jobs.claim("me", NOW + timedelta(hours=1), 100)) == ["a"]


@pytest.mark.parametrize("what", ["added", "added elsewhere", "freed", "taken back"])
def test_whatever_happens_to_what_was_idle_is_seen(store: Store, where: Path | str, what: str) -> None:
    """A claim finds what came after one that found nothing, from here or from elsewhere, and who is free again."""
    add(store, "held", 1)
    store.jobs.hold("held", NOW + timedelta(hours=1))
    assert store.jobs.claim("me", NOW, 100) == []
    match what:
        case "added":
            add(store, "a", 1, BULK)
        case "freed":
            store.jobs.hold("held", None)
        case "taken back":
            with suppress(ZeroDivisionError), store.transaction():
                store.jobs.drop_for_peer("held", NOW, "x")
                assert store.jobs.claim("me", NOW + timedelta(hours=2), 100) == []
                raise ZeroDivisionError
            store.jobs.hold("held", None)
        case _:
            with closing(Store(where)) as other:
                add(other, "a", 1)
            if store.database.shares:
                store.jobs.news()  # as whoever listens says
    assert peers_of(store.jobs.claim("me", NOW, 100)) == ["a" if "add" in what else "held"]


class Anything:
    """Two processes on one database do whatever can be done to jobs, at random."""

    def __init__(self, stores: list[Store], seed: int) -> None:
        self.chance, self.stores = random.Random(seed), stores
        self.now, self.number, self.done = NOW, 0, ""
        self.hands: list[set[int]] = [set(), set()]

    def step(self) -> None:
        self.now += timedelta(milliseconds=self.chance.choice([0, 0, 1, 50, 2_000]))
        which = self.chance.randrange(2)
        acts = [self.add] * 4 + [self.claim, self.finish] * 3
        act = self.chance.choice([*acts, self.fan_out, self.postpone, self.supersede, self.admin, self.circuit,
                                  self.release, self.together, self.take_back])  # fmt: skip
        self.done = act.__name__
        act(self.stores[which], self.hands[which])

    def add(self, store: Store, hand: set[int]) -> None:
        del hand
        for _ in range(self.chance.randrange(1, 8)):
            self.number += 1
            lane = f"l{self.chance.randrange(12)}" if self.chance.random() < 0.5 else f"x{self.number}"
            store.jobs.add(
                "deliver", {}, lane=lane, peer=self.chance.choice(PEERS), pool=self.chance.choice(list(SHARES)),
                due=self.now + timedelta(milliseconds=self.chance.choice([0, 0, 0, 500])),
                verb=self.chance.choice(["Create", "Update", "Delete"]),
            )  # fmt: skip

    def fan_out(self, store: Store, hand: set[int]) -> None:
        del hand
        first, self.number = self.number, self.number + self.chance.randrange(1, 20)
        items = [
            NewJob(payload={}, lane=f"n{number}", peer=self.chance.choice(PEERS), due=self.now)
            for number in range(first, self.number)
        ]
        store.jobs.add_to_new_lanes("deliver", "Create", BULK, items, self.now)

    def claim(self, store: Store, hand: set[int]) -> None:
        pool, limit = self.chance.choice(list(SHARES)), self.chance.choice([1, 2, 3, 5, 8, 32])
        claimed = [job.id for job in store.jobs.claim(owner(store), self.now, limit, SHARES[pool], (pool,))]
        assert len(set(claimed)) == len(claimed) <= limit
        hand.update(claimed)
        if len(claimed) < limit:
            left = [peer for peer in claimable(store, pool, self.now) if room(store, pool, peer) > 0]
            assert left == [], "there was room, and something that could be claimed"

    def finish(self, store: Store, hand: set[int]) -> None:
        if hand:
            store.jobs.finish(hand.pop(), self.now, state=self.chance.choice(["done", "dead"]))

    def postpone(self, store: Store, hand: set[int]) -> None:
        if hand:
            store.jobs.postpone(hand.pop(), self.now + timedelta(milliseconds=self.chance.choice([0, 300, 5_000])))

    def supersede(self, store: Store, hand: set[int]) -> None:
        del hand
        store.jobs.supersede(f"l{self.chance.randrange(12)}", self.now, self.chance.choice([None, "Update"]))

    def admin(self, store: Store, hand: set[int]) -> None:
        del hand
        if ids := [row["id"] for row in store.database.rows("SELECT id FROM job ORDER BY id")]:
            self.chance.choice([store.jobs.drop, store.jobs.revive])(self.chance.choice(ids), self.now)

    def circuit(self, store: Store, hand: set[int]) -> None:
        del hand
        peer, until = self.chance.choice(PEERS[1:]), self.now + timedelta(seconds=1)
        mending, opened = Circuit(mending=1, last=self.now), Circuit(recent=(self.now,), until=until, last=self.now)
        known = self.chance.choice([Circuit(), mending, opened])
        with store.transaction():
            store.circuits.put(peer, known)
            store.jobs.hold(peer, known.until)

    def release(self, store: Store, hand: set[int]) -> None:
        if self.chance.random() < 0.3:
            store.jobs.release(owner(store))
            hand.clear()

    def together(self, store: Store, hand: set[int]) -> None:
        with store.transaction():
            for job in [job for job in hand if self.chance.random() < 0.7]:
                store.jobs.finish(job, self.now)
                hand.discard(job)
            self.add(store, hand)

    def take_back(self, store: Store, hand: set[int]) -> None:
        with suppress(ZeroDivisionError), store.transaction():
            for job in hand:
                store.jobs.finish(job, self.now)
            store.database.value("SELECT count(*) FROM job")  # what was left for later is written
            raise ZeroDivisionError

    def check(self) -> None:
        """Whoever has something due and room for it has a turn; the first of each lane does not wait."""
        store = self.stores[0]
        for row in store.database.rows(
            "SELECT pool, peer, min(due) AS due FROM job WHERE state = 'queued' GROUP BY pool, peer"
        ):
            free, turn = room(store, row["pool"], row["peer"]), turn_of(store, row["pool"], row["peer"])
            latest = max(row["due"], turn["opens"], to_ms(self.now))
            assert free <= 0 or (turn["next"] is not None and turn["next"] <= latest), (self.done, row, turn)
        firsts = store.database.rows(f"SELECT min(id) AS id FROM job WHERE {OPEN} GROUP BY lane")  # noqa: S608 - a constant
        for row in firsts:
            assert store.jobs.get(row["id"]).state != "waiting", self.done  # type: ignore[union-attr]

    def drain(self) -> None:
        """Let everything be claimed and end."""
        for store, hand in zip(self.stores, self.hands, strict=True):
            for taken in hand:
                store.jobs.finish(taken, self.now)
        store = self.stores[0]
        for _ in range(4_000):
            self.now += timedelta(seconds=1)
            for pool, share in SHARES.items():
                for job in store.jobs.claim("me", self.now, 7, share, (pool,)):
                    store.jobs.finish(job.id, self.now)
            if not store.jobs.count("waiting", "queued", "leased"):
                return


def owner(store: Store) -> str:
    """Return the name under which a process claims."""
    return str(id(store))


def turn_of(store: Store, pool: int, peer: str) -> dict[str, Any]:
    """Return the turn of a peer."""
    found = store.database.one("SELECT * FROM turn WHERE pool = :pool AND peer = :peer", pool=pool, peer=peer)
    assert found is not None, (pool, peer)
    return found


def room(store: Store, pool: int, peer: str) -> int:
    """Return how much more of a peer may be in hand."""
    first, last = shared(pool)
    held = store.database.value(
        "SELECT count(*) FROM job WHERE peer = :peer AND state = 'leased' AND pool BETWEEN :first AND :last",
        peer=peer, first=first, last=last,
    )  # fmt: skip
    is_mending = pool and store.database.value("SELECT 1 FROM circuit WHERE origin = :o AND mending > 0", o=peer)
    return (1 if is_mending else SHARES[pool] if peer else NO_SHARE) - int(held)


def claimable(store: Store, pool: int, now: datetime) -> list[str]:
    """Return the peers that have something due and no open circuit."""
    rows = store.database.rows(
        "SELECT DISTINCT peer FROM job WHERE state = 'queued' AND pool = :pool AND due <= :now",
        pool=pool, now=to_ms(now),
    )  # fmt: skip
    return [row["peer"] for row in rows if turn_of(store, pool, row["peer"])["opens"] <= to_ms(now)]


@pytest.mark.parametrize("seed", range(4))
def test_no_turn_is_lost_whatever_happens(where: Path | str, seed: int) -> None:
    """After any steps of two processes each claimable job has a turn, shares hold, and in the end nothing is left."""
    with closing(Store(where)) as one, closing(Store(where)) as other:
        anything = Anything([one, other], seed)
        for _ in range(STEPS):
            anything.step()
            anything.check()
        assert anything.number > STEPS
        anything.drain()
        assert one.jobs.count("waiting", "queued", "leased") == 0
