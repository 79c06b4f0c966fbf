"""``gateway follow``: whom an account follows, and who asks to follow it."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.arguments import account as account_named
from gateway.cli.output import Run, command
from gateway.errors import BadInput, NotFound, Text
from gateway.flows import handles, subscribe

app = typer.Typer(help="Follow others; answer follow requests.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Account name.")]
Target = Annotated[str, typer.Argument(help="Actor URL or @user@host.")]


@command(app, "add")
async def add(run: Run, name: Name, target: Target) -> None:
    """Ask to follow somebody."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        actor = await handles.find(kit, target)
        if actor == account.id:
            raise BadInput(target, detail=Text("An account cannot follow itself", "自分自身はフォローできません"))
        sent = subscribe.follow(kit, account, actor)
        run.one({"follower": account.id, "followed": actor, "state": "pending", "activity": sent.id})


@command(app, "list")
async def list_follows(run: Run, name: Name) -> None:
    """List whom an account follows and who follows it."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        relations = kit.store.relations
        rows = [
            {"direction": "follows", "actor": a, "state": s}
            for s in ("accepted", "pending", "rejected")
            for a in relations.following(account.id, s)
        ]
        rows += [
            {"direction": "followed by", "actor": a, "state": s}
            for s in ("accepted", "pending")
            for a in relations.followers(account.id, s)
        ]
        run.many(rows, ["direction", "actor", "state"], "Nobody yet.")


@command(app, "remove")
async def remove(run: Run, name: Name, target: Target) -> None:
    """Stop following somebody."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        actor = await handles.find(kit, target)
        sent = subscribe.unfollow(kit, account, actor)
        if sent is None:
            raise NotFound(f"{account.name} does not follow {actor}")
        run.one({"follower": account.id, "followed": actor, "state": "removed", "activity": sent.id})


@command(app, "requests")
async def requests(run: Run, name: Name) -> None:
    """List who waits to be accepted."""
    async with run.gateway() as gateway:
        account = account_named(gateway.kit, name)
        rows = [{"actor": actor} for actor in gateway.kit.store.relations.followers(account.id, "pending")]
        run.many(rows, ["actor"], "Nobody waits.")


@command(app, "accept")
async def accept(run: Run, name: Name, target: Target) -> None:
    """Accept a follow request."""
    await _answer(run, name, target, "Accept")


@command(app, "reject")
async def reject(run: Run, name: Name, target: Target) -> None:
    """Reject a follow request, or end an accepted follow."""
    await _answer(run, name, target, "Reject")


async def _answer(run: Run, name: str, target: str, kind: str) -> None:
    async with run.gateway() as gateway:
        kit = gateway.kit
        account = account_named(kit, name)
        actor = await handles.find(kit, target)
        if not subscribe.answer_request(kit, account, actor, kind):
            raise NotFound(f"{actor} did not ask to follow {account.name}; see: gateway follow requests {account.name}")
        run.one({"follower": actor, "followed": account.id, "answer": kind})
