"""Publishing: labels, files, mentions, replies, recipients."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from flows.scenes import PNG, follows, home_of, published, types
from world import BASE, account

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import MAX_ALT, MAX_TEXT, Draft
from gateway.activitypub.webfinger import JRD
from gateway.errors import BadInput, RemoteAnswer, UnsupportedMediaType
from gateway.flows import moderate, publish
from gateway.flows.attach import Upload, safe_name
from gateway.flows.limits import MAX_ATTACHED
from gateway.jsonld.contexts import PUBLIC
from gateway.policy.rules import Action
from gateway.preferences import NOTHING, Preferences

if TYPE_CHECKING:
    from world import World

pytestmark = pytest.mark.anyio


async def test_a_post_goes_to_each_followers_server_once(world: World) -> None:
    """Two followers on one server share an inbox; another server gets its own copy, byte for byte the same."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    await follows(world, peer)
    await follows(world, peer, peer.actor("dora"))
    await follows(world, other)
    peer.received.clear()
    stored = await published(home, alice)
    await world.drain()
    assert types(peer) == types(other) == ["Create"]
    assert peer.received == other.received
    assert set(home.kit.store.objects.recipients(stored.id)) == {
        "https://peer.example/inbox", "https://other.example/inbox",
    }  # fmt: skip


async def test_files_are_stored_and_labelled(world: World) -> None:
    """A picture is kept under its hash, named safely, and carries the same terms as its post."""
    home, alice = home_of(world)
    uploads = [Upload(content=PNG, name="../my pic.png", alt="a cat"), Upload(content=PNG, name="")]
    stored, _ = await publish.create(home.kit, alice, Draft(text=""), uploads=uploads)
    first, second = stored.document["attachment"]  # type: ignore[misc]
    assert first["url"].endswith("/my-pic.png")  # type: ignore[has-type]
    assert second["url"].endswith("/file")  # type: ignore[has-type]
    assert (first["width"], first["name"], first["contentUsage"]) == (3, "a cat", "train-ai=n, ai-use=n, search=y")  # type: ignore[has-type]
    media = home.kit.store.objects.media(first["url"].split("/")[-2])  # type: ignore[has-type]
    assert media is not None
    assert (media.object, media.alt, media.size) == (stored.id, "a cat", len(PNG))
    assert home.kit.files.path(media.sha256).read_bytes() == PNG


async def test_a_file_that_is_no_media_publishes_nothing(world: World) -> None:
    """A post with a file that is refused leaves no row behind."""
    home, alice = home_of(world)
    uploads = [Upload(content=PNG, name="a"), Upload(content=b"<svg/>", name="b")]
    with pytest.raises(UnsupportedMediaType):
        await publish.create(home.kit, alice, Draft(text="x"), uploads=uploads)
    assert home.kit.store.objects.count_local() == 0
    assert home.kit.store.database.rows("SELECT * FROM media") == []


@pytest.mark.parametrize(
    ("draft", "uploads"),
    [
        (Draft(text=" \n"), []),
        (Draft(text="x" * (MAX_TEXT + 1)), []),
        (Draft(text="x"), [Upload(content=PNG, name="a", alt="x" * (MAX_ALT + 1))]),
        (Draft(text="x"), [Upload(content=PNG, name="a")] * (MAX_ATTACHED + 1)),
    ],
)
async def test_a_post_has_bounds(world: World, draft: Draft, uploads: list[Upload]) -> None:
    """Nothing, too much text, too long a description or too many files are refused in words."""
    home, alice = home_of(world)
    with pytest.raises(BadInput):
        await publish.create(home.kit, alice, draft, uploads=uploads)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (NOTHING, {"train-gen": "n", "search": "y"}),
        (Preferences.of(train_gen="y", search="n"), {"train-gen": "y", "search": "n"}),
    ],
)
async def test_the_narrower_words_win_at_home(world: World, own: Preferences, expected: dict[str, str]) -> None:
    """What the author says about one post beats what they say in general; the rest stays."""
    home, alice = home_of(world)
    stored, _ = await publish.create(home.kit, alice, Draft(text="x"), own=own)
    assert stored.prefs.as_json().items() >= expected.items()
    assert stored.own_prefs.items() >= own.items()
    assert stored.prefs.disallows(next(iter(alice.prefs)).__class__.TRAIN_OTHER)


async def test_mentions_are_resolved_and_addressed(world: World) -> None:
    """People of ours and of others are linked and addressed; who does not answer stays text."""
    home, alice = home_of(world)
    carol, gone = account(home, "carol"), account(home, "gone", deleted=world.clock.now())
    peer = world.peer()
    link = {"rel": "self", "type": "application/activity+json", "href": peer.me.id}
    peer.serve("/.well-known/webfinger?resource=acct:bob@peer.example", json.dumps({"links": [link]}), content_type=JRD)
    text = "@bob@peer.example @carol@gw.example @gone@gw.example @nobody@gw.example @x@silent.example"
    stored = await published(home, alice, text)
    assert stored.document["cc"] == [f"{alice.id}/followers", peer.me.id, carol.id]
    await world.drain()
    assert types(peer) == ["Create"]
    assert gone.id not in str(stored.document)


@pytest.mark.parametrize("known", [True, False])
async def test_a_reply_reaches_its_author(world: World, known: bool) -> None:  # noqa: FBT001 - a table
    """The author who is answered is mentioned and gets the post, whether their note is known here or fetched."""
    home, alice = home_of(world)
    peer = world.peer()
    note = peer.note()
    peer.serve_document(note["id"], {"@context": "https://www.w3.org/ns/activitystreams", **note})
    if known:
        await peer.post(f"{BASE}/inbox", peer.activity("Create", note, to=[alice.id]))
        await world.drain()
    stored = await published(home, alice, "yes", reply_to=note["id"])
    assert stored.in_reply_to == note["id"]
    assert {"type": "Mention", "href": peer.me.id, "name": "@bob@peer.example"} in stored.document["tag"]  # type: ignore[operator]
    await world.drain()
    assert types(peer) == ["Create"]


async def test_a_reply_to_our_own_mentions_nobody(world: World) -> None:
    """Answering a post of this gateway needs no fetch and no mention."""
    home, alice = home_of(world)
    first = await published(home, alice)
    second = await published(home, alice, "again", reply_to=first.id)
    assert second.document["tag"] == []
    assert [r.id for r in home.kit.store.objects.replies(first.id)] == [second.id]


async def test_a_reply_to_nothing_is_refused(world: World) -> None:
    """An address that holds no object cannot be answered."""
    home, alice = home_of(world)
    world.peer()
    with pytest.raises(RemoteAnswer):
        await published(home, alice, "x", reply_to="https://peer.example/nothing")


async def test_a_direct_post_goes_to_its_people_only(world: World) -> None:
    """Followers' servers get nothing; the mentioned person's own inbox gets it."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    await follows(world, peer)
    await follows(world, other)
    people = (("@eve@other.example", other.me.id),)
    stored = await published(home, alice, "psst", visibility=Visibility.DIRECT, mentioned=people)
    await world.drain()
    assert types(peer) == []
    assert types(other) == ["Create"]
    assert PUBLIC not in str(stored.document["to"])
    assert home.kit.store.objects.recipients(stored.id) == [f"{other.me.id}/inbox"]


async def test_a_limited_peer_gets_no_media_and_a_refused_one_nothing(world: World) -> None:
    """What a decision withholds is not even queued, and the audit says so."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "eve")
    for each in (peer, other):
        await follows(world, each)
    moderate.set_rule(home.kit, "peer.example", Action.LIMIT)
    moderate.set_rule(home.kit, "other.example", Action.REFUSE)
    await publish.create(home.kit, alice, Draft(text="pic"), uploads=[Upload(content=PNG, name="a.png")])
    await published(home, alice, "text")
    await world.drain()
    assert [d["object"]["content"] for d in peer.received] == ["<p>text</p>"]
    assert other.received == []
    reasons = {line["reason"] for line in home.kit.store.peers.audit_lines() if line["event"] == "delivery"}
    assert reasons == {"not-queued-limit", "not-queued-refuse"}


@pytest.mark.parametrize(
    ("name", "safe"),
    [("a.png", "a.png"), ("/etc/passwd", "passwd"), ("..", "file"), ("", "file"), ("ü b?.png", "b-.png"),
     ("x" * 200 + ".png", "x" * 76 + ".png"), ('"><script>.png', "script-.png")],
)  # fmt: skip
def test_file_names_are_fit_for_urls(name: str, safe: str) -> None:
    """Whatever a file is called, its address holds letters, digits and dots."""
    assert safe_name(name) == safe
