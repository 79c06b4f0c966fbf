"""Ctrl-C: soon, clean, and nothing is lost."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

from processes import STOP_SECONDS, eventually, listening, served

if TYPE_CHECKING:
    from pathlib import Path

    from processes import Listening, Served

LIMIT_SECONDS = 5


def follow(peer: Listening, gateway: Served) -> None:
    """Make the gateway's alice and let the peer follow her."""
    gateway.cli("account", "create", "alice")
    alice = f"{gateway.base}/users/alice"
    assert peer.post(f"{alice}/inbox", peer.plain.activity("Follow", alice)).status_code == 202
    peer.wait_for("Accept")


def test_ctrl_c_ends_an_idle_gateway_at_once(tmp_path: Path) -> None:
    """An idle gateway ends on SIGINT within seconds, with exit code 0 and a last line in its log."""
    with served(tmp_path) as gateway:
        code, seconds = gateway.interrupt()
    assert code == 0
    assert seconds < LIMIT_SECONDS
    assert '"event": "stopped"' in gateway.stderr


def test_sigterm_ends_it_as_cleanly(tmp_path: Path) -> None:
    """What a service manager sends has the same effect as Ctrl-C."""
    with served(tmp_path) as gateway:
        assert gateway.process is not None
        gateway.process.send_signal(signal.SIGTERM)
        code = gateway.process.wait(STOP_SECONDS)
        gateway.process = None
    assert code == 0
    assert '"event": "stopped"' in gateway.stderr


def test_ctrl_c_loses_no_delivery(tmp_path: Path) -> None:
    """Deliveries in hand and queued when Ctrl-C comes arrive after the next start, each once and as it was."""
    with listening() as peer, served(tmp_path) as gateway:
        follow(peer, gateway)
        before = len(peer.received)
        peer.recorder.answering.clear()
        sent = [gateway.cli("post", "create", "alice", f"post {number}")["activity"] for number in range(3)]
        eventually(lambda: peer.recorder.held, "a delivery in hand")
        code, seconds = gateway.interrupt()
        peer.recorder.answering.set()
        gateway.cli("post", "create", "alice", "written while nobody serves")
        gateway.start()
        gateway.drained()
        came = peer.received[before:]
    assert code == 0
    assert seconds < LIMIT_SECONDS
    assert sorted(activity["id"] for activity in came)[:3] == sorted(sent)
    assert len(came) == 4


def test_ctrl_c_does_not_wait_for_a_slow_client(tmp_path: Path) -> None:
    """A client that never finishes its request, and a peer that never answers, together do not hold Ctrl-C up."""
    with listening() as peer, served(tmp_path) as gateway:
        follow(peer, gateway)
        peer.recorder.answering.clear()
        gateway.cli("post", "create", "alice", "to a peer that hangs")
        with socket.create_connection(("127.0.0.1", gateway.port)) as slow:
            slow.sendall(
                f"POST /inbox HTTP/1.1\r\nHost: localhost:{gateway.port}\r\n"
                "Content-Type: application/activity+json\r\nContent-Length: 1000\r\n\r\n{".encode()
            )
            eventually(lambda: peer.recorder.held, "a delivery in hand")
            code, seconds = gateway.interrupt()
    assert code == 0
    assert seconds < LIMIT_SECONDS
