"""Passing on what its origin could not deliver."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, follows, home_of, published
from peers.plain import AS2, PUBLIC
from world import BASE, account

from gateway.activitypub.addressing import Visibility
from gateway.flows import client, interact, moderate
from gateway.flows.concern import MAX_DEPTH, MAX_FETCHES, MAX_LINKS
from gateway.flows.deliver import pass_on
from gateway.policy.rules import Action

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.objects import Stored

pytestmark = pytest.mark.anyio

FOLLOWERS = f"{ALICE}/followers"
STATES = ("queued", "leased", "done", "dead", "dropped")


class Scene:
    """Alice, whom Erin follows, and Dora, who answers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home, self.alice = home_of(world)
        self.dora, self.erin = world.peer("dora.example", "dora"), world.peer("erin.example", "erin")

    async def begin(self) -> Stored:
        """Let Erin follow; return a post to answer."""
        await follows(self.world, self.erin)
        post = await published(self.home, self.alice)
        await self.world.drain()
        self.erin.received.clear()
        return post

    def reply(self, to_what: Any, **members: Any) -> dict[str, Any]:
        """Return Dora's reply, for Alice's followers."""
        note = self.dora.note("answer", inReplyTo=to_what)
        return self.dora.activity("Create", note, **{"to": [PUBLIC], "cc": [FOLLOWERS], **members})

    async def arrives(self, document: dict[str, Any], inbox: str = f"{ALICE}/inbox") -> None:
        """Let a document of Dora's arrive and be worked off."""
        assert (await self.dora.post(inbox, document)).status_code == 202
        await self.world.drain()

    @property
    def forwarded(self) -> list[str]:
        """Return the ids of what reached Erin."""
        return [document["id"] for document in self.erin.received]


def _jobs(home: Gateway) -> list[tuple[str, str]]:
    jobs = home.kit.store.jobs.find(kinds=("forward",), states=STATES)
    return [(job.peer, job.state) for job in jobs]


async def _serve_chain(peer: PlainPeer, end: str, length: int) -> str:
    """Serve notes that answer each other, the last one ``end``; return the first."""
    for number in range(length):
        note = {"@context": AS2, **peer.note("between", inReplyTo=end), "id": f"{peer.base}/chain/{number}"}
        peer.serve_document(note["id"], note)
        end = note["id"]
    return end


async def test_the_bytes_go_on_as_they_came(world: World) -> None:
    """Erin gets Dora's activity unchanged, signed on the way by Alice, whose followers were named."""
    scene = Scene(world)
    post = await scene.begin()
    document = scene.reply(post.id, unheard={"of": ["1.0", 1.0]})
    await scene.arrives(document)
    assert scene.erin.received == [document]
    headers = scene.erin.received_headers[-1]
    assert f"{ALICE}#main-key" in headers.get("signature", "") + headers.get("signature-input", "")
    assert _jobs(scene.home) == [("https://erin.example", "done")]


async def test_its_own_server_gets_nothing_back(world: World) -> None:
    """A follower beside the author is its server's to serve."""
    scene = Scene(world)
    post = await scene.begin()
    await follows(world, scene.dora, scene.dora.actor("dan"))
    scene.dora.received.clear()
    await scene.arrives(scene.reply(post.id))
    assert (len(scene.forwarded), scene.dora.received) == (1, [])


async def test_followers_here_find_it_in_their_inbox(world: World) -> None:
    """A follower who lives here reads it; one who blocks its author does not."""
    scene = Scene(world)
    post = await scene.begin()
    carol, dave = account(scene.home, "carol"), account(scene.home, "dave")
    for follower in (carol, dave):
        await client.submit(scene.home.kit, follower, {"type": "Follow", "object": ALICE})
    interact.block(scene.home.kit, dave, scene.dora.me.id)
    await world.drain()
    document = scene.reply(post.id, to=[FOLLOWERS], cc=[])
    await scene.arrives(document)
    read = scene.home.kit.store.database.rows(
        "SELECT account FROM inbox_item WHERE activity = :id AND account <> :alice", id=document["id"], alice=ALICE
    )
    assert read == [{"account": carol.id}]


@pytest.mark.parametrize("action", [Action.LIMIT, Action.REFUSE])
async def test_only_welcome_servers_are_forwarded_to(world: World, action: Action) -> None:
    """A limited server gets nothing that it did not ask for, a refused one nothing at all."""
    scene = Scene(world)
    post = await scene.begin()
    moderate.set_rule(scene.home.kit, "erin.example", action)
    await scene.arrives(scene.reply(post.id))
    assert (scene.forwarded, _jobs(scene.home)) == ([], [])


async def test_who_is_blocked_is_not_passed_on(world: World) -> None:
    """Alice's followers are not reached over Alice by somebody whom she blocks."""
    scene = Scene(world)
    post = await scene.begin()
    interact.block(scene.home.kit, scene.alice, scene.dora.me.id)
    await scene.arrives(scene.reply(post.id), f"{BASE}/inbox")
    assert scene.forwarded == []


@pytest.mark.parametrize(
    "collection",
    [f"{BASE}/users/nobody/followers", f"{BASE}/users/gone/followers", f"{ALICE}/outbox", f"{ALICE}/liked", ALICE,
     "https://dora.example/users/dora/followers", f"{BASE}/posts/2222222222222", PUBLIC],
)  # fmt: skip
async def test_other_addresses_forward_nothing(world: World, collection: str) -> None:
    """Only living accounts' followers, following and own collections are opened."""
    scene = Scene(world)
    account(scene.home, "gone", deleted=world.clock.now())
    post = await scene.begin()
    await scene.arrives(scene.reply(post.id, to=[collection], cc=[]))
    assert scene.forwarded == []


async def test_a_deleted_collection_is_not_opened(world: World) -> None:
    """Whoever was in it gets nothing any more."""
    scene = Scene(world)
    post = await scene.begin()
    made = await client.submit(scene.home.kit, scene.alice, {"type": "Collection", "name": "x", "to": [PUBLIC]})
    add = {"type": "Add", "object": scene.erin.me.id, "target": made.object}
    await client.submit(scene.home.kit, scene.alice, add)
    await scene.arrives(scene.reply(post.id, to=[made.object], cc=[]))
    assert len(scene.forwarded) == 1
    await client.submit(scene.home.kit, scene.alice, {"type": "Delete", "object": made.object})
    await world.drain()
    scene.erin.received.clear()
    await scene.arrives(scene.reply(post.id, to=[made.object], cc=[]))
    assert scene.forwarded == []


@pytest.mark.parametrize(("between", "reached"), [(0, True), (1, True), (2, True), (MAX_DEPTH, False), (9, False)])
async def test_a_thread_is_followed_a_few_steps(world: World, between: int, *, reached: bool) -> None:
    """An answer to an answer is about ours, and it ends after a few fetches."""
    scene = Scene(world)
    post = await scene.begin()
    target = await _serve_chain(scene.dora, post.id, between)
    before = len(scene.dora.gets)
    await scene.arrives(scene.reply(target))
    assert bool(scene.forwarded) is reached
    chain = [path for path in scene.dora.gets[before:] if path.startswith("/chain/")]
    assert len(chain) <= MAX_FETCHES


async def test_many_links_are_not_all_followed(world: World) -> None:
    """A document full of links makes us ask for a few of them."""
    scene = Scene(world)
    await scene.begin()
    links = [f"https://dora.example/links/{number}" for number in range(MAX_LINKS * 2)]
    await scene.arrives(scene.reply(links))
    asked = [path for path in scene.dora.gets if path.startswith("/links/")]
    assert 0 < len(asked) <= MAX_FETCHES
    assert scene.forwarded == []


async def test_tags_are_not_fetched(world: World) -> None:
    """A mention names somebody, and is no reason to ask their server."""
    scene = Scene(world)
    await scene.begin()
    document = scene.reply(None, tag=[{"type": "Mention", "href": "https://dora.example/links/1"}])
    await scene.arrives(document)
    assert not [path for path in scene.dora.gets if path.startswith("/links/")]


async def test_a_reply_that_links_to_nonsense_is_forwarded_nowhere(world: World) -> None:
    """Broken links are passed over."""
    scene = Scene(world)
    await scene.begin()
    await scene.arrives(scene.reply("nonsense"))
    await scene.arrives(scene.reply({"id": 5}))
    await scene.arrives(scene.reply([None, {}, "https://nowhere.example/1"]))
    assert scene.forwarded == []


async def test_a_follower_nobody_has_met_is_looked_up(world: World) -> None:
    """A member of a collection who is a stranger is found first; one who cannot be found is left out."""
    scene = Scene(world)
    post = await scene.begin()
    frank = world.peer("frank.example", "frank")
    made = await client.submit(scene.home.kit, scene.alice, {"type": "Collection", "name": "x", "to": [PUBLIC]})
    for member in (frank.me.id, "https://nowhere.example/users/x", f"{BASE}/users/nobody"):
        scene.home.kit.store.collections.add(made.object, member, world.clock.now())
    document = scene.reply(post.id, to=[made.object], cc=[])
    await scene.arrives(document)
    assert [one["id"] for one in frank.received if one["type"] == "Create"] == [document["id"]]


async def test_bytes_that_are_gone_are_not_forwarded(world: World) -> None:
    """When an arrival was pruned before it went on, its job is dropped."""
    scene = Scene(world)
    post = await scene.begin()
    document = scene.reply(post.id)
    payload = {"arrival": document["id"], "actor": scene.dora.me.id, "inbox": f"{scene.erin.me.id}/inbox", "as": ALICE}
    jobs = scene.home.kit.store.jobs
    jobs.add("forward", payload, lane="x", peer="https://erin.example", due=world.clock.now())
    [job] = jobs.claim("me", world.clock.now(), 1)
    await pass_on(scene.home.kit, job)
    assert _jobs(scene.home) == [("https://erin.example", "dropped")]
    assert scene.forwarded == []


async def test_an_origin_has_a_share_an_hour(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody fans out over this server without end: after its share an origin's answers are kept, not passed on."""
    monkeypatch.setattr("gateway.flows.forward.MAX_AN_HOUR", 2)
    scene = Scene(world)
    post = await scene.begin()
    documents = [scene.reply(post.id) for _ in range(4)]
    for document in documents[:3]:
        await scene.arrives(document)
    assert scene.forwarded == [document["id"] for document in documents[:2]]
    world.clock.forward(hours=1, seconds=1)
    await scene.arrives(documents[3])
    assert scene.forwarded[2:] == [documents[3]["id"]]


async def test_what_its_sender_may_not_see_is_not_answered_over_us(world: World) -> None:
    """An answer to a hidden post by somebody whom it is hidden from reaches nobody."""
    scene = Scene(world)
    await scene.begin()
    post = await published(scene.home, scene.alice, visibility=Visibility.FOLLOWERS)
    await world.drain()
    scene.erin.received.clear()
    await scene.arrives(scene.reply(post.id))
    assert scene.forwarded == []


async def test_an_author_here_is_not_forwarded_by_itself(world: World) -> None:
    """What Carol, who lives here, answers reaches Alice's followers once, with Carol's own signature or Alice's."""
    scene = Scene(world)
    post = await scene.begin()
    carol: Account = account(scene.home, "carol")
    note = {"type": "Note", "content": "x", "inReplyTo": post.id, "to": [ALICE, FOLLOWERS]}
    sent = await client.submit(scene.home.kit, carol, note)
    await world.drain()
    assert scene.forwarded == [sent.id]
    assert json.dumps(scene.erin.received[0]["object"]["content"]) == '"x"'


async def test_a_deletion_does_not_overtake_what_it_deletes(world: World) -> None:
    """A follower's server that missed a reply once gets the deletion only, never the reply after it."""
    scene = Scene(world)
    post = await scene.begin()
    reply = scene.reply(post.id)
    scene.erin.inbox_status = 503
    await scene.arrives(reply)
    scene.erin.inbox_status = 202
    scene.erin.received.clear()
    note = reply["object"]
    await scene.arrives(scene.dora.activity("Delete", note["id"], to=[PUBLIC], cc=[FOLLOWERS]))
    for _ in range(4):
        world.clock.forward(hours=1)
        await world.drain()
    assert [document["type"] for document in scene.erin.received] == ["Delete"]
