"""Posts to many: their deliveries are queued a slice at a time, and end as if they had been queued at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from flows.scenes import home_of

from gateway.activitypub.note import Draft
from gateway.flows import publish, queue, revise
from gateway.flows.moderate import set_rule
from gateway.policy.rules import Action
from gateway.store.jobs import OPEN
from gateway.store.relations import RemoteActor

if TYPE_CHECKING:
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.jobs import Job
    from gateway.store.objects import Stored

pytestmark = pytest.mark.anyio
EVERY = (*OPEN, "done", "dead", "dropped", "superseded")
MANY = 5


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queue two inboxes in one go, and call more than three many."""
    monkeypatch.setattr(queue, "SLICE", 2)
    monkeypatch.setattr(queue, "FEW", 3)


class Scene:
    """A gateway whose Alice has followers on several servers, none of which is asked here."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home: Gateway
        self.alice: Account
        self.home, self.alice = home_of(world)
        self.kit = self.home.kit
        for number in range(MANY):
            self.follows(number)

    def follows(self, number: int) -> None:
        """Let somebody on another server follow Alice."""
        base, now = f"https://p{number}.example", self.kit.clock.now()
        actor = RemoteActor(
            id=f"{base}/u", origin=base, name="u", inbox=f"{base}/u/inbox", shared_inbox=inbox(number),
            document={"id": f"{base}/u"}, fetched=now,
        )  # fmt: skip
        self.kit.store.relations.save_actor(actor, [])
        self.kit.store.relations.save_follow(actor.id, self.alice.id, f"{base}/f", "accepted", now)

    async def post(self) -> Stored:
        stored, _ = await publish.create(self.kit, self.alice, Draft(text="hello"))
        return stored

    async def edit(self, post: Stored) -> None:
        self.world.clock.forward(seconds=2)
        await revise.edit(self.kit, self.alice, post.id, text="changed")

    def jobs(self, kind: str, *states: str) -> list[Job]:
        return self.kit.store.jobs.find(kinds=(kind,), states=states or EVERY)

    async def spread(self, slices: int = 100) -> None:
        """Queue the deliveries of some slices, as the worker does."""
        for _ in range(slices):
            if not (ready := self.jobs("spread", "queued")):
                return
            await self.home.worker._one(ready[0])

    def lanes(self) -> dict[str, list[tuple[str, str]]]:
        """Return (verb, state) of what was queued for each inbox, in its order."""
        found: dict[str, list[tuple[str, str]]] = {}
        for job in self.jobs("deliver"):
            found.setdefault(str(job.payload["inbox"]), []).append((job.verb, job.state))
        return found


def inbox(number: int) -> str:
    """Return the inbox of a server."""
    return f"https://p{number}.example/inbox"


async def test_all_get_it_once(world: World) -> None:
    """A post to five servers is three slices, one after the other, and then one delivery for each server."""
    scene = Scene(world)
    await scene.post()
    assert [(job.state, len(job.payload["inboxes"])) for job in scene.jobs("spread")] == [
        ("queued", 2), ("waiting", 2), ("waiting", 1),
    ]  # fmt: skip
    assert scene.lanes() == {}
    await scene.spread(1)
    assert len(scene.lanes()) == 2
    await scene.spread()
    assert scene.lanes() == {inbox(number): [("Create", "queued")] for number in range(MANY)}
    assert {job.state for job in scene.jobs("spread")} == {"done"}


async def test_an_edit_stays_behind_what_is_left(world: World) -> None:
    """Edited while slices are left, each server gets the post first and then the edit."""
    scene = Scene(world)
    post = await scene.post()
    await scene.spread(1)
    await scene.edit(post)
    await scene.spread()
    assert scene.lanes() == {inbox(number): [("Create", "queued"), ("Update", "waiting")] for number in range(MANY)}


async def test_what_goes_to_few_stays_behind_too(world: World) -> None:
    """A delivery about a post of which slices are left is queued after them, even if it is for one server."""
    scene = Scene(world)
    post = await scene.post()
    sent = scene.kit.store.objects.latest_activity(scene.alice.id, "Create", post.id)
    assert sent is not None
    taken = queue.deliver_to(scene.kit, sent, ["https://zoe.example/inbox"])
    assert taken == ["https://zoe.example/inbox"]
    scene.kit.store.objects.remember_recipients(post.id, taken)  # as whoever sends does
    assert [job.state for job in scene.jobs("spread")] == ["queued", "waiting", "waiting", "waiting"]
    await scene.spread()
    assert scene.lanes()["https://zoe.example/inbox"] == [("Create", "queued")]


async def test_nobody_gets_a_post_twice(world: World) -> None:
    """A recipient who is found while slices are left, and is in one of them, gets the post once."""
    scene = Scene(world)
    post = await scene.post()
    sent = scene.kit.store.objects.latest_activity(scene.alice.id, "Create", post.id)
    assert sent is not None
    queue.deliver_to(scene.kit, sent, [inbox(4)])
    await scene.spread()
    assert scene.lanes()[inbox(4)] == [("Create", "queued")]


async def test_what_was_deleted_is_not_spread_further(world: World) -> None:
    """Of a post deleted while slices are left no more goes out; who may have it is told, and so is everybody else."""
    scene = Scene(world)
    post = await scene.post()
    await scene.spread(1)
    scene.world.clock.forward(seconds=2)
    revise.delete(scene.kit, scene.alice, post.id)
    await scene.spread()
    begun, silent = [("Create", "superseded")], [("Delete", "queued")]
    assert scene.lanes() == {inbox(number): begun if number < 2 else silent for number in range(MANY)}
    assert [job.state for job in scene.jobs("spread")][1:3] == ["dropped", "dropped"]


async def test_what_was_withdrawn_does_not_go_out_any_more(world: World) -> None:
    """A post that is only for one person before its slices are queued goes to nobody else, in no version."""
    scene = Scene(world)
    post = await scene.post()
    scene.world.clock.forward(seconds=2)
    patch = {"to": ["https://p4.example/u"], "cc": [], "content": "only for you"}
    revise.patched(scene.kit, scene.alice, post, patch, post.own_prefs)
    await scene.spread()
    got = {address: [verb for verb, _ in sent] for address, sent in scene.lanes().items()}
    others = [verb for address, verbs in got.items() if "p4.example" not in address for verb in verbs]
    assert set(others) <= {"Delete"}
    assert "Update" in got["https://p4.example/u/inbox"]


async def test_who_is_refused_meanwhile_is_no_recipient(world: World) -> None:
    """A server that is refused before its slice is queued gets nothing, and does not count as one that has the post."""
    scene = Scene(world)
    post = await scene.post()
    set_rule(scene.kit, "p3.example", Action.REFUSE)
    assert inbox(3) in scene.kit.store.objects.recipients(post.id)
    await scene.spread()
    assert inbox(3) not in scene.lanes()
    assert sorted(scene.kit.store.objects.recipients(post.id)) == [inbox(number) for number in (0, 1, 2, 4)]


async def test_a_slice_of_what_is_gone_ends(world: World) -> None:
    """A slice whose activity is not there any more ends by its name."""
    scene = Scene(world)
    payload = {"activity": "https://gw.example/activities/none", "inboxes": [inbox(1)], "of": 1, "media": False}
    scene.kit.store.jobs.add("spread", payload, lane="x", peer="", due=scene.kit.clock.now())
    await scene.spread()
    assert [(job.state, job.problem) for job in scene.jobs("spread")] == [("dropped", "activity-gone")]
