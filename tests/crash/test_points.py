"""A gateway that is killed at the worst moments, each by its name: nothing is lost and nothing is doubled (REL-002)."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import postgres
import pytest
from crash.forks import Forks, forking
from crash.points import POINTS
from peers import plain
from processes import Listening, Served, eventually, free_port, listening

from gateway.activitypub import sanitise

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where the peer has the delivery already, and the gateway does not know: it comes once more.
COMES_AGAIN = frozenset({"delivery sent, not noted", "delivery noted, not committed"})
ENGINES = ("sqlite", "postgres")


@dataclass(slots=True)
class Scene:
    """A gateway that is started again and again, a peer that follows alice, and who writes for alice."""

    served: Served
    forks: Forks
    peer: Listening
    token: str
    pid: int = 0

    @property
    def alice(self) -> str:
        return f"{self.served.base}/users/alice"

    def start(self, point: str = "") -> None:
        """Start the gateway; with a point it ends itself there."""
        self.end()
        self.pid = self.forks.start(["serve"], self.served.environment(), self.served.stderr_path, point)
        eventually(self._is_ready, "the gateway is ready")

    def _is_ready(self) -> bool:
        with suppress(httpx.TransportError):
            return self.peer.client.get(f"http://127.0.0.1:{self.served.port}/readyz").is_success
        return False

    def stop(self) -> None:
        """Press Ctrl-C."""
        pid, self.pid = self.pid, 0
        os.kill(pid, signal.SIGINT)
        assert self.forks.wait(pid) == 0

    def end(self) -> None:
        """Kill what a test that failed left behind."""
        if self.pid:
            pid, self.pid = self.pid, 0
            self.forks.kill(pid)

    def was_killed(self) -> bool:
        """Wait until the gateway has ended; tell whether it killed itself."""
        pid, self.pid = self.pid, 0
        return self.forks.wait(pid) == -signal.SIGKILL

    def send(self, document: dict[str, Any]) -> int:
        """Deliver an activity of the peer; return the status, 0 when there was no answer."""
        with suppress(httpx.TransportError):
            return self.peer.post(f"{self.alice}/inbox", document).status_code
        return 0

    def publish(self, text: str) -> int:
        """Publish a post of alice; return the status, 0 when there was no answer."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": plain.ACTIVITY_JSON}
        with suppress(httpx.TransportError):
            document = {"type": "Note", "content": text}
            return self.peer.client.post(f"{self.alice}/outbox", json=document, headers=headers).status_code
        return 0


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Run what forks gateways."""
    with forking() as made:
        yield made


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """Run a PostgreSQL server with every safety on."""
    with postgres.running() as made:
        yield made


@pytest.fixture(scope="module", params=ENGINES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Iterator[Scene]:
    """Return a gateway on either engine that does not run; its alice has a follower."""
    settings: dict[str, str] = {}
    if request.param == "postgres":
        server: postgres.Server = request.getfixturevalue("server")
        settings["GATEWAY_DATABASE_URL"] = server.make("gw")
    served = Served(data=tmp_path_factory.mktemp("points") / "gw", port=free_port(), settings=settings)
    served.cli("account", "create", "alice")
    token = served.cli("token", "create", "alice")["token"]
    with listening() as peer:
        made = Scene(served, forks, peer, token)
        made.start()
        try:
            assert made.send(peer.plain.activity("Follow", made.alice)) == 202
            peer.wait_for("Accept")
            served.drained()
            made.stop()
            yield made
        finally:
            made.end()
    served.check()


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_named_point_loses_and_doubles_nothing(scene: Scene, point: str) -> None:
    """Killed at any step of an arrival or a post, a gateway that starts again brings both to their one end."""
    note = scene.peer.plain.note(point, to=[scene.alice], contentUsage="train-ai=n")
    arriving = scene.peer.plain.activity("Create", note, to=[scene.alice])
    scene.start(point)
    arrived = scene.send(arriving)
    published = scene.publish(point) if arrived else 0
    assert scene.was_killed(), point
    scene.start()
    if not arrived:
        assert scene.send(arriving) == 202  # who has no answer sends it again
    if not published and not posts(scene, point):
        assert scene.publish(point) == 201
    scene.served.drained()
    scene.stop()
    check_arrival(scene, arriving)
    check_post(scene, point)


def posts(scene: Scene, text: str) -> list[str]:
    """Return the ids of alice's posts with a text."""
    rows = scene.served.rows("SELECT id, document FROM object WHERE local = 1 AND type = 'Note'")
    return [row["id"] for row in rows if sanitise.plain(json.loads(row["document"])["content"]) == text]


def check_arrival(scene: Scene, arriving: dict[str, Any]) -> None:
    """Check that the note came in once, with what it states."""
    note = arriving["object"]["id"]
    rows = scene.served.rows("SELECT outcome FROM arrival WHERE id = :id", id=arriving["id"])
    assert rows == [{"outcome": "KeepObject"}]
    assert len(scene.served.rows("SELECT id FROM object WHERE id = :id", id=note)) == 1
    stated = scene.served.rows("SELECT carrier, raw FROM statement WHERE ref = :id", id=note)
    assert stated
    assert set(Counter((row["carrier"], row["raw"]) for row in stated).values()) == {1}
    jobs = scene.served.rows("SELECT payload FROM job WHERE kind = 'settle'")
    assert [json.loads(row["payload"])["arrival"] for row in jobs].count(arriving["id"]) == 1


def check_post(scene: Scene, point: str) -> None:
    """Check that there is one post, which came with the same bytes as often as it had to."""
    [post] = posts(scene, point)
    activities = [(body, json.loads(body)) for body in scene.peer.recorder.bodies]
    came = [body for body, activity in activities if activity["type"] == "Create" and activity["object"]["id"] == post]
    assert len(came) == 1 + (point in COMES_AGAIN)
    assert len(set(came)) == 1
