"""Where people are sent, and whose things they touch: redirects, addresses of apps, other accounts' posts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

import pytest
from attacks.web_dom import check_page
from attacks.web_scene import ALICE, CALLBACK, FORM, PNG, SAME_SITE, VERIFIER, Case, Site, app_of, cases, opened, wish
from peers.plain import ACTIVITY_JSON
from web.asking import problem_of
from world import BASE

from gateway.flows import grant

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from web.asking import Answer

pytestmark = pytest.mark.anyio

CAROL = f"{BASE}/users/carol"


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """Return a site of the test's own."""
    async with opened(tmp_path, monkeypatch) as made:
        yield made


AWAY = (
    "//evil.example", "//evil.example/%2f..", "/\\evil.example", "\\\\evil.example", "https:evil.example",
    "https:///evil.example", "https://evil.example", "http://gw.example@evil.example", "//gw.example@evil.example",
    "javascript:alert(1)", "data:text/html,x", "/%09/evil.example", "/%5cevil.example", "/.evil.example",
    ".evil.example", "//evil%E3%80%82example", "/%2f/evil.example", "///evil.example", "////evil.example",
    "/;@evil.example", "?//evil.example", "#//evil.example", "//evil.example:443/", "//[::1]/",
    "/redirect?url=//evil.example", "/%0d%0aLocation:%20//evil.example",
)  # fmt: skip
NAMES = ("next", "url", "return", "return_to", "redirect", "redirect_uri", "continue", "r", "goto", "lang", "back")


@pytest.mark.parametrize("away", AWAY)
@cases("WEB-ADMIN-018")
async def test_nobody_is_sent_away(site: Site, case: Case, away: str) -> None:
    """Whatever a path or a parameter says, each redirect stays here, and so does each link made from the address."""
    safe = quote(away, safe="")
    query = "&".join(f"{name}={safe}" for name in NAMES)
    paths = [away if away.startswith("/") else f"/{away}", f"/{safe}", f"/{away.lstrip('/')}/", f"/static/../{away}"]
    paths += [f"{path}?{query}" for path in ("/", "/sign-in", "/about", "/users/alice", f"/posts/{site.tid()}")]
    for target in (*paths, f"/users/{safe}", f"/@{safe}", f"/static/{safe}", "/static"):
        for accept in ("text/html", ACTIVITY_JSON):
            raw = target.replace("\\", "%5c").replace("#", "%23")
            answer = await site.get(raw, accept=accept, referer="https://evil.example/")
            check_stays(answer)
            links = check_page(answer.text, forms=True).root.all("a") if "html" in answer.media_type else []
            for link in links:
                assert "evil" not in urlsplit(urljoin(BASE, link.attributes["href"])).netloc, (target, link)
    session = await site.session()
    code = grant.sign_in_link(site.gateway.kit, site.alice)[0].partition("code=")[2]
    for path, fields in (("/sign-in", {"code": code}), ("/sign-out", {})):
        answer = await site.form(f"{path}?{query}", {**dict.fromkeys(NAMES, away), **fields}, SAME_SITE, session)
        assert answer.status == 303
        check_stays(answer)
    case.proves("same_origin_only")


def check_stays(answer: Answer) -> None:
    """Fail for an answer that leads a browser somewhere else."""
    for name in ("location", "content-location", "refresh", "link"):
        if value := answer.header(name):
            assert value.startswith(f"{BASE}/"), (name, value)
            assert urlsplit(value).netloc == "gw.example"


LOOK_ALIKES = (
    f"{CALLBACK}/", f"{CALLBACK}/../x", f"{CALLBACK}?x", f"{CALLBACK}#x", f"{CALLBACK}%2f", f"{CALLBACK}x",
    "https://app.example", "https://app.example/", "https://app.example/CB", "https://app.example.evil.example/cb",
    "https://app.example@evil.example/cb", "https://evil.example/https://app.example/cb", "https://app.example:8443/cb",
    "http://app.example/cb", "//app.example/cb", "https:app.example/cb", "https://app.example\\@evil.example/cb",
    "https://app.example%2f@evil.example/cb", "https://evilapp.example/cb", " https://app.example/cb",
    "https://app.example/cb ", "https://app.example/cb\n", "javascript:alert(1)", "data:text/html,x", "*",
    "urn:ietf:wg:oauth:2.0:oob", "https://127.0.0.1/cb",
)  # fmt: skip


@pytest.mark.parametrize("uri", LOOK_ALIKES)
@cases("WEB-ADMIN-018")
async def test_an_app_is_answered_where_it_registered_alone(site: Site, case: Case, uri: str) -> None:
    """An address that only looks like the registered one gets no code, no error and no link."""
    app, cookie = await app_of(site), await site.session()
    before = site.everything()
    for decision in ("allow", "deny"):
        answer = await site.form("/oauth/authorize", wish(app, redirect_uri=uri, decision=decision), SAME_SITE, cookie)
        problem_of(answer, [400])
        assert answer.header("location") == ""
    asked = f"/oauth/authorize?{urlencode(wish(app, redirect_uri=uri))}"
    page = await site.ask("GET", asked, [cookie, ("accept", "text/html")])
    assert page.status == 400
    assert not any("evil" in one.attributes["href"] for one in check_page(page.text).root.all("a"))
    assert site.everything() == before
    good = await site.form("/oauth/authorize", wish(app), SAME_SITE, cookie)
    assert good.header("location").startswith(f"{CALLBACK}?")
    case.proves("same_origin_only")


@pytest.mark.parametrize("name", ["public", "followers", "direct", "media"])
@cases("WEB-ADMIN-020")
async def test_nobody_acts_on_another_accounts_things(site: Site, case: Case, name: str) -> None:
    """Carol's token reads, changes, deletes, pins, undoes and attaches nothing of Alice's."""
    kit, post = site.gateway.kit, site.posts[name]
    hidden = name in ("followers", "direct")
    before = site.everything()
    path = post.id.removeprefix(BASE)
    for target in (path, f"{path}/replies", f"{path}/likes", f"{path}/shares"):
        assert (await site.owned(target, "carol")).status == (404 if hidden else 200), target
    sent = kit.store.objects.latest_activity(ALICE, "Create", post.id)
    assert sent is not None
    assert (await site.owned(sent.id.removeprefix(BASE), "carol")).status == (404 if hidden else 200)
    assert (await site.owned("/users/alice/inbox", "carol")).status == 403
    for collection in ("followers", "following", "liked"):
        for query in ("", "?page=1"):
            assert site.bob.me.id not in (await site.owned(f"/users/alice/{collection}{query}", "carol")).text
    assert (post.id in (await site.owned("/users/alice/outbox?page=1", "carol")).text) is not hidden
    lines = [("content-type", FORM), site.bearer("carol")]
    for wanted in (post.id, sent.id):
        body = urlencode({"id": wanted}).encode()
        assert (await site.ask("POST", "/api/proxy", lines, body)).status == (404 if hidden else 200)
        inspected = await site.owned(f"/inspect.json?url={quote(wanted, safe='')}", "carol")
        assert inspected.status == (404 if hidden else 200)
    assert site.everything() == before
    actions: list[dict[str, Any]] = [
        {"type": "Update", "object": {"id": post.id, "type": "Note", "content": "mine"}},
        {"type": "Update", "object": {"id": ALICE, "type": "Person", "name": "mine"}},
        {"type": "Delete", "object": post.id},
        {"type": "Delete", "object": ALICE},
        {"type": "Undo", "object": sent.id},
        {"type": "Undo", "object": {"id": sent.id, "type": "Create", "actor": ALICE}},
        {"type": "Add", "object": post.id, "target": f"{ALICE}/featured"},
        {"type": "Remove", "object": post.id, "target": f"{ALICE}/featured"},
        {"type": "Add", "object": post.id, "target": f"{CAROL}/featured"},
        {"type": "Accept", "object": f"{site.bob.base}/activities/1"},
        {"type": "Reject", "object": f"{site.bob.base}/activities/1"},
        {"type": "Create", "actor": ALICE, "object": {"type": "Note", "content": "x"}},
        {"type": "Note", "content": "x", "attributedTo": ALICE},
        {"type": "Follow", "actor": ALICE, "object": site.bob.me.id},
        {"type": "Move", "object": ALICE, "target": CAROL},
    ]
    for action in actions:
        answer = await site.send(action, "carol")
        assert answer.status in (400, 403, 404), (action, answer.status, answer.text)
        body = json.dumps(action).encode()
        lines = [("content-type", ACTIVITY_JSON), site.bearer("carol")]
        assert (await site.ask("POST", "/users/alice/outbox", lines, body)).status == 403
    after = site.everything()
    for table in ("object", "activity", "account", "follow", "collection_item", "media", "interaction", "job"):
        assert after[table] == before[table], table
    case.proves("403_or_404")


@cases("WEB-ADMIN-020")
async def test_nobody_uses_another_accounts_secrets(site: Site, case: Case) -> None:
    """Files, codes, tokens and sign-ins of somebody else are of no use to another account or app."""
    uploaded = (await site.upload(PNG)).json
    answer = await site.send({"type": "Note", "content": "x", "attachment": [uploaded]}, "carol")
    assert answer.status == 403
    first, second = await app_of(site), await app_of(site)
    cookie = await site.session()
    location = (await site.form("/oauth/authorize", wish(first), SAME_SITE, cookie)).header("location")
    code = parse_qs(urlsplit(location).query)["code"][0]
    fields = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER, "redirect_uri": CALLBACK}
    assert (await site.form("/oauth/token", {**fields, "client_id": second["client_id"]})).status == 400
    token = (await site.form("/oauth/token", {**fields, "client_id": first["client_id"]})).json["access_token"]
    for victim in (token, site.tokens["alice"], cookie[1].partition("=")[2]):
        await site.form("/oauth/revoke", {"client_id": second["client_id"], "token": victim})
    alive = [("authorization", f"Bearer {token}")]
    assert (await site.ask("GET", "/users/alice/inbox", alive)).status == 200
    assert (await site.ask("GET", "/users/carol/inbox", alive)).status == 403
    assert (await site.owned("/users/alice/inbox")).status == 200
    assert (await site.ask("GET", f"/inspect.json?url={ALICE}", [cookie])).status == 200
    case.proves("403_or_404")


async def test_a_client_writes_only_what_is_its_to_write(site: Site) -> None:
    """Members that the server keeps are not taken from a client's document, of a post or of the account."""
    given = {
        "id": site.posts["public"].id, "url": "https://evil.example/", "replies": "https://evil.example/", "likes": 9,
        "attributedTo": ALICE, "published": "2099-01-01T00:00:00Z", "local": True, "owner": CAROL, "deleted": None,
    }  # fmt: skip
    before = site.gateway.kit.store.objects.get(site.posts["public"].id)
    answer = await site.send({**given, "type": "Note", "content": "mine"})
    assert answer.status == 201
    assert site.gateway.kit.store.objects.get(site.posts["public"].id) == before
    profile = {
        "id": ALICE, "type": "Application", "preferredUsername": "root", "inbox": "https://evil.example/", "kind": "x",
        "publicKey": {"id": f"{ALICE}#main-key", "publicKeyPem": "x"}, "deleted": True, "movedTo": CAROL,
        "alsoKnownAs": [CAROL], "endpoints": {"sharedInbox": "https://evil.example/"},
    }  # fmt: skip
    was = (await site.signed("/users/alice")).json
    await site.send({"type": "Update", "object": profile})
    now = (await site.signed("/users/alice")).json
    assert {**now, "updated": 0} == {**was, "updated": 0}
