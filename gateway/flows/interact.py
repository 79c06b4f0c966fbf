"""What an author does to others' work and to others: like, boost, block, and take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.activitypub.addressing import Visibility, visibility_of
from gateway.activitypub.properties import ids_of
from gateway.errors import Gone, NotFound, Refused, RemoteAnswer
from gateway.flows import discover, outbound, stating
from gateway.flows.outbound import NOTHING_MORE, Said
from gateway.flows.said import counted, limited, said_in
from gateway.flows.see import check_reachable
from gateway.jsonld.contexts import PUBLIC
from gateway.preferences import Auth
from gateway.signatures.owner import is_actor
from gateway.urls import origin_of, same_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent


async def interact(kit: Kit, account: Account, kind: str, target: str, said: Said = NOTHING_MORE) -> Sent:
    """Like or boost an object (kind ``Like`` or ``Announce``)."""
    check_reachable(kit, target, account.id)
    stored = kit.store.objects.get(target)
    if stored is not None and stored.deleted is not None:
        raise Gone(target)
    if stored is None:
        if same_origin(target, kit.base):
            raise NotFound(target)
        document, answer = await discover.answer_at(kit, target)
        target = answer.url
        visibility = Visibility.PUBLIC if is_actor(document) else visibility_of(document)
        author = _author_of(document, target)
        await discover.known_actor(kit, author)
        statements = kit.reader().whole(document, (), target, discover.author_of(author), None).statements
        heard = said_in(kit, answer.headers, target, origin_of(target), Auth.TLS)
        kit.store.statements.add(limited((*statements, *heard), author), target)
        statements = tuple(counted(kit, document, target, author))
    else:
        visibility, author, statements = stored.visibility, stored.owner, stating.statements_about(kit, target)
    if kind == "Announce" and not visibility.is_open:
        raise Refused(f"{target} is not public", code="not-announceable")
    boost = kind == "Announce"
    with kit.store.transaction():
        sent = outbound.send(
            kit, account, kind, target, about=target, statements=statements, said=said,
            to=[PUBLIC] if boost else [author], cc=[author, f"{account.id}/followers"] if boost else [],
        )  # fmt: skip
        kit.store.relations.save_interaction(kind, account.id, target, sent.id, kit.clock.now())
    return sent


def _author_of(document: Mapping[str, object], target: str) -> str:
    """Return whose work a document is, as far as its server can say; an actor is its own."""
    named = [target] if is_actor(document) else ids_of(document.get("attributedTo")) or ids_of(document.get("actor"))
    author = next((one for one in named if same_origin(one, target)), None)
    if author is None:
        raise RemoteAnswer(f"{target} names no author on its own server", remote_status=200)
    return author


def undo_interaction(kit: Kit, account: Account, kind: str, target: str, said: Said = NOTHING_MORE) -> Sent | None:
    """Take a like or boost back."""
    done = kit.store.objects.latest_activity(account.id, kind, target)
    if done is None:
        return None
    with kit.store.transaction():
        kit.store.relations.forget_interaction(kind, account.id, target)
        return outbound.undo(kit, account, done, said)


def block(kit: Kit, account: Account, target: str, said: Said = NOTHING_MORE) -> Sent:
    """Block an actor: follows both ways end. A remote one's server is told, so that it ends them, too."""
    with kit.store.transaction():
        kit.store.relations.forget_follow(target, account.id)
        kit.store.relations.forget_follow(account.id, target)
        sent = outbound.send(
            kit, account, "Block", target, about=target, statements=stating.actor_statements(kit, account),
            to=[target], visibility=Visibility.DIRECT, said=said,
        )  # fmt: skip
        kit.store.relations.save_block(account.id, target, sent.id, kit.clock.now())
    return sent


def unblock(kit: Kit, account: Account, target: str, said: Said = NOTHING_MORE) -> Sent | None:
    """Take a block back."""
    done = kit.store.objects.latest_activity(account.id, "Block", target)
    with kit.store.transaction():
        if not kit.store.relations.forget_block(account.id, target) or done is None:
            return None
        return outbound.undo(kit, account, done, said)
