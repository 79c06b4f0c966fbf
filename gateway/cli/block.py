"""``gateway block``: whom an account wants nothing to do with."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.arguments import account as account_named
from gateway.cli.output import Run, command
from gateway.errors import NotFound
from gateway.flows import handles, interact

app = typer.Typer(help="Block actors.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Account name.")]
Target = Annotated[str, typer.Argument(help="Actor URL or @user@host.")]


@command(app, "add")
async def add(run: Run, name: Name, target: Target) -> None:
    """Block somebody: follows end both ways, nothing of theirs is taken."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        actor = await handles.find(kit, target)
        sent = interact.block(kit, account, actor)
        run.one({"blocker": account.id, "blocked": actor, "activity": sent.id})


@command(app, "list")
async def list_blocks(run: Run, name: Name) -> None:
    """List whom an account blocks."""
    async with run.gateway() as gateway:
        account = account_named(gateway.kit, name)
        run.many(
            [{"blocked": actor} for actor in gateway.kit.store.relations.blocked_by(account.id)], ["blocked"], "Nobody."
        )


@command(app, "remove")
async def remove(run: Run, name: Name, target: Target) -> None:
    """Take a block back."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        actor = await handles.find(kit, target)
        if not kit.store.relations.blocks(account.id, actor):
            raise NotFound(f"{account.name} does not block {actor}")
        interact.unblock(kit, account, actor)
        run.one({"blocker": account.id, "unblocked": actor})
