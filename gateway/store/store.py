"""The store as others see it: one transaction, and a shelf for each kind of row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.store.accounts import Accounts
from gateway.store.apps import Apps
from gateway.store.arrivals import Arrivals
from gateway.store.circuits import Circuits
from gateway.store.collections import Collections
from gateway.store.database import Database
from gateway.store.inboxes import Inboxes
from gateway.store.jobs import Jobs
from gateway.store.meta import Meta
from gateway.store.objects import Objects
from gateway.store.peers import Peers
from gateway.store.relations import Relations
from gateway.store.statements import Statements
from gateway.store.together import Together

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

FILE = "gateway.sqlite3"


class Store:
    """Everything that is kept, behind one connection."""

    def __init__(self, path: Path) -> None:
        """Open the database at ``path``; raise StoreError when it cannot be used."""
        self.database = Database(path)
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
        self.together = Together(self.database)

    def transaction(self) -> AbstractContextManager[None]:
        """Return a block that is durable as a whole, or not at all."""
        return self.database.transaction()

    def close(self) -> None:
        """Close the database."""
        self.database.close()
