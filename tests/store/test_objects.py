"""Objects, our activities, media, recipients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from store.rows import ALICE, BOB, NOW, later, media, sent, stored

from gateway.activitypub.addressing import Visibility
from gateway.preferences import NOTHING, Preferences

if TYPE_CHECKING:
    from gateway.store.store import Store

POST = "https://gw.example/posts/1"
OPEN = (Visibility.PUBLIC, Visibility.UNLISTED)


def test_an_object_is_kept_whole(store: Store) -> None:
    """Every field comes back as it was."""
    whole = stored(
        visibility=Visibility.DIRECT, own_prefs=Preferences.of(search="y"), in_reply_to="https://x.example/1",
        updated=later(hours=1), deleted=later(hours=2),
    )  # fmt: skip
    store.objects.save(whole)
    assert store.objects.get(POST) == whole
    assert store.objects.get("nothing") is None


def test_a_saved_object_is_replaced_but_keeps_owner_and_time(store: Store) -> None:
    """A newer version changes content and preferences, never the owner or when it was published."""
    store.objects.save(stored(), ["NoAI", "noai", "art"])
    store.objects.save(stored(owner=BOB, published=later(days=1), prefs=NOTHING, type="Tombstone", deleted=NOW))
    found = store.objects.get(POST)
    assert found is not None
    assert (found.owner, found.published, found.prefs, found.type) == (ALICE, NOW, NOTHING, "Tombstone")
    assert store.database.rows("SELECT * FROM object_tag") == []


def test_tags_are_kept_once_in_lower_case(store: Store) -> None:
    """Two spellings of a hashtag are one tag."""
    store.objects.save(stored(), ["NoAI", "noai", "Art"])
    assert [row["tag"] for row in store.database.rows("SELECT tag FROM object_tag")] == ["art", "noai"]


def test_what_effects_need_to_know(store: Store) -> None:
    """The version of an object is its update, else its publication; deleted is a fact."""
    fresh, edited = stored(), stored(updated=later(hours=1), deleted=NOW)
    assert (fresh.known.updated, fresh.known.deleted) == (NOW, False)
    assert (edited.known.updated, edited.known.deleted) == (later(hours=1), True)
    assert store.objects.get(POST) is None


def test_an_authors_objects_newest_first(store: Store) -> None:
    """Open and living posts are told apart from the others."""
    changes: list[dict[str, Any]] = [
        {}, {"visibility": Visibility.UNLISTED}, {"visibility": Visibility.FOLLOWERS}, {"deleted": NOW}, {"owner": BOB},
    ]  # fmt: skip
    for number, changed in enumerate(changes):
        store.objects.save(stored(f"p{number}", published=later(minutes=number), **changed))
    assert [o.id for o in store.objects.by_owner(ALICE)] == ["p1", "p0"]
    assert [o.id for o in store.objects.by_owner(ALICE, open_only=False)] == ["p2", "p1", "p0"]
    assert [o.id for o in store.objects.by_owner(ALICE, limit=1)] == ["p1"]
    assert store.objects.of_owner_to_bury(ALICE) == ["p0", "p1", "p2"]
    assert store.objects.count_local() == 3


def test_public_posts_with_a_hashtag(store: Store) -> None:
    """Our own living public posts with a tag are found in any case, newest first."""
    changes: list[dict[str, Any]] = [
        {}, {}, {"visibility": Visibility.UNLISTED}, {"local": False}, {"deleted": NOW},
    ]  # fmt: skip
    for number, changed in enumerate(changes):
        store.objects.save(stored(f"p{number}", published=later(minutes=number), **changed), ["NoAI"])
    assert [o.id for o in store.objects.by_tag("NOAI")] == ["p1", "p0"]
    assert store.objects.by_tag("other") == []


def test_open_replies_oldest_first(store: Store) -> None:
    """Closed and deleted replies are not shown."""
    store.objects.save(stored("r2", in_reply_to=POST, published=later(minutes=2), local=False))
    store.objects.save(stored("r1", in_reply_to=POST, published=later(minutes=1)))
    store.objects.save(stored("r3", in_reply_to=POST, visibility=Visibility.DIRECT))
    store.objects.save(stored("r4", in_reply_to=POST, deleted=NOW))
    assert [o.id for o in store.objects.replies(POST)] == ["r1", "r2"]


def test_which_ids_are_our_own(store: Store) -> None:
    """Our objects and our files are found with their preferences; others' objects are not."""
    store.objects.save(stored())
    store.objects.save(stored("https://peer.example/notes/1", local=False))
    store.objects.save_media(media("m1", object=POST))
    file = "https://gw.example/media/m1/a.png"
    asked = [
        POST,
        file,
        "https://peer.example/notes/1",
        "https://gw.example/media/m2/a.png",
        "https://gw.example/posts/2",
    ]
    assert store.objects.owned_local_ids(asked) == {
        POST: Preferences.of(train_gen="n"),
        file: Preferences.of(train_gen="n"),
    }


def test_wildcards_in_a_strangers_id_match_nothing(store: Store) -> None:
    """Characters that mean something to LIKE are only characters."""
    store.objects.save(stored())
    store.objects.save_media(media("m1", object=POST))
    assert store.objects.owned_local_ids(["https://gw.example/media/%/x", "https://gw.example/media/__/x", "%"]) == {}


def test_activities_are_kept_as_bytes(store: Store) -> None:
    """What was sent is served again byte for byte, and can be taken back once."""
    made = sent(body=b"\x00\xff{}")
    store.objects.save_activity(made)
    assert store.objects.activity(made.id) == made
    assert store.objects.activity("nothing") is None
    store.objects.undo_activity(made.id, NOW)
    assert store.objects.activity(made.id) == replace(made, undone=True)


def test_the_latest_activity_that_stands(store: Store) -> None:
    """The newest one of a type on an object counts, without what was undone."""
    for number in (1, 2, 3):
        store.objects.save_activity(sent(number, type="Like", object=POST))
    store.objects.save_activity(sent(4, type="Announce", object=POST))
    store.objects.undo_activity("https://gw.example/activities/3", NOW)
    found = store.objects.latest_activity(ALICE, "Like", POST)
    assert found is not None
    assert found.id.endswith("/2")
    assert store.objects.latest_activity(ALICE, "Like", "nothing") is None


def test_the_outbox_shows_what_is_open_and_stands(store: Store) -> None:
    """What is open, not undone and not deleted, newest first, page by page."""
    store.objects.save(stored("https://gw.example/posts/5", deleted=NOW))
    changes: list[dict[str, Any]] = [
        {}, {"type": "Like"}, {"visibility": Visibility.FOLLOWERS}, {"type": "Announce"}, {},
        {"visibility": Visibility.UNLISTED},
    ]  # fmt: skip
    for number, changed in enumerate(changes, 1):
        store.objects.save_activity(sent(number, **changed))
    store.objects.save_activity(sent(7))
    store.objects.undo_activity("https://gw.example/activities/7", NOW)
    shown = [a.id[-1] for a in store.objects.outbox(ALICE, before=None, limit=10, visibilities=OPEN)]
    assert shown == ["6", "4", "2", "1"]
    assert store.objects.outbox_size(ALICE, OPEN) == 4
    later = store.objects.outbox(ALICE, before="https://gw.example/activities/4", limit=10, visibilities=OPEN)
    assert [a.id[-1] for a in later] == ["2", "1"]


def test_media_is_kept_whole(store: Store) -> None:
    """A file's description comes back; its text and its post can change."""
    store.objects.save_media(media())
    assert store.objects.media("m1") == media()
    store.objects.save_media(media(alt="a dog", object=POST, name="other"))
    assert store.objects.media("m1") == media(alt="a dog", object=POST)
    assert store.objects.media("m2") is None


def test_recipients_are_remembered_once(store: Store) -> None:
    """Everybody who ever got an object is known for its edits and its deletion."""
    store.objects.remember_recipients(POST, ["a", "b"])
    store.objects.remember_recipients(POST, ["b", "c"])
    assert sorted(store.objects.recipients(POST)) == ["a", "b", "c"]
    assert store.objects.recipients("nothing") == []
