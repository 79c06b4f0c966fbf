"""ActivityPub client-to-server (W3C ActivityPub, section 6): a community's own software publishes here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway.activitypub.addressing import Visibility, visibility_of
from gateway.activitypub.negotiation import is_activity_type
from gateway.activitypub.note import Draft
from gateway.activitypub.properties import id_of, text_of, type_of
from gateway.activitypub.sanitise import plain
from gateway.carriers import jsonld_terms
from gateway.carriers.reading import Source
from gateway.errors import BadInput, Text, UnsupportedMediaType
from gateway.flows import discover, interact, publish, revise, subscribe
from gateway.jsonld.strict import read_object
from gateway.preferences import Auth, Declarant, DeclarantKind, Preferences, Scope, Subject, combined
from gateway.urls import same_origin
from gateway.web.access import account_of, bearer
from gateway.web.context import kit_of, read_body

if TYPE_CHECKING:
    from starlette.requests import Request

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account
    from gateway.store.objects import Sent

UNKNOWN = Text(
    "This outbox takes Note, Create, Update, Delete, Follow, Like, Announce, Block and Undo.",
    "このoutboxで受け付けるのは Note, Create, Update, Delete, Follow, Like, Announce, Block, Undo です。",
)


NO_FILES = Text(
    "Files cannot be attached here yet; use: gateway post create --media.",
    "ここではファイルを添付できません。gateway post create --media を使ってください。",
)


async def outbox(request: Request) -> Response:
    """Publish what the owner's software sends: 201 with the id of the activity."""
    kit, account = kit_of(request), account_of(request)
    bearer(request, account)
    content_type = request.headers.get("content-type", "")
    if not is_activity_type(content_type) and content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType(content_type[:100])
    document = read_object(await read_body(request))
    sent = await _perform(kit, account, document)
    headers = {"location": sent.id} if sent is not None else {}
    return Response(status_code=201 if sent is not None else 200, headers=headers)


async def _perform(kit: Kit, account: Account, document: Mapping[str, object]) -> Sent | None:
    kind = type_of(document)
    value = document.get("object")
    target = id_of(value)
    if kind == "Note":
        return await _create(kit, account, document, document)
    if kind == "Create" and isinstance(value, Mapping) and type_of(value) == "Note":
        return await _create(kit, account, value, {**document, **value})
    if target is None:
        raise BadInput(f"{kind} without object", detail=UNKNOWN)
    if kind == "Update" and isinstance(value, Mapping):
        own = _preferences(kit, value)
        # Partial: what an Update does not name stays (ActivityPub, section 6.3.1).
        warning = text_of(value, "summary") if value.keys() & {"summary", "summaryMap"} else None
        return (await revise.edit(kit, account, target, text=_text(value), own=own, warning=warning))[1]
    if kind == "Delete":
        return revise.delete(kit, account, target)
    if kind in ("Like", "Announce"):
        return await interact.interact(kit, account, kind, target)
    if kind in ("Follow", "Block") and same_origin(target, kit.base):
        raise BadInput(target, detail=Text("This account lives here.", "このサーバー内のアカウントです。"))
    if kind in ("Follow", "Block"):
        remote = await discover.known_actor(kit, target)
        return (
            subscribe.follow(kit, account, remote.id) if kind == "Follow" else interact.block(kit, account, remote.id)
        )
    if kind == "Undo":
        return _undo(kit, account, target)
    raise BadInput(f"{kind} is not taken", detail=UNKNOWN)


async def _create(kit: Kit, account: Account, note: Mapping[str, object], addressed: Mapping[str, object]) -> Sent:
    stated = "to" in addressed or "cc" in addressed
    if note.get("attachment"):
        raise BadInput("attachment", detail=NO_FILES)
    draft = Draft(
        text=_text(note) or "",
        visibility=visibility_of(addressed, f"{account.id}/followers") if stated else Visibility.PUBLIC,
        warning=text_of(note, "summary"),
        language=_language(note),
        reply_to=id_of(note.get("inReplyTo")),
    )
    own = _preferences(kit, note)
    return (await publish.create(kit, account, draft, own=own or Preferences()))[1]


def _text(note: Mapping[str, object]) -> str | None:
    """Return the plain text: ``source`` where given, else the content without its markup."""
    source = note.get("source")
    if (
        isinstance(source, Mapping)
        and source.get("mediaType") == "text/plain"
        and isinstance(source.get("content"), str)
    ):
        return str(source["content"])
    content = text_of(note, "content")
    return plain(content) if content else None


def _language(note: Mapping[str, object]) -> str:
    mapped = note.get("contentMap")
    return str(next(iter(mapped), "")) if isinstance(mapped, Mapping) else ""


def _preferences(kit: Kit, note: Mapping[str, object]) -> Preferences | None:
    """Return what the client says about this object, in any of our terms; None when it says nothing."""
    speaker = Declarant(kind=DeclarantKind.AUTHOR, id="client", auth=Auth.LOCAL)
    source = Source(subject=Subject(scope=Scope.OBJECT, ref="new"), declared_by=speaker, observed_at=kit.clock.now())
    values = jsonld_terms.TermValues(
        content_usage=note.get("contentUsage"), ai_usage=note.get("aiUsage"), x_robots_tag=note.get("xRobotsTag")
    )
    statements = jsonld_terms.parse(values, source).statements
    return combined(statements, at=kit.clock.now()) if statements else None


def _undo(kit: Kit, account: Account, target: str) -> Sent | None:
    done = kit.store.objects.activity(target)
    if done is None or done.actor != account.id:
        raise BadInput(f"{target} is not yours to undo", detail=UNKNOWN)
    if done.type == "Follow":
        return subscribe.unfollow(kit, account, done.object)
    if done.type == "Block":
        return interact.unblock(kit, account, done.object)
    return interact.undo_interaction(kit, account, done.type, done.object)
