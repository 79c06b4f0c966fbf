"""A data directory belongs to one serving process, one base URL and one secret; anything else is refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from processes import STOP_SECONDS, Served, eventually, free_port, listening, served

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def idle(tmp_path: Path) -> Served:
    """Return a gateway with data that does not run."""
    gateway = Served(data=tmp_path / "gw", port=free_port())
    gateway.cli("account", "create", "alice")
    return gateway


def refused(gateway: Served, *arguments: str, **changes: str) -> str:
    """Start a command that must be refused with exit code 2; return what it says."""
    before = len(gateway.stderr)
    process = gateway.spawn(*arguments, **changes)
    try:
        code = process.wait(STOP_SECONDS)
    finally:
        process.kill()
        process.wait()
    told = gateway.stderr[before:]
    told = told.replace("Local base URL: plain http and loopback addresses are on, for trying things out only.\n", "")
    assert code == 2, told
    return told


def test_a_second_serve_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    """A second serve on the directory ends with exit code 2 and says why; what the first has in hand stays its own."""
    with listening() as peer, served(tmp_path) as gateway:
        gateway.cli("account", "create", "alice")
        alice = f"{gateway.base}/users/alice"
        peer.post(f"{alice}/inbox", peer.plain.activity("Follow", alice))
        peer.wait_for("Accept")
        gateway.drained()
        peer.recorder.answering.clear()
        gateway.cli("post", "create", "alice", "in hand")
        eventually(lambda: peer.recorder.held, "a delivery in hand")
        told = refused(gateway, "serve", GATEWAY_PORT=str(free_port()))
        leased = gateway.rows("SELECT state FROM job WHERE state IN ('queued', 'leased')")
        held = peer.recorder.held
    assert told == f"gateway: This data directory is in use: another gateway already serves {gateway.data}\n"
    assert leased == [{"state": "leased"}]
    assert held == 1


def test_another_base_url_is_refused(idle: Served) -> None:
    """Ids are for ever: a directory that was made for one base URL is not served as another."""
    told = refused(idle, "serve", GATEWAY_BASE_URL="http://localhost:9")
    assert idle.base in told
    assert "http://localhost:9" in told
    assert "Traceback" not in told


def test_a_lost_secret_is_refused(idle: Served) -> None:
    """Without its secret file no private key opens: the gateway says so, and makes no new one."""
    secret = idle.data / "secret.key"
    secret.unlink()
    told = refused(idle, "serve")
    assert str(secret) in told
    assert "backup" in told
    assert "Traceback" not in told
    assert not secret.exists()


def test_another_secret_is_refused(idle: Served) -> None:
    """A secret file of another gateway is noticed at the start, not at the first delivery."""
    (idle.data / "secret.key").write_bytes(bytes(32))
    told = refused(idle, "serve")
    assert "secret" in told
    assert "Traceback" not in told


def test_a_taken_port_is_named(idle: Served) -> None:
    """A port that somebody else listens on is an error that names it."""
    with listening() as other:
        port = other.plain.base.rpartition(":")[2]
        told = refused(idle, "serve", GATEWAY_PORT=port)
    assert f"127.0.0.1:{port}" in told
    assert "Traceback" not in told
