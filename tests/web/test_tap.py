"""Listening in on inboxes: what goes by is remembered as it was, and nothing else is touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from web.asking import HOST as OURS
from web.asking import Answer, ask

from gateway.jsonld.strict import MAX_BODY
from gateway.web.tap import Heard, Tap

if TYPE_CHECKING:
    from web.conftest import Site

pytestmark = pytest.mark.anyio

TYPED = {"content-type": "application/activity+json"}
INBOX = "/users/alice/inbox"


class Ear:
    """A tapped application and what was heard."""

    def __init__(self, app: Any) -> None:
        self.heard: list[Heard] = []
        self.app = Tap(app, self.heard.append)

    async def post(self, path: str, body: bytes = b"{}", **headers: str) -> Answer:
        lines = {**TYPED, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await ask(self.app, "POST", path, lines.items(), body)


@pytest.fixture
def ear(site: Site) -> Ear:
    """Return the site with an ear on it."""
    return Ear(site.app)


async def test_a_request_is_heard_as_it_came_with_its_answer(ear: Ear) -> None:
    """Path, header lines in order, body and answer are those of the wire; who asked gets the same answer."""
    body = b'{"type": "Like", "actor": "https://peer.example/u"}'
    answer = await ear.post(f"{INBOX}?x=%2F", body, x_a="1", X_B="\xe9")
    (one,) = ear.heard
    assert (one.body, one.status, one.answer) == (body, 401, answer.body)
    assert answer.status == 401
    assert one.headers == (("host", OURS), *TYPED.items(), ("x-a", "1"), ("x-b", "\xe9"))
    assert json.loads(one.answer)["code"] == "not-authenticated"
    assert one.path.startswith(INBOX)


async def test_the_query_is_part_of_the_target(ear: Ear) -> None:
    """A signature covers the query, so it is heard with the path."""
    await ear.post(f"{INBOX}?x=1")
    assert ear.heard[0].path == f"{INBOX}?x=1"


async def test_an_escaped_path_stays_escaped(ear: Ear) -> None:
    """The path is the one that was signed."""
    await ear.post("/users/%61lice/inbox")
    assert ear.heard[0].path == "/users/%61lice/inbox"


@pytest.mark.parametrize("path", ["/inbox", "/actor/inbox", INBOX, "/users/nobody/inbox"])
async def test_every_inbox_is_heard(ear: Ear, path: str) -> None:
    """The shared inbox, the instance's, accounts' and those of nobody."""
    await ear.post(path)
    assert [one.path for one in ear.heard] == [path]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", INBOX), ("HEAD", INBOX), ("POST", "/users/alice/outbox"), ("POST", "/api/proxy"), ("GET", "/")],
)
async def test_nothing_else_is_heard(ear: Ear, method: str, path: str) -> None:
    """Reading an inbox and posting elsewhere pass unheard."""
    await ask(ear.app, method, path)
    assert ear.heard == []


async def test_other_protocols_pass(ear: Ear) -> None:
    """What is no HTTP request goes through untouched."""
    seen: list[str] = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return {}

    await Tap(app, ear.heard.append)({"type": "lifespan"}, nothing, nothing)
    assert (seen, ear.heard) == (["lifespan"], [])


async def test_a_body_in_pieces_is_heard_whole(ear: Ear) -> None:
    """Chunks are put together in order."""
    body = b'{"a": "' + b"x" * 200_000 + b'"}'
    await ear.post(INBOX, body)
    assert ear.heard[0].body == body


async def test_what_is_remembered_is_bounded(ear: Ear) -> None:
    """Of a body without end no more is held than one piece beyond the limit."""
    answer = await ear.post(INBOX, b"x" * (MAX_BODY * 4))
    assert answer.status == 413
    assert len(ear.heard[0].body) <= MAX_BODY + 64 * 1024


async def test_a_body_is_heard_though_nobody_read_it(ear: Ear) -> None:
    """A request that is refused by its headers alone is heard as it came, or its verdict would be about another."""
    answer = await ear.post(INBOX, b'{"type": "Like"}', content_type="text/plain")
    assert answer.status == 415
    assert (ear.heard[0].status, ear.heard[0].body) == (415, b'{"type": "Like"}')
