"""Ctrl-C: soon, clean, and nothing is lost."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from gateway.signatures.request import SignedRequest
from processes import STOP_SECONDS, eventually, listening, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from processes import Listening, Served

LIMIT_SECONDS = 5


def follow(peer: Listening, gateway: Served) -> None:
    """Make the gateway's alice and let the peer follow her."""
    gateway.cli("account", "create", "alice")
    alice = f"{gateway.base}/users/alice"
    assert peer.post(f"{alice}/inbox", peer.plain.activity("Follow", alice)).status_code == 202
    peer.wait_for("Accept")


@contextmanager
def hanging(peer: Listening) -> Iterator[threading.Event]:
    """Let the peer take requests to its inboxes without answering them; the event says that one has come."""
    came, go = threading.Event(), threading.Event()
    inner = peer.recorder.hold(came, go)
    try:
        yield came
    finally:
        go.set()
        inner()


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
