"""The cases of the catalogue against a gateway without any setting, which takes https alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attacks import ssrf_scene
from attacks.entry_points import ENTRY_POINTS, says_no
from attacks.ssrf_scene import Scene, prepared
from attacks.ssrf_vectors import LITERALS, Vector, vectors

from gateway.net.purpose import PURPOSES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

anyio_backend = ssrf_scene.anyio_backend
scene = ssrf_scene.scene
VECTORS = [v for v in vectors() if v.kind in LITERALS | {"name"} and v.url.startswith("http:")]
# One way in for each purpose.
WAYS = ("actor_fetch", "object_fetch (announce/inReplyTo)", "actor_refresh", "client_recipient", "webfinger",
        "robots_txt_or_policy_fetch", "inspect_json", "jsonld_context", "inbox_delivery")  # fmt: skip


@pytest.fixture(scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Return a gateway as it is without any setting."""
    async with prepared(tmp_path_factory.mktemp("strict")) as made:
        yield made


def test_a_way_for_each_purpose() -> None:
    """The ways in that are tried here are one for each way out."""
    assert {purpose.name for name in WAYS for purpose in ENTRY_POINTS[name].purposes} == {p.name for p in PURPOSES}


@pytest.mark.anyio
@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
async def test_plain_http_is_refused_unseen(vector: Vector, scene: Scene) -> None:
    """A URL that is plain http, as all of these are, is neither looked up nor dialled, and is told to be wrong."""
    vector.lay(scene)
    for name in ("inspect_json", "proxy_url", "cli_lookup", "client_follow"):
        await ENTRY_POINTS[name].attempt(scene, vector.url)
    scene.check()
    assert (scene.internet.asked, scene.internet.dialled) == ([], [])
    assert len(scene.told()) == 5
    assert all(answer.status >= 400 for answer in scene.answers)


@pytest.mark.anyio
@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
async def test_the_same_under_https(vector: Vector, scene: Scene) -> None:
    """The same place under https is refused by its address, its name or its form, for every purpose."""
    url = f"https:{vector.url.removeprefix('http:')}"
    for name in WAYS:
        scene.start_again()
        vector.lay(scene)
        await ENTRY_POINTS[name].attempt(scene, url)
        scene.check()
        vector.also(scene)
        if says_no(ENTRY_POINTS[name], scene, url):
            assert scene.told() != []
            assert all(answer.status >= 400 for answer in scene.answers)
