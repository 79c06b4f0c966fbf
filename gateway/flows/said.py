"""What was said about an object that came in, and whose words count how."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.activitypub.properties import ids_of
from gateway.carriers import http_headers
from gateway.carriers.reading import Source
from gateway.preferences import Auth, Declarant, DeclarantKind, Preference, Preferences, Scope, Subject
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.flows.kit import Kit
    from gateway.preferences import Statement

MAX_ATTACHED = 32


def counted(kit: Kit, document: Mapping[str, object], object_id: str, owner: str) -> list[Statement]:
    """Return the statements that decide about an object that came in.

    Anybody's no counts. A yes counts from its author and from its author's server only: somebody else
    may name the same media file.
    """
    said = kit.store.statements.about(about(document, object_id, owner))
    return limited(said, owner)


def limited(statements: Iterable[Statement], owner: str) -> list[Statement]:
    """Return the statements as far as they count about something of ``owner``: a stranger's yes does not."""
    return [s if _is_entitled(s.declared_by, owner) else refusals(s) for s in statements]


def _is_entitled(declarant: Declarant, owner: str) -> bool:
    if declarant.kind is DeclarantKind.INSTANCE:
        return same_origin(declarant.id, owner)
    return declarant.id == owner


def about(document: Mapping[str, object], object_id: str, owner: str) -> list[str]:
    """Return everything whose statements concern an object that came in: itself, attachments, author, server."""
    attached = document.get("attachment")
    items = attached if isinstance(attached, list) else [attached]
    media = [url for item in items[:MAX_ATTACHED] if isinstance(item, dict) for url in ids_of(item.get("url"))[:1]]
    return [object_id, *media, owner, str(origin_of(object_id))]


def refusals(statement: Statement) -> Statement:
    """Return a statement with its refusals only."""
    refused = {c: p for c, p in statement.prefs.items() if p is Preference.DISALLOW}
    return replace(statement, prefs=Preferences(refused))


def refusals_only(statements: Iterable[Statement]) -> list[Statement]:
    """Return what somebody who boosts may add about another's work: refusals only."""
    return [refused for statement in statements if (refused := refusals(statement)).prefs]


def said_in(
    kit: Kit, headers: Iterable[tuple[str, str]], object_id: str, origin: object, auth: Auth
) -> tuple[Statement, ...]:
    """Return what headers say about an object in the words of the server that sent them."""
    speaker = Declarant(kind=DeclarantKind.INSTANCE, id=str(origin), auth=auth)
    subject = Subject(scope=Scope.OBJECT, ref=object_id)
    source = Source(subject=subject, declared_by=speaker, observed_at=kit.clock.now())
    return http_headers.parse(headers, source).statements
