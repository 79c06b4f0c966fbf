"""``/metrics``: what is counted, what stands when somebody looks, and that it is on a listener of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest
from attacks import scene as scenes
from processes import free_port, served

from gateway.activitypub.note import Draft
from gateway.flows import publish
from gateway.observe import names
from gateway.web import metrics

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

pytestmark = pytest.mark.anyio


async def read(gateway: object) -> dict[str, float]:
    """Return series -> number."""
    transport = httpx.ASGITransport(app=metrics.build(gateway))  # type: ignore[arg-type]  # a Gateway
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as client:
        answer = await client.get("/metrics")
        assert (await client.get("/")).status_code == 404
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_what_happens_is_counted(world: World) -> None:
    """Arrivals by their answer, what became of them, and deliveries by their end."""
    scene = await scenes.prepared(world)
    before = await read(scene.home)
    await scene.genuine(scene.victim.activity("Like", scene.post.id))
    await scene.attack({**scene.mallory.activity("Like", scene.post.id), "actor": scene.v})
    after = await read(scene.home)
    grown = {name for name, value in after.items() if value > before.get(name, 0.0)}
    assert {
        'gateway_arrivals_total{status="202"}', 'gateway_arrivals_total{status="401"}',
        'gateway_settled_total{outcome="done"}', "gateway_arrival_seconds_count",
    } <= grown  # fmt: skip


async def test_what_stands_is_told_as_of_now(world: World) -> None:
    """Jobs by pool and state, how long the oldest is due, circuits, peers and objects are read when somebody looks."""
    scene = await scenes.prepared(world)
    await scenes.befriend(scene, scene.victim, scene.victim.me)
    await publish.create(scene.kit, scene.alice, Draft(text="for everybody"))
    world.clock.forward(minutes=3)
    found = await read(scene.home)
    waiting = [name for name in found if re.fullmatch(r'gateway_jobs\{pool="\w+",state="queued"\}', name)]
    assert sum(found[name] for name in waiting) >= 1
    assert max(value for name, value in found.items() if name.startswith(names.OLDEST_SECONDS)) >= 180
    assert found[names.PEERS] >= 1
    assert found['gateway_objects{whose="ours"}'] >= 2
    await world.drain()
    assert not [name for name in await read(scene.home) if 'state="queued"' in name]


def test_the_listener_answers_nothing_else(tmp_path: Path) -> None:
    """The numbers are on the address that the admin gave, and on no other; nothing else is there."""
    port = free_port()
    with served(tmp_path, GATEWAY_METRICS_ADDRESS=f"127.0.0.1:{port}") as gateway:
        inside = f"http://127.0.0.1:{port}"
        with httpx.Client(trust_env=False) as client:
            text = client.get(f"{inside}/metrics").text
            assert all(f"# HELP {name.removesuffix('_total')}" in text for name in names.METRICS)
            assert "process_resident_memory_bytes" in text
            assert client.get(f"{inside}/livez").status_code == 404
            assert client.get(f"http://127.0.0.1:{gateway.port}/metrics").status_code == 404
