"""Whatever the order in which seven activities about one object arrive, the end is the same: all 5,040 of them.

Every order has an object of its own. The short run takes a seeded sample of the orders.
"""

from __future__ import annotations

import itertools
import json
import random
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, arrives, home_of, published
from peers.plain import AS2
from world import BASE

from gateway.flows import discover
from gateway.flows.settle import settle
from gateway.store.arrivals import ArrivalRow
from gateway.store.jobs import ARRIVALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.objects import Stored

pytestmark = pytest.mark.anyio
ORDERS = tuple(itertools.permutations(range(7)))
SAMPLE = 150  # of each seven, other ones for each
THROUGH_THE_DOOR = 8  # orders of which every activity comes signed to the inbox
NO, YES = "train-ai=n", "train-ai=y"
Document = dict[str, Any]


class Scene:
    """A gateway whose Alice follows an author and a reader on two other servers, and has a post of her own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home: Gateway
        self.home, self.alice = home_of(world)
        self.author = world.peer("author.example", "v")
        self.reader = world.peer("reader.example", "r")
        self.other = world.peer("other.example", "o")
        self.ours: Stored
        now = world.clock.now()
        for peer in (self.author, self.reader, self.other):
            discover.keep_actor(self.home.kit, peer.me.document())
            self.home.kit.store.relations.save_follow(ALICE, peer.me.id, f"{BASE}/f", "accepted", now)
        # Nothing here is about a power cut.
        self.home.kit.store.database.run("PRAGMA synchronous=OFF")

    async def begin(self) -> Scene:
        self.ours = await published(self.home, self.alice)
        return self

    # Seven activities, given the number of an object

    def _note(self, number: int, version: int, usage: str | None) -> Document:
        note = f"{self.author.base}/notes/{number}"
        made = self.author.note(f"version {version}", contentUsage=usage, id=note, published="2026-11-23T08:00:00Z")
        if version:
            made["updated"] = f"2026-11-23T08:0{version}:00Z"
        return {name: value for name, value in made.items() if value is not None}

    def _versions(self, number: int, usages: Sequence[str | None]) -> list[Document]:
        notes = [self._note(number, version, usage) for version, usage in enumerate(usages)]
        return [self.author.activity("Update" if at else "Create", note) for at, note in enumerate(notes)]

    def _done_to(self, target: str, peer: PlainPeer, kind: str, *, embedded: bool = True) -> tuple[Document, Document]:
        done = peer.activity(kind, target)
        return done, peer.activity("Undo", done if embedded else done["id"])

    def deleted(self, number: int) -> list[Document]:
        """Return what leads to a post that is gone: written, edited, liked, boosted, deleted."""
        versions = self._versions(number, (NO, NO, NO))
        note = versions[0]["object"]["id"]
        self.author.serve(note, b"", status=410)
        like = self._done_to(note, self.reader, "Like")
        boost = self.reader.activity("Announce", note)
        return [*versions, *like, boost, self.author.activity("Delete", {"id": note, "type": "Tombstone"})]

    def tightened(self, number: int) -> list[Document]:
        """Return what leads to a post that nobody may train on, boosted and not liked."""
        return self._edited(number, (YES, None, YES, NO))

    def loosened(self, number: int) -> list[Document]:
        """Return what leads to a post that its author opened in the last edit."""
        return self._edited(number, (NO, None, NO, YES))

    def _edited(self, number: int, usages: Sequence[str | None]) -> list[Document]:
        versions = self._versions(number, usages)
        newest = versions[-1]["object"]
        self.author.serve_document(newest["id"], {"@context": AS2, **newest})
        like = self._done_to(newest["id"], self.reader, "Like", embedded=False)
        return [*versions, *like, self.reader.activity("Announce", newest["id"])]

    def our_own(self, number: int) -> list[Document]:
        """Return what two do to a post of ours: the reader takes all back, the other one's boost stays."""
        post = f"{BASE}/posts/copy{number}"
        self.home.kit.store.objects.save(replace(self.ours, id=post))
        back_and_forth = self._done_to(post, self.other, "Like")
        one, two = (
            self._done_to(post, self.reader, "Like", embedded=False),
            self._done_to(post, self.reader, "Announce"),
        )
        return [*back_and_forth, *one, *two, self.other.activity("Announce", post)]

    # Arriving

    async def settled(self, documents: Iterable[Document]) -> None:
        """Let activities that were verified be settled one after the other."""
        store, now = self.home.kit.store, self.world.clock.now()
        for document in documents:
            row = ArrivalRow(
                id=document["id"], actor=document["actor"], origin=document["actor"].partition("/users/")[0],
                inbox=f"{BASE}/inbox", body=json.dumps(document).encode(), headers=[], verdict={"scheme": "cavage"},
                received=now,
            )  # fmt: skip
            assert store.arrivals.keep(row)
            payload = {"arrival": row.id, "actor": row.actor}
            store.jobs.add("settle", payload, lane=f"in {row.actor}", peer=row.origin, due=now, pool=ARRIVALS)
            [job] = store.jobs.claim("me", now, 1)
            await settle(self.home.kit, job)

    # The end

    def end(self, target: str) -> tuple[object, ...]:
        """Return what is to be seen of an object; of one that is gone, only that."""
        kit = self.home.kit
        stored = kit.store.objects.get(target)
        if kit.store.relations.is_undone(target, self.author.me.id) and stored is None:
            return ("gone",)
        if stored is None:
            return ("unknown",)
        if stored.deleted is not None:
            assert stored.type == stored.document["type"] == "Tombstone"
            assert "version" not in json.dumps(stored.document)
            return ("gone",)
        seen = tuple((kind, *kit.store.relations.interactions(target, kind)) for kind in ("Like", "Announce"))
        edited = str(stored.updated)
        return (stored.type, stored.document.get("content"), edited, json.dumps(stored.prefs.as_json()), seen)


SEVENS: dict[str, Callable[[Scene, int], list[Document]]] = {
    "deleted": Scene.deleted,
    "tightened": Scene.tightened,
    "loosened": Scene.loosened,
    "our own": Scene.our_own,
}


def _target(seven: Sequence[Document]) -> str:
    """Return the object that seven activities are about."""
    about = (seven[-1]["object"], seven[0]["object"])
    return next(found if isinstance(found, str) else str(found["id"]) for found in about)


@pytest.mark.parametrize("name", SEVENS)
@pytest.mark.parametrize("many", [SAMPLE, pytest.param(len(ORDERS), marks=pytest.mark.long)])
async def test_every_order_ends_the_same(world: World, name: str, many: int) -> None:
    """Seven activities about one object, in every order, leave the same object, preference and interactions."""
    scene = await Scene(world).begin()
    orders = ORDERS if many == len(ORDERS) else (ORDERS[0], *random.Random(name).sample(ORDERS, many - 1))
    ends: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for number, order in enumerate(orders):
        seven = SEVENS[name](scene, number)
        world.clock.forward(hours=1)  # one peer may send us to another so often in a while
        with scene.home.kit.store.transaction():
            await scene.settled(seven[at] for at in order)
        ends[scene.end(_target(seven))].append(" ".join(f"{seven[at]['type']}{at}" for at in order))
    assert len(orders) == many
    assert len(ends) == 1, {end: (len(found), found[:3]) for end, found in ends.items()}
    [end] = ends
    assert end[0] == ("gone" if name == "deleted" else "Note")


@pytest.mark.parametrize("name", SEVENS)
async def test_signed_activities_at_the_door_end_as_settled_ones(world: World, name: str) -> None:
    """The same holds when each activity is signed, posted to the inbox, answered 202 and settled by the worker."""
    scene = await Scene(world).begin()
    senders = {peer.me.id: peer for peer in (scene.author, scene.reader, scene.other)}
    ends: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for number, order in enumerate(random.Random(name).sample(ORDERS, THROUGH_THE_DOOR)):
        seven = SEVENS[name](scene, number)
        world.clock.forward(hours=1)
        for at in order:
            await arrives(world, senders[seven[at]["actor"]], seven[at])
        ends[scene.end(_target(seven))].append(" ".join(f"{seven[at]['type']}{at}" for at in order))
    assert len(ends) == 1, dict(ends)
