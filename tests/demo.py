"""``make demo``: two gateways and one faithless peer on this machine, in under a minute.

Everything is real: two ``gateway serve`` processes, the command line, signed requests over loopback. Every
sentence with a tick was checked against what was observed; the first one that is not true ends the demo with
exit code 1 and the ends of the gateways' logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import socket
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from demo_servers import Node, free_port, listening
from demo_steps import STEPS, Demo
from demo_teller import Failed, Teller
from peers.faithless import FaithlessPeer

from gateway.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["STEPS", "Demo", "Teller", "main", "play"]


async def play(tell: Teller, steps: Sequence[Callable[[Demo], Awaitable[None]]] = STEPS) -> int:
    """Play the steps with everybody; return the exit code. Nobody and nothing is left behind."""
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        demo = await _everybody(stack, tell)
        tell.line(f"Two gateways, one faithless server, all on this machine, in {demo.folder} until the end.")
        try:
            for step in steps:
                await step(demo)
        except Failed as failure:
            tell.failure(str(failure))
        except Exception as error:  # noqa: BLE001 - a newcomer needs the logs in any case
            tell.failure(f"{type(error).__name__}: {error}")
        else:
            tell.line()
            tell.line(f"All of it happened, in {time.monotonic() - begun:.0f} seconds.")
            return 0
        for node in (demo.home, demo.other):
            tell.line(f"\nThe end of the log of the {node.name} ({node.base}):")
            tell.shows(node.tail() or "(empty)")
        return 1


async def _everybody(stack: AsyncExitStack, tell: Teller) -> Demo:
    """Make a folder, two gateways and the faithless peer; the stack ends them all."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-demo-", ignore_cleanup_errors=True)))
    taken: set[int] = set()
    home, other = (Node(f"{name} gateway", free_port(taken), folder / name) for name in ("home", "other"))
    for node in (home, other):
        stack.push_async_callback(node.stop)
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    peer = FaithlessPeer(f"http://127.0.0.1:{listener.getsockname()[1]}", "bob", SystemClock())
    await stack.enter_async_context(listening(listener, peer))
    return Demo(home, other, peer, tell, folder)


async def _until_ended() -> int:
    """Play; SIGTERM ends it as cleanly as Ctrl-C does."""
    task = asyncio.current_task()
    if task is not None:
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await play(Teller())


def main() -> int:
    """Run the demo; return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        return asyncio.run(_until_ended())
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nStopped. Nothing is left behind.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
