"""The composition root: what is made, kept for ever, locked, checked and closed."""

from __future__ import annotations

import json
import os
import stat
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from world import START, ManualClock, Switchboard, World, account

from gateway import runtime
from gateway.errors import SettingsError
from gateway.jsonld.contexts import AS2
from gateway.net.transport import OriginTransport
from gateway.runtime import Gateway, open_gateway, read_contexts, schemas_directory
from gateway.settings import Settings
from gateway.store.arrivals import ArrivalRow

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


def settings_of(**values: Any) -> Settings:
    """Return settings with these values."""
    return Settings(**values)


async def opened(path: Path, base: str = "https://gw.example", **settings: Any) -> Gateway:
    """Open a gateway and close it again."""
    gateway = open_gateway(
        settings_of(base_url=base, data=path, **settings), clock=ManualClock(), transport=Switchboard()
    )
    async with gateway:
        return gateway


async def test_the_first_start_makes_everything(tmp_path: Path) -> None:
    """Data directory, secret file (0600), database and the instance actor with its keys are made."""
    path = tmp_path / "deep" / "data"
    gateway = open_gateway(settings_of(base_url="https://gw.example", data=path), transport=Switchboard())
    async with gateway:
        actor = gateway.kit.store.accounts.by_id("https://gw.example/actor")
        assert actor is not None
        assert (actor.kind, actor.name) == ("Application", "gw.example")
        assert {kind for kind, *_ in gateway.kit.store.accounts.keys(actor.id)} == {"rsa", "ed25519"}
    secret = path / "secret.key"
    assert len(secret.read_bytes()) == 32
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


async def test_a_second_start_goes_on_where_it_was(tmp_path: Path) -> None:
    """Keys and secret are the same ones."""
    first = open_gateway(settings_of(base_url="https://gw.example", data=tmp_path), transport=Switchboard())
    async with first:
        pem = first.kit.keyring.get(first.kit.instance_actor).public.pem()
    second = open_gateway(settings_of(base_url="https://gw.example", data=tmp_path), transport=Switchboard())
    async with second:
        assert second.kit.keyring.get(second.kit.instance_actor).public.pem() == pem


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"base": "https://other.example"}, "base_url https://gw.example, but https://other.example is set"),
        ({"account_domain": "example.org"}, "account_domain gw.example, but example.org is set"),
    ],
)
async def test_ids_are_for_ever(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    """Another base URL or account domain later refuses to start and says why."""
    await opened(tmp_path)
    with pytest.raises(SettingsError, match=words):
        await opened(tmp_path, **changed)
    await opened(tmp_path)


async def test_a_lost_secret_is_not_replaced(tmp_path: Path) -> None:
    """Without the secret no key opens: the start is refused with what to do, and no new secret is made."""
    await opened(tmp_path)
    secret = tmp_path / "secret.key"
    secret.unlink()
    with pytest.raises(SettingsError, match=r"secret\.key is gone.*Restore it from a backup"):
        await opened(tmp_path)
    assert not secret.exists()


async def test_another_secret_is_noticed_at_the_start(tmp_path: Path) -> None:
    """Another gateway's secret file opens no key: said at the start, not at the first signature."""
    await opened(tmp_path)
    (tmp_path / "secret.key").write_bytes(os.urandom(32))
    with pytest.raises(SettingsError, match="not the one that this database was made with"):
        await opened(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
async def test_a_secret_has_exactly_32_bytes(tmp_path: Path, content: bytes) -> None:
    """A cut-off secret file is refused by name."""
    (tmp_path / "secret.key").write_bytes(content)
    with pytest.raises(SettingsError, match="exactly 32 bytes"):
        await opened(tmp_path)


async def test_a_secret_that_cannot_be_read(tmp_path: Path) -> None:
    """A directory in place of the secret file is told as what it is."""
    (tmp_path / "secret.key").mkdir()
    with pytest.raises(SettingsError, match="secret file"):
        await opened(tmp_path)


async def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the way of the data directory is named."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="data directory"):
        await opened(tmp_path / "file" / "data")


async def test_a_secret_file_elsewhere(tmp_path: Path) -> None:
    """The secret may live outside the data directory; its directory is made."""
    await opened(tmp_path / "data", secret_file=tmp_path / "keys" / "s")
    assert len((tmp_path / "keys" / "s").read_bytes()) == 32


async def test_only_one_process_serves_a_directory(world: World) -> None:
    """A second start on the same data directory is refused; after the first one ended it is fine."""
    first = world.gateway()
    await first.start()
    second = open_gateway(first.kit.settings, transport=world.board)
    with pytest.raises(SettingsError, match="another gateway already serves"):
        await second.start()
    await second.close()
    await first.stop()
    world.gateways.remove(first)
    third = world.gateway()
    await third.start()
    assert third.worker.alive
    await third.worker.stop()


async def test_the_start_prunes_what_is_too_old(world: World) -> None:
    """Settled arrivals lose their bytes after their retention, finished jobs go."""
    gateway = world.gateway(retention_jobs=1, retention_arrivals=2)
    jobs, arrivals = gateway.kit.store.jobs, gateway.kit.store.arrivals
    row = ArrivalRow(
        id="https://peer.example/1", actor="https://peer.example/u", origin="https://peer.example", inbox="x",
        body=b"{}", headers=[], verdict={}, received=START,
    )  # fmt: skip
    arrivals.keep(row)
    arrivals.settle(row.id, row.actor, "x", START)
    jobs.add("deliver", {}, lane="a", peer="x", due=START)
    jobs.finish(1, START)
    world.clock.forward(days=1, seconds=1)
    gateway.prune()
    assert jobs.find(states=("done",)) == []
    assert getattr(arrivals.get(row.id, row.actor), "body", None) == b"{}"
    world.clock.forward(days=1)
    gateway.prune()
    assert getattr(arrivals.get(row.id, row.actor), "body", None) == b""


async def test_without_a_transport_the_guard_is_on_the_way(tmp_path: Path) -> None:
    """The real gateway goes out through the guarded transport, with its own name."""
    gateway = open_gateway(settings_of(base_url="https://gw.example", data=tmp_path))
    async with gateway:
        http = gateway.kit.client
        assert isinstance(http._transport, OriginTransport)
        assert "+https://gw.example/about" in gateway.kit.client._agent
        assert gateway.kit.clock.now() - START < timedelta(days=365 * 20)


async def test_a_woken_worker_hears_it(world: World) -> None:
    """What is queued inside the gateway rings the worker's bell."""
    gateway = world.gateway()
    gateway.kit.wake()
    assert gateway.worker._bell.is_set()
    assert account(gateway).name == "alice"


def test_contexts_are_pinned() -> None:
    """Every bundled context is the one in the manifest, and ActivityStreams is among them."""
    contexts = read_contexts()
    assert contexts.knows(AS2)
    named = json.loads((schemas_directory() / "contexts" / "manifest.json").read_bytes())["contexts"]
    assert {entry["url"] for entry in named} <= set(contexts.documents)


def test_a_changed_context_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that is not the pinned one does not start."""
    directory = tmp_path / "contexts"
    directory.mkdir()
    for path in (schemas_directory() / "contexts").iterdir():
        (directory / path.name).write_bytes(path.read_bytes())
    (directory / "activitystreams.jsonld").write_text("{}")
    monkeypatch.setattr(runtime, "schemas_directory", lambda: tmp_path)
    with pytest.raises(SettingsError, match="activitystreams"):
        read_contexts()
