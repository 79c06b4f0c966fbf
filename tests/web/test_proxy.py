"""Fetching documents for an account (ActivityPub, ``proxyUrl``)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from peers.plain import ACTIVITY_JSON, AS2, PUBLIC
from web.asking import Answer, ask, problem_of
from world import BASE

from gateway.activitypub.note import Draft
from gateway.flows import grant, interact, publish, subscribe
from gateway.policy.rules import Action, Rule

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"
NOAI = "train-ai=n, ai-use=n, search=y"
PEER = "https://peer.example"
CONTEXT = [AS2, {"contentUsage": "https://w3id.org/fep/1e38#contentUsage"}]


async def _proxy(site: Site, url: str | None, token: str | None = "alice", **headers: str) -> Answer:
    lines = {"content-type": FORM}
    if token is not None:
        lines["authorization"] = f"Bearer {site.tokens[token]}"
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {} if url is None else {"id": url}
    return await ask(site.app, "POST", "/api/proxy", lines.items(), urlencode(fields).encode())


def _serve(site: Site, path: str = "/notes/1", **members: Any) -> str:
    """Serve a note of the follower's; return its id."""
    url = f"{PEER}{path}"
    site.follower.serve_document(url, {"@context": CONTEXT, **site.follower.note(), "id": url, **members})
    return url


def _requests(site: Site, url: str) -> list[dict[str, str]]:
    """Return the headers of what was asked of a peer about one address."""
    return [dict(one.headers) for one in site.world.board.requests if str(one.url) == url]


async def test_a_document_is_fetched_as_the_account(own_site: Site) -> None:
    """The peer sees a GET signed with the account's own key, and its bytes come back as they are."""
    url = _serve(own_site, content="<p>as it was</p>")
    answer = await _proxy(own_site, url)
    assert (answer.status, answer.media_type) == (200, ACTIVITY_JSON)
    assert answer.body == own_site.follower.pages["/notes/1"].body
    assert answer.header("cache-control") == "private, no-store"
    [request] = _requests(own_site, url)
    assert f'keyId="{own_site.alice.id}#main-key"' in request.get("signature", "") + request.get("signature-input", "")


async def test_two_accounts_ask_as_themselves(own_site: Site) -> None:
    """What one may see is not shown to the other: each asks anew, under its own name."""
    url = _serve(own_site)
    for token in ("alice", "carol"):
        assert (await _proxy(own_site, url, token)).status == 200
    seen = [" ".join(request.values()) for request in _requests(own_site, url)]
    assert [re.findall(r"users/(\w+)#main-key", line) for line in seen] == [["alice"], ["carol"]]


async def test_a_fragment_is_left_at_home(own_site: Site) -> None:
    """A key's id leads to the document that it is in."""
    answer = await _proxy(own_site, f"{own_site.follower.me.id}#main-key")
    assert answer.status == 200
    assert answer.json["id"] == own_site.follower.me.id


@pytest.mark.parametrize(
    ("members", "usage"),
    [
        ({"contentUsage": "train-ai=n"}, "train-ai=n"),
        ({"contentUsage": "train-ai=y, search=n"}, "train-ai=y, search=n"),
        ({}, ""),
    ],
)
async def test_the_answer_states_the_preferences_of_what_was_fetched(
    own_site: Site, members: dict[str, str], usage: str
) -> None:
    """The headers say what the document says, not what this server asks for its own."""
    answer = await _proxy(own_site, _serve(own_site, **members))
    assert answer.header("content-usage") == usage


async def test_headers_of_the_origin_count_too(own_site: Site) -> None:
    """What the peer's response says about the document is said again; a no beats a yes."""
    url = f"{PEER}/notes/2"
    own_site.follower.serve(
        url, b'{"id": "%s", "type": "Note", "contentUsage": "search=y"}' % url.encode(), content_type=ACTIVITY_JSON,
        content_usage="train-ai=n, search=n",
    )  # fmt: skip
    assert (await _proxy(own_site, url)).header("content-usage") == "train-ai=n, search=n"


@pytest.mark.parametrize(
    "author",
    [
        [f"{PEER}/users/bob"], {"type": "Person", "id": f"{PEER}/users/bob"},
        [{"type": "Person", "id": f"{PEER}/users/bob"}], None, [], "", 5,
    ],
)  # fmt: skip
async def test_authors_are_named_in_many_ways(own_site: Site, author: object) -> None:
    """An author as list or object, or none at all, changes nothing about what is fetched and stated."""
    answer = await _proxy(own_site, _serve(own_site, attributedTo=author, contentUsage="train-ai=n"))
    assert (answer.status, answer.header("content-usage")) == (200, "train-ai=n")


@pytest.mark.parametrize("name", ["public", "unlisted", "followers", "direct", "media"])
async def test_own_documents_come_from_the_store(site: Site, name: str) -> None:
    """The author reads every post of theirs, labelled, and nobody is asked for it."""
    before = len(site.world.board.requests)
    answer = await _proxy(site, site.posts[name].id)
    assert (answer.status, answer.media_type) == (200, ACTIVITY_JSON)
    assert (answer.json["id"], answer.json["contentUsage"]) == (site.posts[name].id, NOAI)
    assert answer.json["@context"][0] == AS2
    assert answer.header("content-usage") == NOAI
    assert len(site.world.board.requests) == before


async def test_own_actors_and_activities_come_from_the_store(site: Site) -> None:
    """Actors are whole, with their keys; activities have what they are about."""
    actor = await _proxy(site, site.carol.id)
    assert (actor.json["preferredUsername"], "publicKey" in actor.json) == ("carol", True)
    assert (await _proxy(site, f"{BASE}/actor")).json["type"] == "Application"
    sent = site.kit.store.objects.latest_activity(site.alice.id, "Create", site.posts["public"].id)
    assert sent is not None
    activity = (await _proxy(site, sent.id, "carol")).json
    assert (activity["id"], activity["object"]["id"]) == (sent.id, site.posts["public"].id)


@pytest.mark.parametrize("name", ["followers", "direct"])
async def test_what_is_hidden_is_not_there(site: Site, name: str) -> None:
    """Carol learns nothing of what was not for her: the post and its Create are 404, like what never was."""
    sent = site.kit.store.objects.latest_activity(site.alice.id, "Create", site.posts[name].id)
    assert sent is not None
    missing = problem_of(await _proxy(site, f"{BASE}/posts/2222222222222", "carol"), [404])
    for url in (site.posts[name].id, sent.id):
        assert problem_of(await _proxy(site, url, "carol"), [404]) == missing


async def test_what_was_deleted_here_is_a_tombstone_or_gone(site: Site) -> None:
    """A deleted post is no more than a Tombstone, and its Create tells nothing of it."""
    answer = await _proxy(site, site.posts["deleted"].id)
    assert answer.status in (200, 410)
    assert "regretted" not in answer.text
    if answer.status == 200:
        assert answer.json["type"] == "Tombstone"
    sent = site.kit.store.objects.latest_activity(site.alice.id, "Create", site.posts["deleted"].id)
    assert sent is not None
    assert (await _proxy(site, sent.id)).status in (404, 410)
    problem_of(await _proxy(site, f"{BASE}/users/gone"), [410])


async def test_an_unfriendly_account_shows_nothing(own_site: Site) -> None:
    """Whom the author blocks gets a 404, as over the network."""
    interact.block(own_site.kit, own_site.alice, own_site.carol.id)
    problem_of(await _proxy(own_site, own_site.posts["public"].id, "carol"), [404])


async def test_what_was_taken_back_is_not_there(own_site: Site) -> None:
    """An undone activity is shown to its actor alone, as at its own address."""
    like = await interact.interact(own_site.kit, own_site.alice, "Announce", own_site.posts["open"].id)
    assert (await _proxy(own_site, like.id, "carol")).status == 200
    interact.undo_interaction(own_site.kit, own_site.alice, "Announce", own_site.posts["open"].id)
    bearer = {"authorization": f"Bearer {own_site.tokens['carol']}", "accept": ACTIVITY_JSON}
    assert (await own_site.get(like.id.removeprefix(BASE), **bearer)).status == 404
    problem_of(await _proxy(own_site, like.id, "carol"), [404])


async def test_a_post_that_was_narrowed_is_hidden_with_its_activity(own_site: Site) -> None:
    """Once a post is for followers alone, its public Create does not show it to others."""
    target = own_site.posts["public"].id
    body = b'{"type": "Update", "object": {"id": "%s", "to": ["%s"], "cc": [], "content": "narrowed"}}'
    followers = f"{own_site.alice.id}/followers"
    assert (await own_site.publish(body % (target.encode(), followers.encode()))).status == 201
    sent = own_site.kit.store.objects.latest_activity(own_site.alice.id, "Create", target)
    assert sent is not None
    problem_of(await _proxy(own_site, target, "carol"), [404])
    problem_of(await _proxy(own_site, sent.id, "carol"), [404])


async def test_a_follower_reads_what_is_for_followers(own_site: Site) -> None:
    """Who lives here and follows sees it in the store."""
    subscribe.follow(own_site.kit, own_site.carol, own_site.alice.id)
    await own_site.world.drain()
    stored, _ = await publish.create(own_site.kit, own_site.alice, Draft(text="x"))
    assert (await _proxy(own_site, stored.id, "carol")).status == 200
    assert (await _proxy(own_site, own_site.posts["followers"].id, "carol")).status == 200
    problem_of(await _proxy(own_site, own_site.posts["direct"].id, "carol"), [404])


async def test_a_refused_peer_is_not_asked(own_site: Site) -> None:
    """403 with the reason, and no request leaves."""
    url = _serve(own_site)
    own_site.kit.store.peers.save_rule(
        Rule(id="1", host="peer.example", action=Action.REFUSE), own_site.kit.clock.now()
    )
    problem_of(await _proxy(own_site, url), [403])
    assert _requests(own_site, url) == []


@pytest.mark.parametrize("status", [404, 410])
async def test_what_is_gone_elsewhere_is_a_404(own_site: Site, status: int) -> None:
    """The peer says that there is nothing: so do we."""
    own_site.follower.serve(f"{PEER}/notes/1", b"", status, ACTIVITY_JSON)
    problem_of(await _proxy(own_site, f"{PEER}/notes/1"), [404])


@pytest.mark.parametrize(
    ("body", "status", "content_type"),
    [
        (b"<html>", 200, "text/html"), (b"{}", 200, "application/json"), (b"{", 200, ACTIVITY_JSON),
        (b"[]", 200, ACTIVITY_JSON), (b'{"a": 1, "a": 2}', 200, ACTIVITY_JSON),
        (b'{"@graph": []}', 200, ACTIVITY_JSON), (b"", 500, ACTIVITY_JSON), (b"", 403, ACTIVITY_JSON),
        (b"", 204, ACTIVITY_JSON),
    ],
)  # fmt: skip
async def test_what_is_no_document_is_the_peers_fault(
    own_site: Site, body: bytes, status: int, content_type: str
) -> None:
    """HTML, plain JSON, broken JSON, tricks of JSON-LD and refusals of the peer are a 502."""
    own_site.follower.serve(f"{PEER}/notes/1", body, status, content_type)
    problem_of(await _proxy(own_site, f"{PEER}/notes/1"), [502])


async def test_a_host_that_is_not_there_is_a_502(own_site: Site) -> None:
    """Nobody answers: the other server's fault, told without details of the network."""
    problem = problem_of(await _proxy(own_site, "https://nowhere.example/1"), [502])
    assert "resolve" not in problem["detail"]


@pytest.mark.parametrize(
    "url",
    [
        None, "", "nonsense", "javascript:alert(1)", "file:///etc/passwd", "ftp://peer.example/", "https://",
        "https://[", "https://u:p@peer.example/",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_bad_input(site: Site, url: str | None) -> None:
    """400 for everything that is no http(s) address."""
    problem_of(await _proxy(site, url), [400])


@pytest.mark.parametrize("url", [f"{BASE}/", f"{BASE}/users/nobody", f"{BASE}/about", f"{BASE}/api/proxy"])
async def test_our_own_pages_are_no_documents(site: Site, url: str) -> None:
    """This server never asks itself over the network."""
    before = len(site.world.board.requests)
    problem_of(await _proxy(site, url), [404])
    assert len(site.world.board.requests) == before


@pytest.mark.parametrize(
    ("token", "code"), [(None, "token-missing"), ("unknown", "token-invalid"), ("revoked", "token-invalid")]
)
async def test_nobody_fetches_without_a_token(site: Site, token: str | None, code: str) -> None:
    """401, and nobody is asked."""
    before = len(site.world.board.requests)
    assert problem_of(await _proxy(site, f"{PEER}/users/bob", token), [401])["code"] == code
    assert len(site.world.board.requests) == before


async def test_a_token_for_writing_fetches_nothing(site: Site) -> None:
    """Looking up needs the scope for reading; a browser's session is no token either."""
    site.tokens["writer"] = grant.create_token(site.kit, site.alice, "writer", [grant.WRITE])[1]
    assert problem_of(await _proxy(site, site.alice.id, "writer"), [403])["code"] == "insufficient-scope"
    link = grant.sign_in_link(site.kit, site.alice)[0]
    signed_in = grant.sign_in(site.kit, link.rpartition("=")[2])
    assert signed_in is not None
    cookie = f"gateway_session={signed_in[1]}"
    assert problem_of(await _proxy(site, site.alice.id, None, cookie=cookie), [401])["code"] == "token-missing"


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", ""])
async def test_the_address_comes_in_a_form(site: Site, content_type: str) -> None:
    """Other bodies are a 415."""
    problem_of(await _proxy(site, site.alice.id, content_type=content_type), [415])


async def test_public_documents_of_others_are_theirs(own_site: Site) -> None:
    """What is fetched is shown, not kept: nothing is stored by looking."""
    before = own_site.snapshot()
    assert (await _proxy(own_site, _serve(own_site, to=[PUBLIC]))).status == 200
    after = own_site.snapshot()
    assert {name: after[name] for name in ("object", "statement")} == {
        name: before[name] for name in ("object", "statement")
    }
