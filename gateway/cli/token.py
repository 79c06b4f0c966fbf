"""``gateway token``: bearer tokens for a community's own software."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.arguments import account as account_named
from gateway.cli.arguments import when
from gateway.cli.output import Run, command
from gateway.errors import NotFound
from gateway.store.accounts import Token
from gateway.web.access import hash_token

if TYPE_CHECKING:
    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

app = typer.Typer(help="Bearer tokens for software that publishes here.", no_args_is_help=True)


def create_token(kit: Kit, account: Account, label: str) -> tuple[Token, str]:
    """Make a token; its secret is returned here and never again."""
    secret = f"gw_{secrets.token_urlsafe(32)}"
    token = Token(
        id=kit.tids.next(), account=account.id, label=label, created=kit.clock.now(), last_used=None, revoked=None
    )
    kit.store.accounts.save_token(token, hash_token(secret))
    return token, secret


@command(app, "create")
async def create(
    run: Run,
    name: Annotated[str, typer.Argument(help="Account name.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a token and print its secret: this once only."""
    async with run.gateway() as gateway:
        token, secret = create_token(gateway.kit, account_named(gateway.kit, name), label)
        run.one({"id": token.id, "account": token.account, "token": secret})
        run.say("Keep it now: only its hash is stored.")


@command(app, "list")
async def list_tokens(run: Run) -> None:
    """List tokens, never their secrets."""
    async with run.gateway() as gateway:
        rows = [
            {"id": t.id, "account": t.account, "label": t.label, "created": when(t.created),
             "last_used": when(t.last_used), "revoked": when(t.revoked)}
            for t in gateway.kit.store.accounts.tokens()
        ]  # fmt: skip
        run.many(rows, ["id", "account", "label", "created", "last_used", "revoked"], "No tokens.")


@command(app, "revoke")
async def revoke(run: Run, token: Annotated[str, typer.Argument(help="Token id.")]) -> None:
    """Revoke a token."""
    async with run.gateway() as gateway:
        if not gateway.kit.store.accounts.revoke_token(token, gateway.kit.clock.now()):
            raise NotFound(f"there is no living token {token}")
        run.one({"revoked": token})
