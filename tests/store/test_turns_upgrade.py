"""Jobs of a database of the version before turns: all of them are kept, in their order, in a time that fits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlite_utils
from store.queueing import ENDED, claim
from store.rows import NOW, later

from gateway.store.database import to_ms
from gateway.store.schema import MIGRATIONS
from gateway.store.sqlite import sqlite3
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path


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
