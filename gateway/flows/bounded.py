"""Looking at a stranger's JSON-LD in a process of its own, with limits on time and memory, stopped when over them.

Canonicalisation of a few hundred bytes can take for ever; whoever looks must not be what they look at.
Run as a module, this is the process: a request on standard input, an answer a line on standard output.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
from typing import TYPE_CHECKING, Any

from gateway.jsonld import requested

if TYPE_CHECKING:
    from collections.abc import Mapping

START_SECONDS = 10.0  # an interpreter and a library; nothing of the stranger's yet
WORK_SECONDS = 0.5  # an honest document of a few kilobytes takes a sixtieth, and a busy machine some times that
SECONDS_A_BYTE, MORE_SECONDS = 5e-6, 1.0  # and a long one longer, up to so much
CPU_SECONDS = 10  # ends the process also when whoever waits for it is gone
MEMORY = 1024 * 1024 * 1024
MAX_ANSWER = 32 * 1024 * 1024
TOO_COMPLEX = "takes too long: stopped. Documents like this are made to keep a server busy"


async def look(request: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return view -> ``{"value"}`` or ``{"problem"}`` (see ``requested.answers``); nothing is left running."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.flows.bounded", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=MAX_ANSWER,
    )  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    try:
        with contextlib.suppress(TimeoutError, ConnectionError):
            await _ask(process, request, found)
            await asyncio.wait_for(process.wait(), WORK_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return {view: found.get(view, {"problem": TOO_COMPLEX}) for view in request["views"]}


async def _ask(
    process: asyncio.subprocess.Process, request: Mapping[str, Any], found: dict[str, dict[str, Any]]
) -> None:  # fmt: skip
    """Hand the request over and collect the answers until there are no more; raise TimeoutError."""
    if process.stdin is None or process.stdout is None:
        return
    async with asyncio.timeout(START_SECONDS):
        await process.stdout.readline()
    more = min(len(json.dumps(request["document"])) * SECONDS_A_BYTE, MORE_SECONDS)
    async with asyncio.timeout(WORK_SECONDS + more):
        process.stdin.write(json.dumps(request).encode())
        process.stdin.write_eof()
        while line := await process.stdout.readline():
            answer = json.loads(line)
            found[answer.pop("view")] = answer


def main() -> None:
    """Answer one request within limits."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print("ready", flush=True)  # noqa: T201 - the protocol between the two processes
    for answer in requested.answers(json.load(sys.stdin)):
        print(json.dumps(answer), flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    main()
