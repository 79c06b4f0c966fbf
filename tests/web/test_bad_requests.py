"""A bad request of each kind gets the answer of interfaces.md, keeps nothing, and is never a 5xx."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import ACTIVITY_JSON
from web.asking import ask, problem_of
from world import BASE

if TYPE_CHECKING:
    from web.asking import Answer
    from web.conftest import Site

pytestmark = pytest.mark.anyio

INBOX = "/users/alice/inbox"
OUTBOX = "/users/alice/outbox"
JSON = [("content-type", ACTIVITY_JSON)]
LIKE = b'{"id":"https://peer.example/1","type":"Like","actor":"https://peer.example/users/bob","object":"https://gw.example/x"}'
DEEP = 100_000

BODIES: dict[str, bytes] = {
    "empty": b"",
    "not json": b"hello",
    "cut short": LIKE[:-10],
    "two documents": LIKE + LIKE,
    "trailing comma": LIKE[:-1] + b",}",
    "array": b"[" + LIKE + b"]",
    "string": b'"https://peer.example/users/bob"',
    "null": b"null",
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep and open": b"[" * DEEP,
    "duplicate key": LIKE[:-1] + b',"type":"Delete"}',
    "NaN": LIKE[:-1] + b',"n":NaN}',
    "Infinity": LIKE[:-1] + b',"n":-Infinity}',
    "1e999": LIKE[:-1] + b',"n":1e999}',
    "long integer": LIKE[:-1] + b',"n":' + b"9" * 5_000 + b"}",
    "bad utf-8": LIKE.replace(b"Like", b"L\xff\xfeke"),
    "overlong utf-8": LIKE.replace(b"Like", b"L\xc0\xafke"),
    "utf-16": LIKE.decode().encode("utf-16"),
    "utf-32": LIKE.decode().encode("utf-32-be"),
    "byte order mark": b"\xef\xbb\xbf" + LIKE,
    "half a surrogate pair": LIKE.replace(b"Like", b"\\ud800"),
    "NUL": LIKE.replace(b"Like", b"L\\u0000ke"),
    "raw control character": LIKE.replace(b"Like", b"L\nke"),
    "unclosed string": b'{"' + b"\\" * 200_001,
    "many members": b"[" + b"0," * 300_000 + b"0]",
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "no actor": {"actor": None},
    "two actors": {"actor": ["https://peer.example/users/bob", "https://evil.example/users/mallory"]},
    "actor is a number": {"actor": 5},
    "actor is no URL": {"actor": "bob"},
    "actor with credentials": {"actor": "https://u:p@peer.example/users/bob"},
    "actor is too long": {"actor": "https://peer.example/" + "x" * 10_000},
    "actor with control characters": {"actor": "https://peer.example/\t\r\nusers/bob"},
}


async def _send(
    site: Site, path: str, body: bytes, headers: list[tuple[str, str]] | None = None, **more: Any
) -> Answer:
    given = JSON if headers is None else headers
    if path == OUTBOX:
        given = [*given, ("authorization", f"Bearer {site.tokens['alice']}")]
    return await ask(site.app, "POST", path, given, body, **more)


@pytest.fixture(autouse=True)
def nothing_is_kept(site: Site) -> Any:
    """Compare what is stored before and after each test: at most one bounded audit line may be added."""
    before, audit = site.snapshot(), site.kit.store.peers.audit_lines(limit=10_000)
    yield
    assert site.snapshot() == before
    added = site.kit.store.peers.audit_lines(limit=10_000)[: -len(audit) or None]
    assert len(added) <= 1
    assert all(len(str(line)) < 1_000 for line in added)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("path", [INBOX, OUTBOX])
async def test_a_body_that_is_not_strict_json_is_a_400(site: Site, path: str, name: str) -> None:
    """Every way of not being one bounded UTF-8 JSON object is refused alike, signed or not, token or not."""
    problem = problem_of(await _send(site, path, BODIES[name]), [400])
    assert problem["code"] == "malformed-document"


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_an_activity_without_one_actor_is_a_400(site: Site, name: str) -> None:
    """Who acts must be one absolute URL before anything is looked up."""
    document = {**json.loads(LIKE), **DOCUMENTS[name]}
    assert problem_of(await _send(site, INBOX, json.dumps(document).encode()), [400])["code"] == "no-actor"


@pytest.mark.parametrize("name", ["no id", "id is a number", "id is no URL"])
async def test_a_signed_activity_without_an_id_is_a_400(site: Site, name: str) -> None:
    """An authenticated activity that nobody could name is malformed; one named elsewhere is refused."""
    value = {"no id": None, "id is a number": 7, "id is no URL": "one"}[name]
    answer = await site.follower.post(f"{BASE}{INBOX}", {**json.loads(LIKE), "id": value})
    assert (answer.status_code, answer.json()["code"]) == (400, "no-id")


async def test_an_id_on_another_origin_is_a_403(site: Site) -> None:
    """An activity's id and its actor share one origin."""
    answer = await site.follower.post(f"{BASE}{INBOX}", {**json.loads(LIKE), "id": "https://evil.example/1"})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign-id")


@pytest.mark.parametrize("path", [INBOX, OUTBOX])
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_of_two_megabytes_is_a_413(site: Site, path: str, *, announced: bool) -> None:
    """Too long a body is refused when it is announced, and as soon as it turns out to be."""
    body = b'{"a":"' + b"x" * (2 * 1024 * 1024) + b'"}'
    headers = [*JSON, *([("content-length", str(len(body)))] if announced else [])]
    assert problem_of(await _send(site, path, body, headers), [413])["code"] == "too-large"


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "\xb2", "9" * 5_000, "1, 2", ""])
async def test_a_content_length_that_is_no_number_is_no_crash(site: Site, length: str) -> None:
    """What a lax server lets through is judged by the bytes that come."""
    answer = await _send(site, INBOX, LIKE, [*JSON, ("content-length", length)])
    problem_of(answer, [400, 401, 413])


@pytest.mark.parametrize(
    "content_type",
    [
        "", "text/plain", "text/html", "application/json", "application/ld+json", "application/xml", "*/*", ";", ",",
        'application/ld+json; profile="https://example.org/other"', "application/activity+json, text/html",
        "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/activity+json\xff",
    ],
)  # fmt: skip
async def test_another_media_type_is_a_415(site: Site, content_type: str) -> None:
    """Inboxes take the two ActivityStreams types and nothing else, before the body is looked at."""
    answer = await _send(site, INBOX, LIKE, [("content-type", content_type)])
    assert problem_of(answer, [415])["code"] == "unsupported-media-type"


@pytest.mark.parametrize("path", [INBOX, OUTBOX])
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "x"])
async def test_a_coded_body_is_a_415(site: Site, path: str, coding: str) -> None:
    """Content codings are not taken: nothing is unpacked, so nothing can explode."""
    answer = await _send(site, path, gzip.compress(LIKE), [*JSON, ("content-encoding", coding)])
    assert problem_of(answer, [415])["code"] == "unsupported-media-type"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("other.example", 421), ("gw.example.evil.example", 421), ("xgw.example", 421), ("gw.example:8443", 421),
        ("gw.example:80", 421), ("user@gw.example", 421), ("gw.example@evil.example", 421),
        ("user:pw@gw.example:443", 421),
        ("gw.example/users/carol/inbox?", 421), ("gw.example#", 421), ("gw.example\\evil.example", 421), ("", 421),
        ("[", 421), ("[::1]", 421), ("127.0.0.1", 421), ("gw.example:", 200), ("gw.example:abc", 421),
        ("gw.example:+443", 421),
        ("gw.example:4_43", 421), ("gw.example: 443", 421), ("gw.example:\xb2", 421),
        ("gw.example:" + "9" * 5_000, 421),
        ("gw.example,evil.example", 421), ("gw.example evil.example", 421), ("gw\xffexample", 421), ("\x00", 421),
        ("GW.EXAMPLE", 200), ("gw.example.", 200), ("gw.example:443", 200), ("x" * 10_000, 421), (None, 400),
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", ["application/activity+json", "text/html"])
async def test_only_our_own_host_is_answered_for(site: Site, host: str | None, status: int, accept: str) -> None:
    """Another host, user info, a path or a port in Host is a 421; no Host at all is a 400."""
    answer = await ask(site.app, "GET", "/actor?x=1", [("accept", accept)], host=host)
    if status == 200:
        assert answer.status in (200, 303)
    elif accept == "text/html":
        assert (answer.status, answer.media_type) == (status, "text/html; charset=utf-8")
    else:
        assert problem_of(answer, [status])["code"] == ("wrong-host" if status == 421 else "bad-input")


@pytest.mark.parametrize(
    "hosts", [("gw.example", "gw.example"), ("gw.example", "evil.example"), ("evil.example", "gw.example")]
)
async def test_two_host_fields_are_a_400(site: Site, hosts: tuple[str, str]) -> None:
    """It must be clear whom a request is for."""
    answer = await ask(site.app, "GET", "/actor", [("host", host) for host in hosts], host=None)
    assert problem_of(answer, [400])["code"] == "bad-input"


@pytest.mark.parametrize(
    "name", ["x-forwarded-host", "forwarded", "x-original-url", "x-rewrite-url", "x-http-method-override"]
)
async def test_nobody_rewrites_the_request_by_a_header(site: Site, name: str) -> None:
    """Headers that frameworks take for the real host, address or method change nothing."""
    plain = await site.get("/users/alice")
    answer = await ask(site.app, "GET", "/users/alice", [(name, "host=evil.example")])
    assert (answer.status, answer.body) == (plain.status, plain.body)


async def test_an_unsigned_activity_is_a_401_with_its_steps(site: Site) -> None:
    """The answer says what was expected and how to look at it signed."""
    answer = await _send(site, INBOX, LIKE)
    problem = problem_of(answer, [401])
    assert problem["code"] == "not-authenticated"
    assert problem["steps"][0] == {"name": "signed", "expected": "a signature", "found": "none", "ok": False}
    assert "hint" not in problem
    assert answer.header("accept-signature")


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_a_stale_signature_is_a_401_whose_steps_name_the_time(site: Site, scheme: str) -> None:
    """Each check is listed; the one that failed says what it found."""
    request = site.follower.signed(f"{BASE}{INBOX}", LIKE, scheme=scheme)
    lines = [(name, value) for name, value in request.headers if name != "host"]
    now = site.world.clock.moment
    try:
        site.world.clock.forward(hours=13)
        problem = problem_of(await ask(site.app, "POST", INBOX, lines, LIKE), [401])
    finally:
        site.world.clock.moment = now
    failed = [step for step in problem["steps"] if not step["ok"]]
    assert [(step["name"], step["found"]) for step in failed] == [("time", "expired")]
    assert all(set(step) == {"name", "expected", "found", "ok"} for step in problem["steps"])


@pytest.mark.parametrize("count", [101, 5_000])
async def test_too_many_header_fields_are_a_431(site: Site, count: int) -> None:
    """A hundred fields are enough for anybody."""
    answer = await ask(site.app, "GET", "/users/alice", [(f"x-{number}", "1") for number in range(count)])
    assert problem_of(answer, [431])["code"] == "headers-too-large"


@pytest.mark.parametrize(
    "name", ["accept", "signature", "accept-language", "cookie", "if-none-match", "authorization", "x"]
)
async def test_too_long_header_fields_are_a_431(site: Site, name: str) -> None:
    """32 KiB of header fields are enough too."""
    answer = await ask(site.app, "GET", "/users/alice", [(name, "a," * 20_000)])
    assert problem_of(answer, [431])["code"] == "headers-too-large"


HEADERS = (
    "accept", "accept-language", "accept-signature", "authorization", "content-encoding", "cookie", "date", "digest",
    "content-digest", "if-none-match", "if-modified-since", "range", "signature", "signature-input", "x-forwarded-for",
    "content-usage", "ai-usage", "tdm-reservation", "x-robots-tag", "origin", "referer", "user-agent",
    "transfer-encoding",
)  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [b"\xff\xfe\x00", "名前".encode(), b"", b'"', b"=:", b"a" * 8_000, b"\t,;=\\"])
async def test_strange_bytes_in_a_header_are_no_crash(site: Site, name: str, value: bytes) -> None:
    """Whatever stands in a header, reading and sending end in an answer below 500."""
    for method, path, body in (("GET", "/users/alice", b""), ("GET", "/@alice", b""), ("POST", INBOX, LIKE)):
        lines: list[tuple[str | bytes, str | bytes]] = [(name, value), *(JSON if method == "POST" else [])]
        assert (await ask(site.app, method, path, lines, body)).status < 500


@pytest.mark.parametrize(
    "query",
    [
        b"x=" + b"a" * 500_000, b"&" * 100_000, b"page=\xff\xfe", b"lang=\xff", b"page=%00", b"page=%ff", b"?????", b"",
        b"page=" + b"9" * 10_000, b"lang=../../etc", b"resource=%F0%9F", b"\xe5\x90\x8d=\xe5\x89\x8d",
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", ["application/activity+json", "text/html"])
@pytest.mark.parametrize(
    "path", ["/@alice", "/users/alice", "/.well-known/webfinger", "/nothing-here", "/@alice.atom", "/robots.txt", INBOX]
)
async def test_strange_queries_are_no_crash(site: Site, path: str, query: bytes, accept: str) -> None:
    """Huge, undecodable or senseless queries end in an answer below 500, for software and for people."""
    body = LIKE if path == INBOX else b""
    target = path.encode() + b"?" + query
    answer = await ask(site.app, "POST" if body else "GET", target, [*JSON, ("accept", accept)], body)
    assert answer.status < 500


@pytest.mark.parametrize("query", [b"page=\xff\xfe", b"page=zzzz", b"page=", b"page=%00", b"page=" + b"9" * 10_000])
async def test_a_senseless_cursor_is_a_page_or_nothing(site: Site, query: bytes) -> None:
    """A cursor nobody gave out leads to some page of the outbox, never to a crash."""
    answer = await site.signed(f"/users/alice/outbox?{query.decode('latin-1')}")
    assert answer.status < 500


@pytest.mark.parametrize(
    "path",
    [
        "/users/alice/../carol", "/users/./alice", "/users//alice", "//users/alice", "/users/alice//inbox",
        "/users/alice%2Finbox", "/users%2Falice", "/users/%2e%2e/actor", "/users/alice%00", "/users/alice%0d%0aX:1",
        "/users/..", "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/settings.py",
        "/static//etc/passwd",
        "/static/%00", "/static/" + "a" * 5_000, "/static/", "/media/../../gateway.db", "/@alice/../carol", "/@",
        "/@alice%2F2222222222222", "/posts/", "/posts/%2e%2e%2fusers%2falice", "/nothing", "/.env", "/admin",
        "/wp-login.php",
        "/\\evil.example", "//evil.example/", "/users/\xff", "/%ff%fe", "/" + "a" * 60_000, "/%", "/%zz",
        "/users/alice;x=1",
        "/users/alice.json", "/.well-known/../actor", "/.well-known/nodeinfo/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", ["application/activity+json", "text/html"])
async def test_an_address_that_is_none_is_a_404(site: Site, path: str, accept: str) -> None:
    """Dot segments, doubled and encoded slashes and unknown paths lead nowhere."""
    answer = await ask(site.app, "GET", path.encode("latin-1"), [("accept", accept)])
    if accept == "text/html":
        assert (answer.status, answer.media_type) == (404, "text/html; charset=utf-8")
        assert 'href="//' not in answer.text
        assert 'href="/\\' not in answer.text
    else:
        assert problem_of(answer, [404])["code"] == "not-found"


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "get", "\x00", ""]
)
@pytest.mark.parametrize("path", ["/users/alice", INBOX, "/@alice", "/static/gateway.css"])
async def test_a_method_nobody_offers_is_a_405(site: Site, method: str, path: str) -> None:
    """Unknown methods and ones in the wrong case are refused, with the ones that are taken."""
    answer = await ask(site.app, method, path, JSON, LIKE)
    assert problem_of(answer, [405])["code"] == "method-not-allowed"
    assert answer.header("allow")


async def test_a_post_where_only_reading_is_offered_is_a_405(site: Site) -> None:
    """Actors, posts and pages take no POST."""
    for path in ("/users/alice", site.path("public"), "/@alice", "/users/alice/followers"):
        assert problem_of(await ask(site.app, "POST", path, JSON, LIKE), [405])["code"] == "method-not-allowed"


async def test_an_inbox_is_not_read(site: Site) -> None:
    """A GET of a shared inbox is a 405, also when it is signed; a personal one is its owner's alone."""
    for path, status in (("/inbox", 405), ("/actor/inbox", 405), (INBOX, 403)):
        problem_of(await site.signed(path), [status])
