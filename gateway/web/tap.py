"""Listening in on what reaches the inboxes of one's own application: each request, and what was answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.jsonld.strict import MAX_BODY

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One POST to an inbox, as it came, with the answer."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int
    answer: bytes


class Tap:
    """Hands every POST to an inbox on, and to ``hear`` once it was answered."""

    def __init__(self, app: ASGIApp, hear: Callable[[Heard], None]) -> None:
        """Take the application and who is told."""
        self._app = app
        self._hear = hear

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Hand a request on; remember what goes by when it is for an inbox."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith("/inbox"):
            await self._app(scope, receive, send)
            return
        came, went, status, more = bytearray(), bytearray(), 0, True

        async def receiving() -> Message:
            nonlocal more
            message = await receive()
            more = message["type"] == "http.request" and message.get("more_body", False)
            if len(came) <= MAX_BODY:
                came.extend(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            went.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, receiving, sending)
        # The application may have answered from the headers alone; what was sent is told all the same.
        while more and len(came) <= MAX_BODY:
            await receiving()
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        path += f"?{query}" if (query := scope.get("query_string", b"").decode("latin-1")) else ""
        self._hear(Heard(path=path, headers=headers, body=bytes(came), status=status, answer=bytes(went)))
