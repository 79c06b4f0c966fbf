"""How long a post is on its way: fan-out in virtual time, with the product's own schedule, circuits and limits.

Nothing is sent and nothing waits: a heap of events stands for the clock. What decides is the gateway's own code and
constants: ``jobs.retry``, ``jobs.circuit``, the hands of ``jobs.worker``, the pauses of ``flows.queue`` and the limits
of ``net``. What is assumed is below, as constants: how followers are spread, how fast well peers answer, how others
fail. The order of turns is that of ``store.jobs``: due first, then who waited longest.

``python tests/bench/simulation.py [--json] [--cpu 1.5]`` prints every scenario.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import sys
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from gateway.flows.queue import MANY, MOST_PAUSE, PAUSE_EACH
from gateway.jobs import circuit
from gateway.jobs.circuit import State
from gateway.jobs.retry import Again, next_try
from gateway.jobs.worker import LATE, LATE_SECONDS, SENDING, SHARE
from gateway.net.client import CONNECT_SECONDS
from gateway.net.purpose import DELIVERY
from gateway.store.circuits import Circuit

START = datetime(2026, 11, 23, 9, 0, 0, tzinfo=UTC)
ZIPF = 1.0  # the n-th largest peer has 1/n of the largest one's followers
ANSWER_MEDIAN, ANSWER_SIGMA, ANSWER_MOST = 0.25, 0.8, 10.0  # seconds until a well peer has answered: log-normal
REFUSED_SECONDS = 0.1  # no such name, or nobody listens there
SILENT_SHARE = 1 / 3  # of the dead: their address is there and says nothing, so connecting times out
BUSY_SECONDS = 0.3  # until a broken peer says 503, without saying when to come again
UNWELL = 1 / 3
STORM_SECONDS = 2 * 3600.0
ACCEPTED = 202
CPU_MS = 1.5  # of one delivery, signed and written down: what make bench finds on two slow cores
NEVER = math.inf
POST, WAKE, SLOW = -1, -2, -3  # events that are no end of a job
_EMPTY = Circuit()


class Health(StrEnum):
    """How the peers are: all well, or a third of them is not."""

    WELL = "all well"
    STORM = "storm"
    DEAD = "dead third"
    SLOW = "slow third"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One scenario: ``hours`` of posts at ``posts_per_day``, then ``drain`` hours without any."""

    followers: int
    health: Health = Health.WELL
    processes: int = 1
    posts_per_day: int = 24
    hours: float = 2.0
    drain: float = 1.0
    peers: int = 30_000
    cpu_ms: float = CPU_MS
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came out: seconds from a post to its deliveries at well peers, and what it took."""

    reached: int
    posts: int
    queued: int
    delivered: int
    given_up: int
    left: int
    p50: float
    p95: float
    p99: float
    peak_queue: int
    wasted: int
    attempts: int
    peak_hands: int
    mean_hands: float
    cpu_share: float
    circuits: int  # that are open or half-open at the end


@dataclass(slots=True)
class Peer:
    """A peer's queue, its turn and its circuit; jobs are (due, id), the rest of a job stands in lists by id."""

    jobs: list[tuple[float, int]] = field(default_factory=list)
    leased: int = 0
    next: float = NEVER
    opens: float = 0.0
    served: int = 0
    circuit: Circuit = _EMPTY
    is_unwell: bool = False
    is_silent: bool = False


def reached(plan: Plan, chance: random.Random) -> int:
    """Return how many peers have at least one of the followers."""
    weights = [1 / rank**ZIPF for rank in range(1, plan.peers + 1)]
    total = math.fsum(weights)
    return sum(chance.random() < -math.expm1(plan.followers * math.log1p(-weight / total)) for weight in weights)


class Simulation:
    """The gateway's deliveries to many, in virtual seconds since ``START``."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.now = 0.0
        self.peers = [Peer() for _ in range(reached(plan, self.chance))]
        if plan.health is not Health.WELL:
            for peer in self.chance.sample(self.peers, round(len(self.peers) * UNWELL)):
                peer.is_unwell, peer.is_silent = True, self.chance.random() < SILENT_SHARE
        self.most = SENDING // 2 * plan.processes  # what goes to many has half of the hands
        self.posted: list[float] = []  # of each job: when its post was made, and how often it was tried
        self.tried: list[int] = []
        self.events: list[tuple[float, int, int, int, int | None]] = []  # (when, number, job, peer, status)
        self.turns: list[tuple[float, int, int, int]] = []  # (next, served, number, peer); old ones are passed over
        self.number = 0
        self.free = [0.0] * plan.processes
        self.late = LATE * plan.processes  # of what takes long so much is not counted
        self.begun: list[float] = []
        self.hands = self.slow = self.waiting = self.turn_number = 0
        self.waits: list[float] = []
        self.delivered = self.given_up = self.wasted = self.attempts = 0
        self.peak_queue = self.peak_hands = 0
        self.hand_seconds = self.cpu_seconds = 0.0
        self.wakes = NEVER

    def run(self) -> Found:
        """Run everything that happens until the end of the plan, or until nothing is left to do."""
        end = (self.plan.hours + self.plan.drain) * 3600
        posts = max(1, round(self.plan.posts_per_day * self.plan.hours / 24))
        apart = self.plan.hours * 3600 / posts
        for post in range(posts):
            self._push((post + self.chance.random() / 2) * apart, POST, 0, None)
        while self.events and self.events[0][0] <= end:
            moment, _, job, peer, status = heapq.heappop(self.events)
            self.hand_seconds += self.hands * (moment - self.now)
            self.now = moment
            if job == POST:
                self._post()
            elif job == WAKE:
                self.wakes = NEVER
            elif job == SLOW:
                self.slow += 1
            else:
                self._ended(job, peer, status)
            self._claim()
        return self._found(posts)

    def _found(self, posts: int) -> Found:
        waits = sorted(self.waits)
        seconds = max(self.now, 1.0)
        return Found(
            reached=len(self.peers), posts=posts, queued=len(self.posted), delivered=self.delivered,
            given_up=self.given_up, left=self.waiting + self.hands, wasted=self.wasted, attempts=self.attempts,
            p50=_share(waits, 0.5), p95=_share(waits, 0.95), p99=_share(waits, 0.99),
            peak_queue=self.peak_queue, peak_hands=self.peak_hands, mean_hands=round(self.hand_seconds / seconds, 2),
            cpu_share=round(self.cpu_seconds / seconds / self.plan.processes, 4),
            circuits=sum(peer.circuit.until is not None for peer in self.peers),
        )  # fmt: skip

    def _push(self, moment: float, job: int, peer: int, status: int | None) -> None:
        self.number += 1
        heapq.heappush(self.events, (moment, self.number, job, peer, status))

    def _post(self) -> None:
        """Queue one delivery for each peer that is not dead; each of many waits a little."""
        inboxes = len(self.peers)
        most = min(MOST_PAUSE, PAUSE_EACH * inboxes) if inboxes > MANY else 0.0
        for index, peer in enumerate(self.peers):
            if peer.circuit.days and circuit.state(peer.circuit, self._date()) is State.DEAD:
                continue
            job = len(self.posted)
            self.posted.append(self.now)
            self.tried.append(0)
            self.begun.append(0.0)
            due = self.now + most * self.chance.random()
            heapq.heappush(peer.jobs, (due, job))
            self.waiting += 1
            turn = max(due, peer.opens)
            if turn < peer.next and peer.leased < self._share_of(peer):
                self._turn(index, turn)
        self.peak_queue = max(self.peak_queue, self.waiting + self.hands)

    def _date(self) -> datetime:
        return START + timedelta(seconds=self.now)

    @staticmethod
    def _share_of(peer: Peer) -> int:
        return 1 if peer.circuit.mending else SHARE

    def _turn(self, index: int, moment: float) -> None:
        """Let a peer's turn come at a moment."""
        peer = self.peers[index]
        peer.next = moment
        if moment < NEVER:
            self.turn_number += 1
            heapq.heappush(self.turns, (moment, peer.served, index, self.turn_number))

    def _settle(self, index: int, *, served: bool) -> None:
        """Let a peer's turn come when its first job is due and its circuit lets it; served ones stand behind."""
        peer = self.peers[index]
        least = self.now if served else 0.0
        if served:
            self.turn_number += 1
            peer.served = self.turn_number
        self._turn(index, max(peer.jobs[0][0], peer.opens, least) if peer.jobs else NEVER)

    def _claim(self) -> None:
        """Take up what is due while hands are free; else be woken when something is."""
        while self.turns:
            moment, served, index, _ = self.turns[0]
            peer = self.peers[index]
            if peer.next != moment or peer.served != served:
                heapq.heappop(self.turns)
            elif moment > self.now:
                if moment < self.wakes:
                    self.wakes = moment
                    self._push(moment, WAKE, 0, None)
                return
            elif not self._has_a_hand():
                return  # whoever ends looks again
            else:
                heapq.heappop(self.turns)
                self._take(index)

    def _has_a_hand(self) -> bool:
        return self.hands - min(self.slow, self.late) < self.most

    def _take(self, index: int) -> None:
        peer = self.peers[index]
        share = self._share_of(peer)
        while peer.leased < share and self._has_a_hand() and peer.jobs and peer.jobs[0][0] <= self.now:
            _, job = heapq.heappop(peer.jobs)
            peer.leased += 1
            self.waiting -= 1
            self.hands += 1
            self._begin(job, index)
        self.peak_hands = max(self.peak_hands, self.hands)
        if peer.leased >= share:
            peer.next = NEVER  # one that ends gives the turn back
        else:
            self._settle(index, served=True)

    def _begin(self, job: int, index: int) -> None:
        """Let the process that is free first do its part; then the peer answers, or does not."""
        self.tried[job] += 1
        self.attempts += 1
        cost = self.plan.cpu_ms / 1000
        first = self.free.index(min(self.free)) if len(self.free) > 1 else 0
        self.free[first] = sent = max(self.now, self.free[first]) + cost
        self.cpu_seconds += cost
        seconds, status = self._answer(self.peers[index], sent)
        self.begun[job] = self.now
        if sent + seconds - self.now > LATE_SECONDS:
            self._push(self.now + LATE_SECONDS, SLOW, index, None)
        self._push(sent + seconds, job, index, status)

    def _answer(self, peer: Peer, moment: float) -> tuple[float, int | None]:
        """Return after how long a peer answers what; None: nobody does."""
        if peer.is_unwell:
            match self.plan.health:
                case Health.STORM if moment < STORM_SECONDS:
                    return BUSY_SECONDS, 503
                case Health.DEAD:
                    return (CONNECT_SECONDS if peer.is_silent else REFUSED_SECONDS), None
                case Health.SLOW:
                    return DELIVERY.seconds, None
        return min(self.chance.lognormvariate(math.log(ANSWER_MEDIAN), ANSWER_SIGMA), ANSWER_MOST), ACCEPTED

    def _ended(self, job: int, index: int, status: int | None) -> None:
        peer = self.peers[index]
        peer.leased -= 1
        self.hands -= 1
        self.slow -= self.now - self.begun[job] > LATE_SECONDS
        if status == ACCEPTED:
            self.delivered += 1
            if not peer.is_unwell:
                self.waits.append(self.now - self.posted[job])
            if peer.circuit is not _EMPTY:
                self._keep(peer, circuit.succeeded(peer.circuit))
            self._settle(index, served=True)
            return
        self.wasted += 1
        verdict = next_try(self.tried[job], status=status, retry_after=None, jitter=self.chance.random())
        if isinstance(verdict, Again):
            heapq.heappush(peer.jobs, (self.now + verdict.seconds, job))
            self.waiting += 1
        else:
            self.given_up += 1
        self._keep(peer, circuit.failed(peer.circuit, self._date()))
        if peer.circuit.days >= circuit.DEAD_AFTER_DAYS:
            self.given_up += len(peer.jobs)
            self.waiting -= len(peer.jobs)
            peer.jobs.clear()
        self._settle(index, served=not isinstance(verdict, Again))

    @staticmethod
    def _keep(peer: Peer, after: Circuit) -> None:
        if after.until != peer.circuit.until:
            peer.opens = 0.0 if after.until is None else (after.until - START).total_seconds()
        peer.circuit = _EMPTY if after == _EMPTY else after


def _share(waits: list[float], part: float) -> float:
    """Return within how many seconds a part of the deliveries was out."""
    return round(waits[min(len(waits) - 1, math.ceil(len(waits) * part) - 1)], 1) if waits else 0.0


def simulate(plan: Plan) -> Found:
    """Run one scenario."""
    return Simulation(plan).run()


def scenarios(cpu_ms: float = CPU_MS) -> list[Plan]:
    """Return every scenario of the table, smallest first."""
    sizes = [Plan(followers=10**power, health=health, cpu_ms=cpu_ms) for power in (3, 4, 5, 6) for health in Health]
    many = Plan(followers=10**6, cpu_ms=cpu_ms)
    more = [replace(many, processes=count, health=health) for count in (2, 4) for health in (Health.WELL, Health.SLOW)]
    busy = [replace(many, processes=count, posts_per_day=1_000, hours=0.25, drain=1.0) for count in (1, 2, 4)]
    return [*sizes, *more, *busy]


def table(results: list[tuple[Plan, Found]]) -> str:
    """Return the results in Markdown."""
    head = (
        "| followers | peers | posts a day | health | processes | 50 % | 95 % | 99 % | longest queue"
        " | requests | of them wasted | circuits open at the end | most hands | CPU |"
    )
    lines = [head, "|" + "---:|" * 3 + "---|" + "---:|" * 10]
    lines += [
        f"| {plan.followers:,} | {found.reached:,} | {plan.posts_per_day} | {plan.health} | {plan.processes}"
        f" | {found.p50:.0f} s | {found.p95:.0f} s | {found.p99:.0f} s | {found.peak_queue:,} | {found.attempts:,}"
        f" | {found.wasted:,} | {found.circuits:,} | {found.peak_hands} | {found.cpu_share:.1%} |"
        for plan, found in results
    ]
    return "\n".join(lines)


def main() -> None:
    """Run every scenario and print a table or, with ``--json``, everything."""
    parser = argparse.ArgumentParser(description="How long a post is on its way, in virtual time.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--cpu", type=float, default=CPU_MS, help="CPU milliseconds of one delivery")
    told = parser.parse_args()
    results = [(plan, simulate(plan)) for plan in scenarios(told.cpu)]
    if told.json:
        print(json.dumps([{"plan": asdict(plan), "found": asdict(found)} for plan, found in results], indent=1))
    else:
        print(table(results))


if __name__ == "__main__":
    main()
