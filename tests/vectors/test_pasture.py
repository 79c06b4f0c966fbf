"""Objects of the fediverse-pasture: what becomes of each when a peer creates it here is written down, and stays so."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flows.keypool import pooled
from flows.scenes import ALICE, home_of
from peers.plain import AS2, PUBLIC

if TYPE_CHECKING:
    from peers.plain import PlainPeer
    from world import World

    from gateway.runtime import Gateway

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parent
PASTURE = "http://pasture-one-actor"
CONTEXT: list[Any] = [AS2, {"Hashtag": "as:Hashtag", "sensitive": "as:sensitive"}]


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


@cache
def examples() -> dict[str, list[dict[str, Any]]]:
    """Return the examples of each group: what is special about an object, and nothing else of it."""
    found: dict[str, list[dict[str, Any]]] = json.loads((HERE / "pasture" / "examples.json").read_text("utf-8"))
    return found


@cache
def outcomes() -> dict[str, list[str]]:
    """Return what becomes of each example: the outcome of its arrival, or status and code of the refusal."""
    found: dict[str, list[str]] = json.loads((HERE / "pasture_outcomes.json").read_text("utf-8"))
    return found


def _moved(example: dict[str, Any], peer: PlainPeer) -> dict[str, Any]:
    """Return an example that lives on ``peer``: its actors are there, and so is what it links to."""
    text = json.dumps(example)
    for name, here in (("actor", peer.me), ("second", peer.actor("second"))):
        text = text.replace(json.dumps(f"{PASTURE}/{name}"), json.dumps(here.id))
    moved: dict[str, Any] = json.loads(text.replace(PASTURE, peer.base))
    return moved


def _create(example: dict[str, Any], peer: PlainPeer) -> dict[str, Any]:
    """Return the Create of an example, put together as the pasture does it: the object lends context and addresses."""
    plain = {"@context": CONTEXT, "type": "Note", "attributedTo": peer.me.id, "to": [PUBLIC], "id": peer.id("notes")}
    published = peer.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    made = {**plain, "published": published, **_moved(example, peer)}
    made["to"] = [*made["to"], ALICE]
    return peer.activity("Create", made, to=made["to"], **{"@context": made["@context"]})


async def _outcome(world: World, home: Gateway, peer: PlainPeer, example: dict[str, Any]) -> str:
    """Let an example arrive; return what became of it."""
    document = _create(example, peer)
    answer = await peer.post(f"{ALICE}/inbox", document)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 202:
        return f"{answer.status_code} {answer.json()['code']}"
    await world.drain()
    row = home.kit.store.arrivals.get(document["id"], peer.me.id)
    assert row is not None
    return str(row.outcome)


@pytest.mark.parametrize("group", examples())
async def test_an_example_has_its_documented_outcome(world: World, group: str) -> None:
    """Every example is answered, never with a failure of ours, and ends as it is written down."""
    home, _ = home_of(world)
    peer = world.peer()
    assert [await _outcome(world, home, peer, example) for example in examples()[group]] == outcomes()[group]


async def test_every_example_is_documented() -> None:
    """There are 262 examples in 22 groups, and as many outcomes."""
    counts = {group: len(listed) for group, listed in examples().items()}
    assert (len(counts), sum(counts.values())) == (22, 262)
    assert counts == {group: len(listed) for group, listed in outcomes().items()}
