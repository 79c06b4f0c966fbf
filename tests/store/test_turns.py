"""Turns: who may go next, how much at a time, in which order, and that nothing is lost."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from store.queueing import ENDED, PEER, add, claim, lanes, state, work
from store.rows import NOW, later

from gateway.jobs.circuit import failed, succeeded
from gateway.store.claims import LEASE
from gateway.store.database import to_ms
from gateway.store.jobs import ARRIVALS, BULK, OPEN, PEOPLE, Job, NewJob

if TYPE_CHECKING:
    from gateway.store.circuits import Circuit
    from gateway.store.store import Store


# Fairness


def test_a_crowd_does_not_hold_up_the_others(store: Store) -> None:
    """Thousands for one peer, queued first, leave room in the first claim for everybody else."""
    with store.database.transaction():
        for number in range(1000):
            add(store, f"crowd {number}", peer="https://crowd.example")
    for number in range(20):
        add(store, f"{number}", peer=f"https://{number}.example", due=later(seconds=1))
    served = Counter(job.peer for job in claim(store, later(seconds=1), 24, 4))
    assert served["https://crowd.example"] == 4
    assert len(served) == 21


def test_two_peers_take_turns(store: Store) -> None:
    """With one hand and two peers that both have much to get, neither waits until the other has everything."""
    for number in range(10):
        add(store, f"a {number}", peer="https://a.example")
        add(store, f"b {number}", peer="https://b.example")
    served = Counter(peer for _ in range(10) for peer in work(store, NOW, 1, 4))
    assert min(served["https://a.example"], served["https://b.example"]) >= 3


def test_a_newcomer_does_not_wait_for_old_crowds(store: Store) -> None:
    """When there are fewer hands than crowds, one delivery for somebody else comes before the crowds are served."""
    with store.database.transaction():
        for number in range(150):
            add(store, f"crowd {number}", peer=f"https://crowd{number % 3}.example")
    add(store, "alone", peer="https://alone.example", due=later(seconds=1))
    served = [peer for _ in range(10) for peer in work(store, later(seconds=2), 3, 1)]
    assert "https://alone.example" in served


def test_within_a_peer_the_oldest_goes_first(store: Store) -> None:
    """Of one peer what is due longest goes first, and equal ones as they were queued."""
    add(store, "c", due=later(seconds=3))
    add(store, "a", due=later(seconds=1))
    add(store, "b", due=later(seconds=1))
    served: list[str] = []
    while taken := claim(store, later(seconds=5), 1):
        served += lanes(taken)
        store.jobs.finish(taken[0].id, NOW)
    assert served == ["a", "b", "c"]


# How much at a time


def test_a_peer_has_no_more_than_its_share_in_hand(store: Store) -> None:
    """However often and however much is claimed, four of one peer are in hand; each end makes room for one."""
    for number in range(20):
        add(store, f"{number}")
    taken = claim(store)
    assert len(taken) == 4
    assert claim(store) == claim(store, limit=1) == []
    add(store, "one more")
    assert claim(store) == []
    store.jobs.finish(taken[0].id, NOW)
    store.jobs.postpone(taken[1].id, later(hours=1))
    assert len(claim(store)) == 2
    assert claim(store) == []


def test_the_share_is_of_everything_that_goes_to_a_peer(store: Store) -> None:
    """People's and bulk deliveries are requests to the same server: together they are no more than its share."""
    for number in range(10):
        add(store, f"people {number}")
        add(store, f"bulk {number}", pool=BULK)
    assert len(store.jobs.claim("me", NOW, 100, 4, (PEOPLE, BULK))) == 4


@pytest.mark.parametrize("how", ["lease", "start", "drop"])
def test_a_share_is_given_back(store: Store, how: str) -> None:
    """What a dead process held, and what was dropped in hand, counts no more."""
    for number in range(10):
        add(store, f"{number}")
    assert len(claim(store)) == 4
    if how == "start":
        store.jobs.release("me")
    if how == "drop":
        store.jobs.drop_for_peer(PEER, NOW, "x")
        for number in range(4):
            add(store, f"new {number}")
    assert len(claim(store, NOW + LEASE if how == "lease" else NOW)) == 4


def test_what_is_for_nobody_is_not_shared(store: Store) -> None:
    """Jobs without a peer are limited by the claim alone."""
    for number in range(10):
        add(store, f"{number}", peer="")
    assert len(claim(store, limit=7)) == 7


# Priorities


def test_people_come_before_bulk(store: Store) -> None:
    """A delivery somebody waits for is claimed before a fan-out that was queued hours before."""
    for number in range(30):
        add(store, f"bulk {number}", peer=f"https://{number}.example", pool=BULK)
    add(store, "somebody", due=later(hours=1))
    assert lanes(claim(store, later(hours=1), 1)) == ["somebody"]
    assert len(claim(store, later(hours=1))) == 30


def test_arrivals_come_before_deliveries(store: Store) -> None:
    """Whoever claims everything settles first, then people's, then bulk."""
    add(store, "bulk", pool=BULK)
    add(store, "people")
    add(store, "arrival", kind="settle", pool=ARRIVALS)
    assert [lanes(claim(store, limit=1)) for _ in range(3)] == [["arrival"], ["people"], ["bulk"]]


def test_only_the_pools_asked_for_are_claimed(store: Store) -> None:
    """Whoever sends takes nothing that is to be settled."""
    add(store, "arrival", kind="settle", pool=ARRIVALS)
    add(store, "bulk", pool=BULK)
    assert lanes(store.jobs.claim("me", NOW, 9, 4, (PEOPLE, BULK))) == ["bulk"]


# Order in a lane


def test_a_lane_keeps_its_order_over_pools_and_times(store: Store) -> None:
    """Create, Update, Delete go in this order, one at a time, whichever is bulk and whichever is due first."""
    add(store, "x", verb="Create", pool=BULK, due=later(minutes=5))
    add(store, "x", verb="Update", due=later(minutes=1))
    add(store, "x", verb="Delete")
    served = []
    assert claim(store, later(minutes=4)) == []
    while taken := claim(store, later(minutes=6)):
        [job] = taken
        assert claim(store, later(minutes=6)) == []
        served.append(job.verb)
        store.jobs.finish(job.id, NOW)
    assert served == ["Create", "Update", "Delete"]


@pytest.mark.parametrize("how", ["lease", "start"])
def test_a_lane_keeps_its_order_when_a_process_dies(store: Store, how: str) -> None:
    """What was in hand comes again before what stands behind it."""
    first, second = add(store, "x", verb="Create"), add(store, "x", verb="Update")
    assert [job.id for job in claim(store)] == [first]
    moment = NOW + LEASE
    if how == "start":
        store.jobs.release("me")
    assert [job.id for job in claim(store, moment)] == [first]
    store.jobs.finish(first, moment)
    assert [job.id for job in claim(store, moment)] == [second]


def test_dropping_what_waits_frees_nothing_else(store: Store) -> None:
    """When the middle of a lane is given up, the last still waits for the first."""
    first, middle, last = (add(store, "x") for _ in range(3))
    assert store.jobs.drop(middle, NOW)
    assert [job.id for job in claim(store)] == [first]
    store.jobs.finish(first, NOW)
    assert [job.id for job in claim(store)] == [last]


def test_what_is_tried_again_by_hand_keeps_its_lane(store: Store) -> None:
    """A failed delivery that an admin queues again never is in hand together with one of the same lane."""
    first, _second = add(store, "x", verb="Create"), add(store, "x", verb="Update")
    claim(store)
    store.jobs.finish(first, NOW, state="dead")
    assert store.jobs.revive(first, NOW)
    assert len(claim(store)) == 1


# What is overtaken


def test_a_newer_update_replaces_a_queued_one(store: Store) -> None:
    """The queued Update of a lane ends as superseded; the Create before it stays, other lanes too."""
    create, old, other = add(store, "x", verb="Create"), add(store, "x", verb="Update"), add(store, "y", verb="Update")
    ended, _ = store.jobs.supersede("x", NOW, "Update")
    new = add(store, "x", verb="Update")
    assert ended == {"Update"}
    assert [state(store, number) for number in (create, old, other, new)] == [
        "queued", "superseded", "queued", "waiting",
    ]  # fmt: skip


def test_an_update_in_hand_is_not_replaced(store: Store) -> None:
    """What is on its way stays, and the newer one waits behind it."""
    old = add(store, "x", verb="Update")
    claim(store)
    assert store.jobs.supersede("x", NOW, "Update")[0] == set()
    new = add(store, "x", verb="Update")
    assert claim(store) == []
    store.jobs.finish(old, NOW)
    assert [job.id for job in claim(store)] == [new]


def test_what_never_left_is_known(store: Store) -> None:
    """Of a lane whose jobs were never claimed nothing can have reached its peer."""
    add(store, "x", verb="Create")
    add(store, "x", verb="Update")
    assert store.jobs.supersede("x", NOW) == ({"Create", "Update"}, False)
    assert claim(store) == []


@pytest.mark.parametrize("fate", ["done", "dead", "dropped", "postponed", "lost", "in hand", "tried by hand"])
def test_what_may_have_left_is_known(store: Store, fate: str) -> None:
    """Whatever became of an attempt, even without an answer, the peer may have it."""
    create = add(store, "x", verb="Create")
    claim(store)
    if fate in ENDED:
        store.jobs.finish(create, NOW, state=fate)
    elif fate == "postponed":
        store.jobs.postpone(create, later(hours=1))
    elif fate == "lost":
        store.jobs.release("me")
    elif fate == "tried by hand":
        store.jobs.postpone(create, later(hours=1))
        store.jobs.revive(create, NOW)
    assert store.jobs.supersede("x", NOW)[1]


# Nothing is lost


class Chaos:
    """A store to which things happen at random; every claim is checked for the order of its lanes and for shares."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.chance = random.Random(seed)
        self.moment = NOW
        self.hand: dict[int, Job] = {}

    def claim(self, limit: int) -> list[Job]:
        taken = self.store.jobs.claim("me", self.moment, limit, 2)
        for job in taken:
            first = self.store.database.value(
                "SELECT min(id) FROM job WHERE lane = :lane AND state IN ('waiting', 'queued', 'leased')", lane=job.lane
            )
            assert job.id == first
            self.hand[job.id] = job
        assert max(Counter((job.pool, job.peer) for job in self.hand.values()).values(), default=0) <= 2
        return taken

    def forward(self, **delta: float) -> None:
        """Let time pass; whoever holds jobs dies before their leases run out."""
        self.moment += timedelta(**delta)
        self.hand = {number: job for number, job in self.hand.items() if state(self.store, number) == "leased"}
        late = "SELECT 1 FROM job WHERE state = 'leased' AND lease_until <= :t LIMIT 1"
        if self.store.database.value(late, t=to_ms(self.moment)):
            self.crash()

    def crash(self) -> None:
        self.store.jobs.release("me")
        self.hand.clear()

    def queue(self) -> None:
        peer = self._peer()
        add(self.store, self._lane(peer), peer=peer, pool=self.chance.choice((PEOPLE, BULK)), due=self.moment, verb="x")

    def end(self) -> None:
        if self.hand:
            number, job = self.hand.popitem()
            self.store.jobs.finish(number, self.moment, state=self.chance.choice(("done", "dead")))
            self._note(job.peer, succeeded(self.store.circuits.get(job.peer)))

    def fail(self) -> None:
        if self.hand:
            number, job = self.hand.popitem()
            self.store.jobs.postpone(number, self.moment + timedelta(minutes=self.chance.randrange(9)))
            self._note(job.peer, failed(self.store.circuits.get(job.peer), self.moment))

    def overtake(self) -> None:
        self.store.jobs.supersede(self._lane(self._peer()), self.moment, self.chance.choice((None, "x")))

    def drop(self) -> None:
        waiting = self.store.jobs.find(states=("waiting", "queued"))
        if waiting:
            self.store.jobs.drop(self.chance.choice(waiting).id, self.moment)

    def prune(self) -> None:
        self.store.jobs.prune(self.moment)

    def _note(self, peer: str, circuit: Circuit) -> None:
        self.store.circuits.put(peer, circuit)
        self.store.jobs.hold(peer, circuit.until)

    def _peer(self) -> str:
        return f"https://{self.chance.randrange(4)}.example"

    def _lane(self, peer: str) -> str:
        return f"{peer} {self.chance.randrange(3)}"


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_everything_ends(store: Store, seed: int) -> None:
    """Over ends, delays, crashes, circuits and drops lanes keep their order, and no job is left without a turn."""
    chaos = Chaos(store, seed)
    happenings = [
        chaos.queue, chaos.queue, chaos.queue, lambda: chaos.claim(8), lambda: chaos.claim(2), chaos.end, chaos.fail,
        chaos.crash, chaos.overtake, chaos.drop, chaos.prune,
    ]  # fmt: skip
    for _ in range(120):
        chaos.forward(seconds=chaos.chance.randrange(60))
        chaos.chance.choice(happenings)()
    chaos.forward(days=1)
    chaos.crash()
    while taken := chaos.claim(3):
        for job in taken:
            store.jobs.finish(job.id, chaos.moment)
        chaos.hand.clear()
    assert store.jobs.find(states=OPEN) == []


def test_who_is_next_in_a_lane_has_a_turn_whoever_was_before(store: Store) -> None:
    """When the first job of a lane ends, the second one's peer has its turn, although it is another peer."""
    for number, peer in enumerate(("https://a.example", "https://b.example")):
        store.jobs.add("settle", {"n": number}, lane="in somebody", peer=peer, due=NOW, pool=0)
    [first] = claim(store)
    store.jobs.finish(first.id, NOW)
    assert [job.peer for job in claim(store)] == ["https://b.example"]


def test_a_turn_that_stands_alone_is_had(store: Store) -> None:
    """What goes to many goes out although nothing stands for answers to the same peer, as in a backup from SQLite."""
    item = NewJob(payload={}, lane="x", peer="https://a.example", due=NOW)
    store.jobs.add_to_new_lanes("forward", "Create", BULK, [item], NOW)
    store.database.run("DELETE FROM turn WHERE pool = 1")
    assert [job.peer for job in claim(store)] == ["https://a.example"]
