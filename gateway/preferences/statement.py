"""Who said which preferences about which subject, for whom, when, in which carrier."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.preferences.subject import Subject
    from gateway.preferences.vocabulary import Category, Preferences


class DeclarantKind(StrEnum):
    """In which role somebody speaks."""

    AUTHOR = "author"
    RIGHTSHOLDER = "rightsholder"
    INSTANCE = "instance"
    INTERMEDIARY = "intermediary"
    GATEWAY_DEFAULT = "gateway-default"
    UNKNOWN = "unknown"


class Auth(StrEnum):
    """How we know that the declarant said it."""

    HTTP_SIGNATURE = "http-sig"
    OBJECT_PROOF = "object-proof"
    LOCAL = "local"
    TLS = "tls"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarant:
    """Somebody who speaks: role, identifier (URI or host), and how we know."""

    kind: DeclarantKind
    id: str
    auth: Auth = Auth.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """For whom a statement holds: everybody, or one consumer by DID or domain."""

    kind: str = "any"
    value: str = "*"

    def includes(self, consumer: str | None) -> bool:
        """Tell whether a statement for this audience concerns ``consumer`` (None: anybody)."""
        return self.kind == "any" or (consumer is not None and consumer == self.value)


ANYBODY = Audience()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A qualification kept beside a preference, never counted as permission."""

    category: Category
    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing that was said, with everything needed to show where it came from.

    ``raw`` is the carrier's text as received. ``projection_of`` names the carrier of the fuller
    statement, by the same declarant in the same document, that this one merely repeats.
    """

    subject: Subject
    prefs: Preferences
    declared_by: Declarant
    carrier: str
    observed_at: datetime
    carrier_revision: str = ""
    raw: str = ""
    audience: Audience = ANYBODY
    conditions: tuple[Condition, ...] = ()
    asserted_at: datetime | None = None
    expires_at: datetime | None = None
    projection_of: str | None = None
    legacy: bool = False

    @property
    def is_grant(self) -> bool:
        """Tell whether an author lifts their own refusal for one named consumer."""
        return (
            self.audience.kind != "any"
            and self.declared_by.kind is DeclarantKind.AUTHOR
            and self.declared_by.auth is not Auth.NONE
        )

    @property
    def order(self) -> tuple[str, ...]:
        """Return a key that sorts statements the same way whatever order they came in."""
        return (
            self.subject.scope, self.subject.ref, self.declared_by.kind, self.declared_by.id, self.declared_by.auth,
            self.carrier, self.carrier_revision, str(self.legacy), self.audience.kind, self.audience.value,
            repr(self.prefs), self.raw, str(self.asserted_at), str(self.observed_at), str(self.expires_at),
            self.projection_of or "", repr(self.conditions),
        )  # fmt: skip
