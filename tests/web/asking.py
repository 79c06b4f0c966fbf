"""One request straight into an ASGI application: nothing tidies it up on the way, so it may be malformed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CHUNK = 64 * 1024
HOST = "gw.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the application sent back."""

    status: int
    lines: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header's only value; an empty string when it is missing."""
        values = [value for key, value in self.lines if key == name]
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else ""

    @property
    def media_type(self) -> str:
        return self.header("content-type")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


async def ask(
    app: Any,
    method: str,
    target: str | bytes,
    headers: Iterable[tuple[str | bytes, str | bytes]] = (),
    body: bytes = b"",
    *,
    host: str | None = HOST,
    client: str = "192.0.2.1",
) -> Answer:
    """Send one request; ``target`` is path and query as they stand in the request line, ``host`` None sends no Host."""
    path, mark, query = _bytes(target).partition(b"?")
    lines = [] if host is None else [(b"host", _bytes(host))]
    lines += [(_bytes(name).lower(), _bytes(value)) for name, value in headers]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": unquote(path.decode("latin-1")) if b"%" in path else path.decode("latin-1"),
        "raw_path": path,
        "query_string": query if mark else b"",
        "root_path": "",
        "headers": lines,
        "client": (client, 40000),
        "server": ("127.0.0.1", 8000),
    }
    chunks = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)] or [b""]
    waiting: list[dict[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
        for index, chunk in enumerate(chunks)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop(0)
        stays: dict[str, Any] = await asyncio.get_running_loop().create_future()  # and says nothing more
        return stays

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next(message for message in sent if message["type"] == "http.response.start")
    return Answer(
        status=start["status"],
        lines=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]),
        body=b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body"),
    )


def problem_of(answer: Answer, statuses: Sequence[int], *, base: str = f"https://{HOST}") -> dict[str, Any]:
    """Return the problem document of an answer after checking its form (interfaces.md, "Answers to a bad request")."""
    assert answer.status in statuses, (answer.status, answer.body[:300])
    assert answer.media_type == "application/problem+json"
    problem: dict[str, Any] = answer.json
    for name in ("type", "title", "detail", "code"):
        assert isinstance(problem[name], str), name
        assert problem[name], name
    assert problem["status"] == answer.status
    assert problem["type"] == f"{base}/problems/{problem['code']}"
    return problem
