"""``gateway deliveries``: what waits to be sent, and what could not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.arguments import when
from gateway.cli.output import Run, command
from gateway.errors import BadInput, NotFound, Text
from gateway.store.jobs import OUTGOING

if TYPE_CHECKING:
    from gateway.store.jobs import Job

app = typer.Typer(help="What waits to be sent, and what could not be.", no_args_is_help=True)
STATES = ("waiting", "queued", "leased", "dead", "dropped", "superseded", "done")
Id = Annotated[int, typer.Argument(help="Delivery number.")]


def _described(job: Job) -> dict[str, Any]:
    activity = job.payload.get("activity", job.payload.get("arrival"))
    many = job.payload.get("inboxes")
    inbox = f"{len(many)} inboxes" if many else job.payload.get("inbox")
    return {
        "id": job.id, "state": job.state, "inbox": inbox, "activity": activity,
        "attempts": job.attempts, "due": when(job.due), "status": job.status, "problem": job.problem,
        "finished": when(job.finished),
    }  # fmt: skip


@command(app, "list")
async def list_deliveries(
    run: Run,
    state: Annotated[
        list[str] | None,
        typer.Option(help="waiting, queued, leased, dead, dropped, superseded or done; may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    arrivals: Annotated[bool, typer.Option(help="What came in and is not settled, instead of what goes out.")] = False,
) -> None:
    """List deliveries that are not done, or arrivals that are not settled."""
    if unknown := [name for name in state or () if name not in STATES]:
        raise BadInput(f"{unknown[0]!r}; one of {', '.join(STATES)}", detail=Text("Unknown state", "不明な状態です"))
    wanted = tuple(state or ("waiting", "queued", "leased", "dead", "dropped"))
    async with run.gateway() as gateway:
        kinds = ("settle",) if arrivals else OUTGOING
        jobs = gateway.kit.store.jobs.find(kinds=kinds, states=wanted, limit=limit)
        columns = ["id", "state", "activity" if arrivals else "inbox", "attempts", "due", "status", "problem"]
        run.many([_described(job) for job in jobs], columns, "Nothing waits, nothing failed.")


@command(app, "retry")
async def retry(run: Run, delivery: Id) -> None:
    """Try a delivery again now, or an arrival that could not be settled."""
    async with run.gateway() as gateway:
        if not gateway.kit.store.jobs.revive(delivery, gateway.kit.clock.now()):
            raise NotFound(f"there is no delivery {delivery} that could be tried again")
        run.one({"id": delivery, "state": "queued"})


@command(app, "drop")
async def drop(run: Run, delivery: Id) -> None:
    """Give a delivery up."""
    async with run.gateway() as gateway:
        if not gateway.kit.store.jobs.drop(delivery, gateway.kit.clock.now()):
            raise NotFound(f"there is no waiting delivery {delivery}")
        run.one({"id": delivery, "state": "dropped"})
