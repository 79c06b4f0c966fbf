"""Arguments shared by several commands, turned into values or into a clear error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gateway.carriers.ai_usage import parse_prefs, unknown_words
from gateway.clock import parse_rfc3339
from gateway.errors import BadInput, NotFound, Text
from gateway.flows.attach import Upload
from gateway.preferences import Category, Preferences

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account


def account(kit: Kit, name: str) -> Account:
    """Return a living account by name; raise NotFound."""
    found = kit.store.accounts.by_name(name.removeprefix("@"))
    if found is None or found.deleted is not None or found.kind == "Application":
        raise NotFound(f"there is no account {name!r}; see: gateway account list")
    return found


def preferences(text: str) -> Preferences:
    """Return ``train-gen=n, search=y`` as a value; raise BadInput naming each word that is not understood."""
    parsed, unknown = parse_prefs(text), unknown_words(text)
    if parsed is None or unknown:
        raise BadInput(
            f"{', '.join(unknown)}; categories are {', '.join(Category)}, values n and y",
            detail=Text("These preferences are not understood", "意思表示の指定を読み取れません"),
        )
    return parsed


def category(text: str) -> Category:
    """Return a category by name; raise BadInput naming them all."""
    if text not in list(Category):
        raise BadInput(f"{text!r}; one of {', '.join(Category)}", detail=Text("Unknown category", "不明な項目です"))
    return Category(text)


def uploads(media: list[Path], alt: list[str]) -> list[Upload]:
    """Return files with their alternative texts, in order; raise BadInput for a file that cannot be read."""
    found = []
    for index, path in enumerate(media):
        found.append(Upload(content=read_file(path), name=path.name, alt=alt[index] if index < len(alt) else ""))
    return found


def read_file(path: Path) -> bytes:
    """Return the content of a file; raise BadInput when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: {error.strerror}", detail=Text("A file cannot be read", "ファイルを読めません")
        ) from error


def moment(text: str) -> datetime:
    """Return a moment given as RFC 3339; raise BadInput."""
    found = parse_rfc3339(text)
    if found is None:
        raise BadInput(
            f"{text!r}; like 2026-11-22T10:00:00Z", detail=Text("This is not a time", "時刻を読み取れません")
        )
    return found


def when(moment: datetime | None) -> str | None:
    """Return a moment as text, or None."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None
