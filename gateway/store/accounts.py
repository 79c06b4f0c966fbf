"""Accounts, their private keys (wrapped) and their tokens (hashed)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.preferences import Preferences
from gateway.store import seal
from gateway.store.database import dump, from_ms, load, to_ms
from gateway.store.recent import Recent

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.store.database import Database, type_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One of our actors; ``prefs`` are its author's own words."""

    id: str
    name: str
    display_name: str
    prefs: Preferences
    created: datetime
    updated: datetime
    summary: str = ""
    preset: str | None = None
    approves: bool = False
    discoverable: bool = True
    deleted: datetime | None = None
    kind: str = "Person"
    moved_to: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token as listed: never its secret. ``client`` is the app it was given to, if any."""

    id: str
    account: str
    label: str
    created: datetime
    last_used: datetime | None
    revoked: datetime | None
    scopes: tuple[str, ...] = ()
    client: str | None = None


class Accounts:
    """Rows of ``account``, ``private_key`` and ``token``."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._by_id: Recent[str, Account | None] = Recent(database, "account", exact=True, found=True)
        self._by_name: Recent[str, Account | None] = Recent(database, "account", exact=True, found=True)

    def save(self, account: Account) -> None:
        """Insert or replace an account."""
        row = {
            "id": account.id, "name": account.name, "display_name": account.display_name, "summary": account.summary,
            "preset": account.preset, "prefs": dump(account.prefs.as_json()),
        }  # fmt: skip
        self._db.run(
            "INSERT INTO account (id, name, display_name, summary, preset, prefs, approves, discoverable, created,"
            " updated, deleted, kind, moved_to, aliases, seal) VALUES (:id, :name, :display_name, :summary, :preset,"
            " :prefs, :approves, :discoverable, :created, :updated, :deleted, :kind, :moved_to, :aliases, :seal)"
            " ON CONFLICT (id) DO UPDATE SET"
            " display_name = excluded.display_name, summary = excluded.summary, preset = excluded.preset,"
            " prefs = excluded.prefs, approves = excluded.approves, discoverable = excluded.discoverable,"
            " updated = excluded.updated, deleted = excluded.deleted, moved_to = excluded.moved_to,"
            " aliases = excluded.aliases, seal = excluded.seal",
            **row, seal=seal.seal_of("account", row), approves=int(account.approves),
            discoverable=int(account.discoverable), created=to_ms(account.created), updated=to_ms(account.updated),
            deleted=to_ms(account.deleted) if account.deleted else None, kind=account.kind,
            moved_to=account.moved_to, aliases=dump(list(account.aliases)),
        )  # fmt: skip

    def by_name(self, name: str) -> Account | None:
        """Return the account with this name in any case, deleted ones too."""
        return self._by_name.get(name.lower(), lambda: self._read_by_name(name.lower()))

    def by_id(self, actor: str) -> Account | None:
        """Return the account with this actor id, deleted ones too."""
        return self._by_id.get(actor, lambda: self._read_by_id(actor))

    def _read_by_name(self, name: str) -> Account | None:
        row = self._db.one("SELECT * FROM account WHERE name = :name", name=name)
        return _account(row) if row else None

    def _read_by_id(self, actor: str) -> Account | None:
        row = self._db.one("SELECT * FROM account WHERE id = :id", id=actor)
        return _account(row) if row else None

    def all(self) -> list[Account]:
        """Return every living person's account, oldest first."""
        rows = self._db.rows(
            "SELECT * FROM account WHERE deleted IS NULL AND kind <> 'Application' ORDER BY created, id"
        )
        return [_account(row) for row in rows]

    def save_key(self, owner: str, kind: str, wrapped: bytes, public: str, now: datetime) -> None:
        """Keep a wrapped private key and its public text."""
        self._db.run(
            "INSERT INTO private_key VALUES (:owner, :kind, :wrapped, :public, :created)"
            " ON CONFLICT (owner, kind) DO UPDATE SET wrapped = excluded.wrapped, public = excluded.public,"
            " created = excluded.created",
            owner=owner, kind=kind, wrapped=wrapped, public=public, created=to_ms(now),
        )  # fmt: skip

    def keys(self, owner: str) -> list[tuple[str, bytes, str, datetime]]:
        """Return (kind, wrapped, public, created) of an actor's keys."""
        rows = self._db.rows("SELECT * FROM private_key WHERE owner = :owner ORDER BY kind", owner=owner)
        return [(r["kind"], bytes(r["wrapped"]), r["public"], from_ms(r["created"])) for r in rows]  # type: ignore[misc]

    def save_token(self, token: Token, hashed: str) -> None:
        """Keep a token by the hash of its secret."""
        self._db.run(
            "INSERT INTO token VALUES (:id, :account, :hash, :label, :created, NULL, NULL, :scopes, :client)",
            id=token.id, account=token.account, hash=hashed, label=token.label, created=to_ms(token.created),
            scopes=" ".join(token.scopes), client=token.client,
        )  # fmt: skip

    def token_by_hash(
        self, hashed: str, now: datetime, unused_since: tuple[str, datetime] | None = None
    ) -> Token | None:  # fmt: skip
        """Return a living token and note that it was used; not one of a scope that went unused since a moment."""
        scope, moment = unused_since or ("", now)
        rows = self._db.rows(
            "UPDATE token SET last_used = :now WHERE hash = :hash AND revoked IS NULL"
            " AND (:scope = '' OR ' ' || scopes || ' ' NOT LIKE '% ' || :scope || ' %'"
            " OR COALESCE(last_used, created) >= :moment) RETURNING *",
            hash=hashed, now=to_ms(now), scope=scope, moment=to_ms(moment),
        )  # fmt: skip
        return _token(rows[0]) if rows else None

    def tokens(self) -> list[Token]:
        """Return every token, newest first."""
        return [_token(row) for row in self._db.rows("SELECT * FROM token ORDER BY created DESC, id DESC")]

    def revoke_token(self, token: str, now: datetime) -> bool:
        """Revoke a token by id; tell whether there was one to revoke."""
        return bool(
            self._db.run("UPDATE token SET revoked = :now WHERE id = :id AND revoked IS NULL", id=token, now=to_ms(now))
        )


def _account(row: type_row) -> Account:
    seal.check("account", row)
    return Account(
        id=row["id"], name=row["name"], display_name=row["display_name"], summary=row["summary"],
        preset=row["preset"], prefs=Preferences.from_json(load(row["prefs"])), approves=bool(row["approves"]),
        discoverable=bool(row["discoverable"]), created=from_ms(row["created"]), updated=from_ms(row["updated"]),  # type: ignore[arg-type]
        deleted=from_ms(row["deleted"]), kind=row["kind"], moved_to=row["moved_to"],
        aliases=tuple(load(row["aliases"])),
    )  # fmt: skip


def _token(row: type_row) -> Token:
    return Token(
        id=row["id"], account=row["account"], label=row["label"], created=from_ms(row["created"]),  # type: ignore[arg-type]
        last_used=from_ms(row["last_used"]), revoked=from_ms(row["revoked"]),
        scopes=tuple(row["scopes"].split()), client=row["client"],
    )  # fmt: skip
