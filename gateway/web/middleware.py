"""The onion around every handler, as one list in ``app``: bounds, host, preferences, protective headers."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from starlette.requests import Request

from gateway.carriers import http_headers
from gateway.errors import BadInput, BadUrl, GatewayError, HeadersTooLarge, NotFound, Text, WrongHost
from gateway.preferences import Preferences
from gateway.settings import LOCAL_HOSTS
from gateway.urls import DEFAULT_PORTS, normalise_host
from gateway.web.context import kit_of
from gateway.web.problems import on_crash, render_error

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from gateway.settings import Settings

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
_PORT = re.compile(r"[0-9]{1,5}")
_ENCODED_SEPARATOR = re.compile(rb"%(?:2f|5c|00)", re.IGNORECASE)
ANY_HOST = frozenset({"/livez", "/readyz"})
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"interest-cohort=(), browsing-topics=()"),
)
_PROTECTIVE = (_ALWAYS, (*_ALWAYS, (b"strict-transport-security", b"max-age=31536000")))  # by http, by https


class Bounds:
    """Refuses oversized headers and foreign hosts before anything else looks at a request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then hand on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        try:
            _check_headers(scope)
            _check_path(scope)
            if scope["path"] not in ANY_HOST:
                _check_host(scope, kit_of(request).settings)
        except GatewayError as error:
            await render_error(request, error)(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _check_headers(scope: Scope) -> None:
    headers = scope["headers"]
    if len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        raise HeadersTooLarge(f"{len(headers)} header fields")


def _check_path(scope: Scope) -> None:
    """Refuse encoded slashes and NUL: whoever filters addresses before us must see the path that we see."""
    raw_path: bytes = scope.get("raw_path") or b""
    if _ENCODED_SEPARATOR.search(raw_path.partition(b"?")[0]):
        raise NotFound("an encoded separator in the path")


def _check_host(scope: Scope, settings: Settings) -> None:
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        raise BadInput(
            f"{len(hosts)} Host fields",
            detail=Text("Exactly one Host field is needed.", "Hostヘッダーは1つだけ必要です。"),
        )
    origin = settings.origin
    host, port = _split_host(hosts[0], origin.scheme)
    same = {origin.host} | (LOCAL_HOSTS if settings.is_local else frozenset())
    if host not in same or port != origin.port:
        raise WrongHost(hosts[0][:100])


@functools.lru_cache(maxsize=1024)
def _split_host(value: str, scheme: str) -> tuple[str, int]:
    value = value.strip(" \t")
    if value != value.strip():  # what other scripts take for a blank is none in a header
        raise WrongHost(f"{value[:100]!r}")
    name, colon, port = value.rpartition(":")
    if not colon or value.endswith("]"):
        name, port = value, ""
    # int() would also take signs, blanks, underscores and the digits of other scripts.
    if port and not _PORT.fullmatch(port):
        raise WrongHost(f"{value[:100]!r}")
    try:
        return normalise_host(name), int(port or DEFAULT_PORTS[scheme])
    except BadUrl as error:
        raise WrongHost(f"{value[:100]!r}") from error


class Dress:
    """Puts the usage preferences and the protective headers on every response that has content."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and dress the answer on its way out."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        kit = kit_of(Request(scope))

        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                headers: list[tuple[bytes, bytes]] = message.setdefault("headers", [])
                present = {name.lower() for name, _ in headers}
                is_secure = kit.settings.origin.scheme == "https"
                headers += [line for line in _PROTECTIVE[is_secure] if line[0] not in present]
                if message["status"] != 204:  # noqa: PLR2004 - no content, nothing to say about it
                    stated = _stated(_preferences(scope, kit.settings), kit.policy_url)
                    if (own := {name for name, _ in stated}) & present:
                        headers[:] = [line for line in headers if line[0].lower() not in own]
                    headers += stated
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception as error:
            # The framework would answer outside of all this; what is one of our defects is dressed, too.
            if not started:
                await on_crash(Request(scope), error)(scope, receive, dressed)
            raise


@functools.lru_cache(maxsize=1024)
def _stated(prefs: Preferences, policy_url: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header lines that state preferences: few different ones go out on many answers."""
    return tuple(
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in http_headers.render(prefs, policy_url)
    )


def _preferences(scope: Scope, settings: Settings) -> Preferences:
    stated = scope.get("state", {}).get("preferences")
    return stated if isinstance(stated, Preferences) else settings.instance_preferences
