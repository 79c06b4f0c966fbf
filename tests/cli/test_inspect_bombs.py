"""``gateway inspect``: bombs that must not keep it busy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yardstick
from cli.inspecting import UNDEFINED
from processes import CHECKOUT

# Documents made to keep a server busy, looked at by a real process.


def _graph(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"@context": {"p": "urn:p"}, "@graph": nodes}


def _complete(size: int) -> dict[str, Any]:
    """Return a complete graph of blank nodes: nobody can tell them apart."""
    return _graph([{"@id": f"_:{i}", "p": [{"@id": f"_:{j}"} for j in range(size) if j != i]} for i in range(size)])


def _bipartite(size: int) -> dict[str, Any]:
    return _graph([{"@id": f"_:a{i}", "p": [{"@id": f"_:b{j}"} for j in range(size)]} for i in range(size)])


def _symmetric(width: int) -> dict[str, Any]:
    """Return many nodes without a name, all alike."""
    return {"@context": {"p": "urn:p"}, "p": [{"p": [{} for _ in range(width)]} for _ in range(width)]}


def _nested(width: int) -> dict[str, Any]:
    """Return lists in lists of nodes without a name."""
    terms = {"p": {"@id": "urn:p"}, "l": {"@id": "urn:l", "@container": "@list"}}
    return {"@context": terms, "p": [{"l": [[{}] * width, [{}] * width]} for _ in range(width)]}


EXTRA_SECONDS = 1.0  # beyond what the command takes anyway, measured beside it
BOMBS = {
    "complete graph": _complete(9),
    "bipartite graph": _bipartite(8),
    "symmetric nodes": _symmetric(18),
    "nested lists": _nested(12),
}


def _children_left(mark: str) -> list[str]:
    """Return the processes that look at documents with ``mark`` in their environment, whoever their parent is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
            marked = mark.encode() in (path.parent / "environ").read_bytes()
        except OSError:
            continue
        if marked and b"gateway.flows.bounded" in text:
            found.append(path.parent.name)
    return found


def _timed(data: Path, body: bytes) -> tuple[float, subprocess.CompletedProcess[bytes]]:
    """Inspect with a process of its own; return how long it took and how it ended, when nobody lives on."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    mark = f"{data}-{time.monotonic_ns()}"
    environment = {**kept, "PYTHONPATH": str(CHECKOUT), "GATEWAY_BASE_URL": "https://gw.example", "TEST_MARK": mark}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "inspect", "-", "--json", "--data", str(data)], input=body,
        capture_output=True, env=environment, cwd=data.parent, timeout=60, check=False,
    )  # fmt: skip
    took = time.monotonic() - started
    assert _children_left(mark) == []
    return took, done


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped_at_once(tmp_path: Path, name: str) -> None:
    """A kilobyte made to be canonicalised for ever costs a second more than nothing, and ends in a clear error."""
    body = json.dumps(BOMBS[name], separators=(",", ":")).encode()
    assert 900 < len(body) < 1300
    harmless, _ = _timed(tmp_path / "data", b"{}")
    took, done = _timed(tmp_path / "data", body)
    assert done.returncode == 1, done.stderr
    assert b"takes too long: stopped" in done.stderr
    report = json.loads(done.stdout)
    assert "takes too long: stopped" in report["forms"]["nquads"]["problem"]
    assert "value" in report["forms"]["expanded"]
    assert report["coverage"]["problem"] is None
    assert took - harmless < EXTRA_SECONDS * yardstick.slowness()


def test_a_bomb_in_the_options_of_a_signature_is_stopped_too(tmp_path: Path) -> None:
    """What counts only where the signature is checked, is stopped there; the signature does not hold."""
    ring = _complete(9)["@graph"]
    hidden = {"@context": {"urn:p": None, "urn:q": None}, "urn:q": [
        {"@id": node["@id"], "urn:p": node["p"]} for node in ring
    ]}  # fmt: skip
    document = {**UNDEFINED, "signature": {**hidden, "type": "RsaSignature2017", "creator": "https://peer.example/k"}}
    harmless, _ = _timed(tmp_path / "data", b"{}")
    took, done = _timed(tmp_path / "data", json.dumps(document).encode())
    (found,) = json.loads(done.stdout)["signatures"]
    assert "canonical" in [step["name"] for step in found["steps"] if not step["ok"]]
    assert took - harmless < 2 * EXTRA_SECONDS * yardstick.slowness()


def test_nesting_without_end_is_no_document(tmp_path: Path) -> None:
    """Five hundred lists in each other are not even read as JSON."""
    body = b'{"@context":{"p":{"@id":"urn:p","@container":"@list"}},"p":' + b"[" * 500 + b"]" * 500 + b"}"
    _, done = _timed(tmp_path / "data", body)
    assert [problem["code"] for problem in json.loads(done.stdout)["problems"]] == ["not-json"]
