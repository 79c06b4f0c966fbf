"""Every proof and signature inside a document, judged to be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flows.scenes import ALICE, home_of
from peers.plain import CONTEXT

from gateway.flows import discover
from gateway.flows.proofs import MAX_PROOFS, Judged, key_of, proofs_in
from gateway.signatures import proof

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

pytestmark = pytest.mark.anyio


def _proven(peer: PlainPeer, **changes: Any) -> dict[str, Any]:
    document = {"@context": CONTEXT, **peer.note(), **changes}
    return proof.attach(document, peer.me.ed25519, f"{peer.me.id}#ed25519-key", peer.clock.now())


def _failed(one: Judged) -> list[str]:
    return [step.name for step in one.verdict.steps if not step.ok]


async def test_a_known_key_is_enough(world: World) -> None:
    """The key of an actor that is known is used; nobody is asked."""
    home, _ = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    before = len(world.board.requests)
    (one,) = await proofs_in(home.kit, _proven(peer), fetch_keys=True)
    assert (one.pointer, one.verdict.ok, _failed(one)) == ("/proof", True, [])
    assert len(world.board.requests) == before


async def test_an_unknown_key_is_fetched_only_when_asked(world: World) -> None:
    """Without leave it is not found; with it the actor's own document is fetched."""
    home, _ = home_of(world)
    peer = world.peer()
    (one,) = await proofs_in(home.kit, _proven(peer), fetch_keys=False)
    assert "key" in _failed(one)
    assert peer.gets == []
    (one,) = await proofs_in(home.kit, _proven(peer), fetch_keys=True)
    assert one.verdict.ok
    assert peer.gets == ["/users/bob"]


async def test_our_own_key_is_found_at_home(world: World) -> None:
    """What one of our accounts signed is judged with its own key."""
    home, alice = home_of(world)
    key = home.kit.keyring.get(alice.id, "ed25519")
    note = {"@context": CONTEXT, "type": "Note", "attributedTo": alice.id}
    (one,) = await proofs_in(
        home.kit, proof.attach(note, key, f"{ALICE}#ed25519-key", home.kit.clock.now()), fetch_keys=True
    )
    assert _failed(one) == []
    assert world.board.requests == []


@pytest.mark.parametrize("value", ["text", 7, [], [7], {}, [[]], True, {"verificationMethod": 7}])
async def test_what_is_no_proof_is_judged_as_one_that_fails(world: World, value: object) -> None:
    """Anything in its place gets steps, and none of them a crash."""
    home, _ = home_of(world)
    for one in await proofs_in(home.kit, {"@context": CONTEXT, "type": "Note", "proof": value}, fetch_keys=True):
        assert not one.verdict.ok
        assert _failed(one)
        assert set(one.as_json()) == {"pointer", "scheme", "suite", "ok", "keyId", "steps", "signingString"}


async def test_no_proof_no_judgement(world: World) -> None:
    """A document without any has none; an object that is only named is not looked into."""
    home, _ = home_of(world)
    assert await proofs_in(home.kit, {"type": "Create", "object": "https://peer.example/1"}, fetch_keys=True) == ()


async def test_no_more_than_so_many_are_shown(world: World) -> None:
    """A long list is cut, and costs no more than what is shown."""
    home, _ = home_of(world)
    peer = world.peer()
    document = _proven(peer)
    keys = [f"https://host{number}.example/u#key" for number in range(50)]
    many = [{**dict(document["proof"]), "verificationMethod": key} for key in keys]
    found = await proofs_in(home.kit, {**document, "proof": many}, fetch_keys=True)
    assert [one.pointer for one in found] == [f"/proof/{number}" for number in range(MAX_PROOFS)]
    assert len(world.board.requests) <= MAX_PROOFS * 2


async def test_a_proof_inside_is_judged_under_the_context_above(world: World) -> None:
    """An embedded object without a context of its own has that of the activity."""
    home, _ = home_of(world)
    peer = world.peer()
    await discover.known_actor(home.kit, peer.me.id)
    note = {name: value for name, value in _proven(peer).items() if name != "@context"}
    activity = {**peer.activity("Create", note), "@context": CONTEXT}
    (one,) = await proofs_in(home.kit, activity, fetch_keys=False)
    assert (one.pointer, _failed(one)) == ("/object/proof", [])


async def test_a_stopped_document_is_not_made_canonical_again(world: World) -> None:
    """Where canonicalisation was stopped before, the signature says so without another try."""
    home, _ = home_of(world)
    document = {"@context": CONTEXT, "type": "Note", "signature": {"type": "RsaSignature2017"}}
    (one,) = await proofs_in(home.kit, document, fetch_keys=False, canonicalise=False)
    assert "canonical" in _failed(one)
    assert one.signing_string is None


@pytest.mark.parametrize("key_id", ["", "bob", "did:key:z6Mk", "https://silent.example/u#key", f"{ALICE}#lost"])
async def test_a_key_that_nobody_has(world: World, key_id: str) -> None:
    """No address, no answer, no such key: None, never an error."""
    home, _ = home_of(world)
    assert await key_of(home.kit, key_id, fetch_keys=True) is None


async def test_a_refused_peer_is_not_asked_for_keys(world: World) -> None:
    """A neighbour's stub that claims somebody else's key proves nothing."""
    home, _ = home_of(world)
    peer, evil = world.peer(), world.peer("evil.example", "m")
    evil.serve_document(f"{evil.base}/key", {**peer.me.document(), "id": peer.me.id})
    assert await key_of(home.kit, f"{evil.base}/key#main-key", fetch_keys=True) is None
