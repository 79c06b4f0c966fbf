"""``Digest`` (RFC 3230) and ``Content-Digest`` (RFC 9530): made, and compared with the bytes that arrived."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import re

import http_sf

_ALGORITHMS = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
_ENTRY = re.compile(r"[ \t]*([A-Za-z0-9_-]+)=([A-Za-z0-9+/=]+)[ \t]*", re.ASCII)


def digest_header(body: bytes) -> str:
    """Return the value of ``Digest`` in the one spelling that every server takes."""
    return f"SHA-256={_sha256(body)}"


def content_digest_header(body: bytes) -> str:
    """Return the value of ``Content-Digest``."""
    return f"sha-256=:{_sha256(body)}:"


@functools.lru_cache(maxsize=64)  # one body goes to many inboxes
def _sha256(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def check_digest(lines: list[str], body: bytes) -> str | None:
    """Return None when ``Digest`` fits ``body``, else what is wrong.

    Every entry of a known algorithm must fit, and one of them must be there; one line only.
    """
    if len(lines) != 1:
        return f"{len(lines)} Digest lines"
    entries: dict[str, bytes] = {}
    for part in lines[0].split(","):
        match = _ENTRY.fullmatch(part)
        name = match[1].lower() if match else ""
        if match is None or name in entries:
            return "a Digest that cannot be parsed"
        try:
            entries[name] = base64.b64decode(match[2], validate=True)
        except (binascii.Error, ValueError):
            return "a Digest that is not base64"
    return _compare(entries, body)


def check_content_digest(lines: list[str], body: bytes) -> str | None:
    """Return None when ``Content-Digest`` fits ``body``, else what is wrong."""
    if not lines:
        return "no Content-Digest"
    duplicates: list[str] = []
    try:
        parsed = http_sf.parse(
            ", ".join(lines).encode("ascii"),
            tltype="dictionary",
            on_duplicate_key=lambda key, _context: duplicates.append(key),
        )
    except (http_sf.StructuredFieldError, ValueError):
        return "a Content-Digest that cannot be parsed"
    if duplicates or not isinstance(parsed, dict):
        return "a Content-Digest with a repeated algorithm"
    values = {name: member[0] for name, member in parsed.items() if isinstance(member, tuple)}
    digests = {name: value for name, value in values.items() if isinstance(value, bytes)}
    if digests.keys() != parsed.keys():
        return "a Content-Digest that is not a byte sequence"
    return _compare(digests, body)


def _compare(entries: dict[str, bytes], body: bytes) -> str | None:
    known = {name: value for name, value in entries.items() if name in _ALGORITHMS}
    if not known:
        return "no sha-256 or sha-512 digest"
    for name, value in known.items():
        if not hmac.compare_digest(value, _ALGORITHMS[name](body).digest()):
            return f"a {name} digest of another body"
    return None
