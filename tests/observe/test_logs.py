"""Log lines that strangers cannot forge."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.observe import logs
from gateway.observe.logs import MAX_VALUE, log

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _quiet_again() -> Iterator[None]:
    yield
    logs.configure("error")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was logged; stdout stays clean."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_a_line_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    """Event, level, time and values stand in one line on stderr."""
    logs.configure("info")
    log().info("arrival", peer="https://peer.example", ms=1.5)
    (line,) = lines(capsys)
    found = json.loads(line)
    assert (found["event"], found["level"], found["peer"], found["ms"]) == (
        "arrival",
        "info",
        "https://peer.example",
        1.5,
    )
    assert found["timestamp"].endswith("Z")


@pytest.mark.parametrize("value", ["a\nb", "a\r\n2026 forged", "\x1b[31mred", "a\u2028b", "\x00", "a\u202eb"])
def test_control_characters_are_escaped(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A value cannot begin a new line, colour a terminal or turn text round."""
    logs.configure("info")
    log().info("arrival", problem=value)
    (line,) = lines(capsys)
    assert json.loads(line)["problem"].isprintable()


def test_long_values_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """No value takes more than its share of a line."""
    logs.configure("info")
    log().info("arrival", problem="x" * 5000, status=7)
    assert len(json.loads(lines(capsys)[0])["problem"]) == MAX_VALUE + 3


def test_a_level_hides_what_is_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines below the level are not written."""
    logs.configure("error")
    log().info("arrival")
    log().error("fault")
    assert [json.loads(line)["event"] for line in lines(capsys)] == ["fault"]


def test_an_exception_is_part_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback does not tear a line apart."""
    logs.configure("info")
    try:
        raise KeyError("boom")
    except KeyError:
        log().error("fault", exc_info=True)
    (line,) = lines(capsys)
    assert "boom" in json.loads(line)["exception"]


def test_people_at_a_terminal_get_prose(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a line is for reading, not JSON."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    logs.configure("info")
    log().info("arrival", peer="x")
    (line,) = lines(capsys)
    assert "arrival" in line
    assert not line.startswith("{")
