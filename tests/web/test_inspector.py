"""/inspect.json: looking at documents for people who are signed in, as themselves."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from cli.test_output_schemas import faults
from flows.keypool import pooled
from peers.plain import ACTIVITY_JSON, AS2
from web.asking import Answer, ask, problem_of
from world import BASE, ManualClock, account

from gateway.carriers.jsonld_terms import CONTEXT as TERMS
from gateway.flows import grant, specimen
from gateway.jsonld.strict import MAX_BODY
from gateway.preferences import Category
from gateway.runtime import open_gateway
from gateway.settings import Settings
from gateway.web import inspector
from gateway.web.app import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from web.conftest import Site

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
NOTE = "https://peer.example/notes/1"
DOCUMENT = {
    "@context": [AS2, dict(TERMS)],
    "id": NOTE,
    "type": "Note",
    "attributedTo": "https://peer.example/users/bob",
    "content": "<p>hello</p>",
    "contentUsage": "train-ai=n",
}


async def _get(site: Site, token: str | None = "alice", headers: Any = None, **query: str) -> Answer:
    lines = {} if token is None else {"authorization": f"Bearer {site.tokens[token]}"}
    return await ask(site.app, "GET", f"/inspect.json?{urlencode(query)}", {**lines, **(headers or {})}.items())


async def _post(site: Site, body: bytes, token: str | None = "alice", **query: str) -> Answer:
    lines = {"content-type": ACTIVITY_JSON}
    if token is not None:
        lines["authorization"] = f"Bearer {site.tokens[token]}"
    return await ask(site.app, "POST", f"/inspect.json?{urlencode(query)}", lines.items(), body)


def _report(answer: Answer) -> dict[str, Any]:
    """Return the report of a good answer, which is what ``gateway inspect --json`` prints."""
    assert (answer.status, answer.media_type) == (200, "application/json"), answer.text
    assert answer.header("cache-control") == "private, no-store"
    report: dict[str, Any] = answer.json
    assert faults("inspect", report) == []
    return report


def _serve(site: Site, **changes: Any) -> None:
    site.follower.serve_document(NOTE, {**DOCUMENT, **changes})


def _asked(site: Site) -> list[Any]:
    """Return what was asked of the peer about the note."""
    return [request for request in site.world.board.requests if str(request.url) == NOTE]


async def test_nobody_looks_without_signing_in(site: Site) -> None:
    """Without token and session, and with a wrong or revoked one, it is a 401, and nobody is asked."""
    before = len(_asked(site))
    for answer in (await _get(site, None, url=NOTE), await _post(site, b"{}", None)):
        assert problem_of(answer, [401])["code"] == "token-missing"
    for token in ("unknown", "revoked"):
        assert problem_of(await _get(site, token, url=NOTE), [401])["code"] == "token-invalid"
    assert problem_of(await _get(site, None, {"cookie": "gateway_session=gw_nonsense"}, url=NOTE), [401])
    assert len(_asked(site)) == before


async def test_a_token_needs_the_scope_to_read(site: Site) -> None:
    """A token for writing alone does not look; one for reading does."""
    for scopes, status in ((("write",), 403), (("read",), 200)):
        _, secret = grant.create_token(site.kit, site.alice, "app", scopes=scopes)
        site.tokens["app"] = secret
        assert (await _post(site, b"{}", "app")).status == status


async def test_a_session_of_a_browser_is_enough(own_site: Site) -> None:
    """Who is signed in with a browser looks as that account; a session is no bearer token."""
    code = grant.sign_in_link(own_site.kit, own_site.alice)[0].rpartition("=")[2]
    lines = {"content-type": FORM, "sec-fetch-site": "same-origin"}
    entered = await ask(own_site.app, "POST", "/sign-in", lines.items(), urlencode({"code": code}).encode())
    cookie = entered.header("set-cookie").partition(";")[0]
    hidden = own_site.posts["followers"].id
    report = _report(await _get(own_site, None, {"cookie": cookie}, url=hidden))
    assert report["document"]["id"] == hidden
    bearer = {"authorization": f"Bearer {cookie.partition('=')[2]}"}
    assert problem_of(await _get(own_site, None, bearer, url=hidden), [401])["code"] == "token-invalid"


async def test_a_url_is_fetched_and_reported(own_site: Site) -> None:
    """GET with ``url`` gives the report of the command line, its source included."""
    _serve(own_site)
    report = _report(await _get(own_site, url=NOTE))
    assert report["source"] == {
        "url": NOTE, "status": 200, "contentType": ACTIVITY_JSON, "signed": None,
        "bytes": len(json.dumps(DOCUMENT)),
    }  # fmt: skip
    assert report["document"] == DOCUMENT
    (asked,) = _asked(own_site)
    assert not {"signature", "signature-input"} & set(asked.headers)


async def test_a_document_is_sent_and_reported(own_site: Site) -> None:
    """POST takes the bytes as they are; nothing is fetched, nothing is kept."""
    before, asked = own_site.snapshot(), len(own_site.world.board.requests)
    report = _report(await _post(own_site, json.dumps(DOCUMENT).encode()))
    assert (report["source"]["url"], report["document"]) == (None, DOCUMENT)
    broken = _report(await _post(own_site, b"\xff"))
    assert [problem["code"] for problem in broken["problems"]] == ["not-utf8"]
    assert own_site.snapshot() == before
    assert len(own_site.world.board.requests) == asked


async def test_too_large_a_document_is_not_taken(site: Site) -> None:
    """A body over the limit of every body is a 413."""
    problem_of(await _post(site, b" " * (MAX_BODY + 1)), [413])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"scheme": "cavage"}, "signature"),
        ({"scheme": "rfc9421"}, "signature-input"),
        ({"signed": "1"}, "signature"),
        ({"signed": "true"}, "signature"),
        ({"signed": "1", "scheme": "rfc9421"}, "signature-input"),
    ],
)
async def test_a_request_is_signed_as_the_account(own_site: Site, query: dict[str, str], field: str) -> None:
    """``scheme`` or ``signed`` sign the request with the key of whoever asks, with nobody else's."""
    _serve(own_site)
    for token in ("alice", "carol"):
        report = _report(await _get(own_site, token, url=NOTE, **query))
        assert report["source"]["signed"] == query.get("scheme", "cavage")
        assert f'"{BASE}/users/{token}#main-key"' in _asked(own_site)[-1].headers[field]


@pytest.mark.parametrize("value", ["0", "no", ""])
async def test_unsigned_is_unsigned(own_site: Site, value: str) -> None:
    """Any other value of ``signed`` does not sign."""
    _serve(own_site)
    assert _report(await _get(own_site, url=NOTE, signed=value))["source"]["signed"] is None


@pytest.mark.parametrize("name", ["followers", "direct"])
async def test_hidden_posts_are_shown_to_whom_they_are_for(own_site: Site, name: str) -> None:
    """A post that was not for everybody is there for its author, and not found by another account here."""
    url = own_site.posts[name].id
    assert _report(await _get(own_site, "alice", url=url))["document"]["id"] == url
    sent = own_site.kit.store.objects.latest_activity(own_site.alice.id, "Create", url)
    assert sent is not None
    for hidden in (url, sent.id):
        problem_of(await _get(own_site, "carol", url=hidden), [404])
        problem_of(await _get(own_site, "carol", url=hidden, signed="1"), [404])
    assert _report(await _get(own_site, "carol", url=own_site.posts["public"].id))


async def test_what_is_ours_is_never_asked_for(own_site: Site) -> None:
    """Our own addresses come from the store: no request is made, and what is not there is not found."""
    before = len(own_site.world.board.requests)
    _report(await _get(own_site, url=own_site.posts["public"].id))
    _report(await _get(own_site, url=own_site.alice.id))
    problem_of(await _get(own_site, url=f"{BASE}/posts/2222222222222"), [404])
    buried = await _get(own_site, url=own_site.posts["deleted"].id)
    assert _report(buried)["document"]["type"] == "Tombstone"
    assert "regretted" not in buried.text
    assert len(own_site.world.board.requests) == before


async def test_one_use_and_one_consumer(site: Site) -> None:
    """``use`` asks about one category, ``consumer`` for whom; an unknown category is a 400 before anything."""
    body = json.dumps(DOCUMENT).encode()
    assert [row["category"] for row in _report(await _post(site, body))["effective"]] == list(Category)
    (row,) = _report(await _post(site, body, use="train-gen", consumer="x.example"))["effective"]
    assert (row["answer"], row["consumer"]) == ("n", "x.example")
    for use in ("train", "", "TRAIN-GEN"):
        assert problem_of(await _post(site, body, use=use), [400])["code"] == "bad-input"


async def test_contexts_and_keys_are_fetched_only_when_asked(own_site: Site) -> None:
    """``contexts=fetch`` asks the host of an unknown context; any other word does not."""
    strange = "https://stranger.example/words"
    own_site.stranger.serve(strange, '{"@context": {"x": "urn:x"}}', content_type="application/ld+json")
    body = json.dumps({**DOCUMENT, "@context": [AS2, strange], "x": "y"}).encode()
    for word in ("", "1", "true"):
        report = _report(await _post(own_site, body, contexts=word))
        assert (report["contexts"]["unknown"], report["contexts"]["fetched"]) == ([strange], [])
    assert own_site.stranger.gets == []
    assert _report(await _post(own_site, body, contexts="fetch"))["contexts"]["fetched"] == [strange]
    assert own_site.stranger.gets == ["/words"]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({}, 400, "bad-input"),
        ({"url": ""}, 400, "bad-input"),
        ({"url": "ftp://peer.example/x"}, 400, None),
        ({"url": "https://u:p@peer.example/x"}, 400, None),
        ({"url": "file:///etc/passwd"}, 400, None),
        ({"url": "did:plc:abc"}, 400, "bad-input"),
        ({"url": "at://bob.example/x/y"}, 400, "bad-input"),
        ({"url": NOTE, "scheme": "basic"}, 400, "bad-input"),
        ({"url": "https://peer.example/nothing"}, 404, "not-found"),
        ({"url": "https://silent.example/x"}, 502, "remote-unreachable"),
        ({"url": "https://peer.example/broken"}, 502, "remote-answer"),
    ],
)
async def test_what_cannot_be_looked_at_says_why(
    site: Site, query: dict[str, str], status: int, code: str | None
) -> None:
    """A wrong address is the asker's fault, a silent or broken server somebody else's."""
    site.follower.serve("https://peer.example/broken", "secret of theirs", 500)
    problem = problem_of(await _get(site, **query), [status])
    assert code is None or problem["code"] == code


LINES = [("authorization", "Bearer gw_of-a-wall"), ("content-type", ACTIVITY_JSON)]


@pytest.fixture
async def walled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """Return a gateway with a public base URL that goes out by the real transport, with a token for LINES."""
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
    chosen: dict[str, Any] = {"base_url": BASE, "data": tmp_path / "walled"}
    gateway = open_gateway(Settings(**chosen), clock=ManualClock())
    monkeypatch.setattr("secrets.token_urlsafe", lambda *_: "of-a-wall")
    grant.create_token(gateway.kit, account(gateway), "test")
    yield build(gateway)
    await gateway.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1:8000/livez",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://172.16.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://0.0.0.0/",
    ],
)
@pytest.mark.parametrize("more", [{}, {"signed": "1"}])
async def test_private_addresses_are_refused(walled: Any, url: str, more: dict[str, str]) -> None:
    """On a public gateway nobody is led to loopback, private or link-local addresses: 502 with its own code."""
    problem = problem_of(await ask(walled, "GET", f"/inspect.json?{urlencode({'url': url, **more})}", LINES), [502])
    assert problem["code"] == "address-refused"


async def test_a_context_is_no_way_around(walled: Any) -> None:
    """Contexts and keys that a document names meet the same address policy; the report says so."""
    inside = "https://127.0.0.1/words"
    proof = {"type": "DataIntegrityProof", "verificationMethod": "https://127.0.0.1/users/x#key"}
    body = json.dumps({**DOCUMENT, "@context": [AS2, inside], "proof": proof}).encode()
    report = _report(await ask(walled, "POST", "/inspect.json?contexts=fetch&keys=fetch", LINES, body))
    assert report["contexts"]["failed"].keys() == {inside}
    assert [step["found"] for step in report["signatures"][0]["steps"] if step["name"] == "key"] == ["not found"]


async def test_only_a_few_look_at_once(own_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than four gets a 429 with Retry-After; afterwards there is room again."""
    waiting = asyncio.Event()
    real = specimen.fetched

    async def slow(*words: Any, **options: Any) -> Any:
        await waiting.wait()
        return await real(*words, **options)

    monkeypatch.setattr(specimen, "fetched", slow)
    _serve(own_site)
    first = [asyncio.create_task(_get(own_site, url=NOTE)) for _ in range(inspector.AT_ONCE)]
    while inspector._busy < inspector.AT_ONCE:
        await asyncio.sleep(0)
    refused = await _get(own_site, url=NOTE)
    assert problem_of(refused, [429])["code"] == "too-many-requests"
    assert refused.header("retry-after") == "2"
    waiting.set()
    assert [(await task).status for task in first] == [200] * inspector.AT_ONCE
    assert (await _get(own_site, url=NOTE)).status == 200


async def test_captured_requests_are_judged_as_on_the_command_line(site: Site) -> None:
    """?as=capture judges what was captured, at its own time or the one given; nothing of it is fetched."""
    like = site.follower.activity("Like", site.posts["public"].id)
    request = site.follower.signed(f"{BASE}/inbox", json.dumps(like).encode())
    row = {"target": request.target, "headers": [list(pair) for pair in request.headers], "body": request.body.decode()}
    asked = len(site.world.board.requests)
    good = await _post(site, json.dumps(row).encode(), **{"as": "capture"})
    assert (good.status, good.json["ok"], faults("verify", good.json)) == (200, True, [])
    late = await _post(site, json.dumps([row, row]).encode(), **{"as": "capture", "at": "2030-01-01T00:00:00Z"})
    assert [one["failed"] for one in late.json["requests"]] == ["time", "time"]
    assert faults("verify", late.json) == []
    problem_of(await _post(site, b"{}", **{"as": "capture"}), [400])
    problem_of(await _post(site, json.dumps(row).encode(), **{"as": "capture", "at": "soon"}), [400])
    problem_of(await _post(site, json.dumps(row).encode(), token=None, **{"as": "capture"}), [401])
    assert len(site.world.board.requests) == asked
