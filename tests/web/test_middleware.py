"""The onion: bounds before anything else, preferences and protective headers on every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from web.asking import ask

from gateway.web.app import build
from gateway.web.middleware import MAX_HEADER_BYTES, MAX_HEADERS

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

USAGE = "train-ai=n, ai-use=n"


async def test_as_many_headers_as_allowed_are_allowed(site: Site) -> None:
    """The bounds are inclusive: one hundred fields with Host, 32 KiB together."""
    many = [(f"x-{number}", "1") for number in range(MAX_HEADERS - 1)]
    assert (await ask(site.app, "GET", "/livez", many)).status == 200
    assert (await ask(site.app, "GET", "/livez", [*many, ("x", "1")])).status == 431
    room = MAX_HEADER_BYTES - len("hostgw.examplex")
    assert (await ask(site.app, "GET", "/livez", [("x", "a" * room)])).status == 200
    assert (await ask(site.app, "GET", "/livez", [("x", "a" * (room + 1))])).status == 431


@pytest.mark.parametrize(("method", "target", "host", "status"), [
    ("GET", "/nothing", "gw.example", 404), ("GET", "/actor", "other.example", 421),
    ("PATCH", "/actor", "gw.example", 405),
    ("POST", "/inbox", "gw.example", 415), ("GET", "/users/gone", "gw.example", 410),
    ("GET", "/posts/x", "gw.example", 401),
    ("GET", "/.well-known/webfinger", "gw.example", 400),
])  # fmt: skip
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_errors_are_dressed_like_everything_else(
    site: Site, method: str, target: str, host: str, status: int, accept: str
) -> None:
    """A refusal carries the instance's preferences and the protective headers, as document and as page."""
    answer = await ask(site.app, method, target, [("accept", accept)], host=host)
    if not (target.startswith("/users/") and accept == "text/html"):
        assert answer.status in (status, 404)
    assert answer.header("content-usage") == USAGE
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("content-security-policy").startswith("default-src 'none'")
    assert "Accept" in answer.header("vary")


async def test_each_header_is_sent_once(site: Site) -> None:
    """A document's own headers are not doubled by the dress."""
    for target in ("/users/alice", "/@alice", "/@alice.atom", "/actor", "/robots.txt"):
        names = [name for name, _ in (await site.get(target)).lines]
        assert len(names) == len(set(names)), target


async def test_a_local_gateway_answers_to_every_name_of_this_machine(site: Site) -> None:
    """With a localhost base URL, 127.0.0.1 and [::1] are the same host; the port still counts."""
    app = build(site.world.gateway("http://localhost:8000"))
    for host, status in (
        ("localhost:8000", 200), ("127.0.0.1:8000", 200), ("[::1]:8000", 200), ("LOCALHOST:8000", 200),
        ("localhost", 421), ("127.0.0.1:8001", 421), ("[::1]", 421), ("10.0.0.1:8000", 421), ("gw.example", 421),
    ):  # fmt: skip
        assert (await ask(app, "GET", "/about", host=host)).status == status, host


async def test_what_is_no_http_request_passes_through(site: Site) -> None:
    """Lifespan events reach the application."""
    sent = []
    events = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, str]:
        return events.pop(0)

    async def send(message: dict[str, str]) -> None:
        sent.append(message["type"])

    await site.app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
