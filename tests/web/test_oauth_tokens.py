"""Codes and tokens: what a code is exchanged for, what a token opens, and how it is revoked."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from web.asking import ask, problem_of
from web.oauth_app import App, app_at, publish, refused_with

if TYPE_CHECKING:
    from web.conftest import Site

    from gateway.store.accounts import Token

pytestmark = pytest.mark.anyio


def _tokens(site: Site, app: App) -> list[Token]:
    return [token for token in site.kit.store.accounts.tokens() if token.client == app.client_id]


def _basic(name: str, word: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{word}'.encode()).decode()}"}


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_id": "app_nobody"}, 401, "invalid_client"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"grant_type": None}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"code_verifier": None}, 400, "invalid_request"),
        ({"code_verifier": "short"}, 400, "invalid_request"),
        ({"code_verifier": "v" * 129}, 400, "invalid_request"),
        ({"code_verifier": f"{'v' * 42}é"}, 400, "invalid_request"),
        ({"code_verifier": "w" * 43}, 400, "invalid_grant"),
        ({"code": None}, 400, "invalid_grant"),
        ({"code": "nonsense"}, 400, "invalid_grant"),
        ({"redirect_uri": "https://app.example/other"}, 400, "invalid_grant"),
    ],
)
async def test_a_code_is_exchanged_for_the_right_words_only(
    site: Site, changes: dict[str, Any], status: int, error: str
) -> None:
    """Each thing that is wrong has its error of RFC 6749, and gives no token."""
    app = await app_at(site)
    answer = await app.exchange(await app.code(), **changes)
    refused_with(answer, status, error)
    assert bool(answer.header("www-authenticate")) is (status == 401)
    assert _tokens(site, app) == []


async def test_another_app_cannot_use_a_code(site: Site) -> None:
    """A code is for the app that it was given to; that one can still use it afterwards."""
    app, other = await app_at(site), await app_at(site)
    code = await app.code()
    refused_with(await other.exchange(code), 400, "invalid_grant")
    assert (await app.exchange(code)).status == 200


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 400), (301, 400)])
async def test_a_code_lives_five_minutes(own_site: Site, seconds: int, status: int) -> None:
    """An old code is a wrong one."""
    app = await app_at(own_site)
    code = await app.code()
    own_site.world.clock.forward(seconds=seconds)
    assert (await app.exchange(code)).status == status


async def test_a_code_that_comes_twice_takes_its_token_along(site: Site) -> None:
    """OAuth 2.1, section 4.1.3: the second exchange fails, and the token that the first one gave is revoked."""
    app = await app_at(site)
    code = await app.code()
    token = (await app.exchange(code)).json["access_token"]
    assert (await publish(site, token)).status == 201
    refused_with(await app.exchange(code), 400, "invalid_grant")
    assert problem_of(await publish(site, token), [401])["code"] == "token-invalid"


async def test_a_deleted_accounts_code_is_of_no_use(own_site: Site) -> None:
    """Whoever is gone lets nobody in."""
    app = await app_at(own_site)
    code = await app.code()
    own_site.kit.store.database.run("UPDATE account SET deleted = 1 WHERE name = 'alice'")
    refused_with(await app.exchange(code), 400, "invalid_grant")


@pytest.mark.parametrize("way", ["post", "basic"])
@pytest.mark.parametrize("secret", ["right", "wrong", ""])
async def test_a_confidential_app_proves_itself(site: Site, way: str, secret: str) -> None:
    """The secret counts in the form and in the header; without the right one there is no token."""
    app = await app_at(site, token_endpoint_auth_method="client_secret_basic")
    word = app.secret if secret == "right" else secret
    code = await app.code()
    if way == "basic":
        answer = await app.exchange(code, _basic(app.client_id, word), client_id=None, client_secret=None)
    else:
        answer = await app.exchange(code, client_secret=word)
    if secret == "right":
        assert answer.status == 200
    else:
        refused_with(answer, 401, "invalid_client")
        assert answer.header("www-authenticate").startswith("Basic")


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Basic YXBwX25vYm9keQ=="])
async def test_a_malformed_basic_header_proves_nothing(site: Site, header: str) -> None:
    """What cannot be decoded is a client that is not known."""
    app = await app_at(site)
    refused_with(await app.exchange(await app.code(), {"authorization": header}), 401, "invalid_client")


@pytest.mark.parametrize(
    ("scope", "posts", "reads"), [("read", 403, 200), ("write", 201, 403), ("write read", 201, 200)]
)
async def test_a_token_opens_what_it_was_given_for(site: Site, scope: str, posts: int, reads: int) -> None:
    """A token for reading cannot post, one for writing cannot read the inbox: 403 insufficient-scope."""
    token = await (await app_at(site)).token(scope=scope)
    bearer = {"authorization": f"Bearer {token}"}
    posted, read = await publish(site, token), await site.get("/users/alice/inbox", **bearer)
    assert (posted.status, read.status) == (posts, reads)
    for answer in (posted, read):
        if answer.status == 403:
            assert problem_of(answer, [403])["code"] == "insufficient-scope"
    for path in ("/api/media", "/api/proxy"):
        answer = await ask(site.app, "POST", path, [*bearer.items(), ("content-type", "text/plain")], b"")
        assert answer.status == (415 if (posts == 201 if path == "/api/media" else reads == 200) else 403)


async def test_a_token_is_listed_with_its_app(site: Site) -> None:
    """The owner sees whose token it is, by the app's id and name, with its scopes."""
    app = await app_at(site, client_name="My phone")
    await app.token(scope="read")
    [token] = _tokens(site, app)
    assert (token.account, token.label, token.scopes) == (site.alice.id, "My phone", ("read",))


async def test_an_app_revokes_its_token(site: Site) -> None:
    """RFC 7009: 200 and the token is dead; so is 200 for one that is dead or was never there."""
    app = await app_at(site)
    token = await app.token()
    for given in (token, token, "nonsense", ""):
        answer = await app.revoke(given)
        assert (answer.status, answer.body) == (200, b"")
    assert problem_of(await publish(site, token), [401])["code"] == "token-invalid"


async def test_an_app_revokes_its_own_tokens_alone(site: Site) -> None:
    """Another app's token, and one from the command line, live on."""
    app, other = await app_at(site), await app_at(site)
    token = await app.token()
    for given in (token, site.tokens["alice"]):
        assert (await other.revoke(given)).status == 200
        assert (await publish(site, given)).status == 201


@pytest.mark.parametrize("changes", [{"client_id": "app_nobody"}, {"client_id": ""}, {"client_secret": "wrong"}])
async def test_nobody_revokes_for_an_app(site: Site, changes: dict[str, str]) -> None:
    """Revocation needs the app's proof, too."""
    app = await app_at(site, token_endpoint_auth_method="client_secret_post")
    token = await app.token()
    refused_with(await app.revoke(token, **changes), 401, "invalid_client")
    assert (await publish(site, token)).status == 201
    assert (await app.revoke(token)).status == 200
    assert (await publish(site, token)).status == 401


async def test_a_session_is_no_token(site: Site) -> None:
    """What a browser keeps in its cookie does not work as a bearer token."""
    cookie = (await (await app_at(site)).allowed()).header("set-cookie").partition(";")[0]
    assert problem_of(await publish(site, cookie.partition("=")[2]), [401])["code"] == "token-invalid"
