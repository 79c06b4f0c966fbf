"""Accounts, keys and tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from store.rows import ALICE, NOW, account, later

from gateway.preferences import Preferences
from gateway.store.accounts import Token

if TYPE_CHECKING:
    from gateway.store.store import Store


def test_an_account_is_kept_whole(store: Store) -> None:
    """Every field comes back as it was."""
    whole = account(
        summary="s", preset="noai", approves=True, discoverable=False, deleted=later(days=1), moved_to="https://x.example/u",
        aliases=("https://y.example/u",),
    )  # fmt: skip
    store.accounts.save(whole)
    assert store.accounts.by_id(ALICE) == whole
    assert store.accounts.by_name("ALICE") == whole


def test_a_saved_account_is_replaced_but_keeps_its_name(store: Store) -> None:
    """Saving again changes what can change; id, name and beginning stay."""
    store.accounts.save(account())
    store.accounts.save(account(display_name="A.", prefs=Preferences.of(search="n"), created=later(days=9)))
    found = store.accounts.by_id(ALICE)
    assert found is not None
    assert (found.display_name, found.prefs, found.created) == ("A.", Preferences.of(search="n"), NOW)


def test_only_living_people_are_listed(store: Store) -> None:
    """The instance actor and deleted accounts are no people here; the oldest comes first."""
    store.accounts.save(account("carol", created=later(hours=1)))
    store.accounts.save(account("bob"))
    store.accounts.save(account("gone", deleted=NOW))
    store.accounts.save(account("server", kind="Application"))
    assert [a.name for a in store.accounts.all()] == ["bob", "carol"]
    assert store.accounts.by_name("gone") is not None
    assert store.accounts.by_name("nobody") is None
    assert store.accounts.by_id("nobody") is None


def test_keys_are_kept_by_kind(store: Store) -> None:
    """An actor has one key of each kind; a new one replaces the old."""
    store.accounts.save_key(ALICE, "rsa", b"\x00w", "PEM", NOW)
    store.accounts.save_key(ALICE, "ed25519", b"e", "z6", NOW)
    store.accounts.save_key(ALICE, "rsa", b"\x01w", "PEM2", later(days=1))
    assert store.accounts.keys(ALICE) == [
        ("ed25519", b"e", "z6", NOW),
        ("rsa", b"\x01w", "PEM2", later(days=1)),
    ]
    assert store.accounts.keys("nobody") == []


def test_tokens_are_found_by_hash_until_they_are_revoked(store: Store) -> None:
    """A living token is found and its use noted; a revoked one is as good as none."""
    token = Token(id="t1", account=ALICE, label="ci", created=NOW, last_used=None, revoked=None)
    store.accounts.save_token(token, "hash")
    assert store.accounts.token_by_hash("other", NOW) is None
    assert store.accounts.token_by_hash("hash", later(hours=1)) == replace(token, last_used=later(hours=1))
    assert store.accounts.revoke_token("t1", later(hours=2))
    assert not store.accounts.revoke_token("t1", later(hours=3))
    assert not store.accounts.revoke_token("t2", later(hours=3))
    assert store.accounts.token_by_hash("hash", later(hours=4)) is None
    (listed,) = store.accounts.tokens()
    assert (listed.revoked, listed.last_used) == (later(hours=2), later(hours=1))
