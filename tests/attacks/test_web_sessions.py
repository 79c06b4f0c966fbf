"""Whoever is signed in stays the one who acts: forms from elsewhere, sessions, redirects, other people's things."""

from __future__ import annotations

import base64
import itertools
import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin

import pytest
from attacks.web_dom import policy_of
from attacks.web_scene import ALICE, FORM, SAME_SITE, Case, Site, app_of, cases, filled, opened, wish
from peers.plain import ACTIVITY_JSON
from starlette.routing import Mount, Route
from web.asking import problem_of
from world import BASE

from gateway.flows import grant
from gateway.web.app import ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


pytestmark = pytest.mark.anyio

IDLE_DAYS = 14  # a browser that nobody used for so long is forgotten at the latest
LONGEST_DAYS = 31


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path, monkeypatch) as made:
        yield made


def writes() -> list[str]:
    """Return the path of every address that takes a POST."""
    return [route.path for route in ROUTES if isinstance(route, Route) and "POST" in (route.methods or ())]


def is_read(route: Route | Mount) -> bool:
    """Tell whether an address answers GETs."""
    return isinstance(route, Mount) or "GET" in (route.methods or ())


async def who(site: Site, cookie: tuple[str, str]) -> int:
    """Return 200 when somebody is signed in with this cookie, 401 otherwise."""
    page = (await site.ask("GET", "/sign-in", [cookie])).text
    return 200 if 'action="/sign-out"' in page else 401


ELSEWHERE_FORMS: dict[str, list[tuple[str, str]]] = {
    "another site": [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    "a subdomain": [("sec-fetch-site", "same-site"), ("origin", "https://x.gw.example")],
    "no fetch metadata": [("origin", "https://evil.example")],
    "plain http": [("origin", "http://gw.example")],
    "another port": [("origin", "https://gw.example:8443")],
    "a name that begins alike": [("origin", "https://gw.example.evil.example")],
    "a sandbox": [("origin", "null")],
    "nowhere": [],
    "a referrer alone": [("referer", f"{BASE}/sign-in")],
    "empty": [("origin", ""), ("sec-fetch-site", "")],
    "in capitals": [("sec-fetch-site", "Same-Origin"), ("origin", "https://evil.example")],
    "an ajax header": [("x-requested-with", "XMLHttpRequest"), ("origin", "https://evil.example")],
}
BODIES = {
    FORM: b"code=x&decision=allow&id=x&token=x",
    "text/plain": b'{"type":"Note","content":"x"}',
    "multipart/form-data; boundary=b": b"--b--",
}
# The addresses that know who is signed in with a browser; to the others a cookie says nothing.
FOR_BROWSERS = ("/sign-in", "/sign-out", "/oauth/authorize", "/inspect.json")
OTHERS = defaultdict(lambda: (400, 401, 415), {"/oauth/revoke": (200, 400, 401)})  # RFC 7009: 200 for unknown tokens


@pytest.mark.parametrize("path", writes())
@cases("WEB-ADMIN-009")
async def test_a_form_from_elsewhere_changes_nothing(site: Site, case: Case, path: str) -> None:
    """With the cookie of somebody signed in, no address that takes a POST does anything for another site's form."""
    cookie, app = await site.session(), await app_of(site)
    before, asked = site.everything(), len(site.world.board.requests)
    query = f"?{urlencode({'url': site.bob.me.id, **wish(app)})}"
    bodies = [*BODIES.items(), (FORM, urlencode(wish(app)).encode())]
    for (kind, origin), (content_type, body) in itertools.product(ELSEWHERE_FORMS.items(), bodies):
        for more in ("", query):
            lines = [("content-type", content_type), cookie, *origin]
            answer = await site.ask("POST", filled(site, path) + more, lines, body)
            expected = (403,) if path in FOR_BROWSERS else OTHERS[path]
            assert answer.status in expected, (kind, content_type, answer.status)
            assert answer.header("set-cookie") == ""
            assert answer.header("access-control-allow-credentials") == ""
    assert site.everything() == before
    assert len(site.world.board.requests) == asked
    assert await who(site, cookie) == 200
    case.proves("403")


@pytest.mark.parametrize("kind", ["another site", "a subdomain", "no fetch metadata", "a sandbox"])
async def test_another_site_makes_no_browser_look(site: Site, kind: str) -> None:
    """A link or picture elsewhere does not make us fetch an address, signed as whoever is signed in here."""
    cookie, asked = await site.session(), len(site.world.board.requests)
    for query in (f"url={quote(site.bob.me.id, safe='')}&signed=1", f"url={quote(site.bob.me.id, safe='')}"):
        answer = await site.ask("GET", f"/inspect.json?{query}", [cookie, *ELSEWHERE_FORMS[kind]])
        problem_of(answer, [403])
    assert len(site.world.board.requests) == asked


@pytest.mark.parametrize("who_asks", ["nobody", "a browser", "a token", "a peer"])
@cases("WEB-ADMIN-011")
async def test_reading_changes_nothing(site: Site, case: Case, who_asks: str) -> None:
    """Every link that leads anywhere from here, and every address, read twice: the database stays as it was."""
    code = grant.sign_in_link(site.gateway.kit, site.alice)[0].partition("code=")[2]
    app = await app_of(site)
    lines = {"nobody": [], "a browser": [await site.session()], "a token": [site.bearer()]}.get(who_asks, [])
    waiting = [filled(site, route.path) for route in ROUTES if isinstance(route, (Route, Mount)) and is_read(route)]
    waiting += [f"/sign-in?code={code}", f"/oauth/authorize?{urlencode(wish(app))}", "/oauth/authorize?decision=allow"]
    waiting += [f"{target}?_method=DELETE&page=1&action=delete&delete=1" for target in waiting]
    waiting += [f"/inspect.json?url={quote(site.posts['public'].id, safe='')}", "/sign-out"]
    if who_asks == "a peer":
        await site.signed("/users/alice")  # whoever asks for the first time is met
    before, seen = site.everything(), set(waiting)
    for accept in ("text/html", ACTIVITY_JSON):
        for target in waiting:
            if who_asks == "a peer":
                answer = await site.signed(target, accept=accept)
            else:
                answer = await site.ask("GET", target, [*lines, ("accept", accept)])
            again = await site.ask("HEAD", target, [*lines, ("accept", accept)])
            assert (again.status == answer.status) or who_asks == "a peer", target
            for found in re.findall(r'href="([^"]+)"', answer.text) if "html" in answer.media_type else ():
                address = urljoin(f"{BASE}{target}", found.replace("&amp;", "&"))
                if address.startswith(f"{BASE}/") and address.removeprefix(BASE) not in seen:
                    seen.add(address.removeprefix(BASE))
                    waiting.append(address.removeprefix(BASE))
    assert len(seen) > 90
    assert site.everything() == before
    case.proves("db_unchanged")


@cases("WEB-ADMIN-012")
async def test_signing_in_makes_a_new_session(site: Site, case: Case) -> None:
    """A session that somebody planted before is never the one that is signed in, and ours differs each time."""
    planted = ["planted", "A" * 43, (await site.session("carol"))[1].partition("=")[2], site.tokens["carol"]]
    given = set()
    for value in planted:
        cookie = ("cookie", f"gateway_session={value}")
        code = grant.sign_in_link(site.gateway.kit, site.alice)[0].partition("code=")[2]
        before = site.everything()["token"]
        await site.ask("GET", f"/sign-in?code={code}", [cookie])
        assert site.everything()["token"] == before
        answer = await site.form("/sign-in", {"code": code}, SAME_SITE, cookie)
        fresh = answer.header("set-cookie").partition(";")[0].partition("=")[2]
        given.add(fresh)
        assert fresh != value
        page = (await site.ask("GET", "/sign-in", [("cookie", f"gateway_session={value}")])).text
        assert "@alice" not in page
    assert len(given) == len(planted)
    link = grant.sign_in_link(site.gateway.kit, site.alice)[0]
    answer = await site.form("/oauth/authorize", {**wish(await app_of(site)), "code": link}, SAME_SITE, cookie)
    assert answer.header("set-cookie").partition(";")[0].partition("=")[2] not in {*given, *planted}
    case.proves("rotated")


async def test_a_session_cookie_is_for_this_site_and_no_script(site: Site) -> None:
    """The cookie is out of reach of scripts, other sites and plain http, and holds for this host alone."""
    code = grant.sign_in_link(site.gateway.kit, site.alice)[0].partition("code=")[2]
    given = (await site.form("/sign-in", {"code": code}, SAME_SITE)).header("set-cookie")
    left = (await site.form("/sign-out", {}, SAME_SITE, ("cookie", given.partition(";")[0]))).header("set-cookie")
    for cookie in (given, left):
        parts = {part.strip().partition("=")[0].lower(): part.strip().partition("=")[2] for part in cookie.split(";")}
        assert parts["path"] == "/"
        assert "domain" not in parts
        assert parts["samesite"].lower() in ("lax", "strict")
    assert {"httponly", "secure"} <= {part.strip().lower() for part in given.split(";")}
    assert len(given.partition(";")[0].partition("=")[2]) >= 43


@cases("WEB-ADMIN-015")
async def test_sessions_end(site: Site, case: Case) -> None:
    """Signing out ends a session for every copy of its cookie; so do two idle weeks, and a month however busy."""
    gone, idle, busy = [await site.session() for _ in range(3)]
    assert [await who(site, cookie) for cookie in (gone, idle, busy)] == [200, 200, 200]
    await site.form("/sign-out", {}, SAME_SITE, gone)
    assert [await who(site, cookie) for cookie in (gone, idle, busy)] == [401, 200, 200]
    for _day in range(IDLE_DAYS):
        site.world.clock.forward(days=1)
        assert await who(site, busy) == 200
    site.world.clock.forward(minutes=1)
    assert await who(site, idle) == 401
    for _day in range(LONGEST_DAYS - IDLE_DAYS):
        site.world.clock.forward(days=1)
        last = await who(site, busy)
    assert last == 401
    case.proves("ended")


@pytest.mark.parametrize(("minutes", "status"), [(9, 303), (10, 401), (60 * 24, 401)])
async def test_a_sign_in_link_ends(site: Site, minutes: int, status: int) -> None:
    """A one-time link works for less than ten minutes, and once."""
    code = grant.sign_in_link(site.gateway.kit, site.alice)[0].partition("code=")[2]
    site.world.clock.forward(minutes=minutes)
    assert (await site.form("/sign-in", {"code": code}, SAME_SITE)).status == status
    assert (await site.form("/sign-in", {"code": code}, SAME_SITE)).status == 401


def _coded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def forged(secret: str, token: str) -> dict[str, str]:
    """Return cookies that somebody made from their own."""
    claims = _coded({"sub": ALICE, "role": "admin", "scopes": ["session", "read", "write"]})
    return {
        "algorithm none": f"{_coded({'alg': 'none'})}.{claims}.",
        "signed with nothing": f"{_coded({'alg': 'HS256'})}.{claims}.AAAA",
        "a role behind it": f"{secret}|admin",
        "a role in front": f"admin:{secret}",
        "json": json.dumps({"user": ALICE}),
        "base64": base64.b64encode(b'{"account": "alice"}').decode(),
        "a pickle": base64.b64encode(b"cos\nsystem\n(S'id'\ntR.").decode(),
        "in capitals": secret.upper(),
        "cut": secret[:-1],
        "longer": secret + "A",
        "padded": secret + "=",
        "NUL behind": secret + "\0",
        "NUL in front": "%00" + secret,
        "another letter": secret[:-1] + ("A" if secret[-1] != "A" else "B"),
        "its hash": grant.hash_secret(secret),
        "a token": token,
        "quoted and more": f'"{secret}x"',
        "in a list": f"[{secret}]",
        "a name": "alice",
        "nothing": "",
    }


@pytest.mark.parametrize("kind", forged("x" * 43, ""))
@cases("WEB-ADMIN-016")
async def test_a_cookie_that_was_changed_is_nobodys(site: Site, case: Case, kind: str) -> None:
    """A session is a random word kept as its hash: nothing in a cookie can be changed, and a token is none."""
    cookie = await site.session()
    assert await who(site, cookie) == 200
    made = forged(cookie[1].partition("=")[2], site.tokens["alice"])[kind]
    before = site.everything()
    for name in ("gateway_session", "Gateway_Session", "session", "token"):
        assert await who(site, ("cookie", f"{name}={made}")) == 401
        assert (await site.ask("GET", "/inspect.json?url=x", [("cookie", f"{name}={made}")])).status == 401
    assert "@alice" not in (await site.ask("GET", "/sign-in", [("cookie", f"gateway_session={made}")])).text
    assert site.everything() == before
    case.proves("refused")


async def test_a_session_opens_nothing_else(site: Site) -> None:
    """The secret of a browser's session is no token, and no query or form is searched for either."""
    secret = (await site.session())[1].partition("=")[2]
    token = site.tokens["alice"]
    assert (await site.ask("GET", "/users/alice/inbox", [("authorization", f"Bearer {secret}")])).status == 401
    for word in (secret, token):
        for name in ("access_token", "token", "gateway_session", "authorization", "api_key", "key"):
            assert (await site.get(f"/users/alice/inbox?{name}={word}")).status == 401
            assert (await site.form("/api/proxy", {"id": ALICE, name: word})).status == 401
            assert (await site.get("/users/alice/inbox", **{name.replace("_", "-"): word})).status == 401


@cases("WEB-ADMIN-017")
async def test_no_page_is_framed(site: Site, case: Case) -> None:
    """Every answer, of whatever address and status, forbids to be framed; pages where people decide above all."""
    cookie, app = await site.session(), await app_of(site)
    code = grant.sign_in_link(site.gateway.kit, site.alice)[0].partition("code=")[2]
    targets = [filled(site, route.path) for route in ROUTES if isinstance(route, (Route, Mount))]
    targets += [
        f"/oauth/authorize?{urlencode(wish(app))}",
        f"/sign-in?code={code}",
        "/nowhere",
        "/@alice%00",
        "/static/nothing",
    ]
    for target in targets:
        for method in ("GET", "HEAD", "POST", "PATCH"):
            answer = await site.ask(method, target, [cookie, ("accept", "text/html"), ("sec-fetch-dest", "iframe")])
            assert policy_of(answer)["frame-ancestors"] == "'none'", (method, target)
    case.proves("frame-ancestors none")
