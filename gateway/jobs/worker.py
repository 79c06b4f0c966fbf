"""Works off the job table inside the gateway's own process, a few jobs at a time.

A handler returns when its job is finished or postponed in the store. One that raises is tried again
later; a job is lost only when the database is.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from gateway.errors import BadInput, GatewayError, StoreError
from gateway.jobs.retry import Again, GiveUp, next_try
from gateway.observe.logs import log
from gateway.observe.names import FAULT, FREED
from gateway.store.jobs import ARRIVALS, BULK, PEOPLE
from gateway.store.together import HEAVY, PATIENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.clock import Clock
    from gateway.store.jobs import Job
    from gateway.store.store import Store

    Handler = Callable[[Job], Awaitable[None]]

SETTLING = 256  # arrivals in hand at once: some wait for what they are about
SENDING = 800  # deliveries and look-ups: each mostly waits for somebody else
LATE_SECONDS, LATE = 3.0, 1_600  # what takes longer needs a hand no more, but for so many: others go on meanwhile
SHARE_SETTLING, SHARE = PATIENT // HEAVY, 4  # for one peer: as many arrivals as one commit takes; deliveries
POISON = 3  # tries of what meets a defect of ours; then it is set aside with its reason, and can be tried by hand
POLL_SECONDS = 0.5  # the command line adds rows from another process
BEHIND = timedelta(seconds=0.5)  # since the first of what is claimed was due
RENEW_SECONDS = 30.0
LOOK_SECONDS = 2.0  # for processes that are gone
GRACE_SECONDS = 1.5


@dataclass(slots=True, kw_only=True)
class _Hands:
    """Some pools of jobs, how many of them may be in hand at once, in all and of one peer, and those that are.

    ``claim`` are taken at a time, and of them ``begin`` in one turn of the loop: much of one is done before it first
    waits, and until then nobody else is looked after. Of those that wait for somebody slow ``late`` are not counted.
    """

    pools: tuple[int, ...]
    most: int
    claim: int
    begin: int
    share: int = SHARE
    late: int = 0
    slow: set[asyncio.Task[None]] = field(default_factory=set)
    running: dict[asyncio.Task[None], int] = field(default_factory=dict)


class Worker:
    """Claims due jobs and hands each to the handler of its kind."""

    def __init__(self, store: Store, clock: Clock, handlers: Mapping[str, Handler], bell: asyncio.Event) -> None:
        """Take the store, the clock, a handler a kind of job, and the bell that says there is something to do."""
        self._store = store
        self._clock = clock
        self._handlers = handlers
        self._owner = secrets.token_hex(8)
        self._entered = False
        self._unsure = False  # whether something may be leased to us that nobody does: the store failed in between
        self._bell = bell
        # Who waits for a slow peer keeps no arrival waiting, nor do many answers to somebody keep posts to all waiting.
        self._hands = [
            _Hands(pools=(ARRIVALS,), most=SETTLING, share=SHARE_SETTLING, claim=SETTLING // 8, begin=2),
            _Hands(pools=(PEOPLE,), most=SENDING // 2, claim=SENDING // 4, begin=SENDING // 40, late=LATE),
            _Hands(pools=(BULK,), most=SENDING // 2, claim=SENDING // 4, begin=SENDING // 40, late=LATE),
        ]
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work; what a process had in hand that died is given back."""
        self._enter()
        self._survives("free", self._free)
        self._store.presence.listen(self._heard)
        self._loop = asyncio.create_task(self._work())

    async def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Finish what is in hand within so many seconds; the rest stays queued."""
        if self._loop is None:
            return  # never started
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)
        running = [task for hands in self._hands for task in hands.running]
        if running:
            await asyncio.wait(running, timeout=grace)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._store.jobs.release(self._owner)

    def _heard(self) -> None:
        """Look for what another process queued."""
        self._store.jobs.news()
        self._bell.set()

    def _enter(self) -> None:
        """Say once that we live: what we claim is ours as long as we do."""
        if not self._entered:
            self._entered = True
            self._store.presence.enter(self._owner)

    def _free(self) -> None:
        """Take back what others had in hand who are gone, and what we have and do not do."""
        if self._unsure:
            self._store.jobs.release(self._owner, keep=self._running())
            self._unsure = False
        for owner in sorted(self._store.jobs.owners() - {self._owner}):
            if self._store.presence.is_gone(owner):
                freed = self._store.jobs.release(owner, died=self._clock.now())
                log().info(FREED, owner=owner, jobs=freed)

    @property
    def alive(self) -> bool:
        """Tell whether the loop runs."""
        return self._loop is not None and not self._loop.done()

    async def drain(self, *, rounds: int = 1_000) -> None:
        """Work until nothing is due (tests and one-shot commands)."""
        self._enter()
        for _round in range(rounds):
            jobs = [job for hands in self._hands for job in self._claim(hands)]
            if not jobs:
                return
            await asyncio.gather(*(self._one(job) for job in jobs))

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        renewed = looked = loop.time()
        while True:
            self._bell.clear()
            if loop.time() - renewed > RENEW_SECONDS:
                renewed = loop.time()
                self._survives("renew", self._renew)
            if loop.time() - looked > LOOK_SECONDS:
                looked = loop.time()
                if self._is_outdated():
                    return
                self._survives("free", self._free)
            begun = 0
            for hands in self._hands:
                try:
                    jobs = self._claim(hands)
                except StoreError as error:
                    self._unsure = True
                    log().error(FAULT, where="claim", problem=str(error))
                    continue
                begun += len(jobs)
                await self._begin(hands, jobs)
            if not begun:
                await self._rest()
            else:
                await asyncio.sleep(0)

    async def _begin(self, hands: _Hands, jobs: list[Job]) -> None:
        """Begin with some jobs, a few in each turn of the loop; arrivals that are behind give way to no others."""
        is_behind = ARRIVALS in hands.pools and bool(jobs) and self._clock.now() - jobs[0].due > BEHIND
        for number, job in enumerate(jobs):
            task = asyncio.create_task(self._one(job))
            hands.running[task] = job.id
            late = asyncio.get_running_loop().call_later(LATE_SECONDS, self._is_slow, hands, task)
            task.add_done_callback(functools.partial(self._done, hands, late))
            if not (number + 1) % hands.begin:
                try:
                    await (asyncio.sleep(0) if is_behind else self._store.together.give_way())
                except asyncio.CancelledError:
                    left = [job.id for job in jobs[number + 1 :]]
                    self._survives("stop", functools.partial(self._store.jobs.not_begun, left))
                    raise

    def _is_outdated(self) -> bool:
        """Tell, also in the log, whether a newer version has changed the database: then there is nothing we can do."""
        try:
            is_outdated = self._store.database.is_outgrown()
        except StoreError:
            return False  # as long as it does not answer nobody knows
        if is_outdated:
            log().error(FAULT, where="version", problem="a newer version has changed the database: start that version")
        return is_outdated

    def _renew(self) -> None:
        """Keep what is in hand: some of it waits for others longer than a lease."""
        self._store.jobs.renew(self._owner, self._running(), self._clock.now())

    def _running(self) -> list[int]:
        """Return what is being done."""
        return [job for hands in self._hands for job in hands.running.values()]

    def _survives(self, where: str, work: Callable[[], None]) -> None:
        try:
            work()
        except StoreError as error:
            log().error(FAULT, where=where, problem=str(error))

    def _claim(self, hands: _Hands) -> list[Job]:
        free = min(hands.most - len(hands.running) + min(len(hands.slow), hands.late), hands.claim)
        if free <= 0:
            return []
        now = self._clock.now()
        return self._store.jobs.claim(self._owner, now, free, hands.share, hands.pools)

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._bell.wait()
        except TimeoutError:
            return

    def _is_slow(self, hands: _Hands, task: asyncio.Task[None]) -> None:
        hands.slow.add(task)
        self._bell.set()

    def _done(self, hands: _Hands, late: asyncio.TimerHandle, task: asyncio.Task[None]) -> None:
        late.cancel()
        hands.running.pop(task, None)
        hands.slow.discard(task)
        self._bell.set()

    async def _one(self, job: Job) -> None:
        try:
            await self._handlers[job.kind](job)
        except BadInput as error:
            # What cannot be read will not be read the next time either.
            self._again(job, f"{error.reason}: {error}", is_poison=True, tries=1)
        except GatewayError as error:
            self._again(job, f"{error.reason}: {error}")
        except Exception as error:  # noqa: BLE001 - a poison job must not stop the others
            log().error(FAULT, where=job.kind, job=job.id, problem=repr(error), exc_info=True)
            self._again(job, f"poison: {error!r}" if job.attempts >= POISON else repr(error), is_poison=True)

    def _again(self, job: Job, problem: str, *, is_poison: bool = False, tries: int = POISON) -> None:
        now = self._clock.now()
        verdict: Again | GiveUp = GiveUp(reason="poison")
        if not is_poison or job.attempts < tries:
            verdict = next_try(job.attempts, status=None, retry_after=None, jitter=secrets.randbelow(1000) / 1000)
        try:
            if isinstance(verdict, Again):
                self._store.jobs.postpone(job.id, now + timedelta(seconds=verdict.seconds), problem=problem[:300])
            else:
                self._store.jobs.finish(job.id, now, state="dead", problem=problem[:300])
        except StoreError as error:
            self._unsure = True  # it is given back once the store works again; if we die, its lease runs out
            log().error(FAULT, where="postpone", job=job.id, problem=str(error))
