"""``gateway db``: the database itself."""

from __future__ import annotations

import typer

from gateway.cli.output import Run, command
from gateway.errors import StoreError

app = typer.Typer(help="The database itself.", no_args_is_help=True)


@command(app, "migrate")
async def migrate(run: Run) -> None:
    """Bring the schema up to date (the gateway does so at start, too)."""
    async with run.gateway() as gateway:
        run.one({"migrations": gateway.kit.store.database.applied()})


@command(app, "check")
async def check(run: Run) -> None:
    """Look for damage in the database file."""
    async with run.gateway() as gateway:
        problems = gateway.kit.store.database.damage()
        if problems:
            raise StoreError("; ".join(problems[:5]))
        run.one({"damage": "none"})
