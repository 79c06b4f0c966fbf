"""No input makes a parser fail: kept ones, seeded random ones, long ones, and what coverage guides to."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.changes import CORPUS, inputs, kept, smallest
from fuzz.targets import BROKEN, TARGETS, WORDS
from tools import missing

RANDOM = 20_000
GUIDED = 2_000
LONG = 2_000_000
MAX_CORPUS = 20_000
RUN = 6_000  # characters: more than Python turns into a number, less than a header line may have
_RUNS = re.compile(rb"[0-9]+|[A-Za-z]+|[^0-9A-Za-z]")
FILES = [(name, path) for name in TARGETS for path in kept(name)]


def _fails(name: str, data: bytes) -> str:
    """Return what goes wrong with ``data``, with the smallest input that does it; empty when nothing does."""
    try:
        TARGETS[name](data)
    except Exception as error:  # noqa: BLE001 - whatever it is
        small = smallest(TARGETS[name], data) if len(data) < 1000 else data[:200]
        return f"{name}: {type(error).__name__}: {str(error)[:200]} on {small[:300]!r}"
    return ""


def _engine(name: str, runs: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the coverage-guided engine in a process of its own."""
    if importlib.util.find_spec("atheris") is None:
        missing("atheris")
    # Measured coverage would slow it down many times, and is not what the engine is for.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    command = [sys.executable, str(Path(__file__).with_name("run.py")), name, "--runs", str(runs)]
    return subprocess.run(
        [*command, "--failures", str(folder)], env=environment, capture_output=True, text=True, check=False
    )


def test_every_target_has_inputs_and_words() -> None:
    """Each target has a kept corpus and words of its grammar, and the whole is small."""
    assert WORDS.keys() == TARGETS.keys()
    assert {path.name for path in CORPUS.iterdir()} == TARGETS.keys()
    assert all(kept(name) and WORDS[name] for name in TARGETS)
    assert sum(path.stat().st_size for _, path in FILES) < MAX_CORPUS


def test_a_broken_promise_is_found_and_made_small() -> None:
    """The random inputs reach a failure that is there, and what is reported is its smallest part."""
    failing = []
    for data in inputs("line", WORDS["line"], 1, 200):
        try:
            BROKEN(data)
        except AssertionError:
            failing.append(data)
    assert failing
    assert {smallest(BROKEN, data) for data in failing} == {b"n="}


@pytest.mark.parametrize(("name", "path"), FILES, ids=[f"{name}-{path.name}" for name, path in FILES])
def test_kept_inputs_hold(name: str, path: Path) -> None:
    """Every kept input ends as its target promises."""
    assert _fails(name, path.read_bytes()) == ""


@pytest.mark.parametrize("name", TARGETS)
def test_random_inputs_hold(name: str) -> None:
    """20,000 seeded random inputs a target end as promised."""
    assert next(filter(None, (_fails(name, data) for data in inputs(name, WORDS[name], 1, RANDOM))), "") == ""


@pytest.mark.parametrize("name", TARGETS)
def test_long_runs_hold(name: str) -> None:
    """A kept input with any number, word or mark in it repeated thousands of times ends as promised."""
    found = []
    for path in kept(name):
        data = path.read_bytes()
        for run in list(_RUNS.finditer(data))[:90]:
            blown = data[: run.start()] + data[run.start() : run.start() + 1] * RUN + data[run.end() :]
            if wrong := _fails(name, blown):
                found.append(f"{path.name} at {run.start()}: {wrong}")
    assert found == []


def test_the_engine_finds_what_is_broken(tmp_path: Path) -> None:
    """The coverage-guided engine fails, and writes down the smallest input, where a promise is broken."""
    done = _engine("broken", 200_000, tmp_path)
    assert done.returncode != 0
    assert (tmp_path / "broken.small").read_bytes() == b"n="


def test_the_engine_runs(tmp_path: Path) -> None:
    """The coverage-guided engine starts from the kept inputs, sees our code and finds nothing in a short run."""
    done = _engine("json", GUIDED, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"stat::number_of_executed_units: {GUIDED}" in done.stderr
    covered = [int(found) for found in re.findall(r"cov: (\d+)", done.stderr)]
    assert covered[-1] > 20, "nothing of ours is watched"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_two_million_guided_executions_hold(name: str, tmp_path: Path) -> None:
    """Two million coverage-guided executions a target end as promised, none of them slower than 20 seconds."""
    done = _engine(name, LONG, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"stat::number_of_executed_units: {LONG}" in done.stderr
