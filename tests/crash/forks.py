"""Starts gateways in a tenth of the time: each is forked from a process that has imported everything already.

Run as ``python -m crash.forks PARENT`` it takes one order a line, as JSON, and answers each with one line; ``Forks`` is
the side of the test. What is forked differs from ``gateway serve`` in nothing but that its modules are there at once,
and that it ends itself at a named point (``crash.points``) when it is told to.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from crash import points

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parent.parent
ANSWER_SECONDS = 30.0
PR_SET_PDEATHSIG = 1


class Forks:
    """Gives orders to the process that forks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, arguments: list[str], environment: dict[str, str], errors: Path, point: str = "") -> int:
        """Start a gateway with these arguments and settings; return its process id."""
        order = {"arguments": arguments, "environment": environment, "errors": str(errors), "point": point}
        return self._ask(order)

    def wait(self, pid: int) -> int:
        """Wait until a started process has ended; return its exit code, negative for a signal."""
        return self._ask({"wait": pid})

    def kill(self, pid: int) -> None:
        """Kill -9, and wait until it is gone."""
        os.kill(pid, signal.SIGKILL)
        self.wait(pid)

    def _ask(self, order: dict[str, Any]) -> int:
        told, heard = self._process.stdin, self._process.stdout
        assert told is not None
        assert heard is not None
        told.write(json.dumps(order) + "\n")
        told.flush()
        assert select.select([heard], [], [], ANSWER_SECONDS)[0], f"no answer to {order}"
        return int(heard.readline())


@contextmanager
def forking() -> Iterator[Forks]:
    """Run the process that forks; what it started ends with it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "COVERAGE_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "crash.forks", str(os.getpid())], text=True,
        env={**kept, "PYTHONPATH": os.pathsep.join((str(TESTS.parent), str(TESTS)))},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Forks(process)
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with(parent: int) -> None:
    """Let Linux end us when our parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the test is gone")


def _serve(orders: IO[str], answers: IO[str]) -> None:
    """Carry out orders until there are no more; nothing that was started stays."""
    living: set[int] = set()
    try:
        for line in orders:
            order = json.loads(line)
            if "wait" in order:
                pid, status = os.waitpid(order["wait"], 0)
                living.discard(pid)
                answer = os.waitstatus_to_exitcode(status)
            else:
                answer = _fork(order)
                living.add(answer)
            answers.write(f"{answer}\n")
            answers.flush()
    finally:
        for pid in living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _fork(order: dict[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _end_with(parent)
        _become(order)
        points.run(order["point"], order["arguments"])
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - a forked process must not go on as its parent
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def _become(order: dict[str, Any]) -> None:
    """Take the settings, and send what is said where it belongs."""
    os.environ.update(order["environment"])
    nothing = os.open(os.devnull, os.O_RDWR)
    errors = os.open(order["errors"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, handle in ((0, nothing), (1, nothing), (2, errors)):
        os.dup2(handle, number)
    os.chdir(Path(order["errors"]).parent)
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    _end_with(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    points.prepare()
    gc.freeze()
    _serve(sys.stdin, sys.stdout)
