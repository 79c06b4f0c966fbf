"""Deletions by strangers: servers see millions; they cost nothing, and nothing else profits from that."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from attacks.maze import ALICE, forging, home_of, out
from attacks.scene import INBOX, SHARED_INBOX
from flows.keypool import pooled
from peers.plain import ACTIVITY_JSON
from world import BASE, snapshot

from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers.plain import Actor, PlainPeer
    from world import World


pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


def _about_themselves(near: PlainPeer, kind: str, number: int) -> tuple[dict[str, Any], Actor]:
    signer = forging(near, f"https://gone{number}.example/users/x")
    return near.activity(kind, signer.id, signer, id=f"{signer.id}#gone"), signer


@pytest.mark.parametrize("kind", ["Delete", "Update"])
@pytest.mark.parametrize("form", ["id", "object", "list of one", "two types", "no match of the signature", "rfc9421"])
async def test_strangers_that_go_are_waved_through(world: World, kind: str, form: str) -> None:
    """Delete and self-Update of somebody nobody here knows: 202, nobody asked, nothing kept, not even a line."""
    home = home_of(world)
    near = world.peer("near.example", "n")
    document, signer = _about_themselves(near, kind, 1)
    if form == "object":
        document["object"] = {"id": signer.id, "type": "Tombstone"}
    if form == "list of one":
        document["object"] = [signer.id]
    if form == "two types":
        document["type"] = [kind, "https://schema.org/DeleteAction"]
    before, lines = snapshot(home.kit), len(home.kit.store.peers.audit_lines())
    request = near.signed(
        SHARED_INBOX, json.dumps(document).encode(), signer, scheme="rfc9421" if form == "rfc9421" else "cavage"
    )
    if form == "no match of the signature":
        request = replace(request, body=request.body.replace(b"#gone", b"#went"))
    assert (await near.send(request)).status_code == 202
    await world.drain()
    assert out(world) == []
    assert snapshot(home.kit) == before
    assert len(home.kit.store.peers.audit_lines()) == lines
    assert home.kit.store.relations.actor(signer.id) is None


NEAR_MISSES: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {
    "another id": lambda d, me: {**d, "object": f"{me}/notes/1"},
    "a neighbour": lambda d, me: {**d, "object": me.replace("/x", "/y")},
    "a fragment": lambda d, me: {**d, "object": f"{me}#main-key"},
    "a query": lambda d, me: {**d, "object": f"{me}?"},
    "a slash": lambda d, me: {**d, "object": f"{me}/"},
    "another case": lambda d, me: {**d, "object": me.replace("users", "Users")},
    "embedded, another id": lambda d, me: {**d, "object": {"id": f"{me}/notes/1", "type": "Note", "attributedTo": me}},
    "embedded, only of themselves": lambda d, me: {**d, "object": {"type": "Person", "attributedTo": me, "url": me}},
    "two": lambda d, me: {**d, "object": [me, f"{me}/notes/1"]},
    "twice": lambda d, me: {**d, "object": [me, me]},
    "none": lambda d, _me: {name: value for name, value in d.items() if name != "object"},
    "an empty list": lambda d, _me: {**d, "object": []},
    "nested lists": lambda d, me: {**d, "object": [[me]]},
    "another type": lambda d, _me: {**d, "type": "Move"},
    "another type first": lambda d, _me: {**d, "type": ["Move", d["type"]]},
    "lower case": lambda d, _me: {**d, "type": d["type"].lower()},
    "undone": lambda d, me: {**d, "type": "Undo", "object": {"type": d["type"], "object": me, "actor": me, "id": me}},
    "target": lambda d, me: {**d, "object": f"{me}/notes/1", "target": me},
    "by url": lambda d, me: {**d, "object": {"url": me, "type": "Person"}},
}


@pytest.mark.parametrize("kind", ["Delete", "Update"])
@pytest.mark.parametrize("name", NEAR_MISSES)
async def test_what_only_looks_like_it_is_judged(world: World, kind: str, name: str) -> None:
    """Whatever is not exactly somebody's own end or change is verified like everything else: here, in vain."""
    home = home_of(world)
    near = world.peer("near.example", "n")
    document, signer = _about_themselves(near, kind, 1)
    before = snapshot(home.kit)
    answer = await near.post(SHARED_INBOX, NEAR_MISSES[name](document, signer.id), signer)
    assert answer.status_code in (400, 401, 503), answer.text
    assert len(out(world)) <= 1
    assert snapshot(home.kit) == before


@pytest.mark.parametrize("kind", ["Delete", "Update"])
async def test_unsigned_or_known_they_are_judged(world: World, kind: str) -> None:
    """Without a signature it is a 401, in a known actor's name or one of ours too; the real one's word holds."""
    home = home_of(world)
    near, bob = world.peer("near.example", "n"), world.peer()
    document, signer = _about_themselves(near, kind, 1)
    body = json.dumps(document).encode()
    bare = SignedRequest(method="POST", target=SHARED_INBOX, headers=(("content-type", ACTIVITY_JSON),), body=body)
    assert (await near.send(bare)).status_code == 401
    broken = bare.with_headers(("signature", "x"))
    assert (await near.send(broken)).status_code == 400
    assert (await bob.post(INBOX, bob.activity("Follow", ALICE))).status_code == 202
    await world.drain()
    for known in (bob.me.id, ALICE, f"{BASE}/actor"):
        signer = forging(near, known)
        before = snapshot(home.kit)
        answer = await near.post(SHARED_INBOX, near.activity(kind, known, signer, id=f"{known}#1"), signer)
        assert answer.status_code == 401, (known, answer.status_code)
        assert snapshot(home.kit) == before
    assert home.kit.store.relations.followers(ALICE) == [bob.me.id]
    assert (await bob.post(INBOX, bob.activity(kind, bob.me.id))).status_code == 202
    await world.drain()
    assert home.kit.store.relations.followers(ALICE) == ([] if kind == "Delete" else [bob.me.id])
