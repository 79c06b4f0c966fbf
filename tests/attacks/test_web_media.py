"""Files of strangers: nothing that acts is taken, what is taken is never run, and never read as a document."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from attacks.web_dom import policy_of
from attacks.web_scene import ALICE, FORM, PNG, Case, Site, cases, opened
from flows import keypool
from peers.plain import ACTIVITY_JSON
from processes import Served
from web.asking import ask, problem_of
from world import BASE, account

from gateway.flows import grant, kit
from gateway.media import files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from web.asking import Answer

pytestmark = pytest.mark.anyio

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
DOCUMENT = json.dumps({"@context": "https://www.w3.org/ns/activitystreams", "id": ALICE, "type": "Person"}).encode()
ACTIVE = {
    "svg": SVG,
    "svg with a declaration": b'<?xml version="1.0"?>' + SVG,
    "svg after a mark": b"\xef\xbb\xbf" + SVG,
    "svg after blanks": b"\n \t" + SVG,
    "svg in UTF-16": SVG.decode().encode("utf-16"),
    "svg after a comment": b"<!-- RIFF -->" + SVG,
    "svg, packed": bytes.fromhex("1f8b0800") + SVG,
    "html": HTML,
    "xhtml": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "mhtml": b"MIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n" + HTML,
    "pdf": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>",
    "flash": b"CWS\x0a" + bytes(60),
    "script": b"alert(1)//",
    "stylesheet": b"*{background:url(javascript:alert(1))}",
    "json": DOCUMENT,
    "feed": b'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title></feed>',
    "web assembly": b"\0asm\1\0\0\0",
    "nothing": b"",
    "a byte": b"\x89",
    "PNG in lower case": b"\x89png\r\n\x1a\n" + bytes(40),
}
# Two things at once: what a browser may show, and something that would act if it were taken for the other.
POLYGLOTS = {
    "GIF that is a script": b"GIF89a/*" + bytes(30) + b"*/=1;alert(1)//",
    "GIF that is a page": b"GIF89a<script>alert(1)</script>",
    "PNG with a page": PNG + HTML,
    "PNG with an svg": PNG + SVG,
    "JPEG with a page in a comment": b"\xff\xd8\xff\xfe\x00\x30" + HTML,
    "PNG that is a document": PNG + DOCUMENT,
    "sound with a page": b"ID3" + HTML,
    "stream with a page": b"OggS" + HTML,
}
ACCEPTS = (
    ACTIVITY_JSON,
    'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
    "application/ld+json",
    "application/json",
    "application/activity+json, application/ld+json, */*;q=0.1",
    "application/jrd+json",
    "application/xml",
    "image/svg+xml",
    "text/html",
    "text/html, application/activity+json;q=0.9",
    "*/*",
    "",
    "\xff",
)


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path / "world", monkeypatch) as made:
        yield made


def on_disk(site: Site) -> set[Path]:
    """Return every file of the data directory but the database's."""
    root = site.gateway.kit.settings.data
    return {path for path in root.rglob("*") if path.is_file() and not path.name.startswith("gateway.")}


def check_served(answer: Answer) -> None:
    """Fail for an answer with a file that a browser could run or a server could take for a document."""
    assert answer.media_type in {kind for _, _, kind in files._SIGNATURES}
    policy = policy_of(answer)
    assert policy["default-src"] == "'none'"
    assert policy["sandbox"] == ""
    assert policy.keys() <= {"default-src", "sandbox", "frame-ancestors"}
    assert answer.header("x-content-type-options") == "nosniff"
    disposition = answer.header("content-disposition")
    assert re.fullmatch(r'(inline|attachment); filename="[A-Za-z0-9._-]{1,80}"', disposition), disposition


async def posted(site: Site, uploaded: dict[str, Any]) -> str:
    """Publish an uploaded file; return its path."""
    assert (await site.send({"type": "Note", "content": "x", "attachment": [uploaded]})).status == 201
    return str(uploaded["url"]).removeprefix(BASE)


@pytest.mark.parametrize("kind", ACTIVE)
@cases("WEB-MEDIA-001")
async def test_what_acts_is_not_taken(site: Site, case: Case, kind: str) -> None:
    """SVG, HTML and everything else that is no picture, film or sound is a 415, whatever it calls itself."""
    before = on_disk(site), site.everything()
    for named in (
        'filename="a.png"',
        'filename="a.svg"; type="image/png"',
        'filename="a.gif"\r\ncontent-type: image/gif',
    ):
        problem_of(await site.upload(ACTIVE[kind], named), [400, 415])
    assert (on_disk(site), site.everything()) == before
    case.proves("attachment_or_refused", "csp_sandbox")


@pytest.mark.parametrize("kind", POLYGLOTS)
@cases("WEB-MEDIA-001")
async def test_what_could_be_two_things_is_only_one(site: Site, case: Case, kind: str) -> None:
    """A picture that is also a page, a script or a document is served as the picture: unsniffed, in a sandbox."""
    answer = await site.upload(POLYGLOTS[kind])
    if answer.status != 201:
        problem_of(answer, [415])
    else:
        path = await posted(site, answer.json)
        for accept in ACCEPTS:
            served = await site.ask("GET", path, [("accept", accept), ("sec-fetch-dest", "document")])
            assert (served.status, served.body) == (200, POLYGLOTS[kind])
            check_served(served)
        check_served(await site.ask("HEAD", path))
        part = await site.get(path, range="bytes=6-40")
        assert part.status == 206
        check_served(part)
    case.proves("attachment_or_refused", "csp_sandbox")


@pytest.mark.parametrize("kind", [*ACTIVE, *POLYGLOTS])
def test_the_command_line_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """``gateway post create --media`` is as strict as an upload."""
    monkeypatch.setattr(kit, "generate", keypool.pooled)
    gateway = Served(data=tmp_path / "gw", port=20_000)
    gateway.cli("account", "create", "alice")
    picture = tmp_path / "a.png"
    picture.write_bytes({**ACTIVE, **POLYGLOTS}[kind])
    told = gateway.run("post", "create", "alice", "look", "--media", str(picture), "--alt", "a", "--json")
    rows = gateway.rows("SELECT media_type FROM media")
    if kind in ACTIVE:
        assert (told.code, rows) == (2, []), told
        assert not gateway.rows("SELECT id FROM object")
    else:
        assert told.code in (0, 2)
        assert all(row["media_type"].partition("/")[0] in ("image", "video", "audio") for row in rows)


def disguised() -> dict[str, bytes]:
    """Return documents and pages with the mark of a media format where its place is not the very beginning."""
    made = {}
    for offset, mark, kind in files._SIGNATURES:
        if offset:
            word = mark.decode("ascii")
            made[f"document as {kind}"] = ('{"' + "a" * (offset - 2) + word + '":1,' + DOCUMENT.decode()[1:]).encode()
            made[f"page as {kind}"] = ("<!--".ljust(offset) + word + "-->").encode() + HTML
            made[f"svg as {kind}"] = ("<a b" if offset == 4 else "<svg  b=").encode() + mark + b' xmlns="x"/>'
    return made


@pytest.mark.parametrize("kind", disguised())
@cases("WEB-MEDIA-003")
async def test_no_document_passes_for_a_file(site: Site, case: Case, kind: str) -> None:
    """JSON, HTML and XML with the mark of a media format in the middle are no media: nobody can read them here.

    Files are on the same host on purpose; in exchange no file there can be a document, for the most careless reader.
    """
    body = disguised()[kind]
    if kind.startswith("document"):
        assert json.loads(body)["id"] == ALICE
    problem_of(await site.upload(body), [415])
    case.proves("refuses_to_start")


@pytest.mark.parametrize("name", ["a.json", "alice", "actor.activity+json", "a.jsonld", "a.html", "a.svg", "inbox"])
@cases("WEB-MEDIA-003")
async def test_a_file_is_never_a_document(site: Site, case: Case, name: str) -> None:
    """Whatever is asked for and however the file is called, the type is the picture's, and no fetcher takes it."""
    uploaded = (await site.upload(PNG + DOCUMENT, f'filename="{name}"')).json
    path = await posted(site, uploaded)
    for accept in ACCEPTS:
        for target in (path, f"{path}?format=json", f"{path}?_accept={quote(ACTIVITY_JSON)}"):
            served = await site.ask("GET", target, [("accept", accept)])
            assert served.media_type == "image/png"
            check_served(served)
    for tail in ("/", "/inbox", "/outbox", ".json", "%2f", ";.json", "/../alice"):
        assert (await site.get(path + tail, accept=ACTIVITY_JSON)).status in (404, 405)
    other = site.world.gateway("https://other.example")
    token = grant.create_token(other.kit, account(other, "dora"), "test")[1]
    for wanted, statuses in ((f"{BASE}{path}", (404, 502)), (site.posts["public"].id, (200,))):
        lines = [("content-type", FORM), ("authorization", f"Bearer {token}")]
        body = urlencode({"id": wanted}).encode()
        found = await ask(
            site.world.board.apps["other.example"], "POST", "/api/proxy", lines, body, host="other.example"
        )
        assert found.status in statuses, found.text
        assert (DOCUMENT in found.body) is False
    case.proves("refuses_to_start")


NAMES = {
    "climbing": "../../etc/cron.d/x",
    "climbing backwards": "..\\..\\windows\\x.png",
    "absolute": "/etc/passwd",
    "a drive": "C:\\x.png",
    "NUL": "a\0.png",
    "5,000 characters": "x" * 5_000,
    "a device": "CON",
    "a device with an ending": "nul.png",
    "trailing dot": "a.png.",
    "trailing blank": "a.png ",
    "composed": unicodedata.normalize("NFC", "é.png"),
    "decomposed": unicodedata.normalize("NFD", "é.png"),
    "only dots": "....",
    "hidden": ".htaccess",
    "a line break": "a\r\nX-Evil: y\r\n\r\n<script>.png",
    "quotes": 'a".png"; x="',
    "markup": "<script>alert(1)</script>.png",
    "turned round": "gnp.\u202eexe.png",
    "a stream": "a.png::$DATA",
    "an option": "-rf",
    "a template": "{{7*7}}%s%n",
    "twice encoded": "%252e%252e%252f%252e%252e%252fx",
    "fullwidth": "．．／．．／x",
    "the database": "../gateway.db",
    "empty": "",
}


def dispositions(name: str) -> list[bytes]:
    """Return the ways to write a file name into a form."""
    raw = name.encode()
    quoted = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    ways = [b'filename="%s"' % quote(name, safe="").encode(), b"filename*=UTF-8''" + quote(name, safe="").encode()]
    return ways if set(raw) & set(b"\r\n") else [b'filename="%s"' % quoted, *ways]


@pytest.mark.parametrize("kind", NAMES)
@cases("WEB-MEDIA-004")
async def test_a_file_name_is_no_path(site: Site, case: Case, kind: str) -> None:
    """Files lie where their hash says; of the name only harmless letters are left, in address and header."""
    root = site.gateway.kit.settings.data / "media"
    for number, disposition in enumerate(dispositions(NAMES[kind])):
        before = on_disk(site)
        content = PNG + f"{kind}{number}".encode()
        answer = await site.upload(content, disposition)
        added = on_disk(site) - before
        if answer.status != 201:
            problem_of(answer, [400])
            assert added == set()
            continue
        assert [
            re.fullmatch(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}", str(p.relative_to(root))) is None for p in added
        ] == [False]
        assert re.fullmatch(rf"{BASE}/media/[a-z0-9]+/[A-Za-z0-9_-][A-Za-z0-9._-]{{0,79}}", answer.json["url"])
        assert not answer.json["url"].endswith(".")
        assert answer.header("location") == answer.json["url"]
        served = await site.get(await posted(site, answer.json))
        assert served.body == content
        check_served(served)
    case.proves("inside_root")


def test_a_file_name_of_the_command_line_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file is called on the admin's disk comes out as harmless as what a stranger calls one."""
    monkeypatch.setattr(kit, "generate", keypool.pooled)
    gateway = Served(data=tmp_path / "gw", port=20_000)
    gateway.cli("account", "create", "alice")
    for number, name in enumerate(
        name for name in NAMES.values() if name and not set(name) & set("\0/") and len(name) < 200
    ):
        picture = tmp_path / f"{number}" / name
        picture.parent.mkdir()
        picture.write_bytes(PNG + bytes([number]))
        gateway.cli("post", "create", "alice", "look", "--media", str(picture))
    names = [row["name"] for row in gateway.rows("SELECT name FROM media")]
    assert len(names) > 12
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", name) for name in names), names


RELAYED = ("https://peer.example/page", "https://evil.example/", "http://169.254.169.254/", f"{BASE}/users/alice", "x")


@pytest.mark.parametrize("wanted", RELAYED)
@cases("WEB-MEDIA-007")
async def test_nobody_fetches_through_us_without_leave(site: Site, case: Case, wanted: str) -> None:
    """The two addresses that fetch for somebody need a token for reading: 401 or 403, and nothing is asked for."""
    writer = grant.create_token(site.gateway.kit, site.alice, "writer", [grant.WRITE])[1]
    gone = grant.create_token(site.gateway.kit, site.alice, "old")
    site.gateway.kit.store.accounts.revoke_token(gone[0].id, site.world.clock.now())
    asked = len(site.world.board.requests)
    body, query = urlencode({"id": wanted}).encode(), f"?url={quote(wanted, safe='')}"
    session = await site.session()
    credentials: list[tuple[list[tuple[str, str]], int]] = [
        ([], 401),
        ([("authorization", "Bearer ")], 401),
        ([("authorization", "Bearer gw_nobody")], 401),
        ([("authorization", f"Bearer {gone[1]}")], 401),
        ([("authorization", f"Basic {site.tokens['alice']}")], 401),
        ([("authorization", f"Bearer {writer}")], 403),
        ([("authorization", f"Bearer {session[1].partition('=')[2]}")], 401),
        ([("cookie", f"gateway_session={site.tokens['alice']}")], 401),
        ([("cookie", "gateway_session=")], 401),
        ([("x-signature", "0" * 64)], 401),
    ]
    for lines, status in credentials:
        site.world.clock.forward(minutes=5)
        for more in (
            "",
            f"&hmac={'0' * 64}",
            f"&access_token={site.tokens['alice']}",
            f"&token={site.tokens['alice']}",
        ):
            inspected = await site.ask("GET", f"/inspect.json{query}{more}", lines)
            proxied = await site.ask("POST", f"/api/proxy{query}{more}", [("content-type", FORM), *lines], body)
            assert (inspected.status, proxied.status) == (status, status)
        assert (await site.ask("GET", f"/api/proxy{query}", lines)).status == 405
    # A browser's session is for the inspector alone, and a signature for neither.
    assert (await site.ask("POST", "/api/proxy", [("content-type", FORM), session], body)).status == 401
    assert (await site.signed(f"/inspect.json{query}")).status == 401
    assert len(site.world.board.requests) == asked
    case.proves("403")


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/json", "application/octet-stream", ""])
async def test_what_is_no_document_is_not_relayed(site: Site, kind: str) -> None:
    """The proxy hands on ActivityStreams documents and nothing else, and always as what they are."""
    secret = "<script>alert('relayed')</script>"
    site.bob.serve("/page", secret, content_type=kind)
    body = urlencode({"id": f"{site.bob.base}/page"}).encode()
    lines = [("content-type", FORM), site.bearer(), ("accept", "text/html")]
    answer = await ask(site.app, "POST", "/api/proxy", lines, body)
    problem_of(answer, [404, 502])
    assert "relayed" not in answer.text


@pytest.mark.parametrize("who", ["stranger", "follower", "another account"])
async def test_the_file_of_a_hidden_post_is_told_nobody(site: Site, who: str) -> None:
    """A file that only a hidden post shows has an address that cannot be guessed, and no answer names it."""
    uploaded = (await site.upload(PNG)).json
    await site.send({"type": "Note", "content": "x", "attachment": [uploaded], "to": [f"{BASE}/users/carol"]})
    media_id = uploaded["url"].split("/")[-2]
    ask_as = site.signed if who == "follower" else site.get
    for target in ("/@alice", "/@alice.atom", "/users/alice/outbox?page=1", "/", "/nodeinfo/2.1", "/media/", "/media"):
        answer = await (
            site.owned(target, "carol") if who == "another account" and "/@" not in target else ask_as(target)
        )
        is_for_carol = who == "another account" and target.startswith("/users")
        assert (media_id in answer.body.decode()) is is_for_carol, target
    assert len(media_id) >= 29
