"""Looking recipients up whom nobody here has met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of, types
from peers.plain import AS2
from world import BASE, account

from gateway.flows import client, discover, moderate, recipients
from gateway.flows.find_recipient import find_recipient
from gateway.policy.rules import Action

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.jobs import Job
    from gateway.store.objects import Sent

pytestmark = pytest.mark.anyio

PEER = "https://peer.example"
LIST = f"{PEER}/lists/1"
STATES = ("queued", "leased", "done", "dead", "dropped")


async def _sent(home: Gateway, alice: Account, *to: str, **members: Any) -> Sent:
    return await client.submit(home.kit, alice, {"type": "Note", "content": "x", "to": list(to), **members})


def _jobs(home: Gateway) -> list[Job]:
    return home.kit.store.jobs.find(kinds=("address",), states=STATES)


def _serve(peer: PlainPeer, items: list[Any], kind: str = "Collection", **members: Any) -> None:
    name = "items" if kind == "Collection" else "orderedItems"
    peer.serve_document(LIST, {"@context": AS2, "id": LIST, "type": kind, name: items, **members})


async def test_a_stranger_is_found_and_served(world: World) -> None:
    """The job ends as done with one delivery, and an edit goes the same way without another search."""
    home, alice = home_of(world)
    peer = world.peer()
    sent = await _sent(home, alice, peer.me.id)
    [job] = _jobs(home)
    assert (job.payload["recipient"], job.payload["depth"], job.peer) == (peer.me.id, 0, PEER)
    assert peer.gets == []
    await world.drain()
    assert [one.state for one in _jobs(home)] == ["done"]
    assert home.kit.store.relations.actor(peer.me.id) is not None
    await client.submit(home.kit, alice, {"type": "Update", "object": {"id": sent.object, "content": "y"}})
    await world.drain()
    assert types(peer) == ["Create", "Update"]
    assert len(_jobs(home)) == 1


@pytest.mark.parametrize(
    ("status", "state", "wakes"),
    [(404, "dead", 0), (410, "dead", 0), (403, "dead", 0), (500, "queued", 1), (503, "queued", 1), (429, "queued", 1)],
)
async def test_a_fault_that_passes_is_tried_again(world: World, status: int, state: str, wakes: int) -> None:
    """Who is not there is given up, told in the log of decisions; whose server fails is asked later."""
    home, alice = home_of(world)
    peer = world.peer()
    eve = f"{PEER}/users/eve"
    peer.serve(eve, b"", status)
    await _sent(home, alice, eve)
    await world.drain()
    [job] = _jobs(home)
    assert job.state == state
    assert job.problem
    told = home.kit.store.database.rows("SELECT * FROM audit WHERE reason = 'recipient-not-found'")
    assert len(told) == (0 if wakes else 1)
    peer.actor("eve")
    world.clock.forward(days=1)
    await world.drain()
    assert types(peer) == ["Create"] * wakes


async def test_a_server_that_is_not_there_is_tried_again(world: World) -> None:
    """Nobody answers today: the job waits, and succeeds once somebody does."""
    home, alice = home_of(world)
    await _sent(home, alice, f"{PEER}/users/bob")
    await world.drain()
    assert [job.state for job in _jobs(home)] == ["queued"]
    peer = world.peer()
    world.clock.forward(days=1)
    await world.drain()
    assert types(peer) == ["Create"]


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Note", "id": f"{PEER}/users/eve"}, {"type": "Person", "id": f"{PEER}/users/other"},
        {"type": "Collection", "id": f"{PEER}/lists/other", "items": [f"{PEER}/users/bob"]}, {},
    ],
)  # fmt: skip
async def test_what_is_no_recipient_is_given_up(world: World, document: dict[str, Any]) -> None:
    """A document that is neither an actor nor a collection at its own id receives nothing."""
    home, alice = home_of(world)
    peer = world.peer()
    peer.serve_document(f"{PEER}/users/eve", {"@context": AS2, **document})
    await _sent(home, alice, f"{PEER}/users/eve")
    await world.drain()
    assert [job.state for job in _jobs(home)] == ["dead"]
    assert types(peer) == []


async def test_a_refused_peer_is_neither_asked_nor_served(world: World) -> None:
    """When the admin refuses it before it was found, the search ends without a request, and is not repeated."""
    home, alice = home_of(world)
    peer = world.peer()
    await _sent(home, alice, peer.me.id)
    moderate.set_rule(home.kit, "peer.example", Action.REFUSE)
    await world.drain()
    assert (peer.gets, types(peer)) == ([], [])
    assert [job.state for job in _jobs(home)] in (["dropped"], ["dead"], [])


async def test_a_member_on_a_refused_server_gets_nothing(world: World) -> None:
    """The decision about each member's own server counts, not that of the collection's."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "erin")
    moderate.set_rule(home.kit, "other.example", Action.REFUSE)
    _serve(peer, [peer.me.id, other.me.id])
    await _sent(home, alice, LIST)
    await world.drain()
    assert (types(peer), types(other), other.gets) == (["Create"], [], [])


async def test_members_here_get_it_too_but_for_the_author(world: World) -> None:
    """A list elsewhere may name accounts here; its author is not among those who receive."""
    home, alice = home_of(world)
    carol, gone = account(home, "carol"), account(home, "gone", deleted=world.clock.now())
    peer = world.peer()
    _serve(peer, [carol.id, alice.id, gone.id, f"{BASE}/users/nobody", f"{BASE}/actor"], "OrderedCollection")
    sent = await _sent(home, alice, LIST)
    await world.drain()
    inboxes = home.kit.store.database.rows("SELECT account, activity FROM inbox_item")
    assert inboxes == [{"account": carol.id, "activity": sent.id}]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("items", "to"), [(["bob", "bob"], [LIST]), (["bob"], [LIST, f"{PEER}/users/bob"]), (["bob"], [LIST, LIST])]
)
async def test_who_is_named_twice_gets_one(world: World, items: list[str], to: list[str], *, known: bool) -> None:
    """7.1: the list of recipients is de-duplicated: twice in a list, or in a list and by name, is one delivery."""
    home, alice = home_of(world)
    peer = world.peer()
    if known:
        await discover.known_actor(home.kit, peer.me.id)
    _serve(peer, [f"{PEER}/users/{name}" for name in items])
    await _sent(home, alice, *to)
    await world.drain()
    assert types(peer) == ["Create"]


@pytest.mark.parametrize(
    "first",
    [
        {"id": f"{LIST}?page=1", "type": "CollectionPage", "items": [f"{PEER}/users/bob"]},
        {"id": f"{LIST}?page=1", "type": "CollectionPage", "partOf": LIST},
        {"id": f"{LIST}?page=1"},
        f"{LIST}?page=1",
    ],
)
async def test_the_first_page_is_read(world: World, first: object) -> None:
    """Whether it is embedded, embedded without its items, or named."""
    home, alice = home_of(world)
    peer = world.peer()
    page = {"@context": AS2, "id": f"{LIST}?page=1", "type": "CollectionPage", "items": [peer.me.id]}
    peer.serve_document(f"{LIST}?page=1", page)
    peer.serve_document(LIST, {"@context": AS2, "id": LIST, "type": "Collection", "first": first})
    await _sent(home, alice, LIST)
    await world.drain()
    assert types(peer) == ["Create"]


async def test_a_page_on_another_server_is_not_read(world: World) -> None:
    """A collection speaks for its own origin only."""
    home, alice = home_of(world)
    peer, other = world.peer(), world.peer("other.example", "erin")
    page = "https://other.example/page"
    other.serve_document(page, {"@context": AS2, "id": page, "type": "CollectionPage", "items": [other.me.id]})
    peer.serve_document(LIST, {"@context": AS2, "id": LIST, "type": "Collection", "first": page})
    await _sent(home, alice, LIST)
    await world.drain()
    assert (types(other), other.gets) == ([], [])
    assert [job.state for job in _jobs(home)] == ["done"]


async def test_a_list_ends_somewhere(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more members than the limit are served."""
    monkeypatch.setattr("gateway.flows.find_recipient.MAX_MEMBERS", 2)
    home, alice = home_of(world)
    peer = world.peer()
    people = [peer.actor(name).id for name in ("a", "b", "c")]
    _serve(peer, people)
    await _sent(home, alice, LIST)
    await world.drain()
    assert {str(r.url) for r in world.board.requests if r.method == "POST"} == {f"{p}/inbox" for p in people[:2]}


async def test_strangers_have_a_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """One activity does not make this server ask everybody."""
    monkeypatch.setattr(recipients, "MAX_STRANGERS", 2)
    home, alice = home_of(world)
    world.peer()
    await _sent(home, alice, *(f"{PEER}/users/{number}" for number in range(5)))
    assert len(_jobs(home)) == 2


async def test_an_activity_that_is_gone_is_not_addressed(world: World) -> None:
    """A job about nothing is dropped."""
    home, alice = home_of(world)
    peer = world.peer()
    sent = await _sent(home, alice, peer.me.id)
    home.kit.store.database.run("DELETE FROM activity WHERE id = :id", id=sent.id)
    [job] = home.kit.store.jobs.claim("me", world.clock.now(), 1)
    await find_recipient(home.kit, job)
    [done] = _jobs(home)
    assert (done.state, done.problem) == ("dropped", "activity-gone")


async def test_a_hidden_recipient_stays_hidden(world: World) -> None:
    """Somebody found for a bcc gets the bytes that everybody gets."""
    home, alice = home_of(world)
    peer = world.peer()
    sent = await _sent(home, alice, ALICE, bcc=[peer.me.id])
    await world.drain()
    assert types(peer) == ["Create"]
    assert peer.me.id not in str(peer.received[0])
    assert home.kit.store.objects.is_hidden_recipient(sent.object, peer.me.id)
