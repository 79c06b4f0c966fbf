"""``make demo`` tells the truth, ends as it promises, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import demo
import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = Path(demo.__file__)
ENOUGH_SECONDS = 180


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demo as ``make demo`` does, with a folder for temporary files of its own."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, DEMO], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8",
    ) as process:  # fmt: skip
        yield process
        process.kill()


def bases_in(text: str) -> list[str]:
    """Return the addresses of the servers that the demo named."""
    return sorted(set(re.findall(r"http://(?:localhost|127\.0\.0\.1):\d+", text)))


def answers(base: str) -> bool:
    """Tell whether anybody still answers there."""
    try:
        httpx.get(base.replace("localhost", "127.0.0.1"), trust_env=False)
    except httpx.TransportError:
        return False
    return True


def test_the_demo_shows_the_main_job(playing: subprocess.Popen[str], tmp_path: Path) -> None:
    """It exits 0, names the reason of the refusal, colours nothing in a pipe, and leaves nobody and nothing."""
    out, _ = playing.communicate(timeout=ENOUGH_SECONDS)
    assert playing.returncode == 0, out
    assert re.search(r"status +403 +application/problem\+json", out)
    assert re.search(r"code +altered-preferences", out)
    assert re.findall(r"^(\d+)\. ", out, re.MULTILINE) == [str(n + 1) for n in range(len(demo.STEPS))]
    assert "\x1b" not in out
    assert len(bases_in(out)) == 3
    assert not any(map(answers, bases_in(out)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up(playing: subprocess.Popen[str], tmp_path: Path, how: signal.Signals) -> None:
    """Ctrl-C in the middle ends every process and removes every file."""
    assert playing.stdout is not None
    seen = ""
    for line in playing.stdout:
        seen += line
        if "$ gateway account create" in line:
            break
    playing.send_signal(how)
    rest, _ = playing.communicate(timeout=ENOUGH_SECONDS)
    assert playing.returncode == 130, seen + rest
    assert "Traceback" not in rest
    assert not any(map(answers, bases_in(seen)))
    assert not list(tmp_path.iterdir())


def test_a_step_that_fails_is_named_with_the_ends_of_the_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """What did not happen is not told as if it had: exit code 1, which step, what was observed, the logs."""

    async def lie(played: demo.Demo) -> None:
        played.tell.begin("Something wonderful happens")
        played.tell.check(None, "it was wonderful", "nothing")

    async def serve(played: demo.Demo) -> None:
        await played.home.start()

    assert asyncio.run(demo.play(demo.Teller(), (serve, lie))) == 1
    out = capsys.readouterr().out
    assert "Step 1 failed (Something wonderful happens):" in out
    assert "observed instead: nothing" in out
    assert "✓" not in out
    assert re.search(r"log of the home gateway .*\n(.*\n)*.*\"started\"", out)


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR and a dumb terminal are respected."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert demo.Teller().colours
    monkeypatch.setenv("NO_COLOR", "1")
    assert not demo.Teller().colours
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not demo.Teller().colours
