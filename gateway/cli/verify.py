"""``gateway verify``: replay a captured request offline, with the same checks as the live answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.arguments import moment, read_file
from gateway.cli.inspect import step_line
from gateway.cli.output import Run, command
from gateway.errors import BadInput, MalformedDocument, Text
from gateway.flows.offline import Keys
from gateway.flows.replay import replay
from gateway.jsonld import strict
from gateway.signatures import capture
from gateway.urls import origin_of

FAILED = 5


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "verify")(verify)


async def verify(
    run: Run,
    file: Annotated[str, typer.Argument(metavar="CAPTURE", help='A .http, .har, .json or .jsonl file, or "-".')],
    at: Annotated[str | None, typer.Option(help="When it came (RFC 3339); the capture's own time, or now.")] = None,
    keys: Annotated[Path | None, typer.Option(help="JSON: actors, or key id -> PEM. Known actors otherwise.")] = None,
    base: Annotated[str | None, typer.Option(help="Origin that was asked, where the capture does not say.")] = None,
) -> None:
    """Show every check of a captured request, expected and found. Nothing is fetched; exit 5 when one fails."""
    when = moment(at) if at is not None else None
    origin = str(origin_of(base)) if base is not None else None
    content = sys.stdin.buffer.read() if file == "-" else read_file(Path(file))
    async with run.gateway() as gateway:
        known = Keys(gateway.kit, _keys(keys) if keys is not None else None)
        rows = [replay(gateway.kit, one, known, when).as_json() for one in _captured(content, origin)]
    if run.jsonl:
        for row in rows:
            run.one(row)
    elif run.json:
        run.one(rows[0] if len(rows) == 1 else {"requests": rows, "ok": all(row["ok"] for row in rows)})
    else:
        for row in rows:
            run.one({}, "\n".join(_told(row)))
    if not all(row["ok"] for row in rows):
        raise typer.Exit(FAILED)


def _captured(content: bytes, base: str | None) -> tuple[capture.Captured, ...]:
    try:
        return capture.read(content, base)
    except MalformedDocument as error:
        raise BadInput(
            str(error), detail=Text("This is no captured request", "リクエストの記録ではありません")
        ) from error


def _keys(path: Path) -> object:
    try:
        return strict.read(read_file(path))
    except MalformedDocument as error:
        raise BadInput(f"{path}: {error}", detail=Text("The keys cannot be read", "鍵を読み取れません")) from error


def _told(row: dict[str, Any]) -> list[str]:
    request = row["request"]
    lines = [
        f"{request['method']} {request['target']}, {request['bytes']} bytes of body, judged at {row['at']}",
        f"{row['status']} {row['code']}: {row['detail']}",
        f"scheme {row['scheme']}, key {row['keyId'] or 'none'}"
        + (f" ({row['keyFrom']})" if row["keyFrom"] else "")
        + (f", actor {row['actor']}" if row["actor"] else ""),
        *(step_line(step) for step in row["steps"]),
    ]
    if row["signingString"] is not None:
        lines += ["signed text:", *(f"  | {line}" for line in row["signingString"].split("\n"))]
    return lines
