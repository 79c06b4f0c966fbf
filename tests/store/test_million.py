"""A queue of a million rows: what a claim costs beside it, and what a gateway that starts on it needs.

REL-019. The short run has a hundred thousand rows.
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from peers.plain import ACTIVITY_JSON
from processes import Served, free_port, listening
from store.queueing import claim, steps
from store.rows import NOW

from gateway.clock import SystemClock
from gateway.store.database import to_ms
from gateway.store.jobs import BULK, PEOPLE
from gateway.store.sqlite import Sqlite
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.database import Database
    from gateway.store.jobs import Job

SIZES = [100_000, pytest.param(1_000_000, marks=pytest.mark.long)]
FEW = 1_000
PEERS = 500
PEER = "https://p1.example"
RSS_KIB = 300 * 1024
START_SECONDS = 5.0
ROOM = 1.5  # times what it costs beside few rows


def fill(database: Database, rows: int, due: datetime) -> None:
    """Queue so many deliveries: to many peers, of people and of crowds, each in a lane of its own."""
    with database.transaction():
        database.run(
            "INSERT INTO job (kind, pool, lane, peer, verb, payload, due, attempts, state, created)"
            " WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :rows)"
            " SELECT 'deliver', CASE i % 4 WHEN 0 THEN :people ELSE :bulk END, 'out ' || i,"
            " 'https://p' || (i % :peers) || '.example', 'Create', '{\"activity\":\"https://gw.example/' || i ||"
            " '\",\"inbox\":\"https://p' || (i % :peers) || '.example/inbox\",\"media\":false}',"
            " :due + i, 0, 'queued', :due FROM n",
            rows=rows, peers=PEERS, people=PEOPLE, bulk=BULK, due=to_ms(due),
        )  # fmt: skip
        database.run(
            "INSERT INTO turn SELECT pool, peer, min(due), 0, 0 FROM job WHERE state = 'queued' GROUP BY pool, peer"
        )


def costs(directory: Path, rows: int) -> dict[str, int]:
    """Return what a claim of one, its end, a claim of many and a new row cost beside so many rows."""
    directory.mkdir()
    store = Store(directory / FILE)
    store.database.run("PRAGMA synchronous=OFF")
    fill(store.database, rows, NOW)
    moment = NOW.replace(hour=NOW.hour + 1)
    taken: list[Job] = []
    found = {
        "claim": steps(store, lambda: taken.extend(claim(store, moment, limit=1))),
        "end": steps(store, lambda: store.jobs.finish(taken[0].id, moment)),
        "postpone": 0,
        "many": steps(store, lambda: taken.extend(claim(store, moment, limit=50))),
        "add": steps(store, lambda: store.jobs.add("deliver", {}, lane="new", peer=PEER, due=moment, verb="Create")),
    }
    found["postpone"] = steps(store, lambda: store.jobs.postpone(taken[1].id, moment))
    assert len(taken) == 51
    store.close()
    return found


@pytest.mark.parametrize("rows", SIZES)
def test_a_claim_costs_the_same_beside_a_million(tmp_path: Path, rows: int) -> None:
    """Whatever is done to a job takes at most one and a half times the steps that it takes beside a thousand rows."""
    few, many = costs(tmp_path / "few", FEW), costs(tmp_path / "many", rows)
    assert {what: (few[what], many[what]) for what in few if many[what] > ROOM * few[what]} == {}


def test_overtaking_costs_the_same_beside_many(tmp_path: Path) -> None:
    """What an Update or Delete overtakes in its lane is found without looking at what else is queued."""
    found = []
    for rows in (FEW, 10 * FEW):
        store = Store(tmp_path / f"{rows}")
        fill(store.database, rows, NOW)
        found.append(steps(store, lambda store=store: store.jobs.supersede("out 7", NOW, "Update")))  # type: ignore[misc]
        store.close()
    assert found[1] <= ROOM * found[0]


def started(gateway: Served) -> float:
    """Start a gateway; return how many seconds it took until it was ready."""
    began = time.monotonic()
    gateway.start()
    return time.monotonic() - began


def peak_kib(gateway: Served) -> int:
    """Return how much memory the process ever had."""
    assert gateway.process is not None
    lines = Path(f"/proc/{gateway.process.pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("rows", SIZES)
def test_a_gateway_starts_on_a_million(tmp_path: Path, rows: int) -> None:
    """Over a full queue it is ready as soon as over an empty one, works at once, and stays small."""
    gateway = Served(data=tmp_path / "gw", port=free_port())
    gateway.cli("account", "create", "alice")
    token = gateway.cli("token", "create", "alice")["token"]
    try:
        empty = started(gateway)
        assert gateway.interrupt()[0] == 0
        database = Sqlite(gateway.data / FILE)
        fill(database, rows, SystemClock().now() + timedelta(hours=1))
        database.close()
        full = started(gateway)
        with listening() as peer:
            alice = f"{gateway.base}/users/alice"
            assert peer.post(f"{alice}/inbox", peer.plain.activity("Follow", alice)).status_code == 202
            peer.wait_for("Accept")
            headers = {"authorization": f"Bearer {token}", "content-type": ACTIVITY_JSON}
            note = {"type": "Note", "content": "hello"}
            answer = peer.client.post(f"{alice}/outbox", json=note, headers=headers)
            assert answer.status_code == 201
            peer.wait_for("Create")
        assert gateway.rows("SELECT count(*) AS n FROM job WHERE state = 'queued'") == [{"n": rows}]
        peak = peak_kib(gateway)
        print(f"{rows} rows: ready after {full:.1f} s (empty: {empty:.1f} s), {peak // 1024} MiB at most")
        assert full <= max(START_SECONDS, 2 * empty)
        assert peak <= RSS_KIB
        assert gateway.interrupt()[0] == 0
    finally:
        gateway.kill()
    gateway.check()
