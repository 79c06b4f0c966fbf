"""Kills gateways under load, at seeded random moments, and writes down what they had in hand."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
from crash import outcome
from crash.crowd import Crowd, crowd
from crash.forks import Forks, forking
from crash.traffic import Doors, Traffic
from processes import START_SECONDS, Served, eventually, free_port
from psycopg.rows import dict_row

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

LONGEST_STEP = 5  # answers between the start and the kill
LONGEST_DELAY = 0.08  # seconds from the last of them to the kill
EARLY = 0.15  # share of cycles that are killed while they start
STARTING_SECONDS = 0.4
LEASED = "SELECT payload, peer FROM job WHERE state = 'leased' AND kind = 'deliver'"
# The senders are few and fast, and what is held up at the door would not be there to be lost.
UNLIMITED = {"GATEWAY_LIMIT_NETWORK": "0", "GATEWAY_LIMIT_PEER": "0", "GATEWAY_LIMIT_PEER_MEBIBYTES": "0"}


class Killer:
    """A gateway of one or more processes, how it is started and killed, and what was in hand at each kill."""

    def __init__(self, served: Served, forks: Forks, traffic: Traffic, chance: random.Random) -> None:
        self.served, self.forks, self.traffic, self.chance = served, forks, traffic, chance
        self.kills = 0
        self.in_hand: Counter[tuple[str, str]] = Counter()
        self._wait = threading.Event()
        self._client = httpx.Client(trust_env=False)

    def start(self, port: int | None = None, workers: int = 1) -> int:
        """Start ``gateway serve`` on a port, its own when none is given; return its process id."""
        given = self.served.environment(GATEWAY_PORT=str(port or self.served.port), GATEWAY_WORKERS=str(workers))
        return self.forks.start(["serve"], given, self.served.stderr_path if workers == 1 else self.supervised_path)

    @property
    def supervised_path(self) -> Path:
        """Return where supervisors and their workers write: those complain about a worker that is killed."""
        return self.served.data.with_name("supervised.stderr.txt")

    def wait_ready(self, port: int | None = None) -> None:
        """Wait until what was started answers."""
        url = f"http://127.0.0.1:{port or self.served.port}/readyz"

        def is_ready() -> bool:
            with suppress(httpx.TransportError):
                return self._client.get(url).is_success
            return False

        try:
            eventually(is_ready, url, seconds=START_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.served.stderr[-4000:]}") from error

    def after_some_answers(self) -> None:
        """Wait for a few answers, and a moment longer."""
        goal = self.traffic.answers + self.chance.randint(1, LONGEST_STEP)
        eventually(lambda: self.traffic.answers >= goal, "answers")
        self._wait.wait(self.chance.random() * LONGEST_DELAY)

    def kill(self, pid: int, others: Sequence[int] = ()) -> None:
        """Kill -9 a process that was forked, and others that it started, all at the same time."""
        self.freeze_and_count([pid, *others])
        for other in others:
            os.kill(other, signal.SIGKILL)
        self.forks.kill(pid)
        eventually(lambda: not any(is_there(other) for other in others), "they are gone")
        if not self.served.settings.get("GATEWAY_DATABASE_URL"):
            self._count(self.served.rows(LEASED))

    def freeze_and_count(self, pids: Sequence[int]) -> None:
        """Stop processes for good and write down what was in hand, before somebody else can take it up.

        On SQLite there is nobody else, and who stands still may hold the lock that a look at the file takes.
        """
        self.kills += 1
        ended = [pid for pid in pids if not is_there(pid)]
        assert not ended, f"{ended} ended before they were killed:\n{self.served.stderr[-4000:]}"
        url = self.served.settings.get("GATEWAY_DATABASE_URL")
        if url:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            eventually(lambda: all(state_of(pid) == "T" for pid in pids), "they stand still")
            with psycopg.connect(url, row_factory=dict_row) as connection:
                self._count(connection.execute(LEASED).fetchall())

    def _count(self, rows: Sequence[dict[str, Any]]) -> None:
        self.in_hand.update((json.loads(row["payload"])["activity"], row["peer"]) for row in rows)

    def one_after_another(self, cycles: int) -> None:
        """Start a gateway and kill it, again and again, now and then while it starts."""
        for _ in range(cycles):
            pid = self.start()
            if self.chance.random() < EARLY:
                self._wait.wait(self.chance.random() * STARTING_SECONDS)
            else:
                self.after_some_answers()
            self.kill(pid)

    def one_of_two(self, cycles: int) -> None:
        """Let two processes serve one database, and kill now this one and now that one while the other goes on."""
        ports = [self.served.port, free_port()]
        pids = [self.start(port) for port in ports]
        for port in ports:
            self.wait_ready(port)
        self.traffic.doors.ports = ports
        for _ in range(cycles):
            which = self.chance.randrange(2)
            if self.chance.random() < EARLY:
                self._wait.wait(self.chance.random() * STARTING_SECONDS)
            else:
                self.after_some_answers()
            self.kill(pids[which])
            pids[which] = self.start(ports[which])
        for port in ports:
            self.wait_ready(port)  # before that nobody listens to Ctrl-C
        for pid in pids:
            os.kill(pid, signal.SIGINT)
            assert self.forks.wait(pid) == 0
        self.traffic.doors.ports = ports[:1]

    def supervised(self, sessions: int) -> None:
        """Let a supervisor keep two workers: kill one of them, and later all three processes at once."""
        for _ in range(sessions):
            supervisor = self.start(workers=2)
            eventually(lambda: len(workers_of(supervisor)) == 2, "two workers", seconds=START_SECONDS)  # noqa: B023
            self.after_some_answers()
            gone = self.chance.choice(workers_of(supervisor))
            self.freeze_and_count([gone])
            os.kill(gone, signal.SIGKILL)
            self.after_some_answers()
            # First nobody starts a worker any more; then it is known who they are.
            os.kill(supervisor, signal.SIGSTOP)
            eventually(lambda: state_of(supervisor) == "T", "the supervisor stands still")  # noqa: B023
            self.kill(supervisor, workers_of(supervisor))

    def complaints(self) -> list[str]:
        """Return what supervisors and workers complained about, but for the workers that were killed."""
        told = self.supervised_path.read_text("utf-8") if self.supervised_path.exists() else ""
        killed = f'"code": -{signal.SIGKILL:d}'
        bad = [
            line for line in told.splitlines() if '"level": "error"' in line or "Warning" in line or "Traceback" in line
        ]
        return [line for line in bad if killed not in line]

    def end(self, crowd: Crowd) -> None:
        """Start once more, let everything be done, and stop in an orderly way."""
        pid = self.start()
        self.wait_ready()
        self.traffic.stop()
        outcome.drained(self.served, crowd)
        os.kill(pid, signal.SIGINT)
        assert self.forks.wait(pid) == 0

    def close(self) -> None:
        """Let go of what this holds itself."""
        self._client.close()


def is_there(pid: int) -> bool:
    """Tell whether a process lives."""
    return state_of(pid) not in ("", "Z")


def state_of(pid: int) -> str:
    """Return the state of a process as the kernel names it; empty when there is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    return ""


def workers_of(supervisor: int) -> list[int]:
    """Return the process ids of a supervisor's workers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                state, parent = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()[:2]
                if int(parent) == supervisor and state != "Z":
                    found.append(int(entry.name))
    return sorted(found)


@contextmanager
def under_load(root: Path, seed: int, chance: random.Random, url: str = "") -> Iterator[Killer]:
    """Make a gateway whose alice the whole crowd follows, let half of that fall ill, and let the load begin.

    Afterwards everything must have come out as it should.
    """
    settings = {**UNLIMITED, **({"GATEWAY_DATABASE_URL": url} if url else {})}
    served = Served(data=root / "gw", port=free_port(), settings=settings)
    served.cli("account", "create", "alice")
    token = served.cli("token", "create", "alice")["token"]
    with crowd() as people, forking() as forks:
        traffic = Traffic(Doors(served.base, [served.port]), people, token, seed)
        killer = Killer(served, forks, traffic, chance)
        try:
            pid = killer.start()
            killer.wait_ready()
            follow(served, people)
            killer.kill(pid)
            people.fall_ill()
            traffic.start()
            yield killer
            killer.end(people)
        finally:
            traffic.stop(5.0)
            killer.close()
        print(
            f"{killer.kills} kills, {len(traffic.expected.answered)} arrivals,"
            f" {len(traffic.created)} of {len(traffic.tried)} posts"
        )
        assert killer.complaints() == []
        outcome.check(served, traffic, killer.in_hand)


def follow(served: Served, people: Crowd) -> None:
    """Let one of each peer follow alice."""
    alice = f"{served.base}/users/alice"
    with httpx.Client(trust_env=False, timeout=30.0) as client:
        for member in people.members:
            body = json.dumps(member.plain.activity("Follow", alice)).encode()
            request = member.plain.signed(f"{alice}/inbox", body)
            answer = client.post(request.target, content=body, headers=list(request.headers))
            assert answer.status_code == 202, answer.text
    eventually(lambda: all(member.accepted for member in people.members), "everybody follows")
