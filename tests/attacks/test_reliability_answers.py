"""What a peer's answer to a delivery means: every case of the class ``answers``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attacks.faults_scene import Builders, cases_of, fault_scene, left_out, perform
from flows.keypool import pooled

from gateway.jobs.circuit import State
from gateway.jobs.retry import LONGEST_RETRY_AFTER
from gateway.store.circuits import Circuit

if TYPE_CHECKING:
    from attacks.faults_scene import FaultScene
    from world import World

pytestmark = pytest.mark.anyio
CASES = cases_of("answers")
BUILDERS = Builders()
OWN_WAIT = 60  # seconds: more than the first wait of our own can be


@pytest.fixture(autouse=True)
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)


async def _one(scene: FaultScene, status: int, **headers: str) -> None:
    """Publish one post that is answered so; nothing else is under way."""
    for job in scene.jobs("waiting", "queued"):
        scene.home.kit.store.jobs.drop(job.id, scene.world.clock.now())
    scene.home.kit.store.circuits.put(scene.peer.base, Circuit())
    scene.home.kit.store.jobs.hold(scene.peer.base, None)
    scene.again()
    scene.front.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    await scene.answered(status)


@BUILDERS.case("REL-030")
async def _success(scene: FaultScene) -> None:
    for status in (200, 201, 202, 204):
        await scene.answered(503, 503, 503, 503)
        assert scene.circuit.recent
        assert scene.circuit.days == 1
        await scene.answered(status)
        assert (scene.jobs()[-1].state, scene.jobs()[-1].status) == ("done", status)
        assert scene.circuit == Circuit()
        assert scene.state is State.CLOSED
    scene.proved.add("done, failure history cleared")


@BUILDERS.case("REL-031")
async def _moved(scene: FaultScene) -> None:
    other = scene.world.peer("other.example", "olga")
    for status in (301, 302, 307, 308):
        for target in (f"{other.base}/inbox", f"{scene.peer.base}/elsewhere"):
            await _one(scene, status, location=target)
            assert len(scene.front.tries) == 1
            assert other.received == []
            assert other.gets == []
            [job] = scene.jobs("queued")
            assert job.status == status
            assert job.problem is not None
            assert job.problem.startswith(f"status {status}")
            assert scene.state is State.CLOSED
    scene.proved |= {"not followed across origins", "counted as failure class 'moved'"}


@BUILDERS.case("REL-032")
async def _permanent(scene: FaultScene) -> None:
    for status in (400, 403, 404, 405, 413, 422):
        await _one(scene, 503)
        await scene.answered(503, 503, 503)
        assert len(scene.circuit.recent) == 4
        tried = len(scene.front.tries)
        await scene.answered(status)
        [dead] = [job for job in scene.jobs("dead") if job.status == status]
        assert dead.attempts == 1
        # A 400 may be about the signature: it is knocked otherwise, in the same attempt.
        assert len(scene.front.tries) - tried <= (3 if status == 400 else 1)
        assert scene.circuit == Circuit()
    scene.proved |= {"no retry", "host history cleared (host is alive)"}


@BUILDERS.case("REL-033")
async def _not_authenticated(scene: FaultScene) -> None:
    await _one(scene, 401)
    assert scene.front.schemes[0] != scene.front.schemes[-1]
    assert len(scene.front.schemes) <= 3
    [job] = scene.jobs("queued")
    assert job.attempts == 1
    assert 10 <= scene.waits(job) <= OWN_WAIT
    scene.world.clock.forward(seconds=OWN_WAIT)
    scene.again()
    await scene.world.drain()
    assert scene.front.types == ["Create"]
    scene.proved |= {"retry once with the other signature scheme (double knock), then per schedule"}


@BUILDERS.case("REL-034")
async def _timed_out(scene: FaultScene) -> None:
    await _one(scene, 408)
    [job] = scene.jobs("queued")
    assert 10 <= scene.waits(job) <= OWN_WAIT
    scene.world.clock.forward(seconds=OWN_WAIT)
    scene.again()
    await scene.world.drain()
    assert scene.front.types == ["Create"]
    scene.proved.add("retry")


@BUILDERS.case("REL-036")
async def _gone(scene: FaultScene) -> None:
    await _one(scene, 503)
    await scene.answered(503, 410)
    assert scene.state is State.DEAD
    assert {job.state for job in scene.jobs("waiting", "queued", "leased", "dead")} == {"dead"}
    scene.again()
    await scene.post()
    assert scene.front.tries == []
    scene.proved.add("host suspended")


@BUILDERS.case("REL-037")
async def _too_many(scene: FaultScene) -> None:
    await _one(scene, 429, retry_after="120")
    await scene.answered(*[429] * 9)
    assert scene.state is State.CLOSED
    assert scene.circuit == Circuit()
    assert min(scene.waits(job) for job in scene.jobs("queued")) >= 120
    tried = len(scene.front.tries)
    scene.world.clock.forward(seconds=119)
    await scene.world.drain()
    assert len(scene.front.tries) == tried
    scene.again()
    scene.world.clock.forward(seconds=1)
    await scene.world.drain()
    assert scene.front.types == ["Create"] * 10
    scene.proved |= {"next try >= 120 s", "not a circuit failure"}


@BUILDERS.case("REL-038")
async def _strange_wishes(scene: FaultScene) -> None:
    past = "Sat, 01 Jan 2000 00:00:00 GMT"
    far = "Fri, 31 Dec 9999 23:59:59 GMT"
    for wish in (past, far, "1000000000", "9" * 400, "garbage", "-5", "", "1.5", "0", "١٢٠", "120, 10", "1e9"):
        await _one(scene, 429)
        scene.again()
        scene.front.headers = (
            {"retry-after": wish} if wish.isascii() else {"retry-after": wish.encode().decode("latin1")}
        )
        await scene.answered(429)
        job = scene.jobs("queued")[-1]
        assert 0 < scene.waits(job) <= LONGEST_RETRY_AFTER == 24 * 3600, wish
        if wish not in (far, "1000000000", "9" * 400):
            assert scene.waits(job) <= OWN_WAIT, wish
        assert scene.state is State.CLOSED
    scene.proved.add("clamped to [0, 24 h]")


@BUILDERS.case("REL-040")
async def _maintenance(scene: FaultScene) -> None:
    await _one(scene, 503, retry_after="7200")
    [job] = scene.jobs("queued")
    assert scene.waits(job) == 7200
    scene.again()
    scene.world.clock.forward(seconds=7199)
    await scene.world.drain()
    assert scene.front.tries == []
    scene.world.clock.forward(seconds=1)
    await scene.world.drain()
    assert scene.front.types == ["Create"]
    scene.proved.add("honoured")


@BUILDERS.case("REL-041")
async def _not_implemented(scene: FaultScene) -> None:
    await _one(scene, 501)
    [job] = scene.jobs("dead")
    assert (job.status, job.attempts) == (501, 1)
    scene.world.clock.forward(days=7)
    await scene.world.drain()
    assert len(scene.front.tries) == 1
    scene.proved.add("no retry")


@BUILDERS.case("REL-042")
async def _soft_error(scene: FaultScene) -> None:
    scene.front.body = b"<!doctype html><title>503 Service Unavailable</title>" + b"x" * 1_000_000
    scene.front.headers = {"content-type": "text/html", "retry-after": "120"}
    await scene.answered(200)
    assert [job.state for job in scene.jobs()] == ["done"]
    assert len(scene.front.tries) == 1
    scene.proved.add("success (body ignored)")


@pytest.mark.parametrize("case_id", CASES)
async def test_what_an_answer_means(world: World, case_id: str) -> None:
    """Each class of answers has the consequence that its case names, for the delivery and for the peer."""
    await perform(await fault_scene(world), CASES[case_id], BUILDERS[case_id])


def test_no_case_is_left_out() -> None:
    """Every case of the class is run."""
    assert left_out(CASES, BUILDERS) == []
