"""How a connection may behave before an application sees it: bytes, fields, deadlines, and how many there are.

uvicorn's own protocol takes any number of header fields, lines of any length, and waits for ever. This one counts
what is not body, and cuts whoever is slow: headers within seconds, a body at a pace, an answer that is read.
Sources: RFC 9112; RFC 6585 (431); RFC 9110, section 15.5.15 (414).
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.errors import BadInput, HeadersTooLarge, WrongHost

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

MAX_TARGET = 8 * 1024
MAX_HEAD = 64 * 1024  # request line and header fields; the application refuses less, with a page about it
MAX_FIELDS = 200  # likewise
MAX_FRAMING = 16 * 1024  # chunk sizes, extensions and trailers beyond one byte for each byte of the body
HEAD_SECONDS = 10.0  # from the first byte, or from connecting, to the end of the header fields
BODY_SECONDS, BODY_RATE = 25.0, 32 * 1024  # and a second more for so many bytes that did arrive
LINGER_SECONDS, LINGER_BYTES = 2.0, 4 * 1024 * 1024  # of a body nobody wants any more, while its answer is read
ANSWER_SECONDS = 60.0  # an answer of which nothing is read for so long is dropped
MAX_CONNECTIONS = 1_000  # beyond them the one that has asked for nothing the longest goes


class _Transport:
    """The transport that a request's answer is written to: who closes it closes without losing the answer."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: Any, close: Callable[[], None]) -> None:
        """Take the connection's transport, and how it is closed."""
        self.write, self.is_closing, self.close = transport.write, transport.is_closing, close


async def _answered(app: Any, scope: Any, receive: Any, send: Any) -> None:
    """Run an application; say in an answer that begins before the body is there that the connection ends with it."""
    cycle = send.__self__

    async def told(message: Any) -> None:
        if message["type"] == "http.response.start" and cycle.more_body:
            cycle.keep_alive = False
        await send(message)

    await app(scope, receive, told)


class BoundedProtocol(HttpToolsProtocol):
    """One connection, bounded."""

    _asks_nothing: ClassVar[OrderedDict[BoundedProtocol, None]] = (
        OrderedDict()
    )  # no whole request in hand, oldest first
    _sends: ClassVar[OrderedDict[BoundedProtocol, None]] = OrderedDict()  # a body, since the longest first
    _answering: RequestResponseCycle | None = None  # the request that is being answered; others may wait behind it
    _deaf = False  # what comes is not listened to any more; the answer in hand is the last
    _in_head = True
    _completed = False
    _begun = False
    _head = 0
    _fields = 0
    _received = 0
    _framing = 0
    _lingering: int | None = None  # bytes that may still arrive while the other side reads our last answer
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request; make room for it."""
        super().connection_made(transport)
        self.app = partial(_answered, self.app)
        self._asks_nothing[self] = None
        if len(self.connections) > MAX_CONNECTIONS:
            self._make_room()
        self._wait(HEAD_SECONDS)

    def _make_room(self) -> None:
        """Close whoever asks for nothing the longest, else whoever has been sending a body the longest."""
        idle = next(iter(self._asks_nothing))
        longest = idle if idle is not self else next(iter(self._sends), idle)
        longest.transport.close()
        longest._forget()  # noqa: SLF001 - another of us

    def _forget(self) -> None:
        self._asks_nothing.pop(self, None)
        self._sends.pop(self, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its deadlines."""
        self._stop_waiting()
        self.resume_writing()
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse and count: what is too much goes no further."""
        if self._lingering is not None and not self.transport.is_closing():
            self._lingering -= len(data)
            if self._lingering < 0:
                self.transport.close()
        if self._is_ending():
            return
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._wait(HEAD_SECONDS)
        body, self._completed, self._begun = self._received, False, False
        super().data_received(data)
        if self._in_head:
            # What came with the end of another request is counted from the next piece on.
            self._head += 0 if self._completed else len(data)
            if self._head > MAX_HEAD:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HeadersTooLarge.code)
        else:
            # Of a request that began in this piece nothing came before.
            self._framing += max(0, len(data) - self._received + (0 if self._begun else body))
            if self._framing > MAX_HEAD + MAX_FRAMING + self._received:
                self._refuse(HTTPStatus.BAD_REQUEST, BadInput.code)

    def on_message_begin(self) -> None:
        """Count afresh for every request of a connection."""
        super().on_message_begin()
        self._in_head, self._head, self._fields, self._received, self._framing = True, 0, 0, 0, 0
        self._begun = True

    def on_url(self, url: bytes) -> None:
        """Take the request target, up to a length."""
        super().on_url(url)
        if len(self.url) > MAX_TARGET:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, "target-too-long")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, up to a number; fields after the body are nobody's."""
        if not self._in_head:
            return
        self._fields += len(name) + len(value)
        if len(self.headers) >= MAX_FIELDS or self._fields > MAX_HEAD:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HeadersTooLarge.code)
            return
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand the request on and wait for its body."""
        if self._is_ending():
            return
        if self.url[:1] not in (b"/", b"*") and self.parser.get_method() != b"CONNECT" and not self._names_its_host():
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, WrongHost.code)
            return
        self._in_head = False
        self._forget()
        self._sends[self] = None
        self._wait(BODY_SECONDS)
        super().on_headers_complete()
        if self._answering is None or self._answering.response_complete:
            self._answering = self.cycle
        self.cycle.transport = _Transport(self.transport, self._hang_up)  # type: ignore[assignment]  # what a cycle uses

    def _names_its_host(self) -> bool:
        """Tell whether a target with a host in it (RFC 9112, section 3.2.2) names the one of the Host field."""
        authority = self.url.partition(b"://")[2].partition(b"/")[0]
        return authority.lower() in [value.strip().lower() for name, value in self.headers if name == b"host"]

    def on_body(self, body: bytes) -> None:
        """Count the body."""
        if self._is_ending():
            return
        self._received += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop waiting: the rest is ours to do."""
        if self._is_ending():
            return
        self._stop_waiting()
        self._sends.pop(self, None)
        self._in_head, self._head, self._completed = True, 0, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Let the connection count as idle when nothing else was asked."""
        self._answering = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if not self.transport.is_closing() and not self.pipeline:
            self._asks_nothing[self] = None

    def _hang_up(self) -> None:
        """Close after an answer: at once when the request is there to its end."""
        if self._in_head:
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Say that nothing follows, and close once the other side had time to read (RFC 9112, section 9.6).

        A socket that is closed with something unread in it is reset, and the other side may lose the answer.
        """
        if self._is_ending():
            return
        self._stop_waiting()
        self._lingering = LINGER_BYTES
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _is_ending(self) -> bool:
        return self._deaf or self._lingering is not None or self.transport.is_closing()

    def pause_writing(self) -> None:
        """Wait for the other side to read, but not for ever."""
        super().pause_writing()
        self._unread = self._unread or self.loop.call_later(ANSWER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self._late, self.loop.time())

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self, began: float) -> None:
        """Cut a connection that is late; a body that did arrive at a pace has more time."""
        left = 0.0 if self._in_head else began + BODY_SECONDS + self._received / BODY_RATE - self.loop.time()
        if left > 0 and not self.transport.is_closing():
            self._deadline = self.loop.call_later(left, self._late, began)
            return
        self._deadline = None
        # Whoever is silent between two requests or sends half a header line hears nothing: it asked nothing yet.
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as everything else that is refused."""
        del msg  # the parser's words; they are in the log
        self._refuse(HTTPStatus.BAD_REQUEST, BadInput.code)

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        """Answer with a problem document and hang up."""
        if self._is_ending():
            return
        document = orjson.dumps({"title": status.phrase, "status": status.value, "code": code, "error": status.phrase})
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(document)}\r\nconnection: close\r\n\r\n"
        )
        answering = self._answering
        if answering is not None and answering.response_complete:
            answering = None
        if answering is not None and (self._in_head or answering is not self.cycle):
            # Something was asked before this: it gets its answer, and nothing follows.
            self.pipeline.clear()
            self._deaf, answering.keep_alive = True, False
            return
        if answering is None or not answering.response_started:
            self.transport.write(head.encode("ascii") + document)
        self._linger()
