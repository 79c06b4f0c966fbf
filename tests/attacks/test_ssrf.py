"""Every address trick of the catalogue through every way in: nothing forbidden is ever contacted.

The gateway is opened as in production, on an internet of its own (see internet.py); plain http is allowed, so that
nothing is refused for its scheme alone before the guard has seen it. Both matrices are run whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attacks import ssrf_scene
from attacks.entry_points import ENTRY_POINTS, NEVER, REASON, EntryPoint, says_no
from attacks.internet import PUBLIC_4, PUBLIC_6
from attacks.kept_fields import mention_everywhere
from attacks.ssrf_vectors import CATALOGUE, LITERALS, Vector, vectors

from gateway.net import guard

if TYPE_CHECKING:
    from attacks.ssrf_scene import Scene

anyio_backend, opened, scene = ssrf_scene.anyio_backend, ssrf_scene.opened, ssrf_scene.scene
pytestmark = pytest.mark.anyio
VECTORS = vectors()
LITERAL_CPU = 1.0  # the catalogue says 0.2 s of time; a busy machine is given more, and a time-out would still show
NOT_BY_ADDRESS = frozenset({"mention", "delivery_redirect"})


@pytest.mark.parametrize("entry", ENTRY_POINTS.values(), ids=ENTRY_POINTS.keys())
@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
async def test_nothing_forbidden_is_contacted(
    vector: Vector, entry: EntryPoint, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection and no second lookup, a no of our own error tree, quickly where nothing has to be looked up."""
    if vector.passing:
        monkeypatch.setattr(guard, "DNS_SECONDS", 0.02)
    vector.lay(scene)
    await entry.attempt(scene, vector.url)
    scene.check(passing=vector.passing)
    vector.also(scene)
    if vector.refused and says_no(entry, scene, vector.url):
        assert scene.told() != []
        assert [answer.status for answer in scene.answers if answer.status < 400] == []
    if vector.kind in LITERALS:
        assert scene.cpu < LITERAL_CPU
    if vector.kind == "control":
        _is_contacted(vector, entry, scene)


def _is_contacted(vector: Vector, entry: EntryPoint, scene: Scene) -> None:
    """Check that the way in leads to a good URL, for each of its purposes: what is refused above would be reached."""
    origin = vector.url.removesuffix("/").removesuffix(":443")
    asked = {name for name, url in scene.internet.calls if url.startswith(origin)}
    if "[" in origin:  # no handle has an IPv6 address for its host
        assert (PUBLIC_6, 443) in scene.internet.dialled or entry.name in NOT_BY_ADDRESS
    else:
        assert [port for found, port in scene.internet.dialled if found == PUBLIC_4] == [443] * entry.connects
        assert asked == ({purpose.name for purpose in entry.purposes} if entry.connects else set())


@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
async def test_what_is_only_kept_is_never_fetched(vector: Vector, scene: Scene) -> None:
    """With the URL in every field that has no use here, nothing is looked up or asked for but the documents named."""
    vector.lay(scene)
    wanted = await mention_everywhere(scene, vector.url)
    assert {answer.status for answer in scene.inboxes} == {202}
    assert set(scene.internet.asked) == {"mallory.example"}
    assert {f"{ask.base}{ask.target}" for ask in scene.internet.heard} == wanted
    assert {ask.method for ask in scene.internet.heard} == {"GET"}
    scene.check()


def test_no_case_is_left_out() -> None:
    """Every case of the catalogue is run, and every way in that it names is in the table or is none, for a reason."""
    known = [case["id"] for case in CATALOGUE["cases"]]
    assert len(known) == len(set(known)) == CATALOGUE["count"]
    assert {vector.case for vector in VECTORS} == set(known)
    assert len({vector.id for vector in VECTORS}) == len(VECTORS)
    named = set(CATALOGUE["entry_points"])
    assert named <= ENTRY_POINTS.keys() | NEVER.keys()
    assert NEVER.keys() == named - ENTRY_POINTS.keys()
    assert set(NEVER.values()) == {REASON}
