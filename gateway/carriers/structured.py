"""Dictionaries of tokens (RFC 9651), the grammar shared by Content-Usage and AI-Usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import http_sf

from gateway.preferences import Preference

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_TEXT = 8_192  # characters of one value: what a header line may be


def parse_tokens(text: str) -> dict[str, tuple[object, Mapping[str, object]]] | None:
    """Return key -> (value, parameters), or None when ``text`` is no dictionary, or longer than any."""
    if len(text) > MAX_TEXT:
        return None
    try:
        parsed = http_sf.parse(text.encode("ascii"), tltype="dictionary")
    except ValueError:
        return None
    # A dictionary member is (value, parameters); an inner list stands in the same shape.
    return cast("dict[str, tuple[object, Mapping[str, object]]]", parsed)


def preference(value: object) -> Preference | None:
    """Return the preference a value states: only the tokens ``y`` and ``n`` do."""
    if isinstance(value, http_sf.Token) and str(value) in ("y", "n"):
        return Preference(str(value))
    return None
