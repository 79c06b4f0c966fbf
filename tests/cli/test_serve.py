"""Serving: listening, greeting, stopping."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest
import typer
import uvicorn
from typer.testing import CliRunner

from gateway.cli import serve as module
from gateway.cli.output import Run, command
from gateway.errors import SettingsError
from gateway.observe import logs
from gateway.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.conftest import Shell


@pytest.fixture(autouse=True)
def _signals_again() -> Iterator[None]:
    logger = logging.getLogger("uvicorn.error")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    kept = (logger.level, logger.handlers, logger.propagate)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    logger.level, logger.handlers, logger.propagate = kept
    logs.configure("error")


def served(shell: Shell, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    """Run ``serve`` with a server that gets a signal as soon as it runs."""

    async def serve(self: uvicorn.Server, sockets: list[socket.socket]) -> None:
        signal.raise_signal(signal.SIGTERM)
        assert self.should_exit
        for listener in sockets:
            listener.close()

    monkeypatch.setattr(uvicorn.Server, "serve", serve)
    return shell.run("serve", "--port", "0", *words)


def test_serve_greets_starts_and_stops(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first account is made once with its token; the next start only says what it serves."""
    monkeypatch.setenv("GATEWAY_BASE_URL", "http://localhost:8000")
    first = served(shell, monkeypatch, "--first-account", "alice")
    assert first.exit_code == 0, first.output
    assert "Local base URL" in first.stderr
    assert "@alice@localhost:8000, with the preset noai" in first.stderr
    assert "gw_" in first.stderr
    assert f"--data {shell.data}" in first.stderr
    again = served(shell, monkeypatch, "--first-account", "alice")
    assert "Serving http://localhost:8000/@alice" in again.stderr
    assert "gw_" not in again.stderr
    assert again.stdout == ""


def test_serve_without_a_first_account(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public gateway says nothing about loopback, and makes nobody up."""
    result = served(shell, monkeypatch, "--host", "127.0.0.1", "-q")
    assert result.exit_code == 0, result.output
    assert "Local base URL" not in result.stderr
    assert shell.json("account", "list") == []


def test_a_taken_port_is_told(shell: Shell) -> None:
    """A port that somebody else has exits with 2 and names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in shell.fails(2, "serve", "--port", str(port))


def test_both_families_are_listened_on() -> None:
    """An IPv6 address gets an IPv6 socket; an impossible one is a setting that cannot be used."""
    values: dict[str, Any] = {"host": "::1", "port": 0}
    listener = module.listen(Settings(**values))
    assert listener.family is socket.AF_INET6
    listener.close()
    with pytest.raises(SettingsError, match="cannot listen"):
        module.listen(Settings(**{**values, "host": "192.0.2.1"}))


def test_uvicorn_speaks_in_our_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What uvicorn has to say is one of our lines; a request cut off at the end is no fault."""
    logs.configure("info")
    module._hear_uvicorn()
    logger = logging.getLogger("uvicorn.error")
    logger.info("not this")
    logger.warning("plain\nwarning")
    for error in (KeyError("boom"), asyncio.CancelledError()):
        try:
            raise error
        except BaseException:
            logger.exception("crashed")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "plain" in lines[0]
    assert "boom" in lines[1]


def test_commands_run_on_uvloop() -> None:
    """The loop of every command, of ``serve`` with them, is the fast one."""
    group, seen = typer.Typer(), []

    @command(group, "look")
    async def look(run: Run) -> None:
        """Look which loop this is."""
        seen.append((run.quiet, type(asyncio.get_running_loop()).__module__))

    assert CliRunner().invoke(group, []).exit_code == 0
    assert seen == [(False, "uvloop")]
