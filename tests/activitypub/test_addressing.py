"""Visibilities and the addresses they are written as."""

from __future__ import annotations

import pytest

from gateway.activitypub.addressing import (
    NOBODY,
    Addressed,
    Visibility,
    addressed_in,
    addresses,
    visibility_of,
)
from gateway.jsonld.contexts import PUBLIC

FOLLOWERS = "https://gw.example/users/alice/followers"
BOB = "https://peer.example/users/bob"


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("mentioned", [[], [BOB], [BOB, BOB, "https://x.example/y"]])
def test_what_is_written_is_read_back(visibility: Visibility, mentioned: list[str]) -> None:
    """Each visibility survives being written as to and cc."""
    to, cc = addresses(visibility, FOLLOWERS, mentioned)
    assert visibility_of({"to": to, "cc": cc}, FOLLOWERS) is visibility
    assert visibility_of({"to": to, "cc": cc}) is visibility


@pytest.mark.parametrize("visibility", Visibility)
def test_each_person_is_addressed_once(visibility: Visibility) -> None:
    """A person named twice gets one address, in full."""
    to, cc = addresses(visibility, FOLLOWERS, [BOB, BOB])
    assert [*to, *cc].count(BOB) == 1


@pytest.mark.parametrize("word", [PUBLIC, "as:Public", "Public"])
def test_all_three_spellings_of_public_are_read(word: str) -> None:
    """Servers write Public as URI, compact IRI or bare word, as a value or in a list."""
    assert visibility_of({"to": word}) is Visibility.PUBLIC
    assert visibility_of({"to": [BOB], "cc": [word]}) is Visibility.UNLISTED
    assert visibility_of({"to": {"id": word}}) is Visibility.PUBLIC


@pytest.mark.parametrize("document", [{}, {"to": [BOB]}, {"to": None, "cc": 7}, {"cc": [BOB]}])
def test_everything_else_is_direct(document: dict[str, object]) -> None:
    """What names neither Public nor followers was meant for those it names."""
    assert visibility_of(document) is Visibility.DIRECT


def test_a_named_followers_collection_needs_no_suffix() -> None:
    """An actor's own followers collection counts whatever its address looks like."""
    assert visibility_of({"to": ["https://peer.example/f/1"]}, "https://peer.example/f/1") is Visibility.FOLLOWERS
    assert visibility_of({"to": ["https://peer.example/f/1"]}) is Visibility.DIRECT


def test_only_public_and_unlisted_are_open() -> None:
    """Anybody may read two of the four."""
    assert [v for v in Visibility if v.is_open] == [Visibility.PUBLIC, Visibility.UNLISTED]


EVE = "https://peer.example/users/eve"
GROUP = "https://peer.example/groups/cats"


@pytest.mark.parametrize("word", [PUBLIC, "as:Public", "Public"])
@pytest.mark.parametrize(("name", "part"), [("to", "to"), ("cc", "cc"), ("audience", "audience"), ("bto", "hidden")])
def test_whom_a_document_names_is_read(word: str, name: str, part: str) -> None:
    """Each field is read as value, object or list, and every spelling of Public becomes its full URI."""
    for value in (word, {"id": word}, [word]):
        assert addressed_in({name: value}) == Addressed(**{part: (PUBLIC,)})


def test_both_hidden_fields_are_one() -> None:
    """Bto and bcc together are those whom nobody else may learn of; what is no address is nobody."""
    document = {"bto": BOB, "bcc": [{"id": EVE}, 5], "to": None, "cc": []}
    assert addressed_in(document) == Addressed(hidden=(BOB, EVE))
    assert addressed_in({"to": 7, "cc": {"name": "x"}}) == NOBODY


def test_everyone_is_each_address_once_and_never_public() -> None:
    """The public collection receives nothing; who is named twice receives once."""
    addressed = Addressed(to=(PUBLIC, BOB), cc=(FOLLOWERS, BOB), audience=(GROUP,), hidden=(EVE, BOB))
    assert addressed.everyone == (BOB, FOLLOWERS, GROUP, EVE)
    assert addressed.named == (PUBLIC, BOB, FOLLOWERS, GROUP)
    assert NOBODY.everyone == ()


def test_addresses_add_up() -> None:
    """The sum has each address once a field, in the order of their coming."""
    one = Addressed(to=(BOB,), cc=(GROUP,), hidden=(EVE,))
    more = Addressed(to=(EVE, BOB), audience=(GROUP,), hidden=(EVE, BOB))
    assert one + more == Addressed(to=(BOB, EVE), cc=(GROUP,), audience=(GROUP,), hidden=(EVE, BOB))
    assert one + NOBODY == one == NOBODY + one


@pytest.mark.parametrize(
    ("addressed", "visibility"),
    [
        (NOBODY, Visibility.DIRECT),
        (Addressed(to=(PUBLIC,)), Visibility.PUBLIC),
        (Addressed(cc=(PUBLIC,)), Visibility.UNLISTED),
        (Addressed(audience=(PUBLIC,)), Visibility.UNLISTED),
        (Addressed(hidden=(PUBLIC,)), Visibility.UNLISTED),
        (Addressed(to=(FOLLOWERS,)), Visibility.FOLLOWERS),
        (Addressed(audience=(FOLLOWERS,)), Visibility.FOLLOWERS),
        (Addressed(hidden=(FOLLOWERS,)), Visibility.FOLLOWERS),
        (Addressed(to=(BOB,), hidden=(EVE,)), Visibility.DIRECT),
    ],
)
def test_how_far_an_address_travels(addressed: Addressed, visibility: Visibility) -> None:
    """To is public, every other field is a copy, whoever is hidden included."""
    assert addressed.visibility(FOLLOWERS) is visibility
