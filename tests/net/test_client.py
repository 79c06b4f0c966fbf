"""One bounded request: bytes, time, redirects, URLs."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from net.answers import Silent, Told

from gateway.errors import AddressRefused, BadUrl, RemoteAnswer, RemoteUnreachable
from gateway.net.client import LONGEST_RETRY_AFTER, MAX_HEADERS, Answer, Client, UrlPolicy
from gateway.net.purpose import PAGE
from gateway.signatures.request import SignedRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
URL = "https://peer.example/x"


class Chunks(httpx.AsyncByteStream):
    """A body in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:  # noqa: D105 - httpx asks for it
        for piece in self._pieces:
            yield piece


def client(transport: httpx.AsyncBaseTransport, policy: UrlPolicy | None = None) -> Client:
    """Return a client over ``transport``."""
    return Client(policy=policy or UrlPolicy(), transport=transport, user_agent="test/1")


def always(status: int = 200, body: bytes = b"hello", **headers: str) -> Told:
    """Answer every request alike."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Told(lambda _request: httpx.Response(status, headers=named, stream=Chunks(body)))


def empty(status: int = 200, location: str | None = None) -> httpx.Response:
    """Return an answer without a body."""
    return httpx.Response(status, headers={"location": location} if location else {}, stream=Chunks())


async def got(transport: httpx.AsyncBaseTransport, url: str = URL, limit: int = 1000) -> Answer:
    """GET ``url``."""
    used = client(transport)
    try:
        return await used.get(url, accept="text/html", purpose=replace(PAGE, limit=limit))
    finally:
        await used.close()


# --- what goes out and comes back


async def test_an_answer_has_url_status_headers_and_body() -> None:
    """The answer is what came back; the request says who asks and what is taken."""
    transport = always(203, content_type="text/plain")
    answer = await got(transport, f"{URL}#fragment")
    assert (answer.url, answer.status, answer.body, answer.ok) == (URL, 203, b"hello", True)
    assert answer.header("content-type") == "text/plain"
    assert answer.header("missing") is None
    sent = transport.requests[0]
    assert (str(sent.url), sent.headers["user-agent"], sent.headers["accept"]) == (URL, "test/1", "text/html")
    assert sent.headers["accept-encoding"] == "identity"
    assert "cookie" not in sent.headers


async def test_a_signed_post_goes_out_as_signed() -> None:
    """Target, headers and bytes are sent unchanged."""
    transport = always(202, b"")
    headers = (("content-type", "application/activity+json"), ("date", "x"))
    request = SignedRequest(method="POST", target=f"{URL}?a=%2F&b=1", headers=headers, body=b'{"x":1}')
    await client(transport).send(request, purpose=PAGE)
    sent = transport.requests[0]
    assert (sent.method, sent.url.raw_path, sent.content) == ("POST", b"/x?a=%2F&b=1", b'{"x":1}')
    assert sent.headers["date"] == "x"


async def test_every_hop_is_signed_afresh() -> None:
    """A redirect is another request: its signature is made for its own target."""
    targets: list[str] = []

    def sign(request: SignedRequest) -> list[tuple[str, str]]:
        targets.append(request.target)
        return [("signature", request.target)]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/x":
            return empty(302, "/y")
        return empty()

    transport = Told(answer)
    found = await client(transport).get(URL, accept="*/*", purpose=PAGE, sign=sign)
    assert found.url == "https://peer.example/y"
    assert targets == [URL, "https://peer.example/y"] == [r.headers["signature"] for r in transport.requests]


# --- redirects


def hops(count: int) -> Told:
    """Redirect ``count`` times, then answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.path.strip("/x") or 0)
        if number < count:
            return empty(301 + number % 2, f"/{number + 1}")
        return empty()

    return Told(answer)


async def test_three_redirects_are_followed_and_no_more() -> None:
    """The fourth redirect is one too many."""
    assert (await got(hops(PAGE.redirects))).url == "https://peer.example/3"
    with pytest.raises(RemoteAnswer, match="more than 3 redirects"):
        await got(hops(PAGE.redirects + 1))


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://peer.example/y", AddressRefused),
        ("https://peer.example:8443/y", AddressRefused),
        ("https://user:secret@peer.example/", RemoteAnswer),
        ("ftp://peer.example/", RemoteAnswer),
        ("javascript:alert(1)", RemoteUnreachable),
        ("https://127.1/", RemoteAnswer),
        ("//[::1", RemoteUnreachable),
    ],
)
async def test_where_a_redirect_may_not_lead(location: str, error: type[Exception]) -> None:
    """Not to plain http, another port, with credentials, to another scheme or into nonsense."""
    transport = always(302, b"", location=location)
    with pytest.raises(error):
        await got(transport)
    assert len(transport.requests) == 1


async def test_https_never_falls_back_to_http() -> None:
    """Also where plain http is taken, a redirect does not leave TLS."""
    policy = UrlPolicy(takes_http=True)
    with pytest.raises(AddressRefused, match="plain http"):
        await client(always(302, b"", location="http://peer.example/"), policy).get(URL, accept="*/*", purpose=PAGE)


async def test_http_may_become_https() -> None:
    """The other way is fine."""
    told = Told(lambda request: empty(302, URL) if request.url.scheme == "http" else empty())
    found = await client(told, UrlPolicy(takes_http=True)).get("http://peer.example/", accept="*/*", purpose=PAGE)
    assert found.url == URL


async def test_a_redirect_without_location_is_an_answer() -> None:
    """A 302 that leads nowhere is what it is."""
    assert (await got(always(302))).status == 302


# --- URLs


@pytest.mark.parametrize("url", ["http://peer.example/", "https://peer.example:8443/", "https://peer.example:80/"])
async def test_only_https_on_its_own_port(url: str) -> None:
    """Plain http and unlisted ports are refused before anything is sent."""
    transport = always()
    with pytest.raises(AddressRefused):
        await got(transport, url)
    assert transport.requests == []


@pytest.mark.parametrize("url", ["https://user@peer.example/", "file:///etc/passwd", "https://", "peer.example"])
async def test_what_is_no_url(url: str) -> None:
    """Credentials, other schemes and fragments of URLs are bad URLs."""
    transport = always()
    with pytest.raises(BadUrl):
        await got(transport, url)
    assert transport.requests == []


def test_what_a_policy_opens() -> None:
    """Plain http, any port and listed ports are each their own switch."""
    assert UrlPolicy(takes_http=True).check("http://peer.example/").port == 80
    assert UrlPolicy(any_port=True).check("https://peer.example:9/").port == 9
    assert UrlPolicy(ports=frozenset({8443})).check("https://peer.example:8443/").port == 8443
    with pytest.raises(AddressRefused):
        UrlPolicy(ports=frozenset({8443})).check("https://peer.example:8444/")


# --- bytes


@pytest.mark.parametrize("pieces", [(b"x" * 11,), (b"x" * 6, b"x" * 5)])
async def test_a_body_over_its_limit_is_cut_off(pieces: tuple[bytes, ...]) -> None:
    """Reading stops as soon as the limit is passed."""
    with pytest.raises(RemoteAnswer, match="more than 10 bytes"):
        await got(Told(lambda _r: httpx.Response(200, stream=Chunks(*pieces))), limit=10)
    assert len((await got(Told(lambda _r: httpx.Response(200, stream=Chunks(b"x" * 10))), limit=10)).body) == 10


async def test_gzip_is_unpacked_within_the_limit() -> None:
    """Who compresses although it was not asked for is read, in pieces too."""
    packed = gzip.compress(b"hello " * 100)
    assert (await got(always(body=packed, content_encoding="gzip"))).body == b"hello " * 100
    pieces = Told(
        lambda _r: httpx.Response(200, headers={"content-encoding": "GZIP"}, stream=Chunks(packed[:9], packed[9:]))
    )
    assert (await got(pieces)).body == b"hello " * 100


async def test_a_gzip_bomb_is_not_unpacked() -> None:
    """A few kilobytes that become megabytes are cut off at the limit of what they unpack to."""
    bomb = gzip.compress(b"\0" * 10_000_000)
    assert len(bomb) < 20_000
    with pytest.raises(RemoteAnswer, match="more than 1000 bytes"):
        await got(always(body=bomb, content_encoding="gzip"))


async def test_broken_gzip() -> None:
    """What claims to be gzip and is not is no usable answer."""
    with pytest.raises(RemoteAnswer, match="broken gzip"):
        await got(always(body=b"not gzip", content_encoding="gzip"))
    with pytest.raises(RemoteAnswer, match="broken gzip"):
        await got(always(body=zlib.compress(b"x"), content_encoding="gzip"))


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "x"])
async def test_other_codings_are_not_taken(coding: str) -> None:
    """A coding that was not asked for and is not gzip is no usable answer."""
    with pytest.raises(RemoteAnswer, match="content coding"):
        await got(always(content_encoding=coding))


async def test_headers_are_bounded() -> None:
    """Of hundreds of header fields only the first are kept."""
    headers = [(f"x-{number}", "v") for number in range(300)]
    answer = await got(Told(lambda _r: httpx.Response(200, headers=headers, stream=Chunks())))
    assert len(answer.headers) == MAX_HEADERS


# --- time and faults


async def test_a_slow_answer_ends() -> None:
    """The whole request has one bound, however slowly it drips."""
    request = SignedRequest(method="GET", target=URL, headers=())
    with pytest.raises(RemoteUnreachable, match="no answer within"):
        await client(Silent()).send(request, purpose=replace(PAGE, seconds=0.01))


async def test_a_slow_body_ends() -> None:
    """A body that never ends is bounded by the same time."""

    class Slow(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"x"
            await Silent().handle_async_request(httpx.Request("GET", URL))

    request = SignedRequest(method="GET", target=URL, headers=())
    slow = client(Told(lambda _r: httpx.Response(200, stream=Slow())))
    with pytest.raises(RemoteUnreachable, match="no answer within"):
        await slow.send(request, purpose=replace(PAGE, seconds=0.01))


@pytest.mark.parametrize(
    "fault", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x"), OSError("x")]
)
async def test_faults_of_the_network_are_unreachable(fault: Exception) -> None:
    """Whatever goes wrong on the way is one kind of error here."""

    def fails(_request: httpx.Request) -> httpx.Response:
        raise fault

    with pytest.raises(RemoteUnreachable):
        await got(Told(fails))


# --- Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("0", 0), ("120", 120), (" 7 ", 7), ("999999999999999", LONGEST_RETRY_AFTER), ("-1", None),
        ("1.5", None), ("soon", None), ("", None),
        ("Mon, 23 Nov 2026 09:02:00 GMT", 120), ("Mon, 23 Nov 2026 08:00:00 GMT", 0),
        ("Wed, 23 Nov 2033 09:00:00 GMT", LONGEST_RETRY_AFTER),
    ],
)  # fmt: skip
def test_retry_after(value: str | None, seconds: int | None) -> None:
    """Seconds and dates are read, nonsense is nothing, and nobody makes us wait longer than a day."""
    headers = () if value is None else (("Retry-After", value),)
    assert Answer(url=URL, status=503, headers=headers, body=b"").retry_after(NOW) == seconds


@pytest.mark.parametrize(("status", "ok"), [(199, False), (200, True), (202, True), (299, True), (300, False)])
def test_what_is_a_success(status: int, ok: bool) -> None:  # noqa: FBT001 - a table
    """2xx is."""
    assert Answer(url=URL, status=status, headers=(), body=b"").ok is ok
