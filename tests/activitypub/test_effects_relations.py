"""What activities between people do, for each owner and known state: follows, blocks, reports, moves."""

from __future__ import annotations

from typing import Any

import pytest
from activitypub.activities import (
    ALICE,
    BOB,
    CAROL,
    EVE,
    FAR,
    HOME,
    NOW,
    PEER,
    POST,
    activity,
    does,
    follow,
    ignored,
    known,
    note,
    person,
)

from gateway.activitypub import effects as fx

# --- Follow and its answers


def test_a_follow_is_recorded_and_accepted() -> None:
    """Following one of ours counts at once and is answered with Accept."""
    record, answer = does("Follow", ALICE, object_actor_is_local=True)
    assert record == fx.RecordFollow(BOB, ALICE, f"{PEER}/activities/1", "accepted")
    assert (answer.kind, answer.actor, answer.to) == ("Accept", ALICE, BOB)
    assert answer.follow == {"id": f"{PEER}/activities/1", "type": "Follow", "actor": BOB, "object": ALICE}


def test_a_follow_waits_where_the_account_approves() -> None:
    """An account that approves its followers gets a request, and nothing is answered yet."""
    assert does("Follow", ALICE, object_actor_is_local=True, approves=True) == [
        fx.RecordFollow(BOB, ALICE, f"{PEER}/activities/1", "pending")
    ]


def test_a_repeated_follow_stays_accepted() -> None:
    """Whoever was let in once is not asked to wait again."""
    already = follow("accepted", BOB, ALICE)
    record, answer = does("Follow", ALICE, object_actor_is_local=True, approves=True, follow=already)
    assert (record.state, answer.kind) == ("accepted", "Accept")


def test_a_repeated_request_still_waits() -> None:
    """Asking twice does not open the door."""
    waiting = follow("pending", BOB, ALICE)
    (record,) = does("Follow", ALICE, object_actor_is_local=True, approves=True, follow=waiting)
    assert record.state == "pending"


@pytest.mark.parametrize("facts", [{"blocks_sender": True}, {"moved": True}])
def test_a_follow_is_rejected(facts: dict[str, Any]) -> None:
    """Who is blocked, or follows an account that moved away, is told no."""
    (answer,) = does("Follow", ALICE, object_actor_is_local=True, **facts)
    assert (answer.kind, answer.to) == ("Reject", BOB)


def test_a_follow_of_nobody_here_is_ignored() -> None:
    """Following a stranger, a deleted account or the instance is not our business."""
    assert ignored(does("Follow", FAR)) == "follows-nobody-here"


@pytest.mark.parametrize(("kind", "state"), [("Accept", "accepted"), ("Reject", "rejected")])
def test_an_answer_settles_our_follow(kind: str, state: str) -> None:
    """Accept and Reject by the followed actor settle what one of ours asked."""
    assert does(kind, f"{HOME}/activities/7", follow=follow("pending")) == [fx.SettleFollow(ALICE, BOB, state)]  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["Accept", "Reject"])
def test_nobody_answers_for_another(kind: str) -> None:
    """An answer by somebody who was not asked, or to a Follow never sent, does nothing."""
    assert ignored(does(kind, f"{HOME}/activities/7", EVE, follow=follow("pending"))) == "answers-no-follow-of-ours"
    assert ignored(does(kind, f"{HOME}/activities/7")) == "answers-no-follow-of-ours"


# --- Block, Flag, Move


def test_a_block_ends_follows_both_ways() -> None:
    """Whoever blocks one of ours neither follows nor is followed any more."""
    assert does("Block", ALICE, object_actor_is_local=True) == [
        fx.RecordBlock(BOB, ALICE, f"{PEER}/activities/1"),
        fx.ForgetFollow(BOB, ALICE),
        fx.ForgetFollow(ALICE, BOB),
    ]
    assert ignored(does("Block", CAROL)) == "blocks-nobody-here"


def test_a_report_keeps_only_what_is_ours() -> None:
    """A Flag lists people and posts of many places; ours are kept, with a bounded text."""
    document = {"type": "Flag", "object": [ALICE, POST, FAR, {"id": POST}], "content": "x" * 9_000}
    flag = activity("Flag", ALICE, document=document)
    (report,) = fx.effects(flag, known())
    assert isinstance(report, fx.RecordReport)
    assert (report.reporter, report.objects, len(report.content)) == (BOB, (ALICE, POST, POST), fx.MAX_REPORT)
    assert ignored(does("Flag", FAR)) == "reports-nothing-here"


def move(**facts: Any) -> list[Any]:
    """Return what Bob's move to Carol does."""
    return list(fx.effects(activity("Move", BOB, target=CAROL), known(**facts)))


def test_a_confirmed_move_takes_followers_along() -> None:
    """The new account, fetched at its own id, must name the old one."""
    assert move() == [fx.Fetch(CAROL)]
    for aliases in ([BOB], BOB, ["https://x.example/y", BOB]):
        assert move(fetched={CAROL: person(alsoKnownAs=aliases)}) == [fx.MoveFollowers(BOB, CAROL)]


@pytest.mark.parametrize(
    "document",
    [
        person(),
        person(alsoKnownAs=[EVE]),
        person("https://far.example/users/other", alsoKnownAs=[BOB]),
        note(CAROL, alsoKnownAs=[BOB]),
        person(alsoKnownAs=[BOB] * (fx.MAX_ALIASES + 1)),
    ],
)
def test_an_unconfirmed_move_moves_nobody(document: dict[str, Any]) -> None:
    """Without the new account's own word nothing moves."""
    assert ignored(move(fetched={CAROL: document})) == "move-not-confirmed"


def test_moves_are_bounded() -> None:
    """Nobody moves another, to itself, nowhere, twice a week, or to a place that does not answer."""
    assert ignored(list(fx.effects(activity("Move", EVE, target=CAROL), known()))) == "not-the-author"
    assert ignored(list(fx.effects(activity("Move", BOB, target=BOB), known()))) == "not-the-author"
    assert ignored(list(fx.effects(activity("Move", BOB), known()))) == "not-the-author"
    assert ignored(move(moved_lately=True)) == "moved-lately"
    assert ignored(move(unavailable=frozenset({CAROL}))) == "object-unavailable"


def test_the_time_is_the_one_that_is_known() -> None:
    """Effects depend on nothing but their arguments."""
    assert known().now == NOW
    assert move() == move()
