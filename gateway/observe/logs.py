"""Logs: one canonical line per arrival and delivery; pretty on a terminal, JSON otherwise (structlog).

Values come from strangers: control characters are escaped, so that no line can be forged.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, TextIO

import structlog

if TYPE_CHECKING:
    from collections.abc import MutableMapping

MAX_VALUE = 500


def _defuse(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Shorten and escape text, so that a value is always one piece of one line."""
    for name, value in event.items():
        if isinstance(value, str):
            shown = value if value.isprintable() else value.encode("unicode_escape").decode("ascii")
            event[name] = shown if len(shown) <= MAX_VALUE else f"{shown[:MAX_VALUE]}..."
    return event


class _Steady:
    """Standard error, where a line that cannot be written (a full disk) is lost and nothing else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _Made:
    """The logger as it was set up last: made once, used for every line."""

    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def configure(level: str) -> None:
    """Set up logging for the process: to stderr, from ``level`` on."""
    pretty = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _defuse,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(_Steady(sys.stderr)),  # type: ignore[arg-type]  # what it uses of a file
        cache_logger_on_first_use=False,
    )
    _Made.logger = structlog.get_logger().bind()


def log() -> structlog.typing.FilteringBoundLogger:
    """Return the logger."""
    return _Made.logger
