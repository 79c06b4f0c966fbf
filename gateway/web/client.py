"""ActivityPub client-to-server (W3C ActivityPub, section 6): outbox, uploads, the proxy."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import orjson
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import Response

from gateway.activitypub import bounds
from gateway.activitypub.labels import label, with_context
from gateway.activitypub.negotiation import is_activity_type
from gateway.activitypub.note import MAX_ALT, attachment
from gateway.activitypub.properties import ACTIVITY_JSON, text_of
from gateway.carriers.jsonld_terms import combined_at_home
from gateway.errors import BadInput, StoreError, Text, TooLarge, UnsupportedMediaType
from gateway.flows import attach, client, look, stating
from gateway.flows.grant import READ, WRITE
from gateway.jsonld.strict import read_object
from gateway.media.files import MAX_FILE
from gateway.web.access import account_of, bearer, owner
from gateway.web.context import kit_of, read_body, read_form, state_preferences

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from starlette.requests import Request

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

OVERHEAD = 256 * 1024  # what a multipart body may hold besides the file
MAX_ALMOST = 20_000  # beginnings of a boundary; each makes the parser look twice
_PLAIN_JSON = "application/json"
NOT_JSON = Text(
    "An outbox takes application/activity+json (or ld+json with the ActivityStreams profile, or json).",
    "送信箱が受け付けるのはapplication/activity+json(またはActivityStreamsのプロファイル付きld+json、json)です。",
)
NOT_MULTIPART = Text("An upload is multipart/form-data.", "アップロードはmultipart/form-dataで送ってください。")


async def outbox(request: Request) -> Response:
    """Publish what the owner's software sends: 201 with the id of the activity in Location."""
    kit, account = kit_of(request), account_of(request)
    owner(request, account, WRITE)
    content_type = request.headers.get("content-type", "")
    if not is_activity_type(content_type) and content_type.partition(";")[0].strip().lower() != _PLAIN_JSON:
        raise UnsupportedMediaType(content_type[:100], detail=NOT_JSON)
    document = read_object(await read_body(request))
    bounds.check(document)
    sent = await client.submit(kit, account, document)
    state_preferences(request, combined_at_home(stating.current_document(kit, sent)[1]))
    return Response(status_code=201, headers={"location": sent.id})


async def proxy(request: Request) -> Response:
    """Fetch a document for the owner, signed as the owner (section 4.1, ``proxyUrl``): form field ``id``."""
    kit, account = kit_of(request), bearer(request, READ)
    wanted = (await read_form(request)).get("id", "")
    if not wanted:
        raise BadInput("no id")
    found = await look.fetch_for(kit, account, wanted)
    state_preferences(request, found.prefs)
    return Response(found.body, 200, {"cache-control": "private, no-store"}, ACTIVITY_JSON)


async def upload(request: Request) -> Response:
    """Take one file (multipart fields ``file``, ``object``): 201 with its address, and the attachment to post."""
    kit, account = kit_of(request), bearer(request, WRITE)
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise UnsupportedMediaType(content_type[:100], detail=NOT_MULTIPART)
    if "charset" in content_type.lower():
        raise UnsupportedMediaType("a charset of the whole body means nothing for files")
    try:
        parser = MultiPartParser(request.headers, _bounded(request), max_files=1, max_fields=8)
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise BadInput(f"multipart: {error!r}") from error
    except OSError as error:  # a large file waits on disk, and that may be full
        raise StoreError(f"upload: {error}") from error
    try:
        return await _uploaded(request, kit, account, form)
    finally:
        await form.close()


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    """Yield the body in pieces up to its limits; what is larger, or made to be searched for its end, stops here."""
    size = almost = 0
    async for piece in request.stream():
        size += len(piece)
        almost += piece.count(b"\r\n-")
        if almost > MAX_ALMOST:
            raise BadInput("what looks like boundaries, and is none")
        if size > MAX_FILE + OVERHEAD:
            raise TooLarge(f"more than {MAX_FILE} bytes of media")
        yield piece


async def _uploaded(request: Request, kit: Kit, account: Account, form: Mapping[str, object]) -> Response:
    file, described = form.get("file"), form.get("object")
    if not isinstance(file, UploadFile):
        raise BadInput("no file")
    shell = read_object(described.encode()) if isinstance(described, str) and described else {}
    alt = text_of(shell, "name") or text_of(shell, "summary") or str(form.get("description") or "")
    if len(alt) > MAX_ALT:
        raise BadInput(f"{len(alt)} characters of alternative text")
    await file.seek(0)
    blob = await asyncio.to_thread(attach.store, kit, file.file)
    kept = attach.keep(kit, account, blob, _name(file), alt)
    statements = stating.actor_statements(kit, account)
    state_preferences(request, combined_at_home(statements))
    body = orjson.dumps(with_context(label(attachment(kept), statements)))
    return Response(body, 201, {"location": kept.url, "cache-control": "no-store"}, ACTIVITY_JSON)


def _name(file: UploadFile) -> str:
    return re.sub(r"[\\/]", "-", unquote(file.filename or ""))
