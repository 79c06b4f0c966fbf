"""The one JSON reader: strict, bounded, and the only one whose value is checked and used.

A byte-level scan bounds the depth before anything is built; then the standard library's parser runs
with hooks that refuse duplicate keys, NaN and infinities, and numbers no one writes by hand.
Sources: RFC 8259; RFC 7493 (I-JSON); RFC 8785 section 3.2.2.3 for numbers.
"""

from __future__ import annotations

import json
import math
import re

from gateway.errors import MalformedDocument

MAX_BODY = 1024 * 1024  # what Mastodon takes
MAX_DEPTH = 64  # the deepest document of the public corpora stays below 20
MAX_DIGITS = 19  # a 64-bit integer
MAX_MEMBERS = 20_000  # object members and array items together

# An unclosed string runs to the end of the body, so each byte is looked at once.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_NOT_COUNTED = bytes(sorted(set(range(256)) - set(b",[{")))
_OPEN = frozenset(b"[{")
_ESCAPE = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")


def read(body: bytes) -> object:
    """Return the JSON value of ``body``.

    Raises MalformedDocument for anything that is not strict, bounded UTF-8 JSON.
    """
    if len(body) > MAX_BODY:
        raise MalformedDocument(f"{len(body)} bytes of JSON")
    _check_shape(body)
    try:
        text = body.decode("utf-8")
        value: object = _DECODER.decode(text)
    except MalformedDocument:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedDocument(f"not JSON: {error}") from error
    if _ESCAPE.search(body):
        _check_characters(value)
    return value


def read_object(body: bytes) -> dict[str, object]:
    """Return the JSON object of ``body``; raise MalformedDocument for any other value."""
    value = read(body)
    if not isinstance(value, dict):
        raise MalformedDocument("the document is not an object")
    return value


def _check_shape(body: bytes) -> None:
    opened = body.count(b"[") + body.count(b"{")
    if opened <= MAX_DEPTH and opened + body.count(b",") <= MAX_MEMBERS:
        return  # whatever of them stands in strings: most documents
    bare = _STRING.sub(b"", body)
    depth = 0
    for byte in bare.translate(None, _NOT_BRACKETS):
        depth += 1 if byte in _OPEN else -1
        if depth > MAX_DEPTH:
            raise MalformedDocument("nested too deeply")
    if len(bare.translate(None, _NOT_COUNTED)) > MAX_MEMBERS:
        raise MalformedDocument("too many members")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedDocument("a key stands twice in one object")
    return result


def _constant(name: str) -> object:
    raise MalformedDocument(f"{name} is not JSON")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_DIGITS:
        raise MalformedDocument("a number is too long")
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise MalformedDocument("a number has more than 64 bits")
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise MalformedDocument("a number is out of range")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_number
)


def _check_characters(value: object) -> None:
    """Refuse lone surrogates and NUL, which no store and no signature can carry."""
    if isinstance(value, str):
        if "\x00" in value:
            raise MalformedDocument("a string holds NUL")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise MalformedDocument("a string holds half a surrogate pair") from error
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_characters(key)
            _check_characters(item)
    elif isinstance(value, list):
        for item in value:
            _check_characters(item)


def escaped(name: str) -> str:
    """Return a member's name as a step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
