"""Arrivals and jobs: what must not be lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from store.rows import NOW, arrival, later

from gateway.store.claims import LEASE
from gateway.store.jobs import ARRIVALS, PEOPLE, Job
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

PEER = "https://peer.example"


def add(store: Store, lane: str = "a", *, due: datetime = NOW, kind: str = "deliver", peer: str = PEER) -> int:
    """Queue a job and return its number."""
    pool = ARRIVALS if kind == "settle" else PEOPLE
    store.jobs.add(kind, {"lane": lane}, lane=lane, peer=peer, due=due, pool=pool)
    return int(store.database.value("SELECT max(id) FROM job"))


def claim(store: Store, at: datetime = NOW, limit: int = 10) -> list[int]:
    """Claim jobs and return their numbers."""
    return [job.id for job in store.jobs.claim("me", at, limit)]


def job(store: Store, number: int) -> Job:
    """Return a job in whatever state."""
    found = store.jobs.get(number)
    assert found is not None
    return found


def test_an_arrival_is_kept_once(store: Store) -> None:
    """The first bytes under an id stay, a repeat is told apart."""
    assert store.arrivals.keep(arrival())
    assert not store.arrivals.keep(arrival(body=b'{"other":1}'))
    assert store.arrivals.get(arrival().id, arrival().actor) == arrival()
    assert store.arrivals.get("nothing", arrival().actor) is None


def test_a_settled_arrival_says_what_it_did(store: Store) -> None:
    """Outcome and time stand beside the bytes."""
    store.arrivals.keep(arrival())
    store.arrivals.settle(arrival().id, arrival().actor, "KeepObject", later(seconds=1))
    assert store.arrivals.get(arrival().id, arrival().actor) == replace(
        arrival(), settled=later(seconds=1), outcome="KeepObject"
    )


def test_due_jobs_are_claimed_oldest_first(store: Store) -> None:
    """A job is claimed when it is due, with its attempt counted."""
    first, second = add(store, "a", due=later(minutes=1)), add(store, "b")
    assert claim(store, limit=1) == [second]
    assert claim(store) == []
    assert claim(store, later(minutes=1)) == [first]
    assert (job(store, first).state, job(store, first).attempts) == ("leased", 1)


def test_a_lane_keeps_its_order(store: Store) -> None:
    """A job waits for every unfinished one before it in its lane, also for one that is put back for later."""
    first, second, other = add(store, "a"), add(store, "a"), add(store, "b")
    assert claim(store) == [first, other]
    assert claim(store) == []
    store.jobs.postpone(first, later(minutes=5), status=503, problem="busy")
    assert claim(store) == []
    store.jobs.finish(other, NOW)
    assert claim(store, later(minutes=5)) == [first]
    store.jobs.finish(first, NOW)
    assert claim(store) == [second]


@pytest.mark.parametrize("state", ["done", "dead", "dropped"])
def test_an_ended_job_lets_its_lane_go_on(store: Store, state: str) -> None:
    """However a job ends, the next one in its lane is free."""
    first, second = add(store), add(store)
    claim(store)
    store.jobs.finish(first, NOW, state=state, status=410, problem="gone")
    found = job(store, first)
    assert (found.state, found.status, found.problem, found.finished) == (state, 410, "gone", NOW)
    assert claim(store) == [second]


def test_the_first_end_of_a_job_counts(store: Store) -> None:
    """Of several ends in one transaction each job has its first, whatever the others' are."""
    numbers = [add(store, lane) for lane in "ab"]
    claim(store)
    with store.transaction():
        store.jobs.finish(numbers[0], NOW, status=202)
        store.jobs.finish(numbers[1], NOW, state="dead", problem="no")
        store.jobs.finish(numbers[1], NOW, status=202)
    assert [(job(store, n).state, job(store, n).status, job(store, n).problem) for n in numbers] == [
        ("done", 202, None), ("dead", None, "no"),
    ]  # fmt: skip


def test_a_lease_that_ran_out_is_claimed_again(store: Store) -> None:
    """What a dead process held is free after the lease, and not a moment before."""
    number = add(store)
    claim(store)
    assert claim(store, NOW + LEASE - (later(milliseconds=1) - NOW)) == []
    assert claim(store, NOW + LEASE) == [number]
    assert job(store, number).attempts == 2


def test_all_leases_are_given_back_at_start(store: Store) -> None:
    """A new process takes over at once what the dead one held."""
    number = add(store)
    claim(store)
    assert store.jobs.release("me") == 1
    assert claim(store) == [number]


def test_two_processes_never_claim_the_same_job(store: Store, tmp_path: Path) -> None:
    """A claim is one transaction: another connection finds nothing left."""
    number = add(store)
    other = Store(tmp_path / FILE)
    assert claim(store) == [number]
    assert claim(other) == []
    other.close()


def test_a_delivery_can_be_tried_again_by_hand(store: Store) -> None:
    """Waiting, dead and dropped deliveries start afresh; done ones and other work do not."""
    for state in ("dead", "dropped"):
        number = add(store, state)
        claim(store)
        store.jobs.finish(number, NOW, state=state, problem="x")
        assert store.jobs.revive(number, later(hours=1))
        found = job(store, number)
        assert (found.state, found.attempts, found.problem, found.finished) == ("queued", 0, None, None)
    done, settle = add(store, "x"), add(store, "y", kind="settle")
    store.jobs.finish(done, NOW)
    assert not store.jobs.revive(done, NOW)
    assert not store.jobs.revive(settle, NOW)
    assert not store.jobs.revive(999, NOW)


def test_a_waiting_delivery_can_be_given_up(store: Store) -> None:
    """An admin drops what waits, not what is in hand, and never the settling of an arrival."""
    waiting, settle = add(store, "a"), add(store, "b", kind="settle")
    assert store.jobs.drop(waiting, NOW)
    assert job(store, waiting).problem == "dropped-by-admin"
    assert not store.jobs.drop(waiting, NOW)
    assert not store.jobs.drop(settle, NOW)


def test_jobs_are_counted_and_listed(store: Store) -> None:
    """States, kinds and peers tell jobs apart; the oldest comes first."""
    one, two = add(store, "a"), add(store, "b", kind="settle")
    three = add(store, "c", peer="https://x.example")
    assert store.jobs.count() == 3
    assert store.jobs.count("dead") == 0
    assert [j.id for j in store.jobs.find()] == [one, two, three]
    assert [j.id for j in store.jobs.find(kinds=("deliver",), peer=PEER)] == [one]
    assert [j.id for j in store.jobs.find(limit=1)] == [one]
    assert job(store, one).payload == {"lane": "a"}


def test_deliveries_to_a_refused_peer_are_dropped(store: Store) -> None:
    """Everything that waits or is in hand for an origin ends; arrivals from it are still settled."""
    waiting, settle, other = add(store, "a"), add(store, "b", kind="settle"), add(store, "c", peer="https://x.example")
    held = add(store, "d")
    assert waiting in [one.id for one in store.jobs.claim("me", NOW, 10, pools=(PEOPLE,))]
    assert store.jobs.drop_for_peer(PEER, NOW, "refused-by-rule") == 2
    store.jobs.release("me")
    assert [job(store, number).state for number in (waiting, held, settle, other)] == [
        "dropped",
        "dropped",
        "queued",
        "queued",
    ]


def test_old_rows_are_pruned(store: Store) -> None:
    """Finished jobs go, settled arrivals lose their bytes but keep their id; what is open stays."""
    finished, waiting = add(store, "a"), add(store, "b")
    store.jobs.finish(finished, NOW)
    store.arrivals.keep(arrival(1))
    store.arrivals.keep(arrival(2))
    store.arrivals.settle(arrival(1).id, arrival(1).actor, "x", NOW)
    assert store.jobs.prune(NOW) == store.arrivals.prune(bytes_before=NOW, ids_before=NOW) == 0
    soon = later(seconds=1)
    assert store.jobs.prune(soon) == store.arrivals.prune(bytes_before=soon, ids_before=NOW) == 1
    assert [j.id for j in store.jobs.find(states=("queued", "done"))] == [waiting]
    pruned, kept = (
        store.arrivals.get(arrival(1).id, arrival(1).actor),
        store.arrivals.get(arrival(2).id, arrival(2).actor),
    )
    assert pruned is not None
    assert kept is not None
    assert (pruned.body, pruned.headers, kept.body) == (b"", [], b"{}")
    assert not store.arrivals.keep(arrival(1))
    day = later(days=1)
    assert store.arrivals.prune(bytes_before=NOW, ids_before=day) == 1
    assert store.arrivals.keep(arrival(1))


def test_a_peer_gets_no_more_than_its_share(store: Store) -> None:
    """Of one peer only so many are leased at a time, counting those in hand; others are not held up by it."""
    for number in range(6):
        add(store, f"crowd {number}", peer="https://crowd.example")
    add(store, "alone", peer="https://alone.example")
    taken = store.jobs.claim("me", NOW, 16, 2)
    assert sorted(job.lane for job in taken) == ["alone", "crowd 0", "crowd 1"]
    assert store.jobs.claim("me", NOW, 16, 2) == []
    store.jobs.finish(next(one.id for one in taken if one.lane == "crowd 0"), NOW)
    assert [job.lane for job in store.jobs.claim("me", NOW, 16, 2)] == ["crowd 2"]


def test_arrivals_that_wait_are_counted_up_to_a_number(store: Store) -> None:
    """Only what waits to be settled counts, and counting ends where it is enough."""
    for number in range(5):
        add(store, f"in {number}", kind="settle")
    add(store, "out", kind="deliver")
    assert (store.jobs.arrivals_waiting(3), store.jobs.arrivals_waiting(100)) == (3, 5)
