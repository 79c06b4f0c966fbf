"""The protocol-neutral value."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from gateway.activity import Activity


def _like() -> Activity:
    return Activity(
        id="https://a.example/likes/1",
        type="Like",
        actor="https://a.example/users/alice",
        object_id="https://b.example/posts/1",
    )


def test_at_most_twelve_fields() -> None:
    """An activity has at most twelve fields."""
    assert len(fields(Activity)) <= 12


def test_what_is_not_said_is_empty() -> None:
    """What an activity does not say is empty, and two activities share nothing."""
    like = _like()
    assert (like.object, like.target, like.published) == (None, None, None)
    assert (like.audience, like.statements, like.document, like.raw) == (frozenset(), (), {}, b"")
    assert like.document is not _like().document


def test_a_value() -> None:
    """Activities compare by content and do not change."""
    assert _like() == _like()
    with pytest.raises(FrozenInstanceError):
        _like().type = "Dislike"  # type: ignore[misc]  # that is the point
