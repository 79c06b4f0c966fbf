"""Load that does not stop for a killed gateway: activities of several peers, and posts of alice through the API.

What was answered is written down as it must turn out in the end. Each sender waits for its answer before it goes on,
and sends what had none again: so the order in which a gateway has to take what one actor does is known.
"""

from __future__ import annotations

import json
import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from peers import plain

if TYPE_CHECKING:
    from crash.crowd import Crowd, Member

SENDERS = 4
PAUSE_SECONDS = 0.04  # at most, between an answer and what follows it
RETRY_SECONDS = 0.02
OUTSTANDING = 3  # posts at most that are on their way to somebody who is well
KINDS = ("Create",) * 3 + ("Follow",) * 2 + ("Like",) * 2 + ("Update", "Delete", "Undo")


@dataclass(slots=True)
class Expected:
    """What must be true in the end of what was answered 202, by the ids of things."""

    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: dict[str, str | None] = field(default_factory=dict)  # id -> text, None once it is deleted
    edited: set[str] = field(default_factory=set)
    follows: dict[str, bool] = field(default_factory=dict)  # follower -> whether it still follows
    likes: dict[tuple[str, str], bool] = field(default_factory=dict)  # actor, post -> whether it still stands

    def note(self, document: dict[str, Any]) -> None:
        """Write down what an answered activity does."""
        self.answered[document["id"]] = document
        actor, target = document["actor"], document["object"]
        match document["type"]:
            case "Create":
                self.notes[target["id"]] = target["content"]
            case "Update":
                self.notes[target["id"]] = target["content"]
                self.edited.add(target["id"])
            case "Delete":
                self.notes[target] = None
            case "Follow":
                self.follows[actor] = True
            case "Like":
                self.likes[actor, target] = True
            case _ if target["type"] == "Follow":
                self.follows[actor] = False
            case _:
                self.likes[actor, target["object"]] = False


@dataclass(slots=True)
class Doors:
    """Where the gateway answers at the moment; all ports are of one gateway."""

    base: str
    ports: list[int]

    def url(self, path: str, chance: random.Random) -> str:
        """Return an address of a path at one of the ports."""
        return f"http://127.0.0.1:{chance.choice(self.ports)}{path}"


class Traffic:
    """The senders, each a thread, and what they were answered."""

    def __init__(self, doors: Doors, crowd: Crowd, token: str, seed: int) -> None:
        self.doors, self.crowd = doors, crowd
        self.expected = Expected()
        self.created: dict[str, str] = {}  # text -> id of the activity
        self.tried: list[str] = []
        self.unexpected: list[str] = []
        self.answers = 0
        self._token, self._seed = token, seed
        self._stop = threading.Event()
        self._lock = threading.Lock()
        members = crowd.taking[:SENDERS]
        self._threads = [threading.Thread(target=self._author, daemon=True)]
        self._threads += [
            threading.Thread(target=self._peer, args=(member, number), daemon=True)
            for number, member in enumerate(members, 1)
        ]

    def start(self) -> None:
        """Start all of them."""
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 30.0) -> None:
        """Let each finish what it is at, and end."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(seconds)

    def _peer(self, member: Member, number: int) -> None:
        chance, sender = random.Random(self._seed * 100 + number), _Sender(member, f"{self.doors.base}/users/alice")
        with httpx.Client(trust_env=False, timeout=30.0) as client:
            while not self._stop.wait(chance.random() * PAUSE_SECONDS):
                actor, document = sender.next(chance)
                if self._deliver(client, member, actor, document, chance):
                    sender.answered(document)
                    with self._lock:
                        self.expected.note(document)

    def _deliver(
        self, client: httpx.Client, member: Member, actor: plain.Actor, document: dict[str, Any], chance: random.Random
    ) -> bool:
        """Send an activity until it is answered; tell whether it was before the end."""
        path, body = "/users/alice/inbox", json.dumps(document).encode()
        request = member.plain.signed(f"{self.doors.base}{path}", body, actor)
        while not self._stop.is_set():
            try:
                answer = client.post(self.doors.url(path, chance), content=body, headers=list(request.headers))
            except httpx.TransportError:
                self._stop.wait(RETRY_SECONDS)
                continue
            self._note(answer, 202)
            return answer.status_code == 202
        return False

    def _author(self) -> None:
        """Publish one post after another; whether one without an answer exists, nobody knows."""
        chance, path = random.Random(self._seed * 100), "/users/alice/outbox"
        headers = {
            "authorization": f"Bearer {self._token}", "content-type": plain.ACTIVITY_JSON,
            "host": self.doors.base.removeprefix("http://"),
        }  # fmt: skip
        with httpx.Client(trust_env=False, timeout=30.0) as client:
            while not self._stop.wait(RETRY_SECONDS):
                if not self._may_go_on():
                    continue
                text = f"post number {len(self.tried)}"
                document = {"type": "Note", "content": text}
                try:
                    answer = client.post(self.doors.url(path, chance), json=document, headers=headers)
                except httpx.ConnectError:
                    continue  # nobody has heard of it
                except httpx.TransportError:
                    self.tried.append(text)
                    continue
                self.tried.append(text)
                self._note(answer, 201)
                self.created[text] = answer.headers.get("location", "")

    def _may_go_on(self) -> bool:
        """Tell whether no more posts than a few are on their way to somebody who is well."""
        earlier = list(self.created.values())[-OUTSTANDING:]
        return len(earlier) < OUTSTANDING or all(earlier[0] in member.ids for member in self.crowd.taking)

    def _note(self, answer: httpx.Response, wanted: int) -> None:
        with self._lock:
            self.answers += 1
            if answer.status_code != wanted:
                self.unexpected.append(f"{answer.status_code}: {answer.text}")


class _Sender:
    """What the people of one peer do next; only things that were answered are done anything to."""

    def __init__(self, member: Member, alice: str) -> None:
        self._member, self._peer, self._alice = member, member.plain, alice
        self._fans = 0
        self._notes: list[dict[str, Any]] = []
        self._undoable: list[dict[str, Any]] = []
        self._liked: set[str] = set()

    def next(self, chance: random.Random) -> tuple[plain.Actor, dict[str, Any]]:
        """Return an activity and who does it."""
        kind, me = chance.choice(KINDS), self._peer.me
        if kind == "Follow":
            self._fans += 1
            fan = self._member.somebody(f"fan{self._fans}")
            return fan, self._peer.activity("Follow", self._alice, fan, to=[self._alice])
        if kind == "Like" and (post := self._not_liked_yet()):
            self._liked.add(post)
            return me, self._peer.activity("Like", post, to=[self._alice])
        if kind == "Undo" and self._undoable:
            undone = self._undoable.pop(chance.randrange(len(self._undoable)))
            actor = self._peer.actors[undone["actor"].rpartition("/")[2]]
            plainly = {name: undone[name] for name in ("id", "type", "actor", "object")}
            return actor, self._peer.activity("Undo", plainly, actor, to=[self._alice])
        if kind in ("Update", "Delete") and self._notes:
            note = self._notes.pop(chance.randrange(len(self._notes)))
            if kind == "Delete":
                return me, self._peer.activity("Delete", note["id"], to=[self._alice])
            now = self._peer.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            edited = {**note, "content": f"{note['content']}<p>more</p>", "updated": now}
            return me, self._peer.activity("Update", edited, to=[self._alice])
        note = self._peer.note("hello", to=[self._alice], contentUsage="train-ai=n")
        return me, self._peer.activity("Create", note, to=[self._alice])

    def answered(self, document: dict[str, Any]) -> None:
        """Remember what can be edited, deleted or undone from now on."""
        if document["type"] in ("Create", "Update"):
            self._notes.append(document["object"])
        elif document["type"] in ("Follow", "Like"):
            self._undoable.append(document)

    def _not_liked_yet(self) -> str | None:
        return next((post for post in list(self._member.posts) if post not in self._liked), None)
