"""When what failed is tried again, and what becomes of what never works: every case of the class ``retry``."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import datetime, timedelta
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import pytest
from attacks.faults_scene import Builders, cases_of, fault_scene, left_out, perform
from flows.keypool import pooled
from flows.scenes import ALICE, arrives, follows, published
from typer.testing import CliRunner
from world import BASE, all_gone

from gateway.cli.main import app
from gateway.jobs.circuit import State
from gateway.jobs.retry import JITTER
from gateway.jobs.worker import SHARE
from gateway.store.circuits import Circuit
from gateway.store.database import to_ms
from gateway.store.jobs import OPEN, PEOPLE

if TYPE_CHECKING:
    from attacks.faults_scene import FaultScene
    from world import World

    from gateway.store.jobs import Job

pytestmark = pytest.mark.anyio
CASES = cases_of("retry")
BUILDERS = Builders()
# The documented table: seconds from each failed attempt to the next one, within 20 %.
WAITS = (16, 38, 132, 386, 921, 1_894, 3_496, 5_954, 9_528, 14_515, 21_244, 30_082, 41_428, 55_718, 73_421)
PILE = 100_000  # deliveries that wait for one peer
NEIGHBOURS, EACH = 20, 8


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


def _spacing(tries: list[datetime]) -> list[float]:
    return [(after - before).total_seconds() for before, after in itertools.pairwise(tries)]


@BUILDERS.case("REL-044")
async def _schedule(scene: FaultScene) -> None:
    scene.front.status = 429  # busy, and there: no circuit lengthens the waits
    await scene.post()
    await scene.until(timedelta(days=6))
    waited = _spacing(scene.front.tries)
    assert len(waited) == len(WAITS)
    for found, documented in zip(waited, WAITS, strict=True):
        assert abs(found - documented) <= JITTER * documented + 1
    assert len({round(found / documented, 2) for found, documented in zip(waited, WAITS, strict=True)}) > 5, "no jitter"
    [job] = scene.jobs()
    assert (job.state, job.status) == ("dead", 429)
    # Of a server that is not there the circuit takes the place of the short waits; it is no less patient.
    scene.again()
    scene.front.status = 500
    await scene.post()
    await scene.until(timedelta(days=6))
    tries = scene.front.tries
    assert len(tries) >= 10
    assert timedelta(hours=48) <= tries[-1] - tries[0] <= timedelta(hours=100)
    for found, documented in zip(_spacing(tries), WAITS, strict=True):
        assert found >= (1 - JITTER) * documented - 1
    scene.proved.add("equals the documented table within jitter")
    scene.proved.add(">= 10 attempts over >= 48 h")


@BUILDERS.case("REL-046")
async def _circuit(scene: FaultScene) -> None:
    for _ in range(10):  # five failures, but not within ten minutes
        await scene.answered(503)
        for job in scene.jobs("queued"):
            scene.home.kit.store.jobs.drop(job.id, scene.world.clock.now())
        assert scene.state is State.CLOSED
        scene.world.clock.forward(minutes=3)
    scene.home.kit.store.circuits.put(scene.peer.base, Circuit())
    scene.world.clock.forward(minutes=10)
    states = []
    for _ in range(8):
        await scene.answered(503)
        states.append(scene.state)
    assert states == [State.CLOSED] * 4 + [State.OPEN] * 4
    tried = len(scene.front.tries)
    scene.world.clock.forward(minutes=29, seconds=59)
    await scene.world.drain()
    assert len(scene.front.tries) == tried
    scene.world.clock.forward(seconds=1)
    assert len(_claimed(scene)) == 1
    assert _claimed(scene) == []
    all_gone(scene.home)  # the process was killed with the probe in hand
    assert len(_claimed(scene)) == 1
    assert _claimed(scene) == []
    all_gone(scene.home)
    await scene.world.drain()
    assert len(scene.front.tries) == tried + 1
    assert scene.state is State.OPEN
    scene.proved.add("as documented")
    for job in scene.jobs(*OPEN):
        scene.home.kit.store.jobs.drop(job.id, scene.world.clock.now())
    scene.world.clock.forward(days=30)
    scene.home.prune()
    assert scene.circuit == Circuit()
    scene.again()
    await scene.post()
    assert scene.front.types == ["Create"]
    scene.proved.add("state has a TTL")


def _claimed(scene: FaultScene) -> list[Job]:
    return scene.home.kit.store.jobs.claim("me", scene.world.clock.now(), 400, SHARE)


@BUILDERS.case("REL-047")
async def _speaks_again(scene: FaultScene) -> None:
    for _ in range(7):
        scene.world.clock.forward(days=1)
        await scene.answered(500)
    assert scene.state is State.DEAD
    scene.again()
    # Who cannot sign for the peer does not bring it back.
    mallory = scene.world.peer("evil.example", "m")
    forged = mallory.signed(f"{ALICE}/inbox", json.dumps(scene.peer.activity("Like", ALICE)).encode())
    assert (await mallory.send(forged)).status_code == 401
    assert scene.state is State.DEAD
    await arrives(scene.world, scene.peer, scene.peer.activity("Like", ALICE))
    assert scene.state in (State.CLOSED, State.MENDING)
    await scene.post()
    assert scene.front.types == ["Create"]
    scene.proved.add("circuit reset")


@BUILDERS.case("REL-048")
async def _poison(scene: FaultScene) -> None:
    scene.world.clock.moment = datetime.now(scene.world.clock.moment.tzinfo)  # the command line has the real time
    real, met = scene.home.worker._handlers["deliver"], []

    async def handler(job: Job) -> None:
        sent = scene.home.kit.store.objects.activity(str(job.payload["activity"]))
        if sent is not None and b"poison" in sent.body:
            met.append(job.id)
            raise MemoryError("a defect of ours")
        await real(job)

    scene.home.worker._handlers = {**scene.home.worker._handlers, "deliver": handler}
    await scene.post("poison")
    for number in range(5):
        await scene.post(f"good {number}")
    await scene.until(timedelta(days=2))
    assert len(met) == 3
    [poisoned] = scene.jobs("dead")
    assert (poisoned.id, poisoned.attempts) == (met[0], 3)
    scene.proved.add("quarantined after 3 crashes")
    assert scene.front.types == ["Create"] * 5
    assert [job.state for job in scene.jobs()] == ["dead", *["done"] * 5]
    scene.proved.add("the rest goes on")
    [listed] = await _command(scene, "deliveries", "list", "--state", "dead")
    assert listed["id"] == poisoned.id
    assert listed["problem"].startswith("poison: ")
    assert "MemoryError" in listed["problem"]
    scene.proved.add("visible in the admin UI")
    scene.home.worker._handlers = {**scene.home.worker._handlers, "deliver": real}
    await _command(scene, "deliveries", "retry", str(poisoned.id))
    scene.world.clock.forward(minutes=1)
    await scene.world.drain()
    assert scene.front.types == ["Create"] * 6
    scene.proved.add("replayable")


async def _command(scene: FaultScene, *arguments: str) -> Any:
    """Run a command beside the gateway, as an admin would, and return what it prints."""
    environment = {"GATEWAY_BASE_URL": BASE, "GATEWAY_DATA": str(scene.home.kit.settings.data)}
    done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--json"], env=environment)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("how", ["start", "lease"])
async def test_what_kills_the_process_is_set_aside(world: World, how: str) -> None:
    """REL-048: a job that was alone in hand at three deaths of the process is not claimed a fourth time."""
    scene = await fault_scene(world)
    await published(scene.home, scene.alice, "poison")
    for _ in range(3):
        assert len(_claimed(scene)) == 1
        if how == "start":
            all_gone(scene.home)
        else:
            world.clock.forward(minutes=3)
    assert _claimed(scene) == []
    assert [job.state for job in scene.jobs()] == ["dead"]


@BUILDERS.case("REL-049")
async def _dead_letters(scene: FaultScene) -> None:
    scene.world.clock.moment = datetime.now(scene.world.clock.moment.tzinfo)
    scene.front.status, scene.front.body = 429, b"too busy for this"
    await scene.post("exhausted")
    await scene.until(timedelta(days=5))
    scene.front.status, scene.front.body = 404, b"nobody of that name"
    await scene.post("refused")
    listed = await _command(scene, "deliveries", "list", "--state", "dead")
    assert [(one["attempts"], one["status"]) for one in listed] == [(16, 429), (1, 404)]
    assert listed[0]["problem"].startswith("too-many-attempts: status 429: too busy")
    assert listed[1]["problem"].startswith("permanent-answer: status 404: nobody of")
    scene.again()
    await _command(scene, "deliveries", "retry", str(listed[1]["id"]))
    await scene.world.drain()
    assert scene.front.types == ["Create"]
    assert [one["id"] for one in await _command(scene, "deliveries", "list", "--state", "dead")] == [listed[0]["id"]]
    scene.world.clock.forward(days=scene.home.kit.settings.retention_jobs, seconds=1)
    scene.home.prune()
    assert scene.jobs() == []
    scene.proved.add("as documented")


@BUILDERS.case("REL-050")
async def _head_of_line(scene: FaultScene) -> None:
    for number in range(NEIGHBOURS):
        await follows(scene.world, scene.world.peer(f"n{number}.example", "n"))
    alone = await _turns(scene)
    now = to_ms(scene.world.clock.now())
    store = scene.home.kit.store
    with store.transaction():
        store.database.run(
            "INSERT INTO job (kind, pool, lane, peer, payload, due, attempts, state, created)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many)"
            " SELECT 'deliver', :pool, 'out ' || i, 'https://slow.example', '{}', :due, 0, 'queued', :due FROM n",
            many=PILE, due=now - 3_600_000, pool=PEOPLE,
        )  # fmt: skip
        store.database.run("INSERT INTO turn VALUES (:pool, 'https://slow.example', :due, 0, 0)",
                           pool=PEOPLE, due=now - 3_600_000)  # fmt: skip
    beside = await _turns(scene)
    assert len(alone) == len(beside) == NEIGHBOURS * EACH
    assert quantiles(beside, n=20)[-1] <= 2 * quantiles(alone, n=20)[-1]
    scene.proved.add("fair share: other peers' p95 <= 2x")


async def _turns(scene: FaultScene) -> list[int]:
    """Publish some posts; return after how many claims of ten each delivery to the neighbours was in hand."""
    store = scene.home.kit.store
    for _ in range(EACH):
        await published(scene.home, scene.alice)
    turns: list[int] = []
    claims = 0
    while len(turns) < NEIGHBOURS * EACH:
        claims += 1
        taken = store.jobs.claim("me", scene.world.clock.now(), 10, SHARE)
        for job in taken:
            turns += [claims] if job.peer.startswith("https://n") else []
            store.jobs.finish(job.id, scene.world.clock.now())
        assert taken
        assert claims < 50 * EACH, "nobody else has a turn"
    return turns


@pytest.mark.parametrize("case_id", CASES)
async def test_what_is_tried_again(world: World, case_id: str) -> None:
    """What failed is tried again when its case says so, and what never works stops nothing else."""
    await perform(await fault_scene(world), CASES[case_id], BUILDERS[case_id])


def test_no_case_is_left_out() -> None:
    """Every case of the class is run."""
    assert left_out(CASES, BUILDERS) == []
