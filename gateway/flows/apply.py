"""One effect, one change: called inside the transaction that settles an arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from gateway.activitypub import effects as fx
from gateway.flows import subscribe
from gateway.flows.keep import bury, keep
from gateway.flows.said import refusals_only
from gateway.store.relations import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.flows.kit import Kit
    from gateway.preferences import (
        Statement,
    )


def apply(kit: Kit, effect: fx.Effect, source: str, statements: Sequence[Statement]) -> None:
    """Make one effect true; ``source`` is the activity it comes from, ``statements`` what that activity states."""
    relations, now = kit.store.relations, kit.clock.now()
    match effect:
        case fx.Ignore() | fx.Fetch() | fx.KeepActor():
            return
        case fx.KeepObject():
            keep(kit, effect, source, statements)
        case fx.BuryObject():
            bury(kit, effect.id, effect.owner)
        case fx.DropActor():
            for object_id in kit.store.objects.of_owner_to_bury(effect.id):
                bury(kit, object_id, effect.id)
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
            kit.store.statements.add(refusals_only(statements), source)
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


def _move(kit: Kit, old: str, new: str) -> None:
    """Our followers of a moved account follow the new one."""
    kit.store.relations.mark_moved(old, kit.clock.now())
    for follower in kit.store.relations.local_followers_of(old):
        account = kit.store.accounts.by_id(follower)
        if account is not None:
            subscribe.follow(kit, account, new)
            subscribe.unfollow(kit, account, old)
