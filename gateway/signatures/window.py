"""When a signature is fresh: Mastodon's window, applied to both schemes.

expires = min(stated expires or created + 5 minutes, created + 12 hours); refused when created lies
more than an hour ahead or when expires lies more than an hour back.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

DEFAULT_LIFE = timedelta(minutes=5)
LONGEST_LIFE = timedelta(hours=12)
SKEW = timedelta(hours=1)
MAX_DIGITS = 12
MAX_EPOCH = 253402300799  # the last second of the year 9999


def problem(created: datetime, expires: datetime | None, now: datetime) -> str | None:
    """Return None when fresh, else what is wrong."""
    # First, because adding to a moment in the year 9999 overflows.
    if created > now + SKEW:
        return "created in the future"
    end = min(expires or created + DEFAULT_LIFE, created + LONGEST_LIFE)
    if now > end + SKEW:
        return "expired"
    if expires is not None and expires < created:
        return "expires before it was created"
    return None


def from_epoch(value: object) -> datetime | None:
    """Return the moment of an integer number of seconds since 1970, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value) if not isinstance(value, str) else value
    if len(text) > MAX_DIGITS or not text.isascii() or not text.isdigit() or int(text) > MAX_EPOCH:
        return None
    return datetime.fromtimestamp(int(text), UTC)


@functools.lru_cache(maxsize=1024)  # all that comes within a second has the same
def from_http_date(value: str | None) -> datetime | None:
    """Return the moment of an HTTP date, or None when it is not one."""
    if not value or len(value) > 40:  # noqa: PLR2004 - "Sun, 22 Nov 2026 13:38:54 GMT"
        return None
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def http_date(moment: datetime) -> str:
    """Return ``Sun, 22 Nov 2026 13:38:54 GMT``."""
    return _second_as_text(moment.replace(microsecond=0))


@functools.lru_cache(maxsize=64)  # many requests are signed within a second
def _second_as_text(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)
