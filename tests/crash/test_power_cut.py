"""A power cut at any moment, also one that loses or tears what was not synced: nothing answered for is lost.

One process keeps and settles arrivals while a preloaded library (``unsynced.c``) writes down its writes and syncs.
Then, for each of many moments, the files are made as the disk could have them, and the store is opened on them.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from crash import acknowledging
from crash.acknowledging import ACKNOWLEDGED
from crash.power import Content, Disk, Step, steps
from processes import CHECKOUT
from tools import missing

from gateway.errors import StoreError
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

CUTS = 500
FEW_CUTS = 150  # enough to notice that nothing is synced
SEED = 512


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the library that writes everything down."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        missing("cc on Linux")
    made = tmp_path_factory.mktemp("unsynced") / "unsynced.so"
    source = Path(__file__).with_name("unsynced.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a directory in memory, where there is one: the files are small and written often."""
    shared = Path("/dev/shm")  # noqa: S108 - a directory of our own in it
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as made:
        yield Path(made).resolve()


def traced(library: Path, root: Path, synchronous: str, seed: int = SEED) -> list[Step]:
    """Run the process and return what it did to its files."""
    data, trace = root / "data", root / "trace"
    data.mkdir()
    subprocess.run(
        [sys.executable, acknowledging.__file__, str(data), synchronous, str(seed)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT),
            "LD_PRELOAD": str(library),
            "UNSYNCED_DIR": str(data),
            "UNSYNCED_TRACE": str(trace),
        },
        check=True,
        timeout=60,
    )
    return list(steps(trace.read_bytes()))


def cut_often(done: list[Step], root: Path, cuts: int, seed: int = SEED) -> list[str]:
    """Cut the power at so many moments; return what was wrong after each."""
    chance = random.Random(seed)
    moments = sorted(chance.randrange(len(done)) for _ in range(cuts))
    disk, acknowledged, problems, at = Disk(), "", list[str](), 0
    for moment in moments:
        for step in done[at:moment]:
            if step.path.endswith(ACKNOWLEDGED):
                acknowledged += step.data.decode()
            else:
                disk.play(step)
        at = moment
        with tempfile.TemporaryDirectory(dir=root) as left:
            disk.cut(Path(left), chance)
            problems += [f"at {moment}: {problem}" for problem in wrong(Path(left) / FILE, acknowledged.split("\n"))]
    return problems


def wrong(path: Path, acknowledged: list[str]) -> list[str]:
    """Open the store on what is left; return what is lost, half there or damaged."""
    try:
        store = Store(path)
    except StoreError as error:
        return [f"does not open: {error}"]
    try:
        damage = store.database.damage()
        if damage:
            return damage
        rows = {row["id"]: row for row in store.database.rows("SELECT id, body, headers, settled FROM arrival")}
        jobs = {row["lane"]: row["state"] for row in store.database.rows("SELECT lane, state FROM job WHERE pool = 0")}
        begun = {row["lane"] for row in store.database.rows("SELECT lane FROM job WHERE pool > 0 AND begun = 1")}
    except StoreError as error:
        return [f"cannot be read: {error}"]
    finally:
        store.close()
    lost = [line for line in acknowledged if line and not is_there(line, rows, jobs, begun)]
    half = [f"half there: {name}" for name in rows.keys() ^ jobs.keys()]
    half += [
        f"half settled: {name}" for name, row in rows.items() if (jobs.get(name) == "done") != bool(row["settled"])
    ]
    half += [
        f"torn: {name}" for name, row in rows.items() if not name.endswith(hashlib.sha256(row["body"]).hexdigest())
    ]
    return [*(f"lost: {line}" for line in lost), *half]


def is_there(line: str, rows: dict[str, dict[str, object]], jobs: dict[str, str], begun: set[str]) -> bool:
    """Tell whether what a line acknowledges is in the store; of what left, that it may have."""
    what, _, name = line.partition(" ")
    if what == "left":
        return name in begun
    if what == "settled":
        return name in rows and rows[name]["settled"] is not None and jobs.get(name) == "done"
    return name in rows and name in jobs


@pytest.mark.parametrize("seed", [SEED, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2, 3))])
def test_a_power_cut_loses_nothing_that_was_acknowledged(library: Path, memory: Path, seed: int) -> None:
    """After each of 500 power cuts the store opens, is sound, has all that was acknowledged, and nothing by halves."""
    done = traced(library, memory, "as it is", seed)
    kinds = {(step.kind, Path(step.path).name) for step in done}
    assert {("S", FILE), ("S", f"{FILE}-wal"), ("W", FILE), ("W", f"{FILE}-wal"), ("W", ACKNOWLEDGED)} <= kinds
    assert sum(step.path.endswith(ACKNOWLEDGED) for step in done) > acknowledging.ROUNDS * 2
    assert cut_often(done, memory, CUTS, seed) == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_cuts_show_what_is_not_synced(library: Path, memory: Path, synchronous: str) -> None:
    """A store that answers before it syncs loses something acknowledged: these cuts can tell."""
    done = traced(library, memory, synchronous)
    assert any(": lost: " in problem for problem in cut_often(done, memory, FEW_CUTS))


def test_what_was_synced_stays_and_the_rest_may_tear() -> None:
    """A cut keeps every synced byte, and of a write after it any of its sectors."""
    content = Content(pending=[Step("W", "f", 0, b"a" * 2048)])
    content.sync()
    content.pending.append(Step("W", "f", 256, b"b" * 1024))
    seen = {content.after_cut(random.Random(seed), 0.7) for seed in range(100)}
    assert b"a" * 2048 in seen
    assert b"a" * 256 + b"b" * 1024 + b"a" * 768 in seen
    assert b"a" * 512 + b"b" * 512 + b"a" * 1024 in seen
    assert all(len(one) == 2048 and set(one[:256] + one[1280:]) == {ord("a")} for one in seen)
