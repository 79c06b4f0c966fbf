"""What each type of activity about an object does, for each owner and known state."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from activitypub.activities import (
    ALICE,
    BOB,
    CAROL,
    EVE,
    FAR,
    HOME,
    NOTE,
    PEER,
    POST,
    does,
    follow,
    ignored,
    note,
    ours,
    person,
    theirs,
)

from gateway.activitypub import effects as fx
from gateway.activitypub.addressing import Visibility
from gateway.clock import rfc3339

KEPT = fx.KeepObject(note(), BOB, Visibility.PUBLIC, by_author=True, is_update=False, embedded=True)
DONE = f"{PEER}/activities/0"


# --- anything


def test_what_was_undone_is_never_replayed() -> None:
    """An activity that was taken back does nothing, whatever it says."""
    assert ignored(does("Follow", ALICE, undone=True, object_actor_is_local=True)) == "already-undone"


@pytest.mark.parametrize("kind", ["Dance", "", "Person", "Question", "View"])
def test_unknown_types_do_nothing(kind: str) -> None:
    """An activity type nobody here knows is ignored, not an error."""
    assert ignored(does(kind, NOTE)) == "unknown-type"


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete", "Announce", "Like", "Undo", "Follow", "Block", "Move"])
def test_an_activity_about_nothing_does_nothing(kind: str) -> None:
    """Without an object there is nothing to do."""
    assert ignored(does(kind, "")) == "no-object"


# --- Create


@pytest.mark.parametrize("facts", [{"follows_sender": True}, {"addresses_local": True}])
def test_a_wanted_note_is_kept_as_embedded(facts: dict[str, Any]) -> None:
    """A whole note that its author signed is kept without asking its origin, when somebody here asked for it."""
    assert does("Create", note(), **facts) == [KEPT]


def test_an_unwanted_note_is_not_kept() -> None:
    """Nobody follows and nobody is addressed: nothing is stored."""
    assert ignored(does("Create", note())) == "nobody-here-asked"


@pytest.mark.parametrize("value", [NOTE, {"id": NOTE}, {"id": NOTE, "type": "Note"}])
def test_a_reference_is_fetched_first(value: str | dict[str, Any]) -> None:
    """An object that is only named, or not whole, is fetched at its own id."""
    assert does("Create", value, follows_sender=True) == [fx.Fetch(NOTE)]


def test_a_fetched_note_is_kept_as_fetched() -> None:
    """What was fetched counts, not the fragment that was embedded."""
    (kept,) = does("Create", {"id": NOTE}, follows_sender=True, fetched={NOTE: note(content="whole")})
    assert (kept.document["content"], kept.embedded) == ("whole", False)


def test_what_cannot_be_fetched_is_ignored() -> None:
    """A reference into nowhere is given up."""
    assert ignored(does("Create", NOTE, follows_sender=True, unavailable=frozenset({NOTE}))) == "object-unavailable"


@pytest.mark.parametrize(
    ("stored", "reason"),
    [(theirs(), "already-known"), (theirs(deleted=True), "gone"), (ours(), "already-known")],
)
def test_a_create_never_replaces(stored: fx.KnownObject, reason: str) -> None:
    """What is here already stays as it is, and what was deleted never comes back."""
    assert ignored(does("Create", note(), follows_sender=True, stored=stored)) == reason


@pytest.mark.parametrize(
    "document",
    [
        note(author=EVE),
        note(author=[BOB, EVE]),
        note(author=[]),
        note(author={"name": "nobody"}),
        note(actor=EVE),
    ],
)
def test_only_its_one_author_creates_a_note(document: dict[str, Any]) -> None:
    """Another author, several, none, or a second owner: not the author."""
    assert ignored(does("Create", document, follows_sender=True)) == "not-the-author"


def test_a_note_by_another_id_than_asked_for_is_not_kept() -> None:
    """A fetched document that calls itself something else is not the object."""
    fetched = {NOTE: note(f"{PEER}/notes/2")}
    assert ignored(does("Create", NOTE, follows_sender=True, fetched=fetched)) == "not-the-author"


def test_an_object_from_another_origin_is_not_created() -> None:
    """An actor creates only on its own origin."""
    assert ignored(does("Create", note(FAR), follows_sender=True)) == "foreign-object"


@pytest.mark.parametrize("kind", ["Person", "Tombstone", "Create", "Whatever"])
def test_only_known_kinds_of_objects_are_kept(kind: str) -> None:
    """Actors, tombstones and unknown things are not posts."""
    assert ignored(does("Create", note(type=kind), follows_sender=True)) == "unknown-object-type"


@pytest.mark.parametrize("kind", sorted(fx.OBJECT_TYPES))
def test_every_kind_of_post_is_kept(kind: str) -> None:
    """Notes, articles, questions, events and media are all posts; a list of types counts by its first."""
    (kept,) = does("Create", note(type=[kind, "Other"]), follows_sender=True)
    assert isinstance(kept, fx.KeepObject)


def test_a_second_owner_field_that_agrees_is_fine() -> None:
    """``actor`` beside ``attributedTo`` is taken when both name the author."""
    (kept,) = does("Create", note(actor=BOB, attributedTo=[BOB]), follows_sender=True)
    assert isinstance(kept, fx.KeepObject)


# --- Update


def updated(minutes: float = 0, **changes: Any) -> dict[str, Any]:
    """Return Bob's note with an ``updated`` some minutes after the stored one's."""
    moment = theirs().updated
    assert moment is not None
    return note(updated=rfc3339(moment + timedelta(minutes=minutes)), **changes)


def test_a_newer_version_replaces() -> None:
    """The author's newer Update is kept, whoever asked for the first version."""
    (kept,) = does("Update", updated(1), stored=theirs())
    assert does("Update", updated(0), stored=theirs())[0] == replace(kept, document=updated(0))
    assert (kept.is_update, kept.by_author) == (True, True)


@pytest.mark.parametrize("document", [updated(-5), note(), note(published="2020-01-01T00:00:00Z")])
def test_an_older_or_undated_version_does_not_replace(document: dict[str, Any]) -> None:
    """Replays and undated versions lose against what is known."""
    assert ignored(does("Update", document, stored=theirs())) == "older-than-known"


def test_an_undated_object_takes_any_version() -> None:
    """Where nothing is known about the time, the version that came last counts."""
    (kept,) = does("Update", note(), stored=theirs(updated=None))
    assert kept.is_update


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (theirs(owner=EVE), "not-the-author"),
        (ours(id=NOTE), "not-the-author"),
        (ours(id=NOTE, owner=BOB), "not-the-author"),
        (theirs(deleted=True), "gone"),
    ],
)
def test_nobody_updates_what_is_not_theirs(stored: fx.KnownObject, reason: str) -> None:
    """Another's object, one of ours, and what is gone stay as they are."""
    assert ignored(does("Update", updated(1), stored=stored)) == reason


def test_an_update_of_something_unknown_counts_like_a_create() -> None:
    """A first sight of a wanted object is kept, also when it comes as an Update."""
    assert does("Update", note(), follows_sender=True) == [KEPT]
    assert ignored(does("Update", note())) == "nobody-here-asked"


def test_an_update_may_need_a_fetch_first() -> None:
    """A referenced newer version is fetched before it is compared."""
    assert does("Update", NOTE, stored=theirs()) == [fx.Fetch(NOTE)]


@pytest.mark.parametrize("value", [BOB, person(BOB)])
def test_an_actor_updates_itself(value: str | dict[str, Any]) -> None:
    """An actor's own Update asks for its document afresh; what is embedded is not believed."""
    assert does("Update", value) == [fx.KeepActor(BOB)]


def test_an_actor_updates_nobody_else() -> None:
    """Another account's document is not taken from a neighbour."""
    assert ignored(does("Update", person(EVE))) == "not-the-author"


# --- Delete


@pytest.mark.parametrize("value", [NOTE, {"id": NOTE, "type": "Tombstone"}])
def test_an_author_deletes_a_note(value: str | dict[str, Any]) -> None:
    """A Delete by the owner buries the object, embedded tombstone or not."""
    assert does("Delete", value, stored=theirs()) == [fx.BuryObject(NOTE, BOB)]


def test_a_delete_that_comes_first_is_remembered_for_its_actor_alone() -> None:
    """A Delete that overtakes its Create leaves word of its actor; a neighbour's Delete cannot bury the object."""
    assert does("Delete", NOTE) == [fx.RememberUndone(NOTE, BOB)]
    assert does("Create", note(), object_undone=True, follows_sender=True) == [fx.Ignore("gone")]


@pytest.mark.parametrize(
    ("target", "stored", "reason"),
    [
        (NOTE, theirs(owner=EVE), "not-the-author"),
        (POST, ours(), "not-the-author"),
        (POST, ours(owner=BOB), "not-the-author"),
        (NOTE, theirs(deleted=True), "gone"),
        (FAR, None, "foreign-object"),
        (POST, None, "foreign-object"),
    ],
)
def test_nobody_deletes_what_is_not_theirs(target: str, stored: fx.KnownObject | None, reason: str) -> None:
    """Another's object, ours, and what stands on another origin stay."""
    assert ignored(does("Delete", target, stored=stored)) == reason


def test_an_account_deletes_itself() -> None:
    """An actor's own Delete drops the account."""
    assert does("Delete", BOB) == [fx.DropActor(BOB)]


# --- Announce and Like


@pytest.mark.parametrize("kind", ["Announce", "Like"])
def test_our_post_is_boosted_and_liked(kind: Any) -> None:
    """Boosts and likes of open posts are recorded with the activity that made them."""
    assert does(kind, POST, stored=ours()) == [fx.RecordInteraction(kind, BOB, POST, f"{PEER}/activities/1")]


@pytest.mark.parametrize(
    ("kind", "visibility", "recorded"),
    [
        ("Announce", Visibility.UNLISTED, True),
        ("Announce", Visibility.FOLLOWERS, False),
        ("Announce", Visibility.DIRECT, False),
        ("Like", Visibility.FOLLOWERS, True),
        ("Like", Visibility.DIRECT, True),
    ],
)
def test_only_open_posts_are_boosted(kind: str, visibility: Visibility, recorded: bool) -> None:  # noqa: FBT001 - a table
    """A boost spreads a post, a like does not."""
    found = does(kind, POST, stored=ours(visibility=visibility))
    if recorded:
        assert isinstance(found[0], fx.RecordInteraction)
    else:
        assert ignored(found) == "not-announceable"


def test_an_author_boosts_their_own_closed_post() -> None:
    """The owner may show their own followers-only post again."""
    stored = theirs(visibility=Visibility.FOLLOWERS)
    assert isinstance(does("Announce", NOTE, stored=stored)[0], fx.RecordInteraction)


@pytest.mark.parametrize("kind", ["Announce", "Like"])
def test_what_is_deleted_is_neither_boosted_nor_liked(kind: str) -> None:
    """A tombstone collects nothing."""
    assert ignored(does(kind, POST, stored=ours(deleted=True))) == "not-announceable"


def test_likes_and_boosts_of_nothing_here_are_ignored() -> None:
    """Likes of strangers' posts, and boosts of posts that we never had, do nothing."""
    assert ignored(does("Like", FAR, follows_sender=True)) == "likes-nothing-here"
    assert ignored(does("Announce", POST, follows_sender=True)) == "nothing-here"
    assert ignored(does("Announce", FAR)) == "nobody-here-asked"


def test_a_boost_of_a_strangers_post_is_fetched_from_its_origin() -> None:
    """An embedded copy is never believed: the origin is asked."""
    assert does("Announce", note(FAR, CAROL), follows_sender=True) == [fx.Fetch(FAR)]
    assert ignored(does("Announce", FAR, follows_sender=True, unavailable=frozenset({FAR}))) == "object-unavailable"


def test_a_boosted_strangers_post_is_kept_as_its_authors() -> None:
    """The fetched document is kept under its author, never as the booster's word."""
    kept, record = does("Announce", FAR, follows_sender=True, fetched={FAR: note(FAR, CAROL)})
    assert (kept.owner, kept.by_author, kept.embedded) == (CAROL, False, False)
    assert record == fx.RecordInteraction("Announce", BOB, FAR, f"{PEER}/activities/1")


def test_a_boost_through_an_alias_names_the_real_id() -> None:
    """After a redirect the object counts under its own id."""
    alias = "https://far.example/@carol/9"
    kept, record = does("Announce", alias, follows_sender=True, fetched={alias: note(FAR, CAROL)})
    assert (kept.document["id"], record.object) == (FAR, FAR)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (note(FAR, BOB), "not-the-author"),
        (note(FAR, [CAROL, BOB]), "not-the-author"),
        (note(FAR, None), "not-the-author"),
        (note(FAR, CAROL, actor=BOB), "not-the-author"),
        (note(FAR, CAROL, id=None), "not-the-author"),
        (note(FAR, CAROL, to=[f"{CAROL}/followers"]), "not-announceable"),
        (note(FAR, CAROL, to=[BOB]), "not-announceable"),
        (note(FAR, CAROL, type="Person"), "not-announceable"),
    ],
)
def test_a_boost_does_not_bring_in_everything(document: dict[str, Any], reason: str) -> None:
    """Only an open post by one author of its own origin is kept because of a boost."""
    assert ignored(does("Announce", FAR, follows_sender=True, fetched={FAR: document})) == reason


# --- Undo


@pytest.mark.parametrize(
    ("kind", "target", "forgotten"),
    [
        ("Follow", ALICE, fx.ForgetFollow(BOB, ALICE)),
        ("Like", POST, fx.ForgetInteraction("Like", BOB, POST)),
        ("Announce", POST, fx.ForgetInteraction("Announce", BOB, POST)),
        ("Block", ALICE, fx.ForgetBlock(BOB, ALICE)),
    ],
)
@pytest.mark.parametrize("how", ["by id", "embedded"])
def test_an_undo_takes_back_what_the_same_actor_did(kind: str, target: str, forgotten: fx.Effect, how: str) -> None:
    """By id or embedded, the record goes and the activity is remembered as undone."""
    embedded = {"id": DONE, "type": kind, "actor": BOB, "object": target}
    done = {"type": kind, "actor": BOB, "object": target}
    found = does("Undo", embedded) if how == "embedded" else does("Undo", DONE, undone_activity=done)
    assert found == [forgotten, fx.RememberUndone(DONE, BOB)]


def test_the_record_counts_more_than_what_is_embedded() -> None:
    """What is undone is what was done, not what the Undo says it was."""
    lying = {"id": DONE, "type": "Block", "actor": BOB, "object": ALICE}
    found = does("Undo", lying, undone_activity={"type": "Like", "actor": BOB, "object": POST})
    assert found[0] == fx.ForgetInteraction("Like", BOB, POST)


@pytest.mark.parametrize(
    ("target", "facts", "reason"),
    [
        ({"id": DONE, "type": "Like", "actor": EVE, "object": POST}, {}, "not-the-author"),
        (DONE, {"undone_activity": {"type": "Like", "actor": EVE, "object": POST}}, "not-the-author"),
        ({"id": FAR, "type": "Like", "actor": BOB, "object": POST}, {}, "foreign-object"),
    ],
)
def test_nobody_undoes_what_another_did(target: str | dict[str, Any], facts: dict[str, Any], reason: str) -> None:
    """Another's activity stands, whatever an Undo claims."""
    assert ignored(does("Undo", target, **facts)) == reason


@pytest.mark.parametrize(
    "target", [DONE, {"id": DONE, "type": "Like", "actor": BOB}, {"id": DONE, "type": "Create", "object": NOTE}]
)
def test_an_undo_that_comes_first_is_remembered(target: str | dict[str, Any]) -> None:
    """What has not arrived, or cannot be taken back otherwise, is at least never replayed."""
    assert does("Undo", target) == [fx.RememberUndone(DONE, BOB)]


def test_an_accept_can_be_taken_back() -> None:
    """The followed actor can end a follow of ours by undoing its Accept; nobody else can."""
    embedded = {"id": DONE, "type": "Accept", "actor": BOB, "object": f"{HOME}/activities/7"}
    assert does("Undo", embedded, follow=follow()) == [
        fx.SettleFollow(ALICE, BOB, "rejected"),
        fx.RememberUndone(DONE, BOB),
    ]
    assert does("Undo", embedded, follow=follow(followed=CAROL)) == [fx.RememberUndone(DONE, BOB)]
    assert does("Undo", embedded) == [fx.RememberUndone(DONE, BOB)]
