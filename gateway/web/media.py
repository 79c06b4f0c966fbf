"""Media files: never readable as an ActivityPub document, never run, always with their preferences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import FileResponse

from gateway.errors import NotFound
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
    stored = kit.store.objects.get(media.object) if media.object else None
    path = kit.files.path(media.sha256)
    if (stored is not None and stored.deleted is not None) or not path.exists():
        raise NotFound("media")
    if stored is not None:
        state_preferences(request, stored.prefs)
    shared = "public" if stored is None or stored.visibility.is_open else "private"
    headers = {
        "content-security-policy": SANDBOX,
        "cache-control": f"{shared}, {YEAR}",
        "access-control-allow-origin": "*",
    }
    return FileResponse(
        path, headers=headers, media_type=media.media_type, filename=media.name, content_disposition_type="inline"
    )
