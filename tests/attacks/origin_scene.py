"""Attacks on origin and ownership: the cases, what is put off, how one is performed, and forged documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attacks.scene import ALICE, Scene, check, prepared, read_cases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from world import World

CASES = read_cases("origin_spoof.json")
LATER = {
    "ORIG-057": "polls: votes are counted by no issue yet; a Note with a name is kept as a reply",
}


def forged(scene: Scene, **changes: Any) -> dict[str, Any]:
    """Return a note under the victim's name that the victim never wrote."""
    note = scene.victim.note("forged", to=[ALICE], cc=[])
    return {**note, "id": scene.mallory.id("notes"), **changes}


def but(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a document with other members; None removes one."""
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


async def perform(world: World, case_id: str, builder: Callable[[Scene], Awaitable[None]]) -> None:
    """Perform a case, check everything it expects, and that its sender's next request still works."""
    scene = await prepared(world)
    await builder(scene)
    check(scene, CASES[case_id])
    for peer, actor in scene.attackers or [(scene.mallory, scene.mallory.me)]:
        await scene.still_works(peer, actor)
