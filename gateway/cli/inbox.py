"""``gateway inbox``: an actor that lives until Ctrl-C, and prints what others send it, raw and judged."""

from __future__ import annotations

import asyncio
import base64
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.account import create_account
from gateway.cli.inspect import report_lines, step_line
from gateway.cli.output import Run, command
from gateway.cli.serve import listen, server_of
from gateway.clock import rfc3339
from gateway.flows import handles, subscribe
from gateway.flows.inspect import inspect
from gateway.flows.offline import Keys
from gateway.flows.replay import replay
from gateway.flows.specimen import Specimen
from gateway.observe import logs
from gateway.runtime import open_gateway
from gateway.settings import load
from gateway.signatures.capture import Captured
from gateway.signatures.request import SignedRequest
from gateway.web.app import build
from gateway.web.tap import Heard, Tap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.flows.kit import Kit
    from gateway.store.accounts import Account

PORT = 8008
JUDGED = ("problems", "readers", "statements", "carrierProblems", "effective", "decision")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    command(app, "inbox")(inbox)


async def inbox(
    run: Run,
    base_url: Annotated[str, typer.Option(help="Public origin, when a tunnel or proxy leads here.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = PORT,
    name: Annotated[str, typer.Option(help="Name of the actor.")] = "inspector",
    follow: Annotated[list[str] | None, typer.Option(help="Actor URL or @user@host to follow; repeatable.")] = None,
) -> None:
    """Open an ephemeral actor and print what arrives until Ctrl-C. Nothing of it is kept."""
    logs.configure("error")
    heard: asyncio.Queue[Heard] = asyncio.Queue()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="gateway-inbox-") as directory:
        flags = {"host": host, "port": port, "data": Path(directory), "authorized_fetch": False}
        settings = load(run.config, {**flags, "base_url": base_url or f"http://localhost:{port}"})[0]
        listener, gateway = listen(settings), open_gateway(settings)
        server, _ = server_of(Tap(build(gateway), heard.put_nowait))
        printer = asyncio.create_task(_print_all(run, gateway.kit, heard, rows))
        account = create_account(gateway.kit, name, name.capitalize())
        await gateway.start()
        # It answers before it asks: others fetch the actor's key before they answer.
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await _open(run, gateway.kit, account, follow or [])
            await serving
            await heard.join()
        finally:
            server.should_exit = True
            await asyncio.wait([serving])
            printer.cancel()
            await gateway.stop()
    if run.json and not run.jsonl:
        run.one({"received": rows})


async def _open(run: Run, kit: Kit, account: Account, follow: list[str]) -> None:
    run.say(f"Actor  {account.id}\nHandle @{account.name}@{kit.settings.domain}\nInbox  {account.id}/inbox")
    run.say("Follow requests are accepted. Waiting; Ctrl-C ends it and forgets everything.")
    for target in follow:
        actor = await handles.find(kit, target)
        subscribe.follow(kit, account, actor)
        run.say(f"Asked to follow {actor}")


async def _print_all(run: Run, kit: Kit, heard: asyncio.Queue[Heard], rows: list[dict[str, Any]]) -> None:
    while True:
        one = await heard.get()
        try:
            row = await _judged(kit, one, len(rows) + 1)
            rows.append(row)
            if run.jsonl:
                run.one(row)
            elif not run.json:
                run.one({}, "\n".join(_told(row)))
        finally:
            heard.task_done()


async def _judged(kit: Kit, heard: Heard, number: int) -> dict[str, Any]:
    """Return what came with what became of it; ``request`` is what ``gateway verify`` reads."""
    now = kit.clock.now()
    request = SignedRequest(method="POST", target=kit.base + heard.path, headers=heard.headers, body=heard.body)
    report = await inspect(kit, Specimen(body=heard.body))
    verdict = replay(kit, Captured(request=request, at=now), Keys(kit))
    text = heard.body.decode("utf-8", "replace")
    body = {"body": text} if text.encode() == heard.body else {"body_b64": base64.b64encode(heard.body).decode()}
    return {
        "number": number,
        "at": rfc3339(now),
        "request": {
            "method": request.method, "target": request.target, "headers": [list(pair) for pair in request.headers],
            **body,
        },
        "keys": _keys(kit, verdict.key_id),
        "answer": {"status": heard.status, "problem": _problem(heard.answer)},
        "verdict": verdict.as_json(),
        "document": report["document"],
        **{name: report[name] for name in JUDGED},
    }  # fmt: skip


def _keys(kit: Kit, key_id: str) -> list[Mapping[str, object]]:
    """Return the sender's actor document, which is gone with this inbox: whoever verifies later needs its keys."""
    known = kit.store.relations.actor_of_key(key_id)
    return [known.document] if known is not None else []


def _problem(answer: bytes) -> Any:
    try:
        return json.loads(answer) if answer else None
    except ValueError:
        return None


def _told(row: dict[str, Any]) -> list[str]:
    request, verdict = row["request"], row["verdict"]
    problem = row["answer"]["problem"] or {}
    return [
        f"=== {row['number']}  {row['at']}",
        f"POST {request['target']}",
        *(f"{name}: {value}" for name, value in request["headers"]),
        "",
        request.get("body", request.get("body_b64", "")),
        "",
        f"Answered {row['answer']['status']} {problem.get('code', '')}".rstrip(),
        f"Signature: {verdict['scheme']}, key {verdict['keyId'] or 'none'}, actor {verdict['actor'] or 'none'}",
        *(step_line(step) for step in verdict["steps"]),
        *report_lines(row),
        "",
    ]
