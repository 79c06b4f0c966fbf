"""How much one post may be: text, warning, alternative texts, files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.activitypub.composed import EMPTY_POST
from gateway.activitypub.note import MAX_ALT, MAX_TEXT
from gateway.activitypub.sanitise import plain
from gateway.errors import BadInput, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.activitypub.note import Draft
    from gateway.flows.attach import Upload

MAX_WARNING = 1_000
MAX_ATTACHED = 16
TOO_LONG = Text("The post is too long.", "投稿が長すぎます。")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")  # the shape of BCP 47


def check(draft: Draft, uploads: Sequence[Upload]) -> None:
    """Raise BadInput for a draft that is empty or too long."""
    if not draft.text.strip() and not uploads:
        raise BadInput(detail=EMPTY_POST)
    too_long = len(draft.text) > MAX_TEXT or any(len(upload.alt) > MAX_ALT for upload in uploads)
    too_long = too_long or len(draft.warning) > MAX_WARNING
    if draft.language and not _LANGUAGE.fullmatch(draft.language):
        raise BadInput(draft.language[:40], detail=Text("This is not a language tag.", "言語タグではありません。"))
    if too_long or len(uploads) > MAX_ATTACHED:
        raise BadInput(detail=TOO_LONG)


def check_length(bare: Mapping[str, object]) -> None:
    """Raise BadInput for a composed object with too much text or too many files."""
    text, attached = bare.get("content"), bare.get("attachment")
    if isinstance(text, str) and len(plain(text)) > MAX_TEXT:
        raise BadInput(f"{len(text)} characters", detail=TOO_LONG)
    if isinstance(attached, list) and len(attached) > MAX_ATTACHED:
        raise BadInput(f"{len(attached)} attachments", detail=TOO_LONG)
