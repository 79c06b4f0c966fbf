"""The composition root: reads the environment once, opens everything, hands out one Gateway."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import importlib.resources
import os
import secrets
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from gateway import __version__
from gateway.clock import Clock, SystemClock
from gateway.errors import SettingsError, StoreError, Text
from gateway.flows.deliver import deliver, pass_on
from gateway.flows.find_recipient import find_recipient
from gateway.flows.grant import SESSION_LIFE
from gateway.flows.kit import Keyring, Kit
from gateway.flows.pacing import paces
from gateway.flows.settle import settle
from gateway.flows.spread import spread
from gateway.ids import Tids
from gateway.jobs.worker import GRACE_SECONDS, Worker
from gateway.jsonld.contexts import Contexts, load
from gateway.media.files import Files
from gateway.net.client import Client, UrlPolicy
from gateway.net.courier import Courier
from gateway.net.guard import AddressPolicy, GuardedBackend
from gateway.net.soft import Soft
from gateway.net.transport import OriginTransport
from gateway.observe.logs import log
from gateway.observe.names import FAULT
from gateway.preferences import NOTHING
from gateway.store.accounts import Account
from gateway.store.sqlite import Sqlite
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    import httpx

    from gateway.settings import Settings
    from gateway.store.objects import MediaFile

LOCK = "gateway.lock"
SECRET_BYTES = 32
LEAST_DISTINCT = 12  # of 32 random bytes fewer than twenty differ about never
PRUNE_SECONDS = 3600.0
FAILED_FETCH_SECONDS = 300.0
REFETCH_SECONDS = 600.0
FORWARDED_SECONDS = 3600.0
SOFT_CAP = 10_000
CHECKED_AT_ONCE = 128 * 1024 * 1024  # bytes of database; about a second
FORGOTTEN = timedelta(days=90)  # actors and origins that were met once
TROUBLE_LIFE = timedelta(days=8)  # after a peer's last failure
REMEMBERED = timedelta(days=366)  # ids of arrivals: whatever is proven is not older than a year
UNFINISHED = timedelta(days=1)  # uploads nobody attached, apps nobody let in


@dataclass(slots=True, kw_only=True)
class Gateway:
    """One running gateway: its kit and its worker."""

    kit: Kit
    worker: Worker
    _lock: Lock | None = None
    _pruner: asyncio.Task[None] | None = None
    _checking: asyncio.Task[None] | None = None

    async def start(self, *, is_worker: bool = False) -> None:
        """Begin to work off jobs; only one gateway may serve a data directory, however many workers that has.

        A worker's directory is locked by who started it. On PostgreSQL others serve beside us.
        """
        settings = self.kit.settings
        _check_closed(settings.secret_path)
        if not is_worker and not settings.database_url:
            self._lock = Lock(settings.data / LOCK)
            self.check_file()
        self.kit.store.checkpoint_beside()
        self._pruner = asyncio.create_task(self._prune_for_ever())
        self.worker.start()

    async def _prune_for_ever(self) -> None:
        """Prune now and once an hour, in one of the processes; a database that is busy just now is pruned later."""
        while True:
            with contextlib.suppress(StoreError):
                if self.kit.store.presence.leads("prune"):
                    self._prune_rows()
                    for media in self._unattached():
                        if not self._is_shared(media):
                            await asyncio.to_thread(self.kit.files.forget, media.sha256)
                        self.kit.store.objects.forget_media(media.id)
            await asyncio.sleep(PRUNE_SECONDS)

    def check_file(self) -> None:
        """Raise StoreError for a damaged database file; a large one is checked beside the work, and told in the log."""
        database = self.kit.store.database
        if (self.kit.settings.data / FILE).stat().st_size <= CHECKED_AT_ONCE:
            if damage := database.damage():
                raise StoreError(f"the database is damaged: {damage[0]}. Restore a backup: gateway db restore FILE")
            return
        self._checking = asyncio.create_task(asyncio.to_thread(_check_beside, self.kit.settings.data / FILE))

    def prune(self) -> None:
        """Remove what is older than its retention, and what was begun and never finished."""
        self._prune_rows()
        for media in self._unattached():
            if not self._is_shared(media):
                self.kit.files.forget(media.sha256)
            self.kit.store.objects.forget_media(media.id)

    def _unattached(self) -> list[MediaFile]:
        """Return uploads that nobody attached; each goes before its row, which is there again when that fails."""
        return self.kit.store.objects.unattached_media(self.kit.clock.now() - UNFINISHED)

    def _is_shared(self, media: MediaFile) -> bool:
        """Tell whether another upload has the same content."""
        return self.kit.store.objects.is_blob_used(media.sha256, besides=media.id)

    def _prune_rows(self) -> None:
        kit, now = self.kit, self.kit.clock.now()
        arrivals_before = now - timedelta(days=kit.settings.retention_arrivals)
        with kit.store.transaction():
            kit.store.jobs.prune(now - timedelta(days=kit.settings.retention_jobs))
            kit.store.arrivals.prune(bytes_before=arrivals_before, ids_before=min(arrivals_before, now - REMEMBERED))
            kit.store.circuits.prune(now - TROUBLE_LIFE)
            kit.store.inboxes.prune(arrivals_before)
            kit.store.relations.prune(now - FORGOTTEN)
            kit.store.peers.prune(now - FORGOTTEN)
            kit.store.apps.prune(
                expired_before=now - UNFINISHED, unused_before=now - UNFINISHED, sessions_before=now - SESSION_LIFE
            )

    async def stop(self, *, grace: float = GRACE_SECONDS) -> None:
        """Finish what is in hand, for so many seconds at most, and close everything."""
        if self._pruner is not None:
            self._pruner.cancel()
        await self.worker.stop(grace)
        await self.close()

    async def close(self) -> None:
        """Close connections and the database."""
        await self.kit.client.close()
        self.kit.store.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def __aenter__(self) -> Self:
        """Return itself (one-shot commands)."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        await self.close()


def _check_beside(path: Path) -> None:
    """Look for damage through a connection of its own, and tell."""
    with contextlib.suppress(StoreError), contextlib.closing(Sqlite(path)) as database:
        for line in database.damage():
            log().error(FAULT, where="database", problem=line, mend="gateway db restore")


class Lock:
    """That this gateway serves a data directory; it ends with the process at the latest."""

    def __init__(self, path: Path) -> None:
        """Take it; raise SettingsError while another gateway has it."""
        self._handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._handle)
            raise SettingsError(
                f"another gateway already serves {path.parent}",
                detail=Text("This data directory is in use", "このデータディレクトリは使用中です"),
            ) from error

    def close(self) -> None:
        """Give it back."""
        os.close(self._handle)


def open_gateway(
    settings: Settings, *, clock: Clock | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> Gateway:
    """Open the data directory (made when missing) and everything over it.

    ``transport`` replaces the network in tests. Raises SettingsError or StoreError with what to mend.
    """
    clock = clock or SystemClock()
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in (settings.data, settings.data / "media"):
            if directory.exists() and _owned_and_open(directory):
                directory.chmod(0o700)
    except OSError as error:
        raise SettingsError(f"data directory {settings.data}: {error}") from error
    store, secret = _store_and_secret(settings)
    store.meta.record_forever("base_url", settings.base_url)
    store.meta.record_forever("account_domain", settings.domain)
    bell = asyncio.Event()
    kit = Kit(
        settings=settings,
        store=store,
        client=_client(settings, transport),
        clock=clock,
        tids=Tids(clock),
        keyring=Keyring(store, secret),
        contexts=read_contexts(),
        schemas=read_schemas(),
        files=_files(settings),
        failed_fetches=Soft(clock, seconds=FAILED_FETCH_SECONDS, cap=SOFT_CAP),
        refetched=Soft(clock, seconds=REFETCH_SECONDS, cap=SOFT_CAP),
        forwarded=Soft(clock, seconds=FORWARDED_SECONDS, cap=SOFT_CAP),
        paces=paces(clock, settings),
        wake=bell.set,
    )
    flows = {
        "settle": settle, "deliver": deliver, "spread": spread, "forward": pass_on, "address": find_recipient,
    }  # fmt: skip
    handlers = {name: functools.partial(flow, kit) for name, flow in flows.items()}
    worker = Worker(store, clock, handlers, bell)
    _instance_account(kit)
    kit.files.mark(kit.store.meta.first("media_mark", secrets.token_hex(16)))
    return Gateway(kit=kit, worker=worker)


def _store_and_secret(settings: Settings) -> tuple[Store, bytes]:
    """Open the database and read the secret, which is made together with the first rows and never later."""
    if settings.database_url:
        store = Store(settings.database_url)
        secret = _secret(settings.secret_path, must_exist=store.meta.get("base_url") is not None)
        _check_random(settings.secret_path, secret)
        return store, secret
    file = settings.data / FILE
    secret = _secret(settings.secret_path, must_exist=file.exists())
    if not file.exists():
        _check_random(settings.secret_path, secret)  # nothing is made with a weak one
    store = Store(file)
    _check_random(settings.secret_path, secret)
    return store, secret


def _files(settings: Settings) -> Files:
    """Return where media files are kept."""
    root = settings.data / "media"
    if not settings.media_bucket:
        return Files(root)
    from gateway.media.bucket import Bucket  # noqa: PLC0415 - its client takes memory that most have no use for

    return Bucket(
        root, bucket=settings.media_bucket, endpoint=settings.media_endpoint, region=settings.media_region,
        access_key=settings.media_access_key, secret_key=settings.media_secret_key.get_secret_value(),
    )  # fmt: skip


def _client(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> Client:
    courier: Courier | None = None
    if transport is None:
        backend = GuardedBackend(AddressPolicy(settings.private_networks))
        transport, courier = OriginTransport(backend, settings.ca_file), Courier(backend, settings.ca_file)
    policy = UrlPolicy(
        takes_http=settings.takes_http, any_port=settings.is_local, ports=frozenset(settings.allowed_ports)
    )
    agent = f"noai-gateway/{__version__} (+{settings.base_url}/about)"
    return Client(policy=policy, transport=transport, user_agent=agent, courier=courier)


def _secret(path: Path, *, must_exist: bool) -> bytes:
    """Return the secret, made at first start with mode 0600."""
    try:
        if not path.exists():
            if must_exist:
                raise SettingsError(
                    f"the secret file {path} is gone: the private keys in the database cannot be opened without it."
                    " Restore it from a backup"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whole or not at all: a start that is killed here must not leave half a secret behind.
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
            with os.fdopen(handle, "wb") as file:
                file.write(os.urandom(SECRET_BYTES))
                file.flush()
                os.fsync(file.fileno())
            # Of several processes that start at once the first one's stays.
            with contextlib.suppress(FileExistsError):
                Path(path).hardlink_to(name)
            Path(name).unlink()
        secret = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"secret file {path}: {error}") from error
    if len(secret) != SECRET_BYTES:
        raise SettingsError(f"the secret file {path} must hold exactly {SECRET_BYTES} bytes")
    return secret


def _check_closed(path: Path) -> None:
    """Raise SettingsError for a secret file that others may read."""
    if _owned_and_open(path):
        raise SettingsError(f"the secret file {path} can be read by others: chmod 600 {path}")


def _check_random(path: Path, secret: bytes) -> None:
    """Raise SettingsError for a secret that somebody made up."""
    if len(set(secret)) < LEAST_DISTINCT or secret.isascii():
        raise SettingsError(f"the secret file {path} is guessable: it must hold {SECRET_BYTES} random bytes")


def _owned_and_open(path: Path) -> bool:
    """Tell whether a file of ours may be read by others; what somebody else put there (a container's) is theirs."""
    found = path.stat()
    return found.st_uid == os.geteuid() and bool(found.st_mode & 0o077)


def schemas_directory() -> Path:
    """Return where ``schemas/`` is: inside the wheel, or beside the package in a checkout."""
    packaged = Path(str(importlib.resources.files("gateway"))) / "_schemas"
    return packaged if packaged.exists() else Path(__file__).resolve().parent.parent / "schemas"


def read_contexts() -> Contexts:
    """Read the pinned JSON-LD contexts from ``schemas/contexts``."""
    directory = schemas_directory() / "contexts"
    files = {path.name: path.read_bytes() for path in directory.glob("*.jsonld")}
    return load((directory / "manifest.json").read_bytes(), files)


def read_schemas() -> dict[str, bytes]:
    """Read what is served of ``schemas/``: our context, the FEP draft, the JSON Schemas (file name -> bytes)."""
    return {path.name: path.read_bytes() for path in schemas_directory().iterdir() if path.is_file()}


def _check_secret(kit: Kit) -> None:
    """Notice another gateway's secret file at the start, not at the first signature."""
    try:
        kit.keyring.get(kit.instance_actor)
    except StoreError as error:
        raise SettingsError(
            f"the secret file {kit.settings.secret_path} is not the one that this database was made with:"
            " its private keys do not open. Restore the right one from a backup"
        ) from error


def _instance_account(kit: Kit) -> None:
    """Make the instance actor at first start."""
    if kit.store.accounts.by_id(kit.instance_actor) is not None:
        _check_secret(kit)
        return
    now = kit.clock.now()
    host = kit.settings.origin.host
    account = Account(
        id=kit.instance_actor, name=host, display_name=host, prefs=NOTHING, created=now, updated=now,
        summary="The server itself: it signs fetches.", kind="Application",
    )  # fmt: skip
    with kit.store.transaction():
        if kit.store.meta.is_first("instance_account", account.id):
            kit.store.accounts.save(account)
            kit.keyring.make(account.id, now)
    _check_secret(kit)  # another process may have been first
