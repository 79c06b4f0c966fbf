"""Actor documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from peers.plain import keys_for

from gateway.activitypub import actor
from gateway.activitypub.actor import Profile, advertises_rfc9421
from gateway.jsonld.contexts import PUBLIC
from gateway.signatures.message import ADVERTISED
from gateway.signatures.owner import find, is_actor

if TYPE_CHECKING:
    from collections.abc import Callable

ALICE = "https://gw.example/users/alice"


@pytest.fixture(scope="module")
def profile() -> Profile:
    """Return Alice."""
    rsa, ed25519 = keys_for(ALICE)
    return Profile(
        id=ALICE, name="alice", display_name="Alice", summary="paints", page="https://gw.example/@alice",
        endpoints={"sharedInbox": "https://gw.example/inbox"}, instance_actor="https://gw.example/actor",
        published=datetime(2026, 11, 23, tzinfo=UTC), rsa=rsa.public, ed25519=ed25519.public,
    )  # fmt: skip


@pytest.mark.parametrize("form", [actor.key_only, actor.actor, actor.instance_actor])
@pytest.mark.parametrize("key", [actor.key_id(ALICE), actor.ed25519_id(ALICE)])
def test_every_form_lists_both_keys_as_its_own(
    profile: Profile, form: Callable[[Profile], dict[str, object]], key: str
) -> None:
    """A verifier that reads any form finds the RSA and the Ed25519 key."""
    document = form(profile)
    found = find(document, ALICE, key)
    assert found is not None
    assert found.owner == ALICE
    assert is_actor(document)


def test_the_key_only_form_tells_nothing_about_the_person(profile: Profile) -> None:
    """Without a signature there is no name, no text, no picture, no follower list."""
    assert not {"name", "summary", "followers", "following", "url", "published"} & set(actor.key_only(profile))


def test_the_whole_actor(profile: Profile) -> None:
    """The whole document names collections, page and what its server takes."""
    document = actor.actor(profile)
    assert document["followers"] == f"{ALICE}/followers"
    assert document["manuallyApprovesFollowers"] is False
    assert advertises_rfc9421(document)
    assert not {"movedTo", "alsoKnownAs", "to"} & set(document)


def test_a_moved_account_says_where_to(profile: Profile) -> None:
    """Aliases and a move stand in the document."""
    document = actor.actor(replace(profile, moved_to="https://x.example/u", also_known_as=("https://y.example/u",)))
    assert (document["movedTo"], document["alsoKnownAs"]) == ("https://x.example/u", ["https://y.example/u"])


def test_the_instance_actor_speaks_for_the_server(profile: Profile) -> None:
    """The Application lists what the server implements, for everybody."""
    document = actor.instance_actor(replace(profile, kind="Application"))
    assert (document["type"], document["to"]) == ("Application", [PUBLIC])
    assert advertises_rfc9421({"implements": document["implements"]})


@pytest.mark.parametrize(
    ("document", "speaks"),
    [
        ({"generator": {"implements": [{"href": ADVERTISED}]}}, True),
        ({"implements": [{"id": ADVERTISED}]}, True),
        ({"implements": ADVERTISED}, True),
        ({"implements": [ADVERTISED]}, True),
        ({"implements": {"href": ADVERTISED}}, True),
        ({"implements": [{"href": "https://x.example"}, 7, None]}, False),
        ({"implements": [{"href": "x"}] * 60 + [ADVERTISED]}, False),
        ({"generator": "x"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_who_advertises_rfc9421(document: object, speaks: bool) -> None:  # noqa: FBT001 - a table
    """The capability is read from the actor or its generator, in each of its shapes (FEP-844e)."""
    assert advertises_rfc9421(document) is speaks
