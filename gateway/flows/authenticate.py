"""Who signed this: from headers to verdict, with a bounded search for the key."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from gateway.activitypub.actor import keys_of
from gateway.errors import GatewayError, NotAuthenticated, RemoteAnswer, RemoteUnreachable, Unavailable
from gateway.flows import discover, fetch
from gateway.flows.cause import give_back, searching
from gateway.flows.moderate import enforce
from gateway.flows.pacing import count_peer, not_over
from gateway.flows.profile import profile_of
from gateway.net.allowance import BEFORE_A_GET_IS_JUDGED, at_most, is_left
from gateway.net.purpose import KEY
from gateway.signatures import owner, verify
from gateway.urls import origin_of, same_origin, without_fragment

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime

    from gateway.flows.kit import Kit
    from gateway.signatures.owner import ListedKey
    from gateway.signatures.request import SignedRequest
    from gateway.signatures.verdict import Verdict
    from gateway.signatures.verify import Opened
    from gateway.store.relations import RemoteActor


RETRY_SECONDS = 300
KEY_SECONDS = 15.0  # a silent key host holds an inbox no longer than this, redirects and second knocks included


async def judge(kit: Kit, opened: Opened, actor: str, *, is_collection: bool = False) -> Verdict:
    """Return the verdict on a request whose document names ``actor``."""
    if not owner.may_speak(opened.key_id, actor):
        return verify.close(opened, None, actor)
    known = kit.store.relations.actor(actor)
    if known is not None:
        verdict = verify.close(opened, _key(known, opened.key_id, kit.clock.now()), actor, is_collection=is_collection)
        if verdict.ok or was_sought(kit, actor, opened.scheme):
            return verdict
    if known is None and was_sought(kit, actor, opened.scheme):
        return verify.close(opened, None, actor)  # looked for a moment ago, and not there
    fetched = await actor_sought(kit, actor, opened.scheme)
    key = _key(fetched, opened.key_id, kit.clock.now()) if fetched is not None else None
    verdict = verify.close(opened, key, actor, is_collection=is_collection)
    if verdict.ok:
        give_back(kit, actor)
    return verdict


async def actor_sought(kit: Kit, actor: str, scheme: str) -> RemoteActor | None:
    """Look for an actor at its own id, so that its keys can be judged; None when there is none."""
    fetched = await _sought(kit, actor, scheme, discover.actor_at(kit, actor, purpose=KEY, scheme=scheme))
    kit.refetched.put(f"{scheme} {actor}", value=True)
    return fetched


def was_sought(kit: Kit, what: str, scheme: str) -> bool:
    """Tell whether an actor or a key was looked for a moment ago, with this kind of signature."""
    return kit.refetched.get(f"{scheme} {what}") is not None


def _key(actor: RemoteActor, key_id: str, now: datetime) -> ListedKey | None:
    return owner.find(actor.document, actor.id, key_id, now)


async def _sought(kit: Kit, url: str, scheme: str, search: Coroutine[Any, Any, RemoteActor]) -> RemoteActor | None:
    """Wait for a search that begins at ``url``; None when it finds no actor, Unavailable when the fault is passing."""
    try:
        with contextlib.closing(search), searching(kit):
            async with asyncio.timeout(KEY_SECONDS):
                return await search
    except TimeoutError as error:
        # Remembered like any failed fetch: a silent host costs one wait, not one for every request.
        kit.failed_fetches.put(fetch.memory_of(without_fragment(url), scheme), 0)
        raise _passing(RemoteUnreachable(f"{url}: silent for {KEY_SECONDS:.0f} s")) from error
    except RemoteAnswer as error:
        if error.remote_status >= 500 or error.remote_status in fetch.PASSING or error.remote_status == 0:  # noqa: PLR2004 - RFC 9110
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
    if same_origin(opened.key_id, kit.base):
        return _one_of_us(kit, opened, is_collection=is_collection)
    not_over(kit, origin_of(opened.key_id))
    verdict = await signer_of(kit, opened, is_collection=is_collection)
    if not verdict.ok:
        raise unauthenticated(verdict)
    count_peer(kit, origin_of(verdict.actor))
    if verdict.scheme == "rfc9421":
        kit.store.peers.learn_rfc9421(origin_of(verdict.actor), kit.clock.now())
    return verdict.actor


async def signer_of(kit: Kit, opened: Opened, *, is_collection: bool = False) -> Verdict:
    """Judge a signature by whoever owns its key, elsewhere: at most two fetches."""
    known = kit.store.relations.actor_of_key(opened.key_id)
    verdict = _closed(kit, opened, known, is_collection=is_collection)
    if verdict.ok or was_sought(kit, opened.key_id, opened.scheme) or not is_left():
        return verdict
    # The key is unknown, was rotated, or a neighbour on the same host claims it: its own document decides.
    with at_most(BEFORE_A_GET_IS_JUDGED):
        search = discover.key_by_id(kit, opened.key_id, scheme=opened.scheme)
        found = await _sought(kit, opened.key_id, opened.scheme, search)
    kit.refetched.put(f"{opened.scheme} {opened.key_id}", value=True)
    if (verdict := _closed(kit, opened, found, is_collection=is_collection)).ok:
        give_back(kit, opened.key_id, BEFORE_A_GET_IS_JUDGED)
    return verdict


def _closed(kit: Kit, opened: Opened, known: RemoteActor | None, *, is_collection: bool) -> Verdict:
    key = _key(known, opened.key_id, kit.clock.now()) if known is not None else None
    return verify.close(opened, key, None, is_collection=is_collection)


def _one_of_us(kit: Kit, opened: Opened, *, is_collection: bool) -> str:
    """Return which of our own actors signed: ``gateway lookup --signed`` may look at home, too."""
    account = kit.store.accounts.by_id(without_fragment(opened.key_id))
    listed = owner.listed_keys(keys_of(profile_of(kit, account)) | {"id": account.id}) if account is not None else ()
    key = next((key for key in listed if key.id == opened.key_id), None)
    verdict = verify.close(opened, key, None, is_collection=is_collection)
    if not verdict.ok:
        raise unauthenticated(verdict)
    return verdict.actor


def unauthenticated(verdict: Verdict) -> NotAuthenticated:
    """Return the 401 with every step: the same whether a key was cached or not."""
    failed = verdict.failed
    return NotAuthenticated(
        f"{verdict.scheme}: {failed.name if failed else '?'}: {failed.found if failed else '?'}",
        extra=(("steps", [step.as_json() for step in verdict.steps]),),
    )
