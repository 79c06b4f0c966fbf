"""Who may see what: four visibilities and the ``to`` and ``cc`` they are written as."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.activitypub.properties import PUBLIC_ALIASES, ids_of
from gateway.jsonld.contexts import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Visibility(StrEnum):
    """How far a post travels."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    FOLLOWERS = "followers"
    DIRECT = "direct"

    @property
    def is_open(self) -> bool:
        """Tell whether anybody may read it."""
        return self in (Visibility.PUBLIC, Visibility.UNLISTED)


def addresses(visibility: Visibility, followers: str, mentioned: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (to, cc) for a post; always full URIs, always lists."""
    people = list(dict.fromkeys(mentioned))
    if visibility is Visibility.PUBLIC:
        return [PUBLIC], [followers, *people]
    if visibility is Visibility.UNLISTED:
        return [followers], [PUBLIC, *people]
    if visibility is Visibility.FOLLOWERS:
        return [followers], people
    return people, []


def visibility_of(document: Mapping[str, object], followers: str | None = None) -> Visibility:
    """Return how far a remote object was meant to travel."""
    to, cc = ids_of(document.get("to")), ids_of(document.get("cc"))
    if PUBLIC_ALIASES & set(to):
        return Visibility.PUBLIC
    if PUBLIC_ALIASES & set(cc):
        return Visibility.UNLISTED
    addressed = {*to, *cc}
    collections = {address for address in addressed if address == followers or address.endswith("/followers")}
    return Visibility.FOLLOWERS if collections else Visibility.DIRECT
