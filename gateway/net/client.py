"""One bounded request to somebody else's server, and GET with redirects.

Bounds: bytes (also of what a compressed body unpacks to), total time, redirects; https stays https;
no credentials in URLs; ports other than 443 only where they are listed.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpcore
import httpx

from gateway.errors import AddressRefused, BadUrl, RemoteAnswer, RemoteUnreachable
from gateway.net import allowance
from gateway.net.guard import METER, Meter
from gateway.signatures.request import SignedRequest
from gateway.signatures.window import from_http_date
from gateway.urls import DEFAULT_PORTS, origin_of, to_uri, without_fragment

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from gateway.net.courier import Courier
    from gateway.net.purpose import Purpose
    from gateway.urls import Origin

MAX_HEADERS = 100
MANY_PIECES, SMALL_PIECE = 2_000, 8  # chunks of a few bytes cost more than what is in them
TOO_MANY_REDIRECTS = 310  # in the unregistered list that browsers use; no server answers it
HEADER_BYTES = 128 * 1024  # of an answer, interim answers included
CONNECT_SECONDS = 5.0  # each of: resolving, connecting, TLS
LONGEST_RETRY_AFTER = 24 * 3600
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SPLITTING = re.compile(r"%0[0ad]", re.IGNORECASE)
_FAULTS = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    OSError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the final URL, status, header lines, body bytes (unpacked)."""

    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def only(self, name: str) -> str | None:
        """Return the value of a header that stands there once, else None."""
        found = [value for key, value in self.headers if key.lower() == name]
        return found[0] if len(found) == 1 else None

    @property
    def ok(self) -> bool:
        """Tell whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110

    def retry_after(self, now: datetime) -> int | None:
        """Return the seconds asked for by Retry-After (number or date), at most a day."""
        value = self.header("retry-after")
        if value is None:
            return None
        if value.strip().isdigit():
            return min(int(value.strip()[:9]), LONGEST_RETRY_AFTER)
        moment = from_http_date(value)
        if moment is None:
            return None
        return min(max(0, int((moment - now).total_seconds())), LONGEST_RETRY_AFTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlPolicy:
    """Which URLs may be asked at all."""

    takes_http: bool = False
    any_port: bool = False
    ports: frozenset[int] = frozenset()

    def check(self, url: str) -> Origin:
        """Return the origin of ``url``; raise AddressRefused or BadUrl when it may not be asked."""
        origin = origin_of(url)
        if _SPLITTING.search(url):
            raise AddressRefused(f"an encoded line break or NUL: {url[:80]}")
        if origin.scheme == "http" and not self.takes_http:
            raise AddressRefused(f"plain http: {origin}")
        own = origin.port == DEFAULT_PORTS[origin.scheme]
        if not (own or self.any_port or origin.port in self.ports):
            raise AddressRefused(f"port {origin.port} is not listed: {origin}")
        return origin


class Client:
    """The only way out."""

    def __init__(
        self, *, policy: UrlPolicy, transport: httpx.AsyncBaseTransport, user_agent: str, courier: Courier | None = None
    ) -> None:
        """Take the URL policy, the transport that guards addresses, how to introduce ourselves, who brings deliveries.

        Without a courier deliveries take the transport, too.
        """
        self._courier = courier
        self.policy = policy
        self._agent = user_agent
        self._transport = transport

    async def send(self, request: SignedRequest, *, purpose: Purpose) -> Answer:
        """Send one request and read a bounded answer; raise RemoteUnreachable or a kind of it."""
        try:
            async with asyncio.timeout(purpose.seconds):
                return await self._exchange(request, purpose)
        except TimeoutError as error:
            raise RemoteUnreachable(f"{request.target}: no answer within {purpose.seconds:.0f} s") from error

    async def _exchange(self, request: SignedRequest, purpose: Purpose) -> Answer:
        self.policy.check(request.target)
        allowance.spend(request.target)
        if purpose.is_glance and self._courier is not None:
            return await self._bring(self._courier, request, purpose)
        outgoing = httpx.Request(
            request.method,
            without_fragment(request.target),
            headers=[("user-agent", self._agent), ("accept-encoding", "identity"), *request.headers],
            content=request.body or None,
            extensions={"timeout": httpx.Timeout(purpose.idle, connect=CONNECT_SECONDS).as_dict()},
        )
        meter = Meter(HEADER_BYTES)  # interim answers are part of what comes before the body
        counted = METER.set(meter)
        try:
            answer = await self._transport.handle_async_request(outgoing)
            meter.left += purpose.limit
            answer.request = outgoing
            try:
                _check_media(answer, purpose)
                body = await (_glance if purpose.is_glance else _read)(answer, purpose.limit)
            finally:
                await answer.aclose()
        except _FAULTS as error:
            raise RemoteUnreachable(f"{request.target}: {error!r}") from error
        finally:
            METER.reset(counted)
        return Answer(
            url=without_fragment(request.target),
            status=answer.status_code,
            headers=tuple(answer.headers.multi_items()[:MAX_HEADERS]),
            body=body,
        )

    async def _bring(self, courier: Courier, request: SignedRequest, purpose: Purpose) -> Answer:
        """Send a delivery; of its answer the status counts."""
        whole = request.with_headers(("user-agent", self._agent), ("accept-encoding", "identity"))
        reply = await courier.send(whole, limit=purpose.limit, head_limit=HEADER_BYTES)
        return Answer(
            url=without_fragment(request.target), status=reply.status, headers=tuple(reply.headers[:MAX_HEADERS]),
            body=bytes(reply.body),
        )  # fmt: skip

    async def get(
        self,
        url: str,
        *,
        accept: str,
        purpose: Purpose,
        sign: Callable[[SignedRequest], list[tuple[str, str]]] | None = None,
        hop: Callable[[Origin], None] | None = None,
    ) -> Answer:
        """GET with the redirects of its purpose, each checked and signed afresh, all within its time.

        ``hop`` is told each origin before it is asked, and may raise: a refused peer is refused behind a redirect, too.
        """
        try:
            async with asyncio.timeout(purpose.seconds):
                return await self._follow(url, accept, purpose, sign, hop)
        except TimeoutError as error:
            raise RemoteUnreachable(f"{url}: no answer within {purpose.seconds:.0f} s") from error

    async def _follow(
        self,
        url: str,
        accept: str,
        purpose: Purpose,
        sign: Callable[[SignedRequest], list[tuple[str, str]]] | None,
        hop: Callable[[Origin], None] | None,
    ) -> Answer:
        target = to_uri(without_fragment(url))
        for _hop in range(purpose.redirects + 1):
            origin = self.policy.check(target)
            if hop is not None:
                hop(origin)
            request = SignedRequest(method="GET", target=target, headers=(("accept", accept),))
            if sign is not None:
                request = request.with_headers(*sign(request))
            answer = await self._exchange(request, purpose)
            location = answer.header("location")
            if answer.status not in REDIRECTS or location is None:
                return answer
            target = self._next(target, location)
        raise RemoteAnswer(f"{url}: more than {purpose.redirects} redirects", remote_status=TOO_MANY_REDIRECTS)

    def _next(self, target: str, location: str) -> str:
        try:
            following = to_uri(without_fragment(urljoin(target, location)))
            was, will = origin_of(target), self.policy.check(following)
        except (BadUrl, ValueError) as error:
            raise RemoteAnswer(f"{target} redirects to nonsense", remote_status=302) from error
        if was.scheme == "https" and will.scheme != "https":
            raise AddressRefused(f"{target} redirects to plain http")
        return following

    async def close(self) -> None:
        """Close every connection."""
        if self._courier is not None:
            await self._courier.close()
        await self._transport.aclose()


def _check_media(answer: httpx.Response, purpose: Purpose) -> None:
    """Refuse a type that this purpose has no use for before its body is read."""
    media = answer.headers.get("content-type", "none").partition(";")[0].strip().lower()
    if purpose.media and answer.status_code == 200 and media not in purpose.media:  # noqa: PLR2004 - RFC 9110
        raise RemoteAnswer(f"{answer.url} is {media[:80]}, no answer for {purpose.name}", remote_status=200)


async def _glance(answer: httpx.Response, limit: int) -> bytes:
    """Read what fits, whatever comes after it."""
    body, pieces = bytearray(), 0
    try:
        async for chunk in answer.aiter_raw():
            body += chunk
            pieces += 1
            if len(body) >= limit or pieces >= MANY_PIECES:
                break
    except _FAULTS:
        pass  # the status was read
    return bytes(body[:limit])


async def _read(answer: httpx.Response, limit: int) -> bytes:
    """Read raw bytes up to ``limit``, unpacking gzip within the same bound."""
    coding = answer.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "", "gzip"):
        raise RemoteAnswer(f"{answer.url}: content coding {coding}", remote_status=answer.status_code)
    unpack = zlib.decompressobj(31) if coding == "gzip" else None
    body, pieces = bytearray(), 0
    async for chunk in answer.aiter_raw():
        pieces += 1
        if pieces > MANY_PIECES and len(body) < pieces * SMALL_PIECE:
            raise RemoteAnswer(f"{answer.url}: in {pieces} pieces", remote_status=answer.status_code)
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, limit + 1 - len(body))
        except zlib.error as error:
            raise RemoteAnswer(f"{answer.url}: broken gzip", remote_status=answer.status_code) from error
        if len(body) > limit or (unpack is not None and unpack.unconsumed_tail):
            raise RemoteAnswer(f"{answer.url}: more than {limit} bytes", remote_status=answer.status_code)
    if unpack is not None and (not unpack.eof or unpack.unused_data):
        raise RemoteAnswer(f"{answer.url}: broken gzip", remote_status=answer.status_code)
    return bytes(body)
