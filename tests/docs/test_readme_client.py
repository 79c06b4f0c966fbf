"""The README's small client is the served one, small, and works against a running gateway."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from demo_picture import png
from processes import CHECKOUT, served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from processes import Served

MAX_LINES = 30
README = CHECKOUT / "README.md"
PAGE = CHECKOUT / "gateway" / "web" / "pages" / "client.py.txt"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Served]:
    """Return a gateway that runs as a process, with alice."""
    with served(tmp_path) as gateway:
        gateway.cli("account", "create", "alice", "--preset", "notrain")
        yield gateway


def the_client() -> str:
    """Return the one Python program of the README."""
    (text,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    return str(text)


def test_the_readme_and_the_page_show_the_same_client() -> None:
    """Who copies from either copies the same thirty lines at most."""
    assert the_client() == PAGE.read_text("utf-8")
    assert len(the_client().splitlines()) <= MAX_LINES


def test_the_client_publishes_a_labelled_post_with_a_picture_and_reads_the_inbox(
    running: Served, tmp_path: Path
) -> None:
    """What the README promises happens as it stands there, and the account's own wishes are added."""
    token = running.cli("token", "create", "alice", "--label", "client")["token"]
    (tmp_path / "client.py").write_text(the_client(), "utf-8")
    (tmp_path / "kite.png").write_bytes(png())
    done = subprocess.run(
        [sys.executable, "client.py", "Hello from the README", "kite.png"],
        cwd=tmp_path,
        env={"TOKEN": token, "GATEWAY": running.base, "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^http://localhost:\d+/@alice/\S+ asks .*train-ai=n", done.stdout), done.stdout
    (post,) = running.rows("SELECT document FROM object WHERE type = 'Note'")
    assert "Hello from the README" in post["document"]
    assert "Picture: kite.png" in post["document"]
