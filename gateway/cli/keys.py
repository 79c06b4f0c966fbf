"""``gateway keys``: every public key of this gateway."""

from __future__ import annotations

import typer

from gateway.cli.arguments import when
from gateway.cli.output import Run, command

app = typer.Typer(help="Public keys of this gateway.", no_args_is_help=True)


@command(app, "list")
async def list_keys(run: Run) -> None:
    """List keys with their owners."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        owners = [kit.instance_actor, *(account.id for account in kit.store.accounts.all())]
        rows = [
            {"owner": owner, "kind": kind, "created": when(created), "public": public.strip()}
            for owner in owners
            for kind, _, public, created in kit.store.accounts.keys(owner)
        ]
        run.many(rows, ["owner", "kind", "created"])
