"""A signed request that was changed on the way is never taken, whichever scheme, key and method it has."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from random import Random
from typing import TYPE_CHECKING

import pytest
from property.mutations import can_be_sent, changed, meaning
from signatures import crafting
from web.asking import ask
from world import BASE, account, snapshot

from gateway.errors import GatewayError
from gateway.flows import authenticate, inbound
from gateway.net.pace import Pace
from gateway.signatures import cavage, message
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from peers.plain import Actor, PlainPeer
    from world import World

    from gateway.flows.kit import Kit
    from gateway.runtime import Gateway

pytestmark = pytest.mark.anyio
KINDS = [
    (scheme, kind, method)
    for scheme in ("cavage", "rfc9421")
    for kind in ("rsa", "ed25519")
    for method in ("GET", "POST")
]
SOME = 5_000 // len(KINDS)
MANY = 100_000 // len(KINDS)
INBOX = f"{BASE}/users/alice/inbox"
COUNTS = [SOME, pytest.param(MANY, marks=pytest.mark.long)]


@dataclass(slots=True, kw_only=True)
class Scene:
    """Our gateway, which knows bob and eve of one peer, and requests of theirs that hold."""

    kit: Kit
    home: Gateway
    peer: PlainPeer
    requests: list[SignedRequest]

    def body(self, actor: Actor) -> bytes:
        document = self.peer.activity("Like", f"{BASE}/users/alice", actor, content="a, b; c=1")
        return json.dumps(document).encode()


def _signed(
    scene: Scene, scheme: str, kind: str, method: str, actor: Actor, target: str | None = None
) -> SignedRequest:
    key, name = (actor.rsa, "main-key") if kind == "rsa" else (actor.ed25519, "ed25519-key")
    path = target or (INBOX if method == "POST" else f"{BASE}/users/alice/outbox?page=1&min=2")
    given = (
        ("content-type", "application/activity+json"),
        ("content-usage", "train-ai=n, search=y"),
        ("accept", "*/*"),
    )
    request = SignedRequest(
        method=method, target=path, headers=given, body=scene.body(actor) if method == "POST" else b""
    )
    sign = cavage.sign if scheme == "cavage" else message.sign
    covered = ("content-type", "content-usage")
    return request.with_headers(*sign(request, key, f"{actor.id}#{name}", scene.kit.clock.now(), covered))


def _timed(scene: Scene, kind: str, method: str, actor: Actor) -> SignedRequest:
    """Return a request of the old scheme whose times are parameters that are signed."""
    key, name = (actor.rsa, "main-key") if kind == "rsa" else (actor.ed25519, "ed25519-key")
    body = scene.body(actor) if method == "POST" else None
    request = crafting.plain(method, INBOX if method == "POST" else f"{BASE}/users/alice/outbox?page=1&min=2", body)
    now = int(scene.kit.clock.now().timestamp())
    covered = ["(request-target)", "(created)", "(expires)", "host", *(["digest"] if method == "POST" else [])]
    given: dict[str, str | int | None] = {
        "keyId": f"{actor.id}#{name}",
        "algorithm": "hs2019",
        "created": now,
        "expires": now + 300,
    }
    return crafting.cavage(request, covered, key, given)


async def _scene(world: World) -> Scene:
    """Open the gateway; both actors are met, and nothing is slowed down for asking too often."""
    home = world.gateway()
    account(home)
    account(home, "dora")
    peer = world.peer()
    scene = Scene(kit=home.kit, home=home, peer=peer, requests=[])
    _unhurried(home.kit)
    for actor in (peer.me, peer.actor("eve")):
        for scheme, kind, method in KINDS:
            request = _signed(scene, scheme, kind, method, actor)
            assert await _taken(home.kit, request)
            scene.requests.append(request)
    return scene


def _unhurried(kit: Kit) -> None:
    """Lift every pace: what is refused here is refused for its signature."""
    for one in fields(kit.paces):
        if isinstance(pace := getattr(kit.paces, one.name), Pace):
            pace.quota = 0


async def _taken(kit: Kit, request: SignedRequest) -> str:
    """Return who is believed to have sent a request; empty when it is not taken."""
    try:
        if request.method == "POST":
            received = await inbound.receive(kit, request)
            return received.activity if received.outcome in ("accepted", "already-known") else ""
        return await authenticate.authenticate(kit, request)
    except GatewayError as error:
        if error.status >= 500 and error.reason != "key-host-unavailable":
            raise
        return ""


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("scheme", "kind", "method"), KINDS)
async def test_no_changed_request_is_taken(world: World, scheme: str, kind: str, method: str, count: int) -> None:
    """Of 5,000 (long: 100,000) seeded changes that mean something else, the way in takes none and keeps nothing."""
    scene = await _scene(world)
    chance = Random(f"{scheme} {kind} {method}")
    originals = [_signed(scene, scheme, kind, method, scene.peer.me) for _ in range(2)]
    if scheme == "cavage":
        originals.append(_timed(scene, kind, method, scene.peer.me))
    assert all([await _taken(scene.kit, one) for one in originals])
    known = [meaning(one) for one in (*originals, *scene.requests)]
    assert None not in known
    before, taken, counted, same = snapshot(scene.kit), [], 0, 0
    while counted < count:
        mutant, how = changed(chance, chance.choice(originals), scene.requests)
        if not can_be_sent(mutant):
            continue
        if meaning(mutant) in known:
            same += 1
            continue
        counted += 1
        if await _taken(scene.kit, mutant):
            taken.append((how, _difference(mutant, originals)))
        world.board.requests.clear()
    assert taken == []
    assert snapshot(scene.kit) == before
    assert same < 2 * counted  # most changes change something
    assert all([await _taken(scene.kit, one) for one in originals])


def _difference(mutant: SignedRequest, originals: list[SignedRequest]) -> tuple[object, ...]:
    """Return what of a request is as in none of those it was made from."""
    lines = {line for one in originals for line in one.headers}
    known = {value for one in originals for value in (one.method, one.target, one.body)}
    new = [value for value in (mutant.method, mutant.target, mutant.body) if value not in known]
    return (*new, *(line for line in mutant.headers if line not in lines), f"{len(mutant.headers)} lines")


async def test_the_same_request_in_another_spelling_is_taken(world: World) -> None:
    """What does not count as a change really is the same request: several kinds of other spellings are taken."""
    scene = await _scene(world)
    chance = Random("spellings")
    known = [meaning(one) for one in scene.requests]
    kinds: set[str] = set()
    for _ in range(4_000):
        mutant, how = changed(chance, chance.choice(scene.requests), scene.requests)
        if meaning(mutant) in known and mutant not in scene.requests and await _taken(scene.kit, mutant):
            kinds.add(how)
    assert {"_reorder", "_rename", "_space", "_drop"} <= kinds


@pytest.mark.parametrize(("scheme", "kind", "method"), KINDS)
async def test_no_changed_request_is_answered(world: World, scheme: str, kind: str, method: str) -> None:
    """The same through the whole application, from the first byte: an answer that shows or keeps nothing."""
    scene = await _scene(world)
    chance = Random(f"web {scheme} {kind} {method}")
    original = _signed(scene, scheme, kind, method, scene.peer.me)
    fine = await _status(world, original)
    assert fine == (202 if method == "POST" else 200)
    known = [meaning(one) for one in (original, *scene.requests)]
    before, counted = snapshot(scene.kit), 0
    while counted < SOME // 5:
        mutant, how = changed(chance, original, scene.requests)
        if not can_be_sent(mutant) or meaning(mutant) in known or _is_public(mutant):
            continue
        counted += 1
        status = await _status(world, mutant)
        assert 400 <= status < 500 or status == 503, (how, status, _difference(mutant, [original]))
    assert snapshot(scene.kit) == before


def _is_public(request: SignedRequest) -> bool:
    """Tell whether anybody may ask for this without a signature."""
    return request.method in ("GET", "HEAD", "OPTIONS") and "/outbox" not in request.target


async def _status(world: World, request: SignedRequest) -> int:
    app = world.board.apps["gw.example"]
    answer = await ask(
        app, request.method, request.target.removeprefix(BASE), list(request.headers), request.body, host=None
    )
    return answer.status
