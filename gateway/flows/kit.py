"""What a flow works with: settings, store, the way out, time, ids, keys, contexts. Made by ``runtime``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.labels import Reader
from gateway.errors import StoreError
from gateway.preferences import NOTHING, Scope, Statement, Subject, statements_at_home
from gateway.signatures.keys import PrivateKey, generate, unwrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from gateway.clock import Clock
    from gateway.flows.pacing import Paces
    from gateway.ids import Tids
    from gateway.jsonld.contexts import Contexts
    from gateway.media.files import Files
    from gateway.net.client import Client
    from gateway.net.soft import Soft
    from gateway.preferences import Preferences
    from gateway.settings import Settings
    from gateway.store.accounts import Account
    from gateway.store.store import Store

KINDS = ("rsa", "ed25519")


class Keyring:
    """Our actors' private keys, unwrapped once."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self._open: dict[tuple[str, str], PrivateKey] = {}

    def make(self, owner: str, now: datetime) -> None:
        """Make and keep both keys of a new actor."""
        for kind in KINDS:
            key = generate(kind)
            public = key.public.pem() if kind == "rsa" else key.public.multikey()
            self._store.accounts.save_key(owner, kind, key.wrapped(self._secret), public, now)
            self._open[owner, kind] = key

    def get(self, owner: str, kind: str = "rsa") -> PrivateKey:
        """Return a private key; raise StoreError when there is none."""
        found = self._open.get((owner, kind))
        if found is None:
            wrapped = {k: w for k, w, _, _ in self._store.accounts.keys(owner)}.get(kind)
            if wrapped is None:
                raise StoreError(f"{owner} has no {kind} key")
            found = unwrap(kind, wrapped, self._secret)
            self._open[owner, kind] = found
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """The tools of one gateway; ``wake`` tells the worker that there is something to do."""

    settings: Settings
    store: Store
    client: Client
    clock: Clock
    tids: Tids
    keyring: Keyring
    contexts: Contexts
    schemas: Mapping[str, bytes]
    files: Files
    failed_fetches: Soft[int]
    refetched: Soft[bool]
    forwarded: Soft[int]
    paces: Paces
    wake: Callable[[], None]

    @property
    def base(self) -> str:
        """Return the public origin as text."""
        return self.settings.base_url

    @property
    def instance_actor(self) -> str:
        """Return the id of the actor that speaks for the whole instance."""
        return f"{self.base}/actor"

    @property
    def policy_url(self) -> str:
        """Return the address of the TDM policy."""
        return f"{self.base}/policies/tdm.json"

    @property
    def tag_base(self) -> str:
        """Return what a hashtag's link begins with."""
        return f"{self.base}/tags/"

    def reader(self) -> Reader:
        """Return a reader of labels for this moment."""
        return Reader(contexts=self.contexts, observed_at=self.clock.now())

    def statements_for(
        self, account: Account, scope: Scope, ref: str, said: Preferences | None = None, at: datetime | None = None
    ) -> tuple[Statement, ...]:
        """Return what goes out about something of ``account``: the author's words, and the instance's beside them.

        ``said`` are the author's words for just this; the account's own when left out.
        """
        words = account.prefs if said is None else said
        return statements_at_home(
            subject=Subject(scope=scope, ref=ref),
            author=account.id,
            # The instance actor has no author: what it states are the operator's words.
            said=NOTHING if account.kind == "Application" else words,
            instance=self.instance_actor,
            asked=self.settings.instance_preferences,
            at=at or account.updated,
        )
