"""Passing on what its origin could not deliver: answers reach the followers of who is answered (section 7.1.2).

The original bytes go on, as they came; signed on the way by whoever's collection was addressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.composed import COLLECTION_TYPES
from gateway.activitypub.properties import ids_of
from gateway.errors import BadUrl, GatewayError
from gateway.flows import deposit, discover
from gateway.flows.concern import MAX_DEPTH, MAX_FETCHES, Search
from gateway.flows.moderate import decision_about
from gateway.flows.reach import is_dead
from gateway.net.domain import registrable
from gateway.observe.logs import log
from gateway.policy.rules import Action
from gateway.store.jobs import BULK
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.activity import Activity
    from gateway.flows.kit import Kit
    from gateway.store.arrivals import ArrivalRow

MAX_AN_HOUR = 60  # activities of one origin that are passed on


def collections_named(kit: Kit, row: ArrivalRow, activity: Activity) -> dict[str, list[str]]:
    """Return, per account of ours, the members of its collections that an arrival names.

    Only those that it names itself: nobody is picked up on the way.
    """
    named = {found for name in ("to", "cc", "audience") for found in ids_of(activity.document.get(name))}
    found: dict[str, list[str]] = {}
    for address in sorted(address for address in named if same_origin(address, kit.base)):
        owner, members = _collection(kit, address)
        if owner not in ("", row.actor) and not kit.store.relations.blocks(owner, row.actor):
            found.setdefault(owner, []).extend(members)
    return found


async def audience_of_ours(
    kit: Kit, row: ArrivalRow, activity: Activity, named: dict[str, list[str]]
) -> dict[str, list[str]]:
    """Return those whom an arrival is for of the members that it names (``collections_named``).

    Nobody, unless it is about something of ours, which may be a few documents away.
    """
    if not await Search(kit, activity.actor).concerns_us(activity.document, MAX_DEPTH):
        return {}
    if row.origin != kit.base and not _may_send(kit, row.origin):
        log().info("forward", peer=row.origin, problem="more than an hour's share")
        return {}
    await _meet(kit, [member for members in named.values() for member in members])
    return named


def _may_send(kit: Kit, origin: str) -> bool:
    """Tell whether an origin's domain has not used up its hour: nobody else's server is ours to fan out with."""
    domain = registrable(origin_of(origin).host)
    used = kit.forwarded.get(domain) or 0
    if used == 0:
        kit.forwarded.put(domain, 1)
    else:
        kit.forwarded.replace(domain, used + 1)
    return used < MAX_AN_HOUR


async def _meet(kit: Kit, members: list[str]) -> None:
    """Look those up whom nobody here has met, a few at a time: without an inbox nothing reaches them."""
    strangers = [m for m in members if kit.store.relations.actor(m) is None and not same_origin(m, kit.base)]
    for stranger in strangers[:MAX_FETCHES]:
        try:
            await discover.actor_at(kit, stranger)
        except (GatewayError, BadUrl) as error:
            log().info("forward", stranger=stranger, problem=str(error))


def _collection(kit: Kit, address: str) -> tuple[str, list[str]]:
    """Return owner and members of a collection of ours; an empty owner when the address is none."""
    account = kit.store.accounts.by_id(address.rpartition("/")[0])
    relations = kit.store.relations
    if account is not None and account.deleted is None:
        read = {f"{account.id}/followers": relations.followers, f"{account.id}/following": relations.following}
        return (account.id, read[address](account.id)) if address in read else ("", [])
    stored = kit.store.objects.get(address)
    if stored is not None and stored.local and stored.type in COLLECTION_TYPES and stored.deleted is None:
        return stored.owner, kit.store.collections.items(address)
    return "", []


def forward(kit: Kit, row: ArrivalRow, audience: Mapping[str, list[str]], activity: Activity) -> None:
    """Queue an arrival, seen for the first time, for the members of our collections that it names."""
    for owner, members in audience.items():
        inboxes: dict[str, None] = {}
        for member in members:
            actor = kit.store.relations.actor(member)
            if actor is not None:
                inboxes[actor.best_inbox] = None
            elif member != row.actor:
                deposit.put(kit, member, row.id, row.actor)
        for inbox in inboxes:
            origin = origin_of(inbox)
            # Its own server has it; a limited one gets nothing that it did not ask for.
            if origin == origin_of(row.actor) or decision_about(kit, origin).action is not Action.ALLOW:
                continue
            if is_dead(kit, origin):
                continue
            payload = {"arrival": row.id, "actor": row.actor, "inbox": inbox, "as": owner}
            lane = f"on {inbox} {row.actor} {activity.object_id or row.id}"
            if activity.type in ("Update", "Delete"):
                overtaken = "Update" if activity.type == "Update" else None
                kit.store.jobs.supersede(lane, kit.clock.now(), overtaken)
            kit.store.jobs.add(
                "forward", payload, lane=lane, peer=str(origin), due=kit.clock.now(), pool=BULK, verb=activity.type
            )
