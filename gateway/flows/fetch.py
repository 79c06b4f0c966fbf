"""One signed GET of somebody else's document: every hop asked about, failures remembered, requests counted."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from gateway.activitypub.actor import key_id
from gateway.activitypub.properties import ACTIVITY_JSON, PROFILED
from gateway.errors import RemoteAnswer, RemoteUnreachable
from gateway.flows.cause import CAUSE, before_errand, before_key
from gateway.flows.moderate import not_refused
from gateway.flows.pacing import count_bytes
from gateway.net import allowance
from gateway.net.purpose import ACTOR, KEY
from gateway.signatures import cavage, message
from gateway.urls import normalised, origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.flows.kit import Kit
    from gateway.net.client import Answer
    from gateway.net.purpose import Purpose
    from gateway.signatures.request import SignedRequest
    from gateway.urls import Origin

ACCEPT = f"{ACTIVITY_JSON}, {PROFILED}"
GONE = frozenset({404, 410})
PASSING = frozenset({408, 425, 429})
REDIRECTED = 302
FORBIDDEN = 403  # what an address that may not be contacted is remembered as


def signer(kit: Kit, scheme: str, as_actor: str | None = None) -> Callable[[SignedRequest], list[tuple[str, str]]]:
    """Return what signs a GET with a scheme (``cavage`` or ``rfc9421``), as the instance actor or one of ours."""

    def sign(request: SignedRequest) -> list[tuple[str, str]]:
        actor = as_actor or kit.instance_actor
        how = message.sign if scheme == message.SCHEME else cavage.sign
        return how(request, kit.keyring.get(actor), key_id(actor), kit.clock.now())

    return sign


async def fetch(
    kit: Kit, url: str, purpose: Purpose, *, as_actor: str | None = None, scheme: str | None = None
) -> Answer:  # fmt: skip
    """GET ``url`` signed, with the other scheme after a 401; raise RemoteUnreachable or RemoteAnswer.

    ``as_actor`` is one of ours who may see more than the instance actor; ``scheme`` is the signature that this
    server is known to speak just now. Failures are remembered for a while, so that one bad URL costs its host one
    request. Our own host is never asked: what is ours is in the store, and a stranger must not make us call
    ourselves.
    """
    if same_origin(url, kit.base):
        raise RemoteAnswer(f"{url} is our own address", remote_status=404)
    # A server may take one signature and not the other: a failure with one says nothing about the other.
    memory = memory_of(url, scheme, as_actor)
    remembered = kit.failed_fetches.get(memory)
    if remembered is not None:
        raise RemoteAnswer(f"{url} failed a moment ago", remote_status=remembered)
    if not allowance.is_left():
        raise RemoteAnswer(f"{url}: one request more than its cause may lead to", remote_status=allowance.EXHAUSTED)
    learnt = kit.store.peers.get(origin_of(url), kit.clock.now()).speaks_rfc9421
    first = scheme or (message.SCHEME if learnt else cavage.SCHEME)
    other = cavage.SCHEME if first == message.SCHEME else message.SCHEME
    hop = functools.partial(_hop, kit, origin_of(url), purpose)
    try:
        answer = await kit.client.get(url, accept=ACCEPT, purpose=purpose, sign=signer(kit, first, as_actor), hop=hop)
        if answer.status == 401 and allowance.is_left():  # noqa: PLR2004 - RFC 9110
            again = signer(kit, other, as_actor)
            answer = await kit.client.get(url, accept=ACCEPT, purpose=purpose, sign=again, hop=hop)
    except RemoteUnreachable as error:
        if not isinstance(error, RemoteAnswer) or error.remote_status != allowance.EXHAUSTED:
            kit.failed_fetches.put(memory, _lasting(error))
        raise
    if answer.status != 200:  # noqa: PLR2004 - nothing else carries a document
        kit.failed_fetches.put(memory, answer.status)
        raise RemoteAnswer(
            f"{url}: status {answer.status}",
            remote_status=answer.status,
            retry_after=answer.retry_after(kit.clock.now()),
        )
    count_bytes(kit, CAUSE.get() or origin_of(url), len(answer.body))
    return answer


def memory_of(url: str, scheme: str | None = None, as_actor: str | None = None) -> str:
    """Return under which key a failure is remembered."""
    return " ".join(filter(None, (as_actor, scheme, normalised(url) or url)))


def elsewhere(kit: Kit, start: Origin | None, origin: Origin) -> None:
    """Judge a hop before it is asked: never ourselves, nobody whom we refuse but ``start``, which an admin named."""
    if str(origin) == kit.base:
        raise RemoteAnswer(f"{origin} is our own address", remote_status=404)
    if origin != start:
        not_refused(kit, origin)


def _hop(kit: Kit, start: Origin, purpose: Purpose, origin: Origin) -> None:
    """Judge one hop of a signed fetch besides: who was asked enough, who is not whom we began with."""
    elsewhere(kit, None, origin)
    if purpose in (KEY, ACTOR) and origin != start:
        raise RemoteAnswer(f"{start} redirects to {origin}: an actor is read at its own id", remote_status=REDIRECTED)
    if purpose is KEY:
        before_key(kit, origin)
    before_errand(kit, origin)


def _lasting(error: RemoteUnreachable) -> int:
    """Return the status to remember a failure by: 0 for one that may pass."""
    if isinstance(error, RemoteAnswer):
        return error.remote_status
    return FORBIDDEN if error.code == "address-refused" else 0
