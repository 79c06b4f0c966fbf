"""Words of strangers in log lines and on an admin's terminal, and what must never stand in either."""

from __future__ import annotations

import asyncio
import json
import socket
import unicodedata
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from attacks.web_scene import ALICE, SAME_SITE, Case, Site, cases, opened
from flows import keypool
from peers.plain import ACTIVITY_JSON
from processes import Served, listening, served
from web.asking import ask
from world import BASE

from gateway.flows import grant, handles, kit, subscribe
from gateway.observe import logs
from gateway.web import pages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.anyio

MAX_VALUE = 2048
HOSTILE = {
    "line break": 'a\nb {"event": "forged"}',
    "carriage return": "a\r\n2026-11-23T09:00:00Z [info] forged",
    "ANSI": "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J",
    "one-byte CSI": "\x9b31m red \x9d0;title\x9c",
    "backspace": "secret\x08\x08\x08\x7f",
    "bidi": "a\u202eb\u2066c\u2069\u200f",
    "line separator": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "zero width": "a\u200bb\ufeffc\u00add",
    "markup": "[/b] [red]x[/red] [link=https://evil.example/]y[/link] [@click=app.quit]z",
    "percent and braces": "%s %(secret)s {0} {event} {{x}} $(id) `id`",
    "quotes": "\"', \"level\": \"error\", \"x\": \"",
    "1 MB": "x" * 900_000,
    "1 MB of escapes": "\x1b" * 60_000,
    "a lone surrogate": "a\ud800b",
    "private use": "a\ue000b\U000f0000c",
}  # fmt: skip


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path, monkeypatch) as made:
        yield made


def check_lines(text: str) -> list[dict[str, Any]]:
    """Fail unless every line is one JSON document of bounded values, without a sign that a terminal acts on."""
    found = []
    for line in text.splitlines():
        entry = json.loads(line)
        assert line.isprintable(), line[:200]
        assert isinstance(entry, dict)
        assert {"event", "level", "timestamp"} <= entry.keys()
        assert entry["event"] != "forged"
        for name, value in entry.items():
            shown = value if isinstance(value, str) else json.dumps(value)
            assert name == "exception" or len(shown) <= MAX_VALUE, (name, len(shown))
        assert len(line) <= 16 * MAX_VALUE
        found.append(entry)
    return found


async def provoke(site: Site, word: str) -> None:
    """Write a word into everything of a request that may end in a log line."""
    header = word.encode("utf-8", "surrogatepass")[:20_000]
    path = "".join(f"%{byte:02x}" for byte in header[:300])
    signature = b'keyId="https://peer.example/' + header + b'",algorithm="hs2019",headers="date",signature="AA=="'
    raw = b'sig1=("@method");created=1;keyid="https://peer.example/' + header + b'"'
    attempts: tuple[list[tuple[str, bytes]], ...] = (
        [("signature", signature)],
        [("signature-input", raw), ("signature", b"sig1=:AA==:")],
        [("user-agent", header), ("referer", header), ("from", header)],
        [("x-forwarded-for", header)],
    )
    for lines in attempts:
        more: list[tuple[str, str | bytes]] = [("content-type", ACTIVITY_JSON), *lines]
        for target in ("/inbox", f"/users/{path}/inbox", f"/{path}", "/users/alice/inbox"):
            await site.ask("POST", target, more, b'{"type": "Follow", "actor": "https://peer.example/users/bob"}')
            await site.ask("GET", target, lines)
    for content_type in (header, b"application/activity+json; x=" + header):
        await site.ask("POST", "/inbox", [("content-type", content_type)], b"{}")


async def deliver(site: Site, word: str) -> None:
    """Write a word into everything of a signed activity, and into what is fetched because of it."""
    bob, text = site.bob, word.encode("utf-8", "replace").decode()
    note = {
        **bob.note(text, cc=[ALICE]),
        "name": text,
        "contentUsage": text,
        "aiUsage": {"prefs": {text: text}, "v": text},
    }
    odd = bob.note("x", cc=[ALICE], inReplyTo=text, attributedTo=bob.me.id, xRobotsTag=text)
    for document in (
        bob.activity("Create", note, cc=[ALICE]),
        bob.activity("Create", odd, cc=[ALICE], summary=text),
        bob.activity(text, ALICE),
        bob.activity("Like", ALICE, id=f"{bob.base}/{text}"),
        bob.activity("Announce", f"{bob.base}/notes/{text}"),
        bob.activity("Flag", [ALICE], content=text),
        {**bob.activity("Follow", ALICE), "actor": f"{bob.base}/users/{text}"},
        bob.activity("Delete", f"{bob.base}/{text}"),
    ):
        assert (await bob.post(f"{BASE}/inbox", document)).status_code < 500
    bob.serve_document(bob.me.id, bob.me.document(preferredUsername=text, name=text, inbox=f"{bob.me.id}/{text}"))
    await site.world.drain()
    await site.send({"type": "Note", "content": f"x @{text}@peer.example", "to": [bob.me.id]})


@pytest.mark.parametrize("kind", HOSTILE)
@cases("WEB-INJ-004")
async def test_a_log_line_is_one_line(
    site: Site, case: Case, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever strangers call themselves, each event is one line of JSON, escaped, and no value is endless."""
    logs.configure("debug")
    await provoke(site, HOSTILE[kind])
    await deliver(site, HOSTILE[kind])

    def crash(*_: object) -> None:
        raise RuntimeError(HOSTILE[kind])

    monkeypatch.setattr(pages, "page", crash)
    path = "".join(f"%{byte:02x}" for byte in HOSTILE[kind].encode("utf-8", "replace")[:300])
    with pytest.raises(RuntimeError):  # the server in front of an application hears of a defect, too
        await ask(site.app, "GET", f"/about?{path}")
    found = check_lines(capsys.readouterr().err)
    assert {"arrival", "settled", "fault"} <= {entry["event"] for entry in found}
    for row in site.gateway.kit.store.peers.audit_lines(limit=1_000):
        assert len(row["detail"]) <= MAX_VALUE
    case.proves("one_line_json", "escaped", "truncated_at:2048")


SECRET = "what only bob may know"


async def act(site: Site) -> list[str]:
    """Do everything that a secret is part of; return the secrets."""
    store = site.gateway.kit.store
    link = grant.sign_in_link(site.gateway.kit, site.alice)[0]
    code = link.partition("code=")[2]
    await site.get(f"/sign-in?code={code}")
    cookie = await site.session()
    body = json.dumps({"redirect_uris": ["https://app.example/cb"], "token_endpoint_auth_method": "client_secret_post"})
    app = (await site.ask("POST", "/oauth/register", [("content-type", "application/json")], body.encode())).json
    verifier = "v1-" + "x" * 50
    asked = {
        "client_id": app["client_id"], "response_type": "code", "state": "the-state-of-an-app", "decision": "allow",
        "code_challenge": grant.challenge_of(verifier), "code_challenge_method": "S256",
    }  # fmt: skip
    location = (await site.form("/oauth/authorize", {**asked, "code": code}, SAME_SITE)).header("location")
    given = location.partition("code=")[2].partition("&")[0]
    fields = {
        "grant_type": "authorization_code", "client_id": app["client_id"], "client_secret": app["client_secret"],
        "code": given, "code_verifier": verifier,
    }  # fmt: skip
    token = (await site.form("/oauth/token", fields)).json["access_token"]
    await site.form("/oauth/token", {**fields, "client_secret": "a-wrong-secret-of-an-app"})
    await site.form("/oauth/revoke", {**fields, "token": token})
    for target in ("/users/alice/inbox", f"/inspect.json?url={ALICE}", "/nowhere", "/users/carol/inbox"):
        await site.ask("GET", target, [site.bearer(), cookie])
        await site.ask(
            "GET", f"{target}{'&' if '?' in target else '?'}access_token={token}", [("cookie", "x=y"), cookie]
        )
    await site.send({"type": "Note", "content": SECRET, "to": [site.bob.me.id], "bto": [site.bob.me.id]})
    site.bob.inbox_status = 500
    await site.send({"type": "Note", "content": SECRET, "summary": SECRET, "to": [site.bob.me.id]})
    note = site.bob.note(SECRET, to=[ALICE], cc=[], summary=SECRET)
    await site.arrives(site.bob.activity("Create", note, to=[ALICE]))
    bad = site.bob.signed(f"{BASE}/inbox", json.dumps(note).encode())
    await site.ask("POST", "/inbox", [line for line in bad.headers if line[0] != "host"], b"{" + SECRET.encode())
    signatures = [value.partition('signature="')[2][:60] for name, value in bad.headers if name == "signature"]
    sent = [request.headers["signature"].partition('signature="')[2][:60] for request in site.world.board.requests
            if "signature" in request.headers]  # fmt: skip
    wrapped = [row["wrapped"].hex() for row in store.database.rows("SELECT wrapped FROM private_key")]
    secret = site.gateway.kit.settings.secret_path.read_bytes()
    return [
        code, cookie[1].partition("=")[2], app["client_secret"], given, verifier, token, *site.tokens.values(), SECRET,
        "a-wrong-secret-of-an-app", "PRIVATE KEY", secret.hex(), *wrapped, *signatures, *sent,
    ]  # fmt: skip


@cases("WEB-INJ-005")
async def test_no_secret_is_logged(site: Site, case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    """No token, cookie, code, signature, key or private word gets into a log line or an audit line, even at debug."""
    logs.configure("debug")
    secrets = await act(site)
    assert all(len(secret) > 10 for secret in secrets)
    written = capsys.readouterr().err
    assert {"delivery", "arrival", "settled"} <= {entry["event"] for entry in check_lines(written)}
    audit = json.dumps(site.gateway.kit.store.peers.audit_lines(limit=1_000))
    for secret in secrets:
        assert secret not in written
        assert secret not in audit
    case.proves("redacted")


@cases("WEB-INJ-005")
async def test_no_secret_is_kept_in_the_clear(site: Site, case: Case) -> None:
    """Of tokens, codes and sessions only hashes are stored; private keys lie wrapped."""
    secrets = await act(site)
    site.gateway.kit.store.database.value("PRAGMA wal_checkpoint(TRUNCATE)")
    root = site.gateway.kit.settings.data
    content = b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file() and path.name != "secret.key")
    assert b"BEGIN" not in content.replace(b"BEGIN PUBLIC KEY", b"")
    for secret in secrets[:-1]:
        if secret != SECRET and "=" not in secret and len(secret) < 60:
            assert secret.encode() not in content, secret
    case.proves("redacted")


def test_the_running_server_logs_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real process at debug writes JSON lines without credentials, for requests that no framework understands too."""
    monkeypatch.setattr(kit, "generate", keypool.pooled)
    with served(tmp_path, GATEWAY_LOG_LEVEL="debug") as gateway, listening() as bob:
        gateway.cli("account", "create", "alice")
        token = gateway.cli("token", "create", "alice")["token"]
        link = gateway.cli("account", "sign-in", "alice")["link"]
        code = link.partition("code=")[2]
        headers = {"authorization": f"Bearer {token}", "cookie": f"gateway_session={code}"}
        for path in ("/users/alice/inbox", f"/sign-in?code={code}", "/nowhere", "/@alice"):
            answer: httpx.Response = bob.client.get(f"{gateway.base}{path}", headers=headers)
            assert answer.status_code < 500
        bob.client.post(f"{gateway.base}/sign-in", data={"code": code}, headers={"sec-fetch-site": "same-origin"})
        bob.post(f"{gateway.base}/users/alice/inbox", bob.plain.activity("Follow", f"{gateway.base}/users/alice"))
        bob.wait_for("Accept")
        signed = bob.plain.signed(f"{gateway.base}/inbox", b"{}")
        bob.send(signed)
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as raw:
            raw.sendall(b"GET / \x1b[31m " + token.encode() + b"\r\n\r\n")
            assert b" 400 " in raw.recv(1000)
        lines = [line for line in gateway.stderr.splitlines() if line.startswith("{")]
        assert {"arrival", "delivery"} <= {entry["event"] for entry in check_lines("\n".join(lines))}
        signature = next(value for name, value in signed.headers if name == "signature")
        for secret in (token, code, signature.partition('signature="')[2][:60]):
            assert secret not in gateway.stderr
    assert token not in gateway.stderr


TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def acts(text: str) -> set[str]:
    """Return the signs in a text that a terminal acts on: controls, line separators, what turns text round."""
    return {one for one in text if one != "\n" and (unicodedata.category(one) in ("Cc", "Zl", "Zp") or one in TURNING)}


@pytest.mark.parametrize("kind", [kind for kind in HOSTILE if "surrogate" not in kind])
async def test_a_terminal_shows_a_strangers_words_and_obeys_none(site: Site, tmp_path: Path, kind: str) -> None:
    """Reports, peers, posts and documents of strangers are printed whole, without an escape, and break no command."""
    word, bob = HOSTILE[kind][:4_000], site.bob
    bob.serve_document(bob.me.id, bob.me.document(preferredUsername=word, name=word))
    await site.arrives(bob.activity("Flag", [ALICE, f"{bob.base}/{word}"], content=word))
    note = bob.note(word, cc=[ALICE], name=word, summary=word, contentUsage=word)
    await site.arrives(bob.activity("Create", note, cc=[ALICE]))
    await bob.post(f"{BASE}/inbox", bob.activity(word, f"{bob.base}/{word}"))
    await handles.resolve(site.gateway.kit, bob.me.id)
    subscribe.follow(site.gateway.kit, site.alice, bob.me.id)
    await site.send({"type": "Note", "content": word, "summary": word})
    await site.world.drain()
    await bob.post(f"{BASE}/inbox", {**bob.activity("Like", ALICE), "actor": word})
    document, capture = tmp_path / "note.json", tmp_path / "request.json"
    document.write_text(json.dumps({"@context": "https://www.w3.org/ns/activitystreams", **note}))
    headers = [["signature", f'keyId="{word}",headers="date",signature="AA=="'], ["date", word]]
    capture.write_text(json.dumps({"method": "POST", "target": f"{BASE}/inbox", "headers": headers, "body": word}))
    shell = Served(
        data=site.gateway.kit.settings.data, port=20_000, settings={"GATEWAY_BASE_URL": BASE, "NO_COLOR": "1"}
    )
    (report,) = site.gateway.kit.store.relations.reports()
    commands: list[tuple[str, ...]] = [
        ("reports", "list"), ("reports", "show", report.id), ("peers", "list"), ("peers", "show", "peer.example"),
        ("post", "list", "alice"), ("follow", "list", "alice"), ("follow", "requests", "alice"),
        ("deliveries", "list"), ("account", "list"), ("inspect", str(document)), ("verify", str(capture)),
        ("explain", note["id"], "--use", "tdm"),
    ]  # fmt: skip
    for command in commands:
        told = await asyncio.to_thread(shell.run, *command)
        assert told.code in (0, 3, 5, 6), (command, told)
        assert not acts(told.out), (command, acts(told.out))
        assert not acts(told.err), (command, acts(told.err))
    if kind in ("markup", "quotes", "percent and braces"):
        told = await asyncio.to_thread(shell.run, "reports", "show", report.id)
        assert word in told.out
    if kind == "markup":
        told = await asyncio.to_thread(shell.run, "reports", "list")
        assert "[/b]" in told.out


async def test_a_form_with_a_secret_is_not_repeated(site: Site) -> None:
    """A wrong code or token does not come back in the answer to it."""
    for answer in (
        await site.get("/sign-in?code=a-guess-of-somebody", accept="text/html"),
        await site.form("/sign-in", {"code": "a-guess-of-somebody"}, SAME_SITE),
        await site.ask("GET", "/users/alice/inbox", [("authorization", "Bearer a-guess-of-somebody")]),
        await site.ask("GET", "/inspect.json", [("cookie", "gateway_session=a-guess-of-somebody")]),
        await site.ask("POST", "/oauth/token", [("content-type", "application/x-www-form-urlencoded")],
                       urlencode({"client_id": "x", "client_secret": "a-guess-of-somebody"}).encode()),
    ):  # fmt: skip
        assert answer.status in (400, 401)
        assert "a-guess-of-somebody" not in answer.text
