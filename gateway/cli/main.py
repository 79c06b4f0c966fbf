"""The command ``gateway``: verbs at the top, nouns below. Exit codes: see ``gateway.errors``."""

from __future__ import annotations

import typer

from gateway import __version__
from gateway.cli import (
    account,
    block,
    check,
    config,
    database,
    deliveries,
    explain,
    follow,
    inbox,
    inspect,
    keys,
    lookup,
    peers,
    post,
    reports,
    serve,
    token,
    verify,
)

app = typer.Typer(
    name="gateway",
    help="A federation gateway that carries AI usage preferences on everything it publishes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Run the gateway or talk to its data."""


for verb in (serve, check, explain, lookup, inspect, verify, inbox):
    verb.register(app)
for name, noun in (
    ("account", account),
    ("post", post),
    ("follow", follow),
    ("block", block),
    ("reports", reports),
    ("peers", peers),
    ("deliveries", deliveries),
    ("keys", keys),
    ("token", token),
    ("config", config),
    ("db", database),
):
    app.add_typer(noun.app, name=name)


def run() -> None:
    """Run the command line."""
    app()
