"""Apps find their way in: metadata and registration (OAuth 2.1), and one whole way from an actor to a post."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from peers.plain import ACTIVITY_JSON
from web.asking import ask, problem_of
from web.oauth_app import (
    CALLBACK,
    JSON,
    LOOPBACK,
    SAME,
    VERIFIER,
    App,
    app_at,
    learned,
    publish,
    refused_with,
    register,
    send_form,
)
from world import BASE

from gateway.flows import grant
from gateway.flows.pacing import APPS

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio


async def test_an_app_finds_its_way_from_an_actor_to_a_post(own_site: Site) -> None:
    """The actor names the endpoints, the metadata the rest; registered, allowed and exchanged, a token publishes."""
    site = own_site
    actor = (await site.get("/users/alice", accept=ACTIVITY_JSON)).json
    metadata = (await site.get("/.well-known/oauth-authorization-server")).json
    assert actor["endpoints"]["oauthAuthorizationEndpoint"] == metadata["authorization_endpoint"]
    assert actor["endpoints"]["oauthTokenEndpoint"] == metadata["token_endpoint"]
    path = metadata["registration_endpoint"].removeprefix(BASE)
    body = json.dumps({"redirect_uris": [CALLBACK], "client_name": "An app"}).encode()
    client = (await ask(site.app, "POST", path, [("content-type", JSON)], body)).json
    app = App(site=site, client_id=client["client_id"])
    target = f"{metadata['authorization_endpoint'].removeprefix(BASE)}?{urlencode(app.request())}"
    asked = await site.get(target)
    assert asked.status == 200
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text))
    assert fields | {"state": "s&=1"} == app.request()
    fields |= {"state": "s&=1", "decision": "allow", "code": grant.sign_in_link(site.kit, site.alice)[0]}
    code = learned(await send_form(site, metadata["authorization_endpoint"].removeprefix(BASE), fields))["code"]
    exchange = {
        "grant_type": "authorization_code", "client_id": app.client_id, "redirect_uri": CALLBACK, "code": code,
        "code_verifier": VERIFIER,
    }  # fmt: skip
    answer = await send_form(site, metadata["token_endpoint"].removeprefix(BASE), exchange, {})
    assert answer.header("cache-control") == "no-store"
    assert {**answer.json, "access_token": ""} == {
        "access_token": "", "token_type": "Bearer", "scope": "read write", "me": site.alice.id,
        "created_at": int(site.kit.clock.now().timestamp()),
    }  # fmt: skip
    posted = await publish(site, answer.json["access_token"])
    assert posted.status == 201
    await site.world.drain()
    assert site.follower.received[-1]["id"] == posted.header("location")


async def test_the_metadata_says_where_everything_is(site: Site) -> None:
    """RFC 8414: the issuer is the origin, every endpoint is on it and answers, PKCE and iss are announced."""
    answer = await site.get("/.well-known/oauth-authorization-server")
    assert (answer.status, answer.media_type) == (200, JSON)
    assert answer.header("access-control-allow-origin") == "*"
    document = answer.json
    assert document["issuer"] == BASE
    for name in ("authorization", "token", "registration", "revocation"):
        endpoint = document[f"{name}_endpoint"]
        assert endpoint.startswith(f"{BASE}/")
        assert (await ask(site.app, "POST", endpoint.removeprefix(BASE))).status in (400, 401, 403, 415)
    assert document["scopes_supported"] == ["read", "write"]
    assert document["response_types_supported"] == ["code"]
    assert document["grant_types_supported"] == ["authorization_code"]
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    for name in ("token", "revocation"):
        methods = document[f"{name}_endpoint_auth_methods_supported"]
        assert methods == ["none", "client_secret_basic", "client_secret_post"]


async def test_what_an_app_registers_is_told_back(site: Site) -> None:
    """RFC 7591: 201 with the id and everything that holds; a public app has no secret."""
    answer = await register(
        site, client_name="  Two\n words ", client_uri="https://app.example/", scope="write read",
        redirect_uris=[CALLBACK, LOOPBACK],
    )  # fmt: skip
    assert (answer.status, answer.media_type) == (201, JSON)
    assert (answer.header("cache-control"), answer.header("access-control-allow-origin")) == ("no-store", "*")
    document = answer.json
    assert document.pop("client_id").startswith("app_")
    assert document == {
        "client_id_issued_at": int(site.kit.clock.now().timestamp()),
        "client_name": "Two words",
        "client_uri": "https://app.example/",
        "redirect_uris": [CALLBACK, LOOPBACK],
        "scope": "read write",
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
    }


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_an_app_that_can_keep_a_secret_gets_one(site: Site, method: str) -> None:
    """The secret is told once and kept as its hash."""
    document = (await register(site, token_endpoint_auth_method=method)).json
    assert (document["token_endpoint_auth_method"], document["client_secret_expires_at"]) == (method, 0)
    app = site.kit.store.apps.get(document["client_id"])
    assert app is not None
    assert app.secret_hash == grant.hash_secret(document["client_secret"])


@pytest.mark.parametrize(
    "uri",
    [
        CALLBACK, "https://app.example", "https://app.example:8443/cb?x=1", LOOPBACK, "http://[::1]:4711/cb",
        "http://localhost:3000/cb", "com.example.app:/cb", "com.example.app://cb", "org.example.app+x:cb",
    ],
)  # fmt: skip
async def test_addresses_that_an_app_may_be_answered_at(site: Site, uri: str) -> None:
    """Https, http on loopback, and a private scheme with a dot in it; such an app can ask for consent."""
    app = await app_at(site, redirect_uris=[uri])
    assert (await app.asks()).status == 200
    location = (await app.allowed("deny", "")).header("location")
    assert location.partition("?")[0] == uri.partition("?")[0]
    assert "error=access_denied" in location


@pytest.mark.parametrize(
    "uris",
    [
        None, [], "https://app.example/cb", [5], [None], [""], ["/cb"], ["app.example/cb"], ["http://app.example/cb"],
        [f"{CALLBACK}#x"], ["https://app.example/#"], ["javascript:alert(1)"], ["data:text/html,x"], ["myapp://cb"],
        ["file:///etc/passwd"], ["https://user@app.example/cb"], ["https://app.example\\@evil.example/cb"],
        ["http://127.0.0.1.evil.example/cb"], ["https://"], [f"https://app.example/{'x' * 500}"],
        [CALLBACK, "http://app.example/"], [f"https://app.example/{n}" for n in range(11)], ["https://app.example/\n"],
        ["https://[x/cb"], ["http://[/cb"], ["com.example.app://[/cb"], ["https://app.example:x/cb"],
        ["com.example.app://x; frame-ancestors */cb"],
    ],
)  # fmt: skip
async def test_addresses_that_no_app_is_answered_at(site: Site, uris: object) -> None:
    """Plain http, fragments, schemes that run, host tricks and malformed addresses are refused by their own code."""
    refused_with(await register(site, redirect_uris=uris), 400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "metadata",
    [
        {"token_endpoint_auth_method": "private_key_jwt"}, {"token_endpoint_auth_method": None},
        {"token_endpoint_auth_method": ["none"]}, {"scope": "admin"}, {"scope": "read follow"}, {"scope": "session"},
        {"scope": ["read"]},
    ],
)  # fmt: skip
async def test_what_is_not_supported_is_not_registered(site: Site, metadata: dict[str, object]) -> None:
    """Other ways to authenticate and other scopes are told as invalid metadata."""
    refused_with(await register(site, **metadata), 400, "invalid_client_metadata")


@pytest.mark.parametrize(
    ("metadata", "name", "website"),
    [
        ({"client_name": "x" * 200}, "x" * 100, ""),
        ({"client_name": None}, "", ""),
        ({"client_uri": "javascript:alert(1)"}, "An app", ""),
        ({"client_uri": 5}, "An app", ""),
        ({"client_uri": f"https://app.example/{'x' * 500}"}, "An app", ""),
        ({"client_uri": "https://app.example/"}, "An app", "https://app.example/"),
    ],
)
async def test_names_and_websites_are_cut_to_what_can_be_shown(
    site: Site, metadata: dict[str, object], name: str, website: str
) -> None:
    """A long name is cut; a website that is none is left out."""
    document = (await register(site, **metadata)).json
    assert (document["client_name"], document.get("client_uri", "")) == (name, website)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"redirect_uris": ["https://app.example/"], "grant_types": ["implicit"]}',
        b'{"redirect_uris": ["https://app.example/"], "response_types": ["token"]}',
    ],
)  # fmt: skip
async def test_a_registration_that_cannot_be_taken(site: Site, body: bytes) -> None:
    """What is no JSON object, or asks for what is not done here, gets the error of RFC 7591."""
    answer = await ask(site.app, "POST", "/oauth/register", [("content-type", JSON)], body)
    assert (answer.status, answer.media_type, answer.json["error"]) == (400, JSON, "invalid_client_metadata")


async def test_a_registration_that_is_too_long(site: Site) -> None:
    """Sixty-four kilobytes are enough for an app."""
    problem_of(await ask(site.app, "POST", "/oauth/register", [("content-type", JSON)], b" " * 70_000), [413])


async def test_apps_that_nobody_let_in_make_room(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many wait, the oldest goes; after a day all of them do; what somebody let in stays."""
    monkeypatch.setattr(grant, "MAX_WAITING_APPS", 2)
    app = await app_at(own_site)
    await app.token()
    waiting = []
    for _ in range(3):
        own_site.world.clock.forward(seconds=1)
        waiting.append(await app_at(own_site))

    def known() -> list[bool]:
        return [own_site.kit.store.apps.get(one.client_id) is not None for one in (app, *waiting)]

    assert known() == [True, False, True, True]
    own_site.world.clock.forward(days=1, seconds=1)
    own_site.gateway.prune()
    assert known() == [True, False, False, False]


async def test_one_network_cannot_push_others_apps_out(site: Site) -> None:
    """A network registers so many apps at a time; the others are not concerned."""
    body = json.dumps({"redirect_uris": ["https://app.example/back"]}).encode()
    lines = [("content-type", "application/json")]
    answers = [(await ask(site.app, "POST", "/oauth/register", lines, body)).status for _ in range(APPS + 1)]
    assert answers == [201] * APPS + [429]
    assert (await ask(site.app, "POST", "/oauth/register", lines, body, client="198.51.100.1")).status == 201


async def test_forms_are_forms(site: Site) -> None:
    """JSON where a form is needed is a 415 for people, and the standard's own error for apps."""
    headers = [("content-type", JSON), *SAME.items()]
    problem_of(await ask(site.app, "POST", "/oauth/authorize", headers, b"{}"), [415])
    for path in ("/oauth/token", "/oauth/revoke"):
        answer = await ask(site.app, "POST", path, headers, b"{}")
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")
