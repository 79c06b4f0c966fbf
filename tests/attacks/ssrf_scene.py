"""A gateway on a small internet, who lives and who attacks there, and what must hold after every attempt."""

from __future__ import annotations

import json
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import yardstick
from attacks.internet import HOSTS, PUBLIC_6, Internet, certified
from flows.keypool import pooled
from sqlite_utils import utils
from web.asking import Answer, ask
from world import BASE, ManualClock, account

from gateway.cli.output import Run
from gateway.errors import GatewayError
from gateway.flows import bounded, discover
from gateway.flows.grant import create_token
from gateway.net.purpose import PAGE
from gateway.runtime import open_gateway
from gateway.settings import Settings
from gateway.store.sqlite import Sqlite
from gateway.web.app import build

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping
    from pathlib import Path

    from attacks.internet import Site
    from peers.plain import Actor, PlainPeer

    from gateway.flows.kit import Kit
    from gateway.net import client
    from gateway.net.purpose import Purpose
    from gateway.runtime import Gateway
    from gateway.signatures.request import SignedRequest
    from gateway.store.accounts import Account
    from gateway.store.relations import RemoteActor

ALICE = f"{BASE}/users/alice"
INBOX = f"{BASE}/inbox"
FORM = "application/x-www-form-urlencoded"
MALLORY = "https://mallory.example"
BASES = (*(f"https://{host}" for host in HOSTS), "http://evil.example", "http://a.example", f"https://[{PUBLIC_6}]")
# What an exception of Python's looks like in a job's problem; those of our own tree are told by their codes.
CRASH = re.compile(r"[A-Z]\w+\(")
CODES = {"address-refused", "bad-input", "bad-url", "malformed-document", "not-found", "remote-answer",
         "remote-unreachable", "refused-by-rule", "invalid_redirect_uri"}  # fmt: skip


class Kept:
    """A gateway that a command may use and does not close."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __aenter__(self) -> Gateway:
        """Return it."""
        return self._gateway

    async def __aexit__(self, *_: object) -> None:
        """Leave it open."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """The gateway with alice, the internet around it, and how everything was answered."""

    internet: Internet
    gateway: Gateway
    app: Any
    alice: Account
    token: str
    clean: Any  # the database as it was before anybody attacked
    inboxes: list[Answer] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    errors: list[GatewayError] = field(default_factory=list)
    began: float = 0.0
    _met: int = 0

    @property
    def kit(self) -> Kit:
        """Return the kit of the gateway under attack."""
        return self.gateway.kit

    @property
    def cpu(self) -> float:
        """Return the seconds of CPU since the last start."""
        return yardstick.milliseconds(self.began) / 1000

    def start_again(self) -> None:
        """Forget everything that an attempt left behind: rows, memories, who was asked."""
        self.clean.backup(raw(self.kit))
        self.kit.store.database._undone += 1  # nothing that was read before holds
        self.internet.clock.forward(hours=1)
        self.internet.clear()
        for told in (self.inboxes, self.answers, self.errors):
            told.clear()
        self.began = time.process_time()

    def near(self, url: str) -> Site:
        """Return the attacker's own server: at the origin of ``url`` where one is, for checks of the origin."""
        sites = self.internet.sites.items()
        return next((site for base, site in sites if url.startswith((f"{base}/", f"{base}:443/"))), self.mallory)

    @property
    def mallory(self) -> Site:
        """Return the attacker's server that nothing is wrong with."""
        return self.internet.sites[MALLORY]

    def newcomer(self, site: Site, **changes: Any) -> Actor:
        """Return somebody at a site whom the gateway has never met; ``changes`` are members of the document."""
        self._met += 1
        actor = site.peer.actor(f"n{self._met}")
        site.peer.serve_document(actor.id, actor.document(**changes))
        return actor

    def page(self, site: Site, document: Mapping[str, Any], path: str = "/pages") -> str:
        """Serve a document at a new address of a site; return that address, which is its id."""
        self._met += 1
        url = f"{site.peer.base}{path}/{self._met}"
        site.peer.serve_document(url, {**document, "id": url})
        return url

    def met(self, actor: Actor, **changes: Any) -> RemoteActor:
        """Let the gateway know an actor from before, when its host was somewhere else; return it as it was kept."""
        discover.keep_actor(self.kit, actor.document())
        known = self.kit.store.relations.actor(actor.id)
        assert known is not None
        known = replace(known, **changes)
        self.kit.store.relations.save_actor(known, [f"{known.id}#main-key"])
        return known

    async def get(self, url: str, purpose: Purpose = PAGE) -> client.Answer | GatewayError:
        """Let the gateway's own client GET a URL; return the answer, or the error of the tree."""
        try:
            return await self.kit.client.get(url, accept="*/*", purpose=purpose)
        except GatewayError as error:
            return error

    async def drain(self) -> None:
        """Let the gateway do what is due."""
        await self.gateway.worker.drain()

    async def send(self, request: SignedRequest) -> Answer:
        """Hand a request to the gateway byte for byte, and let it settle."""
        lines = [(name, value.encode()) for name, value in request.headers if name.lower() != "host"]
        answer = await ask(self.app, request.method, request.target.removeprefix(BASE), lines, request.body)
        self.inboxes.append(answer)
        await self.drain()
        return answer

    async def post(self, peer: PlainPeer, document: Mapping[str, Any], by: Actor | None = None) -> Answer:
        """Sign a document and deliver it to the shared inbox."""
        return await self.send(peer.signed(INBOX, json.dumps(document).encode(), by))

    async def web(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, *, document: object = None
    ) -> Answer:  # fmt: skip
        """Ask as alice: with a query or a form, or with a document."""
        lines, body = [("authorization", f"Bearer {self.token}")], b""
        if document is not None:
            lines, body = [*lines, ("content-type", "application/activity+json")], json.dumps(document).encode()
        elif method == "POST":
            lines, body = [*lines, ("content-type", FORM)], urlencode(fields or {}).encode()
        elif fields:
            path = f"{path}?{urlencode(fields)}"
        answer = await ask(self.app, method, path, lines, body)
        self.answers.append(answer)
        await self.drain()
        return answer

    async def submit(self, document: Mapping[str, Any]) -> Answer:
        """Publish something as alice's own software does."""
        return await self.web("POST", "/users/alice/outbox", document=document)

    async def command(self, work: Awaitable[Any]) -> None:
        """Let the admin run a command; what it fails with is kept."""
        try:
            await work
        except GatewayError as error:
            self.errors.append(error)
        await self.drain()

    def told(self) -> list[str]:
        """Return the code of everything that was refused to alice or to the admin."""
        bad = [answer for answer in self.answers if answer.status >= 400]
        codes = [answer.json.get("code") or answer.json["error"] for answer in bad]  # OAuth has a form of its own
        return codes + [error.reason for error in self.errors]

    def check(self, *, passing: bool = False) -> None:
        """Fail when anything forbidden was dialled, or somebody was answered as they should not be.

        ``passing``: a name could not be looked up just now, so that a sender may be told to come again.
        """
        internet = self.internet
        assert internet.forbidden() == []
        assert internet.inside == []
        assert internet.asked_too_often() == {}
        inbox = {200, 202, 400, 401, 403} | ({503} if passing else set())
        assert {answer.status for answer in self.inboxes} <= inbox, [answer.text for answer in self.inboxes]
        assert all(a.status < 500 or a.status in (502, 503) for a in self.answers), [a.text for a in self.answers]
        assert all(1 < error.exit_code <= 6 for error in self.errors), self.errors
        assert set(self.told()) - CODES == set()
        jobs = [row["problem"] for row in self.kit.store.database.rows("SELECT problem FROM job")]
        assert [problem for problem in jobs if problem and CRASH.match(problem)] == []


@asynccontextmanager
async def prepared(root: Path, **settings: Any) -> AsyncIterator[Scene]:
    """Open a gateway as in production, with alice, who follows one actor of every peer on the internet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.flows.kit.generate", pooled)
        patch.setattr("peers.plain.generate", pooled)
        patch.setattr("peers.plain._KEYS", {})
        authority, tls = certified(root)
        internet = Internet(ManualClock(), authority)
        for base in BASES:
            internet.connect(base)
        async with internet.running(tls):
            with internet.plugged_in():
                known = Settings(base_url=BASE, data=root / "gateway", ca_file=authority, **settings)
                gateway = open_gateway(known, clock=internet.clock)
                patch.setattr(Run, "gateway", lambda _run: Kept(gateway))
                yield _inhabited(internet, gateway)
                await gateway.close()


def raw(kit: Kit) -> Any:
    """Return the connection itself: rows are put back without a word."""
    assert isinstance(kit.store.database, Sqlite)
    return kit.store.database._connection


def _inhabited(internet: Internet, gateway: Gateway) -> Scene:
    kit = gateway.kit
    alice = account(gateway)
    token = create_token(kit, alice, "test")[1]
    for site in internet.sites.values():
        discover.keep_actor(kit, site.peer.me.document())
        kit.store.relations.save_follow(alice.id, site.peer.me.id, f"{alice.id}/f", "accepted", kit.clock.now())
    clean = utils.sqlite3.connect(":memory:")  # type: ignore[attr-defined]  # pysqlite3 where it is installed
    raw(kit).execute("PRAGMA synchronous=OFF")
    raw(kit).backup(clean)
    return Scene(internet=internet, gateway=gateway, app=build(gateway), alice=alice, token=token, clean=clean)


# Fixtures, for the modules that name them.


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Keep one event loop a module: the servers of the internet live in it."""
    return "asyncio"


@pytest.fixture(scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Return the scene that all tests of a module share; peers may speak plain http."""
    async with prepared(tmp_path_factory.mktemp("ssrf"), allow_http=True) as scene:
        yield scene


@pytest.fixture
def scene(opened: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return the scene as it was in the beginning; the inspector does not start processes."""

    async def seen(request: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return {view: {"value": "" if view == "nquads" else []} for view in request["views"]}

    monkeypatch.setattr(bounded, "look", seen)
    opened.start_again()
    return opened
