"""Keeping others' objects: cleaned, with their statements, and as tombstones when they are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import tombstone
from gateway.activitypub.properties import hashtags_of, ids_of, type_of
from gateway.activitypub.sanitise import clean_document
from gateway.clock import parse_rfc3339
from gateway.flows import discover
from gateway.flows.said import counted, limited, refusals_only
from gateway.preferences import (
    NOTHING,
    Statement,
    change,
    combined,
)
from gateway.store.objects import Stored
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gateway.activitypub import effects as fx
    from gateway.flows.kit import Kit


def keep(kit: Kit, effect: fx.KeepObject, source: str, statements: Sequence[Statement]) -> None:
    """Store a remote object or its newer version; ``statements`` are what the activity states about it."""
    document = effect.document
    object_id = str(document["id"])
    before = kit.store.objects.get(object_id)
    published = parse_rfc3339(document.get("published")) or kit.clock.now()
    updated = parse_rfc3339(document.get("updated"))
    said = list(statements) if effect.by_author else refusals_only(statements)
    if not effect.embedded:
        said += _read(kit, document, object_id, effect, updated or published)
    # Whoever attaches somebody else's file must not leave a yes about it in their name.
    said = [statement for statement in limited(said, effect.owner) if statement.prefs]
    _keep_statements(kit, object_id, said, source, effect, before, updated)
    stored = Stored(
        id=object_id,
        local=False,
        type=type_of(document),
        owner=effect.owner,
        visibility=effect.visibility,
        document=clean_document(document),
        prefs=combined(counted(kit, document, object_id, effect.owner), at=kit.clock.now()),
        published=before.published if before is not None else published,
        in_reply_to=next(iter(ids_of(document.get("inReplyTo"))), None),
        updated=updated or (published if before is not None else None),  # an undated edit must not turn time back
    )
    if before is not None and not before.local and before.owner != effect.owner:
        kit.store.objects.give(object_id, effect.owner)  # a neighbour had claimed it
    kit.store.objects.save(stored, hashtags_of(document))


def _read(
    kit: Kit, document: Mapping[str, object], object_id: str, effect: fx.KeepObject, asserted: datetime
) -> list[Statement]:
    return list(kit.reader().whole(document, (), object_id, discover.author_of(effect.owner), asserted).statements)


def _keep_statements(
    kit: Kit,
    object_id: str,
    said: Sequence[Statement],
    source: str,
    effect: fx.KeepObject,
    before: Stored | None,
    updated: datetime | None,
) -> None:
    """Add what is said; replace what was said before only where its author's newer Update earns it."""
    if before is not None:
        now = kit.clock.now()
        old = kit.store.statements.about([object_id])
        moved = change(
            combined(old, at=now),
            combined([s for s in said if s.subject.ref == object_id], at=now),
            by_author=effect.by_author,
            asserted_before=before.updated or before.published,
            asserted_after=updated,
        )
        if not moved.held and effect.by_author:
            for ref in {object_id, *(s.subject.ref for s in said)}:
                kit.store.statements.supersede(ref, now, declared_by=effect.owner)
        if moved.loosened or moved.held:
            what = "loosened" if moved.loosened else "loosening-not-earned"
            kit.store.peers.audit(now, "preferences", origin_of(object_id).host, what, object_id)
    kit.store.statements.add(said, source)


def bury(kit: Kit, object_id: str, owner: str) -> None:
    """Leave a tombstone; the preferences stay those of what it was."""
    now = kit.clock.now()
    before = kit.store.objects.get(object_id)
    buried = Stored(
        id=object_id,
        local=False,
        type="Tombstone",
        owner=owner,
        visibility=before.visibility if before else Visibility.DIRECT,
        document=tombstone(object_id, before.type if before else "Object", now),
        prefs=before.prefs if before else NOTHING,
        published=before.published if before else now,
        updated=now,
        deleted=now,
    )
    kit.store.objects.save(buried)
