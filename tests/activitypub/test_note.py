"""Our own posts as objects, and their graves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import Attached, Draft, note, tombstone
from gateway.jsonld.contexts import PUBLIC

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ALICE = "https://gw.example/users/alice"
BOB = "https://peer.example/users/bob"


def made(draft: Draft, **changes: Any) -> dict[str, Any]:
    """Return the Note of a draft."""
    facts: dict[str, Any] = {
        "object_id": "https://gw.example/posts/1",
        "author": ALICE,
        "page": "https://gw.example/@alice/1",
        "published": NOW,
        "tag_base": "https://gw.example/tags/",
        **changes,
    }
    return note(draft, **facts)


def test_a_plain_post() -> None:
    """A post has id, author, content, source, time, page and addresses, and nothing it does not need."""
    assert made(Draft(text="hello")) == {
        "id": "https://gw.example/posts/1", "type": "Note", "attributedTo": ALICE, "content": "<p>hello</p>",
        "source": {"content": "hello", "mediaType": "text/plain"}, "published": "2026-11-23T09:00:00Z",
        "url": "https://gw.example/@alice/1", "to": [PUBLIC], "cc": [f"{ALICE}/followers"],
        "replies": "https://gw.example/posts/1/replies",
        "likes": "https://gw.example/posts/1/likes",
        "shares": "https://gw.example/posts/1/shares", "tag": [], "attachment": [], "sensitive": False,
    }  # fmt: skip


def test_everything_an_author_can_add() -> None:
    """Warning, language, reply, mention, hashtag and edit time each have their place."""
    draft = Draft(
        text="@bob@peer.example #NoAI", warning="loud", language="ja", reply_to="https://peer.example/notes/1",
        mentioned=(("@bob@peer.example", BOB),), visibility=Visibility.UNLISTED,
    )  # fmt: skip
    found = made(draft, updated=NOW)
    assert (found["summary"], found["sensitive"]) == ("loud", True)
    assert found["contentMap"] == {"ja": found["content"]}
    assert found["inReplyTo"] == "https://peer.example/notes/1"
    assert found["updated"] == "2026-11-23T09:00:00Z"
    assert (found["to"], found["cc"]) == ([f"{ALICE}/followers"], [PUBLIC, BOB])
    assert found["tag"] == [
        {"type": "Mention", "href": BOB, "name": "@bob@peer.example"},
        {"type": "Hashtag", "href": "https://gw.example/tags/noai", "name": "#NoAI"},
    ]


@pytest.mark.parametrize(
    ("media_type", "kind"),
    [("image/png", "Image"), ("video/mp4", "Video"), ("audio/ogg", "Audio"), ("application/pdf", "Document")],
)
def test_attachments(media_type: str, kind: str) -> None:
    """A file is an Image, Video, Audio or Document with its alternative text and, where known, its size."""
    files = (
        Attached(url="https://gw.example/media/1/a", media_type=media_type, alt="a cat", width=3, height=4),
        Attached(url="https://gw.example/media/2/b", media_type=media_type, width=3),
    )
    first, second = made(Draft(text="", attached=files))["attachment"]
    assert first == {"type": kind, "mediaType": media_type, "url": "https://gw.example/media/1/a", "name": "a cat",
                     "width": 3, "height": 4}  # fmt: skip
    assert second == {"type": kind, "mediaType": media_type, "url": "https://gw.example/media/2/b"}


def test_a_tombstone() -> None:
    """What is left says what it was and when it went."""
    assert tombstone("https://gw.example/posts/1", "Note", NOW) == {
        "id": "https://gw.example/posts/1", "type": "Tombstone", "formerType": "as:Note",
        "deleted": "2026-11-23T09:00:00Z",
    }  # fmt: skip
