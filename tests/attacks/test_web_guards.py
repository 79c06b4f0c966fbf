"""Guards that must not be walked around: spellings of paths, unusual methods, overrides, forgotten doors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from attacks.web_scene import FORM, SAME_SITE, Case, Site, cases, filled, opened
from peers.plain import ACTIVITY_JSON
from starlette.routing import Mount, Route
from web.asking import problem_of
from world import BASE

from gateway.web.app import ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from web.asking import Answer

pytestmark = pytest.mark.anyio

# What is for its owner, or for somebody signed in, alone.
OWNED = (
    ("GET", "/users/alice/inbox"), ("POST", "/users/alice/outbox"), ("POST", "/api/media"), ("POST", "/api/proxy"),
    ("GET", "/inspect.json"), ("POST", "/inspect.json"), ("GET", "/users/alice/outbox"), ("GET", "/users/alice/liked"),
)  # fmt: skip


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path, monkeypatch) as made:
        yield made


def detours(path: str) -> dict[str, str]:
    """Return other spellings of a path, which somebody in front may take for the same, or for something open."""
    last = path[-1]
    return {
        "two slashes": f"/{path}",
        "three slashes": f"//{path}",
        "slash behind": f"{path}/",
        "slashes behind": f"{path}//",
        "capitals": path.upper(),
        "one capital": path[:-1] + last.upper(),
        "encoded slash behind": f"{path}%2f",
        "encoded slashes": "/" + path[1:].replace("/", "%2f"),
        "all encoded": path.replace("/", "%2F"),
        "encoded backslash": "/" + path[1:].replace("/", "%5c"),
        "backslash": "/" + path[1:].replace("/", "\\"),
        "semicolon": f"{path};x",
        "semicolon and ending": f"{path};.css",
        "semicolon inside": path.replace("/", "/;/"),
        "dot": f"/.{path}",
        "dot inside": path.replace("/", "/./"),
        "dot behind": f"{path}/.",
        "dots behind": f"{path}/x/..",
        "climbing": f"/static/..{path}",
        "climbing, encoded": f"/static/%2e%2e{path}",
        "climbing from media": f"/media/..{path}",
        "NUL": f"{path}%00",
        "NUL and ending": f"{path}%00.css",
        "blank": f"{path}%20",
        "tab": f"{path}%09",
        "line break": f"{path}%0a",
        "ending": f"{path}.json",
        "picture": f"{path}.png",
        "hash": f"{path}%23",
        "query": f"{path}%3f",
        "twice encoded slash": f"{path}%252f",
        "encoded letter": f"{path[:-1]}%{ord(last):02x}",
        "whole address": f"{BASE}{path}",
        "twice encoded letter": f"{path[:-1]}%25{ord(last):02x}",
        "overlong": f"{path}%c0%af",
        "wildcard": f"{path}*",
        "fullwidth letter": f"{path[:-1]}%ef%bd%8{(ord(last) - 0x60) & 0xF:x}",
        "long s": path.replace("s", "%c5%bf"),
        "of another": path.replace("alice", "carol/../alice"),
        "soft hyphen": f"{path}%c2%ad",
        "at": f"/@evil{path}",
    }


async def asked(site: Site, method: str, target: str, *lines: tuple[str, str], host: str = "gw.example") -> Answer:
    """Ask with a body that would do something."""
    body = b'{"type": "Note", "content": "x"}' if method == "POST" else b""
    return await site.ask(method, target, [("content-type", ACTIVITY_JSON), *lines], body, host=host)


@pytest.mark.parametrize("kind", detours("/users/alice/inbox"))
@cases("WEB-ADMIN-006")
async def test_no_detour_leads_past_a_guard(site: Site, case: Case, kind: str) -> None:
    """What is somebody's is nobody's under any spelling of its address: 401 where it is meant, 404 where it is not."""
    before = site.everything()
    for method, path in OWNED:
        target = detours(path)[kind]
        assert (await asked(site, method, target)).status in (401, 404, 405), target
        if path.startswith("/users/alice"):
            carol = await asked(site, method, target, site.bearer("carol"))
            assert carol.status in (403, 404, 405) or path.endswith(("/outbox", "/liked")), target
            assert site.posts["direct"].id not in carol.text
    assert site.everything() == before
    case.proves("401_or_404")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "gw.example:80", "internal", "gw.example.evil.example"])
@cases("WEB-ADMIN-006")
async def test_no_host_leads_past_a_guard(site: Site, case: Case, host: str) -> None:
    """A poisoned Host, or a header that claims where a request came from or goes to, opens nothing."""
    names = ("x-forwarded-for", "x-real-ip", "x-original-url", "x-rewrite-url", "x-forwarded-host", "x-accel-redirect")
    for method, path in OWNED:
        assert (await asked(site, method, path, site.bearer(), host=host)).status == 421
        for name in names:
            for value in ("127.0.0.1", "/livez", host):
                assert (await asked(site, method, path, (name, value))).status == 401
            assert (await asked(site, method, "/nowhere", (name, path), site.bearer())).status == 404
    case.proves("401_or_404")


METHODS = (
    "PROPFIND", "_HELPER", "TRACE", "TRACK", "CONNECT", "DEBUG", "OPTIONS", "PUT", "DELETE", "PATCH", "get", "post",
    "Post", "GETS", "XGET", "LOCK", "MKCOL", "COPY", "SEARCH", "QUERY", "PURGE", "BREW", "__class__", "app", "*",
    "A" * 100,
)  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@cases("WEB-ADMIN-007")
async def test_an_unusual_method_is_refused_everywhere(site: Site, case: Case, method: str) -> None:
    """No address does anything for a method that it does not have, whoever asks: 405, with those it has."""
    session = await site.session()
    before = site.everything()
    for route in ROUTES:
        assert isinstance(route, (Route, Mount))
        for lines in ([], [site.bearer()], [session, SAME_SITE]):
            answer = await site.ask(method, filled(site, route.path), [("content-type", FORM), *lines], b"id=x&code=x")
            assert problem_of(answer, [405])["code"] == "method-not-allowed"
            allowed = set(answer.header("allow").split(", "))
            assert allowed
            assert allowed <= {"GET", "HEAD", "POST"}
            assert answer.header("access-control-allow-methods") == ""
    assert site.everything() == before
    case.proves("405")


OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override", "_method", "x-original-method", "x-method")


def methods_at(path: str) -> set[str]:
    """Return the methods of every route at a path."""
    return {
        method
        for route in ROUTES
        if isinstance(route, (Route, Mount)) and route.path == path
        for method in getattr(route, "methods", None) or ("GET", "HEAD")
    }


@pytest.mark.parametrize("wanted", ["DELETE", "PUT", "POST", "GET", "PATCH"])
@cases("WEB-ADMIN-008")
async def test_a_method_is_the_one_of_the_request(site: Site, case: Case, wanted: str) -> None:
    """No header, query or form field makes one method of another."""
    before = site.everything()
    lines = [(name, wanted) for name in OVERRIDES]
    query = "&".join(f"{name}={wanted}" for name in (*OVERRIDES, "method", "httpMethod"))
    for path in {route.path for route in ROUTES if isinstance(route, (Route, Mount))} - {"/inspect.json"}:
        target = filled(site, path)
        if "GET" in methods_at(path):
            plain = await site.ask("GET", target, [site.bearer()])
            assert await site.ask("GET", target, [site.bearer(), *lines]) == plain, target
            assert (await site.ask("GET", f"{target}?{query}", [site.bearer()])).status == plain.status, target
        if "POST" not in methods_at(path):
            form = [("content-type", FORM), site.bearer(), *lines]
            assert (await site.ask("POST", f"{target}?{query}", form, query.encode())).status == 405, target
    assert site.everything() == before
    case.proves("ignored")


SHUT = (
    "/metrics", "/docs", "/redoc", "/swagger.json", "/swagger-ui/", "/debug", "/debug/pprof/", "/debug/vars", "/admin",
    "/admin/", "/console", "/manage", "/actuator", "/actuator/env", "/actuator/heapdump", "/server-status", "/status",
    "/health", "/info", "/env", "/.env", "/.git/config", "/.git/HEAD", "/config", "/config.json", "/gateway.toml",
    "/gateway.sqlite3", "/secret.key", "/data/gateway.sqlite3", "/static/../../secret.key", "/static/%2e%2e/app.py",
    "/static/",
    "/static/.gitignore", "/media/", "/media", "/backup.zip", "/phpinfo.php", "/wp-login.php", "/graphql", "/graphiql",
    "/trace", "/api", "/api/", "/api/docs", "/openapi.yaml", "/openapi", "/schemas/", "/schemas/../pyproject.toml",
    "/schemas/..%2f..%2fpyproject.toml", "/_debug_toolbar/", "/__debug__/", "/rpc", "/xmlrpc.php", "/oauth/clients",
    "/oauth/tokens", "/tokens", "/users", "/users/", "/accounts", "/logs", "/robots.txt/x", "/livez/x", "/readyz/debug",
    "/.well-known/", "/evidence/../secret.key", "/static/../__init__.py", "/static//etc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("who", ["nobody", "a token", "a browser"])
@cases("WEB-ADMIN-021")
async def test_nothing_is_open_that_is_for_admins(site: Site, case: Case, who: str) -> None:
    """There are no metrics, debug, configuration or directory pages on the public listener, for anybody."""
    lines = {"a token": [site.bearer()], "a browser": [await site.session()]}.get(who, [])
    for target in SHUT:
        for accept in ("text/html", "application/json"):
            answer = await site.ask("GET", target, [*lines, ("accept", accept)])
            assert answer.status == 404, (target, answer.status)
            assert len(answer.body) < 4_000
    case.proves("401_or_off")


@cases("WEB-ADMIN-021")
async def test_the_description_of_the_api_tells_nothing_hidden(site: Site, case: Case) -> None:
    """The OpenAPI document is public on purpose: the same for everybody, and about addresses that anybody may know."""
    plain = await site.get("/openapi.json")
    assert await site.owned("/openapi.json") == plain
    assert plain.json["paths"]
    assert not any(re.search(r"admin|debug|metrics|internal|console", path) for path in plain.json["paths"])
    for secret in (*site.tokens.values(), str(site.gateway.kit.settings.data), "peer.example", "192.0.2.1"):
        assert secret not in plain.text
    for path in ("/livez", "/readyz"):
        assert (await site.get(path)).text in ("ok\n", "not ready\n")
    case.proves("401_or_off")
