"""What a handler finds out about a request before it does anything: kit, language, wishes, the signed form."""

from __future__ import annotations

import functools
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect

from gateway.activitypub.negotiation import wants_html
from gateway.errors import BadInput, TooLarge, UnsupportedMediaType
from gateway.jsonld.strict import MAX_BODY
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import HTTPConnection, Request

    from gateway.flows.kit import Kit
    from gateway.preferences import Preferences

LANGUAGES = ("en", "ja")
MAX_FORM = 64 * 1024
_BRACKETED = re.compile(r"\[([0-9A-Fa-f:.%]+)\](?::[0-9]{1,5})?")
_PORTED = re.compile(r"([0-9.]{7,15}):[0-9]{1,5}")


def kit_of(request: HTTPConnection) -> Kit:
    """Return the kit of the gateway that serves this request."""
    kit: Kit = request.scope["app"].gateway.kit
    return kit


def language_of(request: HTTPConnection) -> str:
    """Return "ja" or "en": the first of them that Accept-Language names, ``?lang=`` before it."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        return asked
    for part in request.headers.get("accept-language", "").split(","):
        name = part.partition(";")[0].strip().lower().partition("-")[0]
        if name in LANGUAGES:
            return name
    return "en"


def prefers_html(request: HTTPConnection) -> bool:
    """Tell whether a person with a browser asks."""
    return wants_html(request.headers.get("accept", ""))


def client_address(request: HTTPConnection) -> str:
    """Return the address of the client: the peer's own, or what a trusted proxy says.

    X-Forwarded-For is read from the right, past proxies that are trusted themselves; it never
    changes scheme or host.
    """
    address = _bare(request.client.host if request.client is not None else "")
    networks = kit_of(request).settings.proxy_networks
    if not networks:
        return address[:64]
    hops = [hop.strip() for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    hops = [_bare(hop) for hop in hops if hop]
    while hops and _within(address, networks):
        address = hops.pop()
    return address[:64]


@functools.lru_cache(maxsize=4096)
def _bare(text: str) -> str:
    """Return an address without brackets and port, an IPv4 one inside an IPv6 one as itself."""
    host, port = _BRACKETED.fullmatch(text), _PORTED.fullmatch(text)
    plain = host[1] if host is not None else port[1] if port is not None else text
    try:
        parsed = ipaddress.ip_address(plain.partition("%")[0])
    except ValueError:
        return plain
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _within(address: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def state_preferences(request: HTTPConnection, prefs: Preferences) -> None:
    """Say which preferences the headers of this response state; the instance's own otherwise."""
    request.scope.setdefault("state", {})["preferences"] = prefs


def signed_request(request: Request, body: bytes = b"") -> SignedRequest:
    """Return the request as signatures see it: the target is built from the configured origin."""
    raw_path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope.get("query_string", b"")
    path = raw_path.partition(b"?")[0].decode("latin-1")
    target = kit_of(request).base + path + (f"?{query.decode('latin-1')}" if query else "")
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    return SignedRequest(method=request.method, target=target, headers=headers, body=body)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a small form, the first value of each; raise UnsupportedMediaType for other bodies."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType(content_type[:100])
    body = await read_body(request, MAX_FORM)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50)
    except ValueError as error:
        raise BadInput("not a form") from error
    return dict(reversed(pairs))


async def read_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """Return the body; raise TooLarge as soon as it is known to be longer than ``limit`` bytes.

    Raises UnsupportedMediaType for a content coding: nothing is unpacked, and a digest would be ambiguous.
    """
    codings = request.headers.getlist("content-encoding")
    if any(coding.strip().lower() not in ("", "identity") for coding in codings):
        raise UnsupportedMediaType("content codings are not taken")
    declared = request.headers.get("content-length", "").lstrip("0")
    if declared.isascii() and declared.isdigit() and (len(declared) > len(str(limit)) or int(declared) > limit):
        raise TooLarge(f"{declared[:20]} bytes announced")
    body = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLarge(f"more than {limit} bytes")
        if not message.get("more_body", False):
            return bytes(body)
