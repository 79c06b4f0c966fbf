"""``gateway token``: bearer tokens for a community's own software."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.arguments import account as account_named
from gateway.cli.arguments import when
from gateway.cli.output import Run, command
from gateway.errors import BadInput, NotFound, Text
from gateway.flows.grant import SCOPES, create_token

if TYPE_CHECKING:
    from gateway.store.accounts import Token

app = typer.Typer(help="Bearer tokens for software that publishes here.", no_args_is_help=True)


def described(token: Token) -> dict[str, Any]:
    """Return a token as commands print it: never its secret."""
    return {
        "id": token.id,
        "account": token.account,
        "label": token.label,
        "scopes": list(token.scopes),
        "client": token.client,
        "created": when(token.created),
        "last_used": when(token.last_used),
        "revoked": when(token.revoked),
    }


@command(app, "create")
async def create(
    run: Run,
    name: Annotated[str, typer.Argument(help="Account name.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="read, write; may be repeated; both when left out.")] = None,
) -> None:
    """Make a token and print its secret: this once only."""
    scopes = scope or list(SCOPES)
    if unknown := [word for word in scopes if word not in SCOPES]:
        raise BadInput(
            f"{', '.join(unknown)}; one of {', '.join(SCOPES)}", detail=Text("Unknown scope", "不明なスコープです")
        )
    async with run.gateway() as gateway:
        account = account_named(gateway.kit, name)
        token, secret = create_token(gateway.kit, account, label, [word for word in SCOPES if word in scopes])
        run.one({"id": token.id, "account": token.account, "scopes": list(token.scopes), "client": token.client,
                 "token": secret})  # fmt: skip
        run.say("Keep it now: only its hash is stored.")


@command(app, "list")
async def list_tokens(run: Run) -> None:
    """List tokens, never their secrets."""
    async with run.gateway() as gateway:
        rows = [described(token) for token in gateway.kit.store.accounts.tokens()]
        run.many(rows, ["id", "account", "label", "scopes", "client", "created", "last_used", "revoked"], "No tokens.")


@command(app, "revoke")
async def revoke(run: Run, token: Annotated[str, typer.Argument(help="Token id.")]) -> None:
    """Revoke a token."""
    async with run.gateway() as gateway:
        if not gateway.kit.store.accounts.revoke_token(token, gateway.kit.clock.now()):
            raise NotFound(f"there is no living token {token}")
        run.one({"revoked": token})
