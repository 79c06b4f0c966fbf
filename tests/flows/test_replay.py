"""Judging captured requests offline: the live answer's status, code and steps, in every state of the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of
from web.asking import ask
from world import BASE

from gateway.flows import discover
from gateway.flows.offline import Keys
from gateway.flows.replay import replay
from gateway.policy.rules import Action, Rule
from gateway.signatures import cavage
from gateway.signatures.capture import Captured
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers.plain import PlainPeer
    from world import World

    from gateway.flows.kit import Kit
    from gateway.flows.replay import Replayed

pytestmark = pytest.mark.anyio
INBOX = f"{ALICE}/inbox"
OUTBOX = f"{ALICE}/outbox?page=1"


async def _live(world: World, request: SignedRequest) -> tuple[int, dict[str, Any]]:
    """Send a request to the running application; return its status and problem document."""
    lines = [(name, value) for name, value in request.headers if name != "host"]
    target = request.target.removeprefix(BASE)
    answer = await ask(world.board.apps["gw.example"], request.method, target, lines, request.body)
    return answer.status, answer.json if "problem" in answer.media_type else {}


def _again(kit: Kit, request: SignedRequest, keys: object = None) -> Replayed:
    return replay(kit, Captured(request=request, at=kit.clock.now()), Keys(kit, keys))


async def _same(world: World, kit: Kit, request: SignedRequest, keys: object = None) -> Replayed:
    """Check that the offline judgement is the live answer; return it."""
    again = _again(kit, request, keys)
    status, problem = await _live(world, request)
    assert (again.status, again.code) == (status, problem.get("code", "ok"))
    if status == 401:
        assert [step.as_json() for step in again.steps] == problem["steps"]
    return again


def _rule(kit: Kit, action: Action) -> None:
    """Make a rule about the peer."""
    kit.store.peers.save_rule(Rule(id=kit.tids.next(), host="peer.example", action=action), kit.clock.now())


def _like(peer: PlainPeer, **changes: Any) -> bytes:
    document = {**peer.activity("Like", ALICE), **changes}
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421", "rfc9421-ed25519"])
async def test_a_valid_post_and_get(world: World, scheme: str) -> None:
    """What is taken live holds offline, with the key of the actor that is known by then."""
    home, _ = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    post = peer.signed(INBOX, _like(peer), scheme=scheme)
    again = await _same(world, home.kit, post)
    assert (again.ok, again.key_from, again.actor) == (True, "known", peer.me.id)
    get = peer.signed(OUTBOX, b"", scheme=scheme, method="GET")
    again = await _same(world, home.kit, get)
    assert (again.status, again.ok, again.actor) == (200, True, peer.me.id)


async def test_collections_may_be_signed_without_their_query(world: World) -> None:
    """What several servers do is forgiven on collections, and nowhere else."""
    home, _ = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    for path, ok in (("/outbox", True), ("/followers", True), ("", False)):
        bare = peer.signed(f"{ALICE}{path}", b"", method="GET")
        request = SignedRequest(method="GET", target=f"{bare.target}?page=1", headers=bare.headers)
        assert _again(home.kit, request).ok is ok, path


def _date_changed(request: SignedRequest) -> SignedRequest:
    headers = tuple((n, v.replace("09:00:00", "09:00:01") if n == "date" else v) for n, v in request.headers)
    return SignedRequest(method=request.method, target=request.target, headers=headers, body=request.body)


def _body_changed(request: SignedRequest) -> SignedRequest:
    return SignedRequest(
        method=request.method, target=request.target, headers=request.headers, body=request.body + b" "
    )


@pytest.mark.parametrize("change", [_date_changed, _body_changed], ids=["date", "body"])
@pytest.mark.parametrize("action", [None, Action.REFUSE], ids=["a peer like any other", "a refused peer"])
async def test_a_tampered_post(
    world: World, change: Callable[[SignedRequest], SignedRequest], action: Action | None
) -> None:
    """Offline it gets the status and code of the live answer, also when the peer is refused by a rule."""
    home, _ = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    if action is not None:
        home.kit.store.peers.save_rule(
            Rule(id=home.kit.tids.next(), host="peer.example", action=action), home.kit.clock.now()
        )
    await _same(world, home.kit, change(peer.signed(INBOX, _like(peer))))


async def test_a_neighbour_s_key_is_nobody_s(world: World) -> None:
    """A key that another actor of the same server lists does not speak for this one, wherever it was found."""
    home, _ = home_of(world)
    peer = world.peer()
    eve = peer.actor("eve")
    for actor in (peer.me.id, eve.id):
        await discover.known_actor(home.kit, actor)
    request = peer.signed(INBOX, _like(peer), eve)
    for keys in (None, [peer.me.document(), eve.document()]):
        again = await _same(world, home.kit, request, keys)
        assert next(step.name for step in again.steps if not step.ok) == "key"


async def test_an_account_of_ours_does_not_post_to_us(world: World) -> None:
    """What one of our own actors signed is judged as it is live."""
    home, alice = home_of(world)
    document = {"id": f"{BASE}/activities/1", "type": "Like", "actor": alice.id, "object": ALICE}
    bare = SignedRequest(
        method="POST", target=INBOX, headers=(("content-type", "application/activity+json"),),
        body=json.dumps(document).encode(),
    )  # fmt: skip
    key = home.kit.keyring.get(alice.id)
    signed = bare.with_headers(*cavage.sign(bare, key, f"{alice.id}#main-key", home.kit.clock.now()))
    await _same(world, home.kit, signed)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"id": "https://other.example/1"}, 403, "foreign-id"),
        ({"id": None}, 400, "no-id"),
        ({"actor": None}, 400, "no-actor"),
        ({"actor": ["https://peer.example/a", "https://peer.example/b"]}, 400, "no-actor"),
    ],
)
async def test_what_is_wrong_beside_the_signature(
    world: World, changes: dict[str, Any], status: int, code: str
) -> None:
    """A missing or foreign id, and a missing actor, get the live code."""
    home, _ = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    again = await _same(world, home.kit, peer.signed(INBOX, _like(peer, **changes)))
    assert (again.status, again.code, again.ok) == (status, code, False)


async def test_a_refused_peer(world: World) -> None:
    """A signature that holds does not help a refused peer: 403 with the reason, posts and gets alike."""
    home, _ = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    home.kit.store.peers.save_rule(
        Rule(id=home.kit.tids.next(), host="peer.example", action=Action.REFUSE), home.kit.clock.now()
    )
    again = await _same(world, home.kit, peer.signed(INBOX, _like(peer)))
    assert (again.status, again.code) == (403, "refused-by-rule")
    assert all(step.ok for step in again.steps)


async def test_keys_are_tried_in_order(world: World) -> None:
    """Given ones first, then those of the capture, then what is known; a key that nobody has is not found."""
    home, _ = home_of(world)
    peer = world.peer()
    request, now = peer.signed(INBOX, _like(peer)), home.kit.clock.now()
    document = peer.me.document()
    captured = Captured(request=request, at=now, keys=document)
    assert replay(home.kit, captured, Keys(home.kit, document)).key_from == "given"
    assert replay(home.kit, captured, Keys(home.kit, {"other": "x"})).key_from == "capture"
    assert replay(home.kit, captured, Keys(home.kit, [7, None, "x"])).key_from == "capture"
    assert _again(home.kit, request).key_from is None
    await discover.known_actor(home.kit, peer.me.id)
    assert _again(home.kit, request).key_from == "known"


async def test_an_actor_document_speaks_for_its_own_origin_only(world: World) -> None:
    """A given document that lists somebody else's key, or is no actor, is no proof."""
    home, _ = home_of(world)
    peer = world.peer()
    request = peer.signed(INBOX, _like(peer))
    for changes in ({"type": "Note"}, {"inbox": None}, {"id": "https://evil.example/u"}):
        assert not _again(home.kit, request, peer.me.document(**changes)).ok


async def test_nothing_is_kept_or_fetched(world: World) -> None:
    """Replaying changes no table and asks nobody."""
    home, _ = home_of(world)
    peer = world.peer()
    before = len(world.board.requests)
    _again(home.kit, peer.signed(INBOX, _like(peer)), peer.me.document())
    assert len(world.board.requests) == before
    assert home.kit.store.relations.actor(peer.me.id) is None
