"""Runs the mutants that mutmut does not make (see cuts.py), each in a process of its own: ``--help`` says how.

A mutant is only ever in the memory of its process. It is killed when a test fails, survives when none does.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import random
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pytest
from mutation import cuts, groups

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType, ModuleType

RESULTS = groups.ROOT / "mutants" / "rest.json"
CPU_SECONDS, SECONDS = 120, 900
QUIET = ("-x", "-q", "-p", "no:randomly", "--no-header", "--tb=no", "--hypothesis-seed=0")


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads one module from changed code."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._changed = code

    def get_code(self, _fullname: str) -> CodeType:
        """Return the changed code, which no file holds."""
        return self._changed


class _Finder:
    """Finds one module before anything else does."""

    def __init__(self, name: str, path: str, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the changed module's place, None for any other."""
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=_Loader(name, self._path, self._code))


def killed(path: str, code: CodeType | None, tests: list[str]) -> bool:
    """Tell whether a test fails (or hangs) when the module at ``path`` has this code."""
    child = os.fork()
    if child == 0:
        _become(path, code, tests)
    status = os.waitpid(child, 0)[1]
    return status != 0


def _become(path: str, code: CodeType | None, tests: list[str]) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    signal.alarm(SECONDS)
    if code is not None:
        name = path.removesuffix(".py").replace("/", ".")
        sys.meta_path.insert(0, _Finder(name, str(groups.ROOT / path), code))
    outcome = 1
    try:
        outcome = int(pytest.main([*QUIET, *tests]))
    finally:
        os._exit(outcome)


def _warm(tests: list[str]) -> None:
    """Import what does not change, so that each process starts with it, and forget what may."""
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(["--collect-only", "-q", *tests])
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None) or ""
        if name.partition(".")[0] == "gateway" or (place.startswith(f"{groups.ROOT}/tests/") and module is not groups):
            del sys.modules[name]


def _chosen(group: str, share: float, seed: int) -> Iterator[tuple[str, cuts.Mutant]]:
    chance = random.Random(seed)
    for path in groups.files(group):
        for mutant in cuts.mutants((groups.ROOT / path).read_text("utf-8"), str(groups.ROOT / path)):
            if chance.random() < share:
                yield path, mutant


def main() -> int:
    """Run the groups that are named, all when none is; write the results beside those of mutmut."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group", nargs="*", choices=[*groups.GROUPS, []], help="default: all of them")
    parser.add_argument("--share", type=float, default=1.0, help="run only this share of the mutants")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    os.chdir(groups.ROOT)
    RESULTS.parent.mkdir(exist_ok=True)
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for group in given.group or groups.GROUPS:
        everything = sorted({test for path in groups.files(group) for test in groups.tests(group, path)})
        _warm(everything)
        if killed(everything[0], None, everything):
            print(f"{group}: the tests fail without any change")
            return 1
        results[group] = []
        for path, mutant in _chosen(group, given.share, given.seed):
            dead = killed(path, mutant.code, groups.tests(group, path))
            row = {"path": path, "line": mutant.line, "kind": mutant.kind, "before": mutant.before,
                   "after": mutant.after, "killed": dead}  # fmt: skip
            results[group].append(row)
            if not dead:
                print(f"{path}:{mutant.line}: {mutant.kind}: {mutant.before} -> {mutant.after}", flush=True)
        RESULTS.write_text(json.dumps(results, indent=1), "utf-8")
        print(f"{group}: {sum(row['killed'] for row in results[group])} of {len(results[group])} killed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
