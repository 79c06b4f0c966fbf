"""Documents that are made to cost: refused, or taken at a bounded price, in the answer and in the work after it.

Every one is thrown at a gateway in a process of its own (``bombs_shelter``), unsigned and by a peer that signs; what
is not on the list is also served to the gateway, as an object and as an actor.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yardstick
from attacks import scene as scenes
from attacks.bombs import LISTED, Aim, clique, throws
from attacks.bombs_beyond import BEYOND, FETCHABLE, READABLE, usage
from attacks.bombs_shelter import ACTOR, COMPOSED, CONTROLS, FETCHED, RUINOUS, SIGNED, UNSIGNED, Died, Shelter
from peers.plain import AS2
from world import BASE

from gateway.jsonld import views
from gateway.runtime import read_contexts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attacks.bombs_shelter import Blast
    from world import World

CATALOGUE = json.loads((Path(__file__).parent / "data" / "bombs.json").read_text("utf-8"))
CASES = {case["id"]: case for case in CATALOGUE["cases"]}
CPU_MS, RSS_MIB = 500, 128
# Where our answer differs from the list on purpose, and why.
DIFFERENT = {
    # Akkoma and Pleroma name a context on their own host: whoever refuses unknown contexts refuses all of them.
    # Nothing is fetched, and the labels are read as plain JSON as well.
    "BOMB-L-002": {202},
    # With an HTTP signature beside it the LD signature is nobody's business: it is neither believed nor looked at.
    "BOMB-L-007": {202},
    "BOMB-L-008": {202},
    "BOMB-L-009": {202},
}
ELSEWHERE = {
    "BOMB-J-005": "test_bombs_requests",
    "BOMB-J-020": "test_bombs_types",
    **{case: "test_bombs_answers" for case, one in CASES.items() if one["class"] == "compression"},
    **{f"BOMB-S-00{number}": "test_bombs_answers" for number in (1, 3, 5)},
    "BOMB-S-006": "test_bombs_crowds",
    **{f"BOMB-S-00{number}": "test_bombs_requests" for number in (7, 8, 9)},
    **{case: "test_bombs_requests" for case, one in CASES.items() if one["class"] == "http"},
    **{case: "test_bombs_media" for case, one in CASES.items() if one["class"] == "media"},
}


@pytest.fixture(scope="module")
def shelter() -> Iterator[Shelter]:
    """Return the process that takes the blasts."""
    made = Shelter()
    yield made
    made.close()


def check(blast: Blast, statuses: set[int], *, cpu: float = CPU_MS, rss: float = RSS_MIB) -> None:
    """Fail when a bomb cost too much, broke something, or left anything behind although it was refused."""
    told = f"{blast}"
    assert blast.status in statuses, told
    assert blast.cpu <= cpu, told
    assert blast.rss_mib <= rss, told
    assert blast.crashes == [], told
    assert blast.canonicalised == 0, told
    if blast.status == 202:
        assert blast.outcome, told  # the worker is done with it
    else:
        assert blast.changed == [], told


@pytest.mark.parametrize("way", [UNSIGNED, SIGNED])
@pytest.mark.parametrize(("case", "name"), list(throws()))
def test_a_listed_bomb(shelter: Shelter, case: str, name: str, way: str) -> None:
    """It is refused or taken as the list says, within the time and memory of the list, without a fetch."""
    expected = CASES[case]["expect"]
    cpu, rss = min(CPU_MS, expected["cpu_ms_le"]), min(RSS_MIB, expected["rss_delta_mib_le"])
    statuses = set(expected["status"]) | (DIFFERENT.get(case, set()) if way == SIGNED else {401})
    if way == UNSIGNED:
        statuses -= {202}  # whoever signs nothing is believed nothing
    blast = shelter.throw(case, name, way, cheap=cpu)
    check(blast, statuses, cpu=cpu, rss=rss)
    assert blast.fetched == [], blast


@pytest.mark.parametrize("name", BEYOND)
def test_a_bomb_beyond_the_list(shelter: Shelter, name: str) -> None:
    """A validly signed document that is just within every limit costs half a second at most, settling included."""
    check(shelter.throw("", name, SIGNED, cheap=CPU_MS), {202, 400, 401, 413})


@pytest.mark.parametrize("name", FETCHABLE)
def test_a_bomb_that_is_fetched(shelter: Shelter, name: str) -> None:
    """An announced object that its own server makes as hard as possible costs no more than one that is delivered."""
    check(shelter.throw("", name, FETCHED, cheap=CPU_MS), {202, 400, 401})


@pytest.mark.parametrize("name", READABLE)
def test_a_bomb_in_an_actor(shelter: Shelter, name: str) -> None:
    """The document of an actor whom nobody met yet is read before anybody is known: that costs no more either."""
    check(shelter.throw("", name, ACTOR, cheap=CPU_MS), {202, 400, 401, 503})


@pytest.mark.parametrize(
    "seed", [*range(40), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(40, 1_000))]
)
def test_a_bomb_of_many_parts(shelter: Shelter, seed: int) -> None:
    """A document put together at random from all of these costs no more than one of them."""
    way = (SIGNED, SIGNED, FETCHED, ACTOR)[seed % 4]
    check(shelter.throw(COMPOSED, str(seed), way, cheap=CPU_MS), {202, 400, 401, 413})


@pytest.mark.parametrize("name", CONTROLS)
def test_what_is_just_within_the_limits_is_taken(shelter: Shelter, name: str) -> None:
    """The limits refuse what is over them, and nothing else."""
    blast = shelter.throw("control", name, SIGNED)
    check(blast, {202})
    assert blast.outcome == "KeepObject"
    assert "object" in blast.changed


@pytest.mark.parametrize("name", RUINOUS)
def test_a_process_that_is_ruined_is_noticed(name: str) -> None:
    """A bomb that takes all time or memory is a failure with a reason, and the next one finds a new process."""
    own = Shelter()
    try:
        with pytest.raises(Died, match="process is gone"):
            own.throw("control", name, SIGNED)
        assert own.throw("control", "honest", SIGNED).status == 202
    finally:
        own.close()


def _canonicalised(tangle: list[dict[str, Any]]) -> float:
    contexts = read_contexts()
    started = time.process_time()
    views.canonical({"@context": AS2, "type": "Note", "result": tangle}, contexts)
    return time.process_time() - started


def test_the_tangles_are_bombs() -> None:
    """Whoever canonicalised such a document would notice: five nodes cost many times what three do."""
    _canonicalised(clique(3))
    assert _canonicalised(clique(5)) > 5 * min(_canonicalised(clique(3)) for _ in range(3))


@pytest.mark.anyio
async def test_what_is_said_about_one_thing_does_not_add_up(world: World) -> None:
    """The fiftieth post that shows the same picture, each time with other labels, costs no more than any other."""
    scene = await scenes.prepared(world, limit_peer=0, limit_network=0)
    aim = Aim(peer=scene.mallory, base=BASE, post=scene.post.id)
    shown = aim.images(1)[0]
    for turn in range(50):
        labelled = {**shown, "contentUsage": f"train-ai=n, a{turn}=n", "aiUsage": usage(8, 8 * turn)}
        document = aim.create(
            {"@context": scenes.LABELLED}, attachment=[labelled], contentUsage=f"train-ai=n, b{turn}=n"
        )
        started = time.process_time()
        await scene.attack(document)
        spent = yardstick.milliseconds(started)
        assert scene.answers[-1].status_code == 202
        assert spent <= CPU_MS, f"post {turn}: {spent:.0f} ms"
        world.clock.forward(minutes=1)
    assert scene.kit.store.objects.get(document["object"]["id"]) is not None


def test_no_case_is_left_out() -> None:
    """Every case of the catalogue is thrown here, or in the file that is named for it."""
    known = [case["id"] for case in CATALOGUE["cases"]]
    assert len(known) == len(set(known)) == CATALOGUE["count"]
    assert not LISTED.keys() & ELSEWHERE.keys()
    assert LISTED.keys() | ELSEWHERE.keys() == set(known)
    beside = Path(__file__).parent
    for case, name in ELSEWHERE.items():
        assert case in (beside / f"{name}.py").read_text("utf-8"), case
