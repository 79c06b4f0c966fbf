"""When a signature is fresh."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from gateway.signatures import window

NOW = datetime(2026, 11, 22, 13, 38, 54, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
MINUTES = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("age", "life", "wrong"),
    [
        (timedelta(0), None, None),
        (-HOUR, None, None),
        (-HOUR - SECOND, None, "created in the future"),
        (65 * MINUTES, None, None),
        (65 * MINUTES + SECOND, None, "expired"),
        (61 * MINUTES, 1 * MINUTES, None),
        (61 * MINUTES + SECOND, 1 * MINUTES, "expired"),
        (3 * HOUR, 2 * HOUR, None),
        (3 * HOUR + SECOND, 2 * HOUR, "expired"),
        (13 * HOUR, 12 * HOUR, None),
        (13 * HOUR + SECOND, 12 * HOUR, "expired"),
        (13 * HOUR, 30 * HOUR, None),
        (13 * HOUR + SECOND, 30 * HOUR, "expired"),
        (timedelta(0), timedelta(0), None),
        (timedelta(0), -SECOND, "expires before it was created"),
        (timedelta(0), -HOUR - SECOND, "expired"),
    ],
)
def test_the_window_has_exact_boundaries(age: timedelta, life: timedelta | None, wrong: str | None) -> None:
    """Fresh runs from an hour before creation to an hour after the expiry, which is capped at twelve hours."""
    created = NOW - age
    assert window.problem(created, None if life is None else created + life, NOW) == wrong


@pytest.mark.parametrize("expires", [None, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_the_end_of_time_is_in_the_future(expires: datetime | None) -> None:
    """A moment in the last minute of the year 9999 is refused without an overflow."""
    assert window.problem(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), expires, NOW) == "created in the future"


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("1795354734", datetime(2026, 11, 22, 13, 38, 54, tzinfo=UTC)),
        (window.MAX_EPOCH, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (window.MAX_EPOCH + 1, None),
        ("001795354734", datetime(2026, 11, 22, 13, 38, 54, tzinfo=UTC)),
        ("0001795354734", None),
        (-1, None),
        ("-1", None),
        ("", None),
        ("abc", None),
        ("1e99", None),
        (" 1", None),
        ("1_000", None),
        ("１２３", None),
        ("²", None),
        (1.5, None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_an_epoch_is_a_plain_number_of_seconds(value: object, moment: datetime | None) -> None:
    """Only ASCII digits and integers up to the year 9999 name a moment."""
    assert window.from_epoch(value) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sun, 22 Nov 2026 13:38:54 GMT", NOW),
        ("Sun, 22 Nov 2026 15:38:54 +0200", NOW),
        ("Sun, 22 Nov 2026 13:38:54 -0000", NOW),
        ("Sunday, 22-Nov-26 13:38:54 GMT", NOW),
        ("Sun, 22 Nov 2026 13:38:54 GMT" + " " * 11, NOW),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("22 Nov 2026", None),
        ("Sun, 32 Nov 2026 13:38:54 GMT", None),
        ("Sun, 22 Nov 2026 25:38:54 GMT", None),
        ("2026-11-22T13:38:54Z", None),
        ("1795354734", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Sun, 22 Nov 99999999999999 13:38:54 GMT", None),
        ("Sun, 22 Nov 2026 13:38:54 +99999999", None),
        ("Sun, 22 Nov 2026 13:38:54 GMT" + " " * 12, None),
    ],
)
def test_an_http_date_is_read_or_none(text: str | None, moment: datetime | None) -> None:
    """A date of HTTP is read in UTC, and anything else is none, never an exception."""
    found = window.from_http_date(text)
    assert found == moment
    assert found is None or found.tzinfo is UTC


def test_an_http_date_is_written_in_gmt() -> None:
    """A written date has the one form of RFC 9110 and reads back as the same moment."""
    assert window.http_date(NOW) == "Sun, 22 Nov 2026 13:38:54 GMT"
    assert window.from_http_date(window.http_date(NOW)) == NOW


def test_the_machines_own_time_zone_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates are read and written the same way on a machine in Tokyo."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert window.from_http_date("Sun, 22 Nov 2026 13:38:54 -0000") == NOW
        assert window.http_date(NOW) == "Sun, 22 Nov 2026 13:38:54 GMT"
        assert window.from_epoch("1795354734") == NOW
    finally:
        monkeypatch.undo()
        time.tzset()
