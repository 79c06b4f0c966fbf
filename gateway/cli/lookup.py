"""``gateway lookup``: fetch a document as this gateway would, and print it."""

from __future__ import annotations

import sys
from typing import Annotated

import orjson
import typer

from gateway.activitypub.properties import ACTIVITY_JSON, PROFILED
from gateway.cli.output import INDENT, Run, command
from gateway.errors import GatewayError, NotAuthenticated, NotFound, Refused, RemoteAnswer
from gateway.flows import discover, handles

MAX_SHOWN = 4_000


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "lookup")(lookup)


async def lookup(
    run: Run,
    target: Annotated[str, typer.Argument(help="URL or @user@host.")],
    signed: Annotated[bool, typer.Option("--signed", help="Sign the request as the instance actor.")] = False,
    scheme: Annotated[str, typer.Option(help="rfc9421 or cavage.")] = "cavage",
    raw: Annotated[bool, typer.Option("--raw", help="Print the bytes as they came.")] = False,
) -> None:
    """Fetch a document and print it as JSON."""
    async with run.gateway() as gateway:
        kit = gateway.kit
        url = target if "://" in target else (await handles.resolve(kit, target)).id
        sign = discover.signer(kit, scheme) if signed else None
        answer = await kit.client.get(url, accept=f"{ACTIVITY_JSON}, {PROFILED}", sign=sign)
        run.say(f"{answer.url}: {answer.status}, {answer.header('content-type')}")
        if answer.status in discover.GONE:
            raise NotFound(f"{url}: status {answer.status}")
        if not answer.ok:
            raise _refusal(url, answer.status, answer.body)
        if raw:
            sys.stdout.buffer.write(answer.body)
        else:
            body = orjson.dumps(discover.read(answer), option=INDENT)
            sys.stdout.buffer.write(body + b"\n")
        sys.stdout.flush()


def _refusal(url: str, status: int, body: bytes) -> GatewayError:
    """Return the other server's no, with what it says about it."""
    said = body[:MAX_SHOWN].decode("utf-8", "replace")
    kind = {401: NotAuthenticated, 403: Refused}.get(status)
    return (
        kind(f"{url}: {said}") if kind is not None else RemoteAnswer(f"{url}: {status}: {said}", remote_status=status)
    )
