"""A database of an earlier version is upgraded by opening it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlite_utils
from store.rows import ALICE, APPLIED, NOW, account

from gateway.flows.grant import SCOPES
from gateway.store.database import dump, to_ms
from gateway.store.schema import MIGRATIONS
from gateway.store.sqlite import sqlite3
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKENS = ({"id": "t1", "revoked": None}, {"id": "t2", "revoked": to_ms(NOW)})
NEW = {"oauth_client", "oauth_code", "sign_in", "inbox_item", "collection_item", "addressee", "hidden_recipient"}


def _tables(connection: Any) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


@pytest.fixture
def upgraded(tmp_path: Path) -> Iterator[Store]:
    """Return a store whose file had the first schema alone, with an account and two tokens."""
    path = tmp_path / FILE
    connection = sqlite3.connect(path)
    MIGRATIONS.apply(sqlite_utils.Database(connection), stop_before="0002_clients")
    before = account()
    connection.execute(
        "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (before.id, before.name, before.display_name, "", None, dump(before.prefs.as_json()), 0, 1,
         to_ms(before.created), to_ms(before.updated), None, "Person", None, "[]"),
    )  # fmt: skip
    for token in TOKENS:
        connection.execute(
            "INSERT INTO token VALUES (?, ?, ?, ?, ?, NULL, ?)",
            (token["id"], ALICE, f"hash of {token['id']}", "my bot", to_ms(NOW), token["revoked"]),
        )
    connection.commit()
    assert not NEW & _tables(connection)
    connection.close()
    store = Store(path)
    yield store
    store.close()


def test_an_old_database_gets_the_new_tables(upgraded: Store) -> None:
    """All migrations are noted as done, and what the second one makes is there and empty."""
    assert upgraded.database.applied() == APPLIED
    assert {table: upgraded.database.value(f"SELECT count(*) FROM {table}") for table in NEW} == dict.fromkeys(NEW, 0)  # noqa: S608


def test_rows_from_before_stay(upgraded: Store) -> None:
    """The account is the same as before; so are the tokens, the revoked one included."""
    assert upgraded.accounts.by_id(ALICE) == account()
    kept = sorted((t.id, t.label, t.created, t.revoked) for t in upgraded.accounts.tokens())
    assert kept == [("t1", "my bot", NOW, None), ("t2", "my bot", NOW, NOW)]


def test_old_tokens_may_do_what_they_could(upgraded: Store) -> None:
    """A token from before there were scopes has both of them, belongs to no app, and works."""
    token = upgraded.accounts.token_by_hash("hash of t1", NOW)
    assert token is not None
    assert (token.scopes, token.client) == (tuple(SCOPES), None)
    assert upgraded.accounts.token_by_hash("hash of t2", NOW) is None


def test_an_upgraded_database_is_opened_again(upgraded: Store, tmp_path: Path) -> None:
    """A second start changes nothing more."""
    upgraded.inboxes.add(ALICE, "1", "https://peer.example/users/bob", NOW)
    again = Store(tmp_path / FILE)
    assert again.database.applied() == APPLIED
    assert again.inboxes.size(ALICE) == 1
    again.close()
