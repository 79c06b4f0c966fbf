"""What a statement is about: one media file, one object, ... or a whole instance."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """How wide a subject is, narrowest first."""

    MEDIA = "media"
    OBJECT = "object"
    COLLECTION = "collection"
    ACTOR = "actor"
    PATH = "path"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """``scope`` and the URI (or path) it names."""

    scope: Scope
    ref: str
