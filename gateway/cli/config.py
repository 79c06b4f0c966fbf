"""``gateway config``: what is set, and where it came from."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from gateway.cli.output import Run, command
from gateway.settings import Settings

app = typer.Typer(help="Settings and where they came from.", no_args_is_help=True)


@command(app, "show")
def show(
    run: Run, sources: Annotated[bool, typer.Option("--sources", help="Say where each value came from.")] = False
) -> None:
    """Show every setting."""
    values = run.settings().model_dump(mode="json")
    rows = [
        {
            "setting": f"GATEWAY_{name.upper()}",
            "value": _without_password(value),
            **({"source": run.sources[name]} if sources else {}),
        }
        for name, value in values.items()
    ]
    run.many(rows, ["setting", "value", *(["source"] if sources else [])])


def _without_password(value: object) -> object:
    """Return a value of a setting as it may be shown: a database URL without its passwords."""
    if not isinstance(value, str):
        return value
    return re.sub(r"([?&]\w*password=)[^&]*", r"\1***", re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", value))


@command(app, "schema")
def schema(run: Run) -> None:
    """Print the JSON Schema of gateway.toml."""
    run.json = True
    run.one(Settings.model_json_schema())
