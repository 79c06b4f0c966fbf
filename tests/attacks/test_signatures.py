"""Every signature attack of the catalogue against a gateway: refused, nothing kept, and the peer is still welcome."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yardstick
from attacks.signature_builder import apply, start
from attacks.signature_draft import ALICE, INBOX, Draft, Scene
from web.asking import Answer, ask, problem_of
from world import BASE, World, account, snapshot
from world import world as make_world

from gateway.flows import authenticate
from gateway.runtime import REFETCH_SECONDS
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from attacks.signature_draft import Request
    from world import World

pytestmark = pytest.mark.anyio

CATALOGUE = json.loads((Path(__file__).parent / "data" / "signatures.json").read_text("utf-8"))
LATER: dict[str, str] = {}
ELSEWHERE = {
    "SIG-OK-015": "test_the_test_vector_of_mastodon_holds",
    "SIG-KO-027": "test_a_revoked_key_signs_nothing",
}
CASES = [case for case in CATALOGUE["cases"] if case["id"] not in LATER | ELSEWHERE]
SOON = 0.05  # instead of the seconds that a key host gets


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a gateway with two accounts once: every case starts from a copy of its files."""
    root = tmp_path_factory.mktemp("signatures")

    async def prepare() -> None:
        async with make_world(root) as made:
            gateway = made.gateway()
            account(gateway)
            account(gateway, "carol")

    asyncio.run(prepare())
    return root


@pytest.fixture
async def scene(prepared: Path, tmp_path: Path) -> AsyncIterator[Scene]:
    """Return a fresh gateway that has never heard of anybody."""
    root = tmp_path / "world"
    shutil.copytree(prepared, root)
    async with make_world(root) as made:
        yield Scene(
            world=made,
            gateway=made.gateway(),
            peer=made.peer(),
            evil=made.peer("evil.example", "mallory"),
            relay=made.peer("relay.example", "carol"),
        )


async def send(scene: Scene, request: Request) -> Answer:
    """Hand a request to the gateway as it is."""
    app = scene.world.board.apps["gw.example"]
    return await ask(app, request.method, request.path, request.lines, request.body, host=None)


@dataclass(slots=True, kw_only=True)
class Run:
    """One case that has been sent."""

    scene: Scene
    draft: Draft
    answers: list[Answer]
    before: dict[str, list[Any]]
    fetched: list[str]
    cpu: float


async def run(scene: Scene, case: dict[str, Any]) -> Run:
    """Build the request of a case and send it as often as the case says."""
    draft = start(case["build"]["base"], scene)
    for op in case["build"]["ops"]:
        await apply(op, scene, draft)
    request = draft.make(scene)
    answers = []
    before = snapshot(scene.gateway.kit)
    asked, began = len(scene.world.board.requests), time.process_time()
    if draft.parallel:
        answers = list(await asyncio.gather(*(send(scene, request) for _ in range(draft.sends))))
    while len(answers) < draft.sends:
        answers.append(await send(scene, request))
        if "idempotent" in case["expect"]["effects"] and len(answers) == 1:
            await scene.world.drain()
            before = snapshot(scene.gateway.kit)
    cpu = yardstick.milliseconds(began) / 1000
    fetched = [str(outgoing.url) for outgoing in scene.world.board.requests[asked:]]
    await scene.world.drain()
    return Run(scene=scene, draft=draft, answers=answers, before=before, fetched=fetched, cpu=cpu)


def _added(done: Run, table: str) -> list[Any]:
    return [row for row in snapshot(done.scene.gateway.kit)[table] if row not in done.before[table]]


def _no_store(done: Run) -> None:
    after = snapshot(done.scene.gateway.kit)
    if done.answers[0].status in (200, 202) and done.draft.method == "POST":
        # A replay that was answered politely leaves at most the note that it came.
        after, done.before = ({**rows, "arrival": [], "job": []} for rows in (after, done.before))
    assert after == done.before


def _one_store(done: Run) -> None:
    if done.draft.method == "GET":
        assert done.answers[0].json["id"] == ALICE
        assert done.answers[0].json["followers"] == f"{ALICE}/followers"
        return
    assert len(_added(done, "arrival")) == 1
    assert [row["id"] for row in _added(done, "object")] == [done.draft.document["object"]["id"]]


def _tombstone(done: Run) -> None:
    kept = done.scene.gateway.kit.store.objects.get(done.draft.document["object"]["id"])
    assert kept is not None
    assert kept.deleted is not None


def _one_final_key(done: Run) -> None:
    kept = done.scene.gateway.kit.store.relations.actor(done.scene.peer.me.id)
    assert kept is not None
    assert kept.document["publicKey"] == done.scene.peer.me.document()["publicKey"]
    assert len(_added(done, "arrival")) == 1


def _retry_after(done: Run) -> None:
    assert done.answers[0].status != 503 or int(done.answers[0].header("retry-after")) > 0


def _delete_ignored(done: Run) -> None:
    assert done.fetched == []
    assert done.scene.gateway.kit.store.relations.actor(done.scene.peer.me.id) is None


def _no_private_connect(done: Run) -> None:
    assert not [url for url in done.fetched if "169.254." in url]


def _is(condition: Callable[[Run], bool]) -> Callable[[Run], None]:
    def check(done: Run) -> None:
        assert condition(done)

    return check


EFFECTS: dict[str, Callable[[Run], None]] = {
    "no_store": _no_store,
    "one_store": _one_store,
    "no_5xx": _is(lambda done: all(answer.status < 500 for answer in done.answers)),
    "no_object_returned": _is(lambda done: ALICE not in json.dumps(list(done.answers[0].json.values())[5:-1])),
    "tombstone_kept": _tombstone,
    "no_second_follow": _is(lambda done: done.scene.gateway.kit.store.relations.followers(ALICE) == []),
    "no_fetch": _is(lambda done: done.fetched == []),
    "no_private_connect": _no_private_connect,
    "refetch_le_1": _is(lambda done: len(done.fetched) <= 1),
    "one_final_key": _one_final_key,
    "retry_after": _retry_after,
    "bounded_time_s:15": _is(lambda _: done_within(15)),
    "delete_applied_or_ignored": _delete_ignored,
    "idempotent": _is(lambda done: len(done.answers) > 1),
    "cpu_ms_le:500": _is(lambda done: done.cpu <= 0.5),
}


# What may be named as wrong in each class of attacks: a case that fails for another reason tests nothing.
REASONS: dict[str, set[str]] = {
    "parse": {"malformed-signature", "components", "digest-covered", "time", "key-id"},
    "presence": {"malformed-signature"},
    "limits": {"headers-too-large", "malformed-signature"},
    "coverage": {"coverage", "time-covered", "present", "unsupported-media-type"},
    "digest": {"digest", "unsupported-media-type"},
    "binding": {"signature", "wrong-host"},
    "time": {"time", "pairing"},
    "replay": {"digest", "malformed-signature"},
    "algorithm": {"algorithm", "signature"},
    "key": {"key", "signature"},
    "ownership": {"key", "key-url"},
    "rotation": {"signature"},
    "availability": {"key-host-unavailable"},
    "confusion": {"malformed-signature", "tag"},
    "policy": {"signed"},
    "graph": {"signed"},
    "dos": {"signed"},
    "proof": {"actor", "malformed-document"},
}


def _reasons(answer: Answer) -> set[str]:
    """Return the code of a problem and the steps that failed; a later step fails with an earlier one."""
    problem = answer.json
    failed = [step["name"] for step in problem.get("steps", []) if not step["ok"]]
    steps = set(failed) - {"signature"} if "key" in failed else set(failed)
    return steps | {problem["code"]}


def done_within(seconds: float) -> bool:
    """Tell whether a silent key host may hold an inbox for at most so long (the tests shorten it)."""
    return seconds >= KEY_SECONDS


KEY_SECONDS = authenticate.KEY_SECONDS


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_the_attack_fails(case: dict[str, Any], scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is one the case allows, its effects hold, and the peer's next valid request is taken."""
    monkeypatch.setattr(authenticate, "KEY_SECONDS", SOON)
    done = await run(scene, case)
    for answer in done.answers:
        assert answer.status in case["expect"]["status"], (answer.status, answer.body)
        if answer.status >= 400:
            problem_of(answer, case["expect"]["status"])
            assert _reasons(answer) & REASONS[case["class"]], _reasons(answer)
        if answer.status == 401:
            assert answer.header("accept-signature")
            assert {"steps", "code"} <= answer.json.keys()
    for effect in case["expect"]["effects"]:
        EFFECTS[effect](done)
    assert done.cpu * 1000 <= case.get("latency_ms_max", 10_000)
    if any(op[0] == "serve" for op in case["build"]["ops"]):
        # What a peer showed is asked for again once an interval, not at every request.
        scene.heal()
        scene.world.clock.forward(seconds=REFETCH_SECONDS)
    await _next_valid_request_is_taken(scene)


async def _next_valid_request_is_taken(scene: Scene) -> None:
    document = scene.valid()
    answer = await scene.peer.post(f"{BASE}{INBOX}", document)
    assert answer.status_code == 202, answer.text
    await scene.world.drain()
    assert scene.gateway.kit.store.objects.get(document["object"]["id"]) is not None


def test_no_case_is_left_out() -> None:
    """Every case of the catalogue is run, or listed with the reason why not."""
    known = [case["id"] for case in CATALOGUE["cases"]]
    assert len(known) == len(set(known)) == CATALOGUE["count"]
    assert {case["id"] for case in CASES} | LATER.keys() | ELSEWHERE.keys() == set(known)
    assert all(name in globals() for name in ELSEWHERE.values())
    assert {effect for case in CATALOGUE["cases"] for effect in case["expect"]["effects"]} == EFFECTS.keys()


MASTODON_PEM = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqIAYvNFGbZ5g4iiK6feS
dXD4bDStFM58A7tHycYXaYtzZQpIeHXAmaXuZzXIwtrP4N0gIk8JNwZvXj2UPS+S
07t0V9wNK94he01LV5EMz/GN4eNnFmDL64HIEuKLvV8TvgjbUPRD6Y5X0UpKi2ZI
FLSb96Q5w0Z/k7ntpVKV52y8kz5Fjr/O/0JuHryZe0yItzJh8kzFfeMf0EXzfSna
KvT7P9jhgC6uTre+jXyvVZjiHDrnqvvucdI3I7DRfXo1OqARBrLjy+TdseUAjNYJ
+OuPRI1URIWQI01DCHqcohVu9+Ar+BiCjFp3ua+XMuJvrvbD61d1Fvig/9nbBRR+
8QIDAQAB
-----END PUBLIC KEY-----
"""
MASTODON_SIGNATURE = (
    "WfM6q/qBqhUyqPUDt9metjadJGtLLpmMTBzk/t+R3byKe4/TGAXC6vBB/M6NsD5qv8GCmQGtisCMQxJQO0IGODGzi+Jv+eqDJ50agMVXNV6nUOzY44c4"
    "/XTPoI98qyx1oEMa4Hefy3vSYKq96iDVAc+RDLCMTeGP3wn9wizjD1SNmU0RZI1bTB+eCkywMP9mM5zXzUOYF+Qkuf+WdEpPR1XUGPlnqfdvPalcKVfa"
    "I/VThBjI91D/lmUGoa69x4EBEHM+aJmW6086e7/dVh+FndKkdGfXslZXFZKi2flTGQZgEWLn948SqAaJQROkJg8B14Sb1NONS1qZBhK3Mum8Pg=="
)


async def test_the_test_vector_of_mastodon_holds(world: World) -> None:
    """SIG-OK-015: a GET that Mastodon's own tests print is authenticated as its signer, on the day it was made."""
    world.clock.moment = datetime(2023, 12, 20, 10, tzinfo=UTC)
    gateway = world.gateway("https://www.example.com")
    peer = world.peer("remote.domain")
    bob = peer.me.document()
    peer.serve_document(bob["id"], {**bob, "publicKey": {**bob["publicKey"], "publicKeyPem": MASTODON_PEM}})
    described = '("@method" "@target-uri");created=1703066400;keyid="https://remote.domain/users/bob#main-key"'
    request = SignedRequest(
        method="GET",
        target="https://www.example.com/activitypub/success",
        headers=(("signature-input", f"sig1={described}"), ("signature", f"sig1=:{MASTODON_SIGNATURE}:")),
    )
    assert await authenticate.authenticate(gateway.kit, request) == "https://remote.domain/users/bob"


async def test_a_failed_signature_says_the_same_whether_the_key_was_known(scene: Scene) -> None:
    """The 401 for a wrong key has the same body before and after the gateway learnt the right one."""
    case = {"build": {"base": "C-POST", "ops": [["key", "wrong"]]}, "expect": {"effects": []}}
    first = await run(scene, case)
    await _next_valid_request_is_taken(scene)
    second = await run(scene, case)
    assert first.fetched
    assert first.answers[0].json == second.answers[0].json
    assert "PUBLIC KEY" not in first.answers[0].text


@pytest.mark.parametrize("change", [{"revoked": "2020-01-01T00:00:00Z"}, {"expires": "2020-01-01T00:00:00Z"}])
async def test_a_revoked_key_signs_nothing(world: World, change: dict[str, str]) -> None:
    """SIG-KO-027: a signature by a key that its owner's document calls revoked or expired is refused."""
    account(world.gateway())
    peer = world.peer()
    document = peer.me.document()
    document["publicKey"] |= change
    peer.serve_document(peer.me.id, document)
    answer = await peer.post(f"{BASE}/inbox", peer.activity("Follow", f"{BASE}/users/alice"))
    assert answer.status_code == 401
    assert {"key", "signature"} <= {step["name"] for step in answer.json()["steps"] if not step["ok"]}
