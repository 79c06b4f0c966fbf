"""What is for ever: the base URL and account domain, recorded at first start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import SettingsError

if TYPE_CHECKING:
    from gateway.store.database import Database


class Meta:
    """Rows of ``meta``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, key: str) -> str | None:
        """Return a recorded value."""
        value = self._db.value("SELECT value FROM meta WHERE key = :k", k=key)
        return None if value is None else str(value)

    def is_first(self, key: str, value: str) -> bool:
        """Record a value and return True, or False when somebody did already; whoever is doing so is waited for."""
        return bool(self._db.run("INSERT INTO meta VALUES (:k, :v) ON CONFLICT (key) DO NOTHING", k=key, v=value))

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
