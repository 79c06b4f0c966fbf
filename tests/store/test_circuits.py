"""Circuits as rows, and what they hold back of the jobs: one probe at a time, a slow release, a time to live."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from store.rows import NOW, later

from gateway.jobs import circuit as pure
from gateway.store.circuits import Circuit
from gateway.store.claims import LEASE
from gateway.store.jobs import ARRIVALS, BULK, PEOPLE, Job
from gateway.store.store import Store

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

PEER, OTHER = "https://peer.example", "https://other.example"
PAUSE = timedelta(minutes=30)
FULL = Circuit(recent=(NOW, later(minutes=1)), until=later(minutes=30), days=2, last=later(minutes=1), mending=10)


def add(store: Store, *lanes: str, peer: str = PEER, pool: int = PEOPLE, due: datetime = NOW) -> None:
    """Queue one delivery a lane."""
    for lane in lanes:
        store.jobs.add("deliver", {}, lane=lane, peer=peer, due=due, pool=pool)


def claim(store: Store, at: datetime, share: int = 4) -> list[Job]:
    """Claim whatever may go out."""
    return store.jobs.claim("me", at, 100, share, (PEOPLE, BULK))


def keep(store: Store, circuit: Circuit, peer: str = PEER) -> Circuit:
    """Let a circuit take effect."""
    store.circuits.put(peer, circuit)
    store.jobs.hold(peer, circuit.until)
    return circuit


def opened(store: Store, at: datetime = NOW) -> Circuit:
    """Let a peer's circuit be opened by five failures."""
    circuit = Circuit()
    for _ in range(5):
        circuit = pure.failed(circuit, at)
    return keep(store, circuit)


def test_nobody_is_in_trouble_at_first(store: Store) -> None:
    """An origin that nothing is known of has the empty circuit, and no row."""
    assert store.circuits.get(PEER) == Circuit()
    assert store.circuits.all() == {}


@pytest.mark.parametrize("circuit", [FULL, Circuit(recent=(NOW,), days=1, last=NOW), Circuit(mending=3)])
def test_a_circuit_comes_back_as_it_was_kept(store: Store, circuit: Circuit) -> None:
    """Every field is there again, those without a value too; the newest wins; others are left alone."""
    store.circuits.put(OTHER, FULL)
    store.circuits.put(PEER, replace(FULL, days=6))
    store.circuits.put(PEER, circuit)
    assert store.circuits.get(PEER) == circuit
    assert store.circuits.all() == {OTHER: FULL, PEER: circuit}


def test_a_circuit_survives_a_restart(store: Store, where: Path | str) -> None:
    """Another process finds it, and holds back what is for the peer."""
    add(store, "a")
    opened(store)
    again = Store(where)
    assert again.circuits.get(PEER) == store.circuits.get(PEER)
    assert claim(again, later(minutes=29)) == []
    again.close()


def test_who_is_well_leaves_no_row(store: Store) -> None:
    """The empty circuit is forgotten."""
    store.circuits.put(PEER, FULL)
    store.circuits.put(PEER, Circuit())
    assert store.circuits.all() == {}


@pytest.mark.parametrize("pool", [PEOPLE, BULK])
def test_nothing_goes_out_while_a_circuit_is_open(store: Store, pool: int) -> None:
    """What was queued before and what is queued after is held; others and arrivals are not."""
    add(store, "before", pool=pool)
    opened(store)
    add(store, "after", pool=pool, due=later(minutes=1))
    add(store, "anew", pool=PEOPLE + BULK - pool, due=later(minutes=1))
    add(store, "other", peer=OTHER)
    store.jobs.add("settle", {}, lane="in", peer=PEER, due=NOW, pool=ARRIVALS)
    taken = store.jobs.claim("me", NOW + PAUSE - timedelta(milliseconds=1), 100, 4)
    assert sorted(job.lane for job in taken) == ["in", "other"]


def test_one_probe_goes_at_a_time(store: Store) -> None:
    """When the pause is over one delivery may go, and no second one while it is in hand."""
    add(store, *"abcdef")
    opened(store)
    assert len(claim(store, NOW + PAUSE)) == 1
    add(store, "g", due=NOW + PAUSE)
    assert claim(store, NOW + PAUSE) == []


def test_one_probe_goes_whatever_waits_for_it(store: Store) -> None:
    """A peer for which both people and bulk wait gets one probe, not one of each."""
    add(store, "a", "b")
    add(store, "c", "d", pool=BULK)
    opened(store)
    assert len(claim(store, NOW + PAUSE)) == 1


def test_the_next_probe_waits_for_the_pause(store: Store) -> None:
    """After a probe that failed nothing goes for another half hour, then one again."""
    add(store, *"abc")
    circuit = opened(store)
    moment = NOW
    for _ in range(3):
        moment += PAUSE
        [probe] = claim(store, moment)
        store.jobs.postpone(probe.id, moment + timedelta(seconds=15))
        circuit = keep(store, pure.failed(circuit, moment))
        assert claim(store, moment + PAUSE - timedelta(milliseconds=1)) == []


@pytest.mark.parametrize("how", ["lease", "start"])
def test_a_lost_probe_is_replaced(store: Store, how: str) -> None:
    """A probe whose process died is followed by exactly one other: after its lease, or at the next start."""
    add(store, *"abc")
    opened(store)
    moment = NOW + PAUSE
    for _ in range(3):
        assert len(claim(store, moment)) == 1
        assert claim(store, moment) == []
        if how == "start":
            store.jobs.release("me")
        else:
            assert claim(store, moment + LEASE - timedelta(milliseconds=1)) == []
            moment += LEASE


def test_what_was_held_is_released_slowly(store: Store) -> None:
    """The first ten go one by one, then the peer has its share again, and nothing is lost."""
    add(store, *(f"{number:02}" for number in range(30)))
    circuit, moment, order = opened(store), NOW + PAUSE, []
    for _ in range(10):
        [job] = claim(store, moment)
        assert claim(store, moment) == []
        store.jobs.finish(job.id, moment)
        circuit = keep(store, pure.succeeded(circuit))
        order.append(job.lane)
    while taken := claim(store, moment):
        if len(order) > 11:
            assert len(taken) == min(4, 30 - len(order))
        for job in taken:
            store.jobs.finish(job.id, moment)
            order.append(job.lane)
        circuit = keep(store, pure.succeeded(circuit))
    assert order == sorted(order)
    assert len(order) == 30


def test_what_was_held_is_released_slowly_whatever_it_is(store: Store) -> None:
    """While a peer mends, one delivery is in hand for it, people's and bulk together."""
    add(store, "a", "b")
    add(store, "c", "d", pool=BULK)
    circuit = opened(store)
    keep(store, pure.succeeded(circuit))
    assert len(claim(store, NOW + PAUSE)) == 1


def test_a_closed_circuit_gives_the_turn_back_at_once(store: Store) -> None:
    """What was held need not wait for the end of the pause when the peer turns out to be well."""
    add(store, "a")
    add(store, "b", pool=BULK)
    opened(store)
    assert claim(store, later(minutes=1)) == []
    keep(store, Circuit())
    assert {job.lane for job in claim(store, later(minutes=1))} == {"a", "b"}


def test_a_hold_brings_nothing_forward(store: Store) -> None:
    """Work that is due after the pause is not due before it is."""
    add(store, "a", due=later(hours=2))
    opened(store)
    assert claim(store, later(hours=1)) == []
    assert len(claim(store, later(hours=2))) == 1


@pytest.mark.parametrize(
    "circuit",
    [
        FULL,
        Circuit(recent=(NOW,), days=1, last=NOW),
        pure.gone(NOW),
        pure.succeeded(Circuit(until=later(minutes=30), days=1, last=NOW, mending=10)),
    ],
    ids=["open", "failed once", "dead", "mending"],
)
def test_trouble_is_forgotten(store: Store, circuit: Circuit) -> None:
    """No row of any state outlives its time: strangers cannot make the table grow for ever."""
    store.circuits.put(PEER, circuit)
    store.circuits.prune(later(days=30))
    assert store.circuits.all() == {}


def test_recent_trouble_is_kept(store: Store) -> None:
    """Whoever failed lately stays known."""
    store.circuits.put(PEER, FULL)
    store.circuits.put(OTHER, replace(FULL, last=later(days=3)))
    assert store.circuits.prune(later(days=2)) == 1
    assert list(store.circuits.all()) == [OTHER]


def test_what_is_held_goes_when_trouble_is_forgotten(store: Store) -> None:
    """Jobs of a peer whose circuit was pruned have their turn, with the whole share."""
    add(store, *"abcdef")
    opened(store)
    store.circuits.prune(later(days=8))
    store.jobs.prune(later(days=8))
    assert len(claim(store, later(days=8))) == 4
