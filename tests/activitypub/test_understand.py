"""From a strict JSON object to an Activity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonld.loading import pinned
from preferences.samples import AT

from gateway.activitypub.labels import Reader
from gateway.activitypub.properties import MAX_ITEMS
from gateway.activitypub.understand import actor_of, id_checked, understand
from gateway.carriers.jsonld_terms import CONTEXT
from gateway.errors import MalformedDocument, Refused
from gateway.jsonld.contexts import AS2, PUBLIC
from gateway.preferences import DeclarantKind, combined

if TYPE_CHECKING:
    from gateway.activity import Activity

READER = Reader(contexts=pinned(), observed_at=AT)
BOB = "https://peer.example/users/bob"
NOTE = "https://peer.example/notes/1"


def document(**changes: Any) -> dict[str, Any]:
    """Return a Create of a labelled note."""
    return {
        "@context": [AS2, CONTEXT],
        "id": "https://peer.example/activities/1",
        "type": "Create",
        "actor": BOB,
        "published": "2026-11-22T10:00:00Z",
        "to": [PUBLIC],
        "object": {"id": NOTE, "type": "Note", "cc": [f"{BOB}/followers"], "contentUsage": "train-ai=n"},
        **changes,
    }


def read(**changes: Any) -> Activity:
    """Return the activity of ``document(**changes)``."""
    made = document(**changes)
    return understand(made, json.dumps(made).encode(), READER)[0]


def test_a_create_is_understood() -> None:
    """Id, actor, object, addresses of both, time, statements and the bytes are all kept."""
    found = read()
    assert (found.type, found.actor, found.object_id) == ("Create", BOB, NOTE)
    assert found.audience == {PUBLIC, f"{BOB}/followers"}
    assert found.published is not None
    assert json.loads(found.raw) == dict(found.document)
    assert combined(found.statements, at=AT).as_json() == {"train-gen": "n"}


@pytest.mark.parametrize(
    ("kind", "role"),
    [("Create", DeclarantKind.AUTHOR), ("Update", DeclarantKind.AUTHOR), ("Delete", DeclarantKind.AUTHOR),
     ("Announce", DeclarantKind.INTERMEDIARY), ("Like", DeclarantKind.INTERMEDIARY)],
)  # fmt: skip
def test_who_creates_speaks_as_author_who_boosts_does_not(kind: str, role: DeclarantKind) -> None:
    """The role of a statement follows from what its speaker does."""
    assert {s.declared_by.kind for s in read(type=kind, contentUsage="ai-use=n").statements} == {role}


def test_terms_on_the_activity_are_those_of_its_object() -> None:
    """What stands on an Announce is said about the announced object."""
    found = read(type="Announce", object="https://gw.example/posts/1", contentUsage="train-ai=y")
    assert [s.subject.ref for s in found.statements] == ["https://gw.example/posts/1"]


@pytest.mark.parametrize(
    ("value", "object_id"),
    [(NOTE, NOTE), ([NOTE, "https://x.example"], NOTE), ([], ""), (None, ""), ({"type": "Note"}, "")],
)
def test_an_object_has_one_id(value: object, object_id: str) -> None:
    """The object is named by its id, by itself, or by the first of a list."""
    assert read(object=value).object_id == object_id


@pytest.mark.parametrize(
    "actor",
    [None, "", "bob", [BOB, f"{BOB}2"], [], 7, {"name": "x"}, "ftp://x.example/u", f"{BOB}{'x' * 3000}"],
)  # fmt: skip
def test_an_activity_has_exactly_one_actor(actor: object) -> None:
    """No actor, several, or one without an http(s) id: malformed."""
    with pytest.raises(MalformedDocument):
        actor_of({"actor": actor})


@pytest.mark.parametrize("activity_id", [None, 7, "", "urn:uuid:1", "https://"])
def test_an_activity_has_an_id(activity_id: object) -> None:
    """An activity without an http(s) id is malformed."""
    with pytest.raises(MalformedDocument):
        id_checked({"id": activity_id}, BOB)


@pytest.mark.parametrize(
    "activity_id", ["https://other.example/a/1", "http://peer.example/a/1", "https://peer.example:8443/a"]
)
def test_the_id_is_on_the_actors_origin(activity_id: str) -> None:
    """Another host, scheme or port is refused by name."""
    with pytest.raises(Refused) as refused:
        id_checked({"id": activity_id}, BOB)
    assert refused.value.reason == "foreign-id"


def test_graphs_are_not_taken() -> None:
    """Keywords that move statements between subjects are malformed here."""
    with pytest.raises(MalformedDocument):
        read(**{"@graph": []})


def test_addresses_are_bounded() -> None:
    """Of thousands of addresses only the first of each list are read."""
    many = [f"https://x.example/{i}" for i in range(5_000)]
    assert len(read(to=many, cc=many, audience=many).audience) == MAX_ITEMS + 1
