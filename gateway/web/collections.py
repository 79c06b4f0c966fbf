"""Collections of actors and objects: everything to their owner, in pages; to others what they may see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.activitypub import collection as collections
from gateway.errors import NotFound, Refused
from gateway.flows import deposit, stating
from gateway.flows.see import may_see, visibilities_for
from gateway.ids import is_tid
from gateway.web.access import account_of, check_visible, requester
from gateway.web.context import kit_of
from gateway.web.respond import document_response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from gateway.flows.kit import Kit
    from gateway.preferences import Statement
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

    Page = tuple[Sequence[object], str | None]

FIRST = "1"
MAX_NUMBER = 12  # digits of a cursor
MAX_PAGE_BYTES = 256 * 1024  # of others' documents; the one that goes beyond it is the page's last


async def inbox(request: Request) -> Response:
    """Show the owner everything that reached the account, newest first."""
    kit, account = kit_of(request), account_of(request)
    if await requester(request, is_collection=True) != account.id:
        raise Refused("somebody else's inbox", code="private-collection")

    def read(cursor: str) -> Page:
        before = None if cursor == FIRST else _number(cursor)
        items = kit.store.inboxes.page(account.id, before=before, limit=collections.PAGE_SIZE + 1)
        documents: list[object] = []
        size = shown = 0
        for item in items[: collections.PAGE_SIZE]:
            document = deposit.document_of(kit, account.id, item)
            if document is not None:
                documents.append(document)
                size += len(json.dumps(document))
            shown += 1
            if size > MAX_PAGE_BYTES:
                break
        return documents, str(items[shown - 1].id) if len(items) > shown else None

    return _paged(request, account, f"{account.id}/inbox", kit.store.inboxes.size(account.id), read)


async def outbox(request: Request) -> Response:
    """Show what an account published, newest first: to its owner all of it, to others what they may see."""
    kit, account = kit_of(request), account_of(request)
    asker = await requester(request, is_collection=True)
    blocked = asker is not None and kit.store.relations.blocks(account.id, asker)
    reader = "" if blocked or asker is None else asker
    objects, seen = kit.store.objects, visibilities_for(kit, account.id, asker)
    own = asker == account.id

    def read(cursor: str) -> Page:
        if cursor != FIRST and not is_tid(cursor):
            raise NotFound("no such page")
        before, limit = (None if cursor == FIRST else f"{kit.base}/activities/{cursor}"), collections.PAGE_SIZE + 1
        sent = (
            objects.own_outbox(account.id, before=before, limit=limit)
            if own
            else objects.outbox(account.id, before=before, limit=limit, visibilities=seen, reader=reader)
        )
        return _cut(kit, sent)

    total = objects.own_outbox_size(account.id) if own else objects.outbox_size(account.id, seen, reader)
    return _paged(request, account, f"{account.id}/outbox", total, read)


def _cut(kit: Kit, sent: Sequence[Sent]) -> Page:
    shown = sent[: collections.PAGE_SIZE]
    following = shown[-1].id.rpartition("/")[2] if len(sent) > len(shown) else None
    return [stating.current_document(kit, activity)[0] for activity in shown], following


async def followers(request: Request) -> Response:
    """Show who follows; others learn how many, and whether they are among them."""
    account = account_of(request)
    return await _members(request, account, "followers", kit_of(request).store.relations.followers(account.id)[::-1])


async def following(request: Request) -> Response:
    """Show whom the account follows; others learn how many, and whether they are among them."""
    account = account_of(request)
    return await _members(request, account, "following", kit_of(request).store.relations.following(account.id)[::-1])


async def liked(request: Request) -> Response:
    """Show what the account likes; others learn how much."""
    account = account_of(request)
    return await _members(request, account, "liked", kit_of(request).store.relations.done_by(account.id, "Like"))


async def _members(request: Request, account: Account, name: str, members: Sequence[str]) -> Response:
    """Answer with a collection of ``members``, newest first."""
    asker = await requester(request, is_collection=True)
    collection_id = f"{account.id}/{name}"
    if asker != account.id:
        known = [member for member in members if member == asker]
        return _whole(request, account, collections.counted(collection_id, len(members), known, owner=account.id))
    return _paged(request, account, collection_id, len(members), _slices(members))


async def featured(request: Request) -> Response:
    """Show pinned posts, whole, as readers expect them."""
    kit, account = kit_of(request), account_of(request)
    asker = await requester(request, is_collection=True)
    collection_id = f"{account.id}/featured"
    posts = [kit.store.objects.get(item) for item in kit.store.collections.items(collection_id)]
    shown = [dict(post.document) for post in posts if post is not None and may_see(kit, post, asker)]
    return _whole(request, account, collections.inline(collection_id, shown, owner=account.id))


async def replies(request: Request) -> Response:
    """Show the open replies to one of our objects."""
    kit, object_id, owner, statements, _ = await _about(request)
    items = [reply.id for reply in kit.store.objects.replies(object_id)]
    return document_response(request, collections.inline(f"{object_id}/replies", items, owner=owner), statements)


async def likes(request: Request) -> Response:
    """Show the Likes of one of our objects to its author; others learn how many, and of their own."""
    kit, object_id, owner, statements, asker = await _about(request)
    total = len(kit.store.relations.interactions(object_id, "Like"))
    given = kit.store.relations.interaction_activities(object_id, "Like", limit=total)
    shown = [activity for activity, actor in given if asker in (owner, actor)]
    document = collections.counted(f"{object_id}/likes", total, shown, owner=owner)
    return document_response(request, document, statements)


async def shares(request: Request) -> Response:
    """Show the Announces of one of our objects: boosts are public."""
    kit, object_id, owner, statements, _ = await _about(request)
    total = len(kit.store.relations.interactions(object_id, "Announce"))
    given = kit.store.relations.interaction_activities(object_id, "Announce", limit=total)
    document = collections.inline(f"{object_id}/shares", [activity for activity, _ in given], owner=owner)
    return document_response(request, document, statements)


async def _about(request: Request) -> tuple[Kit, str, str, tuple[Statement, ...], str | None]:
    """Return the object that a collection is about, when the asker may see it."""
    kit = kit_of(request)
    object_id = f"{kit.base}/posts/{request.path_params['tid']}"
    asker = await requester(request, is_collection=True)
    stored = check_visible(kit, kit.store.objects.get(object_id), asker)
    return kit, object_id, stored.owner, stating.statements_about(kit, object_id), asker


def _slices(members: Sequence[str]) -> Callable[[str], Page]:
    def read(cursor: str) -> Page:
        start = 0 if cursor == FIRST else _number(cursor)
        end = start + collections.PAGE_SIZE
        return members[start:end], str(end) if end < len(members) else None

    return read


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= MAX_NUMBER):
        raise NotFound("no such page")
    return int(cursor)


def _paged(
    request: Request, account: Account, collection_id: str, total: int, read: Callable[[str], Page]
) -> Response:  # fmt: skip
    """Answer with the collection, or with the page that ``?page=`` names."""
    cursor = request.query_params.get("page")
    if cursor is None:
        document = collections.collection(collection_id, total, first=total > 0, owner=account.id)
        return _whole(request, account, document)
    items, following_page = read(cursor)
    document = collections.page(
        collection_id, items, cursor=cursor, following=following_page, total=total, owner=account.id
    )
    return _whole(request, account, document)


def _whole(request: Request, account: Account, document: dict[str, object]) -> Response:
    return document_response(request, document, stating.actor_statements(kit_of(request), account))
