"""From a strict JSON object to an Activity: one actor, one id, one origin (FEP-fe34)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.activity import Activity
from gateway.activitypub.properties import id_of, ids_of, only_id, type_of
from gateway.clock import parse_rfc3339
from gateway.errors import MalformedDocument, Refused
from gateway.jsonld.expand import restructures
from gateway.preferences import Auth, Declarant, DeclarantKind
from gateway.urls import MAX_URL, same_origin, try_origin

if TYPE_CHECKING:
    from gateway.activitypub.labels import Reader
    from gateway.carriers.reading import Problem


def actor_of(document: Mapping[str, object]) -> str:
    """Return the one actor's id; raise MalformedDocument when there is none, or more than one."""
    actor = only_id(document.get("actor"))
    if actor is None or not _is_id(actor):
        raise MalformedDocument("an activity names exactly one actor by its id", code="no-actor")
    return actor


def id_checked(document: Mapping[str, object], actor: str) -> str:
    """Return the activity's id, which must be on the actor's origin; raise otherwise."""
    activity_id = document.get("id")
    if not isinstance(activity_id, str) or not _is_id(activity_id):
        raise MalformedDocument("an activity has an http(s) id", code="no-id")
    if not same_origin(activity_id, actor):
        raise Refused(
            f"activity id {activity_id} is not on the origin of {actor}",
            code="foreign-id",
        )
    return activity_id


def _is_id(text: str) -> bool:
    return len(text) <= MAX_URL and try_origin(text) is not None


def understand(
    document: Mapping[str, object], raw: bytes, reader: Reader, auth: Auth = Auth.HTTP_SIGNATURE
) -> tuple[Activity, tuple[Problem, ...]]:
    """Return the activity with everything it states, and the problems met; ``auth`` is how we know its actor.

    Raises MalformedDocument or Refused when it cannot be acted on.
    """
    if restructures(document):
        raise MalformedDocument("@graph, @included and @reverse are not taken")
    actor = actor_of(document)
    activity_id = id_checked(document, actor)
    value = document.get("object")
    embedded = value if isinstance(value, Mapping) else None
    object_id = id_of(value) or (ids_of(value) or [""])[0]
    addressed = [ids_of(document.get(name)) for name in ("to", "cc", "audience")]
    if embedded is not None:
        addressed += [ids_of(embedded.get(name)) for name in ("to", "cc")]
    audience = frozenset(address for group in addressed for address in group)
    # Who boosts or likes speaks about somebody else's work; who creates, about their own.
    own = type_of(document) in ("Create", "Update", "Delete")
    kind = DeclarantKind.AUTHOR if own else DeclarantKind.INTERMEDIARY
    speaker = Declarant(kind=kind, id=actor, auth=auth)
    reading = reader.whole(document, (), object_id or activity_id, speaker, None)
    if embedded is not None and object_id:
        asserted = parse_rfc3339(embedded.get("updated")) or parse_rfc3339(embedded.get("published"))
        reading += reader.whole(document, ("object",), object_id, speaker, asserted)
    return (
        Activity(
            id=activity_id,
            type=type_of(document),
            actor=actor,
            object_id=object_id,
            object=embedded,
            target=id_of(document.get("target")),
            audience=audience,
            published=parse_rfc3339(document.get("published")),
            statements=reading.statements,
            document=document,
            raw=raw,
        ),
        reading.problems,
    )
