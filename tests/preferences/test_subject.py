"""What statements are about."""

from __future__ import annotations

from gateway.preferences import Scope, Subject


def test_scopes_from_narrow_to_wide() -> None:
    """The scopes stand from the narrowest to the widest."""
    assert [scope.value for scope in Scope] == ["media", "object", "collection", "actor", "path", "instance"]


def test_subjects_are_values() -> None:
    """Two subjects with the same scope and reference are the same; another scope makes another subject."""
    assert Subject(scope=Scope.OBJECT, ref="x") == Subject(scope=Scope.OBJECT, ref="x")
    assert Subject(scope=Scope.OBJECT, ref="x") != Subject(scope=Scope.MEDIA, ref="x")
