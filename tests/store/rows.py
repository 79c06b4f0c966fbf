"""Rows: one short call makes one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.activitypub.addressing import Visibility
from gateway.preferences import Preferences
from gateway.store.accounts import Account
from gateway.store.arrivals import ArrivalRow
from gateway.store.objects import MediaFile, Sent, Stored
from gateway.store.relations import RemoteActor
from gateway.urls import origin_of

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
ALICE = "https://gw.example/users/alice"
BOB = "https://peer.example/users/bob"
PEER = origin_of("https://peer.example")
# The migrations that ran, by name: written out, because no name may ever change.
APPLIED = [
    "0001_first",
    "0002_clients",
    "0003_bounds",
    "0004_turns",
    "0005_seals",
    "0006_fewer_indexes",
    "0007_open",
    "0008_hashed_arrivals",
]


def later(**delta: float) -> datetime:
    """Return a moment after ``NOW``."""
    return NOW + timedelta(**delta)


def account(name: str = "alice", **changes: Any) -> Account:
    """Return an account."""
    fields: dict[str, Any] = {
        "id": f"https://gw.example/users/{name}", "name": name, "display_name": name.title(),
        "prefs": Preferences.of(train_gen="n"), "created": NOW, "updated": NOW, **changes,
    }  # fmt: skip
    return Account(**fields)


def stored(object_id: str = "https://gw.example/posts/1", **changes: Any) -> Stored:
    """Return an object."""
    fields: dict[str, Any] = {
        "id": object_id, "local": True, "type": "Note", "owner": ALICE, "visibility": Visibility.PUBLIC,
        "document": {"id": object_id, "content": "<p>x</p>"}, "prefs": Preferences.of(train_gen="n"), "published": NOW,
        **changes,
    }  # fmt: skip
    return Stored(**fields)


def sent(number: int = 1, **changes: Any) -> Sent:
    """Return one of our activities."""
    fields: dict[str, Any] = {
        "id": f"https://gw.example/activities/{number}", "actor": ALICE, "type": "Create",
        "object": f"https://gw.example/posts/{number}", "visibility": Visibility.PUBLIC, "body": b'{"x":1}',
        "created": later(seconds=number), **changes,
    }  # fmt: skip
    return Sent(**fields)


def media(media_id: str = "m1", **changes: Any) -> MediaFile:
    """Return an uploaded file."""
    fields: dict[str, Any] = {
        "id": media_id, "owner": ALICE, "name": "a.png", "media_type": "image/png", "size": 3, "sha256": "00" * 32,
        "alt": "a cat", "created": NOW, **changes,
    }  # fmt: skip
    return MediaFile(**fields)


def remote(actor_id: str = BOB, **changes: Any) -> RemoteActor:
    """Return a remote actor."""
    fields: dict[str, Any] = {
        "id": actor_id, "origin": str(origin_of(actor_id)), "name": "bob", "inbox": f"{actor_id}/inbox",
        "shared_inbox": None, "document": {"id": actor_id}, "fetched": NOW, **changes,
    }  # fmt: skip
    return RemoteActor(**fields)


def arrival(number: int = 1, **changes: Any) -> ArrivalRow:
    """Return an arrival."""
    fields: dict[str, Any] = {
        "id": f"https://peer.example/activities/{number}", "actor": BOB, "origin": str(PEER),
        "inbox": "https://gw.example/inbox", "body": b"{}", "headers": [("date", "x"), ("date", "y")],
        "verdict": {"scheme": "cavage"}, "received": NOW, **changes,
    }  # fmt: skip
    return ArrivalRow(**fields)
