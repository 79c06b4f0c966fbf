"""Visibilities and the addresses they are written as."""

from __future__ import annotations

import pytest

from gateway.activitypub.addressing import Visibility, addresses, visibility_of
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
