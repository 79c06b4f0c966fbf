"""Looking a recipient up whom nobody here has met, then delivering to it: a collection is opened one layer deep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.properties import id_of, ids_of, type_of
from gateway.errors import BadUrl, GatewayError, Refused, RemoteAnswer
from gateway.flows import discover, fetch
from gateway.flows.queue import deliver_here, deliver_to, lane_of, look_up_later
from gateway.flows.recipients import Reach, place
from gateway.net.purpose import RECIPIENT
from gateway.observe.names import DELIVERY
from gateway.urls import origin_of, same_origin, without_fragment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.store.jobs import Job
    from gateway.store.objects import Sent

COLLECTIONS = frozenset({"Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage"})
MAX_MEMBERS = 20  # of somebody else's collection
MAX_LAYERS = 1  # section 7.1: a limit is a must, one layer is allowed


async def find_recipient(kit: Kit, job: Job) -> None:
    """Work off one ``address`` job: the recipient's inbox is found and gets its delivery, or it is given up."""
    sent = kit.store.objects.activity(str(job.payload["activity"]))
    recipient, depth = str(job.payload["recipient"]), int(job.payload["depth"])
    if sent is None:
        kit.store.jobs.finish(job.id, kit.clock.now(), state="dropped", problem="activity-gone")
        return
    try:
        members = await _members(kit, sent, recipient)
    except (RemoteAnswer, Refused, BadUrl) as error:
        if isinstance(error, RemoteAnswer) and _is_passing(error):
            raise
        _give_up(kit, job, recipient, error)
        return
    found = Reach()
    for actor in members:
        place(kit, found, actor, shared=False)
    has_media = bool(job.payload["media"])
    with kit.store.transaction():
        inboxes = [inbox for inbox in found.inboxes if not kit.store.jobs.is_sent(sent.id, lane_of(sent, inbox))]
        taken = deliver_to(kit, sent, inboxes, has_media=has_media)
        if sent.type in ("Create", "Update"):
            kit.store.objects.remember_recipients(sent.object, taken)
        kit.store.objects.remember_addressees(sent.id, sent.object, (), members)
        deliver_here(kit, sent, [actor for actor in found.here if actor != sent.actor])
        if depth < MAX_LAYERS:
            look_up_later(kit, sent, dict.fromkeys(found.strangers), has_media=has_media, depth=depth + 1)
        kit.store.jobs.finish(job.id, kit.clock.now())
    kit.wake()


async def _members(kit: Kit, sent: Sent, recipient: str) -> list[str]:
    """Return the actor itself, now known, or the members of a collection as its author may read it."""
    if kit.store.relations.actor(recipient) is not None:
        return [recipient]
    answer = await fetch.fetch(kit, without_fragment(recipient), RECIPIENT, as_actor=sent.actor)
    document = discover.read(answer)
    if type_of(document) in COLLECTIONS and document.get("id") == answer.url:
        return await _items(kit, sent, document, answer.url)
    return [(await discover.actor_at(kit, recipient)).id]


async def _items(kit: Kit, sent: Sent, document: Mapping[str, object], url: str) -> list[str]:
    """Return who is listed in a collection, or on its first page when it has pages."""
    listed = ids_of(document.get("orderedItems", document.get("items")))
    first = document.get("first")
    page_url = id_of(first)
    if not listed and page_url is not None and same_origin(page_url, url):
        page = first if isinstance(first, dict) and "type" in first else None
        if page is None or not ids_of(page.get("orderedItems", page.get("items"))):
            page = discover.read(await fetch.fetch(kit, page_url, RECIPIENT, as_actor=sent.actor))
        listed = ids_of(page.get("orderedItems", page.get("items")))
    return listed[:MAX_MEMBERS]


def _is_passing(error: RemoteAnswer) -> bool:
    status = error.remote_status
    return status == 0 or status in fetch.PASSING or status >= 500  # noqa: PLR2004 - RFC 9110


def _give_up(kit: Kit, job: Job, recipient: str, error: GatewayError) -> None:
    now = kit.clock.now()
    kit.store.jobs.finish(job.id, now, state="dead", problem=f"recipient: {error}"[:300])
    kit.store.peers.audit(now, DELIVERY, origin_of(recipient).host, "recipient-not-found", recipient)
