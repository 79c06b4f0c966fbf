"""Dictionaries of tokens (RFC 9651), the grammar shared by Content-Usage and AI-Usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import http_sf

from gateway.preferences import Preference

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_tokens(text: str) -> dict[str, tuple[object, Mapping[str, object]]] | None:
    """Return key -> (value, parameters), or None when ``text`` is no dictionary."""
    try:
        parsed = http_sf.parse(text.encode("ascii"), tltype="dictionary")
    except (http_sf.StructuredFieldError, UnicodeEncodeError, ValueError):
        return None
    if not isinstance(parsed, dict):
        return None
    # A dictionary member is (value, parameters); an inner list stands in the same shape.
    return {key: (member[0], member[1]) for key, member in parsed.items() if isinstance(member, tuple)}  # type: ignore[misc]  # the library types members as a wide union


def preference(value: object) -> Preference | None:
    """Return the preference a value states: only the tokens ``y`` and ``n`` do."""
    if isinstance(value, http_sf.Token) and str(value) in ("y", "n"):
        return Preference(str(value))
    return None
