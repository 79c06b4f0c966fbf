"""Requests before they are signed, how they are signed, and everybody around the gateway that they are sent to."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from peers.plain import ACTIVITY_JSON, Actor, PlainPeer, keys_for
from world import BASE

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from world import World

    from gateway.runtime import Gateway

HOST = "gw.example"
INBOX = "/users/alice/inbox"
ALICE = f"{BASE}/users/alice"
NEW_KEY = "https://peer.example/users/bob (rotated)"


@dataclass(slots=True, kw_only=True)
class Scene:
    """The gateway under attack and everybody around it."""

    world: World
    gateway: Gateway
    peer: PlainPeer
    evil: PlainPeer
    relay: PlainPeer

    def now(self) -> datetime:
        return self.world.clock.now()

    def serve_actor(self, **changes: Any) -> None:
        """Let the peer show its actor's document with ``changes``."""
        self.peer.serve_document(self.peer.me.id, self.peer.me.document(**changes))

    def rotate(self) -> None:
        """Give the peer's actor a new RSA key, a day later."""
        self.world.clock.forward(days=1)
        self.peer.me.rsa = keys_for(NEW_KEY)[0]
        self.serve_actor()

    def heal(self) -> None:
        """Let the peer answer as it should again."""
        self.world.board.apps["peer.example"] = self.peer.app
        self.serve_actor()

    def valid(self) -> dict[str, Any]:
        """Return a Create that the gateway has a reason to keep."""
        note = self.peer.note("hello @alice", cc=[ALICE])
        return self.peer.activity("Create", note, cc=[ALICE])


@dataclass(slots=True, kw_only=True)
class Request:
    """What goes on the wire."""

    method: str
    path: str
    lines: list[tuple[str, str]]
    body: bytes

    def value(self, name: str) -> str:
        return next(value for key, value in self.lines if key == name)

    def set(self, name: str, value: str | None) -> None:
        """Replace every line of a field by one, or (None) by none."""
        kept = [(key, old) for key, old in self.lines if key != name]
        self.lines = kept if value is None else [*kept, (name, value)]


@dataclass(slots=True, kw_only=True)
class Draft:
    """A request before it is signed. ``headers`` and ``parameters`` override what ``make`` would choose."""

    scheme: str
    method: str
    actor: Actor
    document: dict[str, Any]
    path: str = INBOX
    raw: bytes | None = None
    ed25519: bool = False
    covered: list[str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str | None] = field(default_factory=dict)
    sign_target: str | None = None
    sign_method: str | None = None
    sign: Callable[[bytes], bytes] | None = None
    clock: int = 0
    after: list[Callable[[Scene, Request], None]] = field(default_factory=list)
    sends: int = 1
    parallel: bool = False

    def make(self, scene: Scene) -> Request:
        """Sign, then change what the case changes after signing."""
        body = b"" if self.method == "GET" else self.raw or json.dumps(self.document).encode()
        now = scene.now() + timedelta(seconds=self.clock)
        given = self._fields(body, now)
        lines = list(given.items())
        if self.scheme == "cavage":
            lines.append(("signature", self._cavage(given, int(now.timestamp()))))
        elif self.scheme == "rfc9421":
            lines += self._message(given, int(now.timestamp()))
        request = Request(method=self.method, path=self.path, lines=lines, body=body)
        for change in self.after:
            change(scene, request)
        return request

    def _fields(self, body: bytes, now: datetime) -> dict[str, str]:
        given = {"host": HOST, "date": http_date(now)}
        if self.method == "GET":
            given["accept"] = ACTIVITY_JSON
        else:
            name = "content-digest" if self.scheme == "rfc9421" else "digest"
            given |= {name: digests("sha-256=:<right>:" if self.scheme == "rfc9421" else "SHA-256=<right>", body)}
            given |= {"content-type": ACTIVITY_JSON}
        for name, value in self.headers.items():
            given[name] = http_date(now - timedelta(days=1)) if value == "now-1d" else digests(value, body)
        return given

    def _signature(self, base: str) -> bytes:
        if self.parameters.get("algorithm") == "none":
            return b""
        key = self.actor.ed25519 if self.ed25519 else self.actor.rsa
        return (self.sign or key.sign)(base.encode("utf-8", "surrogateescape"))

    def _cavage(self, given: dict[str, str], now: int) -> str:
        usual = ["(request-target)", "host", "date"]
        covered = self.covered or (usual if self.method == "GET" else [*usual, "digest", "content-type"])
        parameters: dict[str, str | None] = {"keyId": self.actor.key_id, "algorithm": "rsa-sha256"}
        if "(created)" in covered:
            parameters["created"] = "now"
        if "(expires)" in covered:
            parameters["expires"] = "now+300"
        parameters |= self.parameters
        parameters = {name: moment(value, now) for name, value in parameters.items()}
        values = {
            "(request-target)": f"{(self.sign_method or self.method).lower()} {self.sign_target or self.path}",
            "(created)": str(parameters.get("created")),
            "(expires)": str(parameters.get("expires")),
        }
        base = "\n".join(f"{n.lower()}: {values.get(n.lower(), given.get(n.lower(), ''))}" for n in covered)
        parameters |= {"headers": " ".join(covered), "signature": b64(self._signature(base))}
        return ",".join(
            f"{name}={value}" if name in ("created", "expires") and str(value).isdigit() else f'{name}="{value}"'
            for name, value in parameters.items()
            if value is not None
        )

    def _message(self, given: dict[str, str], now: int, label: str = "sig1") -> list[tuple[str, str]]:
        usual = ["@method", "@target-uri"]
        covered = self.covered or (usual if self.method == "GET" else [*usual, "content-digest", "content-type"])
        key_id = f"{self.actor.id}#ed25519-key" if self.ed25519 else self.actor.key_id
        algorithm = "ed25519" if self.ed25519 else "rsa-v1_5-sha256"
        parameters: dict[str, str | None] = {"created": "now", "keyid": key_id, "alg": algorithm, **self.parameters}
        target = self.sign_target or f"{BASE}{self.path}"
        values = {
            "@method": self.sign_method or self.method,
            "@target-uri": target,
            "@authority": HOST,
            "@path": self.path.partition("?")[0],
            "@query": f"?{self.path.partition('?')[2]}",
            "@status": "200",
            "@foo": "foo",
        }
        names = [name.partition(";") for name in covered]
        written = [f'"{name}"{mark}{flag}' for name, mark, flag in names]
        lines = [
            f"{shown}: {values.get(name, given.get(name.lower(), ''))}"
            for shown, (name, _, _) in zip(written, names, strict=True)
        ]
        described = f"({' '.join(written)})"
        for name, value in parameters.items():
            if value is not None:
                said = moment(value, now)
                described += f";{name}={said}" if name in ("created", "expires") else f';{name}="{said}"'
        signature = self._signature("\n".join([*lines, f'"@signature-params": {described}']))
        return [("signature-input", f"{label}={described}"), ("signature", f"{label}=:{b64(signature)}:")]


def b64(data: bytes) -> str:
    """Return bytes in base64."""
    return base64.b64encode(data).decode()


def http_date(when: datetime) -> str:
    """Return a moment as HTTP writes it."""
    return format_datetime(when, usegmt=True)


def moment(value: str | None, now: int) -> str | None:
    """Return ``now``, ``now-10``, ``now+300`` in seconds; anything else as it is."""
    found = re.fullmatch(r"now([+-]\d+)?", value or "")
    return str(now + int(found[1] or 0)) if found else value


def digests(template: str, body: bytes) -> str:
    """Fill in a digest field: ``SHA-256=<right>``, ``<wrong>``, ``<31 bytes>``, ``<b64>`` or dots."""

    def filled(found: re.Match[str]) -> str:
        content = b"another body" if found[3] == "<wrong>" else body
        digest = hashlib.new(found[1].lower().replace("-", ""), content, usedforsecurity=False).digest()
        return f"{found[1]}={found[2]}{b64(digest[:31] if found[3] == '<31 bytes>' else digest)}{found[4]}"

    return re.sub(r"([A-Za-z0-9-]+)=(:?)(<[^>]+>|\.{2,3})(:?)", filled, template)
