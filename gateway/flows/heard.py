"""Every statement in and around a document somebody looks at, as far as it counts, and what could not be read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.activitypub.properties import id_of, only_id
from gateway.carriers import html_meta, http_headers
from gateway.carriers.reading import EMPTY, Reading, Source
from gateway.flows import discover
from gateway.flows.said import limited
from gateway.preferences import Auth, Declarant, DeclarantKind, Scope, Subject
from gateway.urls import origin_of, try_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.carriers.reading import Problem
    from gateway.flows.kit import Kit
    from gateway.flows.specimen import Specimen
    from gateway.preferences import Statement

UNNAMED = "urn:gateway:unnamed"


def heard(
    kit: Kit, document: Mapping[str, object] | None, specimen: Specimen
) -> tuple[tuple[Statement, ...], tuple[Problem, ...]]:
    """Return what a document (None: the bytes are no JSON object), its page and its HTTP answer state.

    What its author and server stated before is among them: it decides as well.
    """
    subject = (id_of(document) if document is not None else None) or specimen.url or UNNAMED
    author, reading = _inside(kit, document, specimen, subject) if document is not None else (None, EMPTY)
    around = _source(kit, specimen)
    reading += http_headers.parse(specimen.headers, around)
    if document is None and _is_html(specimen):
        reading += html_meta.parse(specimen.body.decode("utf-8", "replace"), around)
    owner = author.id if author is not None else subject
    origin = try_origin(owner)
    known = kit.store.statements.about([owner, *([str(origin)] if origin is not None else [])])
    return tuple(limited((*reading.statements, *known), owner)), reading.problems


def _inside(kit: Kit, document: Mapping[str, object], specimen: Specimen, subject: str) -> tuple[Declarant, Reading]:
    # Bytes that nobody fetched are authenticated by nothing.
    auth = Auth.TLS if specimen.url is not None else Auth.NONE
    named = only_id(document.get("attributedTo", document.get("actor")))
    author = replace(discover.author_of(named or subject), auth=auth)
    reading: Reading = kit.reader().whole(document, (), subject, author, None)
    embedded = document.get("object")
    if isinstance(embedded, dict):
        inner = replace(author, id=only_id(embedded.get("attributedTo")) or author.id)
        reading += kit.reader().whole(document, ("object",), id_of(embedded) or subject, inner, None)
    return author, reading


def _source(kit: Kit, specimen: Specimen) -> Source:
    """Return who speaks around a document: the server it came from, or nobody known."""
    if specimen.url is None:
        speaker = Declarant(kind=DeclarantKind.UNKNOWN, id=UNNAMED)
    else:
        speaker = Declarant(kind=DeclarantKind.INSTANCE, id=str(origin_of(specimen.url)), auth=Auth.TLS)
    subject = Subject(scope=Scope.OBJECT, ref=specimen.url or UNNAMED)
    return Source(subject=subject, declared_by=speaker, observed_at=kit.clock.now())


def _is_html(specimen: Specimen) -> bool:
    """Whether the answer says so; without an answer, whether the bytes look like a page."""
    if specimen.content_type is not None:
        return "html" in specimen.content_type.lower()
    return specimen.body.lstrip()[:1] == b"<"
