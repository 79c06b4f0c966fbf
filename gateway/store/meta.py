"""What is for ever: the base URL and account domain, recorded at first start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import SettingsError

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.store.database import Database


ALIVE_SECONDS = 5.0


class Meta:
    """Rows of ``meta``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._alive: float | None = None

    def get(self, key: str) -> str | None:
        """Return a recorded value."""
        value = self._db.value("SELECT value FROM meta WHERE key = :k", k=key)
        return None if value is None else str(value)

    def is_first(self, key: str, value: str) -> bool:
        """Record a value and return True, or False when somebody did already; whoever is doing so is waited for."""
        return bool(self._db.run("INSERT INTO meta VALUES (:k, :v) ON CONFLICT (key) DO NOTHING", k=key, v=value))

    def note_alive(self, clock: Clock) -> None:
        """Read, and every few seconds write a row as it is; raise StoreError when that fails."""
        self._db.value("SELECT 1 AS answer")
        now = clock.monotonic()
        if self._alive is not None and now - self._alive < ALIVE_SECONDS:
            return
        self._alive = None
        with self._db.transaction():
            self._db.run("UPDATE meta SET value = value WHERE key = 'base_url'")  # writing is what is tried
        self._alive = now

    def first(self, key: str, value: str) -> str:
        """Return the value that was recorded first: this one, or what was there."""
        if (known := self.get(key)) is not None:
            return known
        self.is_first(key, value)
        return self.get(key) or value

    def record_forever(self, key: str, value: str) -> None:
        """Record a value the first time; raise SettingsError when another one is recorded already."""
        self._db.run("INSERT INTO meta VALUES (:k, :v) ON CONFLICT (key) DO NOTHING", k=key, v=value)
        recorded = self.get(key)
        if recorded != value:
            raise SettingsError(
                f"this data directory belongs to {key} {recorded}, but {value} is set. Ids that other servers"
                f" know contain it, so it can never change: set it back, or use another GATEWAY_DATA"
            )
