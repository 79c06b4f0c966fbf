"""Media files: never readable as an ActivityPub document, never run, always with their preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import FileResponse

from gateway.errors import NotFound
from gateway.preferences import strictest
from gateway.web.context import kit_of, state_preferences

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"
YEAR = "max-age=31536000, immutable"


async def file(request: Request) -> Response:
    """Send one uploaded file."""
    kit = kit_of(request)
    media = kit.store.objects.media(request.path_params["media_id"])
    if media is None or media.name != request.path_params["file_name"]:
        raise NotFound("media")
    uses = kit.store.objects.uses_of_media(media.id)
    living = [stored for stored in uses if stored.deleted is None]
    path = None if uses and not living else await kit.files.find(media.sha256)
    if path is None:
        raise NotFound("media")
    if living:
        # Of several posts the one that asks most decides.
        state_preferences(request, strictest(*(stored.prefs for stored in living)))
    shared = "public" if any(stored.visibility.is_open for stored in living) else "private"
    headers = {
        "content-security-policy": SANDBOX,
        "cache-control": f"{shared}, {YEAR}",
        "access-control-allow-origin": "*",
    }
    return FileResponse(
        path, headers=headers, media_type=media.media_type, filename=media.name, content_disposition_type="inline"
    )
