"""Where the web is attacked: a small site, whoever asks it, what a page is made of, and which cases were run."""

from __future__ import annotations

import functools
import inspect
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from flows import keypool
from peers.plain import ACTIVITY_JSON
from web import asking
from world import BASE, World, account
from world import world as make_world

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import Draft
from gateway.flows import attach, grant, kit, publish
from gateway.preferences import Preset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from peers.plain import PlainPeer
    from web.asking import Answer

    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.objects import Stored

CATALOGUE: dict[str, dict[str, Any]] = {
    item["id"]: item
    for item in json.loads((Path(__file__).parent / "data" / "web_admin.json").read_text("utf-8"))["cases"]
}
# Ids that some test runs, filled in by ``cases`` as the modules are read.
RUN: set[str] = set()
ALICE = f"{BASE}/users/alice"
CALLBACK = "https://app.example/cb"
VERIFIER = "v" * 43
FORM = "application/x-www-form-urlencoded"
SAME_SITE = ("sec-fetch-site", "same-origin")
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000020000000308020000003680f6ab")


@dataclass(slots=True)
class Case:
    """A case of the catalogue while it runs; ``proved`` are the effects that somebody looked at."""

    id: str
    payload: str
    effects: frozenset[str]
    proved: set[str] = field(default_factory=lambda: {"no_5xx"})  # every answer of a Site is held against it

    def proves(self, *effects: str) -> None:
        """Note that these effects were seen."""
        assert set(effects) <= self.effects, f"{self.id} expects {sorted(self.effects)}"
        self.proved.update(effects)

    def check(self) -> None:
        """Fail when an effect was expected that nobody looked at."""
        assert self.effects <= self.proved, f"nobody looked at {sorted(self.effects - self.proved)}"


def known(case_id: str) -> Case:
    """Return a case of the catalogue."""
    item = CATALOGUE[case_id]
    return Case(case_id, item["build"]["case"], frozenset(item["expect"]["effects"]))


def cases(*ids: str) -> Callable[[Callable[..., Any]], Any]:
    """Run a test once for each of these cases, given to it as ``case``; an effect that nobody looked at fails it."""
    RUN.update(ids)

    def decorate(test: Callable[..., Any]) -> Any:
        @functools.wraps(test)
        def run(case: str, **given: Any) -> None:
            running = known(case)
            test(case=running, **given)
            running.check()

        @functools.wraps(test)
        async def run_async(case: str, **given: Any) -> None:
            running = known(case)
            await test(case=running, **given)
            running.check()

        return pytest.mark.parametrize("case", ids)(run_async if inspect.iscoroutinefunction(test) else run)

    return decorate


class From:
    """An application as somebody at another address reaches it."""

    def __init__(self, app: Any, address: str) -> None:
        self._app, self._address = app, address

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self._app({**scope, "client": (self._address, 40000)}, receive, send)


@dataclass(slots=True, kw_only=True)
class Site:
    """A gateway with alice and carol, bob elsewhere who follows alice, and everything that it answers checked."""

    world: World
    gateway: Gateway
    alice: Account
    carol: Account
    bob: PlainPeer
    tokens: dict[str, str] = field(default_factory=dict)
    posts: dict[str, Stored] = field(default_factory=dict)

    @property
    def app(self) -> Any:
        return self.world.board.apps["gw.example"]

    async def ask(
        self, method: str, target: str | bytes, headers: Iterable[tuple[str | bytes, str | bytes]] = (),
        body: bytes = b"", *, host: str | bytes | None = asking.HOST, address: str = "192.0.2.1",
    ) -> Answer:  # fmt: skip
        """Send one request; whatever it is, the answer is no 5xx, splits no header and wears the protective ones."""
        named = host.decode("latin-1") if isinstance(host, bytes) else host
        answer = await asking.ask(From(self.app, address), method, target, headers, body, host=named)
        path = target if isinstance(target, str) else target.decode("latin-1")
        assert answer.status < 500 or path.startswith("/readyz"), (method, target, answer.body[:300])
        for name, value in answer.lines:
            assert not set(name + value) & set("\r\n\0"), (name, value)
        assert answer.header("x-content-type-options") == "nosniff"
        assert "frame-ancestors 'none'" in answer.header("content-security-policy")
        return answer

    async def get(self, target: str | bytes, **headers: str) -> Answer:
        """Ask without a signature."""
        return await self.ask("GET", target, [(name.replace("_", "-"), value) for name, value in headers.items()])

    async def signed(self, target: str, **headers: str) -> Answer:
        """Ask with bob's signature."""
        more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        request = self.bob.signed(f"{BASE}{target}", b"", method="GET", headers=more)
        return await self.ask("GET", target, [line for line in request.headers if line[0] != "host"])

    def bearer(self, who: str = "alice") -> tuple[str, str]:
        """Return the header with somebody's token."""
        return ("authorization", f"Bearer {self.tokens[who]}")

    async def owned(self, target: str, who: str = "alice", **headers: str) -> Answer:
        """Ask with a token."""
        more = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return await self.ask("GET", target, [self.bearer(who), *more])

    async def send(self, document: dict[str, Any], who: str = "alice") -> Answer:
        """Post to somebody's outbox with their token, and let it be delivered."""
        lines = [("content-type", ACTIVITY_JSON), self.bearer(who)]
        answer = await self.ask("POST", f"/users/{who}/outbox", lines, json.dumps(document).encode())
        await self.world.drain()
        return answer

    async def form(
        self, path: str, fields: dict[str, str], *headers: tuple[str, str], address: str = "192.0.2.1"
    ) -> Answer:
        """Send a form; without headers it comes from nowhere in particular."""
        return await self.ask(
            "POST", path, [("content-type", FORM), *headers], urlencode(fields).encode(), address=address
        )

    async def arrives(self, document: dict[str, Any], status: int = 202) -> None:
        """Let bob deliver an activity, and let it settle."""
        answer = await self.bob.post(f"{BASE}/inbox", document)
        assert answer.status_code == status, answer.text
        await self.world.drain()

    async def upload(self, content: bytes, disposition: str | bytes = 'filename="a.png"', who: str = "alice") -> Answer:
        """Upload a file; ``disposition`` are the parameters that follow its name."""
        named = disposition.encode() if isinstance(disposition, str) else disposition
        body = b'--b\r\ncontent-disposition: form-data; name="file"; %s\r\n\r\n%s\r\n--b--\r\n' % (named, content)
        lines = [("content-type", "multipart/form-data; boundary=b"), self.bearer(who)]
        return await self.ask("POST", "/api/media", lines, body)

    async def session(self, who: str = "alice") -> tuple[str, str]:
        """Sign a browser in and return the header with its cookie."""
        person = self.alice if who == "alice" else self.carol
        code = grant.sign_in_link(self.gateway.kit, person)[0].partition("code=")[2]
        answer = await self.form("/sign-in", {"code": code}, SAME_SITE)
        assert answer.status == 303, answer.body
        return ("cookie", answer.header("set-cookie").partition(";")[0])

    def tid(self, name: str = "public") -> str:
        """Return the last part of a post's id."""
        return self.posts[name].id.rpartition("/")[2]

    def everything(self) -> dict[str, list[Any]]:
        """Return every row of every table, but for when a token was used last, and the lines about what was refused."""
        database = self.gateway.kit.store.database
        tables = database.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'audit'")
        names = [row["name"] for row in tables]
        rows = {name: database.rows(f"SELECT * FROM {name}") for name in names}  # noqa: S608 - our own tables
        rows["token"] = [{**row, "last_used": None} for row in rows["token"]]
        return rows


@asynccontextmanager
async def opened(root: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> AsyncIterator[Site]:
    """Open a site below ``root``; ``settings`` are the gateway's. How often somebody asks is not held against them."""
    monkeypatch.setattr(kit, "generate", keypool.pooled)
    async with make_world(root) as world:
        gateway = world.gateway(**{"limit_network": 0, "limit_peer": 0, **settings})
        alice = account(gateway, display_name="Alice")
        site = Site(
            world=world, gateway=gateway, alice=alice, carol=account(gateway, "carol", Preset.OPEN), bob=world.peer()
        )
        for person in (alice, site.carol):
            site.tokens[person.name] = grant.create_token(gateway.kit, person, "test")[1]
        await site.arrives(site.bob.activity("Follow", ALICE))
        for name in ("public", "followers", "direct"):
            seen = Visibility(name)
            text = f"{name} words #tagged" if seen is Visibility.PUBLIC else f"{name} words"
            draft = Draft(text=text, visibility=seen)
            site.posts[name] = (await publish.create(gateway.kit, alice, draft))[0]
        upload = attach.Upload(content=PNG, name="cat.png", alt="a cat")
        site.posts["media"] = (await publish.create(gateway.kit, alice, Draft(text="look"), uploads=[upload]))[0]
        await world.drain()
        yield site


def filled(site: Site, path: str) -> str:
    """Return an address for a path of the route table."""
    media: Any = site.posts["media"].document["attachment"]
    media_id, name = media[0]["url"].split("/")[-2:]
    sent = site.gateway.kit.store.objects.latest_activity(ALICE, "Create", site.posts["public"].id)
    assert sent is not None
    tid = sent.id.rpartition("/")[2] if path.startswith("/activities") else site.tid()
    words = {
        "name": "alice", "tid": tid, "tag": "tagged", "code": "gone", "media_id": media_id, "file_name": name,
        "file": "problem.json",
    }  # fmt: skip
    return "/static/gateway.css" if path == "/static" else path.format(**words)


async def app_of(site: Site, uri: str = CALLBACK, **more: Any) -> dict[str, Any]:
    """Register an app."""
    body = json.dumps({"redirect_uris": [uri], "client_name": "x", **more}).encode()
    answer = await site.ask("POST", "/oauth/register", [("content-type", "application/json")], body)
    assert answer.status == 201, answer.text
    document: dict[str, Any] = answer.json
    return document


def wish(app: dict[str, Any], **changes: str) -> dict[str, str]:
    """Return what an app asks for."""
    return {
        "client_id": app["client_id"], "redirect_uri": app["redirect_uris"][0], "response_type": "code", "state": "s",
        "code_challenge": grant.challenge_of(VERIFIER), "code_challenge_method": "S256", "decision": "allow", **changes,
    }  # fmt: skip
