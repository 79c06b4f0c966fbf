"""Everything the gateway can send or answer, gathered by doing everything it can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attacks.scene import ALICE, Scene
from world import BASE

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import Draft
from gateway.activitypub.properties import nodes, type_of
from gateway.carriers.jsonld_terms import IRIS
from gateway.flows import interact, outbound, publish, revise, subscribe
from gateway.flows.attach import Upload
from gateway.jsonld import views

if TYPE_CHECKING:
    from gateway.jsonld.contexts import Contexts

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000000000200015e3a1b0a0000000049454e44ae426082"
)
ACTIVITIES = frozenset(
    {"Create", "Update", "Delete", "Announce", "Like", "Follow", "Accept", "Reject", "Undo", "Block"}
)
LABELLED_TYPES = ACTIVITIES | {
    "Note",
    "Image",
    "Document",
    "Tombstone",
    "Person",
    "OrderedCollection",
    "OrderedCollectionPage",
}
Found = tuple[str, dict[str, Any], str]


def unlabelled(document: Mapping[str, Any], contexts: Contexts) -> list[str]:
    """Return every node that should carry the terms and does not, as plain JSON or after expansion."""
    missing = []
    for path, node in nodes(document):
        whole = not path or type_of(node) in LABELLED_TYPES
        if whole and not (isinstance(node.get("aiUsage"), Mapping) and "prefs" in node["aiUsage"]):  # type: ignore[operator]
            missing.append(f"plain {path} {type_of(node)}")
    expanded = views.expanded(document, contexts)
    plain = sum(1 for _, node in nodes(document) if "aiUsage" in node)
    seen = list(_values(expanded, IRIS["aiUsage"]))
    if len(seen) != plain or any(item.get("@type") != "@json" for item in seen):
        missing.append(f"expanded: {len(seen)} of {plain}")
    usage = [node["contentUsage"] for _, node in nodes(document) if "contentUsage" in node]
    if sorted(item["@value"] for item in _values(expanded, IRIS["contentUsage"])) != sorted(map(str, usage)):
        missing.append("expanded contentUsage")
    return missing


def _values(expanded: Any, iri: str) -> list[dict[str, Any]]:
    if isinstance(expanded, list):
        return [found for item in expanded for found in _values(item, iri)]
    if not isinstance(expanded, dict) or "@value" in expanded:
        return []
    own = list(expanded.get(iri, []))
    return own + [found for key, item in expanded.items() if key != iri for found in _values(item, iri)]


async def every_delivery(scene: Scene) -> list[Found]:
    """Do everything an account can do and return what the victim's server received."""
    kit, alice, victim = scene.kit, scene.alice, scene.victim
    for visibility in Visibility:
        await publish.create(
            kit, alice, Draft(text="hello @v@victim.example #art", visibility=visibility, warning="art")
        )
    upload = Upload(content=PNG, name="a.png", alt="a dot")
    stored, _ = await publish.create(kit, alice, Draft(text="look", language="en"), uploads=[upload])
    await publish.create(kit, alice, Draft(text="answer", reply_to=scene.victim_note["id"]))
    await revise.edit(kit, alice, stored.id, text="look again")
    revise.delete(kit, alice, scene.post.id)
    for kind in ("Like", "Announce"):
        await interact.interact(kit, alice, kind, scene.victim_note["id"])
        interact.undo_interaction(kit, alice, kind, scene.victim_note["id"])
    subscribe.unfollow(kit, alice, scene.v)
    subscribe.follow(kit, alice, scene.v)
    outbound.announce_actor(kit, alice)
    await scene.world.drain()
    await scene.genuine(victim.activity("Follow", ALICE))
    kit.store.relations.save_follow(scene.v, ALICE, victim.id(), "pending", scene.world.clock.now())
    subscribe.answer_request(kit, alice, scene.v, "Reject")
    interact.block(kit, alice, scene.v)
    interact.unblock(kit, alice, scene.v)
    subscribe.follow(kit, alice, scene.v)
    await scene.genuine(victim.activity("Follow", ALICE))
    outbound.announce_deleted_actor(kit, alice)
    await scene.world.drain()
    found = [
        (f"POST {document['type']}", document, headers.get("content-usage", ""))
        for document, headers in zip(victim.received, victim.received_headers, strict=True)
    ]
    kinds = {document["type"] for _, document, _ in found}
    assert kinds >= ACTIVITIES
    return found


async def every_answer(scene: Scene) -> list[Found]:
    """Read everything a peer can read."""
    posts = scene.kit.store.database.rows("SELECT id FROM object WHERE local = 1")
    activities = scene.kit.store.database.rows("SELECT id FROM activity")
    urls = [ALICE, f"{BASE}/actor", *(row["id"] for row in posts), *(row["id"] for row in activities)]
    urls += [f"{ALICE}/{name}" for name in ("outbox", "outbox?page=1", "followers", "following", "featured")]
    urls += [f"{row['id']}/replies" for row in posts]
    found: list[Found] = []
    for url in urls:
        answer = await scene.victim.get(url)
        if answer.headers["content-type"].startswith("application/activity+json"):
            found.append((f"GET {url}", answer.json(), answer.headers.get("content-usage", "")))
    async with scene.world.client() as client:
        unsigned = await client.get(ALICE, headers={"accept": "application/activity+json"})
        found.append(("GET key-only actor", unsigned.json(), unsigned.headers.get("content-usage", "")))
        for page in ("/@alice", "/@alice.atom", "/robots.txt", "/"):
            shown = await client.get(page, headers={"accept": "text/html"})
            assert "train-ai=n" in shown.headers["content-usage"], page
            assert "train-ai=n" in shown.text, page
    kinds = {document["type"] for _, document, _ in found}
    assert kinds >= {
        "Person",
        "Application",
        "Note",
        "Tombstone",
        "OrderedCollection",
        "OrderedCollectionPage",
        "Create",
    }
    return found
