"""Group commit: what is written at the same time becomes durable with one sync.

Whoever writes waits until the loop has run everybody who is ready; all of it is then one transaction. A piece that fails
takes back its own rows and nobody else's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.store.database import Database

Value = TypeVar("Value")
MOST = 500  # pieces of one transaction: the first of them waits for the last


class Together:
    """Runs pieces of work in transactions that they share."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    async def __call__(self, work: Callable[[], Value]) -> Value:
        """Run ``work`` and return what it returns, once that is durable; raise what it raises, or StoreError."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Value] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._commit)
        self._waiting.append((work, done))
        return await done

    def _commit(self) -> None:
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)
        ends: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        try:
            with self._db.transaction():
                ends = [self._run(work, done) for work, done in batch]
        except Exception as error:  # noqa: BLE001 - nobody may wait for ever
            ends = [(done, None, error) for _, done in batch]
        for done, value, problem in ends:
            if done.cancelled():
                continue  # whoever asked is gone; it is written all the same
            if problem is None:
                done.set_result(value)
            else:
                done.set_exception(problem)

    def _run(
        self, work: Callable[[], Any], done: asyncio.Future[Any]
    ) -> tuple[asyncio.Future[Any], Any, Exception | None]:
        try:
            with self._db.savepoint():
                return done, work(), None
        except Exception as error:  # noqa: BLE001 - whoever asked is told, the others are not concerned
            return done, None, error
