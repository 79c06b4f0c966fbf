"""Several processes on one PostgreSQL, as docker-compose.yml runs them: they share the work, and none is missed."""

from __future__ import annotations

import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import postgres
import pytest
from processes import Listening, Served, eventually, free_port, listening

from gateway.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

POSTS = 12


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    """Run a PostgreSQL server with every safety on."""
    with postgres.running() as made:
        yield made


@pytest.fixture
def peer() -> Iterator[Listening]:
    """Run a peer."""
    with listening() as made:
        yield made


class Pair:
    """Two gateways of one community: one database, one secret, one directory of media, two ports."""

    def __init__(self, root: Path, url: str, **settings: str) -> None:
        port = free_port()
        shared = {"GATEWAY_DATABASE_URL": url, "GATEWAY_BASE_URL": f"http://localhost:{port}", **settings}
        self.first = Served(data=root / "gw", port=port, settings=shared)
        self.second = Served(data=root / "gw", port=port, settings={**shared, "GATEWAY_PORT": str(free_port())})

    def close(self) -> None:
        """Stop both."""
        for one in (self.first, self.second):
            if one.process is not None:
                one.kill()

    def posts_of(self, peer: Listening) -> Counter[str]:
        """Return how often each post came."""
        return Counter(one["id"] for one in peer.received if one["type"] == "Create")


@pytest.fixture
def pair(server: postgres.Server, tmp_path: Path) -> Iterator[Pair]:
    """Return two gateways that do not run yet; their alice is made."""
    made = Pair(tmp_path, server.make("gw"))
    made.first.cli("account", "create", "alice")
    yield made
    made.close()


def followed(pair: Pair, peer: Listening) -> None:
    """Let the peer follow alice."""
    alice = f"{pair.first.base}/users/alice"
    assert peer.post(f"{alice}/inbox", peer.plain.activity("Follow", alice)).status_code == 202
    peer.wait_for("Accept")


def publish(pair: Pair, count: int = POSTS) -> list[dict[str, Any]]:
    """Publish posts from the command line, a third process."""
    return [pair.first.cli("post", "create", "alice", f"hello {number}") for number in range(count)]


def start(gateway: Served, port: int) -> None:
    """Start one of the two; it is ready when its own port says so."""
    gateway.process = gateway.spawn("serve")
    eventually(lambda: listens(port), f"port {port}")


def listens(port: int) -> bool:
    """Tell whether a gateway is ready behind a port."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def start_both(pair: Pair) -> None:
    """Start both."""
    start(pair.first, pair.first.port)
    start(pair.second, int(pair.second.settings["GATEWAY_PORT"]))


def test_two_gateways_share_the_queue(pair: Pair, peer: Listening) -> None:
    """What one process takes the other settles or delivers, each piece once."""
    start_both(pair)
    followed(pair, peer)
    publish(pair)
    eventually(lambda: len(pair.posts_of(peer)) == POSTS, "every post")
    pair.first.drained()
    assert set(pair.posts_of(peer).values()) == {1}
    for one in (pair.first, pair.second):
        assert one.interrupt()[0] == 0
    pair.first.check()


def test_what_a_killed_process_had_in_hand_the_other_takes_up(pair: Pair, peer: Listening) -> None:
    """Kill -9 of one of two: the other has what that had in hand within seconds, not when its lease runs out."""
    start(pair.first, pair.first.port)
    followed(pair, peer)
    peer.recorder.answering.clear()
    publish(pair, 1)
    eventually(lambda: peer.recorder.held, "a delivery in hand")
    pair.first.kill()
    start(pair.second, int(pair.second.settings["GATEWAY_PORT"]))
    peer.recorder.answering.set()
    eventually(lambda: pair.posts_of(peer), "the post", seconds=45)
    pair.first.drained()
    assert pair.first.rows("SELECT state FROM job WHERE state <> 'done'") == []
    pair.second.interrupt()


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_a_database_restart_loses_nothing(pair: Pair, peer: Listening, server: postgres.Server, how: str) -> None:
    """The server stops in the middle, in an orderly way or not; the gateways go on by themselves when it is back."""
    start_both(pair)
    followed(pair, peer)
    made = [one["activity"] for one in publish(pair, 4)]
    if how == "kill":
        server.kill()
        eventually(server.is_down, "the server is down")
    else:
        server.stop(how)
    told = pair.first.run("post", "create", "alice", "nobody keeps this")
    server.start()
    made += [one["activity"] for one in publish(pair, 4)]
    eventually(lambda: set(pair.posts_of(peer)) >= set(made), "every post")
    pair.first.drained()
    assert told.code == 1
    assert "PostgreSQL" in told.err
    assert "Traceback" not in told.err + pair.first.stderr
    for one in (pair.first, pair.second):
        assert one.interrupt()[0] == 0


def test_one_process_leads(server: postgres.Server) -> None:
    """Of two processes one holds what only one may do; when it dies, the other one does."""
    url = server.make("gw")
    first, second = Store(url), Store(url)
    assert first.presence.leads("prune")
    assert first.presence.leads("prune")
    assert not second.presence.leads("prune")
    first.close()
    eventually(lambda: second.presence.leads("prune"), "the second one leads")
    second.close()


def test_a_served_database_is_not_replaced(pair: Pair, tmp_path: Path) -> None:
    """A backup is put back only when no gateway serves the database."""
    pair.first.cli("db", "backup", str(tmp_path / "copy"))
    start(pair.first, pair.first.port)
    told = pair.first.run("db", "restore", str(tmp_path / "copy"), "--yes")
    assert told.code == 2
    assert "serves this database" in told.err
    assert pair.first.interrupt()[0] == 0
    assert pair.first.cli("db", "restore", str(tmp_path / "copy"), "--yes")["deliveriesDropped"] == 0
    assert [one["name"] for one in pair.first.cli("account", "list")] == ["alice"]


def test_workers_behind_one_port(server: postgres.Server, tmp_path: Path, peer: Listening) -> None:
    """``--workers 2`` answers on one port; a worker that is killed is replaced, and nothing of its work is missing."""
    gateway = Served(
        data=tmp_path / "gw", port=free_port(),
        settings={"GATEWAY_DATABASE_URL": server.make("gw"), "GATEWAY_WORKERS": "2"},
    )  # fmt: skip
    check_workers(gateway, peer)


def test_workers_on_sqlite(tmp_path: Path, peer: Listening) -> None:
    """On SQLite the workers share the one writer, and all else is the same."""
    check_workers(Served(data=tmp_path / "gw", port=free_port(), settings={"GATEWAY_WORKERS": "2"}), peer)


def check_workers(gateway: Served, peer: Listening) -> None:
    """Serve with two workers, kill one in the middle, and stop."""
    gateway.cli("account", "create", "alice")
    alice = f"{gateway.base}/users/alice"
    try:
        gateway.start()
        eventually(lambda: len(workers(gateway)) == 2, "two workers")
        assert peer.post(f"{alice}/inbox", peer.plain.activity("Follow", alice)).status_code == 202
        peer.wait_for("Accept")
        for number in range(3):
            gateway.cli("post", "create", "alice", f"hello {number}")
        gone = workers(gateway)[0]
        os.kill(gone, signal.SIGKILL)
        for number in range(3):
            gateway.cli("post", "create", "alice", f"again {number}")
        eventually(lambda: len({one["id"] for one in peer.received if one["type"] == "Create"}) == 6, "every post")
        eventually(lambda: len(workers(gateway)) == 2 and gone not in workers(gateway), "a new worker")
        gateway.drained()
        last = workers(gateway)
        code, _ = gateway.interrupt()
    finally:
        gateway.kill()
    assert code == 0
    assert not [pid for pid in last if Path(f"/proc/{pid}").exists()]


def workers(gateway: Served) -> list[int]:
    """Return the process ids of a gateway's workers."""
    assert gateway.process is not None
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parent = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()[1]
                if int(parent) == gateway.process.pid and b"--worker" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
    return sorted(found)
