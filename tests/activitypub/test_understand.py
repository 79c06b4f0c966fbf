"""From a strict JSON object to an Activity."""

from __future__ import annotations

import json
from datetime import UTC, datetime
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
from gateway.preferences import Auth, Declarant, DeclarantKind, combined

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
    with pytest.raises(MalformedDocument) as malformed:
        actor_of({"actor": actor})
    assert malformed.value.reason == "no-actor"
    with pytest.raises(MalformedDocument):
        read(actor=actor)


@pytest.mark.parametrize("activity_id", [None, 7, "", "urn:uuid:1", "https://"])
def test_an_activity_has_an_id(activity_id: object) -> None:
    """An activity without an http(s) id is malformed."""
    with pytest.raises(MalformedDocument) as malformed:
        id_checked({"id": activity_id}, BOB)
    assert malformed.value.reason == "no-id"
    with pytest.raises(MalformedDocument):
        read(id=activity_id)


@pytest.mark.parametrize(
    "activity_id", ["https://other.example/a/1", "http://peer.example/a/1", "https://peer.example:8443/a"]
)
def test_the_id_is_on_the_actors_origin(activity_id: str) -> None:
    """Another host, scheme or port is refused by name."""
    with pytest.raises(Refused) as refused:
        id_checked({"id": activity_id}, BOB)
    assert refused.value.reason == "foreign-id"
    with pytest.raises(Refused):
        read(id=activity_id)


def test_ids_may_be_as_long_as_urls() -> None:
    """An id of 2048 characters is one, and one more is too many."""
    longest = f"{BOB}/".ljust(2048, "a")
    found = read(id=longest, actor=longest)
    assert (found.id, found.actor) == (longest, longest)
    with pytest.raises(MalformedDocument):
        read(id=f"{longest}a")


def test_every_part_of_an_activity_is_kept() -> None:
    """The id, the embedded object, the target and the time go on to whoever acts."""
    found = read(target=f"{BOB}/featured")
    assert (found.id, found.target) == ("https://peer.example/activities/1", f"{BOB}/featured")
    assert found.object == document()["object"]
    assert found.published == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert read(object=NOTE).object is None


@pytest.mark.parametrize("name", ["to", "cc", "audience"])
def test_whom_an_activity_is_for(name: str) -> None:
    """To, cc and audience of the activity, and to and cc of its object, are its addresses."""
    carol, object_ = "https://peer.example/users/carol", {"id": NOTE, "type": "Note"}
    assert read(**{"to": None, name: carol, "object": object_}).audience == {carol}
    embedded = {**object_, name: carol}
    assert read(to=None, object=embedded).audience == (set() if name == "audience" else {carol})


def test_whose_words_they_are() -> None:
    """What an activity and its object state is stated by its actor, known in the way that the actor is known."""
    made = document(contentUsage="search=n")
    for auth in (Auth.HTTP_SIGNATURE, Auth.OBJECT_PROOF):
        found = understand(made, b"", READER, auth)[0]
        assert {s.declared_by for s in found.statements} == {Declarant(kind=DeclarantKind.AUTHOR, id=BOB, auth=auth)}
    assert {s.declared_by.auth for s in read().statements} == {Auth.HTTP_SIGNATURE}


def test_what_an_activity_and_its_object_state_is_about_the_object() -> None:
    """Terms on the activity and terms inside its object both count, for the object."""
    found = read(contentUsage="search=n")
    assert combined(found.statements, at=AT).as_json() == {"train-gen": "n", "search": "n"}
    assert {s.subject.ref for s in found.statements} == {NOTE}


@pytest.mark.parametrize(
    ("times", "asserted"),
    [
        ({"updated": "2026-11-22T12:00:00Z", "published": "2026-11-22T10:00:00Z"}, 12),
        ({"updated": "2026-11-22T12:00:00Z"}, 12),
        ({"published": "2026-11-22T10:00:00Z"}, 10),
        ({"updated": "soon", "published": "2026-11-22T10:00:00Z"}, 10),
        ({}, None),
    ],
)
def test_when_it_was_said(times: dict[str, str], asserted: int | None) -> None:
    """What an object states was said when it was updated, else when it was published, else at no known time."""
    found = read(object={"id": NOTE, "type": "Note", "contentUsage": "train-ai=n", **times})
    expected = None if asserted is None else datetime(2026, 11, 22, asserted, tzinfo=UTC)
    assert {s.asserted_at for s in found.statements} == {expected}
    announced = read(type="Announce", object=NOTE, contentUsage="train-ai=n", **times)
    assert {s.asserted_at for s in announced.statements} == {None}


def test_graphs_are_not_taken() -> None:
    """Keywords that move statements between subjects are malformed here."""
    with pytest.raises(MalformedDocument):
        read(**{"@graph": []})


def test_addresses_are_bounded() -> None:
    """Of thousands of addresses only the first of each list are read."""
    many = [f"https://x.example/{i}" for i in range(5_000)]
    assert len(read(to=many, cc=many, audience=many).audience) == MAX_ITEMS + 1
