"""Registered apps, their codes, and one-time sign-in links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from store.rows import ALICE, NOW, later

from gateway.store.accounts import Token
from gateway.store.apps import App, Code

if TYPE_CHECKING:
    from gateway.store.store import Store


def _app(name: str = "a", **changes: Any) -> App:
    fields: dict[str, Any] = {
        "id": f"app_{name}", "secret_hash": None, "name": "An app", "website": "https://app.example",
        "redirect_uris": ("https://app.example/cb", "http://127.0.0.1/cb"), "scopes": ("read", "write"), "created": NOW,
        **changes,
    }  # fmt: skip
    return App(**fields)


def _code(hashed: str = "h", **changes: Any) -> Code:
    fields: dict[str, Any] = {
        "hash": hashed, "client": "app_a", "account": ALICE, "redirect_uri": "https://app.example/cb",
        "scopes": ("read",), "challenge": "c", "expires": later(minutes=5), **changes,
    }  # fmt: skip
    return Code(**fields)


def _let_in(store: Store, client: str, token_id: str = "t") -> None:
    token = Token(id=token_id, account=ALICE, label="", created=NOW, last_used=None, revoked=None, client=client)
    store.accounts.save_token(token, f"hash of {token_id}")


@pytest.mark.parametrize("secret", [None, "00" * 32])
def test_an_app_is_kept_whole(store: Store, secret: str | None) -> None:
    """Every field comes back as it was; an unknown app is nobody."""
    app = _app(secret_hash=secret)
    store.apps.save(app)
    assert store.apps.get(app.id) == app
    assert store.apps.get("app_b") is None


def test_apps_that_wait_for_their_first_user_are_counted(store: Store) -> None:
    """An app counts as unused until it was given a token."""
    for name in "abc":
        store.apps.save(_app(name))
    _let_in(store, "app_b")
    assert store.apps.count_unused() == 2


def test_a_code_is_kept_and_used_once(store: Store) -> None:
    """A code comes back whole; what it was exchanged for is noted on it."""
    store.apps.save_code(_code())
    assert store.apps.code("h") == _code()
    store.apps.use_code("h", "token", later(minutes=1))
    assert store.apps.code("h") == _code(used=later(minutes=1), token="token")
    assert store.apps.code("other") is None


def test_a_sign_in_code_works_once(store: Store) -> None:
    """Looking uses nothing up; using does."""
    store.apps.save_sign_in("h", ALICE, later(minutes=10))
    for _ in range(2):
        assert store.apps.sign_in("h", NOW) == ALICE
    assert store.apps.use_sign_in("h", NOW) == ALICE
    assert store.apps.use_sign_in("h", NOW) is None
    assert store.apps.sign_in("h", NOW) is None


@pytest.mark.parametrize(("minutes", "found"), [(9, ALICE), (10, None), (11, None)])
def test_a_sign_in_code_runs_out(store: Store, minutes: int, found: str | None) -> None:
    """From its last moment on, a code is unknown."""
    store.apps.save_sign_in("h", ALICE, later(minutes=10))
    assert store.apps.sign_in("h", later(minutes=minutes)) == found
    assert store.apps.use_sign_in("h", later(minutes=minutes)) == found
    assert store.apps.sign_in("other", NOW) is None


def test_pruning_removes_what_is_over(store: Store) -> None:
    """Old codes, old links and old apps without users go; everything else stays."""
    for name, created in (("old", NOW), ("used", NOW), ("new", later(days=2))):
        store.apps.save(_app(name, created=created))
    _let_in(store, "app_used")
    store.apps.save_code(_code("old"))
    store.apps.save_code(_code("new", expires=later(days=3)))
    store.apps.save_sign_in("old", ALICE, NOW)
    store.apps.save_sign_in("new", ALICE, later(days=3))
    assert store.apps.prune(expired_before=later(days=1), unused_before=later(days=1), sessions_before=NOW) == 3
    assert [store.apps.get(f"app_{name}") is not None for name in ("old", "used", "new")] == [False, True, True]
    assert (store.apps.code("old"), store.apps.code("new") is not None) == (None, True)
    assert (store.apps.sign_in("old", NOW), store.apps.sign_in("new", NOW)) == (None, ALICE)


def test_an_app_whose_only_token_was_revoked_was_used(store: Store) -> None:
    """Somebody let it in once: it is neither counted as waiting nor removed."""
    store.apps.save(_app())
    _let_in(store, "app_a")
    store.accounts.revoke_token("t", NOW)
    assert store.apps.count_unused() == 0
    assert store.apps.prune(expired_before=later(days=9), unused_before=later(days=9), sessions_before=NOW) == 0


def test_old_sessions_are_removed_and_tokens_stay(store: Store) -> None:
    """A browser's session is forgotten when it is old or ended; a token of an app or the owner is listed for ever."""
    made = {"old": ("session",), "ended": ("session",), "new": ("session",), "token": ("read", "write")}
    for name, scopes in made.items():
        created = later(days=2) if name in ("new", "ended") else NOW
        store.accounts.save_token(
            Token(id=name, account=ALICE, label="", created=created, last_used=None, revoked=None, scopes=scopes), name
        )
    store.accounts.revoke_token("ended", later(days=2))
    store.apps.prune(expired_before=NOW, unused_before=NOW, sessions_before=later(days=1))
    assert {token.id for token in store.accounts.tokens()} == {"new", "token"}


def test_the_longest_waiting_app_is_forgotten(store: Store) -> None:
    """The oldest that nobody let in goes; one that somebody uses stays, however old."""
    for days, name in enumerate(("used", "first", "second")):
        store.apps.save(_app(name, created=later(days=days)))
    _let_in(store, "app_used")
    store.apps.forget_longest_waiting()
    assert [store.apps.get(f"app_{name}") is not None for name in ("used", "first", "second")] == [True, False, True]
