"""Queueing deliveries to many inboxes, a slice at a time: nothing else waits until a post to thousands is queued."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from gateway.flows.queue import FEW, deliver_slice, lane_of
from gateway.store.together import HEAVY

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.jobs import Job
    from gateway.store.objects import Sent


async def spread(kit: Kit, job: Job) -> None:
    """Work off one ``spread`` job: its inboxes have their deliveries queued, and it ends, in one transaction."""
    await kit.store.together(partial(_queue, kit, job), patient=HEAVY)
    kit.wake()


def _queue(kit: Kit, job: Job) -> None:
    sent = kit.store.objects.activity(str(job.payload["activity"]))
    if sent is None or _is_over(kit, sent):
        kit.store.jobs.finish(job.id, kit.clock.now(), state="dropped", problem="activity-gone")
        return
    many, inboxes = int(job.payload["of"]), [str(inbox) for inbox in job.payload["inboxes"]]
    if sent.type in ("Create", "Update"):  # whom it was withdrawn from meanwhile does not get it any more
        inboxes = kit.store.objects.recipients_among(sent.object, inboxes)
    if many <= FEW:  # found late, maybe in a slice before
        inboxes = [inbox for inbox in inboxes if not kit.store.jobs.is_sent(sent.id, lane_of(sent, inbox))]
    taken = set(deliver_slice(kit, sent, inboxes, many, has_media=bool(job.payload["media"])))
    if sent.type == "Create":
        kit.store.objects.forget_recipients(sent.object, [inbox for inbox in inboxes if inbox not in taken])
    kit.store.jobs.finish(job.id, kit.clock.now())


def _is_over(kit: Kit, sent: Sent) -> bool:
    """Tell whether what was to be said is not true any more, and what follows it says so."""
    stored = kit.store.objects.get(sent.object) if sent.type in ("Create", "Update") else None
    return sent.undone or (stored is not None and stored.deleted is not None)
