"""``gateway db``: the database itself."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from gateway.cli.output import Run, command
from gateway.errors import BadInput, SettingsError, StoreError
from gateway.runtime import LOCK, Lock
from gateway.store import backup as backups
from gateway.store.jobs import OUTGOING
from gateway.store.postgres import Postgres
from gateway.store.presence import PostgresPresence
from gateway.store.store import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gateway.store.database import Database

DROPPED_AT_ONCE = 500
app = typer.Typer(help="The database itself.", no_args_is_help=True)


@command(app, "migrate")
async def migrate(run: Run) -> None:
    """Bring the schema up to date (the gateway does so at start, too)."""
    async with run.gateway() as gateway:
        run.one({"migrations": gateway.kit.store.database.applied()})


@command(app, "check")
async def check(run: Run) -> None:
    """Look for damage: in the file, between tables and indexes, and in every row that goes out."""
    async with run.gateway() as gateway:
        with _bar(run, "Looking") as told:
            problems = backups.damage(gateway.kit.store.database, told)
        if problems:
            raise StoreError("; ".join(problems[:5]))
        run.one({"damage": "none"})


@command(app, "backup")
async def backup(
    run: Run, file: Annotated[Path, typer.Argument(help="Where the copy goes; it must not exist.")]
) -> None:
    """Write a checked copy of the database to a file, while the gateway works."""
    async with run.gateway() as gateway:
        database, secret = gateway.kit.store.database, gateway.kit.settings.secret_path
        with _bar(run, "Copying") as told:
            # In a thread where it has a connection of its own; on PostgreSQL nobody else is in this process.
            size = await asyncio.to_thread(backups.back_up, database, file, told)
    run.say(f"Keep {secret} and the media beside it: without the secret file no private key opens.")
    run.one({"file": str(file), "bytes": size})


@command(app, "restore")
async def restore(
    run: Run,
    file: Annotated[Path, typer.Argument(help="A backup.")],
    yes: Annotated[bool, typer.Option("--yes", help="Replace the database that is there.")] = False,
) -> None:
    """Make the database what a backup holds. No gateway may be serving it."""
    settings = run.settings()
    target: Path | str = settings.database_url or settings.data / FILE
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = None if settings.database_url else Lock(settings.data / LOCK)
    try:
        if settings.database_url:
            _check_nobody_serves(settings.database_url)
        if not yes and (settings.database_url or (settings.data / FILE).exists()):
            raise BadInput("there is a database already: --yes replaces it")
        with _bar(run, "Restoring") as told:
            backups.put_back(file, target, told, lambda: _opened(settings.database_url))
    finally:
        if lock is not None:
            lock.close()
    async with run.gateway() as gateway:
        kit = gateway.kit
        waiting, dropped = kit.store.jobs.find(kinds=OUTGOING, limit=1_000_000), 0
        with _bar(run, "Dropping deliveries") as told:
            for first in range(0, len(waiting), DROPPED_AT_ONCE):
                told(first, len(waiting))
                with kit.store.transaction():
                    for job in waiting[first : first + DROPPED_AT_ONCE]:
                        dropped += kit.store.jobs.drop(job.id, kit.clock.now())
    run.say(
        "What waited for delivery when the backup was made is not sent again: most of it went out since."
        " gateway deliveries list shows it, gateway deliveries retry sends one."
    )
    run.one({"file": str(file), "deliveriesDropped": dropped})


def _check_nobody_serves(url: str) -> None:
    """Raise SettingsError while a gateway works with a PostgreSQL."""
    with contextlib.closing(PostgresPresence(url)) as presence:
        if presence.is_anybody_there():
            raise SettingsError("a gateway serves this database: stop all of them first")


def _opened(url: str) -> Database:
    return Postgres(url)


@contextmanager
def _bar(run: Run, what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far something is, on a terminal only."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=run.quiet or not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, whole: progress.update(task, completed=done, total=whole)
