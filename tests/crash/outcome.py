"""What must hold after any number of kills: nothing answered is lost, nothing has its effect twice."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from crash.crowd import WAITING, Health
from processes import eventually

from gateway.activitypub import sanitise

if TYPE_CHECKING:
    from crash.crowd import Crowd
    from crash.traffic import Expected, Traffic
    from processes import Served

DRAIN_SECONDS = 120.0
OPEN = ("waiting", "queued", "leased")


def drained(served: Served, crowd: Crowd) -> None:
    """Wait until every arrival is settled, and every peer that is well has what is for it."""
    well = {member.plain.base for member in crowd.taking}
    left: list[dict[str, Any]] = []

    def is_idle() -> bool:
        rows = served.rows("SELECT pool, peer, kind, problem FROM job WHERE state IN ('waiting', 'queued', 'leased')")
        left[:] = [row for row in rows if row["pool"] == 0 or row["peer"] in well]
        return not left

    try:
        eventually(is_idle, seconds=DRAIN_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{len(left)} still to do: {left[:5]}") from error


def check(served: Served, traffic: Traffic, in_hand: Counter[tuple[str, str]]) -> None:
    """Check everything; ``in_hand`` says how often an activity was on its way to a peer when it was interrupted."""
    served.check()
    assert traffic.unexpected == [], traffic.unexpected[:3]
    check_arrivals(served, traffic.expected)
    check_posts(served, traffic)
    check_accepts(traffic)
    check_waiting(served, traffic)
    check_repeats(traffic.crowd, in_hand)


def check_arrivals(served: Served, expected: Expected) -> None:
    """Check that each activity that was answered 202 was settled once, and what all of them together left behind."""
    outcomes = Counter((row["id"], row["outcome"]) for row in served.rows("SELECT id, outcome FROM arrival"))
    settled = {arrival: outcome for arrival, outcome in outcomes if outcome is not None}
    assert set(outcomes.values()) == {1}
    for arrival, document in expected.answered.items():
        assert settled.get(arrival), document
        assert not settled[arrival].startswith(("ignored", "refused")), (settled[arrival], document)
    jobs = Counter(
        json.loads(row["payload"])["arrival"] for row in served.rows("SELECT payload FROM job WHERE pool = 0")
    )
    assert {arrival: jobs[arrival] for arrival in expected.answered if jobs[arrival] != 1} == {}
    check_notes(served, expected)
    check_people(served, expected)


def check_notes(served: Served, expected: Expected) -> None:
    """Check that each note is there once, as it was last, with its statements stated once."""
    rows = served.rows("SELECT id, type, document FROM object WHERE local = 0")
    notes = {row["id"]: row for row in rows}
    assert len(notes) == len(rows)
    stated = Counter(row["ref"] for row in served.rows("SELECT ref FROM statement WHERE superseded IS NULL"))
    # The notes are all alike, so the least that one of them left behind is what one settlement leaves.
    once = min(stated[note] for note, text in expected.notes.items() if text is not None)
    assert once > 0
    for note, text in expected.notes.items():
        kept = notes[note]
        assert stated[note] == once, (note, text, note in expected.edited)
        if text is None:
            assert kept["type"] == "Tombstone", kept
        else:
            assert kept["type"] == "Note", kept
            assert json.loads(kept["document"])["content"] == text


def check_people(served: Served, expected: Expected) -> None:
    """Check that each follow and like stands, or was taken back, and that each follow was answered once."""
    follows = {row["follower"] for row in served.rows("SELECT follower FROM follow WHERE state = 'accepted'")}
    likes = {
        (row["actor"], row["object"])
        for row in served.rows("SELECT actor, object FROM interaction WHERE kind = 'Like'")
    }
    assert {actor for actor, stands in expected.follows.items() if stands != (actor in follows)} == set()
    assert {like for like, stands in expected.likes.items() if stands != (like in likes)} == set()
    accepts = Counter(row["object"] for row in served.rows("SELECT object FROM activity WHERE type = 'Accept'"))
    asked = [arrival for arrival, document in expected.answered.items() if document["type"] == "Follow"]
    assert {follow: accepts[follow] for follow in asked if accepts[follow] != 1} == {}


def check_posts(served: Served, traffic: Traffic) -> None:
    """Check that each post that was answered 201 is one post, and came to everybody who is well with the same bytes."""
    rows = served.rows("SELECT document FROM object WHERE local = 1 AND type = 'Note'")
    kept = Counter(sanitise.plain(json.loads(row["document"])["content"]) for row in rows)
    assert [text for text, count in kept.items() if count > 1] == []
    assert set(traffic.created) <= set(kept) <= set(traffic.tried)
    forms: dict[str, set[bytes]] = {}
    for member in traffic.crowd.taking:
        texts = Counter(member.posts.values())
        assert texts == kept, (member.plain.base, member.health)
        ids = {text: activity for body in member.came for text, activity in [_created(body)] if text}
        assert {text: ids[text] for text in traffic.created} == traffic.created
        for body in member.came:
            forms.setdefault(json.loads(body)["id"], set()).add(body)
    changed = [activity for activity, bodies in forms.items() if len(bodies) > 1]
    assert changed == [], f"came with other bytes: {changed[:3]}"


def _created(body: bytes) -> tuple[str, str]:
    activity = json.loads(body)
    is_post = activity["type"] == "Create"
    return sanitise.plain(activity["object"]["content"]) if is_post else "", str(activity["id"])


def check_accepts(traffic: Traffic) -> None:
    """Check that whoever followed was told, unless they had taken it back before."""
    came = {follow for member in traffic.crowd.taking for follow in member.accepted}
    follows = {
        arrival for arrival, document in traffic.expected.answered.items()
        if document["type"] == "Follow" and traffic.expected.follows[document["actor"]]
    }  # fmt: skip
    assert follows <= came


def check_waiting(served: Served, traffic: Traffic) -> None:
    """Check that each post still waits for each peer that is ill, once."""
    rows = served.rows("SELECT peer, state, payload FROM job WHERE kind = 'deliver'")
    kept = Counter((row["peer"], json.loads(row["payload"])["activity"]) for row in rows if row["state"] in OPEN)
    ill = [member.plain.base for member in traffic.crowd.members if member.health in WAITING]
    wanted = Counter((peer, activity) for peer in ill for activity in traffic.created.values())
    assert wanted - kept == Counter()
    assert set(kept.values()) == {1}
    told = {row["state"] for row in rows for member in traffic.crowd.members
            if member.health is Health.LYING and row["peer"] == member.plain.base}  # fmt: skip
    assert told == {"done"}


def check_repeats(crowd: Crowd, in_hand: Counter[tuple[str, str]]) -> None:
    """Check that nothing came again more often than it was on its way when something was killed."""
    again = Counter({
        (activity, member.plain.base): count - 1
        for member in crowd.taking for activity, count in member.ids.items() if count > 1
    })  # fmt: skip
    print(f"{again.total()} repeats, {in_hand.total()} in hand at kills")
    assert again - in_hand == Counter(), f"came again without a kill: {(again - in_hand).most_common(3)}"
