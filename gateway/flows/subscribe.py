"""Who follows whom: asking, taking back, accepting, rejecting. People here and elsewhere alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.flows.outbound import NOTHING_MORE, Said, send, undo
from gateway.flows.stating import actor_statements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent


def answer_follow(
    kit: Kit, kind: str, actor: str, follow_document: Mapping[str, object], to: str, said: Said = NOTHING_MORE
) -> Sent | None:
    """Accept or reject a Follow as the account that was followed."""
    account = kit.store.accounts.by_id(actor)
    if account is None:
        return None
    return send(
        kit, account, kind, follow_document, about=str(follow_document["id"]),
        statements=actor_statements(kit, account), to=[to], said=said,
    )  # fmt: skip


def follow(kit: Kit, account: Account, target: str, said: Said = NOTHING_MORE) -> Sent:
    """Ask an actor (one of ours, or a remote one known already) to let ``account`` follow it."""
    with kit.store.transaction():
        sent = send(
            kit, account, "Follow", target, about=target, statements=actor_statements(kit, account), to=[target],
            said=said,
        )  # fmt: skip
        before = kit.store.relations.follow(account.id, target)
        state = "accepted" if before is not None and before.state == "accepted" else "pending"
        kit.store.relations.save_follow(account.id, target, sent.id, state, kit.clock.now())
    return sent


def unfollow(kit: Kit, account: Account, target: str, said: Said = NOTHING_MORE) -> Sent | None:
    """Take a Follow back."""
    known = kit.store.relations.follow(account.id, target)
    if known is None:
        return None
    with kit.store.transaction():
        kit.store.relations.forget_follow(account.id, target)
        done = kit.store.objects.activity(known.activity)
        return undo(kit, account, done, said) if done is not None else None


def answer_request(kit: Kit, account: Account, follower: str, kind: str, said: Said = NOTHING_MORE) -> Sent | None:
    """Accept or reject a follow request, or end an accepted one; None when there is none."""
    known = kit.store.relations.follow(follower, account.id)
    if known is None or known.state == "rejected":
        return None
    document = {"id": known.activity, "type": "Follow", "actor": follower, "object": account.id}
    with kit.store.transaction():
        if kind == "Accept":
            kit.store.relations.settle_follow(follower, account.id, "accepted")
        else:
            kit.store.relations.forget_follow(follower, account.id)
        return answer_follow(kit, kind, account.id, document, follower, said)
