"""``gateway reports``: what others reported about posts and people here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.arguments import when
from gateway.cli.output import Run, command
from gateway.errors import NotFound

if TYPE_CHECKING:
    from gateway.store.relations import Report

app = typer.Typer(help="Reports about posts and people here.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(help="Report id.")]


def _described(report: Report) -> dict[str, Any]:
    return {
        "id": report.id, "reporter": report.reporter, "about": list(report.objects), "content": report.content,
        "created": when(report.created), "closed": when(report.closed),
    }  # fmt: skip


@command(app, "list")
async def list_reports(
    run: Run, closed: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False
) -> None:
    """List open reports."""
    async with run.gateway() as gateway:
        rows = [_described(report) for report in gateway.kit.store.relations.reports(with_closed=closed)]
        run.many(rows, ["id", "created", "reporter", "about", "content"], "No open reports.")


@command(app, "show")
async def show(run: Run, report: Id) -> None:
    """Show one report."""
    async with run.gateway() as gateway:
        found = gateway.kit.store.relations.report(report)
        if found is None:
            raise NotFound(f"there is no report {report}")
        run.one(_described(found))


@command(app, "close")
async def close(run: Run, report: Id) -> None:
    """Close a report."""
    async with run.gateway() as gateway:
        if not gateway.kit.store.relations.close_report(report, gateway.kit.clock.now()):
            raise NotFound(f"there is no open report {report}")
        run.one({"closed": report})
