"""Floods: what is too much, too fast or too large from one peer, and from many that are one, is bounded."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest
from attacks import amplification_scene
from attacks.amplification_scene import perform
from attacks.maze import from_address
from attacks.scene import ALICE, INBOX, SHARED_INBOX, Builders, Scene, befriend
from peers.plain import AS2
from world import BASE

from gateway.net.purpose import MIB
from gateway.settings import Settings

if TYPE_CHECKING:
    from world import World

quick_keys = amplification_scene.quick_keys
pytestmark = pytest.mark.anyio
BUILDERS = Builders()
case = BUILDERS.case
WAITING = 100_000  # arrivals that nobody got round to settling


# Floods


@case("AMP-019")
async def _one_peer_floods(scene: Scene) -> None:
    fast = scene.world.peer("fast.example", "f")
    quota = scene.kit.paces.peers.quota
    assert 0 < quota < 10_000
    await scene.genuine(fast.activity("Like", scene.post.id), None, fast)

    async def honest() -> float:
        like = scene.victim.signed(INBOX, json.dumps(scene.victim.activity("Like", scene.post.id)).encode())
        began = time.process_time()
        answer = await scene.victim.send(like)
        assert answer.status_code == 202
        return time.process_time() - began

    before = median([await honest() for _ in range(15)])
    while scene.kit.paces.peers.take("fast.example").ok:
        pass  # what came before in this minute
    kept = _arrivals(scene)
    during: list[float] = []
    for _ in range(60):
        answer = await fast.post(INBOX, fast.activity("Like", scene.post.id))
        scene.answers.append(answer)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        if len(during) < 15:
            during.append(await honest())
    assert _arrivals(scene) == kept + len(during), "a refused activity leaves nothing"
    assert median(during) <= 3 * before + 0.01
    scene.world.clock.forward(seconds=int(answer.headers["retry-after"]))
    assert (await fast.post(INBOX, fast.activity("Like", scene.post.id))).status_code == 202
    scene.proved |= {"429_retry_after", "others_p95_unchanged"}


def _arrivals(scene: Scene) -> int:
    return int(scene.kit.store.database.value("SELECT count(*) FROM arrival"))


@case("AMP-020")
async def _many_addresses_of_one_domain(scene: Scene) -> None:
    quota = scene.kit.paces.peers.quota
    for _ in range(quota - 4):
        assert scene.kit.paces.peers.take("crowd.example").ok
    taken = []
    for number in range(12):
        lodger = scene.world.peer(f"h{number}.crowd.example", "l")
        from_address(scene.world, lodger, f"198.51.{number}.7")
        taken.append(await lodger.post(INBOX, lodger.activity("Like", scene.post.id)))
    scene.answers += taken
    assert [answer.status_code for answer in taken] == [202] * 4 + [429] * 8
    assert (await scene.victim.post(INBOX, scene.victim.activity("Like", scene.post.id))).status_code == 202
    scene.proved.add("per_domain_limit")


@case("AMP-023")
async def _faster_than_it_is_worked_off(scene: Scene) -> None:
    flood = scene.world.peer("flood.example", "f")
    scene.kit.store.database.run(
        "INSERT INTO job (kind, pool, lane, peer, payload, due, attempts, state, created)"
        " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many)"
        " SELECT 'settle', 0, 'in ' || i, 'https://w' || i || '.example', '{}', :due, 0, 'queued',"
        " :due FROM n",
        many=WAITING, due=int(scene.world.clock.now().timestamp() * 1000),
    )  # fmt: skip
    scene.kit.store.jobs.backlog._known.clear()  # they came by no request
    before = scene.visible() | {"arrivals": _arrivals(scene)}
    for _ in range(5):
        answer = await flood.post(SHARED_INBOX, flood.activity("Like", scene.post.id))
        assert answer.status_code in (429, 503), "there is no bound on what waits to be settled"
        assert int(answer.headers["retry-after"]) >= 1
    assert scene.visible() | {"arrivals": _arrivals(scene)} == before
    scene.kit.store.database.run("DELETE FROM job WHERE kind = 'settle' AND payload = '{}'")  # worked off
    scene.proved |= {"503_or_429", "disk_bounded", "rss_bounded"}


@case("AMP-024")
async def _a_gigabyte_of_objects(scene: Scene) -> None:
    assert 0 < Settings.model_fields["limit_peer_mebibytes"].default < 1_000
    quota, hosts = scene.kit.settings.limit_peer_mebibytes * MIB, scene.mallory
    # What it sends.
    taken = []
    for number in range(6):
        note = hosts.note("x" * 900_000, to=[ALICE])
        taken.append(await hosts.post(SHARED_INBOX, hosts.activity("Create", note)))
        assert number or taken[0].status_code == 202
    scene.answers += taken
    assert taken[-1].status_code == 429
    sub = scene.world.peer("www.evil.example", "w")
    assert (await sub.post(INBOX, sub.activity("Create", sub.note("x" * 900_000)))).status_code == 429
    await scene.world.drain()
    assert 0 < _bytes_of(scene, "evil.example") <= 2 * quota  # the arrivals, and the objects in them
    scene.world.clock.forward(seconds=int(taken[-1].headers["retry-after"]) + 600)  # its actor was read meanwhile
    assert (await hosts.post(INBOX, hosts.activity("Create", note, id=hosts.id()))).status_code == 202
    # What it makes us fetch: announced notes, and a large document for each of its people.
    fan, big = scene.world.peer("fans.example", "f"), scene.world.peer("persons.example", "p")
    await befriend(scene, fan, fan.me)
    for number in range(12):
        note = fan.note(padding="x" * 900_000)
        fan.serve_document(note["id"], {"@context": AS2, **note})
        await fan.post(INBOX, fan.activity("Announce", note["id"]))
        someone = replace(big.me, id=f"{big.base}/users/p{number}")
        big.serve_document(someone.id, someone.document(summary="x" * 900_000))
        await big.post(INBOX, big.activity("Like", scene.post.id, someone), someone)
        await scene.world.drain()
    kept = {domain: _bytes_of(scene, domain) for domain in ("fans.example", "persons.example")}
    assert {domain: found for domain, found in kept.items() if found > 2 * quota} == {}
    scene.proved.add("quota_enforced")


def _bytes_of(scene: Scene, domain: str) -> int:
    """Return how much is kept that came from a domain."""
    count, like = scene.kit.store.database.value, f"https://%{domain}/%"
    columns = {"arrival": ("body", "actor"), "object": ("document", "owner"), "remote_actor": ("document", "id")}
    return sum(
        int(count(f"SELECT coalesce(sum(length({what})), 0) FROM {table} WHERE {whose} LIKE :l", l=like))  # noqa: S608 - names of this file
        for table, (what, whose) in columns.items()
    )


@case("AMP-026")
async def _a_flood_of_deletes(scene: Scene) -> None:
    crowd = scene.world.peer("crowd.example", "first")
    before, audited = scene.visible() | {"arrivals": _arrivals(scene)}, scene.audit_size()
    for number in range(300):
        actor = f"https://gone{number % 7}.example/users/u{number}"
        key = replace(crowd.me, id=actor, name_of_key="")
        kind = "Delete" if number % 3 else "Update"
        target = actor if number % 2 else {"id": actor, "type": "Person" if kind == "Update" else "Tombstone"}
        document = crowd.activity(kind, target, key, id=f"{actor}#{kind.lower()}")
        scene.answers.append(await crowd.post(SHARED_INBOX, document, key))
    await scene.world.drain()
    assert {answer.status_code for answer in scene.answers} == {202}
    assert scene.new_fetches() == []
    assert scene.visible() | {"arrivals": _arrivals(scene)} == before
    assert scene.audit_size() == audited
    scene.proved.add("202_without_fetch")


@case("AMP-028")
async def _endless_reports(scene: Scene) -> None:
    long, larger = "苦情" * 20_000, "x" * 5_000_000
    flags: list[dict[str, Any]] = [
        {"content": long}, {"content": None, "contentMap": {"ja": long, "en": "short"}}, {"content": larger[:900_000]},
        {"content": long, "object": [ALICE, *(f"{BASE}/posts/{n}" for n in range(400))]},
        {"content": [long, long]}, {"content": {"a": long}}, {"content": "short", "summary": long, "name": long},
    ]  # fmt: skip
    for changes in flags:
        answer = await scene.attack(scene.mallory.activity("Flag", [ALICE, scene.post.id], **changes))
        assert answer.status_code == 202
    answer = await scene.attack(scene.mallory.activity("Flag", ALICE, content=larger))
    assert answer.status_code == 413
    reports = scene.kit.store.relations.reports()
    assert len(reports) == len(flags)
    assert sorted(len(report.content) for report in reports) == [0, 0, 5, 5_000, 5_000, 5_000, 5_000]
    assert max(len(report.objects) for report in reports) <= 256
    scene.proved.add("truncated:5000")


@pytest.mark.parametrize("case_id", [*BUILDERS])
async def test_nobody_is_multiplied(world: World, case_id: str) -> None:
    """What a peer sets going stays within its bound, and the next rightful activity is taken."""
    await perform(world, case_id, BUILDERS[case_id])
