"""A shell: the command line over one data directory, with a peer to talk to."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from flows.keypool import pooled
from peers.plain import PlainPeer
from typer.testing import CliRunner
from world import ManualClock, Switchboard

from gateway.cli import check, output
from gateway.cli.main import app
from gateway.runtime import Gateway, open_gateway
from gateway.settings import Settings, load

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

BASE = "https://gw.example"


@dataclass(slots=True, kw_only=True)
class Shell:
    """Runs commands."""

    data: Path
    board: Switchboard = field(default_factory=Switchboard)
    clock: ManualClock = field(default_factory=ManualClock)
    runner: CliRunner = field(default_factory=CliRunner)

    def run(self, *words: str, stdin: str | None = None) -> Result:
        """Run one command."""
        return self.runner.invoke(app, list(words), input=stdin)

    def json(self, *words: str, stdin: str | None = None) -> Any:
        """Run one command with --json and return its one document; fail when it fails."""
        result = self.run(*words, "--json", stdin=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def fails(self, code: int, *words: str) -> str:
        """Run a command that fails with an exit code, and return what it says."""
        result = self.run(*words)
        assert result.exit_code == code, (result.output, result.exception)
        assert result.stdout == ""
        return result.stderr

    def gateway(self) -> Gateway:
        """Open the same data directory."""
        return open_gateway(load()[0], transport=self.board)

    def peer(self, host: str = "peer.example", name: str = "bob") -> PlainPeer:
        """Connect a peer whose handle resolves."""
        peer = PlainPeer(f"https://{host}", name, self.clock, self.board)
        self.board.apps[host] = peer.app
        links = [{"rel": "self", "type": "application/activity+json", "href": peer.me.id}]
        peer.serve(
            f"/.well-known/webfinger?resource=acct:{name}@{host}",
            json.dumps({"links": links}),
            content_type="application/jrd+json",
        )
        return peer


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a shell with an empty data directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", *(known.upper() for known in Settings.model_fields)):
        monkeypatch.delenv(f"GATEWAY_{name}", raising=False)
    monkeypatch.setenv("GATEWAY_BASE_URL", BASE)
    monkeypatch.setenv("GATEWAY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("gateway.flows.kit.generate", pooled)
    made = Shell(data=tmp_path / "data")
    for module in (output, check):
        monkeypatch.setattr(module, "open_gateway", functools.partial(open_gateway, transport=made.board))
    return made
