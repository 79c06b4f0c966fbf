"""Signing a browser in with a one-time link, and out again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from web.asking import Answer, ask, problem_of
from world import BASE

from gateway.flows import grant
from gateway.web.app import build

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
SAME = {"sec-fetch-site": "same-origin"}


def _link(site: Site) -> str:
    """Return the address of a new link, without its origin."""
    return grant.sign_in_link(site.kit, site.alice)[0].removeprefix(BASE)


async def _post(site: Site, path: str, code: str = "", headers: dict[str, str] | None = None) -> Answer:
    lines = {"content-type": FORM, **(SAME if headers is None else headers)}
    return await ask(site.app, "POST", path, lines.items(), urlencode({"code": code}).encode())


async def _enter(site: Site, link: str, headers: dict[str, str] | None = None) -> Answer:
    return await _post(site, "/sign-in", link.rpartition("=")[2], headers)


async def _signed_in(site: Site) -> str:
    """Return the cookie of a browser that was just signed in."""
    return (await _enter(site, _link(site))).header("set-cookie").partition(";")[0]


async def _shown(site: Site, cookie: str) -> bool:
    """Tell whether the page knows the browser."""
    return "<strong>@alice</strong>" in (await site.get("/sign-in", cookie=cookie)).text


async def test_a_link_works_once(site: Site) -> None:
    """The first browser is signed in and led to the account; the second one gets a 401 and no cookie."""
    link = _link(site)
    answer = await _enter(site, link)
    assert (answer.status, answer.header("location")) == (303, f"{BASE}/@alice")
    assert answer.header("cache-control") == "no-store"
    assert await _shown(site, answer.header("set-cookie").partition(";")[0])
    again = await _enter(site, link)
    assert problem_of(again, [401])["code"] == "sign-in-invalid"
    assert again.header("set-cookie") == ""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_does_not_use_a_link_up(site: Site, method: str) -> None:
    """Previews and prefetchers follow links: the page only asks, keeps nothing, and tells no other site."""
    link = _link(site)
    for _ in range(3):
        answer = await site.get(link, method=method)
        assert (answer.status, answer.header("set-cookie")) == (200, "")
        assert (answer.header("cache-control"), answer.header("referrer-policy")) == ("no-store", "no-referrer")
        if method == "GET":
            assert "@alice" in answer.text
            assert f'name="code" value="{link.rpartition("=")[2]}"' in answer.text
    assert (await _enter(site, link)).status == 303


@pytest.mark.parametrize(("seconds", "shown", "entered"), [(599, 200, 303), (600, 401, 401), (601, 401, 401)])
async def test_a_link_lives_ten_minutes(own_site: Site, seconds: int, shown: int, entered: int) -> None:
    """An old link says so, and signs nobody in."""
    link = _link(own_site)
    own_site.world.clock.forward(seconds=seconds)
    page = await own_site.get(link)
    assert page.status == shown
    assert ('role="alert"' in page.text) is (shown == 401)
    assert (await _enter(own_site, link)).status == entered


@pytest.mark.parametrize("code", ["", "nonsense", "' OR 1=1 --"])
async def test_nobody_enters_with_another_code(site: Site, code: str) -> None:
    """An unknown code is a 401 in both steps; without one the page says where to get one."""
    page = await site.get(f"/sign-in?{urlencode({'code': code})}")
    assert page.status == (401 if code else 200)
    assert "gateway account sign-in NAME" in page.text
    assert problem_of(await _post(site, "/sign-in", code), [401])["code"] == "sign-in-invalid"


async def test_a_deleted_account_is_not_entered(own_site: Site) -> None:
    """A link of somebody who is gone is of no use, and shows nobody."""
    link = _link(own_site)
    own_site.kit.store.database.run("UPDATE account SET deleted = 1 WHERE name = 'alice'")
    assert (await _enter(own_site, link)).status == 401
    other = grant.sign_in_link(own_site.kit, own_site.alice)[0].removeprefix(BASE)
    page = await own_site.get(other)
    assert page.status == 401
    assert "@alice" not in page.text


async def test_the_cookie_is_for_this_site_and_no_script(site: Site) -> None:
    """HttpOnly, Secure over https, SameSite, for the whole site, thirty days."""
    parts = (await _enter(site, _link(site))).header("set-cookie").lower().split("; ")
    assert parts[0].startswith("gateway_session=gw_")
    assert {"httponly", "secure", "samesite=lax", "path=/", f"max-age={30 * 24 * 3600}"} <= set(parts[1:])
    assert not any(part.startswith("domain") for part in parts)


async def test_the_cookie_over_plain_http(own_site: Site) -> None:
    """On loopback without TLS the cookie is not Secure, or the browser would drop it."""
    local = own_site.world.gateway("http://localhost:8000")
    local.kit.store.accounts.save(own_site.alice)
    code = grant.sign_in_link(local.kit, own_site.alice)[0].rpartition("=")[2]
    body = urlencode({"code": code}).encode()
    headers = {"content-type": FORM, **SAME}
    answer = await ask(build(local), "POST", "/sign-in", headers.items(), body, host="localhost:8000")
    assert answer.status == 303
    assert "secure" not in answer.header("set-cookie").lower()
    assert "httponly" in answer.header("set-cookie").lower()


async def test_a_session_ends_after_thirty_days(own_site: Site) -> None:
    """The server forgets, whatever the browser keeps and however often it is used."""
    cookie = await _signed_in(own_site)
    for _ in range(3):
        own_site.world.clock.forward(days=10)
        assert await _shown(own_site, cookie)
    own_site.world.clock.forward(seconds=1)
    assert not await _shown(own_site, cookie)


async def test_a_session_ends_when_nobody_comes_back(own_site: Site) -> None:
    """Two weeks without a visit end it, one visit begins them anew."""
    cookie = await _signed_in(own_site)
    for days in (14, 14):
        own_site.world.clock.forward(days=days)
        assert await _shown(own_site, cookie)
    cookie = await _signed_in(own_site)
    own_site.world.clock.forward(days=14, seconds=1)
    assert not await _shown(own_site, cookie)


async def test_signing_out_ends_the_session(site: Site) -> None:
    """The cookie is removed, and what somebody copied of it is dead; other browsers stay signed in."""
    cookie, other = await _signed_in(site), await _signed_in(site)
    answer = await _post(site, "/sign-out", headers={**SAME, "cookie": cookie})
    assert (answer.status, answer.header("location")) == (303, f"{BASE}/")
    assert "max-age=0" in answer.header("set-cookie").lower()
    assert not await _shown(site, cookie)
    assert await _shown(site, other)


@pytest.mark.parametrize("cookie", ["", "gateway_session=nonsense", "gateway_session={alice}"])
async def test_signing_out_takes_no_token_along(site: Site, cookie: str) -> None:
    """Without a session there is nothing to end; a bearer token in the cookie is not revoked."""
    answer = await _post(site, "/sign-out", headers={**SAME, "cookie": cookie.format(**site.tokens)})
    assert answer.status == 303
    bearer = f"Bearer {site.tokens['alice']}"
    assert (await site.get("/users/alice/inbox", authorization=bearer)).status == 200


async def test_a_token_is_no_session(site: Site) -> None:
    """A bearer token put into the cookie signs no browser in."""
    assert not await _shown(site, f"gateway_session={site.tokens['alice']}")


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://x.example"}]
)
async def test_another_site_signs_nobody_in_or_out(site: Site, headers: dict[str, str]) -> None:
    """Forms from elsewhere are refused; the link is not used up, the session not ended."""
    link, cookie = _link(site), await _signed_in(site)
    assert problem_of(await _enter(site, link, headers), [403])["code"] == "cross-site"
    left = await _post(site, "/sign-out", headers={**headers, "cookie": cookie})
    assert problem_of(left, [403])["code"] == "cross-site"
    assert await _shown(site, cookie)
    assert (await _enter(site, link)).status == 303


async def test_the_page_in_japanese(site: Site) -> None:
    """A reader of Japanese is asked in Japanese."""
    page = (await site.get(_link(site), accept_language="ja")).text
    assert "このリンクは、このブラウザーで一度だけ使えます。" in page
    assert "このコードは無効か" in (await site.get("/sign-in?code=x", accept_language="ja")).text
