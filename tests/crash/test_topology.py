"""What docker-compose.yml describes, started natively: a proxy, two gateways, one PostgreSQL, one store for media."""

from __future__ import annotations

import shutil
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx
import postgres
from bucket import s3
from crash.test_many_processes import listens, start
from flows.scenes import PNG
from processes import Served, eventually, free_port, listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bucket import S3

IMAGE = PNG + b"\0" * 100_000


@contextmanager
def proxy(port: int, targets: list[int]) -> Iterator[None]:
    """Hand each connection to the next gateway that takes one."""
    turns = count()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            turn = next(turns)
            for number in range(len(targets)):
                with suppress(OSError):
                    self._relay(socket.create_connection(("127.0.0.1", targets[(turn + number) % len(targets)]), 5))
                    return

        def _relay(self, inner: socket.socket) -> None:
            with inner:
                back = threading.Thread(target=_copy, args=(inner, self.request), daemon=True)
                back.start()
                _copy(self.request, inner)
                back.join(30)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(10)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def gateways(root: Path, port: int, url: str, store: S3) -> list[Served]:
    """Return two gateways on two machines: all that they share is database, store, secret and base URL."""
    media = {f"GATEWAY_{name.upper()}": value for name, value in store.settings().items()}
    made = []
    for name in ("one", "two"):
        settings = {
            "GATEWAY_BASE_URL": f"http://localhost:{port}", "GATEWAY_DATABASE_URL": url,
            "GATEWAY_PORT": str(free_port()), **media,
        }  # fmt: skip
        made.append(Served(data=root / name, port=port, settings=settings))
    made[0].cli("account", "create", "alice")
    made[1].data.mkdir(mode=0o700)
    shutil.copy(made[0].data / "secret.key", made[1].data / "secret.key")
    return made


def uploaded(client: httpx.Client, token: str) -> str:
    """Upload a picture and publish a post with it; return the picture's address."""
    headers = {"authorization": f"Bearer {token}"}
    kept = client.post("/api/media", headers=headers, files={"file": ("a.png", IMAGE, "image/png")})
    assert kept.status_code == 201, kept.text
    attached: dict[str, Any] = kept.json()
    followers = f"{str(client.base_url).rstrip('/')}/users/alice/followers"
    note = {"type": "Note", "content": "look", "to": ["as:Public"], "cc": [followers], "attachment": [attached]}
    sent = client.post("/users/alice/outbox", headers=headers, json=note)
    assert sent.status_code == 201, sent.text
    return str(attached["url"])


def test_the_topology_of_the_compose_file(tmp_path: Path) -> None:
    """Through the proxy everything works as with one gateway, also when a gateway is killed."""
    port = free_port()
    with postgres.running() as server, s3() as store, listening() as peer:
        both = gateways(tmp_path, port, server.make("gw"), store)
        own = [int(one.settings["GATEWAY_PORT"]) for one in both]
        try:
            for one, its in zip(both, own, strict=True):
                start(one, its)
            with proxy(port, own), httpx.Client(base_url=f"http://localhost:{port}", trust_env=False) as client:
                eventually(lambda: listens(port), "the proxy")
                token = both[0].cli("token", "create", "alice", "--label", "test")["token"]
                alice = f"http://localhost:{port}/users/alice"
                assert peer.post(f"{alice}/inbox", peer.plain.activity("Follow", alice)).status_code == 202
                peer.wait_for("Accept")
                path = httpx.URL(uploaded(client, token)).path
                for its in own:
                    headers = {"host": f"localhost:{port}", "range": "bytes=0-99"}
                    shown = httpx.get(f"http://127.0.0.1:{its}{path}", trust_env=False, headers=headers)
                    assert shown.status_code == 206, shown.text
                    assert shown.content == IMAGE[:100]
                    assert "train-ai=n" in shown.headers["content-usage"]
                assert all(one.run("check").code == 0 for one in both)
                both[1].kill()
                with httpx.Client(base_url=f"http://localhost:{port}", trust_env=False) as another:
                    uploaded(another, token)
                peer.wait_for("Create", lambda activity: activity["object"]["attachment"][0]["url"].endswith(path))
                eventually(lambda: sum(one["type"] == "Create" for one in peer.received) == 2, "both posts")
        finally:
            for one in both:
                one.kill()
