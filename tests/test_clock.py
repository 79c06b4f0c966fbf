"""Time as a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.clock import SystemClock, parse_rfc3339, rfc3339


def test_wall_clock() -> None:
    """The wall clock is aware, in UTC, and the machine's."""
    before, now, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.utcoffset() == timedelta(0)


def test_monotonic_clock() -> None:
    """The monotonic clock never goes back."""
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]
    assert readings == sorted(readings)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 11, 22, 10, tzinfo=UTC), "2026-11-22T10:00:00Z"),
        (datetime(2026, 11, 22, 10, 0, 0, 999_999, tzinfo=UTC), "2026-11-22T10:00:00Z"),
        (datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=9))), "2026-11-22T01:00:00Z"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
    ],
)
def test_write(moment: datetime, expected: str) -> None:
    """A moment is written in whole seconds, in UTC."""
    assert rfc3339(moment) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T10:00:00Z", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2026-11-22T10:00:00+09:00", datetime(2026, 11, 22, 1, tzinfo=UTC)),
        ("2026-11-22T10:00:00.5Z", datetime(2026, 11, 22, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-22T10:00:00.123456789Z", datetime(2026, 11, 22, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-11-22T10:00:00-00:00", datetime(2026, 11, 22, 10, tzinfo=UTC)),
        ("2024-02-29T23:59:59Z", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_read(text: str, expected: datetime) -> None:
    """A date-time with an offset is read as the same moment in UTC."""
    moment = parse_rfc3339(text)
    assert moment == expected
    assert moment is not None
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        datetime(2026, 11, 22, 10, tzinfo=UTC),
        "",
        "yesterday at ten",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-11-22T10:00:00Z" + "0" * 30,
        "2026-11-22T10:00:00Z trailing",
        "\ud800026-11-22T10:00:00Z",
    ],
)
def test_unreadable(text: object) -> None:
    """What is no date-time, has no offset or leaves the calendar is None and never an exception."""
    assert parse_rfc3339(text) is None


def test_round_trip() -> None:
    """What is written is read back as the same moment."""
    moment = datetime(2026, 11, 22, 10, 11, 12, tzinfo=UTC)
    assert parse_rfc3339(rfc3339(moment)) == moment
