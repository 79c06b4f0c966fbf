"""``make demo``: two gateways and one faithless peer on this machine, in under a minute.

Everything is real: two ``gateway serve`` processes, the command line, signed requests over loopback. Every
sentence with a tick was checked against what was observed; the first one that is not true ends the demo with
exit code 1 and the ends of the gateways' logs.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import shlex
import signal
import socket
import sys
import tempfile
import textwrap
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import httpx
import uvicorn
from demo_picture import png
from peers.faithless import FaithlessPeer

from gateway.clock import SystemClock
from gateway.policy.reasons import SENTENCES, Reason
from gateway.store.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from gateway.store.objects import Stored

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent
# Below the ports that the kernel gives to outgoing connections.
PORTS = range(20_000, 32_000)
COMMAND_SECONDS = 30.0
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.05
STOP_SECONDS = 10.0
WIDTH = 100
USAGE = "train-ai=n, ai-use=n, search=y"
ASKED = {"train-gen": "n", "ai-input": "n", "search": "y"}
TIGHTER = "train-ai=n, ai-use=n, search=n"
ALT = "A blue and orange square"


class Failed(Exception):
    """Something that the demo promised did not happen."""


class Teller:
    """Says what happens, in colour only on a terminal that wants it."""

    def __init__(self) -> None:
        wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.colours = sys.stdout.isatty() and wanted
        self.tick = "✓" if "utf" in (sys.stdout.encoding or "").lower() else "+"
        self.step = 0
        self.title = ""

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours else text

    def line(self, text: str = "") -> None:
        print(text, flush=True)

    def begin(self, title: str) -> None:
        """Start the next numbered step."""
        self.step, self.title = self.step + 1, title
        self.line()
        self.line(self._in("1", f"{self.step}. {title}"))

    def explain(self, text: str) -> None:
        """Say why, in plain sentences."""
        for line in textwrap.wrap(text, WIDTH - 3, break_long_words=False, break_on_hyphens=False):
            self.line(f"   {line}")

    def command(self, args: Sequence[str]) -> None:
        """Show a command as a person would type it."""
        self.line("   " + self._in("36", f"$ gateway {shlex.join(args)}"))

    def shows(self, text: str, code: str = "2") -> None:
        """Show what somebody answered."""
        for line in text.splitlines():
            self.line(("     " + self._in(code, line)) if line else "")

    def fact(self, name: str, value: object) -> None:
        """Show one observed value."""
        self.line(f"     {self._in('2', f'{name:<15}')} {value}")

    def check(self, holds: object, sentence: str, found: object = None) -> None:
        """Tick a sentence that is true; raise Failed for one that is not."""
        if not holds:
            raise Failed(sentence if found is None else f"{sentence}\nobserved instead: {found}")
        self.line("   " + self._in("32", f"{self.tick} ") + sentence)

    def failure(self, text: str) -> None:
        """Say what went wrong."""
        self.line()
        self.line(self._in("31", f"Step {self.step} failed ({self.title}):"))
        self.shows(text, "31")


class Ran(NamedTuple):
    """What a command did: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Return stdout as JSON; raise Failed when the command did not succeed."""
        if self.code != 0:
            raise Failed(f"the command ended with {self.code}: {self.err.strip()}")
        return json.loads(self.out)


@dataclass(slots=True)
class Node:
    """One gateway process with its data directory, and the commands run beside it."""

    name: str
    port: int
    data: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.data.with_suffix(".log")

    def environment(self) -> dict[str, str]:
        """Return this process's environment with this gateway's settings and nobody else's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        ours = {
            "GATEWAY_BASE_URL": self.base, "GATEWAY_PORT": str(self.port), "GATEWAY_DATA": str(self.data),
            "GATEWAY_CONFIG": str(self.data.with_suffix(".toml")), "NO_COLOR": "1",
        }  # fmt: skip
        return kept | ours

    async def start(self) -> None:
        """Start to serve and wait until it is ready."""
        with self.log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "serve", cwd=ROOT, env=self.environment(), stdout=log, stderr=log
            )
        await eventually(self._ready, f"{self.name} is ready at {self.base}")

    def _ready(self) -> bool:
        if self.process is not None and self.process.returncode is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode} before it was ready")
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False).status_code == httpx.codes.OK
        return False

    async def run(self, *args: str, as_json: bool = True) -> Ran:
        """Run a command against this gateway's data directory."""
        options = ("--json", "--data", str(self.data)) if as_json else ("--data", str(self.data))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *args, *options, cwd=ROOT, env=self.environment(),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                out, err = await process.communicate()
        except TimeoutError as error:
            raise Failed(f"gateway {shlex.join(args)} took longer than {COMMAND_SECONDS:g} s") from error
        finally:
            await stop(process)
        return Ran(process.returncode or 0, out.decode(), err.decode())

    def stored(self, object_id: str) -> Stored | None:
        """Return what this gateway keeps under an id: nothing, an object, or the tombstone of one."""
        store = Store(self.data / FILE)
        try:
            return store.objects.get(object_id)
        finally:
            store.close()

    def is_idle(self) -> bool:
        """Tell whether no delivery waits or is being made."""
        store = Store(self.data / FILE)
        try:
            return not store.jobs.find(kinds=("deliver",), states=("queued", "leased"))
        finally:
            store.close()

    def text_of(self, object_id: str) -> str:
        """Return the content of an object as this gateway keeps it."""
        found = self.stored(object_id)
        return str(found.document.get("content", "")) if found is not None else ""

    def tail(self, lines: int = 20) -> str:
        """Return the end of the log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:]) if self.log.exists() else ""

    async def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            await stop(self.process)


@dataclass(slots=True)
class Demo:
    """Everybody in the demo, and what later steps need from earlier ones."""

    home: Node
    other: Node
    peer: FaithlessPeer
    tell: Teller
    folder: Path
    post: str = ""
    document: dict[str, Any] = field(default_factory=dict)
    evidence: str = ""

    async def command(self, node: Node, *args: str) -> Any:
        """Show a command, run it, return what it printed."""
        self.tell.command([arg.replace(f"{self.folder}/", "") for arg in args])
        return (await node.run(*args)).data

    async def published(self, *args: str) -> str:
        """Let alice publish a post; return its id."""
        return str((await self.command(self.home, "post", "create", "alice", *args))["id"])

    async def arrived(self, object_id: str) -> None:
        """Wait until carol's gateway has an object."""
        await eventually(lambda: self.other.stored(object_id), f"{object_id} arrived at {self.other.base}")

    async def idle(self) -> None:
        """Wait until alice's gateway has nothing left to deliver to anybody."""
        await eventually(self.home.is_idle, "alice's gateway delivered everything")


async def eventually(ask: Callable[[], T], what: str) -> T:
    """Return the first true answer, asked again and again until the deadline."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        if found := ask():
            return found
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {WAIT_SECONDS:g} s")
        await asyncio.sleep(POLL_SECONDS)


async def stop(process: asyncio.subprocess.Process) -> None:
    """End a process that may have ended already: politely first, within a bound."""
    for end in (process.terminate, process.kill):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()


class Listener(uvicorn.Server):
    """A server that leaves Ctrl-C to the demo."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals."""
        yield


@asynccontextmanager
async def listening(listener: socket.socket, peer: FaithlessPeer) -> AsyncIterator[None]:
    """Serve the faithless peer on a socket that is bound already."""
    config = uvicorn.Config(
        peer.app, lifespan="off", ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = Listener(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=STOP_SECONDS)
        task.cancel()


def free_port(taken: set[int]) -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in taken:
                taken.add(port)
                return port
    raise Failed("no free port on 127.0.0.1")


async def start(demo: Demo) -> None:
    """Start everybody and make the two people."""
    tell, home, other = demo.tell, demo.home, demo.other
    tell.begin("Two gateways and one other server start")
    tell.explain(
        "A gateway publishes posts for people and puts their AI usage preferences on everything. The third server "
        "speaks the same protocol (ActivityPub) and will behave like any other at first."
    )
    await asyncio.gather(home.start(), other.start())
    tell.fact("home gateway", f"{home.base}   where alice writes")
    tell.fact("other gateway", f"{other.base}   where carol reads")
    tell.fact("third server", f"{demo.peer.base}   where bob reads, not a gateway")
    made = await asyncio.gather(
        demo.command(home, "account", "create", "alice", "--display-name", "Alice", "--preset", "noai"),
        demo.command(other, "account", "create", "carol", "--display-name", "Carol"),
    )
    prefs = made[0]["effective"]
    asked = {name: prefs.get(name) for name in ASKED}
    tell.check(asked == ASKED, "alice asks: no AI training, no AI use; search engines are welcome", prefs)


async def follow(demo: Demo) -> None:
    """Let carol and bob follow alice."""
    tell, home = demo.tell, demo.home
    alice = f"{home.base}/users/alice"
    tell.begin("carol and bob follow alice")
    await demo.command(demo.other, "follow", "add", "carol", f"@alice@localhost:{home.port}")
    answer = await demo.peer.follow(alice)
    tell.check(answer.status_code == httpx.codes.ACCEPTED, "the third server's signed Follow is taken", answer.text)
    await eventually(lambda: any(a["type"] == "Accept" for a in demo.peer.received), "bob's follow is accepted")
    rows = await _followers(demo)
    expected = {f"{demo.other.base}/users/carol", demo.peer.me.id}
    tell.check(rows == expected, "both follows are accepted: alice has two followers on two servers", rows)


async def _followers(demo: Demo) -> set[str]:
    rows = await demo.command(demo.home, "follow", "list", "alice")
    return {row["actor"] for row in rows if row["direction"] == "followed by" and row["state"] == "accepted"}


async def publish(demo: Demo) -> None:
    """Publish a picture and look at what went over the wire."""
    tell, peer = demo.tell, demo.peer
    tell.begin("alice publishes a picture, and her preferences travel with it")
    picture = demo.folder / "square.png"
    picture.write_bytes(png())
    demo.post = await demo.published("I made this myself.", "--media", str(picture), "--alt", ALT)
    await eventually(lambda: peer.told_about(demo.post, "Create"), "bob's server received the post")
    activity = peer.told_about(demo.post, "Create")[0]
    headers, demo.document = peer.received_headers[peer.received.index(activity)], activity["object"]
    tell.explain("What every follower's server got, as the third server received it:")
    signed = headers.get("signature-input") or headers.get("signature", "")
    tell.fact("HTTP header", f"Content-Usage: {headers.get('content-usage')}")
    tell.fact("JSON, post", _terms(demo.document))
    tell.fact("JSON, picture", _terms(demo.document["attachment"][0]))
    tell.check(headers.get("content-usage") == USAGE, "the request says it in a header", headers)
    tell.check("content-usage" in signed, "the header is covered by alice's signature, so nobody can change it", signed)
    tell.check(_labelled(demo.document), "the post says it as JSON-LD terms", demo.document)
    tell.check(_labelled(demo.document["attachment"][0]), "the picture inside says it, too", demo.document)


def _terms(document: dict[str, Any]) -> str:
    usage, words = document["contentUsage"], json.dumps(document["aiUsage"]["labels"])
    return f'"contentUsage": "{usage}", "aiUsage": {{"labels": {words}, ...}}'


def _labelled(document: dict[str, Any], usage: str = USAGE) -> bool:
    return document.get("contentUsage") == usage and document["aiUsage"]["labels"] == ["noai", "notrain"]


async def read_back(demo: Demo) -> None:
    """Ask carol's gateway what it understood, and the picture's address what it says."""
    tell, other = demo.tell, demo.other
    tell.begin("The other gateway knows what alice asked, and why")
    await demo.arrived(demo.post)
    found = await demo.command(other, "explain", demo.post)
    answers = {answer["category"]: answer["answer"] for answer in found["answers"]}
    reasons = next(a["because"] for a in found["answers"] if a["category"] == "train-gen")
    for reason in reasons:
        if reason["subject"]["ref"] == demo.post:
            who = reason["declaredBy"]
            tell.fact(f"{who['kind']} says", f"{reason['carrier']:<18}  ({reason['says']})")
    carriers = {reason["carrier"] for reason in reasons if reason["subject"]["ref"] == demo.post}
    tell.check(not found["fetched"], "carol's gateway kept the post with its labels; it needs to ask nobody")
    asked = {name: answers[name] for name in ASKED}
    tell.check(asked == ASKED, "training: no, AI use: no, search: yes", asked)
    wanted = {"aiUsage", "contentUsage", "http-content-usage"}
    tell.check(wanted <= carriers, "it read that from the JSON-LD terms and from the header", carriers)
    await _picture(demo)


async def _picture(demo: Demo) -> None:
    """Read the picture as anybody on the web would."""
    tell, url = demo.tell, demo.document["attachment"][0]["url"]
    tell.explain(f"Anybody who fetches the picture itself reads the same: {url}")
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(url)
    for name in ("content-usage", "tdm-reservation", "x-robots-tag"):
        tell.fact(name, answer.headers.get(name))
    says = answer.headers.get("content-usage")
    tell.check(answer.content == png() and says == USAGE, "the picture arrives whole, with its labels in headers", says)


async def edit(demo: Demo) -> None:
    """Change text and preferences of the post."""
    tell, other = demo.tell, demo.other
    tell.begin("alice edits the post and asks search engines to stay away, too")
    await demo.command(demo.home, "post", "edit", demo.post, "I made this, slowly.", "--prefs", "search=n")
    await eventually(lambda: "slowly" in other.text_of(demo.post), "the new text arrived at carol's gateway")
    tell.check(True, "carol's gateway has the new text")
    found = await demo.command(other, "explain", demo.post, "--use", "search")
    tell.check(found["answers"][0]["answer"] == "n", "search was yes before and is no now", found["answers"])
    await eventually(lambda: demo.peer.told_about(demo.post, "Update"), "bob's server received the edit")
    demo.document = demo.peer.told_about(demo.post, "Update")[-1]["object"]
    tell.check(_labelled(demo.document, TIGHTER), f"bob's server was told, too: {TIGHTER}", demo.document)


async def delete(demo: Demo) -> None:
    """Publish and delete another post."""
    tell, other = demo.tell, demo.other
    tell.begin("alice deletes a post; the others delete it, too")
    regretted = await demo.published("I will regret this.")
    await demo.arrived(regretted)
    await demo.command(demo.home, "post", "delete", regretted)
    await eventually(lambda: (found := other.stored(regretted)) and found.deleted, "carol's gateway deleted the post")
    tell.check("regret" not in other.text_of(regretted), "carol's gateway keeps only a tombstone, without the text")
    await eventually(lambda: demo.peer.told_about(regretted, "Delete"), "bob's server was told about the deletion")
    answer = await demo.peer.get(regretted)
    gone, type_ = answer.status_code == httpx.codes.GONE, answer.json().get("type")
    tell.check(gone and type_ == "Tombstone", "the home gateway answers 410 Gone for it", answer.text)


async def probe(demo: Demo) -> None:
    """Find the opposite on a page of the third server."""
    tell, peer = demo.tell, demo.peer
    tell.begin("The third server shows alice's post with the opposite of her words: it is limited")
    page = peer.show_again(demo.document)
    tell.explain(f'bob\'s server puts a copy on a page of its own, under "Content-Usage: train-ai=y": {page}')
    found = await demo.command(demo.home, "peers", "probe", peer.base, "--url", page)
    against = [item for item in found["contradictions"] if item["url"] == page and item["object"] == demo.post]
    for item in against:
        tell.fact("contradiction", f"{item['category']}: alice says {item['asked']}, the page says {item['shown']}")
    tell.check(against, "the gateway looked at the page itself and found the contradiction", found)
    decision = found["decision"]
    tell.fact("decision", f"{decision['action']} ({decision['reason']})")
    tell.fact("because", decision["because"])
    expected = ("limit", "contradicted-preferences")
    tell.check((decision["action"], decision["reason"]) == expected, "one look is enough to limit it", decision)
    await _limited(demo)


async def _limited(demo: Demo) -> None:
    """Show what limited means: pictures stop going there."""
    second = await demo.published("Another picture.", "--media", str(demo.folder / "square.png"), "--alt", ALT)
    await demo.arrived(second)
    await demo.idle()
    told = demo.peer.told_about(second)
    demo.tell.check(not told, "limited means: this new picture went to carol's gateway, not to bob's server", told)


async def refuse(demo: Demo) -> None:
    """Let the third server sign the opposite."""
    tell, peer = demo.tell, demo.peer
    tell.begin("The third server signs the opposite: it is refused, and told why")
    tell.explain(
        "Now bob boosts alice's post with a copy inside that allows everything, signed with his own key. That is not "
        "a page that may change tomorrow but a proof."
    )
    tell.shows(f"POST {demo.home.base}/inbox\nAnnounce of {demo.post}, contentUsage: train-ai=y, aiUsage: all y")
    answer = await peer.assert_opposite(f"{demo.home.base}/inbox", demo.document)
    tell.explain("The home gateway answers:")
    media = answer.headers.get("content-type", "")
    problem = answer.json() if "json" in media else {}
    tell.fact("status", f"{answer.status_code}   {media}")
    for name in ("code", "detail", "evidence", "appeal"):
        tell.fact(name, ", ".join(problem[name]) if isinstance(problem.get(name), list) else problem.get(name))
    refused = answer.status_code == httpx.codes.FORBIDDEN and media == "application/problem+json"
    tell.check(refused, "403 with a problem document", answer.text)
    tell.check(problem["code"] == "altered-preferences", "its code names the reason: altered-preferences", problem)
    complete = len(problem["evidence"]) == 1 and problem["appeal"].startswith("http")
    tell.check(complete, "it names the evidence, and where a person can appeal", problem)
    demo.evidence = problem["evidence"][0]


async def silence(demo: Demo) -> None:
    """Show that nothing goes to the refused server, and that the other gateway is not touched."""
    tell, peer = demo.tell, demo.peer
    tell.begin("Nothing more goes to the refused server")
    before = len(peer.received)
    later = await demo.published("Only for those who keep their word.")
    await demo.arrived(later)
    tell.check(True, "alice's next post reaches carol's gateway, which is on the same machine but another peer")
    await demo.idle()
    more = peer.received[before:]
    tell.check(not more, "bob's server gets nothing, and no delivery waits for it", more)
    answer = await peer.get(later)
    refused = answer.status_code == httpx.codes.FORBIDDEN and answer.json()["code"] == "altered-preferences"
    tell.check(refused, "it cannot fetch the post either: 403 altered-preferences", answer.text)


async def look(demo: Demo) -> None:
    """Show what an admin sees."""
    tell, home, peer = demo.tell, demo.home, demo.peer
    tell.begin("What the admin of the home gateway sees")
    args = ("peers", "show", peer.base)
    tell.command(args)
    text, shown, neighbour = await asyncio.gather(
        home.run(*args, as_json=False), home.run(*args), home.run("peers", "show", demo.other.base)
    )
    tell.shows(_shortened(text.out))
    standing, decision, evidence = shown.data["standing"], shown.data["decision"], shown.data["evidence"]
    tell.check(standing["violation"] == "V3", "standing: V3, it signed the opposite of an author's words", standing)
    because = SENTENCES[Reason.ALTERED_PREFERENCES].en
    refused = (decision["action"], decision["because"]) == ("refuse", because) and because in text.out
    tell.check(refused, "decision: refuse, and because of what", decision)
    tell.check(demo.evidence in decision["evidence"], "evidence: the very record that bob's server was told", decision)
    kept = {item["violation"]: item["record"] for item in evidence}
    tell.check(kept["V3"]["signatureHeaders"], "the record holds the signature of bob's server", kept)
    tell.check(kept["V2"]["contradictions"], "what its page said is still on record, too", kept)
    action = neighbour.data["decision"]["action"]
    tell.check(action == "allow", "the other gateway is still allowed", neighbour.data["decision"])


def _shortened(text: str) -> str:
    """Return a command's output with only the first two of each run of indented lines."""
    lines: list[str] = []
    hidden = 0
    for line in [*text.rstrip().splitlines(), ""]:
        if line.startswith("  ") and len(lines) > 1 and lines[-2].startswith("  "):
            hidden += 1
            continue
        if hidden:
            lines.append(f"  ... and {hidden} more")
        hidden = 0
        lines.append(line)
    return "\n".join(lines).rstrip()


STEPS = (start, follow, publish, read_back, edit, delete, probe, refuse, silence, look)


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
