"""Words of strangers where something else reads them: header lines, absolute addresses, SQL, feeds, terminals."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from attacks.web_scene import ALICE, FORM, PNG, SAME_SITE, Case, Site, cases, filled, opened
from starlette.routing import Mount, Route
from web.asking import ask
from world import BASE, snapshot

import gateway
from gateway.flows import grant
from gateway.urls import origin_of
from gateway.web.app import ROUTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web.asking import Answer

pytestmark = pytest.mark.anyio

SPLITS = {
    "CR LF": "a\r\nX-Evil: y",
    "LF": "a\nX-Evil: y",
    "CR": "a\rX-Evil: y",
    "encoded": "a%0d%0aX-Evil:%20y",
    "twice encoded": "a%250d%250aX-Evil: y",
    "folded": "a\r\n X-Evil: y",
    "in UTF-8": "a\u560d\u560aX-Evil: y",
    "line separator": "a\u2028X-Evil: y\u0085X-Evil: z",
    "a whole answer": "a\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: y\r\n\r\n<script>",
}
CHALLENGE = grant.challenge_of("v" * 43)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path, monkeypatch) as made:
        yield made


def reads() -> list[str]:
    """Return the path of every address that is read."""
    return [
        route.path
        for route in ROUTES
        if isinstance(route, Mount) or (isinstance(route, Route) and "GET" in (route.methods or ()))
    ]


def check_lines(answer: Answer) -> None:
    """Fail for an answer in which a stranger wrote a header."""
    assert not any("evil" in name for name, _ in answer.lines)
    assert len({name for name, _ in answer.lines}) == len(answer.lines)


async def app_of(site: Site, uri: str) -> str:
    """Register an app and return its id."""
    body = json.dumps({"redirect_uris": [uri], "client_name": "x"}).encode()
    answer = await site.ask("POST", "/oauth/register", [("content-type", "application/json")], body)
    assert answer.status == 201, answer.text
    return str(answer.json["client_id"])


@pytest.mark.parametrize("kind", SPLITS)
@cases("WEB-INJ-001")
async def test_no_answer_gets_a_header_from_a_stranger(site: Site, case: Case, kind: str) -> None:
    """File names, OAuth states and addresses, languages, paths and ids end in one header or in none."""
    word, safe = SPLITS[kind], quote(SPLITS[kind], safe="")
    for disposition in (f'filename="{safe}"', f"filename*=UTF-8''{safe}"):
        answer = await site.upload(PNG, disposition)
        check_lines(answer)
        if answer.status == 201:
            assert answer.header("location") == answer.json["url"]
            check_lines(await site.get(answer.json["url"].removeprefix(BASE)))
    asked = {
        "client_id": await app_of(site, "https://app.example/cb"), "redirect_uri": "https://app.example/cb",
        "response_type": "code", "state": word, "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip
    session = await site.session()
    for decision in ("deny", "allow"):
        answer = await site.form("/oauth/authorize", {**asked, "decision": decision}, SAME_SITE, session)
        check_lines(answer)
        assert answer.status == 303
        assert parse_qs(urlsplit(answer.header("location")).query)["state"] == [word]
    for fields in ({**asked, "redirect_uri": f"https://app.example/cb?{word}"}, {**asked, "client_id": word}):
        answer = await site.form("/oauth/authorize", {**fields, "decision": "deny"}, SAME_SITE, session)
        check_lines(answer)
        assert answer.status == 400
    for target in (f"/@{safe}", f"/users/{safe}", f"/posts/{safe}", f"/tags/{safe}", f"/media/x/{safe}", f"/{safe}",
                   f"/@alice?lang={safe}", f"/sign-in?code={safe}", f"/.well-known/webfinger?resource={safe}",
                   f"/problems/{safe}", f"/schemas/{safe}", f"/static/{safe}"):  # fmt: skip
        for accept in ("text/html", "application/activity+json"):
            check_lines(await site.get(target, accept=accept))
    case.proves("no_new_header")


MEMBERS = (
    "inbox",
    "sharedInbox",
    "id",
    "url",
    "publicKey",
    "followers",
    "preferredUsername",
    "contentUsage",
    "xRobotsTag",
)


@pytest.mark.parametrize("member", MEMBERS)
@cases("WEB-INJ-001")
async def test_no_request_of_ours_gets_a_header_from_a_stranger(site: Site, case: Case, member: str) -> None:
    """What a peer calls its inbox, key, name or wishes never adds a header to what we send it, or answer about it."""
    bob = site.bob
    lines = [("content-type", FORM), site.bearer()]
    for word in SPLITS.values():
        address = f"{bob.me.id}/{word}"
        known: dict[str, dict[str, Any]] = {
            "sharedInbox": {"endpoints": {"sharedInbox": address}},
            "publicKey": {"publicKey": {"id": address, "owner": bob.me.id, "publicKeyPem": bob.me.rsa.public.pem()}},
            "contentUsage": {"contentUsage": f"train-ai=n{word}", "aiUsage": {"prefs": {word: "n"}}},
            "preferredUsername": {"preferredUsername": word, "name": word},
            "xRobotsTag": {"xRobotsTag": [f"noai{word}", word]},
        }
        changes = known.get(member, {member: address})
        bob.serve_document(bob.me.id, bob.me.document(**changes))
        first = len(site.world.board.requests)
        note = bob.note("x", inReplyTo=site.posts["public"].id, cc=[ALICE], **changes)
        for document in (bob.activity("Update", bob.me.document(**changes)), bob.activity("Create", note, cc=[ALICE])):
            assert (await bob.post(f"{BASE}/inbox", document)).status_code < 500
            await site.world.drain()
        await site.send({"type": "Note", "content": "x", "to": [bob.me.id, address]})
        for wanted in (bob.me.id, address):
            check_lines(await ask(site.app, "POST", "/api/proxy", lines, urlencode({"id": wanted}).encode()))
        sent = site.world.board.requests[first:]
        assert len(sent) > 2
        for request in sent:
            assert not any(b"evil" in name.lower() for name, _ in request.headers.raw)
            assert not any(set(name + value) & set(b"\r\n\0") for name, value in request.headers.raw)
            assert not set(request.url.raw_path) & set(b"\r\n\0 ")
    case.proves("no_new_header")


FOREIGN_HOSTS = (
    "evil.example", "gw.example.evil.example", "evilgw.example", "gw.example:8443", "gw.example:0443x",
    "evil.example:443", "gw.example@evil.example", "evil.example/gw.example", "evil.example#gw.example",
    "gw.example, evil.example", "127.0.0.1", "localhost", "[::1]", "gw.example evil.example", "gw.example\tevil", "",
    ":443", "gw%2eexample", "gw.example:evil", "gw.example\xa0.evil",
)  # fmt: skip
OUR_HOSTS = ("gw.example", "GW.Example", "gw.example:443", "gw.example.", "gw.example:")


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@cases("WEB-INJ-002")
async def test_a_foreign_host_is_answered_for_nowhere(site: Site, case: Case, host: str) -> None:
    """Every address but the two of health refuses a foreign Host, says nothing about it and does nothing."""
    before = site.everything()
    for route in ROUTES:
        assert isinstance(route, (Route, Mount))
        for method in (route.methods or {"GET"}) if isinstance(route, Route) else {"GET"}:
            target = filled(site, route.path)
            answer = await site.ask(method, target, [site.bearer(), ("accept", "text/html")], host=host.encode())
            if route.path not in ("/livez", "/readyz"):
                assert answer.status in (400, 421), (method, target, answer.status)
            assert b"evil" not in answer.body
            assert not any("evil" in value for _, value in answer.lines)
    assert site.everything() == before
    case.proves("configured_origin_used")


@pytest.mark.parametrize("host", OUR_HOSTS)
@cases("WEB-INJ-002")
async def test_our_own_host_in_any_spelling_changes_nothing(site: Site, case: Case, host: str) -> None:
    """Ids, links and redirects come from the configured origin, however the request spells it."""
    for path in reads():
        target = filled(site, path)
        for accept in ("text/html", "application/activity+json"):
            lines = [("accept", accept), *(() if accept == "text/html" else (site.bearer(),))]
            plain = await site.ask("GET", target, lines)
            assert await site.ask("GET", target, lines, host=host.encode()) == plain
            assert plain.header("location") == "" or plain.header("location").startswith(f"{BASE}/")
    answer = await site.ask("GET", "/users/alice", [("accept", "application/activity+json")], host=host.encode())
    assert answer.json["id"] == ALICE
    case.proves("configured_origin_used")


REWRITES = (
    ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http"), ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-port", "8443"), ("x-forwarded-server", "evil.example"), ("x-forwarded-scheme", "http"),
    ("x-forwarded-path", "/users/carol"), ("x-forwarded-uri", "/users/carol"), ("x-forwarded-for", "127.0.0.1"),
    ("forwarded", "for=127.0.0.1;host=evil.example;proto=http"), ("x-host", "evil.example"),
    ("x-original-host", "evil.example"), ("x-http-host-override", "evil.example"), ("x-original-url", "/users/carol"),
    ("x-rewrite-url", "/users/carol"), ("x-real-ip", "127.0.0.1"), ("true-client-ip", "127.0.0.1"),
    ("cf-connecting-ip", "127.0.0.1"), ("x-script-name", "/evil"), ("x-url-scheme", "http"), ("x-arr-ssl", "off"),
    ("front-end-https", "off"), ("x-remote-user", "alice"), ("remote-user", "alice"), ("x-forwarded-user", "alice"),
    ("x-authenticated-user", "alice"), ("x-wap-profile", "http://evil.example/"),
)  # fmt: skip


@pytest.mark.parametrize("trusted", [False, True])
@cases("WEB-INJ-003")
async def test_headers_of_proxies_rewrite_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case, *, trusted: bool
) -> None:
    """Every answer is the same with and without them, also from a trusted proxy: scheme and host are configured."""
    proxies = ["192.0.2.0/24"] if trusted else []
    async with opened(tmp_path, monkeypatch, trusted_proxies=proxies) as site:
        for path in reads():
            for more in ([("accept", "text/html")], [("accept", "application/activity+json"), site.bearer()]):
                target = filled(site, path)
                plain = await site.ask("GET", target, more)
                assert await site.ask("GET", target, [*more, *REWRITES]) == plain, target
                assert b"evil" not in plain.body
        for line in REWRITES:
            assert await site.ask("GET", "/users/alice", [line]) == await site.ask("GET", "/users/alice")
        session = await site.session()
        left = await site.form("/sign-out", {}, SAME_SITE, session, *REWRITES)
        assert (left.status, left.header("location")) == (303, f"{BASE}/")
    case.proves("ignored")


QUOTES = (
    "'", '"', "' OR '1'='1", "alice' --", "alice'; DROP TABLE object; --", '"; DELETE FROM account; --',
    "' UNION SELECT id, hash, label FROM token --", "1) OR (1=1", "x' AND sleep(5) --", "'||(SELECT hash FROM token)",
    "%", "_____", "%' OR name LIKE '%", "\\'; --", "*", "alice/*", "1; ATTACH DATABASE 'x' AS x", ":name", "?", "$1",
    "\u02bc OR 1=1", "\uff07; --", "0x27", "CHAR(39)", "NULL", "a\u0301' --", "randomblob(1000000000)",
)  # fmt: skip


@pytest.mark.parametrize("word", QUOTES)
@cases("WEB-INJ-006")
async def test_a_query_is_data(site: Site, case: Case, word: str) -> None:
    """In every parameter and every part of a path, the signs of SQL find nothing and change nothing."""
    before, safe = site.everything(), quote(word, safe="")
    reader = [site.bearer(), ("accept", "application/activity+json")]
    for target in (
        f"/users/{safe}", f"/users/{safe}/outbox", f"/users/{safe}/inbox", f"/@{safe}", f"/@{safe}.atom",
        f"/@alice/{safe}", f"/posts/{safe}", f"/posts/{safe}/replies", f"/posts/{safe}/likes", f"/activities/{safe}",
        f"/tags/{safe}", f"/media/{safe}/{safe}", f"/problems/{safe}", f"/schemas/{safe}", f"/static/{safe}",
        f"/.well-known/webfinger?resource=acct:{safe}@gw.example",
        f"/.well-known/webfinger?resource={BASE}/users/{safe}",
    ):  # fmt: skip
        assert (await site.ask("GET", target, reader)).status in (400, 404), target
    for name in ("inbox", "outbox", "followers", "following", "liked"):
        for query in (f"page={safe}", f"page=1&sort={safe}&order={safe}&limit={safe}&filter={safe}&q={safe}"):
            answer = await site.ask("GET", f"/users/alice/{name}?{query}", reader)
            assert answer.status == (404 if query.startswith(f"page={safe}") else 200), (name, query)
    for target in (f"/sign-in?code={safe}", f"/oauth/authorize?client_id={safe}&state={safe}", f"/?lang={safe}",
                   f"/inspect.json?url={safe}", f"/inspect.json?use={safe}&url={quote(ALICE, safe='')}"):  # fmt: skip
        assert (await site.ask("GET", target, reader)).status in (200, 400, 401, 404), target
    for path, fields in (
        ("/sign-in", {"code": word}),
        ("/oauth/token", {"client_id": word, "code": word}),
        ("/oauth/revoke", {"client_id": word, "token": word}),
        ("/oauth/authorize", {"client_id": word, "decision": "allow"}),
    ):
        assert (await site.form(path, fields, SAME_SITE)).status in (400, 401)
    assert (await site.ask("GET", "/users/alice/inbox", [("authorization", f"Bearer {word}".encode())])).status == 401
    assert (await site.ask("GET", "/inspect.json", [("cookie", f"gateway_session={word}".encode())])).status == 401
    assert site.everything() == before
    case.proves("parameterised")


@pytest.mark.parametrize("word", QUOTES)
@cases("WEB-INJ-006")
async def test_what_a_peer_or_a_client_writes_is_data(site: Site, case: Case, word: str) -> None:
    """Ids, names, texts, tags, types and dates with the signs of SQL are kept as they are, or not at all."""
    bob, kit = site.bob, site.gateway.kit
    ours = [row for row in snapshot(kit)["object"] if row["local"]]
    accounts = snapshot(kit)["account"]
    tags = [{"type": "Hashtag", "name": f"#{word}", "href": word}, {"type": "Mention", "name": word, "href": word}]
    text = word.replace("&", "").replace("<", "")
    odd = {
        "tag": tags,
        "name": word,
        "summary": text,
        "url": word,
        "replies": word,
        "context": word,
        "conversation": word,
    }
    kept = {**bob.note(text, inReplyTo=site.posts["public"].id, cc=[ALICE]), **odd}
    documents = [
        bob.activity("Create", kept, cc=[ALICE]),
        *(
            bob.activity("Create", {**bob.note("x", cc=[ALICE]), name: word}, cc=[ALICE])
            for name in ("type", "published", "updated", "inReplyTo", "to", "contentUsage", "aiUsage", "attachment")
        ),
        bob.activity("Like", site.posts["public"].id, id=f"{bob.base}/likes/{quote(word, safe='')}"),
        bob.activity("Like", word),
        bob.activity("Flag", [ALICE, word], content=word),
        bob.activity("Undo", {"type": word, "id": word, "object": word, "actor": word}),
        bob.activity("Delete", word),
        bob.activity(word, ALICE),
    ]
    for document in documents:
        assert (await bob.post(f"{BASE}/inbox", document)).status_code in (202, 400, 403)
    await site.world.drain()
    stored = kit.store.objects.get(kept["id"])
    assert stored is not None
    assert stored.document["name"] == word
    assert [row for row in snapshot(kit)["object"] if row["local"]] == ours
    assert snapshot(kit)["account"] == accounts
    sent = await site.send({"type": "Article", "name": word, "content": "x", "tag": tags, "context": word})
    assert sent.status == 201
    assert (await site.send({"type": word, "content": "x"})).status in (201, 400)
    kit.store.database.value("PRAGMA integrity_check")
    case.proves("parameterised")


async def test_an_underscore_in_a_host_is_no_wildcard(site: Site) -> None:
    """Peers whose names differ in one character are two peers, whatever LIKE makes of that character."""
    peers, now = site.gateway.kit.store.peers, site.world.clock.now()
    for host in ("x.a_b.example", "x.axb.example"):
        peers.seen(origin_of(f"https://{host}"), now)
    assert peers.origins_of("a_b.example") == ["https://x.a_b.example"]
    announce = f"{site.bob.base}/activities/announce"
    await site.arrives(site.bob.activity("Announce", site.posts["public"].id, id=announce))
    assert peers.boosts_of(origin_of(site.bob.base)) == [announce]
    assert peers.boosts_of(origin_of("https://pee_.example")) == []


def _is_fixed(node: ast.expr, fixed: set[str]) -> bool:
    """Tell whether an expression is made of constants alone."""
    if isinstance(node, ast.JoinedStr):
        return all(_is_fixed(part, fixed) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _is_fixed(node.value, fixed)
    if isinstance(node, ast.BinOp):
        return _is_fixed(node.left, fixed) and _is_fixed(node.right, fixed)
    if isinstance(node, ast.IfExp):
        return _is_fixed(node.body, fixed) and _is_fixed(node.orelse, fixed)
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id in fixed)


# Where the names of columns or parameters, which the source makes up itself, are put into a statement.
NAMES = {"statements.py": "INSERT INTO statement ({names}) VALUES", "jobs.py": "WHERE state IN ({marks})"}


def test_no_statement_of_sql_is_made_of_values() -> None:
    """Every statement in the store is written in the source: what varies is a parameter."""
    looked_at = 0
    for path in sorted((Path(gateway.__file__).parent / "store").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        fixed: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and _is_fixed(node.value, fixed):
                fixed |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            if isinstance(node, ast.For) and isinstance(node.iter, ast.Tuple) and isinstance(node.target, ast.Name):
                fixed |= {node.target.id} if all(_is_fixed(one, fixed) for one in node.iter.elts) else set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and path.name != "database.py":
                owner = ast.unparse(node.func.value)
                if owner.endswith("_db") and node.func.attr in ("run", "rows", "one", "value", "execute"):
                    looked_at += 1
                    named = path.name in NAMES and NAMES[path.name] in ast.unparse(node.args[0])
                    assert named or _is_fixed(node.args[0], fixed), f"{path.name}:{node.lineno}"
    assert looked_at > 80
