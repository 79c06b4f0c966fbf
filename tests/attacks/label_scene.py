"""Attacks on labels: the cases, what is put off, how one is performed, and what holds for a post afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attacks.scene import ALICE, LABELLED, Scene, check, prepared, read_cases

from gateway.flows.explain import explain
from gateway.preferences import Category

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from world import World

CASES = read_cases("label_attacks.json")
LATER = {
    "LAB-CONF-009": "AT Protocol: bridged records and their deletion",
    "LAB-PLEDGE-001": "pledges: the ladder from pledged to refused (refusal on proof is built, see LAB-STRIP-004)",
    "LAB-PLEDGE-003": "pledges",
    "LAB-PLEDGE-010": "pledges: expiry",
    "LAB-PLEDGE-011": "pledges: the document's bounds",
    "LAB-PLEDGE-012": "pledges: two that contradict each other",
    "LAB-CRAWL-003": "rate limits by registrable domain",
    "LAB-CRAWL-005": "AT Protocol, relays and oEmbed; the pages and the feed that exist are part of LAB-STRIP-001",
    "LAB-CRAWL-009": "rate limits: alarm on volume",
    "LAB-EVID-003": "pledges: probes from a second address",
    "LAB-EVID-005": "evidence log: RFC 9162 tree",
}
USE = Category.TRAIN_GEN


async def answer(scene: Scene, url: str) -> str | None:
    """Return what holds for generative training: "n", "y" or None."""
    return (await explain(scene.kit, url, use=USE)).answers[0].answer


async def said(scene: Scene, context: Any = LABELLED, peer: Any = None, **terms: Any) -> str | None:
    """Let the victim publish a note with these terms and return what holds for it."""
    author = peer or scene.victim
    note = {**author.note(to=[ALICE], cc=[]), **terms}
    document = author.activity("Create", note)
    document["@context"] = context
    await scene.genuine(document, peer=author)
    assert scene.stored(note["id"]) is not None, scene.outcome(document["id"])
    return await answer(scene, note["id"])


async def perform(world: World, case_id: str, builder: Callable[[Scene], Awaitable[None]]) -> None:
    """Perform a case, check everything it expects, and that the peer goes on."""
    mode = CASES[case_id].mode
    scene = await prepared(world, pledged=mode == "pledge-required", peer_mode=mode)
    await builder(scene)
    check(scene, CASES[case_id])
    for peer, actor in scene.attackers or [(scene.victim, scene.victim.me)]:
        await scene.still_works(peer, actor)
