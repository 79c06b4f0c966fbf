"""Turns: who may go next, how much at a time, in which order, at what cost; and jobs of an older database."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlite_utils
from store.rows import NOW, later

from gateway.jobs.circuit import failed, succeeded
from gateway.store.claims import LEASE
from gateway.store.database import to_ms
from gateway.store.jobs import ARRIVALS, BULK, OPEN, PEOPLE, Job, NewJob
from gateway.store.schema import MIGRATIONS
from gateway.store.sqlite import Sqlite, sqlite3
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from gateway.store.circuits import Circuit

PEER = "https://peer.example"
ENDED = ("done", "dead", "dropped", "superseded")


def add(store: Store, lane: str, **changes: Any) -> int:
    """Queue a job and return its number."""
    fields: dict[str, Any] = {"peer": PEER, "due": NOW, "pool": PEOPLE, **changes}
    store.jobs.add(fields.pop("kind", "deliver"), {"lane": lane}, lane=lane, **fields)
    return int(store.database.value("SELECT max(id) FROM job"))


def claim(store: Store, at: datetime = NOW, limit: int = 100, share: int = 4) -> list[Job]:
    """Claim jobs as a worker does."""
    return store.jobs.claim("me", at, limit, share)


def lanes(jobs: list[Job]) -> list[str]:
    """Return where jobs are, in order."""
    return [job.lane for job in jobs]


def work(store: Store, at: datetime, limit: int, share: int) -> list[str]:
    """Claim once and finish all of it; return the peers served."""
    taken = claim(store, at, limit, share)
    for job in taken:
        store.jobs.finish(job.id, at)
    return [job.peer for job in taken]


def state(store: Store, number: int) -> str:
    """Return what became of a job."""
    found = store.jobs.get(number)
    assert found is not None
    return found.state


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


# What a claim costs


def _one_peer(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}")


def _many_peers(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number}.example", due=NOW - timedelta(milliseconds=size - number))


def _fan_out(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number}.example", pool=BULK)


def _one_lane(store: Store, size: int) -> None:
    for _ in range(size):
        add(store, "x")


def _nothing_due(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number % 500}.example", due=later(days=1))
    add(store, "due")


def _held(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number % 50}.example")
    for number in range(50):
        store.jobs.hold(f"https://{number}.example", later(days=1))
    add(store, "free")


def _ended(store: Store, size: int) -> None:
    for number in range(size):
        store.jobs.finish(add(store, f"{number}"), NOW)
    add(store, "left")


def _bulk(store: Store, size: int) -> None:
    for number in range(size):
        add(store, f"{number}", peer=f"https://{number % 500}.example", pool=BULK)
    add(store, "somebody")


FILLS = (_one_peer, _many_peers, _fan_out, _one_lane, _nothing_due, _held, _ended, _bulk)


def steps(store: Store, do: Callable[[], object]) -> int:
    """Return how many instructions the database runs for something: a measure that no other process disturbs."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    assert isinstance(store.database, Sqlite)
    connection = store.database._connection
    connection.set_progress_handler(count, 1)
    do()
    connection.set_progress_handler(None, 1)
    return counted


def cost(directory: Path, fill: Callable[[Store, int], None], size: int) -> tuple[int, int]:
    """Return what a claim of one job costs, and its end, beside so many rows."""
    directory.mkdir()
    store = Store(directory / FILE)
    with store.database.transaction():
        fill(store, size)
    taken: list[Job] = []
    claimed = steps(store, lambda: taken.extend(claim(store, limit=1)))
    assert len(taken) == 1
    ended = steps(store, lambda: store.jobs.finish(taken[0].id, NOW))
    store.close()
    return claimed, ended


@pytest.mark.parametrize("fill", FILLS, ids=lambda fill: fill.__name__[1:])
@pytest.mark.parametrize(
    ("few", "many"), [(100, 2_000), pytest.param(1_000, 100_000, marks=pytest.mark.long)], ids=["short", "long"]
)
def test_a_claim_costs_the_same_whatever_is_queued(
    tmp_path: Path, fill: Callable[[Store, int], None], few: int, many: int
) -> None:
    """Neither a claim nor the end of a job is dearer with many times as many rows, however they are spread."""
    small, large = cost(tmp_path / "small", fill, few), cost(tmp_path / "large", fill, many)
    assert large[0] <= 2 * small[0]
    assert large[1] <= 2 * small[1]


def test_a_lane_costs_the_same_whatever_ended_in_it(file_store: Store) -> None:
    """A lane that was used thousands of times (an actor that sends much) takes the next job as cheaply as a new one."""
    store = file_store
    with store.database.transaction():
        for _ in range(1_000):
            store.jobs.finish(add(store, "used"), NOW)

    def whole(lane: str) -> Callable[[], object]:
        return lambda: store.jobs.finish(add(store, lane), NOW)

    assert steps(store, whole("used")) <= 2 * steps(store, whole("new"))


# A database of the version before

OLD = (
    # id, kind, lane, peer, due (seconds), attempts, state
    (1, "deliver", "out a", "https://a.example", 0, 3, "done"),
    (2, "deliver", "out a", "https://a.example", 500, 2, "queued"),
    (3, "deliver", "out a", "https://a.example", 10, 0, "queued"),
    (4, "deliver", "out b", "https://a.example", 5, 1, "leased"),
    (5, "deliver", "out b", "https://a.example", 5, 0, "queued"),
    (6, "settle", "in c", "c.example", 20, 0, "queued"),
    (7, "settle", "in c", "c.example", 20, 0, "queued"),
    (8, "forward", "on d", "https://d.example", 30, 0, "queued"),
    (9, "address", "to e", "https://e.example", 40, 15, "queued"),
    (10, "deliver", "out d", "https://d.example", 0, 16, "dead"),
    (11, "deliver", "out d", "https://d.example", 60, 0, "queued"),
    (12, "deliver", "out f", "https://d.example", 0, 0, "dropped"),
    (13, "deliver", "out a", "https://a.example", 0, 0, "queued"),
)


def older(path: Path, rows: list[tuple[int, str, str, str, int, int, str]]) -> None:
    """Make a database as the version before made it, with jobs."""
    connection = sqlite3.connect(path)
    MIGRATIONS.apply(sqlite_utils.Database(connection), stop_before="0004_turns")
    connection.executemany(
        "INSERT INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (number, kind, lane, peer, f'{{"n":{number}}}', to_ms(later(seconds=due)), attempts, state,
             "old" if state == "leased" else None, to_ms(later(seconds=99)) if state == "leased" else None,
             503 if attempts else None, "busy" if attempts else None, to_ms(NOW),
             to_ms(NOW) if state in ENDED else None)
            for number, kind, lane, peer, due, attempts, state in rows
        ],
    )  # fmt: skip
    connection.commit()
    connection.close()


def test_an_upgrade_keeps_every_job(tmp_path: Path) -> None:
    """What was open is open, what had ended had ended, with its payload, attempts, times and problem."""
    older(tmp_path / FILE, list(OLD))
    store = Store(tmp_path / FILE)
    for number, kind, lane, peer, due, attempts, before in OLD:
        job = store.jobs.get(number)
        assert job is not None
        assert (job.kind, job.lane, job.peer, job.payload, job.attempts, job.due, job.created) == (
            kind, lane, peer, {"n": number}, attempts, later(seconds=due), NOW,
        )  # fmt: skip
        assert (job.status, job.problem) == ((503, "busy") if attempts else (None, None))
        assert job.state == before if before in ENDED else job.state in ("waiting", "queued")
    store.close()


def test_an_upgrade_keeps_the_order(tmp_path: Path) -> None:
    """Every open job is worked off, each lane one by one as it was queued, none before it is due, arrivals first."""
    older(tmp_path / FILE, list(OLD))
    store = Store(tmp_path / FILE)
    assert [job.id for job in claim(store, later(seconds=4))] == []
    assert [job.id for job in claim(store, later(seconds=20))] == [6, 4]
    store.jobs.release("me")
    order: list[int] = []
    while jobs := claim(store, later(hours=1)):
        assert len({job.lane for job in jobs}) == len(jobs)
        order += [job.id for job in jobs]
        for job in jobs:
            store.jobs.finish(job.id, later(hours=1))
    wanted = {lane: [row[0] for row in OLD if row[2] == lane and row[6] not in ENDED] for lane in {r[2] for r in OLD}}
    lane_of = {row[0]: row[2] for row in OLD}
    assert {lane: [number for number in order if lane_of[number] == lane] for lane in wanted} == wanted
    assert order[0] == 6
    store.close()


def test_what_an_older_version_queued_is_overtaken_like_the_rest(tmp_path: Path) -> None:
    """A Create queued before the upgrade never leaves when a Delete comes after; one that was tried may have left."""
    older(tmp_path / FILE, list(OLD))
    store = Store(tmp_path / FILE)
    assert [store.jobs.supersede(lane, NOW)[1] for lane in ("out b", "out d", "on d")] == [True, True, False]
    assert not [lane for lane in ("out b", "out d", "on d") for job in claim(store) if job.lane == lane]
    store.close()


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


def test_an_upgrade_takes_as_long_as_there_is_much(tmp_path: Path) -> None:
    """Eight times as many open jobs take about eight times as long to upgrade, not sixty times."""
    spent = []
    for size in (2_000, 16_000):
        path = tmp_path / str(size)
        older(path, [(n, "deliver", f"out {n}", f"https://{n % 50}.example", n, 0, "queued") for n in range(1, size)])
        began = time.process_time()
        Store(path).close()
        spent.append(time.process_time() - began)
    assert spent[1] <= 24 * spent[0]
