"""The whole route table: every address, what it answers, and the headers that every answer wears."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from web.asking import ask

from gateway.web import app, federation

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

JSON = "application/json"
ACTIVITY = "application/activity+json"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
PROBLEM = "application/problem+json"
NOAI = "train-ai=n, ai-use=n, search=y"
INSTANCE = "train-ai=n, ai-use=n"

# Route -> (address, status, media type, Content-Usage) of a plain GET; {..} are filled in by the test.
PLAIN = {
    "/.well-known/webfinger": ("?resource=acct:alice@gw.example", 200, "application/jrd+json", INSTANCE),
    "/.well-known/host-meta": ("", 200, "application/xrd+xml", INSTANCE),
    "/.well-known/nodeinfo": ("", 200, JSON, INSTANCE),
    "/.well-known/tdmrep.json": ("", 200, JSON, INSTANCE),
    "/.well-known/oauth-authorization-server": ("", 200, JSON, INSTANCE),
    "/nodeinfo/2.1": ("", 200, f'{JSON}; profile="http://nodeinfo.diaspora.software/ns/schema/2.1#"', INSTANCE),
    "/robots.txt": ("", 200, TEXT, INSTANCE),
    "/.well-known/security.txt": ("", 200, TEXT, INSTANCE),
    "/policies/tdm.json": ("", 200, "application/ld+json", INSTANCE),
    "/livez": ("", 200, TEXT, INSTANCE),
    "/readyz": ("", 503, TEXT, INSTANCE),  # no worker runs in this test
    "/actor": ("", 200, ACTIVITY, INSTANCE),
    **{f"/actor/{name}": ("", 200, ACTIVITY, INSTANCE) for name in ("outbox", "followers", "following", "featured")},
    "/users/{name}": ("", 200, ACTIVITY, NOAI),
    "/media/{media_id}/{file_name}": ("", 200, "image/png", NOAI),
    "/": ("", 200, HTML, INSTANCE),
    "/about": ("", 200, HTML, INSTANCE),
    "/about/policy": ("", 200, HTML, INSTANCE),
    "/about/federation": ("", 200, HTML, INSTANCE),
    "/about/software": ("", 200, HTML, INSTANCE),
    "/about/sizing": ("", 200, HTML, INSTANCE),
    "/about/developers": ("", 200, HTML, INSTANCE),
    "/about/security": ("", 200, HTML, INSTANCE),
    "/ns/ai-usage": ("", 200, "application/ld+json", INSTANCE),
    "/ns/ai-usage.md": ("", 200, "text/markdown; charset=utf-8", INSTANCE),
    "/schemas/{file}": ("", 200, "application/schema+json", INSTANCE),
    "/openapi.json": ("", 200, JSON, INSTANCE),
    "/inspect.json": ("", 401, PROBLEM, INSTANCE),  # nobody is signed in
    "/problems/{code}": ("", 200, HTML, INSTANCE),
    "/tags/{tag}": ("", 200, HTML, NOAI),
    "/@{name}.atom": ("", 200, "application/atom+xml; charset=utf-8", NOAI),
    "/@{name}": ("", 200, HTML, NOAI),
    "/@{name}/{tid}": ("", 200, HTML, NOAI),
    "/sign-in": ("", 200, HTML, INSTANCE),
    "/oauth/authorize": ("", 400, PROBLEM, INSTANCE),  # no app asks
    "/static": ("/gateway.css", 200, "text/css; charset=utf-8", INSTANCE),
}
# Routes whose plain GET needs a signature: status, media type and preferences of a signed one.
GUARDED = {
    "/users/{name}/outbox": NOAI,
    "/users/{name}/followers": NOAI,
    "/users/{name}/following": NOAI,
    "/users/{name}/liked": NOAI,
    "/users/{name}/featured": NOAI,
    "/posts/{tid}": NOAI,
    "/posts/{tid}/replies": NOAI,
    "/posts/{tid}/likes": NOAI,
    "/posts/{tid}/shares": NOAI,
    "/activities/{tid}": NOAI,
}
# Routes whose GET is for the owner's own software alone: a token opens them, a signature does not.
OWNED = {"/users/{name}/inbox": NOAI}
# Route -> status of a POST of an activity, without signature, token or session, from nowhere.
POSTS = {
    "/inbox": 401,
    "/inspect.json": 401,
    "/actor/inbox": 401,
    "/users/{name}/inbox": 401,
    "/users/{name}/outbox": 401,
    "/api/proxy": 401,
    "/api/media": 401,
    "/oauth/register": 400,  # anybody may register, but this names no address to answer at
    "/oauth/authorize": 403,  # from another site
    "/oauth/token": 400,  # not a form
    "/oauth/revoke": 400,
    "/sign-in": 403,
    "/sign-out": 403,
}
READS = PLAIN.keys() | GUARDED.keys() | OWNED.keys()
REFERRERS = ("same-origin", "no-referrer")  # never another site's business


def _filled(site: Site, path: str) -> str:
    attached = site.posts["media"].document["attachment"]
    assert isinstance(attached, list)
    media, name = attached[0]["url"].split("/")[-2:]
    sent = site.kit.store.objects.latest_activity(site.alice.id, "Create", site.posts["public"].id)
    assert sent is not None
    tid = sent.id.rpartition("/")[2] if path.startswith("/activities") else site.tid("public")
    words = {
        "name": "alice",
        "tid": tid,
        "tag": "greeting",
        "code": "gone",
        "media_id": media,
        "file_name": name,
        "file": "problem.json",
    }
    return path.format(**words)


def _check_dress(lines: dict[str, str], usage: str) -> None:
    assert lines["content-usage"] == usage
    assert "train-gen=n" in lines["ai-usage"]
    assert lines["tdm-reservation"] == "1"
    assert lines["tdm-policy"] == "https://gw.example/policies/tdm.json"
    assert {"noai", "noimageai"} <= set(lines["x-robots-tag"].split(", "))
    assert lines["x-content-type-options"] == "nosniff"
    assert lines["content-security-policy"].startswith("default-src 'none'")
    assert lines["strict-transport-security"].startswith("max-age=")
    assert lines["referrer-policy"] in REFERRERS


def test_every_route_is_in_a_table_below() -> None:
    """No address is added without saying here what it answers."""
    reads: set[str] = set()
    writes: set[str] = set()
    for route in app.ROUTES:
        assert isinstance(route, Route | Mount)
        is_post = isinstance(route, Route) and route.methods == {"POST"}
        (writes if is_post else reads).add(route.path)
    assert reads == READS
    assert writes == POSTS.keys()


@pytest.mark.parametrize("path", PLAIN)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_anybody_may_read(site: Site, path: str, method: str) -> None:
    """Each open address answers unsigned GET and HEAD with its type, preferences and protective headers."""
    more, status, media_type, usage = PLAIN[path]
    answer = await site.get(_filled(site, path) + more, method=method)
    assert (answer.status, answer.media_type) == (status, media_type)
    _check_dress(dict(answer.lines), usage)


@pytest.mark.parametrize("path", GUARDED)
async def test_what_needs_a_signature(site: Site, path: str) -> None:
    """Each guarded address answers 401 to a stranger and a labelled document to who signs."""
    target = _filled(site, path)
    refused = await site.get(target)
    assert refused.status == 401
    answer = await site.signed(target)
    assert (answer.status, answer.media_type) == (200, ACTIVITY)
    _check_dress(dict(answer.lines), GUARDED[path])
    document = answer.json
    assert document["@context"][0] == "https://www.w3.org/ns/activitystreams"
    assert document["contentUsage"] == NOAI
    assert document["aiUsage"]["labels"] == ["noai", "notrain"]
    assert document["id"] == f"https://gw.example{target}"


@pytest.mark.parametrize("path", OWNED)
async def test_what_is_for_the_owner_alone(site: Site, path: str) -> None:
    """Each private address answers 401 to a stranger, 403 to a signature, and a labelled document to the owner."""
    target = _filled(site, path)
    assert (await site.get(target)).status == 401
    assert (await site.signed(target)).status == 403
    answer = await site.get(target, authorization=f"Bearer {site.tokens['alice']}")
    assert (answer.status, answer.media_type) == (200, ACTIVITY)
    _check_dress(dict(answer.lines), OWNED[path])
    assert answer.json["id"] == f"https://gw.example{target}"


@pytest.mark.parametrize("path", GUARDED)
async def test_an_answer_known_already_is_not_sent_again(site: Site, path: str) -> None:
    """A matching If-None-Match gives 304 without content, with the preferences and the ETag."""
    target = _filled(site, path)
    first = await site.signed(target)
    again = await site.signed(target, if_none_match=first.header("etag"))
    assert (again.status, again.body) == (304, b"")
    assert again.header("etag") == first.header("etag")
    assert again.header("vary") == "Accept, Signature"
    _check_dress(dict(again.lines), GUARDED[path])


@pytest.mark.parametrize("path", sorted(READS | POSTS.keys()))
async def test_other_methods_are_refused(site: Site, path: str) -> None:
    """A method that an address does not have is a 405 that says which it has."""
    more = "/gateway.css" if path == "/static" else ""
    answer = await ask(site.app, "PATCH", _filled(site, path) + more)
    assert (answer.status, answer.json["code"]) == (405, "method-not-allowed")
    allowed = set(answer.header("allow").split(", "))
    assert allowed
    assert allowed >= ({"GET"} if path in READS - {"/static"} else set()) | ({"POST"} if path in POSTS else set())


@pytest.mark.parametrize("path", POSTS)
async def test_nothing_is_posted_without_credentials(site: Site, path: str) -> None:
    """Every address that takes a POST turns one without credentials away, and keeps nothing."""
    before = site.snapshot()
    body = b'{"type": "Like", "actor": "https://peer.example/users/bob", "object": "x"}'
    answer = await ask(site.app, "POST", _filled(site, path), [("content-type", ACTIVITY)], body)
    assert answer.status == POSTS[path]
    assert site.snapshot() == before
    _check_dress(dict(answer.lines), INSTANCE)


async def test_another_gateway_speaks_http_on_loopback(site: Site) -> None:
    """Strict-Transport-Security is said by https sites only."""
    local = site.world.gateway("http://localhost:8000")
    answer = await ask(app.build(local), "GET", "/livez", host="localhost:8000")
    assert answer.status == 200
    assert answer.header("strict-transport-security") == ""


SHORT = (
    "/inbox", "/actor/inbox", "/users/alice/inbox", "/users/nobody/inbox", "/users/al%2Fice/inbox",
    "/users/%E3%81%82/inbox", "/users/a b/inbox", "/inbox/", "/users//inbox", "/users/alice/inbox?x=1", "/Inbox",
    "/users/alice/../inbox",
)  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "OPTIONS", "PUT"])
@pytest.mark.parametrize("path", SHORT)
async def test_the_short_way_to_an_inbox_answers_as_the_routes_do(site: Site, method: str, path: str) -> None:
    """What goes to an inbox past the framework's layers gets the status, fields and body it gets through them."""
    body = b'{"type": "Like", "actor": "https://peer.example/users/bob", "object": "x"}' if method == "POST" else b""
    whole = functools.partial(Starlette.__call__, site.app)
    fields = [("content-type", ACTIVITY)]
    short = await ask(site.app, method, path, fields, body, client="192.0.2.1")
    long = await ask(whole, method, path, fields, body, client="198.51.100.1")  # counted by itself
    assert (short.status, short.lines, short.body) == (long.status, long.lines, long.body)


async def test_the_short_way_answers_for_the_framework(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the framework itself refuses behind an inbox is answered as such, dressed like every answer."""

    async def fails(_request: object) -> Any:
        raise HTTPException(404)

    monkeypatch.setattr(federation, "_take", fails)
    answer = await ask(site.app, "POST", "/inbox", [("content-type", ACTIVITY)], b"{}")
    assert (answer.status, answer.json["code"]) == (404, "not-found")
    _check_dress(dict(answer.lines), INSTANCE)
