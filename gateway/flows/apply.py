"""One effect, one change: called inside the transaction that settles an arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from gateway.activitypub import effects as fx
from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import tombstone
from gateway.activitypub.properties import id_of, type_of
from gateway.activitypub.sanitise import clean
from gateway.clock import parse_rfc3339
from gateway.flows import discover, subscribe
from gateway.flows.said import counted, limited, refusals
from gateway.preferences import (
    NOTHING,
    Statement,
    change,
    combined,
)
from gateway.store.objects import Stored
from gateway.store.relations import Report
from gateway.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from gateway.flows.kit import Kit

MAX_TAGS = 100


def apply(kit: Kit, effect: fx.Effect, source: str, statements: Sequence[Statement]) -> None:
    """Make one effect true; ``source`` is the activity it comes from, ``statements`` what that activity states."""
    relations, now = kit.store.relations, kit.clock.now()
    match effect:
        case fx.Ignore() | fx.Fetch() | fx.KeepActor():
            return
        case fx.KeepObject():
            _keep(kit, effect, source, statements)
        case fx.BuryObject():
            _bury(kit, effect.id, effect.owner)
        case fx.DropActor():
            for object_id in kit.store.objects.of_owner_to_bury(effect.id):
                _bury(kit, object_id, effect.id)
            relations.drop_actor(effect.id, now)
        case fx.RecordFollow():
            relations.save_follow(effect.follower, effect.followed, effect.activity, effect.state, now)
        case fx.SettleFollow():
            relations.settle_follow(effect.follower, effect.followed, effect.state)
        case fx.ForgetFollow():
            relations.forget_follow(effect.follower, effect.followed)
        case fx.Answer():
            subscribe.answer_follow(kit, effect.kind, effect.actor, effect.follow, effect.to)
        case fx.RecordInteraction():
            relations.save_interaction(effect.kind, effect.actor, effect.object, effect.activity, now)
            kit.store.statements.add(_refusals_of_others(statements), source)
        case fx.ForgetInteraction():
            relations.forget_interaction(effect.kind, effect.actor, effect.object)
        case fx.RecordBlock():
            relations.save_block(effect.blocker, effect.blocked, effect.activity, now)
        case fx.ForgetBlock():
            relations.forget_block(effect.blocker, effect.blocked)
        case fx.RecordReport():
            report = Report(
                id=kit.tids.next(), reporter=effect.reporter, objects=effect.objects, content=effect.content,
                created=now, closed=None,
            )  # fmt: skip
            relations.save_report(report)
        case fx.MoveFollowers():
            _move(kit, effect.old, effect.new)
        case fx.RememberUndone():
            relations.remember_undone(effect.activity, effect.actor, now)
        case _:
            assert_never(effect)


def _refusals_of_others(statements: Sequence[Statement]) -> list[Statement]:
    """Return what somebody who boosts may add about another's work: refusals only."""
    limited = (refusals(statement) for statement in statements)
    return [statement for statement in limited if statement.prefs]


def _keep(kit: Kit, effect: fx.KeepObject, source: str, statements: Sequence[Statement]) -> None:
    document = effect.document
    object_id = str(document["id"])
    before = kit.store.objects.get(object_id)
    published = parse_rfc3339(document.get("published")) or kit.clock.now()
    updated = parse_rfc3339(document.get("updated"))
    said = list(statements) if effect.by_author else _refusals_of_others(statements)
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
        document=_sanitised(document),
        prefs=combined(counted(kit, document, object_id, effect.owner), at=kit.clock.now()),
        published=before.published if before is not None else published,
        in_reply_to=id_of(document.get("inReplyTo")),
        updated=updated or (published if before is not None else None),  # an undated edit must not turn time back
    )
    kit.store.objects.save(stored, _hashtags(document))


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


def _sanitised(document: Mapping[str, object]) -> dict[str, object]:
    cleaned = dict(document)
    for name in ("content", "summary"):
        if isinstance(cleaned.get(name), str):
            cleaned[name] = clean(str(cleaned[name]))
    for name in ("contentMap", "summaryMap"):
        mapped = cleaned.get(name)
        if isinstance(mapped, dict):
            cleaned[name] = {key: clean(text) for key, text in mapped.items() if isinstance(text, str)}
    return cleaned


def _hashtags(document: Mapping[str, object]) -> list[str]:
    tags = document.get("tag")
    listed = tags[:MAX_TAGS] if isinstance(tags, list) else []
    return [
        str(t["name"]).lstrip("#") for t in listed if isinstance(t, dict) and t.get("type") == "Hashtag" and "name" in t
    ]


def _bury(kit: Kit, object_id: str, owner: str) -> None:
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


def _move(kit: Kit, old: str, new: str) -> None:
    """Our followers of a moved account follow the new one."""
    kit.store.relations.mark_moved(old, kit.clock.now())
    for follower in kit.store.relations.local_followers_of(old):
        account = kit.store.accounts.by_id(follower)
        if account is not None:
            subscribe.follow(kit, account, new)
            subscribe.unfollow(kit, account, old)
