"""Apps get in: metadata, registration, consent, tokens, revocation (OAuth 2.1)."""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from peers.plain import ACTIVITY_JSON
from web.asking import Answer, ask, problem_of
from world import BASE

from gateway.flows import grant
from gateway.flows.pacing import APPS

if TYPE_CHECKING:
    from web.conftest import Site

    from gateway.store.accounts import Token

pytestmark = pytest.mark.anyio

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
CALLBACK = "https://app.example/cb"
LOOPBACK = "http://127.0.0.1/cb"
VERIFIER = "v" * 43
NOTE = {"type": "Note", "content": "<p>from an app</p>"}
SAME = {"sec-fetch-site": "same-origin"}


async def _form(site: Site, path: str, fields: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
    lines = {"content-type": FORM, **(SAME if headers is None else headers)}
    return await ask(site.app, "POST", path, lines.items(), urlencode(fields).encode())


async def _register(site: Site, **metadata: Any) -> Answer:
    document = {"redirect_uris": [CALLBACK], "client_name": "An app", **metadata}
    return await ask(site.app, "POST", "/oauth/register", [("content-type", JSON)], json.dumps(document).encode())


@dataclass(slots=True, kw_only=True)
class App:
    """A registered app as its developer wrote it."""

    site: Site
    client_id: str
    secret: str = ""
    redirect_uri: str = CALLBACK

    def request(self, **changes: str | None) -> dict[str, str]:
        """Return the fields of an authorization request; None leaves one out."""
        fields = {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri, "state": "s&=1",
            "scope": "read write", "code_challenge": grant.challenge_of(VERIFIER), "code_challenge_method": "S256",
            **changes,
        }  # fmt: skip
        return {name: value for name, value in fields.items() if value is not None}

    async def asks(self, accept_language: str = "en", cookie: str = "", **changes: Any) -> Answer:
        """Send a browser to the consent page."""
        target = f"/oauth/authorize?{urlencode(self.request(**changes))}"
        return await self.site.get(target, accept_language=accept_language, **({"cookie": cookie} if cookie else {}))

    async def allowed(self, decision: str = "allow", code: str | None = None, **changes: Any) -> Answer:
        """Let Alice decide, signing in on the way with a new link or with ``code``."""
        link = grant.sign_in_link(self.site.kit, self.site.alice)[0] if code is None else code
        return await _form(
            self.site, "/oauth/authorize", {**self.request(**changes), "decision": decision, "code": link}
        )

    async def code(self, **changes: Any) -> str:
        """Return an authorization code of Alice's."""
        return _back(await self.allowed(**changes))["code"]

    async def exchange(self, code: str, /, headers: dict[str, str] | None = None, **changes: Any) -> Answer:
        """Exchange a code for a token."""
        fields = {
            "grant_type": "authorization_code", "client_id": self.client_id, "redirect_uri": self.redirect_uri,
            "code": code, "code_verifier": VERIFIER, "client_secret": self.secret or None, **changes,
        }  # fmt: skip
        return await _form(
            self.site, "/oauth/token", {name: v for name, v in fields.items() if v is not None}, headers or {}
        )

    async def token(self, **changes: Any) -> str:
        """Return a token of Alice's."""
        answer = await self.exchange(await self.code(**changes))
        assert answer.status == 200, answer.text
        return str(answer.json["access_token"])

    async def revoke(self, token: str, **changes: str) -> Answer:
        """Revoke a token."""
        fields = {"client_id": self.client_id, "token": token, "client_secret": self.secret, **changes}
        return await _form(self.site, "/oauth/revoke", fields, {})


def _back(answer: Answer, uri: str = CALLBACK) -> dict[str, str]:
    """Return what an app learns from the redirect to it, after checking where that goes."""
    assert answer.status == 303, answer.text
    location = answer.header("location")
    assert location.startswith(f"{uri}?")
    assert answer.header("cache-control") == "no-store"
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query, strict_parsing=True).items()}


def _error(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.json["error"]) == (status, code)
    assert answer.json["error_description"]
    assert answer.header("cache-control") == "no-store"


async def _app(site: Site, **metadata: Any) -> App:
    answer = await _register(site, **metadata)
    assert answer.status == 201, answer.text
    made = answer.json
    return App(
        site=site,
        client_id=made["client_id"],
        secret=made.get("client_secret", ""),
        redirect_uri=made["redirect_uris"][0],
    )


async def _post(site: Site, token: str) -> Answer:
    headers = [("content-type", ACTIVITY_JSON), ("authorization", f"Bearer {token}")]
    return await ask(site.app, "POST", "/users/alice/outbox", headers, json.dumps(NOTE).encode())


def _tokens(site: Site, app: App) -> list[Token]:
    return [token for token in site.kit.store.accounts.tokens() if token.client == app.client_id]


def _basic(name: str, word: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{word}'.encode()).decode()}"}


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
    code = _back(await _form(site, metadata["authorization_endpoint"].removeprefix(BASE), fields))["code"]
    exchange = {
        "grant_type": "authorization_code", "client_id": app.client_id, "redirect_uri": CALLBACK, "code": code,
        "code_verifier": VERIFIER,
    }  # fmt: skip
    answer = await _form(site, metadata["token_endpoint"].removeprefix(BASE), exchange, {})
    assert answer.header("cache-control") == "no-store"
    assert {**answer.json, "access_token": ""} == {
        "access_token": "", "token_type": "Bearer", "scope": "read write", "me": site.alice.id,
        "created_at": int(site.kit.clock.now().timestamp()),
    }  # fmt: skip
    posted = await _post(site, answer.json["access_token"])
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
    answer = await _register(
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
    document = (await _register(site, token_endpoint_auth_method=method)).json
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
    app = await _app(site, redirect_uris=[uri])
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
    _error(await _register(site, redirect_uris=uris), 400, "invalid_redirect_uri")


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
    _error(await _register(site, **metadata), 400, "invalid_client_metadata")


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
    document = (await _register(site, **metadata)).json
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
    app = await _app(own_site)
    await app.token()
    waiting = []
    for _ in range(3):
        own_site.world.clock.forward(seconds=1)
        waiting.append(await _app(own_site))

    def known() -> list[bool]:
        return [own_site.kit.store.apps.get(one.client_id) is not None for one in (app, *waiting)]

    assert known() == [True, False, True, True]
    own_site.world.clock.forward(days=1, seconds=1)
    own_site.gateway.prune()
    assert known() == [True, False, False, False]


async def test_consent_says_who_asks_for_what(site: Site) -> None:
    """The page names app, website, scopes and where the answer goes, says that nobody checked it, and escapes all."""
    app = await _app(site, client_name="<b>App</b>", client_uri="https://app.example/about")
    page = (await app.asks(scope="read")).text
    assert "&lt;b&gt;App&lt;/b&gt;" in page
    assert 'href="https://app.example/about"' in page
    assert "read your inbox, outbox and collections" in page
    assert "publish, edit, delete" not in page
    assert "Nobody here has checked this app" in page
    assert "<code>app.example</code>" in page
    assert "gateway account sign-in NAME" in page
    assert "An app without a name" in (await (await _app(site, client_name="")).asks()).text


async def test_consent_in_japanese(site: Site) -> None:
    """A reader of Japanese is asked in Japanese."""
    page = (await (await _app(site)).asks(accept_language="ja")).text
    assert '<html lang="ja"' in page
    for words in ("このアプリに操作を許可しますか", "受信箱・送信箱", "あなたとして投稿", "許可しない", "サインイン用"):
        assert words in page


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        (CALLBACK, "https://app.example"),
        ("https://app.example:8443/cb", "https://app.example:8443"),
        ("com.example.app:/cb", "com.example.app:"),
        (LOOPBACK, "http://127.0.0.1"),
    ],
)
async def test_the_consent_page_may_send_its_form_to_the_app(site: Site, uri: str, source: str) -> None:
    """Form-action names this site and the app's address alone; the page is not kept."""
    answer = await (await _app(site, redirect_uris=[uri])).asks()
    policy = answer.header("content-security-policy").split("; ")
    assert f"form-action 'self' {source}" in policy
    assert policy.count("frame-ancestors 'none'") == 1
    assert policy[0] == "default-src 'none'"
    assert len(policy) == 6
    assert answer.header("cache-control") == "no-store"


@pytest.mark.parametrize(
    ("registered", "uri"),
    [
        ("com.example.app://x; frame-ancestors */cb", "com.example.app://x; frame-ancestors */cb"),
        (LOOPBACK, "http://x; frame-ancestors *@127.0.0.1/cb"),
    ],
)
async def test_no_address_of_an_app_changes_the_policy_of_the_page(site: Site, registered: str, uri: str) -> None:
    """Whatever an app registers or asks for, the consent page cannot be framed."""
    made = await _register(site, redirect_uris=[registered])
    if made.status == 201:
        app = App(site=site, client_id=made.json["client_id"])
        policy = (await app.asks(redirect_uri=uri)).header("content-security-policy")
        assert "frame-ancestors *" not in policy


@pytest.mark.parametrize("uri", ["https://例え.example/cb", "com.example.app://例え/cb", "https://app.example/例え"])
async def test_addresses_beyond_ascii_do_no_harm(site: Site, uri: str) -> None:
    """An address in another script is refused at once, or can be asked with and answered at."""
    made = await _register(site, redirect_uris=[uri])
    assert made.status in (201, 400)
    if made.status == 201:
        app = App(site=site, client_id=made.json["client_id"], redirect_uri=uri)
        assert (await app.asks()).status == 200
        assert (await app.allowed("deny", "")).status == 303


@pytest.mark.parametrize("path", ["ask", "decide"])
@pytest.mark.parametrize(
    ("changes", "registered"),
    [
        ({"client_id": "app_nobody"}, [CALLBACK]),
        ({"client_id": None}, [CALLBACK]),
        ({"redirect_uri": None}, [CALLBACK, LOOPBACK]),
        *(
            ({"redirect_uri": uri}, [CALLBACK])
            for uri in (
                "https://app.example/cb/", "https://app.example/CB", "https://app.example/cb?x=1", f"{CALLBACK}#",
                "https://app.example:443/cb", "https://APP.example/cb", "http://app.example/cb",
                "https://evil.example/cb", "https://app.example.evil.example/cb", "https://user@app.example/cb", "[",
                "https://[/cb",
            )
        ),
        *(
            ({"redirect_uri": uri}, [LOOPBACK])
            for uri in (
                "http://127.0.0.1/other", "http://127.0.0.1:8000/cb?x", "https://127.0.0.1/cb", "http://localhost/cb",
                "http://[::1]/cb", "http://127.0.0.2/cb", "http://user@127.0.0.1/cb", "http://evil.example\\@127.0.0.1/cb",
                "http://127.0.0.1:x/cb", "http://127.0.0.1:99999/cb", "http://127.0.0.1:8000\n/cb",
            )
        ),
        ({"redirect_uri": "http://localhost:8000/cb"}, ["http://localhost/cb"]),
        ({"redirect_uri": "https://127.0.0.1:8000/cb"}, ["https://127.0.0.1/cb"]),
    ],
)  # fmt: skip
async def test_nobody_is_sent_where_an_app_did_not_register(
    site: Site, path: str, changes: dict[str, Any], registered: list[str]
) -> None:
    """An unknown app or an address that is not exactly a registered one is told to the person, never redirected."""
    app = await _app(site, redirect_uris=registered)
    before = site.kit.store.database.value("SELECT count(*) FROM oauth_code")
    answer = await (app.asks(**changes) if path == "ask" else app.allowed(**changes))
    assert answer.status == 400
    assert answer.header("location") == ""
    assert site.kit.store.database.value("SELECT count(*) FROM oauth_code") == before


@pytest.mark.parametrize(
    ("registered", "uri"),
    [
        (LOOPBACK, "http://127.0.0.1:49152/cb"),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:2/cb"),
        ("http://[::1]/cb", "http://[::1]:49152/cb"),
    ],
)
async def test_a_native_app_listens_on_any_port_of_loopback(site: Site, registered: str, uri: str) -> None:
    """RFC 8252, section 7.3: the port may differ; the answer goes to the one asked for, and so does the exchange."""
    app = await _app(site, redirect_uris=[registered])
    code = _back(await app.allowed(redirect_uri=uri), uri)["code"]
    _error(await app.exchange(code), 400, "invalid_grant")
    assert (await app.exchange(code, redirect_uri=uri)).status == 200


async def test_an_only_address_need_not_be_named(site: Site) -> None:
    """An app with one address may leave it out, at both ends."""
    app = await _app(site)
    code = _back(await app.allowed(redirect_uri=None))["code"]
    assert (await app.exchange(code, redirect_uri=None)).status == 200


@pytest.mark.parametrize("path", ["ask", "decide"])
@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": None},
        {"response_type": "token"},
        {"code_challenge": None},
        {"code_challenge": "short"},
        {"code_challenge": "x" * 44},
        {"code_challenge": "é" * 43},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"scope": "admin"},
        {"scope": "read admin"},
        {"scope": "session"},
        {"scope": " "},
    ],
)
async def test_what_is_wrong_with_a_request_is_told_the_person(site: Site, path: str, changes: dict[str, Any]) -> None:
    """RFC 9700, section 4.11.2: nobody is sent on without having said so, and nothing is given out."""
    app = await _app(site)
    before = site.kit.store.database.value("SELECT count(*) FROM oauth_code")
    answer = await (app.asks(**changes) if path == "ask" else app.allowed(**changes))
    assert (answer.status, answer.header("location"), answer.header("set-cookie")) == (400, "", "")
    assert site.kit.store.database.value("SELECT count(*) FROM oauth_code") == before


async def test_an_app_gets_no_more_than_it_registered_for(site: Site) -> None:
    """A scope beyond the registered ones is refused; without one asked for, the registered ones hold."""
    app = await _app(site, scope="read")
    assert (await app.allowed(scope="read write")).status == 400
    answer = await app.exchange(await app.code(scope=None))
    assert answer.json["scope"] == "read"


async def test_state_and_issuer_come_back(site: Site) -> None:
    """State is returned as it came and not invented; iss says whose answer it is; the address keeps its query."""
    app = await _app(site, redirect_uris=[f"{CALLBACK}?keep=%26&empty="])
    location = urlsplit((await app.allowed()).header("location"))
    assert parse_qs(location.query, keep_blank_values=True).keys() == {"keep", "empty", "code", "state", "iss"}
    back = parse_qs(location.query, keep_blank_values=True)
    assert (back["keep"], back["state"], back["iss"]) == (["&"], ["s&=1"], [BASE])
    assert "state=" not in (await app.allowed(state=None)).header("location")


@pytest.mark.parametrize("length", [1_000, 3_000])
async def test_a_long_state_is_not_cut(site: Site, length: int) -> None:
    """RFC 6749, section 4.1.2: the exact value; one that is too long is refused instead."""
    answer = await (await _app(site)).allowed(state="x" * length)
    if answer.status == 303 and "code" in _back(answer):
        assert _back(answer)["state"] == "x" * length


@pytest.mark.parametrize("decision", ["deny", "", "Allow"])
async def test_who_does_not_allow_denies(site: Site, decision: str) -> None:
    """Anything but allow is a no, with no code and without using the sign-in link up."""
    app = await _app(site)
    link = grant.sign_in_link(site.kit, site.alice)[0]
    back = _back(await app.allowed(decision, link))
    assert back == {"error": "access_denied", "state": "s&=1", "iss": BASE}
    assert "code" in _back(await app.allowed(code=link))


@pytest.mark.parametrize("code", ["", "nonsense", f"{BASE}/sign-in?code=nonsense"])
async def test_nobody_allows_without_signing_in(site: Site, code: str) -> None:
    """Without a session or a living code the page asks again, as 401, and keeps what was asked for."""
    app = await _app(site)
    answer = await app.allowed(code=code)
    assert answer.status == 401
    assert answer.header("set-cookie") == ""
    assert 'role="alert"' in answer.text
    assert f'name="code_challenge" value="{grant.challenge_of(VERIFIER)}"' in answer.text
    assert "form-action 'self' https://app.example" in answer.header("content-security-policy")


async def test_signing_in_on_the_way_lasts(site: Site) -> None:
    """The browser is remembered: the next app sees who is signed in and needs no code."""
    app = await _app(site)
    cookie = (await app.allowed()).header("set-cookie").partition(";")[0]
    assert cookie.startswith("gateway_session=")
    page = (await app.asks(cookie=cookie)).text
    assert "<strong>@alice</strong>" in page
    assert 'name="code" autocomplete' not in page
    fields = {**app.request(), "decision": "allow"}
    answer = await _form(site, "/oauth/authorize", fields, {**SAME, "cookie": cookie})
    assert "code" in _back(answer)
    assert answer.header("set-cookie") == ""


@pytest.mark.parametrize("bare", [False, True])
async def test_a_code_is_taken_with_or_without_its_link(site: Site, *, bare: bool) -> None:
    """People paste the whole link or the code alone, with blanks around it."""
    link = grant.sign_in_link(site.kit, site.alice)[0]
    code = link.rpartition("=")[2] if bare else link
    assert "code" in _back(await (await _app(site)).allowed(code=f" {code}\n"))


async def test_one_network_cannot_push_others_apps_out(site: Site) -> None:
    """A network registers so many apps at a time; the others are not concerned."""
    body = json.dumps({"redirect_uris": ["https://app.example/back"]}).encode()
    lines = [("content-type", "application/json")]
    answers = [(await ask(site.app, "POST", "/oauth/register", lines, body)).status for _ in range(APPS + 1)]
    assert answers == [201] * APPS + [429]
    assert (await ask(site.app, "POST", "/oauth/register", lines, body, client="198.51.100.1")).status == 201


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": BASE}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
        ({"origin": BASE}, 303),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, 303),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "none", "origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "none", "origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": BASE}, 303),
    ],
)
async def test_another_site_does_not_press_the_button(site: Site, headers: dict[str, str], status: int) -> None:
    """A decision posted from elsewhere is refused, and the sign-in link is not used up by it."""
    app = await _app(site)
    link = grant.sign_in_link(site.kit, site.alice)[0]
    fields = {**app.request(), "decision": "allow", "code": link}
    answer = await _form(site, "/oauth/authorize", fields, headers)
    assert answer.status == status
    if status == 403:
        assert problem_of(answer, [403])["code"] == "cross-site"
        assert "code" in _back(await app.allowed(code=link))


async def test_forms_are_forms(site: Site) -> None:
    """JSON where a form is needed is a 415 for people, and the standard's own error for apps."""
    headers = [("content-type", JSON), *SAME.items()]
    problem_of(await ask(site.app, "POST", "/oauth/authorize", headers, b"{}"), [415])
    for path in ("/oauth/token", "/oauth/revoke"):
        answer = await ask(site.app, "POST", path, headers, b"{}")
        assert (answer.status, answer.json["error"]) == (400, "invalid_request")


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
    app = await _app(site)
    answer = await app.exchange(await app.code(), **changes)
    _error(answer, status, error)
    assert bool(answer.header("www-authenticate")) is (status == 401)
    assert _tokens(site, app) == []


async def test_another_app_cannot_use_a_code(site: Site) -> None:
    """A code is for the app that it was given to; that one can still use it afterwards."""
    app, other = await _app(site), await _app(site)
    code = await app.code()
    _error(await other.exchange(code), 400, "invalid_grant")
    assert (await app.exchange(code)).status == 200


@pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 400), (301, 400)])
async def test_a_code_lives_five_minutes(own_site: Site, seconds: int, status: int) -> None:
    """An old code is a wrong one."""
    app = await _app(own_site)
    code = await app.code()
    own_site.world.clock.forward(seconds=seconds)
    assert (await app.exchange(code)).status == status


async def test_a_code_that_comes_twice_takes_its_token_along(site: Site) -> None:
    """OAuth 2.1, section 4.1.3: the second exchange fails, and the token that the first one gave is revoked."""
    app = await _app(site)
    code = await app.code()
    token = (await app.exchange(code)).json["access_token"]
    assert (await _post(site, token)).status == 201
    _error(await app.exchange(code), 400, "invalid_grant")
    assert problem_of(await _post(site, token), [401])["code"] == "token-invalid"


async def test_a_deleted_accounts_code_is_of_no_use(own_site: Site) -> None:
    """Whoever is gone lets nobody in."""
    app = await _app(own_site)
    code = await app.code()
    own_site.kit.store.database.run("UPDATE account SET deleted = 1 WHERE name = 'alice'")
    _error(await app.exchange(code), 400, "invalid_grant")


@pytest.mark.parametrize("way", ["post", "basic"])
@pytest.mark.parametrize("secret", ["right", "wrong", ""])
async def test_a_confidential_app_proves_itself(site: Site, way: str, secret: str) -> None:
    """The secret counts in the form and in the header; without the right one there is no token."""
    app = await _app(site, token_endpoint_auth_method="client_secret_basic")
    word = app.secret if secret == "right" else secret
    code = await app.code()
    if way == "basic":
        answer = await app.exchange(code, _basic(app.client_id, word), client_id=None, client_secret=None)
    else:
        answer = await app.exchange(code, client_secret=word)
    if secret == "right":
        assert answer.status == 200
    else:
        _error(answer, 401, "invalid_client")
        assert answer.header("www-authenticate").startswith("Basic")


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Basic YXBwX25vYm9keQ=="])
async def test_a_malformed_basic_header_proves_nothing(site: Site, header: str) -> None:
    """What cannot be decoded is a client that is not known."""
    app = await _app(site)
    _error(await app.exchange(await app.code(), {"authorization": header}), 401, "invalid_client")


@pytest.mark.parametrize(
    ("scope", "posts", "reads"), [("read", 403, 200), ("write", 201, 403), ("write read", 201, 200)]
)
async def test_a_token_opens_what_it_was_given_for(site: Site, scope: str, posts: int, reads: int) -> None:
    """A token for reading cannot post, one for writing cannot read the inbox: 403 insufficient-scope."""
    token = await (await _app(site)).token(scope=scope)
    bearer = {"authorization": f"Bearer {token}"}
    posted, read = await _post(site, token), await site.get("/users/alice/inbox", **bearer)
    assert (posted.status, read.status) == (posts, reads)
    for answer in (posted, read):
        if answer.status == 403:
            assert problem_of(answer, [403])["code"] == "insufficient-scope"
    for path in ("/api/media", "/api/proxy"):
        answer = await ask(site.app, "POST", path, [*bearer.items(), ("content-type", "text/plain")], b"")
        assert answer.status == (415 if (posts == 201 if path == "/api/media" else reads == 200) else 403)


async def test_a_token_is_listed_with_its_app(site: Site) -> None:
    """The owner sees whose token it is, by the app's id and name, with its scopes."""
    app = await _app(site, client_name="My phone")
    await app.token(scope="read")
    [token] = _tokens(site, app)
    assert (token.account, token.label, token.scopes) == (site.alice.id, "My phone", ("read",))


async def test_an_app_revokes_its_token(site: Site) -> None:
    """RFC 7009: 200 and the token is dead; so is 200 for one that is dead or was never there."""
    app = await _app(site)
    token = await app.token()
    for given in (token, token, "nonsense", ""):
        answer = await app.revoke(given)
        assert (answer.status, answer.body) == (200, b"")
    assert problem_of(await _post(site, token), [401])["code"] == "token-invalid"


async def test_an_app_revokes_its_own_tokens_alone(site: Site) -> None:
    """Another app's token, and one from the command line, live on."""
    app, other = await _app(site), await _app(site)
    token = await app.token()
    for given in (token, site.tokens["alice"]):
        assert (await other.revoke(given)).status == 200
        assert (await _post(site, given)).status == 201


@pytest.mark.parametrize("changes", [{"client_id": "app_nobody"}, {"client_id": ""}, {"client_secret": "wrong"}])
async def test_nobody_revokes_for_an_app(site: Site, changes: dict[str, str]) -> None:
    """Revocation needs the app's proof, too."""
    app = await _app(site, token_endpoint_auth_method="client_secret_post")
    token = await app.token()
    _error(await app.revoke(token, **changes), 401, "invalid_client")
    assert (await _post(site, token)).status == 201
    assert (await app.revoke(token)).status == 200
    assert (await _post(site, token)).status == 401


async def test_a_session_is_no_token(site: Site) -> None:
    """What a browser keeps in its cookie does not work as a bearer token."""
    cookie = (await (await _app(site)).allowed()).header("set-cookie").partition(";")[0]
    assert problem_of(await _post(site, cookie.partition("=")[2]), [401])["code"] == "token-invalid"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"scope": "read admin"}, "invalid_scope"),
    ],
)
async def test_what_an_app_asks_wrongly_the_person_may_tell_it(
    site: Site, changes: dict[str, str | None], error: str
) -> None:
    """Nobody is sent on unasked (RFC 9700): the page says what is wrong, and its link takes the error to the app."""
    app = await _app(site)
    target = f"/oauth/authorize?{urlencode(app.request(state='kept', **changes))}"
    answer = await site.get(target, accept="text/html", accept_language="ja")
    assert (answer.status, answer.media_type) == (400, "text/html; charset=utf-8")
    assert answer.header("cache-control") == "no-store"
    assert "アプリ" in answer.text
    (link,) = re.findall(rf'href="({re.escape(CALLBACK)}[^"]+)"', answer.text)
    told = dict(parse_qsl(urlsplit(html.unescape(link)).query))
    assert told == {"error": error, "state": "kept", "iss": BASE}
    problem_of(await site.get(target, accept=JSON), [400])
