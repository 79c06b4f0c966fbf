"""Publishing by a community's own software: the outbox with a bearer token (ActivityPub, section 6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import ACTIVITY_JSON, AS2, PUBLIC
from web.asking import ask, problem_of
from world import BASE

if TYPE_CHECKING:
    from web.asking import Answer
    from web.conftest import Site

    from gateway.store.objects import Stored

pytestmark = pytest.mark.anyio

NOTE = {"@context": AS2, "type": "Note", "content": "<p>hello</p>"}


async def _publish(site: Site, document: dict[str, Any], **headers: str) -> Answer:
    return await site.publish(json.dumps(document).encode(), **headers)


def _made(site: Site, answer: Answer) -> Stored:
    assert answer.status == 201, answer.text
    sent = site.kit.store.objects.activity(answer.header("location"))
    assert sent is not None
    stored = site.kit.store.objects.get(sent.object)
    assert stored is not None
    return stored


async def test_a_bare_note_is_wrapped_and_published(own_site: Site) -> None:
    """201 with the id of the Create in Location; followers get it; both can be read at their ids."""
    answer = await _publish(own_site, NOTE)
    stored = _made(own_site, answer)
    assert (answer.body, stored.owner, str(stored.visibility)) == (b"", own_site.alice.id, "public")
    await own_site.world.drain()
    delivered = own_site.follower.received[-1]
    assert (delivered["type"], delivered["id"]) == ("Create", answer.header("location"))
    assert delivered["object"]["content"] == "<p>hello</p>"
    assert (await own_site.signed(answer.header("location").removeprefix(BASE))).json["id"] == delivered["id"]
    assert (await own_site.signed(stored.id.removeprefix(BASE))).status == 200


@pytest.mark.parametrize("content_type", [ACTIVITY_JSON, f'application/ld+json; profile="{AS2}"', "application/json"])
async def test_the_content_types_of_clients_are_taken(site: Site, content_type: str) -> None:
    """Both ActivityStreams types are taken, and plain JSON, which clients send."""
    assert (await _publish(site, NOTE, content_type=content_type)).status == 201


@pytest.mark.parametrize(
    ("to", "cc", "visibility"),
    [
        (None, None, "public"),
        ([PUBLIC], None, "public"),
        (["as:Public"], None, "public"),
        ([f"{BASE}/users/alice/followers"], [PUBLIC], "unlisted"),
        ([f"{BASE}/users/alice/followers"], None, "followers"),
        (["https://peer.example/users/bob"], None, "direct"),
        ([], [], "direct"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_addresses_decide_the_visibility(
    site: Site, to: list[str] | None, cc: list[str] | None, visibility: str, *, wrapped: bool
) -> None:
    """To and cc mean what they mean in ActivityPub; without either a post is public."""
    addressed = {name: value for name, value in (("to", to), ("cc", cc)) if value is not None}
    document = {"type": "Create", "object": {**NOTE, **addressed}} if wrapped else {**NOTE, **addressed}
    assert str(_made(site, await _publish(site, document)).visibility) == visibility


async def test_what_the_client_says_about_a_post_is_its_authors_word(site: Site) -> None:
    """Terms on the note are the post's own preferences; what the author said about everything stays."""
    stored = _made(site, await _publish(site, {**NOTE, "contentUsage": "search=n"}))
    assert stored.document["contentUsage"] == "train-ai=n, ai-use=n, search=n"
    own = _made(site, await _publish(site, {**NOTE, "aiUsage": {"v": 1, "prefs": {"tdm": "n"}}}))
    assert own.prefs.as_json()["tdm"] == "n"


async def test_source_summary_language_and_reply_are_kept(site: Site) -> None:
    """Content stays as the client made it from its source; warning, language and the post replied to are kept."""
    target = site.posts["public"].id
    document = {
        "type": "Note",
        "content": "<p>shown</p>",
        "source": {"mediaType": "text/plain", "content": "written"},
        "summary": "注意",
        "contentMap": {"ja": "<p>shown</p>"},
        "inReplyTo": target,
    }
    stored = _made(site, await _publish(site, document))
    assert stored.document["content"] == "<p>shown</p>"
    assert stored.document["source"] == {"mediaType": "text/plain", "content": "written"}
    assert stored.document["summary"] == "注意"
    assert stored.document["contentMap"] == {"ja": "<p>shown</p>"}
    assert stored.in_reply_to == target


async def test_markup_of_a_client_becomes_text(site: Site) -> None:
    """HTML from a client is read as text, so that nothing in it can run."""
    document = {**NOTE, "content": "<p>a<script>alert(1)</script><img src=x onerror=alert(1)> &lt;b&gt;</p>"}
    stored = _made(site, await _publish(site, document))
    assert stored.document["content"] == "<p>a &lt;b&gt;</p>"


async def test_an_update_is_partial(own_site: Site) -> None:
    """Members that an Update does not name stay as they were (ActivityPub, section 6.3.1)."""
    target = own_site.posts["warned"].id
    await _publish(own_site, {"type": "Update", "object": {"id": target, "content": "<p>new text</p>"}})
    stored = own_site.kit.store.objects.get(target)
    assert stored is not None
    assert stored.document["content"] == "<p>new text</p>"
    assert stored.document["summary"] == "食べ物"
    await _publish(own_site, {"type": "Update", "object": {"id": target, "contentUsage": "search=n"}})
    stored = own_site.kit.store.objects.get(target)
    assert stored is not None
    assert stored.document["content"] == "<p>new text</p>"
    assert stored.document["contentUsage"] == "train-ai=n, ai-use=n, search=n"
    await _publish(own_site, {"type": "Update", "object": {"id": target, "summary": None}})
    stored = own_site.kit.store.objects.get(target)
    assert stored is not None
    assert "summary" not in stored.document


async def test_delete_like_announce_and_undo(own_site: Site) -> None:
    """The other verbs do what they say; what is done is taken back by the id of the activity."""
    target = own_site.posts["public"].id
    relations = own_site.kit.store.relations
    for kind in ("Like", "Announce"):
        done = await _publish(own_site, {"type": kind, "object": target})
        assert relations.interactions(target, kind)
        undone = await _publish(own_site, {"type": "Undo", "object": done.header("location")})
        assert undone.status == 201
        assert not relations.interactions(target, kind)
    answer = await _publish(own_site, {"type": "Delete", "object": {"id": target, "type": "Note"}})
    assert answer.status == 201
    assert (await own_site.signed(own_site.path("public"))).status == 410
    problem_of(await _publish(own_site, {"type": "Delete", "object": target}), [410])


async def test_follow_block_and_undo(own_site: Site) -> None:
    """People elsewhere are followed and blocked by their id."""
    eve, relations = own_site.stranger.me.id, own_site.kit.store.relations
    followed = await _publish(own_site, {"type": "Follow", "object": eve})
    known = relations.follow(own_site.alice.id, eve)
    assert known is not None
    assert known.state == "pending"
    await _publish(own_site, {"type": "Undo", "object": {"id": followed.header("location"), "type": "Follow"}})
    assert relations.follow(own_site.alice.id, eve) is None
    blocked = await _publish(own_site, {"type": "Block", "object": eve})
    assert relations.blocks(own_site.alice.id, eve)
    await _publish(own_site, {"type": "Undo", "object": blocked.header("location")})
    assert not relations.blocks(own_site.alice.id, eve)


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"type": "Note"}, 400),
        ({"type": "Note", "content": "x" * 20_001}, 400),
        ({"type": "Create", "object": {"type": "Person", "name": "?"}}, 403),
        ({"type": "Create", "object": {"type": "Like", "object": "https://peer.example/1"}}, 400),
        ({"type": "CollectionPage", "items": []}, 400),
        ({"type": "Create", "object": "https://peer.example/notes/1"}, 400),
        ({"type": "Like"}, 400),
        ({"type": "Like", "object": 5}, 400),
        ({"type": "Like", "object": "not a url"}, 400),
        ({"type": "Follow", "object": "javascript:alert(1)"}, 400),
        ({"type": "Move", "object": f"{BASE}/users/alice", "target": "https://peer.example/users/bob"}, 403),
        ({"type": "Delete", "object": f"{BASE}/users/alice"}, 403),
        ({"type": "Note", "content": "x", "contentUsage": "((("}, 400),
        ({"type": "Note", "content": "x", "contentUsage": 5}, 400),
        ({"object": f"{BASE}/posts/x"}, 400),
        ({"type": "Undo", "object": f"{BASE}/activities/2222222222222"}, 404),
        ({"type": "Delete", "object": f"{BASE}/posts/2222222222222"}, 404),
        ({"type": "Update", "object": {"id": f"{BASE}/posts/2222222222222", "content": "x"}}, 404),
    ],
)
async def test_what_cannot_be_done_is_said(site: Site, document: dict[str, Any], status: int) -> None:
    """An activity that makes no sense is a 400, one about nothing a 404; nothing is kept."""
    before = site.snapshot()
    problem_of(await _publish(site, document), [status])
    assert site.snapshot() == before


async def test_nobody_changes_what_somebody_else_wrote(site: Site) -> None:
    """Update and Delete of another account's post, and Undo of its activity, are refused."""
    before = site.snapshot()
    target = site.posts["open"].id
    sent = site.kit.store.objects.latest_activity(site.carol.id, "Create", target)
    assert sent is not None
    for document, status in (
        ({"type": "Delete", "object": target}, 403),
        ({"type": "Update", "object": {"id": target, "content": "mine"}}, 403),
        ({"type": "Undo", "object": sent.id}, 403),
    ):
        problem_of(await _publish(site, document), [status])
    assert site.snapshot() == before


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, "token-missing"),
        ("", 401, "token-missing"),
        ("Bearer", 401, "token-missing"),
        ("Bearer ", 401, "token-missing"),
        ("Basic YWxpY2U6cGFzcw==", 401, "token-missing"),
        ("Bearer {unknown}", 401, "token-invalid"),
        ("Bearer {revoked}", 401, "token-invalid"),
        ("Bearer {alice}x", 401, "token-invalid"),
        ("Bearer {carol}", 403, "token-of-another-account"),
        ("bearer {alice}", 201, ""),
    ],
)
async def test_only_the_owners_living_token_publishes(
    site: Site, authorization: str | None, status: int, code: str
) -> None:
    """Missing, malformed, unknown, revoked and foreign tokens are refused before the body is read."""
    before = site.snapshot()
    headers = [("content-type", ACTIVITY_JSON)]
    if authorization is not None:
        headers.append(("authorization", authorization.format(**site.tokens)))
    answer = await ask(site.app, "POST", "/users/alice/outbox", headers, json.dumps(NOTE).encode())
    assert answer.status == status
    if code:
        assert problem_of(answer, [status])["code"] == code
        assert site.snapshot() == before
    if status == 401:
        assert "Bearer" in answer.header("www-authenticate")


async def test_a_token_opens_no_other_account(site: Site) -> None:
    """A token reads what its account may see, publishes there alone, and is no key to a missing account."""
    bearer = f"Bearer {site.tokens['alice']}"
    assert (await site.get(site.path("followers"), authorization=bearer)).status == 200
    assert (await site.get(site.path("followers"), authorization=f"Bearer {site.tokens['carol']}")).status == 404
    for path, status in (("/users/nobody/outbox", 404), ("/users/gone/outbox", 410), ("/users/carol/outbox", 403)):
        headers = [("content-type", ACTIVITY_JSON), ("authorization", bearer)]
        problem_of(await ask(site.app, "POST", path, headers, json.dumps(NOTE).encode()), [status])


async def test_a_signature_is_no_token(site: Site) -> None:
    """A remote actor's valid signature does not publish here."""
    answer = await site.follower.post(f"{BASE}/users/alice/outbox", NOTE)
    assert answer.status_code == 401


async def test_the_answer_states_what_was_published(site: Site) -> None:
    """The headers of the 201 are the preferences of what now stands there: the account's, as the post changed them."""
    answer = await _publish(site, {**NOTE, "contentUsage": "train-ai=y, search=n"})
    stored = _made(site, answer)
    assert answer.header("content-usage") == stored.document["contentUsage"]
    assert "train-ai=y" in answer.header("content-usage")


async def test_a_body_that_is_no_json_is_told_what_is_taken(site: Site) -> None:
    """A 415 names the types that an outbox takes."""
    problem = problem_of(await site.publish(b"x=1", content_type="application/x-www-form-urlencoded"), [415])
    assert "application/activity+json" in problem["detail"]
