"""What was read a moment ago and cannot have changed since: rows that every request asks for, kept as values.

A value holds as long as nobody wrote to its tables; where none are named whoever writes says which value changed. What
this connection writes is seen by its statements, what another process writes by the engine's word
(``Database.elsewhere``), asked once in a turn of the loop and when a transaction begins.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from gateway.store.database import Database

Key = TypeVar("Key", bound="Hashable")
Value = TypeVar("Value")
CAP = 10_000


class Recent(Generic[Key, Value]):
    """Values by key, forgotten as soon as one of ``tables`` may have changed.

    ``exact`` ones are always read where other processes' writes are seen late (PostgreSQL: within a second). With
    ``found`` only what is there is kept, because anybody may ask for what is not.
    """

    def __init__(
        self, database: Database, *tables: str, cap: int = CAP, exact: bool = False, found: bool = False
    ) -> None:
        self._db, self._tables, self._cap, self._only_found = database, tables, cap, found
        self._always = exact and database.shares
        self._known: OrderedDict[Key, Value] = OrderedDict()
        self._version: object = None
        self._moment = -1

    def forget(self) -> None:
        """Read everything again: something was written that its tables do not show."""
        self._known.clear()

    def drop(self, key: Key) -> None:
        """Read one value again: it is written now."""
        self._known.pop(key, None)

    def get(self, key: Key, read: Callable[[], Value]) -> Value:
        """Return what is known of ``key``, read again when that may have changed."""
        if self._always:
            return read()
        self._look()
        try:
            return self._known[key]
        except KeyError:
            value = read()
        if value is not None or not self._only_found:
            self._keep(key, value)
        return value

    def put(self, key: Key, value: Value, as_of: int) -> None:
        """Remember what was read beside, unless something may have changed since that moment (``Database.moment``)."""
        self._look()
        if not self._always and self._moment == as_of:
            self._keep(key, value)

    def _look(self) -> None:
        """Forget everything when one of the tables may have changed."""
        if (moment := self._db.moment()) != self._moment:
            self._moment = moment
            if (version := self._db.version(self._tables)) != self._version:
                self._known.clear()
                self._version = version

    def _keep(self, key: Key, value: Value) -> None:
        self._known[key] = value
        if len(self._known) > self._cap:
            self._known.popitem(last=False)
