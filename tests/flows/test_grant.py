"""Who may act for an account: tokens, sign-in links, codes of apps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flows.scenes import home_of
from world import BASE, account

from gateway.flows import grant

if TYPE_CHECKING:
    from world import World

    from gateway.flows.kit import Kit
    from gateway.store.apps import App

pytestmark = pytest.mark.anyio

URI = "https://app.example/cb"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def _app(kit: Kit, *, confidential: bool = False) -> tuple[App, str | None]:
    return grant.register(kit, "An app", "", [URI], ["read", "write"], confidential=confidential)


async def test_the_challenge_of_the_rfc() -> None:
    """RFC 7636, appendix B."""
    assert grant.challenge_of(VERIFIER) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


async def test_a_token_is_kept_as_its_hash(world: World) -> None:
    """The secret stands in no row; by default it opens everything, for no app."""
    home, alice = home_of(world)
    token, secret = grant.create_token(home.kit, alice, "bot")
    assert secret.startswith("gw_")
    assert len(secret) > 40
    assert (token.scopes, token.client) == (("read", "write"), None)
    assert secret not in str(home.kit.store.database.rows("SELECT * FROM token"))
    found = grant.token_behind(home.kit, secret)
    assert found is not None
    assert (found.id, found.label) == (token.id, "bot")
    assert grant.token_behind(home.kit, secret[:-1]) is None
    assert grant.token_behind(home.kit, "") is None


async def test_the_use_of_a_token_is_noted(world: World) -> None:
    """Its owner sees when it was used last."""
    home, alice = home_of(world)
    _, secret = grant.create_token(home.kit, alice, "bot")
    world.clock.forward(hours=1)
    grant.token_behind(home.kit, secret)
    assert home.kit.store.accounts.tokens()[0].last_used == world.clock.now()


@pytest.mark.parametrize("what", ["revoked", "deleted"])
async def test_a_dead_token_opens_nothing(world: World, what: str) -> None:
    """Revoked, or its account deleted: the token is unknown."""
    home, alice = home_of(world)
    token, secret = grant.create_token(home.kit, alice, "bot")
    if what == "revoked":
        home.kit.store.accounts.revoke_token(token.id, world.clock.now())
    else:
        home.kit.store.database.run("UPDATE account SET deleted = 1")
    assert grant.token_behind(home.kit, secret) is None


@pytest.mark.parametrize(("scopes", "lives"), [(("session",), False), (("read", "write"), True)])
async def test_only_sessions_grow_old(world: World, scopes: tuple[str, ...], *, lives: bool) -> None:
    """A browser is forgotten after thirty days, a token when it is revoked."""
    home, alice = home_of(world)
    _, secret = grant.create_token(home.kit, alice, "x", scopes)
    for _ in range(3):
        world.clock.forward(days=10)
        assert grant.token_behind(home.kit, secret) is not None
    world.clock.forward(seconds=1)
    assert (grant.token_behind(home.kit, secret) is not None) is lives


async def test_a_sign_in_link_gives_one_session(world: World) -> None:
    """It says until when it works, works once, and what it gives is no more than a session."""
    home, alice = home_of(world)
    link, expires = grant.sign_in_link(home.kit, alice)
    base, _, code = link.partition("?code=")
    assert (base, expires) == (f"{BASE}/sign-in", world.clock.now() + grant.SIGN_IN_LIFE)
    assert code not in str(home.kit.store.database.rows("SELECT * FROM sign_in"))
    made = grant.sign_in(home.kit, code)
    assert made is not None
    token = grant.token_behind(home.kit, made[1])
    assert token is not None
    assert (made[0].id, token.scopes) == (alice.id, ("session",))
    assert grant.sign_in(home.kit, code) is None


@pytest.mark.parametrize("what", ["old", "deleted", "unknown"])
async def test_a_link_that_holds_no_more_gives_nothing(world: World, what: str) -> None:
    """Too old, of somebody who is gone, or never made: no session."""
    home, alice = home_of(world)
    code = grant.sign_in_link(home.kit, alice)[0].partition("?code=")[2]
    if what == "old":
        world.clock.forward(minutes=10)
    elif what == "deleted":
        home.kit.store.database.run("UPDATE account SET deleted = 1")
    assert grant.sign_in(home.kit, "x" if what == "unknown" else code) is None
    assert home.kit.store.accounts.tokens() == []


async def test_apps_have_ids_and_some_have_secrets(world: World) -> None:
    """A public app has none; two apps never share an id."""
    home, _ = home_of(world)
    (public, no), (confidential, secret) = _app(home.kit), _app(home.kit, confidential=True)
    assert (no, public.secret_hash) == (None, None)
    assert secret is not None
    assert confidential.secret_hash == grant.hash_secret(secret)
    assert public.id != confidential.id


async def test_waiting_apps_have_a_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may register: when too many wait, the one that waits longest goes, never one that is used."""
    monkeypatch.setattr(grant, "MAX_WAITING_APPS", 2)
    home, alice = home_of(world)
    apps = []
    for number in range(5):
        world.clock.forward(seconds=1)
        apps.append(_app(home.kit)[0])
        if number == 0:
            grant.create_token(home.kit, alice, "", ("read",), apps[0].id)
    known = [home.kit.store.apps.get(app.id) is not None for app in apps]
    assert known == [True, False, False, True, True]


def _code(kit: Kit, app: App) -> str:
    alice = kit.store.accounts.by_name("alice")
    assert alice is not None
    return grant.give_code(
        kit, app, alice, redirect_uri=URI, scopes=["read"], challenge=grant.challenge_of(VERIFIER)
    )  # fmt: skip


async def test_a_code_becomes_a_token_once(world: World) -> None:
    """The token has the code's scopes and the app's name; a second exchange revokes it."""
    home, alice = home_of(world)
    app, _ = _app(home.kit)
    code = _code(home.kit, app)
    assert code not in str(home.kit.store.database.rows("SELECT * FROM oauth_code"))
    made = grant.exchange(home.kit, app, code, redirect_uri=URI, verifier=VERIFIER)
    assert made is not None
    token, secret = made
    assert (token.account, token.label, token.scopes, token.client) == (alice.id, "An app", ("read",), app.id)
    assert grant.token_behind(home.kit, secret) is not None
    assert grant.exchange(home.kit, app, code, redirect_uri=URI, verifier="wrong") is None
    assert grant.token_behind(home.kit, secret) is None


@pytest.mark.parametrize("what", ["app", "verifier", "redirect", "old", "code", "deleted"])
async def test_nothing_about_a_code_may_be_wrong(world: World, what: str) -> None:
    """Another app, verifier or address, an old or unknown code, an account that is gone: no token."""
    home, _ = home_of(world)
    app, other = _app(home.kit)[0], _app(home.kit)[0]
    code = _code(home.kit, app)
    if what == "old":
        world.clock.forward(minutes=5)
    elif what == "deleted":
        home.kit.store.database.run("UPDATE account SET deleted = 1")
    made = grant.exchange(
        home.kit,
        other if what == "app" else app,
        "x" if what == "code" else code,
        redirect_uri=f"{URI}/" if what == "redirect" else URI,
        verifier="wrong" if what == "verifier" else VERIFIER,
    )
    assert made is None
    assert home.kit.store.accounts.tokens() == []


async def test_a_stolen_code_of_another_app_revokes_nothing(world: World) -> None:
    """Only the app that a code was given to can show that it came twice."""
    home, _ = home_of(world)
    account(home, "carol")
    app, other = _app(home.kit)[0], _app(home.kit)[0]
    code = _code(home.kit, app)
    made = grant.exchange(home.kit, app, code, redirect_uri=URI, verifier=VERIFIER)
    assert made is not None
    assert grant.exchange(home.kit, other, code, redirect_uri=URI, verifier=VERIFIER) is None
    assert grant.token_behind(home.kit, made[1]) is not None


@pytest.mark.parametrize(("scopes", "lives"), [(("session",), False), (("read", "write"), True)])
async def test_only_sessions_end_unused(world: World, scopes: tuple[str, ...], *, lives: bool) -> None:
    """A browser that nobody came back to for two weeks is forgotten, a token is not."""
    home, alice = home_of(world)
    _, secret = grant.create_token(home.kit, alice, "x", scopes)
    world.clock.forward(days=14, seconds=1)
    assert (grant.token_behind(home.kit, secret) is not None) is lives
