"""kill -9 at any moment: what was answered 202 or 201 is there exactly once after the next start."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from peers import plain
from processes import Served, eventually, free_port, listening

from gateway.activitypub import sanitise

if TYPE_CHECKING:
    from pathlib import Path

    from processes import Listening

LONGEST_STEP = 6  # answers between the start and the kill
LONGEST_DELAY = 0.05  # seconds from the last of them to the kill
EARLY = 0.15  # share of cycles that are killed while they start
STARTING_SECONDS = 1.2
RETRY_SECONDS = 0.02


@dataclass(slots=True)
class Traffic:
    """Two senders that do not stop for anything but ``stop``: a peer's activities, and an author's posts."""

    gateway: Served
    peer: Listening
    token: str
    seed: int
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    created: dict[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    liked: set[str] = field(default_factory=set)
    arrivals: int = 0

    def start(self) -> list[threading.Thread]:
        """Start both."""
        threads = [threading.Thread(target=target, daemon=True) for target in (self._peer, self._author)]
        for thread in threads:
            thread.start()
        return threads

    def _peer(self) -> None:
        """Send one activity after another; one without an answer is sent again until it has one."""
        chance = random.Random(self.seed)
        inbox = f"{self.gateway.base}/users/alice/inbox"
        with httpx.Client(trust_env=False) as client:
            while not self.stop.is_set():
                actor, document = self._activity(chance.choice(("Create", "Follow", "Like")))
                body = json.dumps(document).encode()
                while not self.stop.is_set():
                    request = self.peer.plain.signed(inbox, body, actor)
                    try:
                        answer = client.post(inbox, content=body, headers=list(request.headers))
                    except httpx.TransportError:
                        self.stop.wait(RETRY_SECONDS)
                        continue
                    self._note(answer, 202)
                    self.arrivals += 1
                    self.accepted[document["id"]] = document
                    break

    def _somebody(self, name: str) -> plain.Actor:
        """Return a new actor; all of them have the same keys, because making keys is slow."""
        plain._KEYS[f"{self.peer.plain.base}/users/{name}"] = plain.keys_for(self.peer.plain.me.id)
        return self.peer.plain.actor(name)

    def _activity(self, kind: str) -> tuple[plain.Actor, dict[str, Any]]:
        """Return something new: a note of bob's, a like of a post that bob has and did not like yet, a new follower."""
        alice, peer = f"{self.gateway.base}/users/alice", self.peer.plain
        target = self._not_liked_yet() if kind == "Like" else None
        if kind == "Follow":
            actor = self._somebody(f"fan{len(self.accepted)}")
            return actor, peer.activity(kind, alice, actor, to=[alice])
        if target is not None:
            return peer.me, peer.activity("Like", target, to=[alice])
        note = peer.note("hello", to=[alice], contentUsage="train-ai=n")
        return peer.me, peer.activity("Create", note, to=[alice])

    def _not_liked_yet(self) -> str | None:
        came = [str(activity["object"]["id"]) for activity in list(self.peer.received) if activity["type"] == "Create"]
        target = next((post for post in came if post not in self.liked), None)
        if target is not None:
            self.liked.add(target)
        return target

    def _author(self) -> None:
        """Publish one post after another; whether one without an answer exists, nobody knows."""
        outbox = f"{self.gateway.base}/users/alice/outbox"
        headers = {"authorization": f"Bearer {self.token}", "content-type": plain.ACTIVITY_JSON}
        with httpx.Client(trust_env=False) as client:
            while not self.stop.is_set():
                text = f"post number {len(self.tried)}"
                self.tried.append(text)
                try:
                    answer = client.post(outbox, json={"type": "Note", "content": text}, headers=headers)
                except httpx.TransportError:
                    self.stop.wait(RETRY_SECONDS)
                    continue
                self._note(answer, 201)
                self.created[text] = answer.headers.get("location", "")

    def _note(self, answer: httpx.Response, wanted: int) -> None:
        if answer.status_code != wanted:
            self.unexpected.append(f"{answer.status_code}: {answer.text}")


def kill_again_and_again(traffic: Traffic, cycles: int, chance: random.Random) -> None:
    """Start the gateway and kill it, at moments counted in answers, and now and then while it starts."""
    gateway, wait = traffic.gateway, threading.Event()
    for _cycle in range(cycles):
        gateway.process = gateway.spawn("serve")
        if chance.random() < EARLY:
            wait.wait(chance.random() * STARTING_SECONDS)
        else:
            gateway.wait_ready()
            goal = traffic.arrivals + chance.randint(0, LONGEST_STEP)
            eventually(lambda goal=goal: traffic.arrivals >= goal, "answers")  # type: ignore[misc]
            wait.wait(chance.random() * LONGEST_DELAY)
        gateway.kill()


@pytest.mark.parametrize(
    ("cycles", "seed"), [(15, 9421), *(pytest.param(60, seed, marks=pytest.mark.long) for seed in (1, 2, 3))]
)
def test_kill_9_loses_and_doubles_nothing(tmp_path: Path, cycles: int, seed: int) -> None:
    """However often the gateway is killed, each answered activity takes effect once and each answered post arrives."""
    with listening() as peer:
        gateway = Served(data=tmp_path / "gw", port=free_port())
        gateway.cli("account", "create", "alice")
        token = gateway.cli("token", "create", "alice")["token"]
        traffic = Traffic(gateway, peer, token, seed)
        try:
            gateway.start()
            alice = f"{gateway.base}/users/alice"
            assert peer.post(f"{alice}/inbox", peer.plain.activity("Follow", alice)).status_code == 202
            peer.wait_for("Accept")
            gateway.kill()
            threads = traffic.start()
            kill_again_and_again(traffic, cycles, random.Random(seed))
            gateway.start()
            traffic.stop.set()
            for thread in threads:
                thread.join(10)
            gateway.drained(seconds=60)
            assert gateway.interrupt()[0] == 0
        finally:
            traffic.stop.set()
            gateway.kill()
        gateway.check()
        assert traffic.unexpected == []
        assert len(traffic.accepted) > cycles
        assert len(traffic.created) > cycles
        print(f"{cycles} kills, {len(traffic.accepted)} arrivals, {len(traffic.created)} of {len(traffic.tried)} posts")
        check_arrivals(gateway, traffic)
        check_deliveries(traffic)


def check_arrivals(gateway: Served, traffic: Traffic) -> None:
    """Check that each activity that was answered 202 was settled and has its effect, once."""
    arrivals = {row["id"]: row["outcome"] for row in gateway.rows("SELECT id, outcome FROM arrival")}
    notes = Counter(row["id"] for row in gateway.rows("SELECT id FROM object WHERE local = 0"))
    stated = Counter(row["ref"] for row in gateway.rows("SELECT ref FROM statement WHERE superseded IS NULL"))
    follows = Counter(row["follower"] for row in gateway.rows("SELECT follower FROM follow WHERE state = 'accepted'"))
    likes = Counter(row["object"] for row in gateway.rows("SELECT object FROM interaction WHERE kind = 'Like'"))
    accepts = Counter(row["object"] for row in gateway.rows("SELECT object FROM activity WHERE type = 'Accept'"))
    # The notes are all alike, so the least that one of them left behind is what one settlement leaves.
    once = min(stated[note] for note in notes)
    for activity_id, document in traffic.accepted.items():
        assert arrivals.get(activity_id), document
        match document["type"]:
            case "Create":
                note = document["object"]["id"]
                assert (notes[note], stated[note]) == (1, once), (arrivals[activity_id], document)
            case "Follow":
                assert (follows[document["actor"]], accepts[activity_id]) == (1, 1), (arrivals[activity_id], document)
            case _:
                assert likes[document["object"]] == 1, (arrivals[activity_id], document)


def check_deliveries(traffic: Traffic) -> None:
    """Check that each post that was answered 201 came at least once, always with the same bytes, as one post."""
    bodies: dict[str, set[bytes]] = {}
    ids_of_text: dict[str, set[str]] = {}
    for body in traffic.peer.recorder.bodies:
        activity = json.loads(body)
        bodies.setdefault(activity["id"], set()).add(body)
        if activity["type"] == "Create":
            ids_of_text.setdefault(sanitise.plain(activity["object"]["content"]), set()).add(activity["id"])
    assert [activity_id for activity_id, forms in bodies.items() if len(forms) > 1] == []
    for text, activity_id in traffic.created.items():
        assert ids_of_text.get(text) == {activity_id}, text
    assert all(len(ids) == 1 for ids in ids_of_text.values())
    accepted = {activity["object"]["id"] for activity in traffic.peer.received if activity["type"] == "Accept"}
    assert {a["id"] for a in traffic.accepted.values() if a["type"] == "Follow"} <= accepted
