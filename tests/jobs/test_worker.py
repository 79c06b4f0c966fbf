"""The worker: leases, lanes, poison, stopping, crashes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from world import ManualClock

from gateway.errors import RemoteUnreachable, StoreError
from gateway.jobs import worker as module
from gateway.jobs.retry import MAX_ATTEMPTS
from gateway.jobs.worker import POISON, SENDING, Worker
from gateway.store.claims import LEASE
from gateway.store.jobs import ARRIVALS, BULK, PEOPLE, Job
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.anyio
EVERY = ("queued", "leased", "done", "dead", "dropped")


class Bench:
    """A worker with one kind of job, and what it did."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock
        self.bell = asyncio.Event()
        self.done: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.started = asyncio.Event()
        self.worker = Worker(store, clock, {"do": self._do}, self.bell)

    async def _do(self, job: Job) -> None:
        name = str(job.payload["name"])
        self.started.set()
        if name in self.gates:
            await self.gates[name].wait()
        if name.startswith("poison"):
            raise ZeroDivisionError(name)
        if name.startswith("refused"):
            raise RemoteUnreachable(name)
        self.store.jobs.finish(job.id, self.clock.now())
        self.done.append(name)

    def add(self, name: str, lane: str = "", kind: str = "do", pool: int = PEOPLE) -> None:
        self.store.jobs.add(kind, {"name": name}, lane=lane or name, peer="", due=self.clock.now(), pool=pool)

    def hold(self, name: str) -> asyncio.Event:
        self.gates[name] = asyncio.Event()
        return self.gates[name]

    def jobs(self) -> dict[str, Job]:
        return {str(job.payload["name"]): job for job in self.store.jobs.find(states=EVERY)}

    async def until(self, *names: str) -> None:
        async with asyncio.timeout(5):
            while not set(names) <= set(self.done):
                await asyncio.sleep(0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    made = Store(tmp_path / FILE)
    yield made
    made.close()


@pytest.fixture
async def bench(store: Store) -> AsyncIterator[Bench]:
    """Return a worker that is stopped afterwards."""
    made = Bench(store, ManualClock())
    yield made
    for gate in made.gates.values():
        gate.set()
    await made.worker.stop()


async def test_drain_does_everything_that_is_due(bench: Bench) -> None:
    """One-shot commands work until nothing is due; what is due later stays."""
    for number in range(SENDING // 2 + 3):
        bench.add(f"job {number}")
    bench.store.jobs.add("do", {"name": "later"}, lane="x", peer="", due=bench.clock.now().replace(year=2030))
    await bench.worker.drain()
    assert len(bench.done) == SENDING // 2 + 3
    assert bench.jobs()["later"].state == "queued"


async def test_a_lane_is_worked_off_in_order(bench: Bench) -> None:
    """Two jobs of a lane never run at the same time, and the first comes first."""
    for name in ("a1", "a2", "a3"):
        bench.add(name, "a")
    bench.add("b1", "b")
    await bench.worker.drain()
    assert [name for name in bench.done if name[0] == "a"] == ["a1", "a2", "a3"]


async def test_drain_is_bounded(bench: Bench) -> None:
    """A worker that drains gives up after its rounds."""
    bench.add("a1", "a")
    bench.add("a2", "a")
    await bench.worker.drain(rounds=1)
    assert bench.done == ["a1"]


@pytest.mark.parametrize("name", ["poison", "refused"])
async def test_a_job_that_fails_does_not_stop_the_others(bench: Bench, name: str) -> None:
    """A handler that raises is tried again later, with what went wrong; the others go on."""
    bench.add(name)
    bench.add("fine")
    await bench.worker.drain()
    assert bench.done == ["fine"]
    job = bench.jobs()[name]
    assert (job.state, job.attempts) == ("queued", 1)
    assert name in str(job.problem)
    assert job.due > bench.clock.now()


async def test_a_job_of_unknown_kind_is_poison_too(bench: Bench) -> None:
    """A kind that this version does not know waits like any failed job."""
    bench.add("strange", kind="other")
    await bench.worker.drain()
    assert "KeyError" in str(bench.jobs()["strange"].problem)


@pytest.mark.parametrize(("name", "tries"), [("poison", POISON), ("refused", MAX_ATTEMPTS)])
async def test_what_cannot_be_done_ends(bench: Bench, name: str, tries: int) -> None:
    """A defect of ours sets a job aside after three tries, others' failures after all of them; its lane goes on."""
    bench.add(name, "a")
    bench.add("after", "a")
    for _ in range(tries - 1):
        await bench.worker.drain()
        bench.clock.forward(days=2)
    assert bench.jobs()[name].state == "queued"
    await bench.worker.drain()
    assert bench.jobs()[name].state == "dead"
    assert name in str(bench.jobs()[name].problem)
    assert bench.done == ["after"]
    assert bench.store.jobs.revive(bench.jobs()[name].id, bench.clock.now())


async def test_a_store_that_fails_leaves_the_lease(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """When not even the failure can be written down, the lease runs out by itself."""

    def full(*_args: object, **_named: object) -> None:
        raise StoreError("disk full")

    bench.add("poison")
    monkeypatch.setattr(bench.store.jobs, "postpone", full)
    await bench.worker.drain()
    assert bench.jobs()["poison"].state == "leased"
    monkeypatch.undo()
    bench.clock.forward(seconds=LEASE.total_seconds())
    assert [job.attempts for job in bench.store.jobs.claim("me", bench.clock.now(), 1)] == [2]


async def test_the_loop_works_and_wakes(bench: Bench) -> None:
    """A started worker takes what is there, and what comes when the bell rings."""
    bench.add("first")
    assert not bench.worker.alive
    bench.worker.start()
    assert bench.worker.alive
    await bench.until("first")
    bench.add("second")
    bench.bell.set()
    await bench.until("second")


async def test_the_loop_looks_again_without_a_bell(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that another process added are found by looking."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    bench.worker.start()
    await asyncio.sleep(0)
    bench.add("by the command line")
    await bench.until("by the command line")


async def test_no_more_than_a_few_run_at_once(bench: Bench) -> None:
    """When every hand is full the rest waits, and goes on when one is free."""
    gates = [bench.hold(f"slow {number}") for number in range(SENDING // 2)]
    for number in range(SENDING // 2):
        bench.add(f"slow {number}")
    bench.add("waits")
    bench.worker.start()
    async with asyncio.timeout(5):
        while bench.store.jobs.count("leased") < SENDING // 2:
            await asyncio.sleep(0)
    bench.bell.set()
    await asyncio.sleep(0)
    assert bench.jobs()["waits"].state == "queued"
    gates[0].set()
    await bench.until("waits")


async def test_who_waits_for_somebody_slow_needs_no_hand(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """When every hand waits for a slow peer others go on, up to a bound; what ends gives its place back."""
    monkeypatch.setattr(module, "LATE_SECONDS", 0.0)
    bench.worker._hands[1].late = 3
    gates = [bench.hold(f"slow {number}") for number in range(SENDING // 2 + 3)]
    for number in range(SENDING // 2 + 3):
        bench.add(f"slow {number}")
    bench.add("waits")
    bench.worker.start()
    async with asyncio.timeout(5):
        while bench.store.jobs.count("leased") < SENDING // 2 + 3:
            await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert bench.jobs()["waits"].state == "queued"
    gates[0].set()
    await bench.until("waits")


async def test_what_cannot_be_put_back_is_done_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that fails while the database does, too, is held no longer than its lease: only what runs is renewed."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)

    def locked(*_: Any, **__: Any) -> None:
        raise StoreError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store.jobs, "postpone", locked)
        bench.add("refused")
        bench.worker.start()
        async with asyncio.timeout(5):
            while bench.jobs()["refused"].attempts < 1 or bench.worker._hands[1].running:
                await asyncio.sleep(0)
    for _ in range(3):
        bench.clock.forward(seconds=LEASE.total_seconds() / 2)
        await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        while bench.jobs()["refused"].attempts < 2:
            await asyncio.sleep(0)


async def test_what_the_store_kept_is_given_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the store works again, a job that could not be put back is done again at once; what is being done stays."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)

    def locked(*_: Any, **__: Any) -> None:
        raise StoreError("locked")

    gate = bench.hold("slow")
    bench.add("slow")
    with monkeypatch.context() as patch:
        patch.setattr(bench.store.jobs, "postpone", locked)
        patch.setattr(bench.store.jobs, "release", locked)
        bench.add("refused")
        bench.worker.start()
        async with asyncio.timeout(5):
            while not bench.worker._unsure:
                await asyncio.sleep(0)
        assert bench.jobs()["refused"].state == "leased"
    async with asyncio.timeout(5):
        while bench.jobs()["refused"].attempts < 2:
            await asyncio.sleep(0)
    assert (bench.jobs()["slow"].state, bench.jobs()["slow"].attempts) == ("leased", 1)
    gate.set()
    await bench.until("slow")


async def test_what_was_not_begun_was_no_try(bench: Bench) -> None:
    """A gateway that stops in the middle of beginning gives back what it did not begin as if it had not taken it."""
    most = 3 * bench.worker._hands[1].begin
    for number in range(most):
        bench.hold(f"slow {number}")
        bench.add(f"slow {number}")
    bench.worker.start()
    async with asyncio.timeout(5):
        while bench.store.jobs.count("leased") < most:
            await asyncio.sleep(0)
    await bench.worker.stop(0.0)
    attempts = [job.attempts for job in bench.jobs().values()]
    assert sorted(set(attempts)) == [0, 1]
    assert [job.state for job in bench.jobs().values()] == ["queued"] * most


@pytest.mark.parametrize(
    ("pool", "late", "gives_way"), [(ARRIVALS, 0.4, True), (ARRIVALS, 0.6, False), (PEOPLE, 0.6, True)]
)
async def test_arrivals_that_are_behind_give_way_to_no_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, pool: int, late: float, *, gives_way: bool
) -> None:
    """What is urgent comes before jobs that are due, but for arrivals that have been so for half a second."""
    given: list[bool] = []
    give_way = bench.store.together.give_way

    async def noted() -> None:
        given.append(True)
        await give_way()

    monkeypatch.setattr(bench.store.together, "give_way", noted)
    names = [f"{number}" for number in range(bench.worker._hands[pool].begin)]
    for name in names:
        bench.add(name, pool=pool)
    bench.clock.forward(seconds=late)
    bench.worker.start()
    await bench.until(*names)
    await bench.worker.stop()
    assert bool(given) is gives_way


async def test_who_is_outdated_works_no_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose database a newer version has changed claims nothing any more, and says that it is not ready."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    bench.worker.start()
    bench.store.database.run(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('gateway', '9999_later', '')"
    )
    async with asyncio.timeout(5):
        while bench.worker.alive:
            bench.bell.set()
            await asyncio.sleep(0)
    bench.add("a")
    assert bench.done == []
    await bench.worker.stop()


async def test_a_claim_that_fails_is_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is locked for a moment does not end the loop."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    claim, calls = bench.store.jobs.claim, []

    def locked(*args: Any, **options: Any) -> list[Job]:
        calls.append(args)
        if len(calls) < 3:
            raise StoreError("locked")
        return claim(*args, **options)

    monkeypatch.setattr(bench.store.jobs, "claim", locked)
    bench.add("job")
    bench.worker.start()
    await bench.until("job")
    assert bench.worker.alive


async def test_stop_finishes_what_is_in_hand(bench: Bench) -> None:
    """A job that is nearly done is done before the worker ends; what has not begun stays queued."""
    gate = bench.hold("slow")
    bench.add("slow")
    bench.worker.start()
    await bench.started.wait()
    stopping = asyncio.create_task(bench.worker.stop())
    await asyncio.sleep(0)
    bench.add("new")
    gate.set()
    await stopping
    assert bench.done == ["slow"]
    assert bench.jobs()["new"].state == "queued"
    assert not bench.worker.alive


async def test_stop_does_not_wait_for_ever(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that takes longer than the grace is cut off and its lease given back."""
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.01)
    bench.hold("endless")
    bench.add("endless")
    bench.worker.start()
    await bench.started.wait()
    await bench.worker.stop()
    assert (bench.done, bench.jobs()["endless"].state) == ([], "queued")


async def test_a_new_process_takes_over_at_start(bench: Bench) -> None:
    """What a crashed process held is worked off at the next start, without waiting for the lease."""
    bench.add("held")
    bench.store.jobs.claim("the dead one", bench.clock.now(), 1)
    bench.worker.start()
    await bench.until("held")


async def test_a_lease_that_ran_out_is_taken_over(bench: Bench) -> None:
    """Without a restart the lease's end does the same."""
    bench.add("held")
    bench.store.jobs.claim("the dead one", bench.clock.now(), 1)
    await bench.worker.drain()
    assert bench.done == []
    bench.clock.forward(seconds=LEASE.total_seconds())
    await bench.worker.drain()
    assert bench.done == ["held"]


async def test_many_answers_do_not_keep_posts_waiting(bench: Bench) -> None:
    """While every hand for single answers is held up, what goes to many still goes out."""
    for number in range(SENDING):
        bench.hold(f"slow {number}")
        bench.add(f"slow {number}")
    bench.store.jobs.add("do", {"name": "to all"}, lane="to all", peer="", due=bench.clock.now(), pool=BULK)
    bench.worker.start()
    await bench.until("to all")


async def test_what_takes_long_stays_in_hand(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease of a job that is still being done is renewed, so that nobody does it again meanwhile."""
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.0)
    monkeypatch.setattr(module, "POLL_SECONDS", 0.001)
    gate = bench.hold("slow")
    bench.add("slow")
    bench.worker.start()
    async with asyncio.timeout(5):
        while bench.store.jobs.count("leased") < 1:
            await asyncio.sleep(0)
    for _ in range(3):
        bench.clock.forward(seconds=LEASE.total_seconds() / 2)
        await asyncio.sleep(0.01)
    assert bench.store.jobs.claim("another", bench.clock.now(), 1) == []
    gate.set()
    await bench.until("slow")
    assert bench.jobs()["slow"].attempts == 1
