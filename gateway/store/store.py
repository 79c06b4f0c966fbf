"""The store as others see it: one transaction, and a shelf for each kind of row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store.accounts import Accounts
from gateway.store.apps import Apps
from gateway.store.arrivals import Arrivals
from gateway.store.circuits import Circuits
from gateway.store.collections import Collections
from gateway.store.inboxes import Inboxes
from gateway.store.jobs import Jobs
from gateway.store.meta import Meta
from gateway.store.objects import Objects
from gateway.store.peers import Peers
from gateway.store.postgres import Postgres
from gateway.store.presence import FilePresence, PostgresPresence
from gateway.store.relations import Relations
from gateway.store.seal import seal_all
from gateway.store.sqlite import Sqlite
from gateway.store.statements import Statements
from gateway.store.together import Together

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from gateway.store.database import Database
    from gateway.store.presence import Presence

FILE = "gateway.sqlite3"


class Store:
    """Everything that is kept, behind one connection."""

    def __init__(self, where: Path | str) -> None:
        """Open the database file, or the one behind a ``postgresql://`` URL; raise StoreError when that cannot be used."""
        self.database: Database = Postgres(where) if isinstance(where, str) else Sqlite(where)
        seal_all(self.database)
        self.accounts = Accounts(self.database)
        self.apps = Apps(self.database)
        self.arrivals = Arrivals(self.database)
        self.circuits = Circuits(self.database)
        self.collections = Collections(self.database)
        self.inboxes = Inboxes(self.database)
        self.jobs = Jobs(self.database)
        self.meta = Meta(self.database)
        self.objects = Objects(self.database)
        self.peers = Peers(self.database)
        self.relations = Relations(self.database)
        self.statements = Statements(self.database)
        self.presence: Presence = (
            PostgresPresence(where) if isinstance(where, str) else FilePresence(where.with_name("processes"))
        )
        self.together = Together(self.database)

    def transaction(self) -> AbstractContextManager[None]:
        """Return a block that is durable as a whole, or not at all."""
        return self.database.transaction()

    def checkpoint_beside(self) -> None:
        """Let no request wait for a checkpoint (a process that serves from a file)."""
        if isinstance(self.database, Sqlite):
            self.database.checkpoint_beside()

    def close(self) -> None:
        """Leave, and close the database."""
        self.presence.close()
        self.database.close()
