"""Who said it, for whom, and which statements are grants."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest
from preferences.samples import ALICE, AT, BOB, CRAWLER, NOTE, SERVER, says

from gateway.preferences import (
    ANYBODY,
    Audience,
    Auth,
    Category,
    Condition,
    Declarant,
    DeclarantKind,
    Preferences,
    Scope,
    Statement,
    Subject,
)


@pytest.mark.parametrize(
    ("audience", "consumer", "expected"),
    [
        (ANYBODY, None, True),
        (ANYBODY, "crawler.example", True),
        (CRAWLER, "crawler.example", True),
        (CRAWLER, "other.example", False),
        (CRAWLER, "sub.crawler.example", False),
        (CRAWLER, None, False),
        (Audience(kind="did", value="did:plc:x"), "did:plc:x", True),
    ],
)
def test_audience(audience: Audience, consumer: str | None, *, expected: bool) -> None:
    """A statement for everybody concerns everybody, one for a named consumer only that one."""
    assert audience.includes(consumer) is expected


def test_grant() -> None:
    """Only an author whom we can check makes a grant, and only for a named consumer."""
    assert says(audience=CRAWLER, train_gen="y").is_grant is True
    assert says(train_gen="y").is_grant is False
    assert says(SERVER, audience=CRAWLER, train_gen="y").is_grant is False
    assert says(replace(ALICE, auth=Auth.NONE), audience=CRAWLER, train_gen="y").is_grant is False


def test_statements_are_values() -> None:
    """A statement is hashable, compares by content and does not change."""
    assert says(train_gen="n") == says(train_gen="n")
    assert len({says(train_gen="n"), says(train_gen="n"), says(train_gen="y")}) == 2
    with pytest.raises(FrozenInstanceError):
        says(train_gen="n").raw = "y"  # type: ignore[misc]  # that is the point


def test_the_words_for_roles_and_proofs() -> None:
    """Roles and ways of knowing have these words, which are stored and shown."""
    assert [kind.value for kind in DeclarantKind] == [
        "author", "rightsholder", "instance", "intermediary", "gateway-default", "unknown",
    ]  # fmt: skip
    assert [auth.value for auth in Auth] == ["http-sig", "object-proof", "local", "tls", "none"]
    assert Declarant(kind=DeclarantKind.AUTHOR, id="x").auth is Auth.NONE
    assert Audience(kind="any", value="*") == ANYBODY


def test_what_is_not_said_is_empty() -> None:
    """A statement without more is for everybody, current, unconditional and no repetition, and proves nothing."""
    bare = Statement(subject=NOTE, prefs=Preferences(), declared_by=SERVER, carrier="aiUsage", observed_at=AT)
    assert (bare.carrier_revision, bare.raw, bare.audience, bare.conditions) == ("", "", ANYBODY, ())
    assert (bare.asserted_at, bare.expires_at, bare.projection_of, bare.legacy) == (None, None, None, False)


_ONE = says(train_gen="n")


@pytest.mark.parametrize(
    "other",
    [
        replace(_ONE, declared_by=BOB),
        replace(_ONE, declared_by=replace(ALICE, kind=DeclarantKind.RIGHTSHOLDER)),
        replace(_ONE, audience=Audience(kind="any", value="crawler.example")),
        replace(_ONE, subject=Subject(scope=Scope.MEDIA, ref=NOTE.ref)),
        replace(_ONE, subject=Subject(scope=Scope.OBJECT, ref="https://a.example/posts/2")),
        replace(_ONE, declared_by=SERVER),
        replace(_ONE, declared_by=replace(ALICE, auth=Auth.NONE)),
        replace(_ONE, carrier="contentUsage"),
        replace(_ONE, carrier_revision="legacy"),
        replace(_ONE, legacy=True),
        replace(_ONE, audience=CRAWLER),
        replace(_ONE, audience=replace(CRAWLER, kind="product-token")),
        replace(_ONE, audience=Audience(kind="domain", value="*")),
        replace(_ONE, prefs=Preferences.of(train_gen="y")),
        replace(_ONE, raw="train-gen=n"),
        replace(_ONE, asserted_at=AT),
        replace(_ONE, observed_at=AT + timedelta(seconds=1)),
        replace(_ONE, expires_at=AT),
        replace(_ONE, projection_of="aiUsage"),
        replace(_ONE, conditions=(Condition(category=Category.TRAIN_GEN, kind="exceptions", value="cc-cr"),)),
    ],
)
def test_order_tells_all_statements_apart(other: Statement) -> None:
    """Statements that differ in anything have a different place, so that reasons always come in one order."""
    assert other.order != _ONE.order
    assert sorted([other.order, _ONE.order]) == sorted([_ONE.order, other.order])
