"""``gateway inbox``: an actor that lives until Ctrl-C and prints what others send it, as a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cli.test_output_schemas import faults, only_document
from peers.plain import AS2
from processes import CHECKOUT, LAUNCH, START_SECONDS, STOP_SECONDS, eventually, free_port, listening, served
from typer.testing import CliRunner

from gateway.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from processes import Listening

TYPED = {"content-type": "application/activity+json"}
READY = "Waiting; Ctrl-C ends it and forgets everything."


@dataclass(slots=True)
class Inbox:
    """The running command: what it printed so far, and where it keeps what it forgets."""

    port: int
    root: Path
    process: subprocess.Popen[bytes]

    @property
    def actor(self) -> str:
        return f"http://localhost:{self.port}/users/inspector"

    @property
    def out(self) -> str:
        return (self.root / "out").read_text("utf-8")

    @property
    def err(self) -> str:
        return (self.root / "err").read_text("utf-8")

    def lines(self, count: int) -> list[dict[str, Any]]:
        """Return what --jsonl printed once there is so much of it."""
        whole = eventually(lambda: self.out.count("\n") >= count and self.out, f"{count} lines; {self.err}")
        return [json.loads(line) for line in whole.splitlines()]

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_SECONDS)

    def left(self) -> list[str]:
        """Return what it left behind."""
        return sorted(path.name for path in (self.root / "tmp").iterdir())


@contextmanager
def _inbox(root: Path, *options: str) -> Iterator[Inbox]:
    """Run the command below ``root`` and wait until it listens; afterwards it is gone."""
    (root / "tmp").mkdir()
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environment = {**kept, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(root / "tmp"), "NO_COLOR": "1"}
    with (root / "out").open("wb") as out, (root / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(os.getpid()), "inbox", "--port", str(port), *options],
            env=environment, cwd=root, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
    made = Inbox(port, root, process)
    try:

        def is_ready() -> bool:
            assert process.poll() is None, made.err
            return READY in made.err

        eventually(is_ready, "the inbox waits", seconds=START_SECONDS)
        yield made
        assert "Traceback" not in made.err, made.err
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def peer() -> Iterator[Listening]:
    """Run a plain peer."""
    with listening() as made:
        yield made


def _follow(inbox: Inbox, peer: Listening) -> dict[str, Any]:
    """Send a signed Follow and return it; it is taken."""
    follow = peer.plain.activity("Follow", inbox.actor)
    assert peer.post(f"{inbox.actor}/inbox", follow).status_code == 202
    return follow


def _like(inbox: Inbox, peer: Listening) -> dict[str, Any]:
    """Send an unsigned Like and return it; it is not taken."""
    like = peer.plain.activity("Like", inbox.actor, contentUsage="train-ai=n")
    answer = peer.client.post(f"{inbox.actor}/inbox", json=like, headers=TYPED)
    assert answer.status_code == 401
    return like


def test_it_follows_where_requests_must_be_signed(tmp_path: Path) -> None:
    """Its key can be fetched while it asks: a gateway with authorized fetch takes the Follow and accepts it."""
    with served(tmp_path) as gateway:
        gateway.cli("account", "create", "alice")
        (tmp_path / "inbox").mkdir()
        alice = f"{gateway.base}/users/alice"
        with _inbox(tmp_path / "inbox", "--jsonl", "--follow", alice) as inbox:
            (accept,) = inbox.lines(1)
            assert f"Asked to follow {alice}" in inbox.err
            assert (accept["document"]["type"], accept["document"]["actor"]) == ("Accept", alice)
            assert accept["verdict"]["ok"], accept["verdict"]
            assert inbox.interrupt() == 0
        kept = tmp_path / "arrivals.jsonl"
        kept.write_text(inbox.out, "utf-8")
        assert gateway.run("verify", str(kept)).code == 0  # the inbox is gone, what it knew of keys is in the capture
        elsewhere = {"GATEWAY_BASE_URL": "https://else.example", "GATEWAY_DATA": str(tmp_path / "else")}
        assert gateway.run("verify", str(kept), **elsewhere).code == 0


def test_what_arrives_is_printed_a_line_each(tmp_path: Path, peer: Listening) -> None:
    """--jsonl prints the raw request, the answer and the verdict's steps of signed and unsigned requests alike."""
    with _inbox(tmp_path, "--jsonl") as inbox:
        assert f"Actor  {inbox.actor}\n" in inbox.err
        assert f"Inbox  {inbox.actor}/inbox\n" in inbox.err
        assert f"Handle @inspector@localhost:{inbox.port}\n" in inbox.err
        assert inbox.out == ""
        follow = _follow(inbox, peer)
        like = _like(inbox, peer)
        accept = peer.wait_for("Accept")
        assert (accept["actor"], accept["object"]["id"]) == (inbox.actor, follow["id"])
        first, second = inbox.lines(2)
        assert inbox.interrupt() == 0
        assert inbox.left() == []
        assert inbox.out.count("\n") == 2
    assert [row["number"] for row in (first, second)] == [1, 2]
    assert json.loads(first["request"]["body"]) == first["document"] == follow
    assert second["document"] == like
    assert first["request"]["target"] == f"{inbox.actor}/inbox"
    assert dict(map(tuple, first["request"]["headers"]))["signature"].startswith(f'keyId="{peer.plain.me.key_id}"')
    assert first["answer"] == {"status": 202, "problem": None}
    assert (first["verdict"]["ok"], first["verdict"]["actor"]) == (True, peer.plain.me.id)
    assert all(step["ok"] for step in first["verdict"]["steps"])
    assert second["answer"]["status"] == second["answer"]["problem"]["status"] == 401
    assert second["verdict"]["failed"] == "signed"
    assert second["verdict"]["steps"] == second["answer"]["problem"]["steps"]
    assert [row["answer"] for row in second["effective"] if row["category"] == "train-gen"] == ["n"]
    assert [row["effect"] for row in first["decision"]["would"]] == ["RecordFollow", "Answer"]
    wrong = [fault for row in (first, second) for fault in faults("inbox", row, "properties", "received", "items")]
    assert wrong == []


def test_a_printed_request_verifies_again_offline(tmp_path: Path, peer: Listening) -> None:
    """``gateway verify -`` takes the line as it is: with the sender's keys it holds, without it names the step."""
    with _inbox(tmp_path, "--jsonl") as inbox:
        _follow(inbox, peer)
        _like(inbox, peer)
        inbox.lines(2)
        assert inbox.interrupt() == 0
        printed = inbox.out.splitlines(keepends=True)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(peer.plain.me.document()))
    words = ["verify", "-", "--keys", str(keys), "--json", "--data", str(tmp_path / "data")]
    signed, unsigned = (CliRunner().invoke(app, words, input=line) for line in printed)
    assert (signed.exit_code, unsigned.exit_code) == (0, 5), (signed.output, unsigned.output)
    again, before = json.loads(signed.stdout), json.loads(printed[0])["verdict"]
    assert again["steps"] == before["steps"]
    assert again["signingString"] == before["signingString"]
    assert json.loads(unsigned.stdout)["failed"] == "signed"
    whole = CliRunner().invoke(app, words, input="".join(printed))
    assert [row["ok"] for row in json.loads(whole.stdout)["requests"]] == [True, False]


def test_json_is_one_document_at_the_end(tmp_path: Path, peer: Listening) -> None:
    """--json prints nothing until Ctrl-C, then one document with everything that arrived."""
    with _inbox(tmp_path, "--json") as inbox:
        _like(inbox, peer)
        answer = peer.client.post(f"{inbox.actor}/inbox", content=b"\xff{", headers=TYPED)
        assert answer.status_code == 400
        assert peer.client.get(f"{inbox.actor}/inbox").status_code >= 400
        assert inbox.out == ""
        assert inbox.interrupt() == 0
        assert inbox.left() == []
        found = only_document(inbox.out)
    assert faults("inbox", found) == []
    like, broken = found["received"]
    assert like["document"]["@context"] == AS2
    assert (broken["document"], broken["request"]["body_b64"]) == (None, "/3s=")
    assert broken["answer"]["status"] == answer.status_code
    assert (broken["verdict"]["failed"], broken["verdict"]["status"]) == ("body", 400)


def test_without_anything_it_prints_an_empty_list(tmp_path: Path) -> None:
    """Nothing arrived: the one document says so; the actor may have another name."""
    with _inbox(tmp_path, "--json", "--name", "tester") as inbox:
        assert f"http://localhost:{inbox.port}/users/tester\n" in inbox.err
        assert inbox.interrupt() == 0
        assert only_document(inbox.out) == {"received": []}
        assert inbox.left() == []


def test_people_read_the_raw_request_and_each_step(tmp_path: Path, peer: Listening) -> None:
    """Without --json a request is shown as it came, with the answer, the steps and what it would do."""
    with _inbox(tmp_path) as inbox:
        _follow(inbox, peer)
        _like(inbox, peer)
        eventually(lambda: "=== 2  " in inbox.out and "What this gateway would do" in inbox.out.split("=== 2")[1])
        assert inbox.interrupt() == 0
        told = inbox.out
    for line in (
        f"POST {inbox.actor}/inbox\n", "Answered 202\n", "Answered 401 not-authenticated\n",
        f"Signature: cavage, key {peer.plain.me.key_id}, actor {peer.plain.me.id}\n",
        "  ok  signature: expected made by that key over this request, found holds\n",
        "  NO  signed: expected a signature, found none\n", "host: localhost:",
    ):  # fmt: skip
        assert line in told, told


def test_it_follows_who_it_is_told_to(tmp_path: Path, peer: Listening) -> None:
    """--follow sends a signed Follow; what that actor then posts is printed with its preferences."""
    with _inbox(tmp_path, "--jsonl", "--follow", peer.plain.me.id) as inbox:
        follow = peer.wait_for("Follow")
        assert follow["actor"] == inbox.actor
        assert f"Asked to follow {peer.plain.me.id}\n" in inbox.err
        assert peer.post(f"{inbox.actor}/inbox", peer.plain.activity("Accept", follow["id"])).status_code == 202
        note = peer.plain.note(contentUsage="train-ai=n")
        assert peer.post(f"{inbox.actor}/inbox", peer.plain.activity("Create", note)).status_code == 202
        _, created = inbox.lines(2)
        assert inbox.interrupt() == 0
        assert inbox.left() == []
    assert created["document"]["object"]["id"] == note["id"]
    assert created["readers"]["differ"] is True
    assert [s["carrier"] for s in created["statements"]] == ["contentUsage"]


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """The second one on a port ends with a sentence and leaves nothing behind."""
    with _inbox(tmp_path) as inbox:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "inbox", "--port", str(inbox.port)], capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "TMPDIR": str(tmp_path / "tmp")}, cwd=tmp_path,
            timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, "")
        assert f"cannot listen on 127.0.0.1:{inbox.port}" in done.stderr
        assert len(inbox.left()) == 1
        assert inbox.interrupt() == 0
        assert inbox.left() == []
