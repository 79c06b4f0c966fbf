"""A disk that is full, a sync that fails, a file that is gone: every case of the class ``storage``."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from attacks.faults_scene import cases_of, fault_scene, left_out
from flows.keypool import pooled
from flows.scenes import PNG
from peers.plain import ACTIVITY_JSON
from processes import eventually, listening, served
from world import BASE, snapshot

from gateway.flows.status import standing
from gateway.observe import metrics
from gateway.store.sqlite import sqlite3
from gateway.store.store import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from attacks.faults_scene import FaultScene
    from processes import Listening, Served
    from world import World

CASES = cases_of("storage")
ELSEWHERE = {
    "REL-016": "flipped bytes: with the tests of damaged databases",
    "REL-019": "a queue of a million rows: tests/store/test_million.py",
    "REL-021": "an old backup: with the tests of db backup and restore",
}
IN_PROCESSES: dict[str, Callable[[Path], set[str]]] = {}
MIB = 1024 * 1024
ROOM = 8 * MIB  # more than the database of a test, less than the file that is uploaded
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set with prlimit")
# While the file named by NO_SYNC exists, nothing can be synced.
SHIM = """
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int fails(void) { const char *flag = getenv("NO_SYNC"); return flag && access(flag, F_OK) == 0; }
int fsync(int file) { (void)file; if (fails()) { errno = EIO; return -1; } return 0; }
int fdatasync(int file) { (void)file; if (fails()) { errno = EIO; return -1; } return 0; }
"""


def case(case_id: str) -> Callable[[Callable[[Path], set[str]]], Callable[[Path], set[str]]]:
    """Register what performs a case over a real process and returns which parts of its outcome were seen."""

    def register(builder: Callable[[Path], set[str]]) -> Callable[[Path], set[str]]:
        IN_PROCESSES[case_id] = builder
        return builder

    return register


class Site:
    """A gateway as a process, with Alice, her token, and a peer."""

    def __init__(self, gateway: Served, peer: Listening) -> None:
        self.gateway, self.peer = gateway, peer
        gateway.cli("account", "create", "alice")
        self.alice = f"{gateway.base}/users/alice"
        self.token = gateway.cli("token", "create", "alice")["token"]
        assert self.arrives(self.activity()).status_code == 202  # its key is known from here on

    def activity(self) -> dict[str, Any]:
        note = self.peer.plain.note("hello", to=[self.alice])
        return self.peer.plain.activity("Create", note, to=[self.alice])

    def arrives(self, activity: dict[str, Any]) -> httpx.Response:
        return self.peer.post(f"{self.alice}/inbox", activity)

    def published(self, text: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}", "content-type": ACTIVITY_JSON}
        return self.peer.client.post(f"{self.alice}/outbox", json={"type": "Note", "content": text}, headers=headers)

    def uploaded(self, size: int) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        files = {"file": ("cat.png", PNG + bytes(size), "image/png")}
        return httpx.post(f"{self.gateway.base}/api/media", files=files, headers=headers, trust_env=False)

    def kept(self) -> set[str]:
        return {row["id"] for row in self.gateway.rows("SELECT id FROM arrival")}

    @contextlib.contextmanager
    def no_file_above(self, size: int) -> Iterator[None]:
        """Let no file of the gateway's grow beyond a size, as on a full disk."""
        assert self.gateway.process is not None
        pid = self.gateway.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    def complained(self) -> str:
        """Return what was logged as an error, and forget it: the gateway was right to complain."""
        told = self.gateway.stderr
        self.gateway.stderr_path.write_text("")
        return told


@contextlib.contextmanager
def site(root: Path, **settings: str) -> Iterator[Site]:
    """Run a gateway and a peer."""
    with listening() as peer, served(root, **settings) as gateway:
        yield Site(gateway, peer)


def _is_refused(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


@case("REL-012")
def _disk_full(root: Path) -> set[str]:
    with site(root) as here:
        wal = here.gateway.data / f"{FILE}-wal"
        # Files: an upload fails, everything else goes on.
        with here.no_file_above(ROOM):
            assert _is_refused(here.uploaded(10 * MIB))
            assert list((here.gateway.data / "media").rglob("*.part")) == []
            taken = [here.activity(), here.activity()]
            assert here.arrives(taken[0]).status_code == 202
            assert here.published("while files are full").status_code == 201
            # The log besides: what cannot be written down happens all the same.
            size = here.gateway.stderr_path.stat().st_size
            os.truncate(here.gateway.stderr_path, 2 * ROOM)
            assert here.arrives(taken[1]).status_code == 202
            assert here.published("while logs are full").status_code == 201
            eventually(lambda: here.gateway.rows("SELECT 1 FROM arrival WHERE settled IS NULL") == [], "all is settled")
            os.truncate(here.gateway.stderr_path, size)
        assert here.uploaded(10 * MIB).status_code == 201
        told = here.complained()
        # The database: nothing is promised that cannot be kept.
        before = here.kept()
        assert {activity["id"] for activity in taken} <= before
        lost = [here.activity() for _ in range(30)]
        with here.no_file_above(wal.stat().st_size):
            answers = [here.arrives(activity) for activity in lost]
            refused = [activity["id"] for activity, answer in zip(lost, answers, strict=True) if _is_refused(answer)]
            assert {answer.status_code for answer in answers} <= {202, 503}
            assert refused
            assert _is_refused(here.published("while the database is full"))
        assert here.kept() == before | {activity["id"] for activity in lost} - set(refused)
        told += here.complained()
        assert here.arrives(here.activity()).status_code == 202
        assert '"level": "error"' in told
    return {"intake unaffected or fails closed for evidence", "alarm raised"}


@case("REL-013")
def _no_sync(root: Path) -> set[str]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "what builds the gateway's engine builds this"
    flag, shim = root / "no-sync", root / "shim.so"
    (root / "shim.c").write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), str(root / "shim.c")], check=True)
    with site(root, LD_PRELOAD=str(shim), NO_SYNC=str(flag)) as here:
        before = here.kept()
        activity = here.activity()
        flag.touch()
        assert _is_refused(here.arrives(activity))
        assert _is_refused(here.published("unsynced"))
        assert _is_refused(here.uploaded(10))
        assert here.kept() == before
        here.complained()
        here.gateway.kill()  # what it holds in memory is gone
        flag.unlink()
        here.gateway.start()
        assert here.kept() == before
        assert here.gateway.rows("SELECT 1 FROM object WHERE local = 1") == []
        assert here.arrives(activity).status_code == 202
        here.gateway.drained()
        assert here.kept() == before | {activity["id"]}
    return {"treat as fatal: no ack after a failed fsync", "process exits or read-only"}


@linux
def test_a_database_that_is_gone_is_noticed(tmp_path: Path) -> None:
    """REL-018: when the database file is deleted while it is open, nothing more is promised, and the log says why."""
    assert set(CASES["REL-018"].parts) == {"fails closed, clear log"}
    with site(tmp_path) as here:
        for path in here.gateway.data.glob(f"{FILE}*"):
            path.unlink()
        answer = here.arrives(here.activity())
        here.gateway.kill()
        assert answer.status_code >= 500
        assert FILE in here.complained()


@linux
@pytest.mark.parametrize("case_id", IN_PROCESSES)
def test_storage_that_fails(tmp_path: Path, case_id: str) -> None:
    """What cannot be kept is not promised, and what was promised before stays."""
    assert IN_PROCESSES[case_id](tmp_path) == CASES[case_id].parts


# In this process


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
    monkeypatch.setattr("gateway.store.sqlite.BUSY_MS", 100)


def _other(scene: FaultScene) -> Any:
    """Return a connection of another process, so to say."""
    path = scene.home.kit.settings.data / FILE
    return sqlite3.connect(str(path), isolation_level=None, timeout=0)


@pytest.mark.anyio
@pytest.mark.usefixtures("_quick")
async def test_a_locked_database(world: World) -> None:
    """REL-015: while another process holds the lock, writing is refused in time, reading goes on, nothing is half."""
    assert CASES["REL-015"].parts == {"waits <= busy_timeout, then 503", "no partial work", "no thread starvation"}
    scene = await fault_scene(world)
    post = await scene.post()
    like = scene.peer.activity("Like", post)
    holder = _other(scene)
    holder.execute("BEGIN EXCLUSIVE")
    before = snapshot(scene.home.kit)
    for _ in range(3):
        answer = await scene.peer.post(f"{BASE}/inbox", like)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        async with world.client() as reader:
            assert (await reader.get("/@alice")).status_code == 200
            assert (await reader.get("/livez")).status_code == 200
    assert snapshot(scene.home.kit) == before
    holder.execute("ROLLBACK")
    holder.close()
    assert (await scene.peer.post(f"{BASE}/inbox", like)).status_code == 202
    await world.drain()
    assert len(snapshot(scene.home.kit)["interaction"]) == 1


def _written(scene: FaultScene, commits: int) -> int:
    """Commit so often, 64 KiB each time; return how large the log of the database is then."""
    database = scene.home.kit.store.database
    for _ in range(commits):
        new = os.urandom(32_768).hex()  # what is the same would not be written
        database.run("INSERT INTO meta VALUES ('x', :new) ON CONFLICT (key) DO UPDATE SET value = :new", new=new)
    return (scene.home.kit.settings.data / f"{FILE}-wal").stat().st_size


@pytest.mark.anyio
@pytest.mark.usefixtures("_quick")
async def test_the_log_is_used_again_after_a_long_reader(world: World) -> None:
    """REL-017: what a reader held up is written back as soon as it ends, and the file grows no more."""
    assert "checkpoint resumes" in CASES["REL-017"].parts
    scene = await fault_scene(world)
    short = _written(scene, 300)
    reader = _other(scene)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM object").fetchall()
    grown = _written(scene, 300)
    assert grown > 1.5 * short, "it was no long reader"
    reader.execute("COMMIT")
    reader.close()
    assert _written(scene, 600) <= grown + 10 * 65_536


@pytest.mark.anyio
@pytest.mark.usefixtures("_quick")
async def test_a_log_that_grows_is_told(world: World) -> None:
    """REL-017: a database log that cannot be written back is bounded, or an admin can see that it grows."""
    assert "WAL bounded or alarm" in CASES["REL-017"].parts
    scene = await fault_scene(world)
    reader = _other(scene)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM object").fetchall()
    first = _written(scene, 300)
    second = _written(scene, 300)
    reader.close()
    page = metrics.page(standing(scene.home.kit)).decode()
    assert second <= 1.5 * first or "_wal_" in page


def test_no_case_is_left_out() -> None:
    """Every case of the class is run, or said where it is."""
    here = ("REL-015", "REL-017", "REL-018")
    assert left_out(CASES, IN_PROCESSES, ELSEWHERE, here) == []
