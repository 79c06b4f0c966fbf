"""The command line as the admin runs it, against the same small internet: exit codes, no tracebacks, no connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from attacks import ssrf_scene
from attacks.ssrf_vectors import to
from typer.testing import CliRunner
from world import BASE

from gateway.cli.main import app
from gateway.cli.output import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attacks.ssrf_scene import Scene
    from typer.testing import Result

anyio_backend, opened, scene = ssrf_scene.anyio_backend, ssrf_scene.opened, ssrf_scene.scene
pytestmark = pytest.mark.anyio
OPENED_BY_ITSELF = Run.gateway  # the scene puts another one in its place
VERBS = {
    "lookup": ("lookup", "{}"),
    "lookup signed": ("lookup", "--signed", "--scheme", "rfc9421", "{}"),
    "lookup contexts": ("lookup", "--expanded", "--fetch-contexts", "{}"),
    "inspect": ("inspect", "{}"),
    "inspect signed": ("inspect", "--signed", "--fetch-keys", "--fetch-contexts", "{}"),
    "explain": ("explain", "{}", "--use", "train-gen"),
    "follow add": ("follow", "add", "alice", "{}"),
    "block add": ("block", "add", "alice", "{}"),
    "peers probe": ("peers", "probe", "{}", "--url", "{}"),
}
URLS = ("http://127.0.0.1/", "https://127.1/", "https://[::1]/", "https://[::1/128]/", "https://x.internal/",
        "https://xn--/",
        "https://evil.example/", "https://evil.example:6379/", "https://127.0.0.1./", "https://a.example/start",
        "https://[v1.x]/", "https://2130706433/")  # fmt: skip


async def command(scene: Scene, arguments: Sequence[str]) -> Result:
    """Run a command in a thread of its own, with its own gateway on the same data."""
    settings = scene.kit.settings
    environment = {
        "GATEWAY_BASE_URL": BASE, "GATEWAY_DATA": str(settings.data), "GATEWAY_CA_FILE": str(settings.ca_file),
        "GATEWAY_ALLOW_HTTP": "1", "GATEWAY_LOG_LEVEL": "error",
    }  # fmt: skip
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environment)


@pytest.mark.parametrize("verb", VERBS)
async def test_a_command_says_what_is_wrong(verb: str, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that leads inside, or nowhere, ends a command with an exit code of the table and one sentence."""
    monkeypatch.setattr(Run, "gateway", OPENED_BY_ITSELF)
    for url in URLS:
        scene.internet.clear()
        scene.internet.names |= {"x.internal": ["10.0.0.9"], "evil.example": ["169.254.169.254"]}
        scene.internet.sites["https://a.example"].default = to("https://127.0.0.1/")
        done = await command(scene, [argument.format(url) for argument in VERBS[verb]])
        assert done.exit_code in (2, 6), (url, done.exit_code, done.output, done.exception)
        assert done.exception is None or isinstance(done.exception, SystemExit), (url, done.exception)
        assert "Traceback" not in done.output + done.stderr
        assert len(done.stderr.strip().splitlines()) >= 1, url
        assert scene.internet.forbidden() == []
        assert scene.internet.inside == []


async def test_a_command_reaches_a_good_peer(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command line looks a document up on the same internet: what is refused above could be reached."""
    monkeypatch.setattr(Run, "gateway", OPENED_BY_ITSELF)
    url = scene.page(scene.internet.sites["https://peer.example"], {"type": "Note", "content": "found"})
    done = await command(scene, ["lookup", url, "--json"])
    assert done.exit_code == 0, done.output
    assert '"found"' in done.stdout
