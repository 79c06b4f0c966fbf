"""Group commit: what is written at the same time becomes durable with one sync.

Whoever writes waits until the loop has run everybody who is ready; all of it is then one transaction. Those whom nobody
waits for are patient: they gather as long as each turn of the loop brings more of them, give way to what is urgent for
some turns, and go along with others then.
A piece that fails takes back its own rows and nobody else's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from gateway.errors import Contended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.store.database import Database

Value = TypeVar("Value")
Piece = tuple[Callable[[], Any], asyncio.Future[Any]]
End = tuple[asyncio.Future[Any], Any, Exception | None]
TRIES = 5  # of a transaction that other processes are in the way of
MOST = 500  # pieces of one transaction: the first of them waits for the last
LIGHT, HEAVY = 1, 8  # how much work a piece is that nobody waits for
PATIENT = 96  # of that in one transaction: nothing else happens meanwhile
TURNS = 4  # of the loop that the patient give way: a request takes about as many


class Together:
    """Runs pieces of work in transactions that they share."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._waiting: list[Piece] = []
        self._patient: deque[tuple[int, Piece]] = deque()
        self._is_ripe = False  # whether the patient have waited enough
        self._urgent = 0

    @contextlib.contextmanager
    def urgent(self) -> Iterator[None]:
        """Let others give way while the block runs: somebody waits for what it does."""
        self._urgent += 1
        try:
            yield
        finally:
            self._urgent -= 1

    async def give_way(self) -> None:
        """Let everybody else have a turn of the loop, and some turns to what is urgent."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if not self._urgent:
                return

    async def __call__(self, work: Callable[[], Value], *, patient: int = 0) -> Value:
        """Run ``work`` and return what it returns, once that is durable; raise what it raises, or StoreError.

        ``patient`` is LIGHT or HEAVY for what nobody waits for. Work may be run more than once: what it did is taken back
        before.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Value] = loop.create_future()
        if patient:
            if not self._patient:
                loop.call_soon(self._ripen, 0, 0)
            self._patient.append((patient, (work, done)))
        else:
            if not self._waiting:
                loop.call_soon(self._commit)
            self._waiting.append((work, done))
        return await done

    def _ripen(self, before: int, turns: int) -> None:
        """Wait for one more turn of the loop while patient pieces gather, or something is urgent."""
        gathered = sum(weight for weight, _ in self._patient)
        if before < gathered < PATIENT or (self._urgent and turns < TURNS):
            asyncio.get_running_loop().call_soon(self._ripen, gathered, turns + 1)
        else:
            self._is_ripe = True
            if not self._waiting:  # or they go along, in a moment
                self._commit()

    def _commit(self) -> None:
        batch = [*self._waiting[:MOST], *self._patient_ones()]
        self._waiting = self._waiting[MOST:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        if not batch:
            return
        for done, value, problem in self._end_of(batch):
            if done.cancelled():
                continue  # whoever asked is gone; it is written all the same
            if problem is None:
                done.set_result(value)
            else:
                done.set_exception(problem)

    def _patient_ones(self) -> Iterator[Piece]:
        """Yield as much of what nobody waits for as one transaction takes, once it has waited enough."""
        if not self._is_ripe:
            return
        self._is_ripe, weight = False, 0
        while self._patient and weight < PATIENT:
            more, piece = self._patient.popleft()
            weight += more
            yield piece
        if self._patient:
            asyncio.get_running_loop().call_soon(self._ripen, 0, 0)

    def _end_of(self, batch: list[Piece]) -> list[End]:
        """Run a batch in one transaction and return how each piece ended; all of it again when others were in the way."""
        for tries_left in reversed(range(TRIES)):
            try:
                return self._all(batch)
            except Contended as error:
                if not tries_left:
                    return [(done, None, error) for _, done in batch]
            except Exception as error:  # noqa: BLE001 - nobody may wait for ever
                return [(done, None, error) for _, done in batch]
        raise AssertionError("there is a last try")

    def _all(self, batch: list[Piece]) -> list[End]:
        """Run all in one go; when one fails, all again, each so that only it is taken back: that is rare, and dearer."""
        try:
            with self._db.transaction():
                return [(done, work(), None) for work, done in batch]
        except Contended:
            raise
        except Exception:
            if len(batch) == 1:
                raise
        with self._db.transaction():
            return [self._run(work, done) for work, done in batch]

    def _run(self, work: Callable[[], Any], done: asyncio.Future[Any]) -> End:
        try:
            with self._db.savepoint():
                return done, work(), None
        except Contended:
            raise
        except Exception as error:  # noqa: BLE001 - whoever asked is told, the others are not concerned
            return done, None, error
