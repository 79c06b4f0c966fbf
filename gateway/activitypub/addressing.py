"""Who may see what: four visibilities and the ``to`` and ``cc`` they are written as."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """Whom something is for; ``hidden`` are those in ``bto`` and ``bcc``, whom nobody else may learn of."""

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    @property
    def everyone(self) -> tuple[str, ...]:
        """Return each address once, without the public collection, which receives nothing."""
        listed = (*self.to, *self.cc, *self.audience, *self.hidden)
        return tuple(address for address in dict.fromkeys(listed) if address not in PUBLIC_ALIASES)

    @property
    def named(self) -> tuple[str, ...]:
        """Return everybody in ``to``, ``cc`` and ``audience`` once."""
        return tuple(dict.fromkeys((*self.to, *self.cc, *self.audience)))

    def __add__(self, other: Addressed) -> Addressed:
        """Return both together, each address once."""
        pairs = ((self.to, other.to), (self.cc, other.cc), (self.audience, other.audience), (self.hidden, other.hidden))
        to, cc, audience, hidden = (tuple(dict.fromkeys((*one, *more))) for one, more in pairs)
        return Addressed(to=to, cc=cc, audience=audience, hidden=hidden)

    def visibility(self, followers: str) -> Visibility:
        """Return how far this travels; an audience counts like a copy, and so does a hidden public.

        ``followers`` is the author's own collection: somebody else's followers are theirs to reach.
        """
        if PUBLIC in self.to:
            return Visibility.PUBLIC
        others = {*self.cc, *self.audience, *self.hidden}
        if PUBLIC in others:
            return Visibility.UNLISTED
        return Visibility.FOLLOWERS if followers in {*self.to, *others} else Visibility.DIRECT


NOBODY = Addressed()
FIELDS = ("to", "cc", "audience", "bto", "bcc")


def addressed_in(document: Mapping[str, object]) -> Addressed:
    """Return whom a document names; every spelling of the public collection becomes its full URI."""
    to, cc, audience, bto, bcc = (
        tuple(PUBLIC if address in PUBLIC_ALIASES else address for address in ids_of(document.get(name)))
        for name in FIELDS
    )
    return Addressed(to=to, cc=cc, audience=audience, hidden=(*bto, *bcc))


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
