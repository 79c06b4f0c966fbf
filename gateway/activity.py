"""Somebody did something to something: one protocol-neutral value with the original bytes attached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.preferences import Statement

Document: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity, understood.

    ``object`` is the embedded document, when there is one; ``object_id`` names it either way.
    ``audience`` is everybody in ``to`` and ``cc``. ``document`` is the activity as received, ``raw`` its bytes.
    """

    id: str
    type: str
    actor: str
    object_id: str
    object: Document | None = None
    target: str | None = None
    audience: frozenset[str] = frozenset()
    published: datetime | None = None
    statements: tuple[Statement, ...] = ()
    document: Document = field(default_factory=dict)
    raw: bytes = b""
