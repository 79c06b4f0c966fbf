"""The way in, up to the 202: verify, decide, keep durably. Nothing is understood deeply before that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.activitypub.properties import only_id, type_of
from gateway.activitypub.understand import actor_of, id_checked
from gateway.errors import GatewayError, NotAuthenticated, RemoteAnswer, RemoteUnreachable, Unavailable
from gateway.flows import discover
from gateway.flows.moderate import decision_about, enforce, judge_labels, refused
from gateway.jsonld import strict
from gateway.observe.names import ARRIVAL
from gateway.signatures import owner, verify
from gateway.store.work import ArrivalRow
from gateway.urls import origin_of, same_origin, without_fragment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from gateway.flows.kit import Kit
    from gateway.signatures.owner import ListedKey
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Verdict
    from gateway.signatures.verify import Opened
    from gateway.store.relations import RemoteActor
    from gateway.urls import Origin

RETRY_SECONDS = 300
KEY_SECONDS = 15.0  # a silent key host holds an inbox no longer than this, redirects and second knocks included
KEPT_HEADERS = frozenset(
    {"content-usage", "ai-usage", "x-robots-tag", "tdm-reservation", "signature", "signature-input", "date", "digest",
     "content-digest", "host", "content-type"}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of an arrival; ``outcome`` is a stable word."""

    outcome: str
    activity: str = ""
    type: str = ""
    peer: str = ""
    scheme: str = ""


async def receive(kit: Kit, request: SignedRequest) -> Received:
    """Take one POST to an inbox; return when it is durable, raise a GatewayError when it is not taken."""
    document = strict.read_object(request.body)
    opened = verify.open_request(request, kit.clock.now())
    actor = actor_of(document)
    if verify.is_signed(request) and _is_about_a_stranger(kit, document, actor):
        return Received(outcome="ignored-stranger")
    if not opened.ok:
        raise unauthenticated(verify.close(opened, None, actor))
    origin = origin_of(actor)
    _refuse_early(kit, origin, opened)
    verdict = await judge(kit, opened, actor)
    if not verdict.ok:
        raise unauthenticated(verdict)
    activity_id = id_checked(document, actor)
    if judge_labels(kit, document, verdict, request) is not None:
        decision = decision_about(kit, origin)
        if decision.refuses:
            raise refused(kit, origin, decision)
    kept = _keep(kit, request, activity_id, verdict)
    return Received(
        outcome="accepted" if kept else "already-known", activity=activity_id, type=type_of(document), peer=str(origin),
        scheme=verdict.scheme,
    )  # fmt: skip


def _is_about_a_stranger(kit: Kit, document: Mapping[str, object], actor: str) -> bool:
    """Tell whether an unknown actor deletes or updates itself: nothing here could change (Delete floods)."""
    about_itself = type_of(document) in ("Delete", "Update") and only_id(document.get("object")) == actor
    return about_itself and kit.store.relations.actor(actor) is None


def _refuse_early(kit: Kit, origin: Origin, opened: Opened) -> None:
    """Refuse before any fetch: the actor's server, and the key's."""
    for candidate in {origin, origin_of(opened.key_id)}:
        enforce(kit, candidate, ARRIVAL)


def _keep(kit: Kit, request: SignedRequest, activity_id: str, verdict: Verdict) -> bool:
    """Make the arrival durable together with the job that settles it; False when it is here already."""
    now = kit.clock.now()
    origin = origin_of(verdict.actor)
    row = ArrivalRow(
        id=activity_id,
        actor=verdict.actor,
        origin=str(origin),
        inbox=request.target,
        body=request.body,
        headers=[(name.lower(), value) for name, value in request.headers if name.lower() in KEPT_HEADERS],
        verdict={"scheme": verdict.scheme, "key": verdict.key_id, "steps": [s.as_json() for s in verdict.steps]},
        received=now,
    )
    with kit.store.transaction():
        kept = kit.store.work.keep_arrival(row)
        kit.store.peers.seen(origin, now)
        if verdict.scheme == "rfc9421":
            kit.store.peers.learn_rfc9421(origin, now)
        if kept:
            kit.store.work.add(
                "settle", {"arrival": activity_id}, lane=f"in {verdict.actor}", peer=str(origin), due=now
            )
    kit.wake()
    return kept


async def judge(kit: Kit, opened: Opened, actor: str, *, is_collection: bool = False) -> Verdict:
    """Return the verdict on a request whose document names ``actor``: at most one fetch."""
    if not owner.may_speak(opened.key_id, actor):
        return verify.close(opened, None, actor)
    known = kit.store.relations.actor(actor)
    if known is not None:
        verdict = verify.close(opened, _key(known, opened.key_id), actor, is_collection=is_collection)
        if verdict.ok or kit.refetched.get(actor) is not None:
            return verdict
    kit.refetched.put(actor, value=True)
    fetched = await _sought(kit, actor, discover.actor_at(kit, actor))
    key = _key(fetched, opened.key_id) if fetched is not None else None
    return verify.close(opened, key, actor, is_collection=is_collection)


def _key(actor: RemoteActor, key_id: str) -> ListedKey | None:
    return owner.find(actor.document, actor.id, key_id)


async def _sought(kit: Kit, url: str, search: Awaitable[RemoteActor]) -> RemoteActor | None:
    """Wait for a search that begins at ``url``; None when it finds no actor, Unavailable when the fault is passing."""
    try:
        async with asyncio.timeout(KEY_SECONDS):
            return await search
    except TimeoutError as error:
        # Remembered like any failed fetch: a silent host costs one wait, not one for every request.
        kit.failed_fetches.put(without_fragment(url), (0, 0))
        raise _passing(RemoteUnreachable(f"{url}: silent for {KEY_SECONDS:.0f} s")) from error
    except RemoteAnswer as error:
        if error.remote_status >= 500 or error.remote_status in discover.PASSING or error.remote_status == 0:  # noqa: PLR2004 - RFC 9110
            raise _passing(error) from error
        return None
    except RemoteUnreachable as error:
        if error.code == "address-refused":
            return None
        raise _passing(error) from error


def _passing(error: GatewayError) -> Unavailable:
    return Unavailable(
        f"key host: {error}", code="key-host-unavailable", retry_after=error.retry_after or RETRY_SECONDS
    )


async def authenticate(kit: Kit, request: SignedRequest, *, is_collection: bool = False) -> str:
    """Return the actor who signed a GET; raise NotAuthenticated, Refused or Unavailable: at most two fetches."""
    opened = verify.open_request(request, kit.clock.now())
    if not opened.ok:
        raise unauthenticated(verify.close(opened, None, None))
    enforce(kit, origin_of(opened.key_id), "fetch")
    known = kit.store.relations.actor_of_key(opened.key_id)
    if known is None:
        known = await _owner_of(kit, opened.key_id)
    verdict = verify.close(opened, _key(known, opened.key_id) if known else None, None, is_collection=is_collection)
    if not verdict.ok and known is not None and kit.refetched.get(known.id) is None:
        verdict = await judge(kit, opened, known.id, is_collection=is_collection)
    if not verdict.ok:
        raise unauthenticated(verdict)
    if verdict.scheme == "rfc9421":
        kit.store.peers.learn_rfc9421(origin_of(verdict.actor), kit.clock.now())
    return verdict.actor


async def _owner_of(kit: Kit, key_id: str) -> RemoteActor | None:
    if same_origin(key_id, kit.base):
        return None
    found = await _sought(kit, key_id, discover.key_by_id(kit, key_id))
    if found is not None:
        kit.refetched.put(found.id, value=True)
    return found


def unauthenticated(verdict: Verdict) -> NotAuthenticated:
    """Return the 401 with every step: the same whether a key was cached or not."""
    failed = verdict.failed
    return NotAuthenticated(
        f"{verdict.scheme}: {failed.name if failed else '?'}: {failed.found if failed else '?'}",
        extra=(("steps", [step.as_json() for step in verdict.steps]),),
    )
