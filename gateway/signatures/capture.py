"""Captured requests, in the forms that developers have them: raw HTTP, HAR, and JSON.

JSON is one object, a list, or one object a line: ``method``, ``target`` (or ``url``, or ``path``), ``headers``
(pairs, or an object), ``body`` or ``body_b64``, and when it came as ``at`` or ``t`` (RFC 3339, or seconds since
1970). ``keys`` beside them are those the request was signed with.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gateway.clock import parse_rfc3339
from gateway.errors import MalformedDocument
from gateway.signatures.request import SignedRequest
from gateway.urls import is_loopback, try_origin

MAX_REQUESTS = 1_000

_LENGTH = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One request as it was captured, when that was, and keys that were captured with it."""

    request: SignedRequest
    at: datetime | None = None
    keys: object = field(default=None)


def read(content: bytes, base: str | None = None) -> tuple[Captured, ...]:
    """Return the requests of a capture; raise MalformedDocument when it is none.

    ``base`` is the origin the requests were sent to, where the capture does not say; otherwise the Host field
    says it, with https, or plain http for loopback names.
    """
    text = content.lstrip()
    if text[:1] in (b"{", b"["):
        return _from_json(text, base)
    return (Captured(request=_from_http(content, base)),)


def _from_json(content: bytes, base: str | None) -> tuple[Captured, ...]:
    try:
        value = _json(content)
    except ValueError:
        value = _lines(content)
    if isinstance(value, Mapping) and isinstance(value.get("log"), Mapping):
        entries = value["log"].get("entries")
        items = [_from_har(entry, base) for entry in entries] if isinstance(entries, list) else []
    else:
        # What ``gateway inbox --json`` prints holds the requests that were received.
        value = value["received"] if isinstance(value, Mapping) and isinstance(value.get("received"), list) else value
        rows = value if isinstance(value, list) else [value]
        items = [_from_row(row, base) for row in rows[:MAX_REQUESTS]]
    if not items:
        raise MalformedDocument("the capture holds no request")
    return tuple(items[:MAX_REQUESTS])


def _json(content: bytes) -> Any:
    """Return a JSON value; raise ValueError when it is none, MalformedDocument for half a surrogate pair."""
    try:
        value = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise MalformedDocument("a string holds half a surrogate pair") from error
    return value


def _lines(content: bytes) -> list[object]:
    try:
        return [_json(line) for line in content.splitlines() if line.strip()]
    except ValueError as error:
        raise MalformedDocument(f"neither JSON nor a JSON object a line: {error}") from error


def _from_row(row: object, base: str | None) -> Captured:
    if not isinstance(row, Mapping):
        raise MalformedDocument("a captured request is an object")
    inner = row.get("request", row)
    if not isinstance(inner, Mapping):
        raise MalformedDocument("a captured request is an object")
    headers = _headers(inner.get("headers"))
    target = inner.get("target", inner.get("url", inner.get("path")))
    request = SignedRequest(
        method=str(inner.get("method", "POST")).upper(), target=_absolute(str(target), headers, base), headers=headers,
        body=_body(inner),
    )  # fmt: skip
    return Captured(request=request, at=_moment(row.get("at", row.get("t"))), keys=row.get("keys"))


def _headers(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, Mapping):
        pairs = [
            (name, item) for name, items in value.items() for item in (items if isinstance(items, list) else [items])
        ]
    elif isinstance(value, list):
        pairs = [_pair(item) for item in value]
    else:
        raise MalformedDocument("headers are pairs or an object")
    return tuple((str(name), str(text)) for name, text in pairs)


def _pair(item: Any) -> tuple[object, object]:
    if isinstance(item, Mapping):
        return item.get("name"), item.get("value")
    if isinstance(item, list) and len(item) == 2:  # noqa: PLR2004 - name and value
        return item[0], item[1]
    raise MalformedDocument("a header is a pair of name and value")


def _body(row: Mapping[str, Any]) -> bytes:
    try:
        if isinstance(row.get("body_b64"), str):
            return base64.b64decode(row["body_b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedDocument("body_b64 is not base64") from error
    body = row.get("body", "")
    return (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode()


def _moment(value: object) -> datetime | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, ValueError, OSError) as error:
            raise MalformedDocument(f"no time of the calendar: {value!r}"[:100]) from error
    return parse_rfc3339(value)


def _from_har(entry: object, base: str | None) -> Captured:
    """Return one entry of a HAR 1.2 archive."""
    asked = entry.get("request") if isinstance(entry, Mapping) else None
    if not isinstance(entry, Mapping) or not isinstance(asked, Mapping):
        raise MalformedDocument("an entry of the archive has no request")
    posted = asked.get("postData")
    given = posted if isinstance(posted, Mapping) else {}
    name = "body_b64" if given.get("encoding") == "base64" else "body"
    row = {**asked, "target": asked.get("url"), name: given.get("text", "")}
    # HTTP/2 has no Host field; browsers write its pseudo-header.
    row["headers"] = [pair for pair in _headers(asked.get("headers")) if not pair[0].startswith(":")]
    row["headers"] = [list(pair) for pair in row["headers"]]
    return _from_row({"request": row, "at": entry.get("startedDateTime")}, base)


def _from_http(content: bytes, base: str | None) -> SignedRequest:
    """Return a raw HTTP/1.1 request: request line, fields, an empty line, the body byte for byte."""
    head, separator, body = content.partition(b"\r\n\r\n")
    if not separator or b"\n\n" in head:
        head, _, body = content.partition(b"\n\n")
    lines = head.decode("latin-1").replace("\r\n", "\n").removesuffix("\n").split("\n")
    words = lines[0].split(" ")
    if len(words) not in (2, 3) or not words[0].isalpha() or (len(words) == 3 and not words[2].startswith("HTTP/")):  # noqa: PLR2004 - method, target, version
        raise MalformedDocument(f"not a request line: {lines[0][:100]!r}")
    pairs = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise MalformedDocument(f"not a header field: {line[:100]!r}")
        pairs.append((name, value.strip()))
    headers = tuple(pairs)
    return SignedRequest(
        method=words[0].upper(), target=_absolute(words[1], headers, base), headers=headers,
        body=_cut(body, headers),
    )  # fmt: skip


def _cut(body: bytes, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return the body without the line ends that editors and terminals add after its last byte."""
    lengths = [value for name, value in headers if name.lower() == "content-length" and _LENGTH.fullmatch(value)]
    surplus = body[int(lengths[0]) :] if lengths else b""
    return body[: int(lengths[0])] if not surplus.strip(b"\r\n") and surplus else body


def _absolute(target: str, headers: tuple[tuple[str, str], ...], base: str | None) -> str:
    if try_origin(target) is not None:
        return target
    if not target.startswith("/"):
        raise MalformedDocument(f"not a target: {target[:100]!r}")
    if base is not None:
        return base + target
    hosts = [value for name, value in headers if name.lower() == "host"]
    origin = f"https://{hosts[0]}" if hosts else ""
    asked = try_origin(origin)
    if asked is None:
        raise MalformedDocument("the capture does not say which host was asked; see --base")
    if is_loopback(asked.host):  # nobody has a certificate for these
        origin = f"http://{hosts[0]}"
    return f"{origin}{target}" if urlsplit(origin).netloc else target
