"""A process of its own in which bombs go off: its processor time and memory are bounded, and measured.

``Shelter`` is the outside, a module run with ``python -m`` is the inside: a question a line on standard input, what
happened a line on standard output. A bomb that the gateway cannot take ends that process, not the test's.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yardstick
from attacks import scene as scenes
from attacks.bombs import LISTED, Aim, Recipe, around, inside, packed, serve_chain, sized
from attacks.bombs_beyond import BEYOND
from attacks.bombs_composed import composed
from flows.keypool import pooled
from peers.plain import ACTIVITY_JSON
from web.asking import Answer, ask
from world import BASE, World
from world import world as make_world

from gateway.activitypub import bounds
from gateway.jsonld import strict
from gateway.jsonld.expand import jsonld  # type: ignore[attr-defined]  # to see that nobody canonicalises
from gateway.observe import logs

if TYPE_CHECKING:
    from attacks.scene import Scene
    from peers.plain import Actor, PlainPeer

CPU_SECONDS = 3  # of one bomb, everything that follows from it included; many times what any may cost
MEMORY = 512 * 1024 * 1024  # above what the waiting process has: what the catalogue gives a whole gateway
PATIENCE_SECONDS = 120
TESTS = Path(__file__).resolve().parent.parent
# What Python writes of an exception that nobody meant; our own problems begin with a stable word.
CRASH = re.compile(r"^[A-Za-z]*(?:Error|Exception|Warning)\(")
UNSIGNED, SIGNED, FETCHED, ACTOR = WAYS = ("unsigned", "signed", "fetched", "actor")


@dataclass(slots=True, kw_only=True)
class Blast:
    """What one bomb did: ``receive`` up to the answer and ``settle`` after it, in milliseconds of the ``yardstick``."""

    size: int
    status: int
    code: str = ""
    receive: float = 0.0
    settle: float = 0.0
    rss_mib: float = 0.0
    outcome: str = ""
    problems: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    canonicalised: int = 0

    @property
    def cpu(self) -> float:
        return self.receive + self.settle

    @property
    def crashes(self) -> list[str]:
        """Return the jobs that ended in an exception nobody meant."""
        return [problem for problem in self.problems if CRASH.match(problem)]


class Died(AssertionError):
    """The process with the gateway in it is gone."""


class Shelter:
    """The outside: hands bombs in, and starts a new inside when one was too much."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def throw(self, case: str, name: str, way: str, *, cheap: float = 0.0) -> Blast:
        """Return the cheaper of two runs of one bomb, or the first when that cost at most ``cheap`` milliseconds.

        Raises Died when the gateway did not outlive it.
        """
        first = self._ask({"case": case, "name": name, "way": way})
        if first.cpu <= cheap:
            return first
        return min(first, self._ask({"case": case, "name": name, "way": way}), key=lambda blast: blast.cpu)

    def _ask(self, question: dict[str, str]) -> Blast:
        if self._process is None:
            # What is measured is not traced for the coverage.
            untraced = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "attacks.bombs_shelter"], cwd=TESTS.parent,
                env={**untraced, "PYTHONPATH": f"{TESTS}{os.pathsep}{TESTS.parent}"},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            self._process = None
            _, told = process.communicate()
            raise Died(_how_it_ended(process.returncode, told))
        return Blast(**json.loads(line))

    def close(self) -> None:
        """Let the inside end."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def _how_it_ended(code: int, told: bytes) -> str:
    reasons = {
        -signal.SIGXCPU: f"it took more than {CPU_SECONDS} s of processor time",
        -signal.SIGALRM: f"it was not done after {PATIENCE_SECONDS} s",
        -signal.SIGABRT: "it was aborted for want of memory",
    }
    last = told.decode("utf-8", "replace").strip()[-600:]
    return f"the gateway's process is gone: {reasons.get(code, f'exit code {code}')}\n{last}"


class Inside:
    """The gateway with alice, and a new peer for every bomb."""

    def __init__(self, world: World, scene: Scene) -> None:
        self._world = world
        self._scene = scene
        self._thrown = 0
        self.canonicalised = 0

    async def throw(self, recipe: Recipe, way: str) -> Blast:
        """Let one bomb go off, and see what became of it."""
        peer, actor = await self._thrower(way)
        body = recipe(Aim(peer=peer, base=BASE, post=self._scene.post.id))
        prepared = self._prepared(body, way, peer, actor)
        database = self._scene.kit.store.database
        database.run("DELETE FROM job")
        self._scene.mark()
        before, self.canonicalised = resident(), 0
        forget_peak()
        started = time.process_time()
        answer = await self._send(prepared, way, peer, actor)
        answered = time.process_time()
        await self._world.drain()
        settled = time.process_time()
        slowness = yardstick.slowness()
        most = peak()
        jobs = [row["problem"] for row in database.rows("SELECT problem FROM job")]
        outcomes = [row["outcome"] for row in database.rows(
            "SELECT outcome FROM arrival WHERE id LIKE :like", like=f"{peer.base}/%"
        )]  # fmt: skip
        after = self._scene.visible()
        self._sweep(peer)
        return Blast(
            size=len(body), status=answer.status, code=_code(answer), receive=1000 * (answered - started) / slowness,
            settle=1000 * (settled - answered) / slowness, rss_mib=max(0.0, most - before),
            outcome=str((outcomes or [""])[-1]),
            problems=[problem for problem in jobs if problem],
            changed=[name for name, rows in self._scene.before.items() if after[name] != rows],
            fetched=[url for url in self._scene.new_fetches() if url != actor.id], canonicalised=self.canonicalised,
        )  # fmt: skip

    def _sweep(self, peer: PlainPeer) -> None:
        """Forget what a bomb left, so that the next one finds no more than this one did."""
        database, like = self._scene.kit.store.database, f"{peer.base}/%"
        for table, column in (("object", "owner"), ("arrival", "actor"), ("statement", "declared_id")):
            database.run(f"DELETE FROM {table} WHERE {column} LIKE :like", like=like)  # noqa: S608 - our own tables

    async def _thrower(self, way: str) -> tuple[PlainPeer, Actor]:
        """Return somebody whom alice follows; for ``actor`` somebody whom nobody here ever met."""
        self._thrown += 1
        self._world.clock.forward(hours=25)
        peer = self._world.peer(f"evil{self._thrown}.example", "m")
        serve_chain(peer)
        if way != ACTOR:
            await scenes.befriend(self._scene, peer, peer.me)
        return peer, peer.me

    @staticmethod
    def _prepared(body: bytes, way: str, peer: PlainPeer, actor: Actor) -> bytes:
        """Return what is sent: the bomb itself, or what makes the gateway fetch it."""
        if way not in (FETCHED, ACTOR):
            return body
        document = json.loads(body)
        bomb = document.get("object")
        bomb = bomb if isinstance(bomb, dict) else {}
        if way == FETCHED:
            bomb = {**bomb, "@context": document.get("@context"), "id": f"{peer.base}/bomb", "attributedTo": actor.id}
            peer.serve_document(bomb["id"], {**bomb, "to": [scenes.ALICE, "as:Public"]})
            return packed(peer.activity("Announce", bomb["id"], to=[scenes.ALICE]))
        more = {name: value for name, value in bomb.items() if name not in ("id", "type", "attributedTo", "published")}
        peer.serve_document(actor.id, {**actor.document(), "@context": document.get("@context"), **more})
        return packed(peer.activity("Follow", scenes.ALICE))

    async def _send(self, body: bytes, way: str, peer: PlainPeer, actor: Actor) -> Answer:
        lines = [("content-type", ACTIVITY_JSON)]
        if way != UNSIGNED:
            signed = peer.signed(scenes.INBOX, body, actor)
            lines = [(name, value) for name, value in signed.headers if name.lower() != "host"]
        return await ask(self._world.board.apps["gw.example"], "POST", scenes.INBOX.removeprefix(BASE), lines, body)


def _code(answer: Answer) -> str:
    return str(answer.json.get("code", "")) if "json" in answer.media_type else ""


def _status_kib(name: str) -> int:
    text = Path("/proc/self/status").read_text("ascii", "replace")
    return int(text.partition(f"{name}:")[2].split()[0])


def recipe_of(case: str, name: str) -> Recipe:
    """Return the recipe that a question names; of those put together at random the name is a number."""
    return composed(int(name)) if case == COMPOSED else ALL[case][name]


def resident() -> float:
    """Return how much memory this process has, in MiB."""
    return _status_kib("VmRSS") / 1024


def forget_peak() -> None:
    """Let the next ``peak`` tell of what comes after this."""
    Path("/proc/self/clear_refs").write_text("5", "ascii")


def peak() -> float:
    """Return the most memory that this process had, in MiB."""
    return _status_kib("VmHWM") / 1024


def _bound() -> None:
    """Give the next bomb its share of processor time and patience."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_SECONDS, resource.RLIM_INFINITY))
    signal.alarm(PATIENCE_SECONDS)


def _burning(_aim: Aim) -> bytes:
    while True:
        pass


def _growing(_aim: Aim) -> bytes:
    return bytes(2 * MEMORY)


CONTROLS: dict[str, Recipe] = {
    "honest": lambda aim: packed(aim.create(contentUsage="train-ai=n")),
    "depth": lambda aim: around(aim, b"[" * (strict.MAX_DEPTH - 1) + b"]" * (strict.MAX_DEPTH - 1)),
    "size": lambda aim: sized(aim, strict.MAX_BODY),
    "members": lambda aim: around(aim, b"[" + b",".join([b"0"] * (strict.MAX_MEMBERS - 100)) + b"]"),
    "digits": lambda aim: around(aim, b"9223372036854775807"),
    "small": lambda aim: around(aim, b"1e-400"),
    "large": lambda aim: around(aim, b"1.7e308"),
    "three bytes": lambda aim: inside(aim, "content", '"\u20ac \U0001f600 é"'.encode()),
    "addresses": lambda aim: packed(aim.create(cc=[f"{aim.base}/users/{n}" for n in range(bounds.MOST["cc"])])),
    "tags": lambda aim: packed(aim.create(tag=[{"type": "Hashtag", "name": "#a"}] * bounds.MOST["tag"])),
    "options": lambda aim: packed(aim.create(type="Question", oneOf=[{"name": "a"}] * bounds.MOST["oneOf"])),
}
RUINOUS: dict[str, Recipe] = {"burning": _burning, "growing": _growing}
COMPOSED = "composed"
ALL: dict[str, dict[str, Recipe]] = {"": BEYOND, "control": {**CONTROLS, **RUINOUS}, **LISTED}


async def main() -> None:
    """Answer questions until there are no more."""
    logs.configure("critical")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as root:
        patch.setattr("gateway.flows.kit.generate", pooled)
        patch.setattr("peers.plain.generate", pooled)
        async with make_world(Path(root)) as world:
            scene = await scenes.prepared(world, limit_network=0, limit_peer=0)
            shelter = Inside(world, scene)
            _watch_canonicalisation(patch, shelter)
            for way in WAYS:
                await shelter.throw(CONTROLS["honest"], way)
            resource.setrlimit(resource.RLIMIT_AS, (_status_kib("VmSize") * 1024 + MEMORY, resource.RLIM_INFINITY))
            for line in sys.stdin:
                question = json.loads(line)
                _bound()
                blast = await shelter.throw(recipe_of(question["case"], question["name"]), question["way"])
                sys.stdout.write(json.dumps(asdict(blast)) + "\n")
                sys.stdout.flush()


def _watch_canonicalisation(patch: pytest.MonkeyPatch, inside: Inside) -> None:
    done = jsonld.normalize

    def counted(*given: Any, **options: Any) -> Any:
        inside.canonicalised += 1
        return done(*given, **options)

    patch.setattr(jsonld, "normalize", counted)
    patch.setattr(jsonld, "canonicalize", counted, raising=False)


if __name__ == "__main__":
    asyncio.run(main())
