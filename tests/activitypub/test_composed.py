"""What an author's own software composed, made fit to be published."""

from __future__ import annotations

from typing import Any

import pytest
from store.rows import NOW, later

from gateway.activitypub.addressing import Addressed
from gateway.activitypub.composed import (
    ACTIVITY_TYPES,
    PAGE_TYPES,
    Where,
    check_type,
    composed,
    fit,
    hashtags,
    is_activity,
    merged,
)
from gateway.clock import rfc3339
from gateway.errors import BadInput, Refused
from gateway.jsonld.contexts import PUBLIC
from gateway.signatures.owner import ACTOR_TYPES

ID = "https://gw.example/posts/1"
ALICE = "https://gw.example/users/alice"
BOB = "https://peer.example/users/bob"
TAGS = "https://gw.example/tags/"
WHERE = Where(object_id=ID, author=ALICE, page="https://gw.example/@alice/1", tag_base=TAGS)
NOTE = {"type": "Note", "content": "<p>hello</p>"}


def _composed(given: dict[str, Any], addressed: Addressed | None = None, **times: Any) -> dict[str, Any]:
    return composed(given, addressed or Addressed(to=(PUBLIC,)), WHERE, **{"published": NOW, **times})


@pytest.mark.parametrize("kind", sorted(ACTIVITY_TYPES))
def test_each_activity_of_the_vocabulary_is_one(kind: str) -> None:
    """Every activity type is known, even without an actor or object."""
    assert is_activity({"type": kind})


@pytest.mark.parametrize(
    ("document", "answer"),
    [
        ({"type": "Note"}, False),
        ({"type": "Question", "actor": ALICE, "object": ID, "oneOf": []}, False),
        ({"type": "Bite", "actor": ALICE, "object": ID}, True),
        ({"type": "Bite", "object": ID}, False),
        ({"type": "Bite", "actor": ALICE}, False),
        ({"type": "Relationship", "subject": ALICE, "object": BOB}, False),
        ({}, False),
    ],
)
def test_an_activity_is_told_from_an_object(document: dict[str, Any], *, answer: bool) -> None:
    """A poll is an object; an unknown type is an activity when somebody does something to something."""
    assert is_activity(document) is answer


@pytest.mark.parametrize(
    "document",
    [
        NOTE,
        {"type": "Note", "name": "n"},
        {"type": "Note", "summary": "s"},
        {"type": "Note", "attachment": [{"type": "Image"}]},
        {"type": "Note", "source": {"content": "x"}},
        {"type": "Article"},
        {"type": "Event"},
        {"type": "Collection"},
        {"type": "OrderedCollection"},
        {"type": "Question"},
        {"type": "Unheard"},
        {"type": ["Note", "Unheard"], "content": "x"},
    ],
)
def test_objects_may_be_published(document: dict[str, Any]) -> None:
    """Every object type is taken; only a Note has to say something."""
    assert check_type(document)


@pytest.mark.parametrize("kind", sorted(ACTOR_TYPES))
@pytest.mark.parametrize("listed", [False, True])
def test_nobody_is_made_by_a_client(kind: str, *, listed: bool) -> None:
    """An actor is refused, also as one type among several."""
    with pytest.raises(Refused) as refused:
        check_type({"type": ["Note", kind] if listed else kind, "content": "x"})
    assert refused.value.reason == "no-actors-here"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"type": ""},
        {"type": None},
        {"type": 5},
        {"type": []},
        {"type": "Note"},
        {"type": "Note", "content": "", "attachment": []},
        {"type": "Note", "url": "https://x.example/elsewhere"},
        {**NOTE, "@type": "Person"},
        *({"type": kind} for kind in ("Link", "Mention", "Hashtag", "Tombstone", *sorted(PAGE_TYPES))),
        {"type": "Like"},
        {"type": ["Note", "Create"], "content": "x"},
        {"type": ["Note", "Tombstone"], "content": "x"},
    ],
)
def test_what_stands_for_nothing_is_no_object(document: dict[str, Any]) -> None:
    """No type, an empty Note, links, pages, tombstones and activities are bad input."""
    with pytest.raises(BadInput):
        check_type(document)


def test_the_server_names_dates_and_addresses_an_object() -> None:
    """Id, author, page, time, addresses and collections are the server's; text is the client's."""
    addressed = Addressed(
        to=(PUBLIC,), cc=(BOB,), audience=("https://peer.example/g",), hidden=("https://x.example/h",)
    )
    document = _composed({**NOTE, "name": "title", "location": {"type": "Place", "name": "home"}}, addressed)
    assert document == {
        "id": ID,
        "type": "Note",
        "attributedTo": ALICE,
        "content": "<p>hello</p>",
        "name": "title",
        "location": {"type": "Place", "name": "home"},
        "published": rfc3339(NOW),
        "url": "https://gw.example/@alice/1",
        "to": [PUBLIC],
        "cc": [BOB],
        "audience": ["https://peer.example/g"],
        "replies": f"{ID}/replies",
        "likes": f"{ID}/likes",
        "shares": f"{ID}/shares",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("@context", "https://evil.example/"), ("@id", BOB), ("actor", BOB), ("bto", BOB), ("bcc", [BOB]),
        ("proof", {"type": "DataIntegrityProof"}), ("signature", {}), ("contentUsage", "train-ai=y"),
        ("aiUsage", {"prefs": {"tdm": "y"}}), ("updated", "2001-01-01T00:00:00Z"), ("inbox", f"{BOB}/inbox"),
        ("outbox", BOB), ("publicKey", {"id": BOB}), ("assertionMethod", []), ("endpoints", {}),
        ("preferredUsername", "bob"), ("followers", BOB), ("featured", BOB), ("content2", None),
    ],
)  # fmt: skip
def test_members_that_are_not_the_clients_are_left_out(name: str, value: object) -> None:
    """Keys, inboxes, labels, proofs, hidden addresses and nulls do not come through a client."""
    assert name not in _composed({**NOTE, name: value})


@pytest.mark.parametrize("name", ["id", "attributedTo", "url", "replies", "likes", "shares", "to", "cc"])
def test_members_of_the_server_replace_the_clients(name: str) -> None:
    """What the client says about the server's members does not count."""
    foreign = "https://evil.example/x"
    assert foreign not in str(_composed({**NOTE, name: foreign})[name])


@pytest.mark.parametrize("kind", ["Collection", "OrderedCollection", "Article"])
@pytest.mark.parametrize("name", ["items", "orderedItems", "totalItems", "first", "last", "current"])
def test_a_collection_is_filled_by_add_alone(kind: str, name: str) -> None:
    """Items of a new collection are not believed; on anything else they are members like others."""
    assert (name in _composed({"type": kind, name: 3})) is (kind == "Article")


def test_hidden_addresses_are_left_out_however_deep() -> None:
    """Bto and bcc inside what is embedded do not leave either."""
    document = _composed({**NOTE, "attachment": [{"type": "Note", "bto": BOB, "tag": {"bcc": BOB, "name": "x"}}]})
    assert document["attachment"] == [{"type": "Note", "tag": {"name": "x"}}]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2001-02-03T04:05:06Z", "2001-02-03T04:05:06Z"),
        ("2026-11-23T10:00:00+02:00", "2026-11-23T08:00:00Z"),
        (rfc3339(later(days=1)), rfc3339(NOW)),
        ("yesterday", rfc3339(NOW)),
        (5, rfc3339(NOW)),
        (None, rfc3339(NOW)),
    ],
)
def test_a_clients_time_counts_unless_it_lies_ahead(given: object, shown: str) -> None:
    """Old work keeps its date; nothing comes from the future."""
    assert _composed({**NOTE, "published": given})["published"] == shown


def test_an_edit_says_when() -> None:
    """Updated is the server's word, and stands only on what was edited."""
    assert "updated" not in _composed(NOTE)
    assert _composed(NOTE, updated=later(hours=1))["updated"] == rfc3339(later(hours=1))


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ({"source": {"content": "a <b>\n\nc", "mediaType": "text/plain"}}, "<p>a &lt;b&gt;</p><p>c</p>"),
        ({"source": {"content": "plain"}}, "<p>plain</p>"),
        ({"source": {"content": "*x*", "mediaType": "text/markdown"}}, None),
        ({"source": {"content": "x"}, "content": "<p>own</p>"}, "<p>own</p>"),
        ({"source": {"content": "x"}, "contentMap": {"ja": "<p>own</p>"}}, None),
        ({"source": {"content": 5}}, None),
        ({"source": "x"}, None),
    ],
)
def test_content_is_made_from_plain_source_alone(given: dict[str, Any], content: str | None) -> None:
    """A client's own rendering stays; plain text without one is rendered; other sources are not ours to read."""
    assert _composed({"type": "Note", **given}).get("content") == content


@pytest.mark.parametrize(
    ("tag", "names"),
    [
        (None, ["#Cats"]),
        ({"type": "Mention", "name": "@bob", "href": BOB}, ["@bob", "#Cats"]),
        ([{"type": "Hashtag", "name": "#cats", "href": "https://x.example/t"}], ["#cats"]),
        ([{"type": "Hashtag", "name": "#dogs"}], ["#dogs", "#Cats"]),
    ],
)
def test_hashtags_of_the_text_join_the_clients_tags(tag: object, names: list[str]) -> None:
    """A hashtag in the text is tagged once, whether the client did it or not."""
    document = _composed({"type": "Note", "content": "<p>on #Cats</p>", "tag": tag})
    assert [one["name"] for one in document["tag"]] == names


def test_hashtags_link_to_their_page() -> None:
    """The link is in lower case, the name as written."""
    assert hashtags("x #Café y", TAGS) == [{"type": "Hashtag", "href": f"{TAGS}café", "name": "#Café"}]
    assert hashtags("no tags", TAGS) == []


BEFORE = {
    "type": "Note",
    "content": "<p>old #a</p>",
    "contentMap": {"ja": "<p>old #a</p>"},
    "source": {"content": "old #a"},
    "summary": "s",
    "tag": [{"type": "Hashtag", "name": "#a"}, {"type": "Mention", "href": BOB}],
}


def test_members_not_named_stay() -> None:
    """A patch changes what it names, and null removes it."""
    document = merged(BEFORE, {"summary": None, "name": "n"})
    assert document == {**{name: value for name, value in BEFORE.items() if name != "summary"}, "name": "n"}


@pytest.mark.parametrize(
    ("patch", "gone"),
    [
        ({"content": "<p>new</p>"}, {"source"}),
        ({"source": {"content": "new"}}, {"content", "contentMap"}),
        ({"contentMap": {"en": "<p>new</p>"}}, {"content", "source"}),
        ({"content": None}, {"content", "source", "contentMap"}),
    ],
)
def test_what_was_made_from_a_replaced_text_goes(patch: dict[str, Any], gone: set[str]) -> None:
    """An old source, old translations and old hashtags do not survive the text; mentions do."""
    document = merged(BEFORE, patch)
    assert not gone & document.keys()
    assert document["tag"] == [{"type": "Mention", "href": BOB}]
    assert "old" not in str(document)


@pytest.mark.parametrize(
    ("languages", "kept"),
    [({"ja": "<p>old</p>"}, {"ja": "<p>new</p>"}), ({"ja": "<p>old</p>", "en": "<p>o</p>"}, None)],
)
def test_the_language_of_a_text_stays(languages: dict[str, str], kept: dict[str, str] | None) -> None:
    """A text in one language stays in it; several translations cannot follow one new text."""
    assert merged({**BEFORE, "contentMap": languages}, {"content": "<p>new</p>"}).get("contentMap") == kept


def test_a_text_without_other_tags_loses_them_all() -> None:
    """When every tag was a hashtag of the old text, no tag stays; a tag that is no list is dropped, too."""
    assert "tag" not in merged({**BEFORE, "tag": [{"type": "Hashtag", "name": "#a"}]}, {"content": "x"})
    assert "tag" not in merged({**BEFORE, "tag": {"type": "Hashtag", "name": "#a"}}, {"content": "x"})


def test_tags_that_a_patch_names_are_the_new_ones() -> None:
    """A patch of text and tags has the tags that it names."""
    tags = [{"type": "Hashtag", "name": "#b"}]
    assert merged(BEFORE, {"content": "x", "tag": tags})["tag"] == tags


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"bto": BOB, "bcc": [BOB], "to": [BOB]}, {"to": [BOB]}),
        ({"object": {"bcc": BOB, "tag": [{"bto": BOB, "name": "x"}]}}, {"object": {"tag": [{"name": "x"}]}}),
        ([{"bto": BOB}, "bto", 5, None], [{}, "bto", 5, None]),
        ({"attachment": [{"contentUsage": "train-ai=y", "aiUsage": {}, "name": "x"}]}, {"attachment": [{"name": "x"}]}),
        ({"proof": {}, "generator": {"publicKey": {"id": BOB}, "name": "x"}}, {"generator": {"name": "x"}}),
        ({"as:bto": BOB, "@id": BOB, "https://www.w3.org/ns/activitystreams#bcc": BOB, "name": "x"}, {"name": "x"}),
        ("bto", "bto"),
        (None, None),
    ],
)
def test_what_a_client_must_not_say_is_left_out(value: object, left: object) -> None:
    """Hidden recipients, labels, keys and proofs are taken out however deep they stand and however they are spelt."""
    assert fit(value) == left
