"""The way in, up to the 202: verify, decide, keep durably. Nothing is understood deeply before that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.activitypub import bounds
from gateway.activitypub.properties import only_id, type_of
from gateway.activitypub.understand import actor_of, id_checked
from gateway.errors import Unavailable
from gateway.flows import reach, relayed
from gateway.flows.accuse import judge_labels
from gateway.flows.authenticate import judge, unauthenticated
from gateway.flows.deposit import owner_of_inbox, put
from gateway.flows.moderate import decision_about, enforce, refused
from gateway.flows.pacing import count_bytes, count_peer, not_over
from gateway.jsonld import strict
from gateway.net.allowance import BEFORE_A_POST_IS_JUDGED, at_most
from gateway.net.domain import registrable
from gateway.observe.names import ARRIVAL
from gateway.signatures import verify
from gateway.store.arrivals import ArrivalRow
from gateway.store.jobs import ARRIVALS
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Verdict
    from gateway.urls import Origin

MAX_WAITING, MAX_WAITING_OF_ONE = 50_000, 2_500  # in all, and of one domain
BUSY_SECONDS = 120
SPOKEN_HEADERS = frozenset({"content-usage", "ai-usage", "x-robots-tag", "tdm-reservation", "tdm-policy"})
KEPT_HEADERS = SPOKEN_HEADERS | frozenset(
    {"signature", "signature-input", "date", "digest",
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
    bearer: str = ""


async def receive(kit: Kit, request: SignedRequest) -> Received:
    """Take one POST to an inbox; return when it is durable, raise a GatewayError when it is not taken."""
    document = strict.read_object(request.body)
    bounds.check(document)
    opened = verify.open_request(request, kit.clock.now())
    actor = actor_of(document)
    if verify.is_signed(request) and is_about_a_stranger(kit, document, actor):
        return Received(outcome="ignored-stranger")
    if not opened.ok:
        raise unauthenticated(verify.close(opened, None, actor))
    origin = origin_of(actor)
    key_origin = origin_of(opened.key_id)
    for candidate in {origin, key_origin}:  # before any fetch: the actor's server, and the key's
        enforce(kit, candidate, ARRIVAL)
    not_over(kit, key_origin)
    with at_most(BEFORE_A_POST_IS_JUDGED):
        verdict = await judge(kit, opened, actor)
        bearer = verdict.actor
        if not verdict.ok and "proof" in document:
            borne = await relayed.judge(kit, opened, document, actor, verdict)
            verdict, bearer, request = borne.verdict, borne.bearer, _without_words(request)
    if not verdict.ok:
        raise unauthenticated(verdict)
    sender = origin_of(bearer)
    count_peer(kit, sender)
    count_bytes(kit, sender, len(request.body))
    activity_id = id_checked(document, actor)
    _check_backlog(kit, origin)
    if judge_labels(kit, document, verdict, request) is not None:
        decision = decision_about(kit, origin)
        if decision.refuses:
            raise refused(kit, origin, decision)
    covered = verify.covered(opened)
    kept = await kit.store.together(lambda: _keep(kit, request, activity_id, verdict, sender, covered))
    if not kept and (reader := owner_of_inbox(kit, request.target)) is not None:
        put(kit, reader, activity_id, verdict.actor)  # one more of us is told of the same thing
    return Received(
        outcome="accepted" if kept else "already-known", activity=activity_id, type=type_of(document), peer=str(origin),
        scheme=verdict.scheme, bearer=bearer,
    )  # fmt: skip


def _without_words(request: SignedRequest) -> SignedRequest:
    """Return a request without what its headers state: whoever carries a document does not speak for its author."""
    kept = tuple((name, value) for name, value in request.headers if name.lower() not in SPOKEN_HEADERS)
    return replace(request, headers=kept)


def is_about_a_stranger(kit: Kit, document: Mapping[str, object], actor: str) -> bool:
    """Tell whether an unknown actor deletes or updates itself: nothing here could change (Delete floods)."""
    about_itself = type_of(document) in ("Delete", "Update") and only_id(document.get("object")) == actor
    return about_itself and not same_origin(actor, kit.base) and kit.store.relations.actor(actor) is None


def _check_backlog(kit: Kit, origin: Origin) -> None:
    """Raise Unavailable while more waits to be settled than is good, in all or of one domain: a 202 is a promise."""
    jobs = kit.store.jobs
    if jobs.backlog_of.is_full(registrable(origin.host), MAX_WAITING_OF_ONE):
        raise Unavailable(f"{MAX_WAITING_OF_ONE} arrivals of {origin} wait", retry_after=BUSY_SECONDS)
    if jobs.backlog.is_full("", MAX_WAITING):
        raise Unavailable(f"{MAX_WAITING} arrivals wait", retry_after=BUSY_SECONDS)


def _keep(
    kit: Kit, request: SignedRequest, activity_id: str, verdict: Verdict, sender: Origin, covered: frozenset[str]
) -> bool:
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
        verdict={
            "scheme": verdict.scheme,
            "key": verdict.key_id,
            "spoken": sorted(SPOKEN_HEADERS & covered),
        },
        received=now,
    )
    with kit.store.transaction():
        kept = kit.store.arrivals.keep(row)
        kit.store.peers.seen(sender, now)
        reach.spoke(kit, sender)
        if verdict.scheme == "rfc9421":
            kit.store.peers.learn_rfc9421(origin, now)
        if kept:
            kit.store.jobs.add(
                "settle",
                {"arrival": activity_id, "actor": verdict.actor},
                lane=f"in {verdict.actor}",
                peer=registrable(origin.host),  # turns are taken by domains, or one would have as many as it has names
                due=now,
                pool=ARRIVALS,
            )
    kit.wake()
    return kept
