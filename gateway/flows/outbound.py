"""The way out: compose -> label -> address -> decide per peer -> keep with its deliveries, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from gateway.activitypub.actor import actor
from gateway.activitypub.addressing import NOBODY, Addressed, Visibility, addressed_in
from gateway.activitypub.labels import label, with_context
from gateway.clock import rfc3339
from gateway.errors import TooLarge
from gateway.flows.profile import profile_of
from gateway.flows.queue import deliver_here, deliver_to, look_up_later
from gateway.flows.recipients import reach
from gateway.flows.stating import actor_statements, statements_about, statements_in
from gateway.flows.vouch import vouched
from gateway.jsonld import strict
from gateway.jsonld.contexts import PUBLIC
from gateway.store.objects import Sent
from gateway.urls import same_origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from gateway.flows.kit import Kit
    from gateway.preferences import Statement
    from gateway.store.accounts import Account

MAX_ACTIVITY = 64 * 1024  # Misskey's limit; everybody else takes more


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the author's own software wrote on an activity: further members, and whom it is for besides."""

    members: Mapping[str, object] = field(default_factory=dict)
    addressed: Addressed = NOBODY


NOTHING_MORE = Said()


def send(  # noqa: PLR0913 - one keyword a member of the activity
    kit: Kit,
    account: Account,
    kind: str,
    target: object,
    *,
    about: str,
    statements: Sequence[Statement],
    also: Iterable[str] = (),
    to: Sequence[str] = (),
    cc: Sequence[str] = (),
    visibility: Visibility | None = None,
    said: Said = NOTHING_MORE,
) -> Sent:
    """Compose one labelled activity, keep it, and queue a delivery to everybody it is for.

    ``target`` is the object: an id, a document or a list of ids. ``about`` is the id of what it is about;
    ``also`` are inboxes that get it besides those of its addressees. How far it travels follows from its
    addresses unless ``visibility`` says so. Call inside a transaction with whatever it announces.
    """
    now = kit.clock.now()
    activity_id = f"{kit.base}/activities/{kit.tids.next()}"
    addressed = Addressed(to=tuple(to), cc=tuple(cc)) + said.addressed
    document: dict[str, object] = {
        **said.members,
        "id": activity_id,
        "type": kind,
        "actor": account.id,
        "published": rfc3339(now),
        "to": list(addressed.to),
        "cc": list(addressed.cc),
        **({"audience": list(addressed.audience)} if addressed.audience else {}),
        **({"object": target} if target is not None else {}),
    }
    with_keys = isinstance(target, Mapping) and "publicKey" in target
    if isinstance(target, Mapping):
        document["object"] = label(target, statements)
    body = orjson.dumps(vouched(kit, with_context(label(document, statements), actor=with_keys)))
    if len(body) > MAX_ACTIVITY:
        raise TooLarge(f"an activity of {len(body)} bytes; many servers take {MAX_ACTIVITY} at most")
    strict.read_object(body)  # what we could not read ourselves must not go out: MalformedDocument
    sent = Sent(
        id=activity_id, actor=account.id, type=kind, object=about, body=body, created=now,
        visibility=visibility or addressed.visibility(f"{account.id}/followers"),
    )  # fmt: skip
    with kit.store.transaction():
        kit.store.objects.save_activity(sent)
        _dispatch(kit, account, sent, addressed, also, has_media=_has_media(target))
    kit.wake()
    return sent


def _dispatch(
    kit: Kit, account: Account, sent: Sent, addressed: Addressed, also: Iterable[str], *, has_media: bool
) -> None:
    found = reach(kit, account, addressed.everyone, shared=sent.visibility is not Visibility.DIRECT)
    taken = deliver_to(kit, sent, [*also, *found.inboxes], has_media=has_media)
    deliver_here(kit, sent, found.here)
    look_up_later(kit, sent, found.strangers, has_media=has_media)
    unnamed = (*addressed.hidden, *found.listed)
    kit.store.objects.remember_addressees(sent.id, sent.object, addressed.named, unnamed)
    if sent.type in ("Create", "Update"):
        kit.store.objects.remember_recipients(sent.object, taken)


def _has_media(target: object) -> bool:
    return isinstance(target, Mapping) and bool(target.get("attachment"))


def announce_actor(kit: Kit, account: Account, said: Said = NOTHING_MORE) -> Sent:
    """Tell followers' servers that an actor changed; they read the new document at its id."""
    return send(
        kit, account, "Update", actor(profile_of(kit, account)), about=account.id,
        statements=actor_statements(kit, account), to=[PUBLIC], cc=[f"{account.id}/followers"],
        visibility=Visibility.UNLISTED, said=said,
    )  # fmt: skip


def announce_deleted_actor(kit: Kit, account: Account) -> Sent:
    """Tell followers' servers that an account is gone."""
    return send(
        kit, account, "Delete", account.id, about=account.id, statements=actor_statements(kit, account),
        to=[PUBLIC], cc=[f"{account.id}/followers"], visibility=Visibility.UNLISTED,
    )  # fmt: skip


def undo(kit: Kit, account: Account, done: Sent, said: Said = NOTHING_MORE) -> Sent:
    """Send Undo of one of our activities to everybody whom it was addressed to, the hidden ones too."""
    kit.store.objects.undo_activity(done.id, kit.clock.now())
    statements = statements_about(kit, done.object) or statements_in(done)
    addressed = addressed_in(strict.read_object(done.body))
    if done.type == "Block":  # an account here was never told
        addressed = Addressed(to=tuple(address for address in addressed.to if not same_origin(address, kit.base)))
    hidden = Addressed(hidden=tuple(kit.store.objects.hidden_recipients(done.id)))
    document = {"id": done.id, "type": done.type, "actor": account.id, "object": done.object}
    return send(
        kit, account, "Undo", document, about=done.object, statements=statements,
        said=replace(said, addressed=addressed + hidden + said.addressed),
    )  # fmt: skip
