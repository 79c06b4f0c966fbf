"""Software that asks for access (OAuth): registered clients, their codes, and people's one-time sign-in links.

Every secret is kept as its SHA-256 only: each is 32 random bytes, so no salt is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.store.database import dump, from_ms, load, to_ms

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A registered OAuth client; ``secret_hash`` is None for a public one."""

    id: str
    secret_hash: str | None
    name: str
    website: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An authorization code: whom it was given to, for whom, for what. ``token`` is what it was exchanged for."""

    hash: str
    client: str
    account: str
    redirect_uri: str
    scopes: tuple[str, ...]
    challenge: str
    expires: datetime
    used: datetime | None = None
    token: str | None = None


class Apps:
    """Rows of ``oauth_client``, ``oauth_code`` and ``sign_in``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def save(self, app: App) -> None:
        """Keep a registered client."""
        self._db.run(
            "INSERT INTO oauth_client VALUES (:id, :secret_hash, :name, :website, :redirect_uris, :scopes, :created)",
            id=app.id, secret_hash=app.secret_hash, name=app.name, website=app.website,
            redirect_uris=dump(list(app.redirect_uris)), scopes=" ".join(app.scopes), created=to_ms(app.created),
        )  # fmt: skip

    def get(self, client: str) -> App | None:
        """Return a registered client."""
        row = self._db.one("SELECT * FROM oauth_client WHERE id = :id", id=client)
        if row is None:
            return None
        created: Any = from_ms(row["created"])
        kept = {name: row[name] for name in ("id", "secret_hash", "name", "website")}
        return App(
            **kept,
            redirect_uris=tuple(load(row["redirect_uris"])),
            scopes=tuple(row["scopes"].split()),
            created=created,
        )

    def count_unused(self) -> int:
        """Return how many clients nobody ever gave access to."""
        sql = "SELECT count(*) FROM oauth_client c WHERE NOT EXISTS (SELECT 1 FROM token t WHERE t.client = c.id)"
        return int(self._db.value(sql))

    def forget_longest_waiting(self) -> None:
        """Forget the oldest client that nobody ever gave access to."""
        self._db.run(
            "DELETE FROM oauth_client WHERE id = (SELECT c.id FROM oauth_client c WHERE NOT EXISTS"
            " (SELECT 1 FROM token t WHERE t.client = c.id) ORDER BY c.created, c.id LIMIT 1)"
        )

    def save_code(self, code: Code) -> None:
        """Keep an authorization code by its hash."""
        self._db.run(
            "INSERT INTO oauth_code VALUES (:hash, :client, :account, :redirect_uri, :scopes, :challenge, :expires, NULL, NULL)",
            hash=code.hash, client=code.client, account=code.account, redirect_uri=code.redirect_uri,
            scopes=" ".join(code.scopes), challenge=code.challenge, expires=to_ms(code.expires),
        )  # fmt: skip

    def code(self, hashed: str) -> Code | None:
        """Return an authorization code, a used one too."""
        row = self._db.one("SELECT * FROM oauth_code WHERE hash = :hash", hash=hashed)
        if row is None:
            return None
        times: dict[str, Any] = {name: from_ms(row[name]) for name in ("expires", "used")}
        return Code(**{**row, **times, "scopes": tuple(row["scopes"].split())})

    def use_code(self, hashed: str, token: str, now: datetime) -> None:
        """Note what a code was exchanged for: it is of no further use."""
        self._db.run("UPDATE oauth_code SET used = :now, token = :t WHERE hash = :h", h=hashed, t=token, now=to_ms(now))

    def save_sign_in(self, hashed: str, account: str, expires: datetime) -> None:
        """Keep a one-time sign-in link by the hash of its code."""
        self._db.run(
            "INSERT INTO sign_in VALUES (:hash, :account, :expires, NULL)",
            hash=hashed, account=account, expires=to_ms(expires),
        )  # fmt: skip

    def sign_in(self, hashed: str, now: datetime) -> str | None:
        """Return whom a living sign-in code is for, without using it up."""
        value = self._db.value(
            "SELECT account FROM sign_in WHERE hash = :h AND used IS NULL AND expires > :now", h=hashed, now=to_ms(now)
        )
        return None if value is None else str(value)

    def use_sign_in(self, hashed: str, now: datetime) -> str | None:
        """Use a sign-in code up and return whom it is for; None when it is unknown, used or too old."""
        rows = self._db.rows(
            "UPDATE sign_in SET used = :now WHERE hash = :h AND used IS NULL AND expires > :now RETURNING account",
            h=hashed, now=to_ms(now),
        )  # fmt: skip
        return str(rows[0]["account"]) if rows else None

    def prune(self, *, expired_before: datetime, unused_before: datetime, sessions_before: datetime) -> int:
        """Remove codes, links and browsers' sessions long past, and clients that nobody ever gave access to."""
        self._db.run(
            "DELETE FROM token WHERE scopes = 'session' AND (created < :t OR revoked IS NOT NULL)",
            t=to_ms(sessions_before),
        )
        gone = self._db.run("DELETE FROM oauth_code WHERE expires < :t", t=to_ms(expired_before))
        gone += self._db.run("DELETE FROM sign_in WHERE expires < :t", t=to_ms(expired_before))
        return gone + self._db.run(
            "DELETE FROM oauth_client WHERE created < :t AND NOT EXISTS"
            " (SELECT 1 FROM token WHERE token.client = oauth_client.id)",
            t=to_ms(unused_before),
        )
