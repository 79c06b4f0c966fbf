"""Finding things elsewhere: documents, actors, keys, handles. Every fetch is signed by the instance actor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.activitypub import bounds
from gateway.activitypub.actor import advertises_rfc9421
from gateway.activitypub.negotiation import is_activity_type
from gateway.activitypub.properties import id_of, text_of
from gateway.clock import parse_rfc3339
from gateway.errors import MalformedDocument, RemoteAnswer
from gateway.flows.fetch import fetch
from gateway.jsonld import strict
from gateway.jsonld.expand import restructures
from gateway.net.purpose import ACTOR, KEY, OBJECT
from gateway.preferences import Auth, Declarant, DeclarantKind, Scope, Subject
from gateway.signatures import owner
from gateway.store.relations import RemoteActor
from gateway.urls import origin_of, same_origin, without_fragment

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.net.client import Answer
    from gateway.net.purpose import Purpose


async def document_at(kit: Kit, url: str) -> tuple[Mapping[str, object], str]:
    """Return an ActivityStreams document and the URL it came from, which is its id; see ``answer_at``."""
    document, answer = await answer_at(kit, url)
    return document, answer.url


async def answer_at(kit: Kit, url: str, *, as_actor: str | None = None) -> tuple[Mapping[str, object], Answer]:
    """Return an ActivityStreams document and the answer it came in, whose URL is its id.

    A document that names another id is fetched once more from there, when that is on the same origin
    as where it came from; it never speaks for a place it was not fetched from.
    """
    wanted = without_fragment(url)
    for _attempt in range(2):
        answer = await fetch(kit, wanted, OBJECT, as_actor=as_actor)
        document = read(answer)
        found = document.get("id")
        if found == answer.url:
            return document, answer
        if not isinstance(found, str) or not same_origin(found, answer.url):
            break
        wanted = without_fragment(found)
    raise RemoteAnswer(f"{url} holds a document with another id", remote_status=200)


def read(answer: Answer) -> dict[str, object]:
    """Return the ActivityStreams document of an answer; raise RemoteAnswer when it is none."""
    if not is_activity_type(answer.only("content-type") or ""):
        raise RemoteAnswer(f"{answer.url} is no ActivityStreams document", remote_status=answer.status)
    try:
        document = strict.read_object(answer.body)
        bounds.check(document)
    except MalformedDocument as error:
        raise RemoteAnswer(f"{answer.url}: {error}", remote_status=answer.status) from error
    if restructures(document):
        # As at the inbox: what a JSON-LD reader would find on another node than we do is not taken.
        raise RemoteAnswer(f"{answer.url}: @graph, @included and @reverse are not taken", remote_status=answer.status)
    return document


async def actor_at(
    kit: Kit, actor_id: str, *, supersede: bool = False, purpose: Purpose = ACTOR, scheme: str | None = None
) -> RemoteActor:  # fmt: skip
    """Fetch an actor at exactly its own id and keep it; raise RemoteAnswer when that is none."""
    wanted = without_fragment(actor_id)
    answer = await fetch(kit, wanted, purpose, scheme=scheme)
    document = read(answer)
    if answer.url != wanted or document.get("id") != wanted or not owner.is_actor(document):
        raise RemoteAnswer(f"{actor_id} is no actor at its own id", remote_status=200)
    return keep_actor(kit, document, supersede=supersede)


def keep_actor(kit: Kit, document: Mapping[str, object], *, supersede: bool = False) -> RemoteActor:
    """Keep a checked actor document, its keys, what it advertises and what it states."""
    actor_id = str(document["id"])
    endpoints = document.get("endpoints")
    shared = id_of(endpoints.get("sharedInbox")) if isinstance(endpoints, Mapping) else None
    now = kit.clock.now()
    actor = RemoteActor(
        id=actor_id,
        origin=str(origin_of(actor_id)),
        name=text_of(document, "preferredUsername")[:200],
        inbox=str(id_of(document.get("inbox"))),
        shared_inbox=shared if shared is not None and same_origin(shared, actor_id) else None,
        document=document,
        fetched=now,
    )
    try:
        reading = kit.reader().node(
            document,
            (),
            Subject(scope=Scope.ACTOR, ref=actor_id),
            author_of(actor_id),
            parse_rfc3339(document.get("updated")),
        )
    except MalformedDocument as error:
        raise RemoteAnswer(f"{actor_id}: {error}", remote_status=200) from error
    with kit.store.transaction():
        kit.store.relations.save_actor(actor, [key.id for key in owner.listed_keys(document)])
        kit.store.peers.seen(origin_of(actor_id), now)
        if advertises_rfc9421(document):
            kit.store.peers.learn_rfc9421(origin_of(actor_id), now)
        if supersede:
            kit.store.statements.supersede(actor_id, now, declared_by=actor_id)
        kit.store.statements.add(reading.statements, actor_id)
    return actor


def author_of(actor_id: str) -> Declarant:
    """Return how the author of a fetched document counts: known by TLS, not by a signature."""
    return Declarant(kind=DeclarantKind.AUTHOR, id=actor_id, auth=Auth.TLS)


async def known_actor(kit: Kit, actor_id: str) -> RemoteActor:
    """Return a remote actor, fetched when unknown."""
    return kit.store.relations.actor(actor_id) or await actor_at(kit, actor_id)


async def key_by_id(kit: Kit, wanted: str, *, scheme: str | None = None) -> RemoteActor:
    """Return the actor that owns a key id, with at most two fetches: the key's document, then its owner."""
    url = without_fragment(wanted)
    answer = await fetch(kit, url, KEY, scheme=scheme)
    document = read(answer)
    hint = owner.owner_hint(document)
    if hint is None or not same_origin(hint, wanted) or not same_origin(answer.url, wanted):
        raise RemoteAnswer(f"{wanted} names no owner on its own origin", remote_status=200)
    if hint == answer.url == url and document.get("id") == url and owner.is_actor(document):
        return keep_actor(kit, document)
    return await actor_at(kit, hint, purpose=KEY, scheme=scheme)
