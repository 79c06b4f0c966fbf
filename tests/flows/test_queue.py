"""Putting activities on their way: what is overtaken, in which order the rest goes, who comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flows.scenes import follows, home_of, published, types

from gateway.activitypub.note import Draft
from gateway.flows import publish, queue, reach, revise
from gateway.flows.deliver import deliver
from gateway.store.jobs import OPEN, Job
from gateway.urls import origin_of

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent, Stored

pytestmark = pytest.mark.anyio
EVERY = (*OPEN, "done", "dead", "dropped", "superseded")


class Scene:
    """A gateway whose Alice has a follower elsewhere."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home: Gateway
        self.alice: Account
        self.home, self.alice = home_of(world)
        self.peer: PlainPeer = world.peer()

    async def begin(self) -> Scene:
        await follows(self.world, self.peer)
        return self

    async def post(self) -> Stored:
        return await published(self.home, self.alice)

    async def edit(self, post: Stored, text: str = "changed") -> Sent:
        self.world.clock.forward(seconds=2)
        _, sent = await revise.edit(self.home.kit, self.alice, post.id, text=text)
        return sent

    def delete(self, post: Stored) -> Sent:
        self.world.clock.forward(seconds=2)
        return revise.delete(self.home.kit, self.alice, post.id)

    async def meets(self, status: int) -> None:
        """Let what is due be answered with a status, and forget what was in it."""
        self.peer.inbox_status = status
        await self.world.drain()
        self.peer.inbox_status = 202
        self.peer.received.clear()

    async def settle(self) -> None:
        """Let everything be tried for three hours."""
        for _ in range(36):
            await self.world.drain()
            self.world.clock.forward(minutes=5)

    def claim(self) -> list[Job]:
        return self.home.kit.store.jobs.claim("me", self.world.clock.now(), 1)

    def jobs(self) -> list[tuple[str, str]]:
        return [(job.verb, job.state) for job in self.home.kit.store.jobs.find(kinds=("deliver",), states=EVERY)]

    def texts(self) -> list[str]:
        return [document["object"].get("content", "") for document in self.peer.received]


# What is overtaken


async def test_a_newer_update_replaces_a_queued_one(world: World) -> None:
    """Of several edits that wait only the last goes out."""
    scene = await Scene(world).begin()
    post = await scene.post()
    await scene.settle()
    scene.peer.received.clear()
    for text in ("first", "second", "third"):
        await scene.edit(post, text)
    await scene.settle()
    assert types(scene.peer) == ["Update"]
    assert scene.texts() == ["<p>third</p>"]


async def test_edits_that_left_are_followed_by_newer_ones(world: World) -> None:
    """An edit that was delivered is not taken back: the next one follows it."""
    scene = await Scene(world).begin()
    post = await scene.post()
    for text in ("first", "second"):
        await world.drain()
        await scene.edit(post, text)
    await scene.settle()
    assert types(scene.peer) == ["Create", "Update", "Update"]
    assert scene.texts()[1:] == ["<p>first</p>", "<p>second</p>"]


async def test_an_update_does_not_replace_the_create(world: World) -> None:
    """Who never got the post gets it first, then its newest version."""
    scene = await Scene(world).begin()
    post = await scene.post()
    await scene.edit(post, "first")
    await scene.edit(post, "second")
    await scene.settle()
    assert types(scene.peer) == ["Create", "Update"]
    assert scene.texts()[-1] == "<p>second</p>"


async def test_edits_of_other_posts_stay(world: World) -> None:
    """Only an edit of the same post replaces one."""
    scene = await Scene(world).begin()
    one, other = await scene.post(), await scene.post()
    await scene.settle()
    scene.peer.received.clear()
    await scene.edit(one, "one")
    await scene.edit(other, "other")
    await scene.settle()
    assert sorted(scene.texts()) == ["<p>one</p>", "<p>other</p>"]


@pytest.mark.parametrize("edits", [0, 1, 3])
async def test_what_never_left_is_cancelled(world: World, edits: int) -> None:
    """A post that is deleted before anything of it left is never heard of: no Create, no Update, no Delete."""
    scene = await Scene(world).begin()
    post = await scene.post()
    for number in range(edits):
        await scene.edit(post, f"{number}")
    scene.delete(post)
    await scene.settle()
    assert scene.peer.received == []
    assert not [state for _, state in scene.jobs() if state in OPEN]


async def test_a_deletion_cancels_edits_that_wait(world: World) -> None:
    """A post that was delivered, edited and deleted gets its Delete; the Update is not sent any more."""
    scene = await Scene(world).begin()
    post = await scene.post()
    await scene.settle()
    scene.peer.received.clear()
    await scene.edit(post)
    scene.delete(post)
    await scene.settle()
    assert types(scene.peer) == ["Delete"]


@pytest.mark.parametrize("edits", [0, 2])
@pytest.mark.parametrize("status", [503, 429, 401])
async def test_what_may_have_left_is_deleted(world: World, status: int, edits: int) -> None:
    """When a Create was tried, whatever was answered, the Delete goes, and the Create does not go again."""
    scene = await Scene(world).begin()
    post = await scene.post()
    await scene.meets(status)
    for number in range(edits):
        await scene.edit(post, f"{number}")
    scene.delete(post)
    await scene.settle()
    assert types(scene.peer) == ["Delete"]


@pytest.mark.parametrize("status", [503, 429])
async def test_a_create_in_hand_does_not_come_back(world: World, status: int) -> None:
    """A post deleted while its Create is under way, which then fails: only the Delete goes, the text no more."""
    scene = await Scene(world).begin()
    post = await scene.post()
    [job] = scene.claim()
    scene.delete(post)
    scene.peer.inbox_status = status
    await deliver(scene.home.kit, job)
    scene.peer.inbox_status = 202
    scene.peer.received.clear()
    await scene.settle()
    assert types(scene.peer) == ["Delete"]


async def test_a_create_lost_in_hand_does_not_come_back(world: World) -> None:
    """A post deleted while its Create is in the hands of a process that dies: only the Delete goes."""
    scene = await Scene(world).begin()
    post = await scene.post()
    assert len(scene.claim()) == 1
    scene.delete(post)
    scene.home.kit.store.jobs.release("me")
    await scene.settle()
    assert types(scene.peer) == ["Delete"]


async def test_a_create_in_hand_is_followed_by_the_delete(world: World) -> None:
    """A Create that arrives after all is deleted right after it."""
    scene = await Scene(world).begin()
    post = await scene.post()
    [job] = scene.claim()
    scene.delete(post)
    assert scene.claim() == []
    await deliver(scene.home.kit, job)
    await scene.settle()
    assert types(scene.peer) == ["Create", "Delete"]


async def test_an_old_post_is_deleted(world: World) -> None:
    """A post delivered long ago, whose delivery is not remembered any more, gets its Delete over a waiting Update."""
    scene = await Scene(world).begin()
    post = await scene.post()
    await scene.settle()
    scene.peer.received.clear()
    world.clock.forward(days=400)
    scene.home.prune()
    await scene.edit(post)
    scene.delete(post)
    await scene.settle()
    assert types(scene.peer) == ["Delete"]


async def test_what_an_admin_tried_again_is_deleted(world: World) -> None:
    """A Create that was tried, and that an admin queued again, may have left: its Delete goes."""
    scene = await Scene(world).begin()
    post = await scene.post()
    await scene.meets(503)
    [job] = scene.home.kit.store.jobs.find(kinds=("deliver",))
    assert scene.home.kit.store.jobs.revive(job.id, world.clock.now())
    scene.delete(post)
    await scene.settle()
    assert types(scene.peer) == ["Delete"]


async def test_each_server_is_told_what_it_needs(world: World) -> None:
    """Of two followers' servers the one that got the post gets the Delete, the one that got nothing hears nothing."""
    scene = await Scene(world).begin()
    other = world.peer("other.example", "olga")
    await follows(world, other)
    post = await scene.post()
    [job] = scene.claim()
    await deliver(scene.home.kit, job)
    scene.delete(post)
    await scene.settle()
    assert sorted([types(scene.peer), types(other)]) == [[], ["Create", "Delete"]]


# Order


async def test_a_lane_keeps_its_order(world: World) -> None:
    """Create, Update and Delete of one post arrive in this order, also when the first waits for hours."""
    scene = await Scene(world).begin()
    post = await scene.post()
    await scene.meets(503)
    await scene.edit(post)
    await world.drain()
    assert scene.peer.received == []
    await scene.settle()
    scene.delete(post)
    await scene.settle()
    assert types(scene.peer) == ["Create", "Update", "Delete"]


async def test_a_post_does_not_wait_for_another(world: World) -> None:
    """What is about another object is another lane: a post that waits holds up no later one."""
    scene = await Scene(world).begin()
    await scene.post()
    await scene.meets(503)
    await scene.post()
    await world.drain()
    assert types(scene.peer) == ["Create"]


async def test_an_update_after_a_failed_create_is_sent(world: World) -> None:
    """A lane goes on behind a Create that ended for good."""
    scene = await Scene(world).begin()
    post = await scene.post()
    await scene.meets(403)
    await scene.edit(post)
    await scene.settle()
    assert types(scene.peer) == ["Update"]


# Who comes first


async def sent_by(scene: Scene) -> Sent:
    """Return an activity of Alice's whose own delivery has ended."""
    _, sent = await publish.create(scene.home.kit, scene.alice, Draft(text="x"))
    await scene.settle()
    return sent


async def test_people_come_before_a_fan_out(world: World) -> None:
    """What goes to one server is claimed before a post to hundreds that was queued first."""
    scene = await Scene(world).begin()
    many, one = await sent_by(scene), await sent_by(scene)
    with scene.home.kit.store.transaction():
        queue.deliver_to(scene.home.kit, many, [f"https://{number}.example/inbox" for number in range(300)])
    world.clock.forward(seconds=1)
    queue.deliver_to(scene.home.kit, one, ["https://zoe.example/inbox"])
    assert [job.peer for job in scene.claim()] == ["https://zoe.example"]


async def test_a_post_to_a_few_is_for_people(world: World) -> None:
    """Two posts to one server each go in the order in which they were written."""
    scene = await Scene(world).begin()
    first, second = await sent_by(scene), await sent_by(scene)
    queue.deliver_to(scene.home.kit, first, ["https://zoe.example/inbox"])
    world.clock.forward(seconds=1)
    queue.deliver_to(scene.home.kit, second, ["https://amy.example/inbox"])
    assert [job.peer for job in scene.claim()] == ["https://zoe.example"]


# Who gets nothing


async def test_the_dead_get_nothing(world: World) -> None:
    """For a dead peer nothing is queued, it does not count as a recipient, and a line says so; others get theirs."""
    scene = await Scene(world).begin()
    sent = await sent_by(scene)
    dead = origin_of("https://dead.example")
    reach.is_gone(scene.home.kit, dead)
    lines = len(scene.home.kit.store.peers.audit_lines("dead.example"))
    before = len(scene.jobs())
    taken = queue.deliver_to(scene.home.kit, sent, ["https://dead.example/inbox", "https://zoe.example/inbox"])
    assert taken == ["https://zoe.example/inbox"]
    assert len(scene.jobs()) == before + 1
    [line] = scene.home.kit.store.peers.audit_lines("dead.example")[: -lines or None]
    assert "peer-dead" in line["reason"]


async def test_a_peer_in_trouble_is_queued_for(world: World) -> None:
    """An open circuit holds deliveries back, and loses none."""
    scene = await Scene(world).begin()
    for _ in range(5):
        reach.failed(scene.home.kit, origin_of(scene.peer.base))
    await scene.post()
    await world.drain()
    assert scene.peer.received == []
    world.clock.forward(minutes=30)
    await world.drain()
    assert types(scene.peer) == ["Create"]
