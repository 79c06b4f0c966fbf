"""A live Fedify server: both signature forms, its challenges, and our terms through its typed objects unchanged.

Whether a delivery's HTTP signature holds is Fedify's own judgement (``httpSignature.verified`` in its log);
so is whether object integrity proofs do (``proofs``).
"""

from __future__ import annotations

import itertools
import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from interop.fedify_peer import CAVAGE, RFC9421, FedifyPeer, Json, ToolMissing, fedify_peer
from processes import Served, eventually, served
from tools import missing

from gateway.carriers.jsonld_terms import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_TRAINING = {
    "contentUsage": "train-ai=n",
    "aiUsage": {
        "v": 1,
        "labels": ["notrain"],
        "prefs": {"train-gen": "n", "train-other": "n"},
        "statements": [
            {
                "prefs": {"train-gen": "n", "train-other": "n"},
                "conditions": [],
                "audience": {"kind": "any", "value": "*"},
                "updated": "2026-11-23T09:00:00Z",
            }
        ],
    },
    "xRobotsTag": "noai",
    "indexable": False,
}
MODES = {
    "rfc9421": {"first_knock": RFC9421},
    "cavage": {"first_knock": CAVAGE},
    "challenge": {"first_knock": RFC9421, "challenge": True},
    "nonce": {"first_knock": CAVAGE, "nonce": True},
}


_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Run one gateway for all peers; each of them is an origin that it does not know yet."""
    with served(tmp_path_factory.mktemp("fedify"), host="127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module", params=list(MODES))
def bob(request: pytest.FixtureRequest) -> Iterator[FedifyPeer]:
    """Run a Fedify peer in one mode."""
    manager = fedify_peer(**MODES[request.param])  # type: ignore[arg-type]  # each mode's values fit
    try:
        peer = manager.__enter__()
    except ToolMissing as error:
        missing(str(error))
    try:
        yield peer
    finally:
        manager.__exit__(None, None, None)


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody's account on the gateway."""

    gateway: Served
    id: str
    token: str

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    def does(self, kind: str, target: Any) -> str:
        """Send an activity to the own outbox; return its id."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/activity+json"}
        answer = httpx.post(
            f"{self.id}/outbox", content=json.dumps({"type": kind, "object": target}), headers=headers, trust_env=False
        )
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]


@pytest.fixture
def alice(gateway: Served, bob: FedifyPeer) -> Iterator[Author]:
    """Return a new account; afterwards everything that bob got must have been well signed and proven."""
    bob.reset()
    name = f"alice{next(_numbers)}"
    account = gateway.cli("account", "create", name)
    yield Author(gateway, account["id"], gateway.cli("token", "create", name)["token"])
    gateway.drained()
    for entry in bob.log():
        assert entry["proofs"]["activity"] is True, entry
        assert entry["proofs"]["object"] in (True, None), entry
    judged = {(entry["type"], entry["id"]): entry["httpSignature"] for entry in bob.log()}
    assert judged
    assert [one for one in judged.items() if not one[1]["verified"]] == []
    assert [error for error in bob.errors() if error["where"] != "signature"] == []


def entry(bob: FedifyPeer, kind: str, activity_id: str) -> Json:
    """Return what bob's listener got for one activity of ours."""
    return bob.wait_for(kind, lambda found: found["id"] == activity_id)


def terms(document: Json) -> Json:
    """Return our four terms as they stand on a node."""
    return {term: document.get(term) for term in TERMS}


def stored(gateway: Served, object_id: str) -> Json | None:
    """Return an object as the gateway keeps it."""
    rows = gateway.rows("SELECT * FROM object WHERE id = :id", id=object_id)
    return {**rows[0], "document": json.loads(rows[0]["document"])} if rows else None


def interactions(gateway: Served, object_id: str) -> set[tuple[str, str]]:
    """Return who liked and boosted an object."""
    rows = gateway.rows("SELECT kind, actor FROM interaction WHERE object = :id", id=object_id)
    return {(row["kind"], row["actor"]) for row in rows}


def png(path: Path) -> str:
    """Write the smallest PNG there is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return str(path)


def test_what_we_send_arrives_with_its_labels(gateway: Served, bob: FedifyPeer, alice: Author, tmp_path: Path) -> None:
    """A Fedify follower gets Accept, Create, Update and Delete; its listener sees our terms as we wrote them."""
    bob.follow(alice.id)
    bob.wait_for("Accept")
    assert bob.following() == {alice.id: "accepted"}
    posted = gateway.cli(
        "post", "create", alice.name, "a picture", "--media", png(tmp_path / "dot.png"), "--alt", "a dot",
        "--prefs", "search=n",
    )  # fmt: skip
    told = entry(bob, "Create", posted["activity"])
    ours = stored(gateway, posted["id"])
    assert ours is not None
    expected = terms(ours["document"])
    assert expected["contentUsage"] == "train-ai=n, ai-use=n, search=n"
    assert expected["aiUsage"]["statements"][0]["declaredBy"] == {"kind": "author", "id": alice.id}
    assert expected["aiUsage"]["labels"] == ["noai", "notrain"]
    assert expected["xRobotsTag"]
    assert expected["indexable"] is False
    for form in ("raw", "json"):
        activity = told[form]
        attached = activity["object"]["attachment"]
        nodes = [activity, activity["object"], attached[0] if isinstance(attached, list) else attached]
        assert [terms(node) for node in nodes] == [expected] * 3, form
    edited = gateway.cli("post", "edit", posted["id"], "changed", "--prefs", "search=y")
    changed = entry(bob, "Update", edited["activity"])["json"]
    assert changed["object"]["contentUsage"] == "train-ai=n, ai-use=n, search=y"
    looked_up = bob.lookup(posted["id"])
    assert terms(looked_up) == terms(changed["object"])
    deleted = gateway.cli("post", "delete", posted["id"])
    for form in ("raw", "json"):
        grave = entry(bob, "Delete", deleted["activity"])[form]["object"]
        assert (grave["type"], grave["contentUsage"]) == ("Tombstone", "train-ai=n, ai-use=n, search=y")
    bob.undo_follow(alice.id)
    eventually(lambda: gateway.cli("follow", "list", alice.name) == [], "no follower")


def test_what_bob_sends_is_kept_and_explained(gateway: Served, bob: FedifyPeer, alice: Author) -> None:
    """Bob's labelled note, its edit and its end are kept; explain names his statement, where it stood and its words."""
    gateway.cli("follow", "add", alice.name, bob.actor)
    follows = [{"direction": "follows", "actor": bob.actor, "state": "accepted"}]
    eventually(lambda: gateway.cli("follow", "list", alice.name) == follows, "bob's Accept")
    assert bob.followers() == [alice.id]
    sent = bob.create(alice.id, "<p>hello</p>", NO_TRAINING, activity_terms=NO_TRAINING)
    eventually(lambda: stored(gateway, sent.note), "bob's note")
    told = gateway.cli("explain", sent.note, "--use", "train-gen")
    assert told["fetched"] is False
    answer = told["answers"][0]
    assert answer["answer"] == "n"
    because = next(b for b in answer["because"] if b["carrier"] == "aiUsage" and b["effect"] == "disallows")
    assert (because["declaredBy"]["kind"], because["declaredBy"]["id"]) == ("author", bob.actor)
    assert because["declaredBy"]["auth"] not in ("none", "")
    assert because["subject"] == {"scope": "object", "ref": sent.note}
    assert because["asserted"] == "2026-11-23T09:00:00Z"
    assert "train-gen" in because["raw"]
    assert {b["carrier"] for b in answer["because"]} >= {"aiUsage", "contentUsage", "xRobotsTag"}
    bob.update(sent.note, "<p>stricter</p>", alice.id, {**NO_TRAINING, "contentUsage": "train-ai=n, search=n"})
    eventually(lambda: "stricter" in str(stored(gateway, sent.note)), "bob's edit")
    assert gateway.cli("explain", sent.note, "--use", "search")["answers"][0]["answer"] == "n"
    bob.delete(sent.note, alice.id)
    eventually(lambda: (found := stored(gateway, sent.note)) and found["type"] == "Tombstone", "bob's Delete")
    gateway.cli("follow", "remove", alice.name, bob.actor)
    bob.wait_for("Undo")
    eventually(lambda: bob.followers() == [], "no follower")


def test_likes_and_boosts_both_ways(gateway: Served, bob: FedifyPeer, alice: Author) -> None:
    """Likes and boosts, and their undoing, reach the other side in both directions; ours carry the target's labels."""
    bob.follow(alice.id)
    bob.wait_for("Accept")
    post = gateway.cli("post", "create", alice.name, "like me")["id"]
    bob.like(post, alice.id)
    bob.announce(post, alice.id)
    eventually(lambda: interactions(gateway, post) == {("Like", bob.actor), ("Announce", bob.actor)}, "like and boost")
    bob.undo_like(post, alice.id)
    bob.undo_announce(post, alice.id)
    eventually(lambda: not interactions(gateway, post), "neither")
    note = bob.create(alice.id, "<p>like me too</p>", NO_TRAINING).note
    eventually(lambda: stored(gateway, note), "bob's note")
    for kind in ("Like", "Announce"):
        done = alice.does(kind, note)
        activity = entry(bob, kind, done)["json"]
        assert activity["object"] == note
        assert activity["contentUsage"] == "train-ai=n, search=n"  # indexable: false is a no to search
        undone = alice.does("Undo", done)
        assert entry(bob, "Undo", undone)["json"]["object"]["id"] == done


def test_blocks_both_ways(gateway: Served, bob: FedifyPeer, alice: Author) -> None:
    """A Block ends the follow on the other side, whoever blocks."""
    bob.follow(alice.id)
    bob.wait_for("Accept")
    gateway.cli("block", "add", alice.name, bob.actor)
    bob.wait_for("Block")
    eventually(lambda: bob.following() == {}, "bob follows nobody")
    gateway.cli("block", "remove", alice.name, bob.actor)
    bob.wait_for("Undo")
    gateway.cli("follow", "add", alice.name, bob.actor)
    eventually(lambda: gateway.cli("follow", "list", alice.name) != [], "a follow")
    bob.wait_for("Follow")
    bob.block(alice.id)
    eventually(lambda: gateway.cli("follow", "list", alice.name) == [], "no follow")
