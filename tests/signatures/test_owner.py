"""Who a key speaks for (rule 5)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from signatures.crafting import ACTOR, ED25519, KEY_ID, OTHER_RSA, RSA

from gateway.signatures import owner

MULTIKEY_ID = f"{ACTOR}#ed25519-key"


def _key(**changes: object) -> dict[str, object]:
    return {"id": KEY_ID, "owner": ACTOR, "publicKeyPem": RSA.public.pem(), **changes}


def _multikey(**changes: object) -> dict[str, object]:
    return {
        "id": MULTIKEY_ID,
        "type": "Multikey",
        "controller": ACTOR,
        "publicKeyMultibase": ED25519.public.multikey(),
        **changes,
    }


def _actor(**changes: object) -> dict[str, Any]:
    return {"id": ACTOR, "type": "Person", "inbox": f"{ACTOR}/inbox", "publicKey": _key(), **changes}


def test_a_listed_key_is_found() -> None:
    """A key that the actor's own document lists as its own is found with its owner."""
    found = owner.find(_actor(), ACTOR, KEY_ID)
    assert found is not None
    assert (found.id, found.owner, found.public.pem()) == (KEY_ID, ACTOR, RSA.public.pem())


def test_keys_of_both_kinds_are_listed() -> None:
    """PublicKey and assertionMethod are read, alone or in lists."""
    actor = _actor(
        publicKey=[_key(), _key(id=f"{ACTOR}#second")], assertionMethod=[_multikey(), "https://x.example/#k"]
    )
    assert [key.id for key in owner.listed_keys(actor)] == [KEY_ID, f"{ACTOR}#second", MULTIKEY_ID]
    assert [key.public.kind for key in owner.listed_keys(_actor(assertionMethod=_multikey()))] == ["rsa", "ed25519"]


@pytest.mark.parametrize(
    "fetched_from",
    [
        "https://evil.example/users/bob",
        "https://peer.example/users/mallory",
        "https://peer.example/users/bob/",
        "https://peer.example/users/bob?x=1",
        "http://peer.example/users/bob",
        "https://peer.example:8443/users/bob",
        "",
    ],
)
def test_a_document_from_elsewhere_proves_nothing(fetched_from: str) -> None:
    """The document must come from exactly the actor's own id, after every redirect."""
    assert owner.find(_actor(), fetched_from, KEY_ID) is None


def test_a_fragment_of_the_fetched_url_does_not_count() -> None:
    """Fetching the key id reaches the actor's document."""
    assert owner.find(_actor(), KEY_ID, KEY_ID) is not None


@pytest.mark.parametrize(
    "key_id",
    [
        f"{ACTOR}#other",
        f"{ACTOR}/main-key",
        ACTOR,
        "https://evil.example/users/bob#main-key",
        "https://peer.example:8443/users/bob#main-key",
        "http://peer.example/users/bob#main-key",
        "data:application/json,{}",
        "",
    ],
)
def test_a_key_that_is_not_listed_is_not_found(key_id: str) -> None:
    """Only the exact id of a listed key finds it."""
    assert owner.find(_actor(), ACTOR, key_id) is None


@pytest.mark.parametrize(
    "entry",
    [
        _key(owner="https://peer.example/users/mallory"),
        _key(owner=None),
        {"id": KEY_ID, "publicKeyPem": RSA.public.pem()},
        _key(id="https://evil.example/users/bob#main-key"),
        _key(id="http://peer.example/users/bob#main-key"),
        _key(id="https://peer.example:8443/users/bob#main-key"),
        _key(id=None),
        _key(id=["x"]),
        _key(publicKeyPem=RSA.public.pem() + OTHER_RSA.public.pem()),
        _key(publicKeyPem=None),
        _multikey(publicKeyMultibase=None),
        _multikey(publicKeyMultibase="z6Mk"),
        _multikey(controller="https://peer.example/users/mallory"),
        _multikey(id="https://evil.example/#k"),
        KEY_ID,
        None,
        5,
    ],
)
def test_a_key_that_is_weak_foreign_or_somebody_elses_is_left_out(entry: object) -> None:
    """Such a key is not listed, and a good one beside it still is."""
    assert owner.listed_keys(_actor(publicKey=entry)) == ()
    assert [key.id for key in owner.listed_keys(_actor(publicKey=[entry, _key()]))] == [KEY_ID]


@pytest.mark.parametrize(("count", "listed"), [(10, 10), (11, 0), (10_000, 0)])
def test_more_than_ten_keys_are_none(count: int, listed: int) -> None:
    """An actor with eleven keys or more has none."""
    keys = [_multikey(id=f"{ACTOR}#{index}") for index in range(count)]
    assert len(owner.listed_keys(_actor(publicKey=None, assertionMethod=keys))) == listed


@pytest.mark.parametrize("actor_id", [None, 5, ["https://peer.example/users/bob"]])
def test_an_actor_without_an_id_has_no_keys(actor_id: object) -> None:
    """A document without a string as its id lists nothing."""
    assert owner.listed_keys(_actor(id=actor_id)) == ()
    assert owner.find(_actor(id=actor_id), ACTOR, KEY_ID) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"type": ["Person", "x:Extra"]}, True),
        *(({"type": kind}, True) for kind in ("Application", "Group", "Organization", "Service")),
        ({"type": "Note"}, False),
        ({"type": None}, False),
        ({"type": [["Person"]]}, False),
        ({"inbox": None}, False),
        ({"inbox": "https://evil.example/inbox"}, False),
        ({"inbox": "http://peer.example/users/bob/inbox"}, False),
        ({"id": "urn:bob", "inbox": "urn:bob"}, False),
    ],
)
def test_an_actor_has_a_type_and_an_inbox_at_home(changes: dict[str, object], *, expected: bool) -> None:
    """One of the five actor types and an inbox on the actor's own origin make an actor; nothing else has keys."""
    actor = _actor(**changes)
    assert owner.is_actor(actor) is expected
    assert (owner.find(actor, ACTOR, KEY_ID) is not None) is expected


@pytest.mark.parametrize(
    ("key_id", "actor", "expected"),
    [
        (KEY_ID, ACTOR, True),
        ("https://PEER.example:443/k", ACTOR, True),
        ("https://peer.example:8443/k", ACTOR, False),
        ("http://peer.example/k", ACTOR, False),
        ("https://evil.example/k", ACTOR, False),
        ("acct:bob@peer.example", ACTOR, False),
    ],
)
def test_a_key_may_speak_only_on_its_own_origin(key_id: str, actor: str, *, expected: bool) -> None:
    """Key id and actor share scheme, host and port, or the key cannot be the actor's."""
    assert owner.may_speak(key_id, actor) is expected


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        (_actor(), ACTOR),
        (_actor(id="urn:x"), ACTOR),
        (_actor(publicKey=_key(owner="https://peer.example/users/mallory")), ACTOR),
        (_actor(id=KEY_ID, inbox=None), ACTOR),
        ({"id": ACTOR, "publicKey": _key()}, ACTOR),
        ({"id": ACTOR, "publicKey": {"id": KEY_ID}}, ACTOR),
        (_key(), ACTOR),
        (_multikey(), ACTOR),
        ({"id": KEY_ID}, None),
        (_key(owner=5), None),
        (_key(owner="acct:bob@peer.example"), None),
        ({"id": None, "publicKey": {"id": KEY_ID}}, None),
    ],
)
def test_a_key_document_hints_at_its_owner(document: dict[str, object], hint: str | None) -> None:
    """A stub actor names itself, a key its owner or controller; what is no http(s) URL is no hint."""
    assert owner.owner_hint(document) == hint


@pytest.mark.parametrize(
    ("changes", "listed"),
    [
        ({"revoked": "2020-01-01T00:00:00Z"}, False),
        ({"expires": "2020-01-01T00:00:00Z"}, False),
        ({"expires": "soon"}, False),
        ({"expires": "2100-01-01T00:00:00Z"}, True),
        ({"expires": "2026-11-23T00:00:00Z"}, False),
        ({"expires": "2026-11-23T00:00:01Z"}, True),
        ({"expires": None}, False),
        ({"revoked": None}, False),
    ],
)
def test_dead_keys_do_not_speak(changes: dict[str, object], *, listed: bool) -> None:
    """A revoked or expired key, or one whose end cannot be read, is not its owner's any more."""
    found = owner.find(_actor(publicKey=_key(**changes)), ACTOR, KEY_ID, datetime(2026, 11, 23, tzinfo=UTC))
    assert (found is not None) is listed


def test_an_expiry_counts_only_at_a_time() -> None:
    """Where no time is given, an expiry that can be read is no reason against a key."""
    assert owner.find(_actor(publicKey=_key(expires="2020-01-01T00:00:00Z")), ACTOR, KEY_ID) is not None
    assert owner.find(_actor(publicKey=_key(expires="soon")), ACTOR, KEY_ID) is None
