"""Activities and what is known: one short call makes one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.activity import Activity
from gateway.activitypub.addressing import Visibility
from gateway.activitypub.effects import Ignore, Known, KnownFollow, KnownObject, effects
from gateway.jsonld.contexts import PUBLIC

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOME = "https://gw.example"
ALICE = f"{HOME}/users/alice"
POST = f"{HOME}/posts/1"
PEER = "https://peer.example"
BOB = f"{PEER}/users/bob"
EVE = f"{PEER}/users/eve"
NOTE = f"{PEER}/notes/1"
FAR = "https://far.example/notes/9"
CAROL = "https://far.example/users/carol"


def note(note_id: str = NOTE, author: object = BOB, **changes: Any) -> dict[str, Any]:
    """Return a whole public Note; None in ``changes`` removes a member."""
    document = {"id": note_id, "type": "Note", "attributedTo": author, "content": "x", "to": [PUBLIC], **changes}
    return {name: value for name, value in document.items() if value is not None}


def person(actor_id: str = CAROL, **changes: Any) -> dict[str, Any]:
    """Return an actor document."""
    return {"id": actor_id, "type": "Person", "inbox": f"{actor_id}/inbox", **changes}


def activity(kind: str, about: str | dict[str, Any], actor: str = BOB, **changes: Any) -> Activity:
    """Return an activity; ``about`` is an id or an embedded object."""
    embedded = about if isinstance(about, dict) else None
    document = {"id": f"{PEER}/activities/1", "type": kind, "actor": actor, "object": about}
    fields: dict[str, Any] = {
        "id": document["id"],
        "type": kind,
        "actor": actor,
        "object_id": str(embedded.get("id", "")) if embedded is not None else about,
        "object": embedded,
        "document": document,
        **changes,
    }
    return Activity(**fields)


def known(**facts: Any) -> Known:
    """Return what is known: nothing but ``facts``."""
    return Known(now=NOW, base=HOME, **facts)


def theirs(**changes: Any) -> KnownObject:
    """Return Bob's stored note."""
    fields: dict[str, Any] = {
        "id": NOTE,
        "owner": BOB,
        "visibility": Visibility.PUBLIC,
        "local": False,
        "updated": NOW - timedelta(hours=1),
        **changes,
    }
    return KnownObject(**fields)


def ours(**changes: Any) -> KnownObject:
    """Return Alice's stored post."""
    return theirs(**{"id": POST, "owner": ALICE, "local": True, **changes})


def follow(state: str = "accepted", follower: str = ALICE, followed: str = BOB) -> KnownFollow:
    """Return a stored follow."""
    return KnownFollow(follower=follower, followed=followed, activity=f"{HOME}/activities/7", state=state)  # type: ignore[arg-type]


def ignored(found: list[Any]) -> str:
    """Return why nothing happens; fail when something does."""
    assert len(found) == 1, found
    assert isinstance(found[0], Ignore), found
    return found[0].reason


def does(kind: str, target: str | dict[str, Any], /, actor: str = BOB, **facts: Any) -> list[Any]:
    """Return the effects of an activity when ``facts`` are known."""
    return list(effects(activity(kind, target, actor), known(**facts)))
