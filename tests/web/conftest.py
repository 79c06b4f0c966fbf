"""One small site for the pages and documents: accounts, posts of every visibility, a follower and a stranger."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from peers.plain import ACTIVITY_JSON
from web.asking import Answer, ask
from world import BASE, World, account, snapshot
from world import world as make_world

from gateway.activitypub.addressing import Visibility
from gateway.activitypub.note import Draft
from gateway.flows import attach, publish, revise
from gateway.flows.grant import create_token
from gateway.preferences import Preset

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from peers.plain import PlainPeer

    from gateway.flows.kit import Kit
    from gateway.runtime import Gateway
    from gateway.store.accounts import Account
    from gateway.store.objects import Stored

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000020000000308020000003680f6ab")


@dataclass(slots=True, kw_only=True)
class Site:
    """The gateway, who lives there, and who looks at it: ``follower`` is accepted, ``stranger`` is nobody's friend."""

    world: World
    gateway: Gateway
    alice: Account
    carol: Account
    follower: PlainPeer
    stranger: PlainPeer
    posts: dict[str, Stored] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def kit(self) -> Kit:
        return self.gateway.kit

    @property
    def app(self) -> Any:
        return self.world.board.apps["gw.example"]

    def path(self, name: str) -> str:
        """Return the path of a post's id."""
        return self.posts[name].id.removeprefix(BASE)

    def tid(self, name: str) -> str:
        return self.posts[name].id.rpartition("/")[2]

    def page(self, name: str) -> str:
        """Return the path of a post's page."""
        return f"/@alice/{self.tid(name)}"

    async def get(self, target: str, *, method: str = "GET", **headers: str) -> Answer:
        """Ask without a signature."""
        return await ask(self.app, method, target, [(name.replace("_", "-"), value) for name, value in headers.items()])

    async def signed(
        self, target: str, peer: PlainPeer | None = None, *, scheme: str = "cavage", **headers: str
    ) -> Answer:
        """Ask with a signature, by default of the follower."""
        more = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        request = (peer or self.follower).signed(f"{BASE}{target}", b"", scheme=scheme, method="GET", headers=more)
        lines = [(name, value) for name, value in request.headers if name != "host"]
        if "accept" in headers:
            lines.remove(("accept", ACTIVITY_JSON))
        return await ask(self.app, "GET", target, lines)

    async def publish(self, document: bytes, token: str = "alice", **headers: str) -> Answer:
        """Post to alice's outbox with a token (by name)."""
        lines = {"content-type": ACTIVITY_JSON, "authorization": f"Bearer {self.tokens[token]}"}
        lines |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await ask(self.app, "POST", "/users/alice/outbox", lines.items(), document)

    def snapshot(self) -> dict[str, list[Any]]:
        return snapshot(self.kit)


async def _populate(site: Site) -> None:
    kit, bob = site.kit, site.follower
    site.tokens = {
        "alice": create_token(kit, site.alice, "test")[1],
        "carol": create_token(kit, site.carol, "test")[1],
        "unknown": "gw_nobody-ever-made-this",
    }
    revoked, site.tokens["revoked"] = create_token(kit, site.alice, "old")
    kit.store.accounts.revoke_token(revoked.id, kit.clock.now())
    await bob.post(f"{BASE}/users/alice/inbox", bob.activity("Follow", site.alice.id))
    await site.world.drain()
    mentioned = (("@bob@peer.example", bob.me.id),)
    drafts = {
        "public": Draft(text="Hello, world #greeting"),
        "unlisted": Draft(text="a quiet word", visibility=Visibility.UNLISTED),
        "followers": Draft(text="only for friends", visibility=Visibility.FOLLOWERS),
        "direct": Draft(text="only for bob", visibility=Visibility.DIRECT, mentioned=mentioned),
        "warned": Draft(text="こんにちは <b>&", warning="食べ物", language="ja"),
        "deleted": Draft(text="a regretted secret"),
    }
    for name, draft in drafts.items():
        site.world.clock.forward(minutes=1)
        site.posts[name] = (await publish.create(kit, site.alice, draft))[0]
    upload = attach.Upload(content=PNG, name="Drawing of a cat.png", alt="a cat")
    site.posts["media"] = (await publish.create(kit, site.alice, Draft(text="look"), uploads=[upload]))[0]
    site.posts["open"] = (await publish.create(kit, site.carol, Draft(text="take what you like")))[0]
    site.world.clock.forward(minutes=1)
    revise.delete(kit, site.alice, site.posts["deleted"].id)
    await site.world.drain()


@pytest.fixture(scope="session")
def inhabited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a gateway with accounts once: making keys is slow."""
    root = tmp_path_factory.mktemp("site")

    async def make() -> None:
        async with make_world(root) as made:
            gateway = made.gateway()
            account(gateway, display_name="Alice")
            account(gateway, "carol", Preset.OPEN)
            account(gateway, "gone", deleted=made.clock.now())

    asyncio.run(make())
    return root


def _open(inhabited: Path, root: Path, **settings: Any) -> Site:
    shutil.copytree(inhabited, root, dirs_exist_ok=True)
    made = World(root=root)
    gateway = made.gateway(**settings)
    found = {name: gateway.kit.store.accounts.by_name(name) for name in ("alice", "carol")}
    alice, carol = found["alice"], found["carol"]
    assert alice is not None
    assert carol is not None
    return Site(
        world=made,
        gateway=gateway,
        alice=alice,
        carol=carol,
        follower=made.peer(),
        stranger=made.peer("stranger.example", "eve"),
    )


@pytest.fixture(scope="module")
def site(inhabited: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the site, shared by the tests of a module: they may add to it, never change what is there."""
    made = _open(inhabited, tmp_path_factory.mktemp("shared"))
    asyncio.run(_populate(made))
    yield made
    asyncio.run(made.world.close())


@pytest.fixture(autouse=True)
def _rested(request: pytest.FixtureRequest) -> None:
    """Let five minutes pass before each test of a shared site: what others asked for is not counted against it."""
    if "site" in request.fixturenames:
        request.getfixturevalue("site").world.clock.forward(minutes=5)


@pytest.fixture
def own_site(inhabited: Path, tmp_path: Path) -> Iterator[Site]:
    """Return a site that the test may change as it likes."""
    made = _open(inhabited, tmp_path)
    asyncio.run(_populate(made))
    yield made
    asyncio.run(made.world.close())


@pytest.fixture
def unguarded(inhabited: Path, tmp_path: Path) -> Iterator[Site]:
    """Return a site with authorized fetch off."""
    made = _open(inhabited, tmp_path, authorized_fetch=False)
    asyncio.run(_populate(made))
    yield made
    asyncio.run(made.world.close())
