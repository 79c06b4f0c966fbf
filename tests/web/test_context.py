"""What a handler finds out about a request: language, client address, the signed form, the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from starlette.requests import Request
from world import BASE

from gateway.errors import TooLarge
from gateway.web.app import build
from gateway.web.context import client_address, language_of, prefers_html, read_body, signed_request

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def proxied(site: Site) -> Any:
    """Return the application of a gateway behind trusted proxies."""
    return build(site.world.gateway("https://proxied.example", trusted_proxies=["10.0.0.0/8", "::1/128"]))


def _request(app: Any, *headers: tuple[str, str], target: bytes = b"/", client: str | None = "10.0.0.9") -> Request:
    path, _, query = target.partition(b"?")
    scope = {
        "type": "http", "method": "GET", "path": path.decode("latin-1"), "raw_path": path, "query_string": query,
        "headers": [(name.encode(), value.encode()) for name, value in headers], "app": app, "scheme": "http",
        "server": ("127.0.0.1", 8000), "client": (client, 1) if client else None,
    }  # fmt: skip
    return Request(scope)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"), ("ja", "ja"), ("JA-jp", "ja"), ("fr, ja, en", "ja"), ("fr, en, ja", "en"), ("*", "en"),
        (",;,", "en"),
        ("jaa", "en"), ("ja;q=0.1", "ja"),
    ],
)  # fmt: skip
def test_the_first_language_that_we_speak_is_taken(site: Site, accepted: str, language: str) -> None:
    """Accept-Language is read in order; what we do not speak is passed over."""
    assert language_of(_request(site.app, ("accept-language", accepted))) == language


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True), ("application/xhtml+xml", True), ("text/html;q=0.9, application/activity+json", False),
        ("text/html, application/json;q=0.9", True), ("*/*", False), ("", False), ("text/html;q=0", False),
        ("text/html;q=abc", False),
    ],
)  # fmt: skip
def test_a_page_is_for_who_prefers_it(site: Site, accept: str, html: object) -> None:
    """HTML must be asked for, and more than JSON."""
    assert prefers_html(_request(site.app, ("accept", accept))) == html


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),  # not a trusted proxy: the header means nothing
        ("10.0.0.9", [], "10.0.0.9"),
        ("10.0.0.9", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.9", ["203.0.113.5, 198.51.100.1"], "198.51.100.1"),  # what the client wrote itself is not believed
        ("10.0.0.9", ["198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("10.0.0.9", ["198.51.100.1", "10.1.2.3"], "198.51.100.1"),
        ("10.0.0.9", ["10.1.2.3, 10.1.2.4"], "10.1.2.3"),
        ("10.0.0.9", ["evil"], "evil"),
        ("10.0.0.9", ["x" * 500], "x" * 64),
        ("::1", ["2001:db8::1"], "2001:db8::1"),
        (None, ["198.51.100.1"], ""),
    ],
)
def test_the_client_address_is_what_the_last_untrusted_hop_is(
    proxied: Any, client: str | None, forwarded: list[str], address: str
) -> None:
    """X-Forwarded-For is read from the right, past trusted proxies only."""
    headers = [("x-forwarded-for", line) for line in forwarded]
    assert client_address(_request(proxied, *headers, client=client)) == address


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/users/alice", "/users/alice"),
        (b"/users/alice?page=1", "/users/alice?page=1"),
        (b"/users/%61lice?x=%2F", "/users/%61lice?x=%2F"),
        (b"/\xe5\x90\x8d?\xff", "/\xe5\x90\x8d?\xff"),
    ],
)
def test_the_signed_target_is_the_configured_origin_and_the_raw_path(site: Site, target: bytes, expected: str) -> None:
    """Neither Host nor forwarding headers reach the target (CVE-2026-48710)."""
    request = _request(
        site.app,
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil"),
        target=target,
    )
    assert signed_request(request).target == f"{BASE}{expected}"


async def test_a_body_is_read_to_its_limit_and_no_further(site: Site) -> None:
    """Reading stops with the chunk that is too much."""
    chunks = [b"x" * 10] * 100

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": chunks.pop(), "more_body": bool(chunks)}

    with pytest.raises(TooLarge):
        await read_body(Request(_request(site.app).scope, receive), 25)
    assert len(chunks) == 97
    chunks = [b"x" * 10] * 2
    assert await read_body(Request(_request(site.app).scope, receive), 20) == b"x" * 20
