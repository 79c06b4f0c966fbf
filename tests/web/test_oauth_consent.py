"""People let apps in: what the page of consent says, who may answer it, and where the answer goes."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from web.asking import problem_of
from web.oauth_app import (
    CALLBACK,
    JSON,
    LOOPBACK,
    SAME,
    VERIFIER,
    App,
    app_at,
    learned,
    refused_with,
    register,
    send_form,
)
from world import BASE

from gateway.flows import grant

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio


async def test_consent_says_who_asks_for_what(site: Site) -> None:
    """The page names app, website, scopes and where the answer goes, says that nobody checked it, and escapes all."""
    app = await app_at(site, client_name="<b>App</b>", client_uri="https://app.example/about")
    page = (await app.asks(scope="read")).text
    assert "&lt;b&gt;App&lt;/b&gt;" in page
    assert 'href="https://app.example/about"' in page
    assert "read your inbox, outbox and collections" in page
    assert "publish, edit, delete" not in page
    assert "Nobody here has checked this app" in page
    assert "<code>app.example</code>" in page
    assert "gateway account sign-in NAME" in page
    assert "An app without a name" in (await (await app_at(site, client_name="")).asks()).text


async def test_consent_in_japanese(site: Site) -> None:
    """A reader of Japanese is asked in Japanese."""
    page = (await (await app_at(site)).asks(accept_language="ja")).text
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
    answer = await (await app_at(site, redirect_uris=[uri])).asks()
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
    made = await register(site, redirect_uris=[registered])
    if made.status == 201:
        app = App(site=site, client_id=made.json["client_id"])
        policy = (await app.asks(redirect_uri=uri)).header("content-security-policy")
        assert "frame-ancestors *" not in policy


@pytest.mark.parametrize("uri", ["https://例え.example/cb", "com.example.app://例え/cb", "https://app.example/例え"])
async def test_addresses_beyond_ascii_do_no_harm(site: Site, uri: str) -> None:
    """An address in another script is refused at once, or can be asked with and answered at."""
    made = await register(site, redirect_uris=[uri])
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
    app = await app_at(site, redirect_uris=registered)
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
    app = await app_at(site, redirect_uris=[registered])
    code = learned(await app.allowed(redirect_uri=uri), uri)["code"]
    refused_with(await app.exchange(code), 400, "invalid_grant")
    assert (await app.exchange(code, redirect_uri=uri)).status == 200


async def test_an_only_address_need_not_be_named(site: Site) -> None:
    """An app with one address may leave it out, at both ends."""
    app = await app_at(site)
    code = learned(await app.allowed(redirect_uri=None))["code"]
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
    app = await app_at(site)
    before = site.kit.store.database.value("SELECT count(*) FROM oauth_code")
    answer = await (app.asks(**changes) if path == "ask" else app.allowed(**changes))
    assert (answer.status, answer.header("location"), answer.header("set-cookie")) == (400, "", "")
    assert site.kit.store.database.value("SELECT count(*) FROM oauth_code") == before


async def test_an_app_gets_no_more_than_it_registered_for(site: Site) -> None:
    """A scope beyond the registered ones is refused; without one asked for, the registered ones hold."""
    app = await app_at(site, scope="read")
    assert (await app.allowed(scope="read write")).status == 400
    answer = await app.exchange(await app.code(scope=None))
    assert answer.json["scope"] == "read"


async def test_state_and_issuer_come_back(site: Site) -> None:
    """State is returned as it came and not invented; iss says whose answer it is; the address keeps its query."""
    app = await app_at(site, redirect_uris=[f"{CALLBACK}?keep=%26&empty="])
    location = urlsplit((await app.allowed()).header("location"))
    assert parse_qs(location.query, keep_blank_values=True).keys() == {"keep", "empty", "code", "state", "iss"}
    back = parse_qs(location.query, keep_blank_values=True)
    assert (back["keep"], back["state"], back["iss"]) == (["&"], ["s&=1"], [BASE])
    assert "state=" not in (await app.allowed(state=None)).header("location")


@pytest.mark.parametrize("length", [1_000, 3_000])
async def test_a_long_state_is_not_cut(site: Site, length: int) -> None:
    """RFC 6749, section 4.1.2: the exact value; one that is too long is refused instead."""
    answer = await (await app_at(site)).allowed(state="x" * length)
    if answer.status == 303 and "code" in learned(answer):
        assert learned(answer)["state"] == "x" * length


@pytest.mark.parametrize("decision", ["deny", "", "Allow"])
async def test_who_does_not_allow_denies(site: Site, decision: str) -> None:
    """Anything but allow is a no, with no code and without using the sign-in link up."""
    app = await app_at(site)
    link = grant.sign_in_link(site.kit, site.alice)[0]
    back = learned(await app.allowed(decision, link))
    assert back == {"error": "access_denied", "state": "s&=1", "iss": BASE}
    assert "code" in learned(await app.allowed(code=link))


@pytest.mark.parametrize("code", ["", "nonsense", f"{BASE}/sign-in?code=nonsense"])
async def test_nobody_allows_without_signing_in(site: Site, code: str) -> None:
    """Without a session or a living code the page asks again, as 401, and keeps what was asked for."""
    app = await app_at(site)
    answer = await app.allowed(code=code)
    assert answer.status == 401
    assert answer.header("set-cookie") == ""
    assert 'role="alert"' in answer.text
    assert f'name="code_challenge" value="{grant.challenge_of(VERIFIER)}"' in answer.text
    assert "form-action 'self' https://app.example" in answer.header("content-security-policy")


async def test_signing_in_on_the_way_lasts(site: Site) -> None:
    """The browser is remembered: the next app sees who is signed in and needs no code."""
    app = await app_at(site)
    cookie = (await app.allowed()).header("set-cookie").partition(";")[0]
    assert cookie.startswith("gateway_session=")
    page = (await app.asks(cookie=cookie)).text
    assert "<strong>@alice</strong>" in page
    assert 'name="code" autocomplete' not in page
    fields = {**app.request(), "decision": "allow"}
    answer = await send_form(site, "/oauth/authorize", fields, {**SAME, "cookie": cookie})
    assert "code" in learned(answer)
    assert answer.header("set-cookie") == ""


@pytest.mark.parametrize("bare", [False, True])
async def test_a_code_is_taken_with_or_without_its_link(site: Site, *, bare: bool) -> None:
    """People paste the whole link or the code alone, with blanks around it."""
    link = grant.sign_in_link(site.kit, site.alice)[0]
    code = link.rpartition("=")[2] if bare else link
    assert "code" in learned(await (await app_at(site)).allowed(code=f" {code}\n"))


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
    app = await app_at(site)
    link = grant.sign_in_link(site.kit, site.alice)[0]
    fields = {**app.request(), "decision": "allow", "code": link}
    answer = await send_form(site, "/oauth/authorize", fields, headers)
    assert answer.status == status
    if status == 403:
        assert problem_of(answer, [403])["code"] == "cross-site"
        assert "code" in learned(await app.allowed(code=link))


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
    app = await app_at(site)
    target = f"/oauth/authorize?{urlencode(app.request(state='kept', **changes))}"
    answer = await site.get(target, accept="text/html", accept_language="ja")
    assert (answer.status, answer.media_type) == (400, "text/html; charset=utf-8")
    assert answer.header("cache-control") == "no-store"
    assert "アプリ" in answer.text
    (link,) = re.findall(rf'href="({re.escape(CALLBACK)}[^"]+)"', answer.text)
    told = dict(parse_qsl(urlsplit(html.unescape(link)).query))
    assert told == {"error": error, "state": "kept", "iss": BASE}
    problem_of(await site.get(target, accept=JSON), [400])
