"""ActivityPub between servers: inboxes, actors, collections, objects, activities."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from gateway.activitypub import actor as actors
from gateway.activitypub import collection as collections
from gateway.activitypub.negotiation import is_activity_type
from gateway.errors import GatewayError, Gone, NotFound, UnsupportedMediaType
from gateway.flows import inbound, stating
from gateway.flows.profile import profile_of
from gateway.flows.see import may_see_activity
from gateway.observe import metrics
from gateway.observe.logs import log
from gateway.observe.names import ARRIVAL
from gateway.web.access import account_of, check_visible, is_unsigned, requester
from gateway.web.context import client_address, kit_of, prefers_html, read_body, signed_request
from gateway.web.pace import verified
from gateway.web.problems import on_gateway_error, on_hang_up, on_http_exception
from gateway.web.respond import VARY, document_response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from gateway.store.objects import Stored

SEE_OTHER = 303
GONE = 410
COLLECTIONS = ("outbox", "followers", "following", "featured")


async def inbox(request: Request) -> Response:
    """Take an activity: 202 when it is durable."""
    kit, started = kit_of(request), time.perf_counter()
    line: dict[str, object] = {"client": client_address(request), "path": request.scope["path"]}
    try:
        with kit.store.together.urgent():
            received = await _take(request)
    except GatewayError as error:
        metrics.arrived(error.status, time.perf_counter() - started)
        line |= {"answer": error.status, "outcome": error.reason, "problem": str(error), "ms": _since(started)}
        log().info(ARRIVAL, **line)
        if error.status < 500:  # noqa: PLR2004 - RFC 9110
            reason, told = error.reason, str(error)
            await kit.store.together(lambda: kit.store.peers.audit(kit.clock.now(), ARRIVAL, "", reason, told))
        raise
    metrics.arrived(202, time.perf_counter() - started)
    line |= {"answer": 202, "outcome": received.outcome, "ms": _since(started), "activity": received.activity}
    log().info(ARRIVAL, type=received.type, peer=received.peer, scheme=received.scheme, **line)
    return Response(status_code=202)


class Inbox:
    """The inboxes as an ASGI application of its own: nothing of the framework's that they do not need is between."""

    def __init__(self) -> None:
        functools.update_wrapper(self, inbox)  # its name and what it says, for the description of the API

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take an activity and answer; a crash is the onion's."""
        request = Request(scope, receive)
        try:
            answer = await inbox(request)
        except GatewayError as error:
            answer = on_gateway_error(request, error)
        except HTTPException as error:
            answer = on_http_exception(request, error)
        except ClientDisconnect as error:
            answer = on_hang_up(request, error)
        await answer(scope, receive, send)


INBOX = Inbox()


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


async def _take(request: Request) -> inbound.Received:
    """Check what needs no parsing, read the body within its bound, hand both on."""
    if "name" in request.path_params:
        account_of(request)
    types = request.headers.getlist("content-type")
    if len(types) != 1 or not is_activity_type(types[0]):
        raise UnsupportedMediaType(", ".join(types)[:100])
    body = await read_body(request)
    received = await inbound.receive(kit_of(request), signed_request(request, body))
    if received.scheme:
        verified(request, received.bearer)
    return received


async def instance_actor(request: Request) -> Response:
    """Show the actor that speaks for the instance; readable without a signature."""
    kit = kit_of(request)
    if prefers_html(request):
        return RedirectResponse(f"{kit.base}/about", SEE_OTHER, {"vary": VARY})
    account = kit.store.accounts.by_id(kit.instance_actor)
    if account is None:
        raise NotFound("instance actor")
    document = actors.instance_actor(profile_of(kit, account))
    return document_response(request, document, stating.actor_statements(kit, account), actor=True)


async def instance_collection(request: Request) -> Response:
    """Show the instance actor's collections: it publishes nothing and nobody follows it."""
    kit = kit_of(request)
    account = kit.store.accounts.by_id(kit.instance_actor)
    if account is None:
        raise NotFound("instance actor")
    document = collections.inline(f"{kit.base}{request.scope['path']}", [], owner=account.id)
    return document_response(request, document, stating.actor_statements(kit, account))


async def actor(request: Request) -> Response:
    """Show an actor: whole to who signs, key-only to who does not, a page to people."""
    kit, account = kit_of(request), account_of(request)
    if prefers_html(request):
        return RedirectResponse(f"{kit.base}/@{account.name}", SEE_OTHER, {"vary": VARY})
    profile = profile_of(kit, account)
    statements = stating.actor_statements(kit, account)
    if is_unsigned(request) and kit.settings.authorized_fetch:
        return document_response(request, actors.key_only(profile), statements, actor=True)
    await requester(request)
    return document_response(request, actors.actor(profile), statements, actor=True)


async def post(request: Request) -> Response:
    """Show one of our objects, or the Tombstone of what it was."""
    kit = kit_of(request)
    object_id = f"{kit.base}/posts/{request.path_params['tid']}"
    if prefers_html(request):
        return _to_page(request, kit.store.objects.get(object_id))
    asker = await requester(request)
    stored = check_visible(kit, kit.store.objects.get(object_id), asker)
    statements = stating.statements_about(kit, object_id)
    status = GONE if stored.deleted is not None else 200
    return document_response(request, stating.whole_document(kit, stored), statements, status=status)


def _to_page(request: Request, stored: Stored | None) -> Response:
    kit = kit_of(request)
    found = check_visible(kit, stored, None)
    account = kit.store.accounts.by_id(found.owner)
    name = account.name if account is not None else ""
    return RedirectResponse(f"{kit.base}/@{name}/{found.id.rpartition('/')[2]}", SEE_OTHER, {"vary": VARY})


async def activity(request: Request) -> Response:
    """Show one of our activities to those it was for: as it holds today, never looser than what was edited since."""
    kit = kit_of(request)
    asker = await requester(request)
    sent = kit.store.objects.activity(f"{kit.base}/activities/{request.path_params['tid']}")
    if sent is None or (sent.undone and asker != sent.actor):
        raise NotFound("missing or taken back")
    author = kit.store.accounts.by_id(sent.actor)
    if author is not None and author.deleted is not None and sent.type != "Delete":
        raise Gone(sent.actor)
    stored = kit.store.objects.get(sent.object)
    if stored is not None and sent.type in ("Create", "Update", "Delete"):
        check_visible(kit, stored, asker)
        if stored.deleted is not None and sent.type != "Delete":
            # Its bytes would tell what was deleted.
            raise Gone(sent.id)
    elif not may_see_activity(kit, sent, asker):
        raise NotFound("hidden")
    document, statements = stating.current_document(kit, sent)
    return document_response(request, document, statements)
