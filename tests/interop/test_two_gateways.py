"""Two gateways as two processes over real sockets: whatever one's people do, the other knows, labels included."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from processes import Listening, Served, eventually, listening, served

from gateway.carriers.jsonld_terms import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JSON = "application/activity+json"
NOAI = "train-ai=n, ai-use=n, search=y"


@dataclass(slots=True)
class Author:
    """Somebody's account and the software that publishes for them."""

    gateway: Served
    name: str
    token: str

    @property
    def id(self) -> str:
        return f"{self.gateway.base}/users/{self.name}"

    @property
    def handle(self) -> str:
        return f"@{self.name}@{self.gateway.host}:{self.gateway.port}"

    def does(self, kind: str, target: Any, **members: Any) -> str:
        """Send an activity to the own outbox; return its id."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": JSON}
        document = {"type": kind, "object": target, **members}
        with httpx.Client(trust_env=False, timeout=20.0) as client:
            answer = client.post(f"{self.id}/outbox", content=json.dumps(document), headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]

    def posts(self, text: str, *arguments: str) -> dict[str, Any]:
        """Publish a post with the command line; return what it prints."""
        posted: dict[str, Any] = self.gateway.cli("post", "create", self.name, text, *arguments)
        return posted

    def follows(self, followed: str) -> str | None:
        """Return the state of this author's follow, on the own side."""
        rows = self.gateway.rows(
            "SELECT state FROM follow WHERE follower = :a AND followed = :b", a=self.id, b=followed
        )
        return str(rows[0]["state"]) if rows else None

    def followers(self) -> dict[str, str]:
        """Return who follows this author and in which state, on the own side."""
        rows = self.gateway.rows("SELECT follower, state FROM follow WHERE followed = :a", a=self.id)
        return {row["follower"]: row["state"] for row in rows}


@dataclass(frozen=True, slots=True)
class Place:
    """The two gateways."""

    home: Served
    away: Served


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Run two gateways for all tests of this file."""
    root = tmp_path_factory.mktemp("two")
    with served(root, "home") as home, served(root, "away", host="127.0.0.1") as away:
        yield Place(home, away)


def author(gateway: Served, name: str, *options: str) -> Author:
    """Make an account with a token."""
    gateway.cli("account", "create", name, *options)
    return Author(gateway, name, gateway.cli("token", "create", name)["token"])


def befriend(reader: Author, writer: Author) -> None:
    """Let ``reader`` follow ``writer``."""
    reader.gateway.cli("follow", "add", reader.name, writer.handle)
    eventually(lambda: reader.follows(writer.id) == "accepted", f"{reader.id} follows {writer.id}")


def stored(gateway: Served, object_id: str) -> dict[str, Any] | None:
    """Return an object as a gateway keeps it."""
    rows = gateway.rows("SELECT * FROM object WHERE id = :id", id=object_id)
    return {**rows[0], "document": json.loads(rows[0]["document"])} if rows else None


def arrived(gateway: Served, object_id: str) -> dict[str, Any]:
    """Wait for an object and return it."""
    return eventually(lambda: stored(gateway, object_id), f"{object_id} at {gateway.base}")


def interactions(gateway: Served, object_id: str) -> set[tuple[str, str]]:
    """Return who liked and boosted an object."""
    rows = gateway.rows("SELECT kind, actor FROM interaction WHERE object = :id", id=object_id)
    return {(row["kind"], row["actor"]) for row in rows}


def explained(gateway: Served, url: str, use: str = "train-gen") -> dict[str, Any]:
    """Return the answer that ``gateway explain`` prints for one use."""
    told = gateway.cli("explain", url, "--use", use)
    assert told["fetched"] is False
    answer: dict[str, Any] = told["answers"][0]
    return answer


def declared(answer: dict[str, Any], effect: str) -> set[tuple[str, str, str]]:
    """Return who declared what decided an answer: kind, id and scope."""
    return {
        (because["declaredBy"]["kind"], because["declaredBy"]["id"], because["subject"]["scope"])
        for because in answer["because"]
        if because["effect"] == effect
    }


def png() -> bytes:
    """Return the smallest PNG there is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def test_follow_create_update_and_delete(place: Place) -> None:
    """A follower's gateway gets a post, its edit and its end, each with the labels that its author's gateway put on."""
    reader, writer = author(place.home, "a1"), author(place.away, "b1")
    befriend(reader, writer)
    assert writer.followers() == {reader.id: "accepted"}
    post = writer.posts("hello")["id"]
    here, there = arrived(place.home, post), stored(place.away, post)
    assert there is not None
    assert {term: here["document"][term] for term in TERMS} == {term: there["document"][term] for term in TERMS}
    assert here["document"]["contentUsage"] == NOAI
    place.away.cli("post", "edit", post, "changed", "--prefs", "search=n")
    changed = eventually(
        lambda: (found := stored(place.home, post)) and "changed" in found["document"]["content"] and found, "the edit"
    )
    assert changed["document"]["contentUsage"] == "train-ai=n, ai-use=n, search=n"
    assert explained(place.home, post, "search")["answer"] == "n"
    place.away.cli("post", "delete", post)
    eventually(lambda: (found := stored(place.home, post)) and found["type"] == "Tombstone", "the end")
    assert explained(place.home, post)["answer"] == "n"


def test_like_announce_and_their_undoing(place: Place) -> None:
    """Likes and boosts arrive at the author's gateway and go when they are taken back; so does a follow."""
    reader, writer = author(place.home, "a2"), author(place.away, "b2")
    befriend(reader, writer)
    post = writer.posts("like me")["id"]
    arrived(place.home, post)
    like, boost = reader.does("Like", post), reader.does("Announce", post)
    both = {("Like", reader.id), ("Announce", reader.id)}
    eventually(lambda: interactions(place.away, post) == both, "like and boost")
    reader.does("Undo", like)
    reader.does("Undo", boost)
    eventually(lambda: not interactions(place.away, post), "neither")
    place.home.cli("follow", "remove", reader.name, writer.id)
    eventually(lambda: not writer.followers(), "no follower")


def test_a_boost_brings_the_post_to_the_boosters_followers(place: Place) -> None:
    """Who follows the booster gets the post from its own origin, with its author's labels."""
    reader, booster, writer = author(place.home, "a3"), author(place.away, "b3"), author(place.away, "c3")
    befriend(reader, booster)
    post = writer.posts("boost me", "--prefs", "tdm=n")["id"]
    booster.does("Announce", post)
    assert arrived(place.home, post)["owner"] == writer.id
    answer = explained(place.home, post)
    assert answer["answer"] == "n"
    assert ("author", writer.id, "object") in declared(answer, "disallows")


def test_preferences_of_account_and_post_are_explained_on_the_other_side(place: Place) -> None:
    """What an author sets on one gateway is a statement with its author, scope and raw text on the other."""
    reader, writer = author(place.home, "a4"), author(place.away, "b4", "--preset", "open")
    befriend(reader, writer)
    place.away.cli("account", "prefs", writer.name, "--set", "train-gen=n, search=y")
    by_author = ("author", writer.id, "actor")
    eventually(lambda: by_author in declared(explained(place.home, writer.id), "disallows"), "the author's own no")
    assert explained(place.home, writer.id, "search")["answer"] == "y"
    post = writer.posts("with my own words", "--prefs", "tdm=n, search=n")["id"]
    arrived(place.home, post)
    answer = explained(place.home, post, "tdm")
    assert answer["answer"] == "n"
    assert ("author", writer.id, "object") in declared(answer, "disallows")
    said = next(because for because in answer["because"] if because["carrier"] == "aiUsage")
    assert '"tdm": "n"' in said["raw"].replace('":"', '": "')
    assert said["declaredBy"]["auth"]
    assert explained(place.home, post, "search")["answer"] == "n"
    asked_by = {(kind, who) for kind, who, _ in declared(explained(place.home, post, "ai-input"), "disallows")}
    assert ("instance", f"{place.away.base}/actor") in asked_by


def test_follow_requests_are_approved_or_rejected_by_hand(place: Place) -> None:
    """An account that approves its followers keeps requests waiting; each answer reaches who asked."""
    writer = author(place.away, "b5", "--approve-followers")
    wanted, unwanted = author(place.home, "a5"), author(place.home, "x5")
    for asking in (wanted, unwanted):
        place.home.cli("follow", "add", asking.name, writer.handle)
    eventually(lambda: len(place.away.cli("follow", "requests", writer.name)) == 2, "two requests")
    assert wanted.follows(writer.id) == "pending"
    place.away.cli("follow", "accept", writer.name, wanted.id)
    place.away.cli("follow", "reject", writer.name, unwanted.id)
    eventually(lambda: wanted.follows(writer.id) == "accepted", "accepted")
    eventually(lambda: unwanted.follows(writer.id) == "rejected", "rejected")
    post = writer.posts("for followers", "--visibility", "followers")["id"]
    arrived(place.home, post)


def test_media_carries_the_preferences_of_its_post(place: Place, tmp_path: Path) -> None:
    """A media file fetched from the address in the post says in its headers what the post says."""
    reader, writer = author(place.home, "a6"), author(place.away, "b6")
    befriend(reader, writer)
    picture = tmp_path / "dot.png"
    picture.write_bytes(png())
    post = writer.posts("a picture", "--media", str(picture), "--alt", "a dot", "--prefs", "search=n")["id"]
    attached = arrived(place.home, post)["document"]["attachment"][0]
    assert attached["contentUsage"] == "train-ai=n, ai-use=n, search=n"
    assert attached["name"] == "a dot"
    with httpx.Client(trust_env=False) as client:
        answer = client.get(attached["url"])
    assert answer.status_code == 200
    assert answer.content == png()
    assert answer.headers["content-usage"] == attached["contentUsage"]
    assert "noai" in answer.headers["x-robots-tag"]
    assert answer.headers["tdm-reservation"] == "1"
    assert explained(place.home, attached["url"])["answer"] == "n"


def test_a_block_ends_follows_both_ways_and_keeps_posts_away(place: Place) -> None:
    """Who is blocked loses the follow on both sides and gets nothing more; unblocking lets them ask again."""
    reader, writer = author(place.home, "a7"), author(place.away, "b7")
    befriend(reader, writer)
    befriend(writer, reader)
    place.away.cli("block", "add", writer.name, reader.id)
    eventually(lambda: reader.follows(writer.id) is None, "no follow")
    eventually(lambda: writer.id not in reader.followers(), "no follower")
    hidden = writer.posts("not for them")["id"]
    place.home.cli("follow", "add", reader.name, writer.id)
    eventually(lambda: reader.follows(writer.id) == "rejected", "rejected")
    place.away.drained()
    assert stored(place.home, hidden) is None
    place.away.cli("block", "remove", writer.name, reader.id)
    place.away.drained()
    befriend(reader, writer)


def test_a_deleted_account_is_gone_on_the_other_side(place: Place) -> None:
    """When an account is deleted, its posts and follows end on the other gateway too."""
    reader, writer = author(place.home, "a8"), author(place.away, "b8")
    befriend(reader, writer)
    post = writer.posts("soon gone")["id"]
    arrived(place.home, post)
    place.away.cli("account", "delete", writer.name, "--yes")
    eventually(lambda: (found := stored(place.home, post)) and found["type"] == "Tombstone", "the end")
    eventually(lambda: reader.follows(writer.id) is None, "no follow")


def test_a_report_of_a_peer_is_listed_and_closed(place: Place) -> None:
    """A Flag from another server is a report with its text and the posts it names."""
    writer = author(place.home, "a9")
    post = writer.posts("report me")["id"]
    with listening("reporter") as peer:
        flag = peer.plain.activity("Flag", [writer.id, post], content="spam", to=[writer.id])
        assert peer.post(f"{place.home.base}/inbox", flag).status_code == 202
        found = eventually(lambda: place.home.cli("reports", "list"), "a report")
    assert [(one["reporter"], one["about"], one["content"]) for one in found] == [
        (peer.plain.me.id, [writer.id, post], "spam")
    ]
    place.home.cli("reports", "close", found[0]["id"])
    assert place.home.cli("reports", "list") == []


def test_a_confirmed_move_takes_followers_along(place: Place) -> None:
    """When somebody moves and the new account confirms it, our follower follows the new one and leaves the old one."""
    reader = author(place.home, "a10")
    with listening("old") as old, listening("new") as new:
        was, now = old.plain.me, new.plain.me
        new.plain.serve_document(now.id, now.document(alsoKnownAs=[was.id]))
        place.home.cli("follow", "add", reader.name, was.id)
        accept(old, reader)
        eventually(lambda: reader.follows(was.id) == "accepted", "the first follow")
        move = {**old.plain.activity("Move", was.id), "target": now.id}
        assert old.post(f"{place.home.base}/inbox", move).status_code == 202
        accept(new, reader)
        eventually(lambda: reader.follows(now.id) == "accepted", "the second follow")
        undo = old.wait_for("Undo")
    assert undo["object"]["object"] == was.id
    assert reader.follows(was.id) is None


def accept(peer: Listening, reader: Author) -> None:
    """Wait for a Follow and accept it."""
    follow = peer.wait_for("Follow")
    answer = peer.plain.activity("Accept", follow["id"], to=[reader.id])
    assert peer.post(f"{reader.id}/inbox", answer).status_code == 202
