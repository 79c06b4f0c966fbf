"""Whether a peer can be reached: what answers make of its circuit, what is held, who is dead, who comes back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from flows.reach_scene import PEER, Scene
from flows.scenes import ALICE, arrives, follows, published
from peers.plain import PUBLIC

from gateway.flows import discover, reach, revise
from gateway.flows.deliver import deliver
from gateway.jobs.circuit import State
from gateway.jobs.worker import SHARE
from gateway.store.claims import LEASE
from gateway.store.jobs import OPEN

if TYPE_CHECKING:
    from world import World


pytestmark = pytest.mark.anyio


async def test_five_failures_open_the_circuit(world: World) -> None:
    """After the fifth server error within ten minutes nothing is sent for half an hour, neither old nor new."""
    scene = await Scene(world).begin()
    await scene.answers(503, 503, 503, 503)
    assert scene.state() is State.CLOSED
    await scene.answers(503)
    assert scene.state() is State.OPEN
    await scene.answers(202)
    world.clock.forward(minutes=29, seconds=59)
    await world.drain()
    assert scene.front.asked == 5
    assert any("open" in reason for reason in scene.audited())


async def test_a_silent_server_opens_it_too(world: World) -> None:
    """No answer at all is a failure like a server error."""
    scene = await Scene(world).begin()
    del world.board.apps["peer.example"]
    await scene.answers(*[202] * 5)
    assert scene.state() is State.OPEN


async def test_failures_of_one_peer_hold_up_no_other(world: World) -> None:
    """While a circuit is open others get what is for them."""
    scene = await Scene(world).begin()
    other = world.peer("other.example", "olga")
    await follows(world, other)
    await scene.answers(*[500] * 6)
    assert scene.state() is State.OPEN
    assert len(other.received) == 6


async def test_a_crowd_in_hand_is_small(world: World) -> None:
    """Of many deliveries that wait for a broken server, few knock before the circuit opens; none is lost."""
    scene = await Scene(world).begin()
    await scene.queued(30)
    scene.front.status = 500
    await world.drain()
    assert 5 <= scene.front.asked < 5 + SHARE
    assert len(scene.jobs(*OPEN)) == 30


async def test_one_probe_after_half_an_hour(world: World) -> None:
    """Each half hour one delivery tries again; the others wait."""
    scene = await Scene(world).begin()
    await scene.queued(30)
    scene.front.status = 500
    await world.drain()
    for _ in range(4):
        before = scene.front.asked
        world.clock.forward(minutes=30)
        await world.drain()
        assert scene.front.asked == before + 1


@pytest.mark.parametrize("how", ["lease", "start"])
async def test_a_lost_probe_is_replaced_by_one(world: World, how: str) -> None:
    """A probe that dies with its process is followed by another one, and never by two."""
    scene = await Scene(world).begin()
    await scene.answers(*[500] * 8)
    world.clock.forward(minutes=30)
    assert len(scene.claim()) == 1
    assert scene.claim() == []
    if how == "lease":
        world.clock.forward(seconds=LEASE.total_seconds())
    else:
        scene.home.kit.store.jobs.release("me")
    assert len(scene.claim()) == 1
    assert scene.claim() == []


async def test_what_was_held_goes_out_slowly(world: World) -> None:
    """After a probe that succeeds deliveries go one by one, ten in all, before the peer has its share again."""
    scene = await Scene(world).begin()
    await scene.answers(*[500] * 5)
    await scene.queued(20)
    world.clock.forward(minutes=30)
    scene.front.status = 202
    for _ in range(10):
        [job] = scene.claim()
        assert scene.claim() == []
        await deliver(scene.home.kit, job)
    assert scene.state() is State.CLOSED
    taken = scene.claim()
    assert len(taken) == SHARE
    for job in taken:
        await deliver(scene.home.kit, job)
    await world.drain()
    assert scene.front.taken == ["Create"] * 25


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 421, 422, 425])
async def test_a_refusal_shows_that_somebody_is_there(world: World, status: int) -> None:
    """A 4xx clears what failed before: four more failures do not open the circuit."""
    scene = await Scene(world).begin()
    scene.peer.serve_document(scene.peer.me.id, scene.peer.me.document(endpoints=None))
    scene.home.kit.store.database.run("UPDATE remote_actor SET shared_inbox = NULL")
    await scene.answers(500, 500, 500, 500, status, 500, 500, 500, 500)
    assert scene.state() is State.CLOSED
    await scene.answers(500)
    assert scene.state() is State.OPEN


async def test_a_refusal_ends_the_probing(world: World) -> None:
    """A probe that is answered with 404 ends itself alone; the rest goes out."""
    scene = await Scene(world).begin()
    await scene.answers(*[500] * 7)
    world.clock.forward(minutes=30)
    scene.front.status = 404
    [job] = scene.claim()
    await deliver(scene.home.kit, job)
    scene.front.status = 202
    await world.drain()
    assert (len(scene.jobs("dead")), len(scene.jobs("done"))) == (1, 6)


@pytest.mark.parametrize("headers", [{}, {"retry-after": "120"}])
async def test_a_busy_server_is_not_broken(world: World, headers: dict[str, str]) -> None:
    """However often a peer says 429, with or without Retry-After, its circuit stays closed and it is alive."""
    scene = await Scene(world).begin()
    scene.front.headers = headers
    for _ in range(8):
        await scene.answers(429, 429)
        assert scene.state() is State.CLOSED
        world.clock.forward(days=1)
    assert scene.jobs("dead") == []


async def test_who_says_when_to_come_back_is_not_broken(world: World) -> None:
    """An answer with Retry-After is a wish, not a failure: a 503 that has one opens no circuit."""
    scene = await Scene(world).begin()
    scene.front.headers = {"retry-after": "120"}
    await scene.answers(*[503] * 6)
    assert scene.state() is State.CLOSED


async def test_a_success_between_failures_counts(world: World) -> None:
    """Failures in a row open a circuit, not failures now and then."""
    scene = await Scene(world).begin()
    for _ in range(3):
        await scene.answers(500, 500, 500, 500, 202)
    assert scene.state() is State.CLOSED


# Death


async def dying(scene: Scene, days: int) -> None:
    """Let a peer fail on so many days."""
    for _ in range(days):
        scene.world.clock.forward(days=1)
        await scene.answers(500)


async def test_seven_days_are_death(world: World) -> None:
    """On the seventh day of failures every delivery to a peer ends as dead, and that is audited."""
    scene = await Scene(world).begin()
    await dying(scene, 6)
    assert scene.state() is not State.DEAD
    assert scene.jobs("dead") == []
    await dying(scene, 1)
    assert scene.state() is State.DEAD
    assert scene.jobs(*OPEN) == []
    assert {(job.state, job.problem) for job in scene.jobs()} == {("dead", "peer-dead")}
    assert any("dead" in reason for reason in scene.audited())


async def test_nothing_new_is_queued_for_the_dead(world: World) -> None:
    """A post to a dead peer makes no delivery, and it is audited that it does not get it."""
    scene = await Scene(world).begin()
    await dying(scene, 7)
    before, lines, asked = len(scene.jobs()), len(scene.audited()), scene.front.asked
    await scene.answers(202)
    assert (len(scene.jobs()), scene.front.asked) == (before, asked)
    assert len(scene.audited()) > lines


async def test_others_live_on(world: World) -> None:
    """The death of one peer ends nothing that is for another."""
    scene = await Scene(world).begin()
    other = world.peer("other.example", "olga")
    await follows(world, other)
    await dying(scene, 7)
    assert len(other.received) == 7
    assert {job.state for job in scene.jobs() if job.peer == "https://other.example"} == {"done"}


async def test_gone_at_the_shared_inbox_is_death(world: World) -> None:
    """A 410 from a server's own inbox means the server is no more: everything for it ends at once."""
    scene = await Scene(world).begin()
    await scene.queued(9)
    scene.front.status = 410
    await world.drain()
    assert scene.state() is State.DEAD
    assert scene.front.asked <= SHARE
    assert {job.state for job in scene.jobs()} == {"dead"}
    assert "peer-dead" in {job.problem for job in scene.jobs()}
    assert any("dead" in reason for reason in scene.audited())


async def test_gone_at_one_persons_inbox_is_not_death(world: World) -> None:
    """A 410 from an actor's inbox is about the actor."""
    scene = Scene(world)
    scene.peer.serve_document(scene.peer.me.id, scene.peer.me.document(endpoints=None))
    await scene.begin()
    await scene.answers(410)
    assert scene.state() is State.CLOSED
    await scene.answers(202)
    assert scene.front.taken == ["Create"]


@pytest.mark.parametrize("status", [503, 429])
async def test_the_dead_get_nothing_that_was_in_hand(world: World, status: int) -> None:
    """A delivery that was under way when its peer died, and fails, is dead too and never tried again."""
    scene = await Scene(world).begin()
    await scene.queued(2)
    first, second = scene.claim()
    scene.front.status = 410
    await deliver(scene.home.kit, first)
    assert scene.state() is State.DEAD
    scene.front.status = status
    await deliver(scene.home.kit, second)
    assert [job.state for job in scene.jobs()] == ["dead", "dead"]


async def test_nothing_is_passed_on_to_the_dead(world: World) -> None:
    """What others write goes on to living followers' servers only."""
    scene = await Scene(world).begin()
    post = await published(scene.home, scene.alice)
    await world.drain()
    dora = world.peer("dora.example", "dora")
    reach.is_gone(scene.home.kit, PEER)
    asked = scene.front.asked
    note = dora.note("answer", inReplyTo=post.id)
    await arrives(world, dora, dora.activity("Create", note, to=[PUBLIC], cc=[f"{ALICE}/followers"]))
    assert (scene.jobs(kind="forward"), scene.front.asked) == ([], asked)


async def test_what_waits_to_be_passed_on_ends_with_the_peer(world: World) -> None:
    """Forwarded activities are deliveries too: they end when the peer is dead."""
    scene = await Scene(world).begin()
    post = await published(scene.home, scene.alice)
    await world.drain()
    dora = world.peer("dora.example", "dora")
    note = dora.note("answer", inReplyTo=post.id)
    scene.front.status = 503
    await arrives(world, dora, dora.activity("Create", note, to=[PUBLIC], cc=[f"{ALICE}/followers"]))
    [waiting] = scene.jobs(*OPEN, kind="forward")
    reach.is_gone(scene.home.kit, PEER)
    asked = scene.front.asked
    world.clock.forward(hours=1)
    await world.drain()
    assert scene.front.asked == asked
    found = scene.home.kit.store.jobs.get(waiting.id)
    assert found is not None
    assert (found.state, found.problem) == ("dead", "peer-dead")


# The way back


@pytest.mark.parametrize("how", ["gone", "seven days"])
async def test_the_dead_come_back_when_they_speak(world: World, how: str) -> None:
    """Something verified from a dead peer makes it a peer again, which gets what is new."""
    scene = await Scene(world).begin()
    if how == "gone":
        await scene.answers(410)
    else:
        await dying(scene, 7)
    assert scene.state() is State.DEAD
    scene.front.status = 202
    await arrives(world, scene.peer, scene.peer.activity("Like", ALICE))
    assert scene.state() in (State.CLOSED, State.MENDING)
    await scene.answers(202)
    assert scene.front.taken == ["Create"]


async def test_an_open_circuit_closes_when_the_peer_speaks(world: World) -> None:
    """Something verified from a peer shows that it is there: what was held goes out at once, in order."""
    scene = await Scene(world).begin()
    await scene.answers(*[500] * 5)
    await scene.queued(12)
    world.clock.forward(minutes=1)
    await world.drain()
    assert scene.front.asked == 5
    scene.front.status = 202
    await arrives(world, scene.peer, scene.peer.activity("Like", ALICE))
    await world.drain()
    assert scene.front.taken == ["Create"] * 17


async def test_a_repeat_is_a_word_too(world: World) -> None:
    """A peer that sends again what is known already is there."""
    scene = await Scene(world).begin()
    like = scene.peer.activity("Like", ALICE)
    await arrives(world, scene.peer, like)
    await scene.answers(410)
    await arrives(world, scene.peer, like)
    assert scene.state() in (State.CLOSED, State.MENDING)


async def test_a_forgery_revives_nobody(world: World) -> None:
    """What is not verified says nothing about the peer that it names."""
    scene = await Scene(world).begin()
    await scene.answers(410)
    document = scene.peer.activity("Like", ALICE)
    request = scene.peer.signed(f"{ALICE}/inbox", json.dumps(document).encode())
    answer = await scene.peer.send(replace(request, body=request.body + b" "))
    assert answer.status_code == 401
    mallory = world.peer("mallory.example", "mallory")
    answer = await mallory.post(f"{ALICE}/inbox", document)
    assert answer.status_code == 401
    assert scene.state() is State.DEAD


async def test_trouble_is_forgotten_after_a_while(world: World) -> None:
    """A circuit of a peer that nothing is sent to any more is pruned, whatever its state."""
    scene = await Scene(world).begin()
    await scene.answers(*[500] * 5)
    world.clock.forward(minutes=30)
    scene.front.status = 202
    await deliver(scene.home.kit, scene.claim()[0])
    assert scene.home.kit.store.circuits.all()
    world.clock.forward(days=60)
    scene.home.prune()
    assert scene.home.kit.store.circuits.all() == {}


# What others cannot do to it


@pytest.mark.parametrize(("status", "state"), [(202, "done"), (404, "dead")])
@pytest.mark.parametrize("coding", ["identity", "br"])
async def test_a_long_answer_is_an_answer(world: World, status: int, state: str, coding: str) -> None:
    """However much a server says besides its status, and however packed: it is there, and is not asked again."""
    scene = await Scene(world).begin()
    scene.front.status, scene.front.body = status, b"<html>" * 40_000
    scene.front.headers = {"content-type": "text/html", "content-encoding": coding}
    for _ in range(6):
        await published(scene.home, scene.alice)
        await world.drain()
    assert [job.state for job in scene.jobs()] == [state] * 6
    assert len(scene.front.taken) == (6 if status == 202 else 0)
    assert scene.state() is State.CLOSED


async def test_what_is_passed_on_for_others_says_nothing_about_a_peer(world: World) -> None:
    """Replies that a stranger makes us forward, and that a server cannot take, do not open its circuit."""
    scene = await Scene(world).begin()
    post = await published(scene.home, scene.alice)
    await world.drain()
    eve = world.peer("eve.example", "eve")
    scene.front.status = 500
    for number in range(8):
        note = eve.note(f"number {number}", inReplyTo=post.id)
        activity = eve.activity("Create", note, to=[PUBLIC], cc=[f"{ALICE}/followers"])
        await arrives(world, eve, activity)
    assert len([job for job in scene.jobs(kind="forward") if job.attempts]) >= 5
    assert scene.state() is State.CLOSED


async def test_one_of_many_cannot_bury_its_server(world: World) -> None:
    """An inbox is its server's when most of its known actors name it; what one of them names alone is its own."""
    scene = await Scene(world).begin()
    relations = scene.home.kit.store.relations
    for name in ("b", "c"):
        discover.keep_actor(scene.home.kit, scene.peer.actor(name).document())
    eve = scene.peer.actor("eve")
    trap = f"{scene.peer.base}/users/eve/trap"
    discover.keep_actor(scene.home.kit, {**eve.document(), "endpoints": {"sharedInbox": trap}})
    assert not relations.is_shared_inbox(trap)
    assert relations.is_shared_inbox(f"{scene.peer.base}/inbox")


async def test_a_dead_post_is_not_tried_again_by_hand(world: World) -> None:
    """A Create that failed is not revived once its Delete went out, nor while something of its lane is in hand."""
    scene = await Scene(world).begin()
    scene.front.status = 404
    post = await published(scene.home, scene.alice)
    await world.drain()
    [create] = scene.jobs()
    assert scene.home.kit.store.jobs.revive(create.id, world.clock.now())
    await world.drain()
    scene.front.status = 202
    revise.delete(scene.home.kit, scene.alice, post.id)
    await world.drain()
    assert scene.front.taken == ["Delete"]
    assert not scene.home.kit.store.jobs.revive(create.id, world.clock.now())
